"""Check: each guess is paid before the provider is asked, and one right code lets one visitor in, once."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db.models import F

from passwordless import conf, flow, limits, numbers
from passwordless.backends import PhoneBackend
from passwordless.models import PhoneNumber, VerificationAttempt
from passwordless.models.events import MAX_REPEATED
from passwordless.outcomes import Handle, Visitor
from passwordless.signals import attempt_moved
from passwordless.states import EventKind, Public, Purpose, Reason, Status
from tests import support
from tests.support import BEGIN, NUMBER, OTHER, OWNER, STRANGER, asked, attempt, begin, code, emulator, used


class Overtaking(PhoneBackend):
    """A site where another check takes the attempt over while the user of a right code is looked for."""

    def find_user(self, number):
        VerificationAttempt.objects.filter(number=number).update(guesses=F("guesses") + 1)


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


def check(handle, text=None, visitor=OWNER):
    return flow.check(handle, code() if text is None else text, visitor)


def claim(handle, now=BEGIN):
    row = attempt(handle)
    assert row.claim(now, limit=3)
    return row


class TestRightCode:
    @both
    def test_it_verifies_and_says_whom(self, version):
        handle = begin()
        outcome = check(handle)
        row = attempt(handle)
        assert (True, User.objects.get(), Status.VERIFIED) == (outcome.verified, outcome.user, outcome.status)
        assert (Status.VERIFIED, Reason.OK, None, BEGIN, outcome.user) == (
            row.status, row.reason, row.live_number, row.ended_at, row.user,
        )  # fmt: skip
        assert [EventKind.VERIFIED] == support.written(handle)

    @both
    def test_it_is_no_failure(self, version):
        handle = begin()
        support.guess_wrong(handle)
        check(handle)
        assert (1, 1) == (used("fails_per_number", NUMBER), used("fails_per_ip", OWNER.ip))

    def test_the_price_is_kept_where_it_is_told(self, settings):
        support.configure(settings, VERIFY_VERSION=1)
        check(handle := begin())
        assert attempt(handle).price > 0
        assert "EUR" == attempt(handle).currency

    def test_the_number_is_free_at_once(self, clock):
        first = begin()
        check(first)
        clock.shift(31)
        assert first.key != begin().key

    @both
    def test_a_used_code_is_refused_and_vonage_is_not_asked(self, version):
        handle = begin()
        right = code()
        check(handle, right)
        outcome = check(handle, right, STRANGER)
        assert (Status.VERIFIED, Reason.REUSED, False, None) == (
            outcome.status, outcome.reason, outcome.verified, outcome.user,
        )  # fmt: skip
        assert (1,) == asked("check")
        replayed = attempt(handle).events.get(kind=EventKind.REPLAYED)
        assert (STRANGER.ip, Reason.REUSED) == (replayed.ip, replayed.reason)

    def test_replays_are_written_down_but_not_without_end(self):
        handle = begin()
        check(handle)
        for _ in range(MAX_REPEATED + 3):
            check(handle, "123456")
        assert MAX_REPEATED == support.written(handle).count(EventKind.REPLAYED)

    def test_a_code_of_another_number_is_wrong(self):
        mine, other = begin(NUMBER), begin(OTHER)
        theirs = code(OTHER)
        if theirs == code(NUMBER):
            theirs = support.wrong(NUMBER)
        assert Reason.WRONG_CODE == check(mine, theirs).reason
        assert (1, 0) == (attempt(mine).guesses, attempt(other).guesses)

    def test_the_winner_takes_the_place_of_the_starter_in_the_audit(self):
        handle = begin(purpose=Purpose.LINK)
        joined = begin(visitor=STRANGER)
        assert check(joined, visitor=STRANGER).verified
        row = attempt(handle)
        assert (STRANGER.ip, STRANGER.agent, Purpose.LOGIN) == (row.ip, row.agent, row.purpose)
        asked_for = row.events.get(kind=EventKind.ASKED)
        assert (OWNER.ip, OWNER.agent, Purpose.LINK, BEGIN) == (
            asked_for.ip, asked_for.agent, asked_for.purpose, asked_for.at,
        )  # fmt: skip

    def test_who_only_watches_gains_nothing(self):
        mine, joined = begin(), begin(visitor=STRANGER)
        right = code()
        assert check(joined, right, STRANGER).verified
        assert not check(mine, right).verified

    @pytest.mark.parametrize("purpose", [Purpose.CONFIRM, Purpose.LINK])
    def test_other_purposes_serve_and_make_nobody(self, purpose):
        outcome = check(begin(purpose=purpose))
        assert (True, None, 0) == (outcome.verified, outcome.user, User.objects.count())

    def test_the_reason_of_an_attempt_reaches_receivers_after_each_move(
        self, django_capture_on_commit_callbacks
    ):
        told = []

        def receiver(status, reason, attempt, **kwargs):
            told.append((status, reason, attempt.guesses))

        attempt_moved.connect(receiver)
        try:
            handle = begin()
            with django_capture_on_commit_callbacks(execute=True):
                emulator().faults.add("drop_before", "check")
                check(handle)
                support.guess_wrong(handle)
                check(handle)
        finally:
            attempt_moved.disconnect(receiver)
        moves = [(status, reason) for status, reason, _ in told]
        assert [
            (Status.PENDING, Reason.OK), (Status.PENDING, Reason.OK), (Status.VERIFIED, Reason.OK),
        ] == moves  # fmt: skip
        assert {int} == {type(guesses) for _, _, guesses in told}


class TestWrongCode:
    @both
    def test_three_and_the_attempt_is_dead_even_for_the_right_code(self, version):
        handle = begin()
        right = code()
        told = [support.guess_wrong(handle) for _ in range(3)]
        assert [(Reason.WRONG_CODE, 2), (Reason.WRONG_CODE, 1), (Reason.TOO_MANY_GUESSES, None)] == [
            (outcome.reason, outcome.guesses_left) for outcome in told
        ]
        outcome = check(handle, right)
        assert (Status.FAILED, Reason.TOO_MANY_GUESSES) == (outcome.status, outcome.reason)
        row = attempt(handle)
        assert (3, 3, None, BEGIN) == (asked("check")[0], row.guesses, row.live_number, row.ended_at)
        assert [EventKind.GUESSED] * 3 == support.written(handle)

    @both
    def test_two_and_the_right_one_still_counts(self, version):
        handle = begin()
        support.guess_wrong(handle, times=2)
        assert check(handle).verified

    def test_each_is_a_failure_of_the_number_and_of_the_address(self):
        support.guess_wrong(begin(), times=2)
        assert (2, 2) == (used("fails_per_number", NUMBER), used("fails_per_ip", OWNER.ip))

    def test_a_stricter_site_ends_earlier_and_holds_the_number(self, settings):
        support.configure(settings, MAX_GUESSES=2)
        handle = begin()
        assert Reason.TOO_MANY_GUESSES == support.guess_wrong(handle, times=2).reason
        row = attempt(handle)
        assert (Status.FAILED, NUMBER, 2) == (row.status, row.live_number, asked("check")[0])
        busy = flow.start(NUMBER, STRANGER)
        assert (Reason.CONCURRENT, row.open_until) == (busy.reason, busy.retry_at)

    def test_a_stricter_site_is_told_so_when_the_setting_changes_midway(self, settings):
        handle = begin()
        support.guess_wrong(handle, times=2)
        support.configure(settings, MAX_GUESSES=2)
        assert (Status.FAILED, Reason.TOO_MANY_GUESSES) == (
            (outcome := check(handle)).status, outcome.reason,
        )  # fmt: skip
        assert 2 == asked("check")[0]

    @pytest.mark.parametrize("where", ["check", "start"])
    def test_no_code_and_no_number_is_logged(self, where, caplog):
        caplog.set_level("DEBUG")
        emulator().faults.add("status", where, status=403)
        outcome = flow.start(NUMBER, OWNER)
        if outcome.handle:
            check(outcome.handle, "314159")
        assert caplog.records
        for secret in (NUMBER, NUMBER[1:], "314159"):
            assert secret not in caplog.text


class TestFailsLimit:
    def test_guesses_spread_over_attempts_are_counted_together(self, settings, clock):
        support.configure(settings, LIMITS={"fails_per_number": "4/h"})
        support.guess_wrong(begin(), times=3)
        clock.shift(60)
        handle = begin(visitor=STRANGER)
        support.guess_wrong(handle, visitor=STRANGER)
        outcome = check(handle, visitor=STRANGER)
        assert (Status.REFUSED, Reason.LIMIT_FAILS, after(3600), Public.WAIT) == (
            outcome.status, outcome.reason, outcome.retry_at, outcome.public,
        )  # fmt: skip
        assert (4, 1, Status.PENDING) == (
            asked("check")[0], attempt(handle).guesses, attempt(handle).status,
        )  # fmt: skip

    def test_the_address_has_a_limit_of_its_own(self, settings):
        support.configure(settings, LIMITS={"fails_per_ip": "2/10min"})
        support.guess_wrong(begin(), times=2)
        other = begin(OTHER)
        outcome = check(other, code(OTHER))
        assert (Reason.LIMIT_FAILS_IP, after(600), 2) == (outcome.reason, outcome.retry_at, asked("check")[0])
        assert check(other, code(OTHER), STRANGER).verified

    def test_the_window_ends(self, settings, clock):
        support.configure(settings, LIMITS={"fails_per_number": "1/min"})
        handle = begin()
        support.guess_wrong(handle)
        assert Reason.LIMIT_FAILS == check(handle).reason
        clock.shift(60)
        assert check(handle).verified

    def test_a_refused_check_spends_nothing(self, settings):
        support.configure(settings, LIMITS={"fails_per_number": "1/h"})
        handle = begin()
        support.guess_wrong(handle)
        before = support.counters()
        assert Reason.LIMIT_FAILS == check(handle).reason
        assert (before, 1) == (support.counters(), attempt(handle).guesses)

    @pytest.mark.parametrize("name", ["fails_per_number", "fails_per_ip"])
    def test_none_switches_it_off(self, name, settings, clock):
        support.configure(settings, LIMITS={"fails_per_number": "3/h", "fails_per_ip": "3/h", name: None})
        handle = begin()
        visitors = [STRANGER if name == "fails_per_ip" else Visitor(ip=f"203.0.113.{n}") for n in range(3)]
        for visitor in visitors:
            support.guess_wrong(handle, visitor=visitor)
        assert 3 == asked("check")[0]


class TestGuests:
    """Handles that only joined leave the last guess to whoever asked first."""

    def test_strangers_spend_two_together_and_the_starter_has_one(self):
        mine = begin()
        guests = [begin(visitor=STRANGER), begin(visitor=Visitor(ip="203.0.113.5"))]
        for guest in guests:
            assert Reason.WRONG_CODE == support.guess_wrong(guest, visitor=STRANGER).reason
        refused = check(guests[0], visitor=STRANGER)
        assert (Status.PENDING, Reason.RESERVED_GUESS, Public.EXPIRED) == (
            refused.status, refused.reason, refused.public,
        )  # fmt: skip
        assert (2, 2) == (asked("check")[0], attempt(mine).guesses)
        assert check(mine).verified

    def test_a_refused_stranger_pays_nothing(self):
        begin()
        guest = begin(visitor=STRANGER)
        support.guess_wrong(guest, times=2, visitor=STRANGER)
        before = support.counters()
        check(guest, visitor=STRANGER)
        assert before == support.counters()

    def test_a_slip_of_the_starter_does_not_open_the_last_guess_to_strangers(self):
        mine, guest = begin(), begin(visitor=STRANGER)
        support.guess_wrong(mine)
        support.guess_wrong(guest, visitor=STRANGER)
        assert Reason.RESERVED_GUESS == check(guest, visitor=STRANGER).reason
        assert check(mine).verified

    def test_a_guest_with_the_code_gets_in(self):
        begin()
        assert check(begin(visitor=STRANGER), visitor=STRANGER).verified

    def test_two_slips_of_the_starter_leave_the_third(self):
        mine = begin()
        begin(visitor=STRANGER)
        support.guess_wrong(mine, times=2)
        assert check(mine).verified


class TestOneAtATime:
    def test_while_a_check_runs_the_next_is_told_so_and_pays_nothing(self):
        handle = begin()
        claim(handle)
        outcome = check(handle)
        assert (Status.CHECKING, Reason.BUSY, Public.BUSY) == (outcome.status, outcome.reason, outcome.public)
        assert (1, 0, 0) == (attempt(handle).guesses, asked("check")[0], used("fails_per_number", NUMBER))

    @pytest.mark.parametrize(("seconds", "verified"), [(15, False), (16, True)])
    def test_a_checker_that_died_is_overtaken(self, seconds, verified, clock):
        handle = begin()
        claim(handle)
        clock.shift(seconds)
        assert verified is check(handle).verified
        assert 1 + verified == attempt(handle).guesses

    def test_the_verdict_of_an_overtaken_checker_is_void(self, clock):
        handle = begin()
        late = claim(handle)
        clock.shift(16)
        support.guess_wrong(handle)
        assert not late.move(Status.VERIFIED, Reason.OK, now=after(17), guess=1)
        assert Status.PENDING == attempt(handle).status

    def test_a_dead_checker_with_the_last_guess_leaves_none(self, clock):
        handle = begin()
        support.guess_wrong(handle, times=2)
        claim(handle)
        clock.shift(16)
        assert Reason.TOO_MANY_GUESSES == check(handle).reason
        assert 2 == asked("check")[0]

    def test_a_right_code_of_an_overtaken_checker_logs_nobody_in(self, settings):
        handle, right = begin(), code()
        settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Overtaking"]
        outcome = check(handle, right)
        assert (False, None, 0) == (outcome.verified, outcome.user, User.objects.count())
        assert (Status.CHECKING, 2) == (attempt(handle).status, attempt(handle).guesses)
        assert [] == support.written(handle)

    def test_while_the_last_guess_is_checked_nobody_is_told_that_it_is_over(self):
        handle = begin()
        support.guess_wrong(handle, 2)
        claim(handle)
        assert Reason.BUSY == check(handle).reason

    def test_while_it_is_being_sent_the_visitor_is_told_so(self):
        handle = begin()
        VerificationAttempt.objects.update(status=Status.STARTING)
        outcome = check(handle)
        assert (Reason.SENDING, Public.BUSY) == (outcome.reason, outcome.public)
        assert (0,) == asked("check")


class TestClosed:
    @both
    def test_time_ends_it_here_whatever_vonage_would_say(self, version, clock):
        handle = begin()
        right = code()
        clock.shift(300)
        outcome = check(handle, right)
        assert (Status.EXPIRED, Reason.EXPIRED, 0) == (outcome.status, outcome.reason, asked("check")[0])
        assert 0 == attempt(handle).guesses

    def test_a_second_before_it_is_right(self, clock):
        handle = begin()
        clock.shift(299)
        assert check(handle).verified

    def test_an_unknown_key_is_gone(self):
        outcome = check(Handle("no such key"), "123456")
        assert (Status.EXPIRED, Reason.GONE) == (outcome.status, outcome.reason)

    @pytest.mark.parametrize(
        ("status", "reason", "told"),
        [
            (Status.CANCELLED, Reason.CANCELLED, Reason.CANCELLED),
            (Status.FAILED, Reason.BLOCKED, Reason.BLOCKED),
            (Status.REFUSED, Reason.THROTTLED, Reason.THROTTLED),
            (Status.EXPIRED, "", Reason.EXPIRED),
        ],
    )
    def test_what_has_ended_takes_no_guess(self, status, reason, told):
        row = support.make(status=status, reason=reason)
        outcome = check(Handle(row.key), "123456")
        assert (status, told, False) == (outcome.status, outcome.reason, outcome.verified)
        assert (0, 0) == (asked("check")[0], attempt(Handle(row.key)).guesses)

    @both
    def test_a_request_that_vonage_no_longer_knows_is_never_a_yes(self, version):
        handle = begin()
        right = code()
        emulator().clear()
        outcome = check(handle, right)
        row = attempt(handle)
        assert (Status.FAILED, Reason.GONE) == (outcome.status, outcome.reason)
        assert (Status.FAILED, Reason.GONE, None) == (row.status, row.reason, row.live_number)

    @both
    def test_a_worker_that_died_between_the_verdict_and_the_login_lets_nobody_in(self, version, clock):
        handle = begin()
        right = code()
        check(handle, right)
        VerificationAttempt.objects.update(status=Status.CHECKING, guesses=1, claimed_at=BEGIN, ended_at=None)
        clock.shift(16)
        assert Reason.GONE == check(handle, right).reason


NO_VERDICT = [
    "drop_after",
    "hang",
    "hang_after",
    "html",
    "list",
    "null",
    "bad_json",
    "huge",
    "other_request_id",
]


class TestNoVerdict:
    @both
    @pytest.mark.parametrize("what", NO_VERDICT)
    def test_a_guess_that_was_sent_stays_paid_and_lets_nobody_in(self, what, version):
        handle = begin()
        emulator().faults.add(what, "check")
        outcome = check(handle)
        assert (False, Public.UNAVAILABLE, 2) == (outcome.verified, outcome.public, outcome.guesses_left)
        row = attempt(handle)
        assert (Status.PENDING, 1, 1) == (row.status, row.guesses, used("fails_per_number", NUMBER))
        assert [EventKind.CHECK_FAILED] == support.written(handle)

    @both
    def test_three_of_them_end_the_attempt_but_hold_the_number(self, version):
        handle = begin()
        emulator().faults.add("hang", "check", times=3)
        outcomes = [check(handle) for _ in range(3)]
        row = attempt(handle)
        assert (Status.FAILED, Reason.UNAVAILABLE) == (outcomes[-1].status, outcomes[-1].reason)
        assert (Status.FAILED, Reason.TOO_MANY_GUESSES, NUMBER) == (row.status, row.reason, row.live_number)

    @both
    def test_a_guess_that_never_left_is_given_back(self, version):
        handle = begin()
        for _ in range(5):
            emulator().faults.add("drop_before", "check")
            assert Reason.UNAVAILABLE == check(handle).reason
        row = attempt(handle)
        assert (Status.PENDING, 0, 0, 0) == (
            row.status, row.guesses, used("fails_per_number", NUMBER), used("fails_per_ip", OWNER.ip),
        )  # fmt: skip
        assert check(handle).verified

    def test_a_guess_of_a_guest_that_never_left_is_given_back_too(self):
        begin()
        guest = begin(visitor=STRANGER)
        emulator().faults.add("drop_before", "check")
        check(guest, visitor=STRANGER)
        assert (0, 0) == (attempt(guest).guesses, used("fails_per_number", NUMBER))
        assert Reason.WRONG_CODE == support.guess_wrong(guest, times=2, visitor=STRANGER).reason

    @pytest.mark.parametrize("status", [401, 402, 403, 404, 409, 410, 422, 429, 500, 503])
    def test_no_code_of_http_but_success_is_a_yes(self, status):
        handle = begin()
        emulator().faults.add("status", "check", status=status)
        assert not check(handle).verified
        assert (0, 1) == (User.objects.count(), attempt(handle).guesses)

    @pytest.mark.parametrize("status", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 18, 19, 20, 29, 101])
    def test_no_status_of_v1_but_zero_is_a_yes(self, status, settings):
        support.configure(settings, VERIFY_VERSION=1)
        handle = begin()
        emulator().faults.add("status", "check", status=status)
        assert not check(handle).verified
        assert (0, 1) == (User.objects.count(), attempt(handle).guesses)

    def test_bad_credentials_are_an_error_in_the_log(self, caplog):
        handle = begin()
        emulator().faults.add("status", "check", status=401)
        assert Public.UNAVAILABLE == check(handle).public
        assert ["ERROR"] == [record.levelname for record in caplog.records if record.name == "passwordless"]


class TestTheSetting:
    @pytest.mark.parametrize(("first", "then"), [(1, 2), (2, 1)])
    def test_an_attempt_keeps_its_api_when_the_setting_changes_midway(self, first, then, settings, clock):
        support.configure(settings, VERIFY_VERSION=first)
        handle = begin()
        support.configure(settings, VERIFY_VERSION=then)
        clock.shift(61)
        assert Reason.OK == flow.advance(handle, OWNER).reason
        assert check(handle).verified
        assert {f"v{first}"} == {call.api for call in emulator().journal}


class TestUsers:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"is_active": False}, Reason.INACTIVE_USER),
            ({"is_staff": True}, Reason.STAFF_USER),
            ({"is_superuser": True}, Reason.STAFF_USER),
        ],
    )
    def test_a_user_who_may_no_longer_log_in_is_refused_after_the_right_code(self, change, reason):
        user = get_user_model().objects.create_user("somebody")
        numbers.link(user, NUMBER)
        handle = begin()
        get_user_model().objects.filter(pk=user.pk).update(**change)
        outcome = check(handle)
        assert (False, reason, Public.WRONG, None) == (
            outcome.verified, outcome.reason, outcome.public, outcome.user,
        )  # fmt: skip
        row = attempt(handle)
        assert (Status.VERIFIED, reason, user) == (row.status, row.reason, row.user)

    def test_it_looks_as_a_wrong_code_does(self):
        user = get_user_model().objects.create_user("somebody")
        numbers.link(user, NUMBER)
        mine, other = begin(NUMBER), begin(OTHER)
        get_user_model().objects.update(is_active=False)
        refused, wrong = check(mine), support.guess_wrong(other, number=OTHER)
        assert (wrong.public, wrong.guesses_left) == (refused.public, refused.guesses_left)

    def test_a_user_deleted_midway_is_a_newcomer(self):
        user = get_user_model().objects.create_user("somebody")
        numbers.link(user, NUMBER)
        handle = begin()
        user.delete()
        assert "somebody" != check(handle).user.username

    def test_sign_up_closed_midway_lets_no_newcomer_in(self, settings):
        handle = begin()
        support.configure(settings, SIGNUP=False)
        outcome = check(handle)
        assert (Reason.UNKNOWN_NUMBER, Public.WRONG, 0) == (
            outcome.reason, outcome.public, User.objects.count(),
        )  # fmt: skip

    def test_a_known_user_is_found(self):
        user = get_user_model().objects.create_user("somebody")
        numbers.link(user, NUMBER)
        assert (user, 1) == (check(begin()).user, User.objects.count())

    def test_the_number_of_a_newcomer_is_a_verified_one(self):
        user = check(begin()).user
        row = PhoneNumber.objects.get()
        assert (user, NUMBER, BEGIN) == (row.user, row.number, row.verified_at)

    def test_a_linked_number_is_verified_by_its_first_right_code(self):
        row = numbers.link(get_user_model().objects.create_user("somebody"), NUMBER)
        check(begin())
        row.refresh_from_db()
        assert BEGIN == row.verified_at


class TestHardStop:
    """So many failures in a row lock a number, whatever became of its attempts (NIST SP 800-63B-4, 3.2.2)."""

    def fail(self, clock, times):
        """Fail so often, with a new code after every third."""
        for index in range(times):
            if index % 3 == 0:
                clock.shift(301)
                handle = begin(visitor=Visitor(ip=f"203.0.113.{index}"))
            assert support.guess_wrong(handle, visitor=Visitor(ip="203.0.113.99")).reason in (
                Reason.WRONG_CODE, Reason.TOO_MANY_GUESSES,
            )  # fmt: skip

    def fresh(self, clock):
        clock.shift(301)
        return begin(visitor=Visitor(ip="203.0.113.200"))

    @pytest.fixture(autouse=True)
    def unlimited(self, settings):
        support.configure(settings, LIMITS=dict.fromkeys(limits.DEFAULTS))

    def test_fifty_lock_it_even_for_the_right_code(self, clock):
        self.fail(clock, 50)
        handle = self.fresh(clock)
        checks = asked("check")
        outcome = check(handle)
        assert (Status.REFUSED, Reason.LOCKED, None, Public.WAIT, None) == (
            outcome.status, outcome.reason, outcome.retry_at, outcome.public, outcome.user,
        )  # fmt: skip
        assert (checks, 0, Status.PENDING) == (
            asked("check"), attempt(handle).guesses, attempt(handle).status,
        )  # fmt: skip
        assert [EventKind.REFUSED] == support.written(handle)

    def test_forty_nine_do_not_and_a_success_clears_them(self, clock):
        self.fail(clock, 49)
        assert check(self.fresh(clock)).verified
        self.fail(clock, 49)
        assert check(self.fresh(clock)).verified

    def test_it_is_the_shipped_number_and_can_be_lowered(self, settings, clock):
        assert 50 == conf.settings.HARD_STOP
        support.configure(settings, HARD_STOP=4)
        self.fail(clock, 4)
        assert Reason.LOCKED == check(self.fresh(clock)).reason

    @pytest.mark.parametrize("days", [1, 30, 365])
    def test_no_time_and_no_new_code_open_it(self, days, settings, clock):
        support.configure(settings, HARD_STOP=3)
        self.fail(clock, 3)
        for _ in range(2):
            clock.shift(timedelta(days=days))
            assert Reason.LOCKED == check(begin()).reason

    def test_other_numbers_are_not_locked(self, settings, clock):
        support.configure(settings, HARD_STOP=3)
        self.fail(clock, 3)
        assert check(begin(OTHER), code(OTHER)).verified

    def test_a_locked_number_looks_like_any_limit(self, settings, clock):
        support.configure(settings, HARD_STOP=1, LIMITS={"fails_per_number": "1/h"})
        handle = begin()
        support.guess_wrong(handle)
        locked = check(handle)
        assert Reason.LOCKED == locked.reason
        flow.unlock(NUMBER)
        support.configure(settings, HARD_STOP=50)
        support.guess_wrong(handle)
        limited = check(handle)
        assert (Reason.LIMIT_FAILS, locked.status, locked.public) == (
            limited.reason, limited.status, limited.public,
        )  # fmt: skip

    def test_checks_that_never_left_are_no_failures(self, settings):
        support.configure(settings, HARD_STOP=1)
        handle = begin()
        for _ in range(3):
            emulator().faults.add("drop_before", "check")
            assert Reason.UNAVAILABLE == check(handle).reason
        assert check(handle).verified

    def test_a_right_code_that_lets_nobody_in_clears_nothing(self, settings, clock):
        support.configure(settings, HARD_STOP=2)
        numbers.link(get_user_model().objects.create_user("somebody"), NUMBER)
        handle = begin()
        support.guess_wrong(handle)
        get_user_model().objects.update(is_active=False)
        assert Reason.INACTIVE_USER == check(handle).reason
        get_user_model().objects.update(is_active=True)
        clock.shift(31)
        assert Reason.LOCKED == check(begin()).reason

    def test_the_count_is_of_the_number_and_not_of_the_browser(self, settings, clock):
        support.configure(settings, HARD_STOP=2)
        handle = begin()
        support.guess_wrong(handle)
        guest = begin(visitor=STRANGER)
        support.guess_wrong(guest, visitor=STRANGER)
        assert Reason.LOCKED == check(handle).reason


class TestSecrecy:
    """Where sign-up is closed, what goes wrong with a known number looks like a wrong code."""

    @pytest.fixture(autouse=True)
    def closed(self, settings):
        support.configure(settings, SIGNUP=False)
        numbers.link(get_user_model().objects.create_user("known"), NUMBER)

    @both
    @pytest.mark.parametrize("what", ["hang", "drop_before"])
    def test_no_answer_is_a_wrong_code_to_the_visitor_and_not_to_staff(self, what, version):
        handle = begin()
        emulator().faults.add(what, "check")
        outcome = check(handle)
        assert (Reason.WRONG_CODE, 2, 1) == (outcome.reason, outcome.guesses_left, attempt(handle).guesses)
        event = attempt(handle).events.get()
        assert (EventKind.CHECK_FAILED, Reason.UNAVAILABLE) == (event.kind, event.reason)
        assert check(handle).verified

    @both
    def test_a_request_that_vonage_no_longer_knows_goes_on_as_a_decoy(self, version):
        handle = begin()
        right = code()
        emulator().clear()
        outcome = check(handle, right)
        row = attempt(handle)
        assert (Status.PENDING, Reason.WRONG_CODE, 2) == (
            outcome.status, outcome.reason, outcome.guesses_left,
        )  # fmt: skip
        assert (Status.PENDING, True, Reason.GONE) == (row.status, row.decoy, row.reason)
        assert [Reason.WRONG_CODE, Reason.TOO_MANY_GUESSES] == [check(handle, right).reason for _ in range(2)]
        assert (Status.FAILED, None) == (attempt(handle).status, attempt(handle).live_number)

    def test_three_without_an_answer_end_as_three_wrong_codes(self):
        handle = begin()
        emulator().faults.add("hang", "check", times=3)
        outcomes = [check(handle).reason for _ in range(3)]
        assert [Reason.WRONG_CODE, Reason.WRONG_CODE, Reason.TOO_MANY_GUESSES] == outcomes

    def test_what_vonage_ended_after_three_ends_here_too(self, settings):
        support.configure(settings, MAX_GUESSES=5)
        assert Reason.TOO_MANY_GUESSES == support.guess_wrong(begin(), 3).reason


class TestOvertaken:
    """Between the look and the claim another check takes the attempt."""

    def faster(self):
        VerificationAttempt.objects.filter(number=NUMBER).update(guesses=F("guesses") + 1)

    def test_whoever_loses_a_claim_looks_again_and_pays_once(self):
        handle = begin()
        with support.Intruder(self.faster, value="checking"):
            assert check(handle).verified
        assert (2, 1) == (attempt(handle).guesses, asked("check")[0])

    def test_whoever_loses_again_and_again_is_told_busy_and_pays_nothing(self, settings):
        support.configure(settings, MAX_GUESSES=10)
        handle = begin()
        with support.Intruder(self.faster, value="checking", times=3):
            outcome = check(handle)
        assert (Status.CHECKING, Reason.BUSY, Public.BUSY) == (outcome.status, outcome.reason, outcome.public)
        assert (0, 0) == (asked("check")[0], used("fails_per_number", NUMBER))

    def test_a_refund_of_an_overtaken_checker_takes_nothing_from_the_next(self):
        handle = begin()
        emulator().faults.add("drop_before", "check")
        with support.Intruder(self.faster, value="pending"):
            assert Reason.UNAVAILABLE == check(handle).reason
        assert (Status.CHECKING, 2, 1) == (
            attempt(handle).status, attempt(handle).guesses, used("fails_per_number", NUMBER),
        )  # fmt: skip

    def test_an_end_that_is_told_late_does_not_end_the_check_of_the_next(self):
        handle = begin()
        emulator().faults.add("status", "check", status=404)
        with support.Intruder(self.faster, value="failed"):
            check(handle)
        assert (Status.CHECKING, 2) == (attempt(handle).status, attempt(handle).guesses)

    def test_nor_does_a_last_wrong_code(self, settings):
        support.configure(settings, MAX_GUESSES=2)
        handle = begin()
        support.guess_wrong(handle)
        with support.Intruder(self.faster, value="failed"):
            support.guess_wrong(handle)
        assert Status.CHECKING == attempt(handle).status


def test_a_call_that_began_during_the_check_is_not_given_back(settings, clock):
    """With one code for all steps it stays right while somebody else asks for a call."""
    support.configure(settings, VERIFY_VERSION=1)
    handle = begin()
    clock.shift(61)

    def somebody_is_called():
        VerificationAttempt.objects.filter(key=handle.key).update(
            step=1, step_at=BEGIN + timedelta(seconds=61)
        )

    with support.Intruder(somebody_is_called, value=Status.VERIFIED):
        assert flow.check(handle, code(), OWNER).verified
    assert 1 == used("calls_per_number", NUMBER)
