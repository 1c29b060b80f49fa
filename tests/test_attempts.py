"""The row itself: which moves exist, how a guess is claimed, and what a row tells of time."""

from datetime import timedelta
from itertools import product

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from passwordless.models import AttemptEvent, PhoneNumber, Receipt, VerificationAttempt
from passwordless.models.keys import LEGIBLE, new_key
from passwordless.signals import attempt_moved
from passwordless.states import LIVE, MOVES, PUBLIC, Channel, EventKind, Public, Reason, Status
from tests import support
from tests.support import BEGIN, NUMBER, OTHER, make

ENDED = [status for status in Status if status not in LIVE]


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


@pytest.fixture
def moves():
    """What receivers of the signal are told."""
    told = []

    def receiver(sender, attempt, status, reason, **kwargs):
        told.append((attempt.pk, status, reason))
        # Whoever is told looks at the attempt, and must see it moved.
        assert (status, reason) == (attempt.status, attempt.reason)

    attempt_moved.connect(receiver)
    yield told
    attempt_moved.disconnect(receiver)


def after(seconds):
    return BEGIN + timedelta(seconds=seconds)


def stored(attempt):
    return VerificationAttempt.objects.get(pk=attempt.pk)


def claim(attempt, now=BEGIN, *, limit=3):
    return attempt.claim(now, limit=limit)


class TestMoves:
    @pytest.mark.parametrize(("origin", "target"), list(product(Status, Status)))
    def test_what_the_table_lacks_cannot_happen(self, origin, target):
        attempt = make(status=origin, reason=Reason.OK)
        legal = target in MOVES.get(origin, ())
        event = AttemptEvent(attempt=attempt, kind=EventKind.CANCELLED, at=BEGIN)
        assert legal is attempt.move(target, Reason.LOST, now=BEGIN, events=[event], vendor="v2 1")
        expected = (target, Reason.LOST, "v2 1", 1) if legal else (origin, Reason.OK, "", 0)
        row = stored(attempt)
        assert expected == (row.status, row.reason, row.vendor, row.events.count())

    def test_the_table_is_the_state_machine_of_the_design(self):
        assert MOVES == {
            Status.STARTING: {Status.PENDING, Status.REFUSED, Status.EXPIRED},
            Status.PENDING: {Status.CHECKING, Status.FAILED, Status.CANCELLED, Status.EXPIRED},
            Status.CHECKING: {Status.PENDING, Status.VERIFIED, Status.FAILED, Status.EXPIRED},
        }

    def test_the_row_in_the_database_counts_not_the_one_in_memory(self):
        attempt = make()
        VerificationAttempt.objects.update(status=Status.CANCELLED)
        assert not attempt.move(Status.FAILED, Reason.GONE, now=BEGIN)
        assert Status.CANCELLED == stored(attempt).status

    def test_only_an_end_has_a_time_of_ending(self):
        waiting, ended = make(status=Status.STARTING), make()
        waiting.move(Status.PENDING, Reason.OK, now=after(5))
        ended.move(Status.FAILED, Reason.GONE, now=after(5))
        assert (None, after(5)) == (stored(waiting).ended_at, stored(ended).ended_at)

    def test_one_of_two_movers_wins(self):
        first = make()
        second = stored(first)
        assert first.move(Status.FAILED, Reason.GONE, now=BEGIN)
        assert not second.move(Status.CANCELLED, Reason.CANCELLED, now=BEGIN)
        assert Status.FAILED == stored(first).status

    def test_a_late_holder_of_a_claim_loses(self):
        late = make()
        claim(late)
        overtaker = stored(late)
        claim(overtaker, after(16))
        assert not late.move(Status.VERIFIED, Reason.OK, now=after(17), guess=1)
        assert overtaker.move(Status.VERIFIED, Reason.OK, now=after(17), guess=2)

    def test_a_fenced_move_leaves_from_checking_only(self):
        attempt = make(guesses=1)
        assert not attempt.move(Status.FAILED, Reason.GONE, now=BEGIN, guess=1)
        assert Status.PENDING == stored(attempt).status


