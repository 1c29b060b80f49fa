"""Advance: the next channel on the same request, not too soon, not too often, and never beyond the last."""

from datetime import timedelta

import pytest
from django.utils import timezone

from passwordless import flow, limits
from passwordless.flow.advance import Step
from passwordless.models import VerificationAttempt
from passwordless.outcomes import Handle, Visitor
from passwordless.states import Channel, EventKind, Public, Purpose, Reason, Status
from tests import support
from tests.support import BEGIN, NUMBER, OWNER, STRANGER, asked, attempt, begin, emulator, used


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


def sent(number=NUMBER):
    return [message.channel for message in emulator().messages(number)]


class TestNext:
    @both
    def test_a_call_on_the_same_request(self, version, clock):
        handle = begin()
        clock.shift(61)
        outcome = flow.advance(handle, STRANGER)
        row = attempt(handle)
        assert (Status.PENDING, Reason.OK, handle) == (outcome.status, outcome.reason, outcome.handle)
        assert (["sms", "voice"], (1, 1, 0)) == (sent(), asked("start", "advance", "cancel"))
        assert (1, 2, after(61)) == (row.step, row.sends, row.step_at)
        following = row.events.get(kind=EventKind.NEXT)
        assert (Channel.VOICE, STRANGER.ip, after(61)) == (following.channel, following.ip, following.at)
        assert flow.check(handle, support.code(), OWNER).verified

    @both
    def test_the_life_is_what_the_last_step_leaves(self, version, clock):
        handle = begin()
        clock.shift(61)
        flow.advance(handle, OWNER)
        row = attempt(handle)
        assert (after(211), after(211)) == (row.expires_at, row.open_until)

    @both
    def test_the_end_here_is_the_end_there(self, version, clock):
        handle = begin()
        clock.shift(61)
        flow.advance(handle, OWNER)
        right = support.code()
        clock.shift(149)
        assert flow.check(handle, right, OWNER).verified

    def test_the_life_never_passes_ten_minutes(self, settings, clock):
        support.configure(settings, ATTEMPT_LIFETIME=600, CHANNELS=["sms", "sms", "voice"])
        handle = begin()
        for _ in range(2):
            clock.shift(190)
            assert Reason.OK == flow.advance(handle, OWNER).reason
        assert after(600) >= attempt(handle).expires_at

    @both
    def test_a_site_of_texts_sends_a_new_one(self, version, settings, clock):
        support.configure(settings, CHANNELS=["sms", "sms"])
        handle = begin()
        clock.shift(30)
        assert Reason.OK == flow.advance(handle, OWNER).reason
        assert ["sms", "sms"] == sent()

    def test_what_is_being_checked_may_go_on(self, clock):
        handle = begin()
        clock.shift(61)
        attempt(handle).claim(after(61), limit=3)
        assert Reason.OK == flow.advance(handle, OWNER).reason
        assert Status.CHECKING == attempt(handle).status

    def test_a_message_is_charged_and_the_call_was_paid_before(self, clock):
        handle = begin()
        clock.shift(61)
        flow.advance(handle, OWNER)
        assert (2, 1, 2, 2) == (
            used("sends_per_number", NUMBER), used("calls_per_number", NUMBER),
            used("sends_per_ip", OWNER.ip), used("sends_per_session", OWNER.session),
        )  # fmt: skip

    def test_a_call_that_was_asked_for_stays_paid(self, clock):
        handle = begin()
        clock.shift(61)
        flow.advance(handle, OWNER)
        flow.check(handle, support.code(), OWNER)
        assert 1 == used("calls_per_number", NUMBER)

    def test_what_a_guest_asks_for_is_the_attempts(self, clock):
        mine, guest = begin(), begin(visitor=STRANGER)
        clock.shift(61)
        assert guest == flow.advance(guest, STRANGER).handle
        assert 1 == attempt(mine).step


