"""What a signed report does to an attempt: it may end it, it may tell more of it, and it opens nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from itertools import count, permutations, product
from uuid import uuid4

import pytest
from django.db import connections

from passwordless import flow
from passwordless.flow.sending import reference
from passwordless.models import AttemptEvent, Receipt, VerificationAttempt
from passwordless.numbers import link
from passwordless.outcomes import Handle
from passwordless.signals import attempt_moved
from passwordless.states import LIVE, PUBLIC, EventKind, Purpose, Reason, Status
from passwordless.vonage.notice import ENDINGS, Notice, Step
from tests import support
from tests.support import BEGIN, NUMBER, OTHER, OWNER, asked, begin, code, configure, counters, make

tokens = count()
STATUS_OF = {"expired": Status.EXPIRED, "cancelled": Status.CANCELLED}
WORDS = [*ENDINGS, "action_pending", "unheard_of", ""]
IN_WAITING = frozenset({Status.PENDING})


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


def waiting(**values):
    """Return a stored attempt that waits for its code and that Vonage knows."""
    number = values.setdefault("number", NUMBER)
    return make(**{"request_id": str(uuid4()), "live_number": number, **values})


def report(attempt, status="completed", *, summary=True, **changes):
    """Return what Vonage would report of an attempt."""
    about = Notice(attempt.request_id or str(uuid4()), reference(attempt), status, summary)
    return about._replace(**changes)


def hear(notice, token=None):
    return flow.hear(notice, token or f"token {next(tokens)}")


def row(attempt):
    return VerificationAttempt.objects.get(pk=attempt.pk)


def standing(attempt):
    """Return where an attempt is, why, and the number it holds."""
    found = row(attempt)
    return found.status, found.reason, found.live_number


def reported(attempt):
    events = attempt.events.filter(kind=EventKind.REPORTED).order_by("pk")
    return list(events.values_list("channel", "vendor"))


# What ends, and what does not


@pytest.mark.parametrize("word", ENDINGS)
def test_the_end_at_vonage_ends_a_waiting_attempt_and_frees_its_number(word, clock):
    attempt = waiting()
    clock.shift(7)
    assert hear(report(attempt, word))
    assert (STATUS_OF.get(word, Status.FAILED), ENDINGS[word], None) == standing(attempt)
    assert BEGIN + timedelta(seconds=7) == row(attempt).ended_at
    assert [("", word)] == reported(attempt)


def test_a_number_that_was_freed_is_asked_anew(clock):
    hear(report(waiting(), "failed"))
    clock.shift(60)
    outcome = flow.start(NUMBER, OWNER)
    assert (Status.PENDING, 1) == (outcome.status, emulated("start"))


def emulated(verb):
    return asked(verb)[0]


@pytest.mark.parametrize(("status", "word", "summary"), list(product(Status, WORDS, [True, False])))
def test_h7_no_report_opens_unlocks_or_verifies(status, word, summary):
    attempt = waiting(status=status, reason=Reason.OK, guesses=1, claimed_at=BEGIN)
    before, paid = row(attempt), counters()
    hear(report(attempt, word, summary=summary, price=Decimal("0.05")))
    after = row(attempt)
    ends = status in IN_WAITING and bool(word in ENDINGS and (summary or word == "blocked"))
    expected = (STATUS_OF.get(word, Status.FAILED), ENDINGS[word]) if ends else (status, Reason.OK)
    assert expected == (after.status, after.reason)
    assert paid == counters()
    # Nothing of what a code is checked against, or a visitor is known by, is Vonage's to change.
    told = {"status", "reason", "ended_at", "live_number", "price", "currency"}
    kept = {field.attname for field in after._meta.concrete_fields} - told
    assert {name: getattr(before, name) for name in kept} == {name: getattr(after, name) for name in kept}
    assert (status in LIVE) is (after.status in LIVE) or ends


@pytest.mark.parametrize("word", ENDINGS)
@pytest.mark.parametrize("status", [status for status in Status if status not in LIVE])
def test_of_an_ended_attempt_only_the_number_is_freed(status, word):
    attempt = waiting(status=status, reason=Reason.TOO_MANY_GUESSES, ended_at=BEGIN - timedelta(seconds=9))
    hear(report(attempt, word))
    assert (status, Reason.TOO_MANY_GUESSES, None) == standing(attempt)
    assert BEGIN - timedelta(seconds=9) == row(attempt).ended_at


def test_the_end_of_one_channel_frees_nothing():
    attempt = waiting()
    assert hear(report(attempt, "expired", summary=False, channel="sms"))
    assert (Status.PENDING, "", NUMBER) == standing(attempt)
    assert [("sms", "expired")] == reported(attempt)


def test_h7_completed_before_anybody_typed_the_code_lets_nobody_in():
    handle = begin()
    assert hear(report(support.attempt(handle)))
    assert (Status.FAILED, Reason.LOST, None) == standing(support.attempt(handle))
    outcome = flow.check(handle, code(), OWNER)
    assert (False, 0) == (outcome.verified, emulated("check"))


@pytest.mark.parametrize("word", ENDINGS)
def test_h7_during_a_check_it_is_only_an_event_and_the_right_code_wins(word):
    attempt = waiting()
    assert attempt.claim(BEGIN, limit=3)
    assert hear(report(attempt, word))
    assert (Status.CHECKING, "", NUMBER) == standing(attempt)
    assert [("", word)] == reported(attempt)
    assert attempt.move(Status.VERIFIED, Reason.OK, now=BEGIN, guess=1, live_number=None)
    assert Status.VERIFIED == row(attempt).status


def test_an_end_that_was_told_during_a_check_counts_when_it_is_told_again():
    attempt = waiting()
    attempt.claim(BEGIN, limit=3)
    hear(report(attempt, "failed"))
    attempt.move(Status.PENDING, Reason.OK, now=BEGIN, guess=1)
    assert not hear(report(attempt, "failed"))
    assert (Status.FAILED, Reason.UNROUTABLE, None) == standing(attempt)
    assert [("", "failed")] == reported(attempt)


@pytest.mark.parametrize("word", ENDINGS)
def test_a_report_before_our_own_update_is_only_written_down(word):
    attempt = waiting(status=Status.STARTING, request_id=None, sends=0)
    assert hear(report(attempt, word))
    assert (Status.STARTING, "", NUMBER) == standing(attempt)
    assert [("", word)] == reported(attempt)
    assert attempt.move(Status.PENDING, Reason.OK, now=BEGIN, request_id=str(uuid4()))


def test_the_move_is_told_to_receivers_of_the_signal(django_capture_on_commit_callbacks):
    told = []

    def receiver(sender, attempt, status, reason, **kwargs):
        told.append((attempt.pk, status, reason))

    attempt = waiting()
    attempt_moved.connect(receiver)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            hear(report(attempt, "blocked"))
    finally:
        attempt_moved.disconnect(receiver)
    assert [(attempt.pk, Status.FAILED, Reason.BLOCKED)] == told


# What is written down


def test_a_summary_writes_each_channel_and_the_price():
    attempt = waiting(status=Status.VERIFIED, live_number=None)
    steps = (Step("sms", "expired"), Step("voice", "completed"), Step("whatsapp", "unused"), Step("", ""))
    assert hear(report(attempt, steps=steps, price=Decimal("0.30000013")))
    assert [("sms", "expired"), ("voice", "completed"), ("", "completed")] == reported(attempt)
    assert (Decimal("0.30000013"), "EUR") == (row(attempt).price, row(attempt).currency)


def test_h11_a_block_marks_the_network():
    attempt = waiting()
    hear(report(attempt, "blocked", steps=(Step("sms", "blocked", "00101"), Step("voice", "unused"))))
    assert ("00101", Reason.BLOCKED) == (row(attempt).network, row(attempt).reason)
    assert [("sms", "blocked"), ("", "blocked")] == reported(attempt)


def test_a_report_without_a_price_keeps_the_one_that_is_known():
    attempt = waiting(price=Decimal("0.07"), currency="EUR", network="00101")
    hear(report(attempt, "expired", steps=(Step("sms", "expired"),)))
    assert (Decimal("0.07"), "EUR", "00101") == (
        row(attempt).price,
        row(attempt).currency,
        row(attempt).network,
    )


def test_what_says_nothing_is_no_event():
    attempt = waiting()
    assert not hear(report(attempt, "", summary=False))
    assert [] == reported(attempt)


def test_h4_a_token_counts_once_whatever_it_vouches_for():
    attempt = waiting()
    assert hear(report(attempt, "expired", summary=False, channel="sms"), "the same")
    assert not hear(report(attempt, "failed"), "the same")
    assert (1, [("sms", "expired")]) == (Receipt.objects.count(), reported(attempt))
    assert Status.PENDING == row(attempt).status


def test_what_comes_again_under_another_token_is_written_once():
    attempt = waiting()
    notice = report(attempt, "expired", steps=(Step("sms", "expired"), Step("sms", "expired")))
    assert [True, False, False] == [hear(notice) for _ in range(3)]
    assert [("sms", "expired"), ("", "expired")] == reported(attempt)


def test_h8_at_most_twenty_reports_of_one_attempt_are_written():
    attempt = waiting()
    for number in range(30):
        hear(report(attempt, f"word_{'abcdefghijklmnopqrstuvwxyzäöüß'[number]}", summary=False))
    assert 20 == len(reported(attempt))
    hear(report(attempt, "failed"))
    assert (20, Status.FAILED) == (len(reported(attempt)), row(attempt).status)


THREE = [("expired", False, "sms"), ("completed", False, "voice"), ("completed", True, "")]


@pytest.mark.parametrize("order", list(permutations(THREE)))
@pytest.mark.parametrize("status", [Status.PENDING, Status.VERIFIED, Status.EXPIRED])
def test_h8_in_whatever_order_they_come_the_end_is_the_same(order, status):
    attempt = waiting(status=status)
    steps = (Step("sms", "expired"), Step("voice", "completed"))
    for word, summary, channel in order:
        hear(report(attempt, word, summary=summary, channel=channel, steps=steps if summary else ()))
    expected = (Status.FAILED, Reason.LOST) if status is Status.PENDING else (status, "")
    assert (*expected, None) == standing(attempt)
    assert {("sms", "expired"), ("voice", "completed"), ("", "completed")} == set(reported(attempt))
    assert 3 == len(reported(attempt))


def test_h8_a_late_failure_takes_no_success_back():
    attempt = waiting(status=Status.VERIFIED, live_number=None)
    for word in ENDINGS:
        hear(report(attempt, word))
    assert Status.VERIFIED == row(attempt).status


# Whose it is


def test_h8_of_what_is_unknown_or_purged_nothing_is_written():
    attempt = waiting()
    notice = report(attempt, "failed")
    attempt.delete()
    assert not hear(notice)
    assert not hear(Notice("unknown", "", "failed", summary=True))
    assert not hear(Notice("unknown", "order 66.of somebody", "failed", summary=True))
    assert (0, 0) == (VerificationAttempt.objects.count(), AttemptEvent.objects.count())


def test_without_a_reference_the_request_id_names_the_attempt():
    attempt, other = waiting(), waiting(number=OTHER)
    assert hear(report(attempt, "failed", reference=""))
    assert ([Status.FAILED, Status.PENDING]) == [row(attempt).status, row(other).status]


def test_somebody_elses_reference_does_not_hide_our_request():
    attempt = waiting()
    assert hear(report(attempt, "failed", reference="order.66"))
    assert Status.FAILED == row(attempt).status


@pytest.mark.parametrize("seal", ["", "0" * 20, "x", "é" * 5])
def test_a_forged_reference_is_nobodys(seal):
    attempt = waiting()
    assert not hear(report(attempt, "failed", reference=f"{attempt.key}.{seal}"))
    assert not hear(report(attempt, "failed", reference=attempt.key))
    assert (Status.PENDING, []) == (row(attempt).status, reported(attempt))


def test_a_reference_and_a_request_id_that_do_not_belong_together_are_nobodys():
    attempt, other = waiting(), waiting(number=OTHER)
    assert not hear(report(attempt, "failed", request_id=other.request_id))
    assert not hear(report(attempt, "failed", request_id=str(uuid4())))
    assert [Status.PENDING] * 2 == [row(attempt).status, row(other).status]
    assert [] == reported(attempt) + reported(other)


def test_i17_a_reference_outlives_a_change_of_the_secret_key(settings):
    attempt = waiting()
    notice = report(attempt, "failed")
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another secret key, of the tests"
    assert not hear(notice)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert hear(notice)
    assert Status.FAILED == row(attempt).status


# Where sign-up is closed, nobody learns from an end which numbers have users


@pytest.mark.parametrize("word", ENDINGS)
def test_h11_with_signup_closed_an_end_shows_no_difference(word, settings, django_user_model):
    configure(settings, SIGNUP=False)
    link(django_user_model.objects.create_user("known"), NUMBER)
    known, unknown = begin(NUMBER), begin(OTHER)
    assert hear(report(support.attempt(known), word))
    attempt = support.attempt(known)
    assert (Status.PENDING, ENDINGS[word], True) == (attempt.status, attempt.reason, attempt.decoy)
    assert [EventKind.HIDDEN] == [event.kind for event in attempt.events.exclude(kind=EventKind.REPORTED)]
    for _ in range(3):
        pair = [flow.check(handle, "000000", OWNER) for handle in (known, unknown)]
        shown = [(one.status, PUBLIC[one.reason], one.guesses_left) for one in pair]
        assert shown[0] == shown[1]
    assert 0 == emulated("check")
    assert standing(support.attempt(known))[2] == standing(support.attempt(unknown))[2]


def test_h11_with_signup_closed_a_check_that_runs_is_left_alone(settings, django_user_model):
    configure(settings, SIGNUP=False)
    link(django_user_model.objects.create_user("known"), NUMBER)
    attempt = support.attempt(begin())
    assert attempt.claim(BEGIN, limit=3)
    hear(report(attempt, "failed"))
    assert (Status.CHECKING, False) == (row(attempt).status, row(attempt).decoy)


def test_h11_with_signup_closed_a_second_end_hides_nothing_again(settings, django_user_model):
    configure(settings, SIGNUP=False)
    link(django_user_model.objects.create_user("known"), NUMBER)
    attempt = support.attempt(begin())
    hear(report(attempt, "failed"))
    hear(report(attempt, "expired"))
    hidden = attempt.events.filter(kind=EventKind.HIDDEN).count()
    assert (Reason.UNROUTABLE, 1) == (row(attempt).reason, hidden)


def test_h11_with_signup_closed_what_is_not_a_login_ends(settings):
    configure(settings, SIGNUP=False)
    attempt = waiting(purpose=Purpose.LINK)
    hear(report(attempt, "blocked"))
    assert Status.FAILED == row(attempt).status


# At once


def at_once(deeds):
    """Do all of them at the same moment, each in a thread of its own, and return what came of each."""
    gate = threading.Barrier(len(deeds))

    def run(deed):
        gate.wait(30)
        try:
            return deed()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_h4_of_fifty_replays_at_once_one_counts():
    attempt, told = waiting(), []

    def receiver(sender, status, **kwargs):
        told.append(status)

    notice = report(attempt, "failed")
    attempt_moved.connect(receiver)
    try:
        outcomes = at_once([lambda: flow.hear(notice, "the same token")] * 50)
    finally:
        attempt_moved.disconnect(receiver)
    assert [False] * 49 + [True] == sorted(outcomes)
    assert (1, [("", "failed")]) == (Receipt.objects.count(), reported(attempt))
    assert [Status.FAILED] == told


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_h4_of_thirty_duplicates_at_once_each_fact_is_written_once():
    attempt = waiting()
    notice = report(attempt, "expired", steps=(Step("sms", "expired"), Step("voice", "failed")))
    outcomes = at_once([lambda number=number: flow.hear(notice, f"token {number}") for number in range(30)])
    assert (1, 30) == (sum(outcomes), Receipt.objects.count())
    assert [("sms", "expired"), ("voice", "failed"), ("", "expired")] == reported(attempt)


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("word", ["completed", "failed"])
def test_h7_a_report_and_the_right_code_at_once_have_one_winner(word):
    for number in range(5):
        handle = begin(f"+1415555012{number}")
        attempt, typed = support.attempt(handle), code(f"+1415555012{number}")
        notice = report(attempt, word)
        checked, _ = at_once([
            lambda handle=handle, typed=typed: flow.check(handle, typed, OWNER),
            lambda notice=notice: hear(notice),
        ])  # fmt: skip
        ended = row(attempt)
        assert ended.status in (Status.VERIFIED, Status.FAILED)
        assert checked.verified is (ended.status == Status.VERIFIED)
        assert ended.live_number is None
        assert not flow.check(Handle(handle.key, Purpose.LOGIN), typed, OWNER).verified