class TestSignal:
    def test_it_comes_after_the_commit(self, moves, django_capture_on_commit_callbacks):
        attempt = make()
        with django_capture_on_commit_callbacks(execute=True):
            attempt.move(Status.FAILED, Reason.GONE, now=BEGIN)
            assert [] == moves
        assert [(attempt.pk, Status.FAILED, Reason.GONE)] == moves

    def test_a_move_that_did_not_happen_is_not_told(self, moves, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            make(status=Status.CANCELLED).move(Status.FAILED, Reason.GONE, now=BEGIN)
        assert [] == moves

    @pytest.mark.django_db(transaction=True)
    def test_a_rolled_back_move_is_not_told(self, moves):
        attempt = make()
        with transaction.atomic():
            attempt.move(Status.FAILED, Reason.GONE, now=BEGIN)
            transaction.set_rollback(True)
        assert ([], Status.PENDING) == (moves, stored(attempt).status)

    def test_a_receiver_that_fails_stops_neither_the_move_nor_the_next_receiver(
        self, django_capture_on_commit_callbacks, caplog
    ):
        told = []

        def broken(**kwargs):
            raise RuntimeError("of the site")

        def sound(**kwargs):
            told.append(kwargs["status"])

        attempt_moved.connect(broken)
        attempt_moved.connect(sound)
        attempt = make()
        try:
            with django_capture_on_commit_callbacks(execute=True):
                assert attempt.move(Status.FAILED, Reason.GONE, now=BEGIN)
        finally:
            attempt_moved.disconnect(broken)
            attempt_moved.disconnect(sound)
        assert ([Status.FAILED], Status.FAILED) == (told, stored(attempt).status)
        assert NUMBER not in caplog.text


class TestClaim:
    def test_it_pays_one_guess_and_makes_the_only_checker(self):
        attempt = make()
        rival = stored(attempt)
        assert claim(attempt)
        assert not claim(rival)
        row = stored(attempt)
        assert (Status.CHECKING, 1, BEGIN) == (row.status, row.guesses, row.claimed_at)

    @pytest.mark.parametrize(("guesses", "granted"), [(0, True), (2, True), (3, False), (4, False)])
    def test_it_ends_with_the_limit(self, guesses, granted):
        attempt = make(guesses=guesses)
        assert granted is claim(attempt)
        assert guesses + granted == stored(attempt).guesses

    @pytest.mark.parametrize("status", [Status.STARTING, *ENDED])
    def test_only_what_waits_can_be_claimed(self, status):
        attempt = make(status=status, claimed_at=after(-60))
        assert not claim(attempt)
        assert (status, 0) == (stored(attempt).status, stored(attempt).guesses)

    def test_a_move_from_nowhere_asks_the_database_nothing(self):
        attempt = make()
        with CaptureQueriesContext(connection) as asked:
            assert not attempt.move(Status.PENDING, Reason.OK, now=BEGIN, only=Status.PENDING)
        assert not [query for query in asked if query["sql"].startswith("UPDATE")]

    @pytest.mark.parametrize(("seconds", "granted"), [(299, True), (300, False), (301, False)])
    def test_it_ends_with_the_time(self, seconds, granted):
        assert granted is claim(make(), after(seconds))

    @pytest.mark.parametrize(("seconds", "granted"), [(1, False), (15, False), (15.1, True)])
    def test_a_dead_checker_is_overtaken_after_the_patience_and_its_guess_stays_paid(self, seconds, granted):
        attempt = make()
        claim(attempt)
        assert granted is claim(stored(attempt), after(seconds))
        assert 1 + granted == stored(attempt).guesses

    def test_a_guess_count_that_was_read_too_early_wins_nothing(self):
        attempt = make()
        VerificationAttempt.objects.update(guesses=1)
        assert not claim(attempt)
        assert 1 == stored(attempt).guesses

    @pytest.mark.parametrize(("spent", "granted"), [(0, True), (1, True), (2, False)])
    def test_whoever_has_a_lower_limit_is_refused_sooner(self, spent, granted):
        attempt = make(guesses=spent)
        assert granted is claim(attempt, limit=2)
        assert spent + granted == stored(attempt).guesses

    def test_a_guess_that_another_paid_since_the_row_was_read_counts_against_the_limit(self):
        attempt = make(guesses=1)
        VerificationAttempt.objects.update(guesses=2)
        assert not claim(attempt, limit=2)
        assert (2, Status.PENDING) == (stored(attempt).guesses, stored(attempt).status)

    @pytest.mark.parametrize(("seconds", "granted"), [(17, False), (17.1, True)])
    def test_the_patience_follows_the_deadline_of_a_check(self, seconds, granted, settings):
        support.configure(settings, CHECK_TIMEOUT=7.0)
        attempt = make()
        claim(attempt)
        assert granted is claim(stored(attempt), after(seconds))


class TestTime:
    @pytest.mark.parametrize("status", sorted(LIVE))
    @pytest.mark.parametrize(("seconds", "expired"), [(299, False), (300, True)])
    def test_what_is_overdue_counts_as_expired_though_nobody_moved_it(self, status, seconds, expired):
        attempt = make(status=status)
        expected = (Status.EXPIRED, Reason.EXPIRED) if expired else (status, Reason.OK)
        assert expected == attempt.state(after(seconds))
        assert status == stored(attempt).status

    @pytest.mark.parametrize("status", ENDED)
    def test_an_end_stays_what_it_was(self, status):
        assert (status, Reason.LOST) == make(status=status, reason=Reason.LOST).state(after(9999))

    def test_the_querysets_divide_the_rows_by_time(self):
        overdue = make(lifetime=10)
        make(number="+14155550109")
        held = make(status=Status.FAILED, live_number=NUMBER, lifetime=10)
        busy = make(status=Status.FAILED, live_number=OTHER, lifetime=900)
        now, rows = after(20), VerificationAttempt.objects
        assert ([overdue], [held]) == (list(rows.overdue(now)), list(rows.closable(now)))
        assert {held, busy} == set(rows.ended())

    @pytest.mark.parametrize(
        ("seconds", "channel", "used"),
        [
            (0, Channel.SMS, [Channel.SMS]),
            (149, Channel.SMS, [Channel.SMS]),
            (150, Channel.VOICE, [Channel.SMS, Channel.VOICE]),
            (9999, Channel.VOICE, [Channel.SMS, Channel.VOICE]),
            (-60, Channel.SMS, [Channel.SMS]),
        ],
    )
    def test_vonage_goes_to_the_next_channel_by_itself(self, seconds, channel, used):
        attempt = make()
        assert (channel, used) == (attempt.channel(after(seconds)), attempt.channels_used(after(seconds)))

    def test_an_asked_for_step_counts_from_when_it_began(self):
        attempt = make(channels="sms,sms,voice", step=1, step_at=after(40), open_until=after(240))
        assert [1, 1, 2, 2] == [attempt.current_step(after(s)) for s in (40, 139, 140, 999)]

    def test_no_channel_is_used_before_something_was_sent_nor_after_the_end(self):
        assert [] == make(sends=0).channels_used(BEGIN)
        assert [Channel.SMS] == make(ended_at=after(20)).channels_used(after(9999))

    @pytest.mark.parametrize(("api", "until"), [("v2", [150, 150, 300, 300]), ("v1", [300, 300, 300, 300])])
    def test_each_step_of_v2_has_a_code_of_its_own_and_all_of_v1_share_one(self, api, until):
        attempt = make(api=api)
        assert [after(s) for s in until] == [attempt.code_until(after(s)) for s in (0, 149, 150, 299)]

    def test_no_code_outlives_the_attempt(self):
        attempt = make(step=1, step_at=after(60), expires_at=after(100), open_until=after(210))
        assert after(100) == attempt.code_until(after(70))
        assert after(300) == make(step_at=None).code_until(BEGIN)

    def test_before_the_first_message_the_step_is_the_stored_one(self):
        assert 0 == make(step_at=None).current_step(after(500))


class TestAudit:
    def test_one_number_has_one_open_request(self):
        make(live_number=NUMBER)
        with pytest.raises(IntegrityError), transaction.atomic():
            make(live_number=NUMBER)

    def test_rows_without_a_live_number_do_not_meet(self):
        make(live_number=None)
        make(live_number=None)
        assert 2 == VerificationAttempt.objects.filter(live_number=None).count()

    def test_the_text_of_a_row_shows_no_number(self):
        assert "••• 101, Waiting for the code" == str(make())
        assert "Wrong code" == str(AttemptEvent(kind=EventKind.GUESSED))

    def test_the_timeline_begins_with_what_only_the_row_tells(self):
        attempt = make(ip="198.51.100.1", agent="Firefox", sent_at=after(1))
        AttemptEvent.objects.create(attempt=attempt, kind=EventKind.GUESSED, at=after(9))
        asked, sent, guessed = attempt.timeline()
        assert [EventKind.ASKED, EventKind.SENT, EventKind.GUESSED] == [asked.kind, sent.kind, guessed.kind]
        assert ("198.51.100.1", "Firefox", BEGIN) == (asked.ip, asked.agent, asked.at)
        assert (Channel.SMS, after(1)) == (sent.channel, sent.at)

    def test_an_event_that_tells_of_the_asking_stands_for_the_row(self):
        attempt = make(ip="198.51.100.9", sent_at=None)
        AttemptEvent.objects.create(attempt=attempt, kind=EventKind.ASKED, at=BEGIN, ip="198.51.100.1")
        assert ["198.51.100.1"] == [event.ip for event in attempt.timeline()]

    def test_keys_are_long_random_and_fit(self):
        keys = {new_key() for _ in range(200)}
        assert 200 == len(keys)
        assert {19} == {len(key) for key in keys}

    def test_no_key_begins_like_a_number(self, monkeypatch):
        # What is drawn is the key as a number, its first letter being the last place.
        places = [LEGIBLE.index(letter) for letter in "23456789"]
        digits = sum(place * len(LEGIBLE) ** power for power, place in enumerate(places))
        drawn = iter([digits, digits - places[7] * len(LEGIBLE) ** 7])
        monkeypatch.setattr("passwordless.models.keys.randbelow", lambda _most: next(drawn))
        assert "2345678a" == new_key()[:8]

    def test_every_reason_has_a_public_outcome(self):
        assert set(Reason) == set(PUBLIC)
        assert [Reason.OK] == [reason for reason, public in PUBLIC.items() if public is Public.DONE]

    @pytest.mark.parametrize(("api", "version", "shared"), [
        ("v1", 2, True), ("v2", 1, False), ("decoy", 1, True), ("decoy", 2, False),
    ])  # fmt: skip
    def test_whether_all_steps_share_a_code_is_a_matter_of_the_api_it_stands_for(
        self, api, version, shared, settings
    ):
        support.configure(settings, VERIFY_VERSION=version)
        attempt = make(api=api)
        assert after(300 if shared else 150) == attempt.code_until(BEGIN)

    @pytest.mark.parametrize("status", Status)
    def test_the_list_of_a_status_tells_what_each_row_tells(self, status):
        for origin in Status:
            for lifetime in (10, 300):
                make(status=origin, lifetime=lifetime, claimed_at=BEGIN)
        rows, now = VerificationAttempt.objects, after(12)
        assert {row.pk for row in rows.all() if row.state(now)[0] is status} == set(
            rows.standing(status, now).values_list("pk", flat=True)
        )

    def test_no_text_of_a_row_shows_a_number_or_a_token(self):
        user = get_user_model().objects.create_user("somebody")
        assert "••• 101" == str(PhoneNumber.objects.create(user=user, number=NUMBER))
        assert Receipt.take("a token of the tests", BEGIN)
        assert "a token" not in str(Receipt.objects.get())

    def test_a_token_is_taken_once(self):
        assert [True, False] == [Receipt.take("a token of the tests", BEGIN) for _ in range(2)]
