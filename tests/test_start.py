"""Start: one live attempt a number, joined by whoever asks again, and what becomes of one that fails."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from passwordless import flow, limits, numbers
from passwordless.backends import PhoneBackend
from passwordless.flow.meeting import MAX_JOINS_RECORDED
from passwordless.flow.sending import reference
from passwordless.models import AttemptEvent, VerificationAttempt
from passwordless.outcomes import Handle, Visitor
from passwordless.states import PUBLIC, EventKind, Public, Purpose, Reason, Status
from tests import support
from tests.support import BEGIN, NUMBER, OTHER, OWNER, STRANGER, asked, attempt, begin, emulator, latest, used


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


@pytest.fixture
def version(request, settings):
    support.configure(settings, VERIFY_VERSION=request.param)
    return request.param


def both(test):
    return pytest.mark.parametrize("version", [1, 2], indirect=True)(test)


def after(seconds):
    return BEGIN + timedelta(seconds=seconds)


def fault(what, where="start", **more):
    emulator().faults.add(what, where, **more)


def ask(number=NUMBER, visitor=OWNER, **more):
    return flow.start(number, visitor, **more)


def user_with(number=NUMBER, **facts):
    user = get_user_model().objects.create_user("somebody", **facts)
    numbers.link(user, number)
    return user


class TestAccepted:
    @both
    def test_a_message_goes_out_and_the_row_tells_of_it(self, version):
        outcome = ask()
        row = attempt(outcome.handle)
        assert (Status.PENDING, Reason.OK, True, Purpose.LOGIN) == (
            outcome.status, outcome.reason, outcome.handle.own, outcome.handle.purpose,
        )  # fmt: skip
        assert [NUMBER] == [message.to for message in emulator().messages()]
        assert (f"v{version}", emulator().messages()[0].request_id) == (row.api, row.request_id)
        assert (Status.PENDING, Reason.OK, 1, 1, NUMBER, "US", OWNER.ip, OWNER.agent) == (
            row.status, row.reason, row.sends, row.handles, row.live_number, row.country, row.ip, row.agent,
        )  # fmt: skip

    @both
    def test_the_lifetime_is_the_whole_life(self, version):
        row = attempt(begin())
        assert (after(300), after(300)) == (row.expires_at, row.open_until)

    @both
    def test_the_shortest_lifetime_is_kept_too(self, version, settings):
        support.configure(settings, ATTEMPT_LIFETIME=60)
        assert after(60) >= attempt(begin()).expires_at

    def test_the_reference_is_ours_and_fits_what_vonage_takes(self):
        mine, other = attempt(begin()), attempt(begin(OTHER))
        assert reference(mine).startswith(f"{mine.key}.")
        assert 40 >= len(reference(mine))
        assert reference(mine).split(".")[1] != reference(other).split(".")[1]

    @pytest.mark.parametrize("purpose", Purpose)
    def test_the_handle_has_the_purpose_it_was_asked_for(self, purpose):
        handle = begin(purpose=purpose)
        assert (purpose, purpose) == (handle.purpose, attempt(handle).purpose)

    def test_two_numbers_do_not_meet(self):
        assert begin(NUMBER).key != begin(OTHER).key
        assert (2,) == asked("start")


class TestJoining:
    @both
    def test_asking_again_sends_nothing_more(self, version):
        mine, joined = begin(), begin(visitor=STRANGER)
        assert (mine.key, False) == (joined.key, joined.own)
        assert (1, 2) == (asked("start")[0], attempt(mine).handles)
        assert 1 == len(emulator().messages(NUMBER))

    def test_the_starter_who_asks_again_stays_the_starter_and_counts_once(self):
        mine = begin()
        again = ask(held=mine)
        assert (mine, 1) == (again.handle, attempt(mine).handles)

    def test_a_guest_who_asks_again_stays_a_guest_and_counts_once(self):
        mine, joined = begin(), begin(visitor=STRANGER)
        again = ask(visitor=STRANGER, held=joined)
        assert (False, 2) == (again.handle.own, attempt(mine).handles)

    def test_a_handle_of_another_attempt_makes_nobody_the_starter(self):
        mine = begin()
        joined = ask(visitor=STRANGER, held=Handle("another key", own=True))
        assert (False, 2) == (joined.handle.own, attempt(mine).handles)

    def test_it_costs_nothing_that_belongs_to_the_number(self):
        begin()
        before = used("sends_per_number", NUMBER), limits.wait(NUMBER, OWNER, BEGIN)
        begin(visitor=STRANGER)
        assert before == (used("sends_per_number", NUMBER), limits.wait(NUMBER, OWNER, BEGIN))
        assert (1, 1) == (used("sends_per_ip", STRANGER.ip), used("sends_per_session", STRANGER.session))

    def test_it_is_limited_by_address(self, settings):
        support.configure(settings, LIMITS={"sends_per_ip": "1/h"})
        mine = begin()
        begin(visitor=STRANGER)
        outcome = ask(visitor=Visitor(ip=STRANGER.ip))
        assert (Status.REFUSED, Reason.LIMIT_IP, None) == (outcome.status, outcome.reason, outcome.handle)
        assert 2 == attempt(mine).handles

    def test_the_purpose_is_that_of_the_browser(self):
        begin(purpose=Purpose.LOGIN)
        joined = ask(visitor=STRANGER, purpose=Purpose.LINK)
        assert Purpose.LINK == joined.handle.purpose
        assert Purpose.LOGIN == attempt(joined.handle).purpose

    def test_who_joined_is_written_down_but_not_without_end(self, settings):
        support.configure(settings, LIMITS={"sends_per_ip": None})
        mine = begin()
        for _ in range(MAX_JOINS_RECORDED + 5):
            begin(visitor=Visitor(ip=STRANGER.ip, agent=STRANGER.agent))
        events = AttemptEvent.objects.filter(kind=EventKind.JOINED)
        assert MAX_JOINS_RECORDED >= events.count() >= MAX_JOINS_RECORDED - 1
        assert {(STRANGER.ip, STRANGER.agent)} == set(events.values_list("ip", "agent"))
        assert MAX_JOINS_RECORDED + 6 == attempt(mine).handles

    def test_one_that_is_being_checked_is_joined_too(self):
        mine = begin()
        attempt(mine).claim(BEGIN, limit=3)
        assert (Status.CHECKING, mine.key) == (
            (outcome := ask(visitor=STRANGER)).status, outcome.handle.key,
        )  # fmt: skip


class TestLostAnswer:
    """The request was sent and nothing came back: a message may be on its way."""

    @both
    def test_the_row_keeps_the_number_and_the_visitor_a_handle_that_opens_nothing_yet(self, version):
        fault("drop_after")
        outcome = ask()
        row = latest()
        assert (Status.STARTING, Reason.UNAVAILABLE, Handle(row.key), Public.UNAVAILABLE) == (
            outcome.status, outcome.reason, outcome.handle, outcome.public,
        )  # fmt: skip
        assert Reason.SENDING == flow.check(outcome.handle, support.code(), OWNER).reason
        assert (Status.STARTING, Reason.UNAVAILABLE, NUMBER, None) == (
            row.status, row.reason, row.live_number, row.request_id,
        )  # fmt: skip
        assert [EventKind.UNANSWERED] == [event.kind for event in row.events.all()]
        assert 1 == used("sends_per_number", NUMBER)

    def test_the_next_start_joins_while_the_answer_may_still_come(self):
        fault("drop_after")
        ask()
        outcome = ask(visitor=STRANGER)
        assert (Status.STARTING, Reason.SENDING, latest().key) == (
            outcome.status, outcome.reason, outcome.handle.key,
        )  # fmt: skip
        assert (1,) == asked("start")

    def test_a_code_typed_meanwhile_costs_nothing(self):
        fault("drop_after")
        ask()
        joined = begin()
        assert Reason.SENDING == flow.check(joined, support.code(), OWNER).reason
        assert (0, 0) == (attempt(joined).guesses, asked("check")[0])

    @both
    def test_after_the_cool_down_the_open_request_is_taken_over(self, version, clock):
        fault("drop_after")
        ask()
        clock.shift(31)
        outcome = ask()
        row = latest()
        assert (Status.PENDING, True) == (outcome.status, outcome.handle.own)
        assert (emulator().messages(NUMBER)[0].request_id, 2, 1) == (
            row.request_id, asked("start")[0], VerificationAttempt.objects.count(),
        )  # fmt: skip
        assert [EventKind.UNANSWERED, EventKind.RECOVERED] == support.written(outcome.handle)
        assert flow.check(outcome.handle, support.code(), OWNER).verified

    def test_where_nothing_had_arrived_the_second_request_sends_the_first_message(self, clock):
        fault("hang")
        ask()
        clock.shift(31)
        assert Status.PENDING == ask().status
        assert ([EventKind.UNANSWERED], 1) == (
            support.written(Handle(latest().key)), len(emulator().messages(NUMBER)),
        )  # fmt: skip

    def test_the_second_request_waits_for_the_cool_down(self, clock):
        fault("drop_after")
        ask()
        clock.shift(20)
        outcome = ask()
        assert (Reason.WAIT, after(30), 1) == (outcome.reason, outcome.retry_at, asked("start")[0])
        clock.shift(11)
        assert Status.PENDING == ask().status

    def test_a_second_loss_waits_for_a_third_request(self, clock):
        fault("drop_after", times=2)
        ask()
        clock.shift(31)
        assert Reason.UNAVAILABLE == ask().reason
        clock.shift(61)
        assert Status.PENDING == ask().status

    def test_a_second_request_that_never_left_keeps_the_first_one(self, clock):
        """The lost one may be open at Vonage: what is live here is live there."""
        fault("drop_after")
        ask()
        clock.shift(31)
        fault("drop_before")
        assert Reason.UNAVAILABLE == ask().reason
        assert (Status.STARTING, NUMBER) == (latest().status, latest().live_number)

    def test_a_second_request_that_is_turned_away_keeps_the_first_one(self, clock):
        fault("drop_after")
        ask()
        clock.shift(31)
        fault("status", status=429)
        assert Reason.THROTTLED == ask().reason
        assert NUMBER == latest().live_number

    def test_a_second_loss_holds_the_number_as_long_as_vonage_may(self, clock):
        fault("hang")
        fault("drop_after")
        ask()
        clock.shift(290)
        ask()
        assert after(290 + 300) <= latest().open_until

    def test_it_expires_when_nobody_asks_again(self, clock):
        fault("drop_after")
        ask()
        clock.shift(300)
        outcome = ask()
        assert (Status.REFUSED, Reason.CONCURRENT, after(318)) == (
            outcome.status, outcome.reason, outcome.retry_at,
        )  # fmt: skip
        assert (Status.EXPIRED, NUMBER) == (latest().status, latest().live_number)

    def test_a_request_that_a_row_of_ours_has_is_not_taken_over(self, clock):
        fault("drop_after")
        ask()
        support.make(number=OTHER, request_id=emulator().messages(NUMBER)[0].request_id)
        clock.shift(31)
        outcome = ask()
        assert (Status.STARTING, Reason.CONCURRENT) == (outcome.status, outcome.reason)
        assert (Status.STARTING, None) == (latest().status, latest().request_id)
        assert Reason.SENDING == flow.check(outcome.handle, support.code(), OWNER).reason

    @both
    def test_a_stranger_request_at_vonage_is_never_taken_over(self, version):
        """Number 06 plays it: somebody else has a request open, and the answer names its id."""
        outcome = ask("+12125550106")
        assert (Status.REFUSED, Reason.CONCURRENT, None, after(300)) == (
            outcome.status, outcome.reason, outcome.handle, outcome.retry_at,
        )  # fmt: skip
        assert (None, None) == (latest("+12125550106").request_id, latest("+12125550106").live_number)

    def test_a_worker_that_died_before_the_answer_is_survived(self, clock):
        support.make(status=Status.STARTING, claimed_at=BEGIN, live_number=NUMBER, sends=0, sent_at=None)
        assert Reason.SENDING == ask().reason
        clock.shift(18)
        assert Status.PENDING == ask().status
        assert (1, 1) == (asked("start")[0], VerificationAttempt.objects.count())

    def test_only_one_of_two_asks_again(self, clock):
        fault("hang", times=2)
        ask()
        clock.shift(31)
        ask()
        outcome = ask(visitor=STRANGER)
        assert (Reason.SENDING, 2) == (outcome.reason, asked("start")[0])


V1_STATUSES = {
    1: Reason.THROTTLED, 2: Reason.INVALID_REQUEST, 3: Reason.INVALID_REQUEST, 4: Reason.CREDENTIALS,
    5: Reason.PROVIDER_ERROR, 6: Reason.UNROUTABLE, 7: Reason.BLOCKED, 8: Reason.FORBIDDEN,
    9: Reason.NO_CREDIT, 10: Reason.CONCURRENT, 15: Reason.UNSUPPORTED_NETWORK, 20: Reason.FORBIDDEN,
    29: Reason.NOT_PERMITTED, 99: Reason.PROVIDER_ERROR,
}  # fmt: skip
V2_STATUSES = {
    401: Reason.CREDENTIALS, 402: Reason.NO_CREDIT, 403: Reason.FORBIDDEN, 409: Reason.CONCURRENT,
    422: Reason.INVALID_REQUEST, 429: Reason.THROTTLED, 500: Reason.PROVIDER_ERROR,
    503: Reason.PROVIDER_ERROR,
}  # fmt: skip
TURNED_DOWN = [(1, *pair) for pair in V1_STATUSES.items()] + [(2, *pair) for pair in V2_STATUSES.items()]


class TestTurnedDown:
    @pytest.mark.parametrize(("version", "status", "reason"), TURNED_DOWN, indirect=["version"])
    def test_the_row_ends_with_the_reason_and_the_number_is_free(self, version, status, reason):
        fault("status", status=status)
        outcome = ask()
        row = latest()
        assert (Status.REFUSED, reason, None) == (outcome.status, outcome.reason, outcome.handle)
        assert (Status.REFUSED, reason, None, BEGIN) == (
            row.status, row.reason, row.live_number, row.ended_at,
        )  # fmt: skip
        assert f"v{version} {status}" == row.vendor
        assert [EventKind.REFUSED] == support.written(Handle(row.key))

    @both
    def test_what_belongs_to_the_number_is_given_back(self, version):
        fault("status", status=500)
        ask()
        assert (0, 0) == (used("sends_per_number", NUMBER), used("calls_per_number", NUMBER))
        assert 1 == used("sends_per_ip", OWNER.ip)

    @both
    def test_it_can_be_asked_again_after_the_cool_down(self, version, clock):
        fault("status", status=500)
        ask()
        assert Reason.WAIT == ask().reason
        clock.shift(30)
        assert Status.PENDING == ask().status

    @both
    def test_nothing_that_left_is_no_loss(self, version):
        fault("drop_before")
        outcome = ask()
        assert (Status.REFUSED, Reason.UNAVAILABLE) == (outcome.status, outcome.reason)
        assert (Status.REFUSED, None, 0) == (
            latest().status, latest().live_number, used("sends_per_number", NUMBER),
        )  # fmt: skip

    def test_the_wait_that_vonage_names_is_told(self):
        outcome = ask("+12125550104")
        assert (Reason.THROTTLED, Public.UNAVAILABLE) == (outcome.reason, outcome.public)
        assert BEGIN < outcome.retry_at <= after(300)

    @pytest.mark.parametrize("status", [401, 402, 403, 422])
    def test_what_only_the_owner_can_mend_is_an_error_in_the_log(self, status, caplog):
        fault("status", status=status)
        ask()
        assert ["ERROR"] == [record.levelname for record in caplog.records if record.name == "passwordless"]
        assert NUMBER[1:] not in caplog.text

    @both
    def test_a_network_that_is_not_served_refuses_the_number(self, version):
        assert Public.NUMBER_REFUSED == ask("+12125550107").public


class TestHeldNumbers:
    """An ended attempt may still be open at Vonage, which allows one request a number."""

    def test_the_number_is_busy_until_the_request_is_over_there(self, clock):
        support.make(status=Status.FAILED, reason=Reason.TOO_MANY_GUESSES, live_number=NUMBER)
        outcome = ask()
        assert (Status.REFUSED, Reason.CONCURRENT, after(300)) == (
            outcome.status, outcome.reason, outcome.retry_at,
        )  # fmt: skip
        assert (0,) == asked("start")
        clock.shift(300)
        assert Status.PENDING == ask().status

    def test_a_closed_one_is_replaced_at_once(self):
        support.make(status=Status.FAILED, reason=Reason.TOO_MANY_GUESSES, live_number=None)
        assert Status.PENDING == ask().status

    def test_an_overdue_one_is_expired_by_whoever_meets_it(self, clock):
        first = begin()
        clock.shift(299)
        assert first.key == ask(held=first).handle.key
        clock.shift(1)
        second = ask()
        row = attempt(first)
        assert (Status.EXPIRED, Reason.EXPIRED, after(300), None) == (
            row.status, row.reason, row.ended_at, row.live_number,
        )  # fmt: skip
        assert (Status.PENDING, True) == (second.status, second.handle.key != first.key)

    def test_an_overdue_check_is_expired_too(self, clock):
        first = begin()
        attempt(first).claim(BEGIN, limit=3)
        clock.shift(301)
        assert Status.PENDING == ask().status
        assert Status.EXPIRED == attempt(first).status

    def test_rows_of_other_numbers_are_left_alone(self, clock):
        other = begin(OTHER)
        clock.shift(301)
        begin()
        assert Status.PENDING == attempt(other).status


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("sends_per_number", Reason.LIMIT_NUMBER),
            ("sends_per_ip", Reason.LIMIT_IP),
            ("sends_per_session", Reason.LIMIT_SESSION),
        ],
    )
    def test_each_limit_of_sends_holds(self, name, reason, settings, clock):
        support.configure(settings, LIMITS={name: "2/h"})
        for _ in range(2):
            flow.cancel(begin(), OWNER)
            clock.shift(301)
        outcome = ask()
        assert (Status.REFUSED, reason, after(3600), None) == (
            outcome.status, outcome.reason, outcome.retry_at, outcome.handle,
        )  # fmt: skip
        assert (2,) == asked("start")
        clock.shift(3600 - 602)
        assert Status.PENDING == ask().status

    def test_refusals_of_one_window_share_a_row_and_are_counted(self, settings):
        support.configure(settings, LIMITS={"sends_per_ip": "1/h"})
        begin()
        for _ in range(4):
            ask(OTHER)
        row = VerificationAttempt.objects.get(status=Status.REFUSED)
        assert (Reason.LIMIT_IP, 4, None, None, OWNER.ip, BEGIN) == (
            row.reason, row.repeats, row.live_number, row.request_id, row.ip, row.ended_at,
        )  # fmt: skip

    def test_the_next_window_has_a_row_of_its_own(self, settings, clock):
        support.configure(settings, LIMITS={"sends_per_ip": "1/h"})
        for _ in range(2):
            begin()
            ask(OTHER)
            clock.shift(3601)
        assert [1, 1] == list(
            VerificationAttempt.objects.filter(status="refused").values_list("repeats", flat=True)
        )

    def test_two_limits_have_a_row_each(self, settings):
        support.configure(settings, LIMITS={"sends_per_ip": "1/h", "sends_per_session": "1/h"})
        begin()
        ask(OTHER, Visitor(ip=OWNER.ip, session="fresh"))
        ask(OTHER, Visitor(ip="198.51.100.77", session=OWNER.session))
        refused = VerificationAttempt.objects.filter(status=Status.REFUSED)
        assert {Reason.LIMIT_IP, Reason.LIMIT_SESSION} == set(refused.values_list("reason", flat=True))

    def test_a_refused_request_spends_nothing(self, settings):
        support.configure(settings, LIMITS={"sends_per_session": "1/h"})
        begin()
        before = support.counters()
        assert Reason.LIMIT_SESSION == ask(OTHER).reason
        assert before == support.counters()
        assert not VerificationAttempt.objects.filter(live_number=OTHER).exists()

    @pytest.mark.parametrize("name", limits.DEFAULTS)
    def test_none_switches_a_limit_off(self, name, settings, clock):
        support.configure(settings, LIMITS=dict.fromkeys(limits.DEFAULTS) | {name: None})
        for _ in range(7):
            flow.cancel(begin(), OWNER)
            clock.shift(301)
        assert (7,) == asked("start")

    def test_all_limits_look_the_same(self):
        assert {Public.WAIT} == {PUBLIC[reason] for reason in limits.REASONS.values()}


class TestCalls:
    """Vonage dials by itself, so a planned call is paid at the start."""

    @both
    def test_the_third_attempt_of_a_day_comes_without_a_call(self, version, clock):
        plans = []
        for _ in range(3):
            plans.append(attempt(handle := begin()).channels)
            clock.shift(301)
        assert ["sms,voice", "sms,voice", "sms"] == plans
        assert {"sms"} == {
            message.channel for message in emulator().messages() if message.sent_at > after(600)
        }
        assert 2 == used("calls_per_number", NUMBER)
        assert handle.own

    @both
    def test_a_code_that_came_by_text_gives_the_call_back(self, version):
        assert flow.check(begin(), support.code(), OWNER).verified
        assert 0 == used("calls_per_number", NUMBER)

    @both
    def test_a_call_that_was_made_stays_paid(self, version, clock):
        handle = begin()
        clock.shift(200)
        assert "voice" == emulator().messages(NUMBER)[-1].channel
        assert flow.check(handle, support.code(), OWNER).verified
        assert 1 == used("calls_per_number", NUMBER)

    def test_a_site_that_only_calls_refuses_when_the_calls_are_spent(self, settings, clock):
        support.configure(settings, CHANNELS=["voice"], LIMITS={"calls_per_number": "1/d"})
        flow.cancel(begin(), OWNER)
        clock.shift(301)
        assert (Reason.LIMIT_CALLS, None) == ((outcome := ask()).reason, outcome.handle)

    def test_a_site_without_calls_pays_none(self, settings):
        support.configure(settings, CHANNELS=["sms"])
        begin()
        assert 0 == used("calls_per_number", NUMBER)


def inactive():
    user_with(is_active=False)


def staff():
    user_with(is_staff=True)


def superuser():
    user_with(is_superuser=True)


@pytest.fixture(params=["unknown", inactive, staff, superuser], ids=lambda who: getattr(who, "__name__", who))
def shut_out(request, settings):
    """Makes NUMBER belong to somebody who may not log in, and OK to somebody who may."""
    numbers.link(get_user_model().objects.create_user("known"), OTHER)
    if request.param == "unknown":
        support.configure(settings, SIGNUP=False)
    else:
        request.param()
    return request.param


def seen(outcome):
    """Return all that a visitor can tell of an outcome."""
    return outcome.status, outcome.public, outcome.retry_at, outcome.handle and outcome.handle.own


@pytest.mark.usefixtures("shut_out")
class TestDecoys:
    def test_nothing_is_sent_and_it_cannot_be_told(self):
        assert seen(ask(OTHER)) == seen(ask(NUMBER))
        assert ([], 1) == (emulator().messages(NUMBER), asked("start")[0])

    def test_the_audit_knows_why(self):
        row = attempt(begin())
        assert row.decoy
        assert row.reason in (Reason.UNKNOWN_NUMBER, Reason.INACTIVE_USER, Reason.STAFF_USER)

    def test_it_lives_as_long_and_shows_the_same_steps(self):
        real, decoy = attempt(begin(OTHER)), attempt(begin(NUMBER))
        assert (real.expires_at, real.open_until, real.channels) == (
            decoy.expires_at, decoy.open_until, decoy.channels,
        )  # fmt: skip
        assert flow.next_step(real, OWNER, BEGIN) == flow.next_step(decoy, OWNER, BEGIN)

    @both
    def test_the_shortest_life_is_as_long_too(self, version, settings):
        support.configure(settings, ATTEMPT_LIFETIME=60)
        real, decoy = attempt(begin(OTHER)), attempt(begin(NUMBER))
        assert (real.expires_at, real.open_until) == (decoy.expires_at, decoy.open_until)

    def test_no_code_is_right_and_guesses_end_alike(self):
        real, decoy = begin(OTHER), begin(NUMBER)
        told = [
            [(seen(o), o.guesses_left) for o in (support.guess_wrong(handle, number=OTHER) for _ in range(4))]
            for handle in (real, decoy)
        ]
        assert told[0] == told[1]

    def test_after_the_last_guess_a_new_code_is_had_alike(self, clock):
        for handle in (begin(OTHER), begin(NUMBER)):
            support.guess_wrong(handle, times=3, number=OTHER)
        clock.shift(31)
        assert seen(ask(OTHER)) == seen(ask(NUMBER))

    def test_advance_answers_alike(self, clock):
        real, decoy = begin(OTHER), begin(NUMBER)
        for seconds in (0, 61, 61, 200):
            clock.shift(seconds)
            assert seen(flow.advance(real, OWNER)) == seen(flow.advance(decoy, STRANGER))
        assert [] == emulator().messages(NUMBER)

    @both
    @pytest.mark.parametrize("seconds", [0, 31, 200])
    def test_after_a_cancel_a_new_start_is_answered_alike(self, version, seconds, clock):
        real, decoy = begin(OTHER), begin(NUMBER)
        clock.shift(seconds)
        assert seen(flow.cancel(real, OWNER)) == seen(flow.cancel(decoy, OWNER))
        assert seen(ask(OTHER)) == seen(ask(NUMBER))

    def test_joining_one_is_no_different(self):
        begin(OTHER)
        begin(NUMBER)
        assert seen(ask(OTHER, STRANGER)) == seen(ask(NUMBER, STRANGER))

    def test_it_is_limited_and_expires_alike(self, settings, clock):
        for number in (OTHER, NUMBER):
            handle = begin(number)
            clock.shift(301)
            assert Public.EXPIRED == flow.check(handle, "123456", OWNER).public
            assert Reason.OK == ask(number).reason
            assert 2 == used("sends_per_number", number)


class TestPeople:
    def test_staff_may_where_the_site_says_so(self, settings):
        support.configure(settings, ALLOW_STAFF=True)
        staff()
        begin()
        assert 1 == len(emulator().messages(NUMBER))

    def test_other_purposes_ask_for_no_user(self, settings):
        support.configure(settings, SIGNUP=False)
        begin(purpose=Purpose.LINK)
        assert 1 == len(emulator().messages(NUMBER))


class Crowded(PhoneBackend):
    """A site where an older attempt always turns up between the look and the leap."""

    def find_user(self, number):
        VerificationAttempt.objects.update(live_number=None)
        support.make(status=Status.EXPIRED, live_number=number, lifetime=-1)


class TestUnexpected:
    def test_a_row_that_can_never_be_written_ends_as_busy_and_not_as_an_error(self, settings):
        settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Crowded"]
        outcome = ask()
        assert (Status.REFUSED, Reason.BUSY, 0) == (outcome.status, outcome.reason, asked("start")[0])
        assert 0 == used("sends_per_number", NUMBER)

    def test_the_statements_of_a_start_do_not_grow(self, settings):
        support.configure(settings, LIMITS={"sends_per_ip": None, "sends_per_session": None})
        counts = []
        for index in range(10):
            with CaptureQueriesContext(connection) as caught:
                begin(f"+141555501{index:02d}")
            counts.append(len(caught))
        assert {counts[0]} == set(counts)


class TestOvertaken:
    """Somebody moves the row between the answer of Vonage and the statement that writes it down."""

    def gone(self):
        flow.erase(NUMBER)

    def test_an_attempt_that_ended_while_it_was_being_sent_gives_nobody_a_handle(self):
        with support.Intruder(self.gone, value="pending"):
            outcome = ask()
        assert (Status.EXPIRED, Reason.EXPIRED, None) == (outcome.status, outcome.reason, outcome.handle)
        assert Status.EXPIRED == VerificationAttempt.objects.get().status

    def test_what_another_ended_is_given_back_by_nobody_twice(self):
        fault("status", status=500)
        with support.Intruder(self.gone, value="refused"):
            assert Reason.PROVIDER_ERROR == ask().reason
        assert (Status.EXPIRED, 1) == (
            VerificationAttempt.objects.get().status, used("sends_per_number", NUMBER),
        )  # fmt: skip

    def test_of_two_who_would_ask_again_the_slower_joins(self, clock):
        fault("drop_after")
        ask()
        clock.shift(31)

        def faster():
            VerificationAttempt.objects.filter(live_number=NUMBER).update(claimed_at=after(31))

        with support.Intruder(faster, "claimed_at"):
            outcome = ask(visitor=STRANGER)
        assert (Reason.SENDING, (1,)) == (outcome.reason, asked("start"))


class TestSecrecy:
    """Where sign-up is closed, a failure of Vonage must not tell that a number is known."""

    @pytest.fixture(autouse=True)
    def closed(self, settings):
        support.configure(settings, SIGNUP=False)
        user_with()

    @both
    @pytest.mark.parametrize("what", ["status", "drop_before", "drop_after", "html"])
    def test_what_fails_goes_on_as_a_decoy_and_staff_are_told(self, what, version):
        fault(what, status=(5 if version == 1 else 500) if what == "status" else None)
        outcome = ask()
        row = attempt(outcome.handle)
        assert seen(outcome) == seen(ask(OTHER))
        assert (True, Status.PENDING) == (row.decoy, row.status)
        event = row.events.get()
        expected = Reason.PROVIDER_ERROR if what == "status" else Reason.UNAVAILABLE
        assert (EventKind.HIDDEN, expected, expected) == (event.kind, event.reason, row.reason)

    def test_no_code_is_right_for_it(self):
        fault("drop_after")
        handle = begin()
        assert Reason.WRONG_CODE == flow.check(handle, support.code(), OWNER).reason

    @both
    def test_a_new_code_that_fails_looks_sent(self, version, clock):
        handle = begin()
        clock.shift(61)
        fault("status", "advance", status=5 if version == 1 else 500)
        outcome = flow.advance(handle, OWNER)
        row = attempt(handle)
        assert (Status.PENDING, Reason.OK, handle) == (outcome.status, outcome.reason, outcome.handle)
        assert (1, 1) == (row.step, row.sends)
        event = row.events.get()
        assert (EventKind.HIDDEN, Reason.PROVIDER_ERROR) == (event.kind, event.reason)

    def test_other_purposes_are_told(self):
        fault("status", status=500)
        assert Reason.PROVIDER_ERROR == ask(purpose=Purpose.LINK).reason

    def test_with_sign_up_everybody_is_told(self, settings):
        support.configure(settings, SIGNUP=True)
        fault("status", status=500)
        assert Public.UNAVAILABLE == ask().public


class TestPumping:
    def test_a_block_from_which_no_code_came_back_is_closed(self, settings, clock):
        support.configure(settings, PUMPING_GUARD="enforce", LIMITS={"sends_per_ip": None})
        for index in range(10):
            begin(f"+1415555031{index}", Visitor(ip=OWNER.ip))
        clock.shift(301)
        outcome = ask("+14155550320")
        assert (Reason.BLOCK_CLOSED, None, (10,)) == (outcome.reason, outcome.handle, asked("start"))
        assert Reason.OK == ask("+14155660101").reason


class TestWaits:
    def test_a_site_without_waits_sends_at_once(self, settings):
        support.configure(settings, RESEND_WAITS=[])
        for _ in range(2):
            assert flow.check(begin(), support.code(), OWNER).verified
        assert ((2,), None) == (asked("start"), limits.wait(NUMBER, OWNER, BEGIN))


def test_an_id_that_another_row_has_is_a_lost_answer_and_no_crash(settings):
    """The fault gives every request the same id, so that the second meets the first."""
    support.configure(settings, LIMITS={"sends_per_ip": None})
    emulator().faults.add("other_request_id", "start", times=2)
    assert Reason.OK is flow.start(OTHER, OWNER).reason
    outcome = flow.start(NUMBER, OWNER)
    assert (Status.STARTING, Reason.UNAVAILABLE) == (outcome.status, outcome.reason)
    assert Status.STARTING == latest(NUMBER).status


class TestLandline:
    LANDLINE = "+442079460000"

    def test_is_called_and_never_texted(self, settings):
        support.configure(settings, NUMBER_TYPES=["mobile", "fixed_line"])
        assert ["voice"] == latest_of(flow.start(self.LANDLINE, OWNER, first="voice")).plan

    def test_gets_nothing_once_its_calls_are_spent(self, settings):
        support.configure(settings, NUMBER_TYPES=["mobile", "fixed_line"], LIMITS={"calls_per_number": "0/d"})
        outcome = flow.start(self.LANDLINE, OWNER, first="voice")
        assert (None, Reason.LIMIT_CALLS) == (outcome.handle, outcome.reason)


def latest_of(outcome):
    return VerificationAttempt.objects.get(key=outcome.handle.key)