class TestTooSoon:
    @pytest.mark.parametrize(("seconds", "granted"), [(0, False), (59, False), (60, True)])
    def test_a_call_comes_sixty_seconds_after_the_text(self, seconds, granted, clock):
        handle = begin()
        clock.shift(seconds)
        outcome = flow.advance(handle, OWNER)
        expected = (Reason.OK, None) if granted else (Reason.WAIT, after(60))
        assert expected == (outcome.reason, outcome.retry_at)
        assert (int(granted),) == asked("advance")

    @pytest.mark.parametrize(("seconds", "granted"), [(29, False), (30, True)])
    def test_a_text_comes_after_the_first_wait(self, seconds, granted, settings, clock):
        support.configure(settings, CHANNELS=["sms", "sms"])
        handle = begin()
        clock.shift(seconds)
        outcome = flow.advance(handle, OWNER)
        assert (Reason.OK if granted else Reason.WAIT) == outcome.reason
        assert granted or (Status.PENDING, after(30), Public.WAIT, None) == (
            outcome.status, outcome.retry_at, outcome.public, outcome.handle,
        )  # fmt: skip

    def test_too_soon_costs_nothing(self):
        handle = begin()
        before = support.counters()
        flow.advance(handle, OWNER)
        assert before == support.counters()

    def test_the_waits_grow_across_attempts(self, settings, clock):
        """30, 60, 120, 300 seconds belong to the number, whatever becomes of its attempts."""
        support.configure(settings, CHANNELS=["sms"], LIMITS={"sends_per_number": None})
        waits = []
        for _ in range(6):
            handle = begin(visitor=Visitor(ip=f"203.0.113.{len(waits)}"))
            assert flow.check(handle, support.code(), OWNER).verified
            now = after(sum(waits))
            waits.append(round((limits.wait(NUMBER, OWNER, now) - now).total_seconds()))
            clock.shift(waits[-1] - 1)
            assert Reason.WAIT == flow.start(NUMBER, STRANGER).reason
            clock.shift(1)
        assert [30, 60, 120, 300, 300, 300] == waits

    def test_an_advance_counts_as_one_of_them(self, settings, clock):
        support.configure(settings, CHANNELS=["sms", "sms", "sms"])
        handle = begin()
        clock.shift(30)
        flow.advance(handle, OWNER)
        assert after(90) == flow.advance(handle, OWNER).retry_at


class TestLimits:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("sends_per_number", Reason.LIMIT_NUMBER),
            ("sends_per_ip", Reason.LIMIT_IP),
            ("sends_per_session", Reason.LIMIT_SESSION),
        ],
    )
    def test_each_limit_of_sends_holds(self, name, reason, settings, clock):
        support.configure(settings, LIMITS={name: "1/h"})
        handle = begin()
        clock.shift(61)
        before = support.counters()
        outcome = flow.advance(handle, OWNER)
        assert (Status.PENDING, reason, after(3600), None) == (
            outcome.status, outcome.reason, outcome.retry_at, outcome.handle,
        )  # fmt: skip
        assert (before, (0,)) == (support.counters(), asked("advance"))


class TestNoMore:
    @both
    def test_after_the_last_step_there_is_a_time_to_ask_again(self, version, clock):
        handle = begin()
        clock.shift(61)
        flow.advance(handle, OWNER)
        clock.shift(61)
        outcome = flow.advance(handle, OWNER)
        assert (Status.PENDING, Reason.NO_MORE_STEPS, after(211), None) == (
            outcome.status, outcome.reason, outcome.retry_at, outcome.handle,
        )  # fmt: skip
        assert (1,) == asked("advance")

    @both
    def test_a_step_that_vonage_took_by_itself_is_known(self, version, clock):
        handle = begin()
        clock.shift(150)
        assert ["sms", "voice"] == sent()
        assert (Reason.NO_MORE_STEPS, 0) == (flow.advance(handle, OWNER).reason, asked("advance")[0])

    def test_a_single_channel_has_no_next(self, settings, clock):
        support.configure(settings, CHANNELS=["sms"])
        handle = begin()
        clock.shift(61)
        assert Reason.NO_MORE_STEPS == flow.advance(handle, OWNER).reason


