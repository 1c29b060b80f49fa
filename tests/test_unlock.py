"""Unlock: what the staff opens for one number, what stays closed, and what is written down."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from passwordless import flow, limits
from passwordless.models import AttemptEvent
from passwordless.outcomes import Visitor
from passwordless.states import EventKind, Reason, Status
from tests import support
from tests.support import BEGIN, NUMBER, OTHER, OWNER, STRANGER, begin, used


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


def test_it_opens_the_lock(settings):
    support.configure(settings, HARD_STOP=2)
    handle = begin()
    support.guess_wrong(handle, times=2)
    assert Reason.LOCKED == flow.check(handle, support.code(), OWNER).reason
    flow.unlock(NUMBER)
    assert flow.check(handle, support.code(), OWNER).verified


@pytest.mark.parametrize("name", ["sends_per_number", "calls_per_number"])
def test_it_opens_the_sends_of_the_number(name, settings, clock):
    support.configure(settings, CHANNELS=["voice"], LIMITS={name: "1/d"})
    begin()
    clock.shift(301)
    assert limits.REASONS[name] == flow.start(NUMBER, STRANGER).reason
    flow.unlock(NUMBER)
    assert Reason.OK == flow.start(NUMBER, STRANGER).reason


def test_it_opens_the_failed_checks_of_the_number(settings):
    support.configure(settings, LIMITS={"fails_per_number": "1/d"})
    handle = begin()
    support.guess_wrong(handle)
    assert Reason.LIMIT_FAILS == flow.check(handle, support.code(), OWNER).reason
    flow.unlock(NUMBER)
    assert flow.check(handle, support.code(), OWNER).verified


def test_it_ends_the_wait_and_the_next_is_the_first_again(clock):
    flow.check(begin(), support.code(), OWNER)
    flow.unlock(NUMBER)
    assert limits.wait(NUMBER, OWNER, BEGIN) is None
    begin()
    assert BEGIN + timedelta(seconds=30) == limits.wait(NUMBER, OWNER, BEGIN)


@pytest.mark.parametrize("visitor", [OWNER, Visitor()])
def test_addresses_sessions_and_the_site_stay_as_they_are(visitor, settings):
    wide = ("sends_per_block_1000", "sends_per_block_10000", "sends_per_country", "sends_per_site")
    support.configure(settings, LIMITS=dict.fromkeys(wide, "9/h"))
    support.guess_wrong(begin(visitor=visitor), visitor=visitor)
    shared = [*limits.joins(visitor), *limits.fails_of_address(visitor), *limits.larger("US")]
    before = support.counters()
    flow.unlock(NUMBER)
    after = support.counters()
    assert {one.key: before[one.key] for one in shared} == {one.key: after[one.key] for one in shared}


def test_a_full_block_is_open_again(settings):
    support.configure(settings, LIMITS={"sends_per_block_1000": "1/h", "sends_per_block_10000": "1/h"})
    begin()
    assert Reason.LIMIT_BLOCK is flow.start(OTHER, OWNER).reason
    flow.unlock(OTHER)
    assert Reason.OK is flow.start(OTHER, OWNER).reason


def test_other_numbers_stay_as_they_are():
    for number in (NUMBER, OTHER):
        support.guess_wrong(begin(number), number=number)
    flow.unlock(NUMBER)
    assert (0, 1) == (used("fails_per_number", NUMBER), used("fails_per_number", OTHER))


def test_it_makes_no_code_right_and_gives_no_guess_back():
    handle = begin()
    support.guess_wrong(handle, times=3)
    flow.unlock(NUMBER)
    outcome = flow.check(handle, support.code(), OWNER)
    assert (Status.FAILED, 3) == (outcome.status, support.attempt(handle).guesses)


def test_it_is_written_down_with_who_did_it_and_without_the_number():
    boss = get_user_model().objects.create_superuser("boss")
    flow.unlock(NUMBER, staff=boss)
    event = AttemptEvent.objects.get()
    assert (EventKind.UNLOCKED, boss, "••• 101", BEGIN, None) == (
        event.kind, event.staff, event.detail, event.at, event.attempt,
    )  # fmt: skip


def test_it_tells_how_many_counters_there_were():
    assert 0 == flow.unlock(NUMBER)
    begin()
    assert 5 == flow.unlock(NUMBER), "two windows of sends, one of calls, gate and level"


class TestCommand:
    def test_it_takes_any_spelling_and_masks_it(self):
        begin()
        out = StringIO()
        call_command("passwordless_unlock", "(415) 555-0101", stdout=out)
        assert "••• 101 is unlocked (5 counters emptied).\n" == out.getvalue()
        assert AttemptEvent.objects.get(kind=EventKind.UNLOCKED).staff is None

    def test_what_is_no_number_is_refused_and_not_repeated(self):
        with pytest.raises(CommandError, match="no number") as refused:
            call_command("passwordless_unlock", "415555")
        assert "415555" not in str(refused.value)
        assert not AttemptEvent.objects.exists()
