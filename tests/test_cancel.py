"""Cancel: the visitor lets go, and the provider is asked only when nobody else waits for the same code."""

from datetime import timedelta

import pytest

from passwordless import flow
from passwordless.outcomes import Handle, Visitor
from passwordless.states import EventKind, Reason, Status
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


class TestSole:
    @both
    def test_vonage_agrees_and_the_number_is_free(self, version, clock):
        handle = begin()
        clock.shift(31)
        outcome = flow.cancel(handle, OWNER)
        row = attempt(handle)
        assert (Status.CANCELLED, Reason.CANCELLED) == (outcome.status, outcome.reason)
        assert (Status.CANCELLED, Reason.CANCELLED, None, after(31)) == (
            row.status, row.reason, row.live_number, row.ended_at,
        )  # fmt: skip
        event = row.events.get()
        assert (EventKind.CANCELLED, OWNER.ip, OWNER.agent) == (event.kind, event.ip, event.agent)
        assert handle.key != begin().key

    @both
    def test_the_code_is_worth_nothing_afterwards(self, version, clock):
        handle = begin()
        right = support.code()
        clock.shift(31)
        flow.cancel(handle, OWNER)
        assert Reason.CANCELLED == flow.check(handle, right, OWNER).reason

    @pytest.mark.parametrize(("seconds", "most"), [(1, 0), (40, 5)])
    def test_a_handle_that_is_brought_again_and_again_is_written_and_asked_for_a_few_times(
        self, clock, seconds, most
    ):
        """As by a browser that keeps its cookie after it let go."""
        handle = begin()
        clock.shift(seconds)
        emulator().faults.add("status", "cancel", status=422, times=None)
        outcomes = [flow.cancel(handle, OWNER) for _ in range(20)]
        assert (Status.PENDING, Reason.CANCELLED) == (outcomes[-1].status, outcomes[-1].reason)
        assert (5, (most,)) == (attempt(handle).events.count(), asked("cancel"))

    def test_a_guest_who_lets_go_again_and_again_is_written_down_a_few_times(self):
        begin()
        guest = begin(visitor=STRANGER)
        for _ in range(20):
            flow.cancel(guest, STRANGER)
        assert 5 == attempt(guest).events.filter(kind=EventKind.CANCELLED).count()

    def test_it_gives_no_message_back(self, clock):
        handle = begin()
        clock.shift(31)
        flow.cancel(handle, OWNER)
        assert (1, 1) == (used("sends_per_number", NUMBER), used("sends_per_ip", OWNER.ip))

    def test_starting_and_cancelling_dodges_no_limit(self, settings, clock):
        support.configure(settings, LIMITS={"sends_per_number": "3/h"})
        for _ in range(3):
            flow.cancel(begin(), OWNER)
            clock.shift(301)
        assert Reason.LIMIT_NUMBER == flow.start(NUMBER, STRANGER).reason


class TestRefused:
    @both
    @pytest.mark.parametrize("seconds", [0, 29, 150])
    def test_too_early_or_too_late_leaves_it_live_and_asks_nobody(self, seconds, version, clock):
        handle = begin()
        clock.shift(seconds)
        outcome = flow.cancel(handle, OWNER)
        row = attempt(handle)
        assert (Status.PENDING, Reason.NOT_CANCELLABLE) == (outcome.status, outcome.reason)
        assert (Status.PENDING, NUMBER, (0,)) == (row.status, row.live_number, asked("cancel"))
        assert [Reason.NOT_CANCELLABLE] == [event.reason for event in row.events.all()]

    def test_it_can_be_joined_again(self, settings):
        support.configure(settings, VERIFY_VERSION=1)
        handle = begin()
        flow.cancel(handle, OWNER)
        again = begin()
        assert (handle.key, 1) == (again.key, asked("start")[0])
        assert flow.check(again, support.code(), OWNER).verified

    @both
    @pytest.mark.parametrize("what", ["drop_before", "drop_after", "hang", "html", "list", "bad_json"])
    def test_without_an_answer_it_stays_live(self, what, version, clock):
        handle = begin()
        clock.shift(31)
        emulator().faults.add(what, "cancel")
        outcome = flow.cancel(handle, OWNER)
        assert (Status.PENDING, Reason.UNAVAILABLE) == (outcome.status, outcome.reason)
        assert (Status.PENDING, NUMBER) == (attempt(handle).status, attempt(handle).live_number)

    @both
    def test_a_request_that_vonage_does_not_know_stays_till_its_end(self, version, clock):
        handle = begin()
        clock.shift(31)
        emulator().clear()
        assert Reason.GONE == flow.cancel(handle, OWNER).reason
        assert Status.PENDING == attempt(handle).status


class TestOthers:
    def test_vonage_is_not_asked_while_somebody_else_waits(self):
        mine, guest = begin(), begin(visitor=STRANGER)
        outcome = flow.cancel(mine, OWNER)
        assert (Status.PENDING, Reason.CANCELLED) == (outcome.status, outcome.reason)
        assert ((0,), Status.PENDING) == (asked("cancel"), attempt(mine).status)
        assert EventKind.CANCELLED in support.written(mine)
        assert flow.check(guest, support.code(), STRANGER).verified

    def test_nobody_ends_what_was_ever_shared(self, clock):
        """Who has left cannot be told from who left twice, so that a code is never taken from a guest."""
        mine, guest, other = begin(), begin(visitor=STRANGER), begin(visitor=Visitor(ip="203.0.113.5"))
        clock.shift(31)
        flow.cancel(guest, STRANGER)
        flow.cancel(guest, STRANGER)
        assert (Status.PENDING, Reason.CANCELLED) == (
            (outcome := flow.cancel(mine, OWNER)).status, outcome.reason,
        )  # fmt: skip
        assert ((0,), NUMBER) == (asked("cancel"), attempt(mine).live_number)
        assert flow.check(other, support.code(), STRANGER).verified

    def test_a_guest_alone_ends_nothing(self, clock):
        handle = begin()
        clock.shift(31)
        assert Reason.CANCELLED == flow.cancel(Handle(handle.key, own=False), STRANGER).reason
        assert ((0,), Status.PENDING) == (asked("cancel"), attempt(handle).status)

    def test_a_guest_who_cancels_twice_ends_nothing_for_the_starter(self, clock):
        """Two posts of one browser at once both find the handle there."""
        mine, guest = begin(), begin(visitor=STRANGER)
        clock.shift(31)
        flow.cancel(guest, STRANGER)
        flow.cancel(guest, STRANGER)
        assert (0, Status.PENDING) == (asked("cancel")[0], attempt(mine).status)
        assert flow.check(mine, support.code(), OWNER).verified


class TestNothingToCancel:
    @pytest.mark.parametrize("status", [status for status in Status if status != "pending"])
    def test_only_what_waits_is_cancelled(self, status):
        row = support.make(status=status, reason=Reason.OK, request_id="r" * 32)
        outcome = flow.cancel(Handle(row.key), OWNER)
        assert (status, Reason.OK, (0,)) == (outcome.status, outcome.reason, asked("cancel"))
        assert (status, 0) == (attempt(Handle(row.key)).status, row.events.count())

    def test_what_is_out_of_time_is_not_cancelled(self, clock):
        handle = begin()
        clock.shift(300)
        assert (Status.EXPIRED, (0,)) == (flow.cancel(handle, OWNER).status, asked("cancel"))

    def test_an_unknown_key_is_gone(self):
        assert Reason.GONE == flow.cancel(Handle("no such key"), OWNER).reason