class TestEnded:
    @both
    def test_what_is_out_of_time_is_started_anew(self, version, clock):
        handle = begin()
        clock.shift(300)
        outcome = flow.advance(handle, OWNER)
        assert (Status.PENDING, True, True) == (
            outcome.status, outcome.handle.key != handle.key, outcome.handle.own,
        )  # fmt: skip
        assert (2, Status.EXPIRED) == (asked("start")[0], attempt(handle).status)

    @both
    def test_too_many_wrong_codes_and_a_new_one_is_had_after_the_wait(self, version, clock):
        handle = begin()
        support.guess_wrong(handle, times=3)
        assert Reason.WAIT == flow.advance(handle, OWNER).reason
        clock.shift(30)
        again = flow.advance(handle, OWNER)
        assert handle.key != again.handle.key
        assert flow.check(again.handle, support.code(), OWNER).verified

    def test_the_purpose_goes_on(self, clock):
        handle = begin(purpose=Purpose.LINK)
        clock.shift(301)
        assert Purpose.LINK == flow.advance(handle, OWNER).handle.purpose

    def test_one_that_is_still_held_is_waited_for(self):
        row = support.make(status=Status.FAILED, reason=Reason.TOO_MANY_GUESSES, live_number=NUMBER)
        outcome = flow.advance(Handle(row.key), OWNER)
        assert (Reason.CONCURRENT, row.open_until) == (outcome.reason, outcome.retry_at)

    def test_one_that_is_still_being_sent_is_joined_by_its_starter_as_such(self):
        row = support.make(status=Status.STARTING, claimed_at=BEGIN, live_number=NUMBER)
        handle = Handle(row.key)
        outcome = flow.advance(handle, OWNER)
        assert (Reason.SENDING, handle, 1) == (outcome.reason, outcome.handle, attempt(handle).handles)

    def test_one_that_another_started_since_is_joined(self, clock):
        old = begin()
        clock.shift(301)
        new = begin(visitor=STRANGER)
        outcome = flow.advance(old, OWNER)
        assert (new.key, False, 2) == (outcome.handle.key, outcome.handle.own, asked("start")[0])

    def test_a_used_one_is_not_started_again(self, clock):
        handle = begin()
        flow.check(handle, support.code(), OWNER)
        clock.shift(400)
        outcome = flow.advance(handle, OWNER)
        assert (Reason.REUSED, None, False) == (outcome.reason, outcome.handle, outcome.verified)
        assert (1,) == asked("start")

    def test_an_unknown_key_is_gone(self):
        assert Reason.GONE == flow.advance(Handle("no such key"), OWNER).reason


class TestTurnedDown:
    @both
    def test_a_request_that_vonage_no_longer_knows_ends(self, version, clock):
        handle = begin()
        clock.shift(61)
        emulator().clear()
        outcome = flow.advance(handle, OWNER)
        row = attempt(handle)
        assert (Status.FAILED, Reason.GONE, None) == (outcome.status, outcome.reason, outcome.handle)
        assert (Status.FAILED, Reason.GONE, None) == (row.status, row.reason, row.live_number)
        assert [EventKind.REFUSED] == support.written(handle)
        assert 1 == used("sends_per_number", NUMBER)

    def test_it_takes_nothing_from_a_check_that_runs(self, clock):
        """A right code ends the request at Vonage before the checker has written it down here."""
        handle = begin()
        clock.shift(61)
        holder = attempt(handle)
        holder.claim(after(61), limit=3)
        emulator().clear()
        flow.advance(handle, OWNER)
        assert holder.move(Status.VERIFIED, Reason.OK, now=after(61), guess=1, live_number=None)
        assert Status.VERIFIED == attempt(handle).status

    @both
    @pytest.mark.parametrize("what", ["status", "drop_before"])
    def test_a_message_that_was_not_sent_is_given_back(self, what, version, clock):
        handle = begin()
        clock.shift(61)
        emulator().faults.add(what, "advance", status=500 if what == "status" else None)
        outcome = flow.advance(handle, OWNER)
        row = attempt(handle)
        assert (Status.PENDING, Public.UNAVAILABLE, None) == (outcome.status, outcome.public, outcome.handle)
        assert (Status.PENDING, 0, 1, 1) == (
            row.status,
            row.step,
            row.sends,
            used("sends_per_number", NUMBER),
        )
        assert [EventKind.REFUSED] == support.written(handle)

    def test_a_message_that_may_have_been_sent_stays_paid(self, clock):
        handle = begin()
        clock.shift(61)
        emulator().faults.add("drop_after", "advance")
        assert Reason.UNAVAILABLE == flow.advance(handle, OWNER).reason
        assert (2, ["sms", "voice"]) == (used("sends_per_number", NUMBER), sent())

    def test_the_time_to_ask_again_is_the_one_that_holds(self, clock):
        handle = begin()
        clock.shift(61)
        emulator().faults.add("status", "advance", status=500)
        outcome = flow.advance(handle, OWNER)
        assert limits.wait(NUMBER, OWNER, after(61)) == outcome.retry_at
        clock.move_to(outcome.retry_at)
        assert Reason.OK == flow.advance(handle, OWNER).reason

    @pytest.mark.parametrize("api", ["v1", "v2"])
    def test_vonage_may_know_of_no_further_step_before_we_do(self, api, settings, clock):
        support.configure(settings, VERIFY_VERSION=int(api[1]))
        handle = begin()
        clock.shift(61)
        emulator().faults.add("status", "advance", status=19 if api == "v1" else 409)
        outcome = flow.advance(handle, OWNER)
        assert (Status.PENDING, Reason.NO_MORE_STEPS) == (outcome.status, outcome.reason)


class TestNextStep:
    @pytest.mark.parametrize("status", [status for status in Status if status not in ("pending", "checking")])
    def test_only_what_waits_for_a_code_has_one(self, status):
        assert Step(None, BEGIN) == flow.next_step(support.make(status=status), OWNER, BEGIN)

    def test_after_the_end_nothing_tells_of_others_who_use_the_number_now(self, clock):
        old = begin()
        support.guess_wrong(old, 3)
        clock.shift(600)
        begin()
        row = attempt(old)
        assert limits.wait(NUMBER, STRANGER, timezone.now()) is not None
        assert Step(None, after(600)) == flow.next_step(row, STRANGER, after(600))

    def test_who_joins_a_browser_that_logged_in_before_waits_as_long_as_it_does(self, settings):
        support.configure(settings, CHANNELS=["sms", "whatsapp"], WHATSAPP_SENDER="12125550100")
        known = Visitor(ip=OWNER.ip, session="known", device="one")
        handle = flow.start(NUMBER, known).handle
        joined = flow.start(NUMBER, STRANGER).handle
        told = [flow.next_step(attempt(handle), who, BEGIN).at for who in (known, STRANGER)]
        assert [after(30), after(30)] == told
        assert Reason.WAIT == flow.advance(joined, STRANGER).reason

    def test_what_was_lost_is_asked_for_again_as_soon_as_that_helps(self):
        row = support.make(
            status=Status.STARTING, claimed_at=BEGIN, live_number=NUMBER, open_until=after(318)
        )
        told = [flow.next_step(row, OWNER, after(seconds)) for seconds in (0, 40)]
        assert [Step(None, after(18)), Step(None, after(40))] == told

    @pytest.mark.parametrize(("held", "seconds"), [("", 0), (NUMBER, 240)])
    def test_after_the_end_a_new_one_waits_for_what_vonage_still_holds(self, held, seconds):
        row = support.make(status=Status.FAILED, live_number=held or None, open_until=after(240))
        assert Step(None, after(seconds)) == flow.next_step(row, OWNER, BEGIN)

    def test_it_tells_channel_and_time_as_they_are_now(self):
        row = attempt(begin())
        told = [flow.next_step(row, OWNER, after(seconds)) for seconds in (0, 45, 100)]
        assert [after(60), after(60), after(100)] == [step.at for step in told]
        assert {Channel.VOICE} == {step.channel for step in told}
        assert [Step(None, row.open_until)] * 2 == [
            flow.next_step(row, OWNER, after(seconds)) for seconds in (150, 299)
        ]

    def test_the_statements_are_few(self, clock, django_assert_max_num_queries):
        handle = begin()
        clock.shift(61)
        with django_assert_max_num_queries(14):
            flow.advance(handle, OWNER)
        assert 1 == VerificationAttempt.objects.count()
