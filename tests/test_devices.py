"""Devices: a browser that logged in before keeps a budget of its own for its number, and gains nothing else."""

from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.test import override_settings

from passwordless import devices, flow, limits, seals
from passwordless.outcomes import Visitor
from passwordless.states import Reason
from tests import support
from tests.support import NUMBER, OTHER, OWNER, STRANGER, begin, code, used


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


def cookie(number=NUMBER):
    response = HttpResponse()
    devices.remember(response, number)
    return response.cookies[devices.COOKIE].value


def holder(value=None, ip="203.0.113.50"):
    """Return a browser with the cookie, from an address of its own."""
    return Visitor(
        ip=ip, agent="Firefox", session="of the holder", cookie=cookie() if value is None else value
    )


def sealed(told, number=NUMBER, salt=devices.SALT):
    """Return a cookie that says `told`, sealed by us."""
    return f"{told}.{seals.seal(salt, f'{told}:{number}')[: devices.LENGTH]}"


def others(value):
    """Return a cookie of the same content, sealed under another key."""
    told = value.rpartition(".")[0]
    with override_settings(SECRET_KEY="of somebody else"):
        return sealed(told)


def worthless():
    mine, now = cookie(), int(support.BEGIN.timestamp())
    device, given_at, seal = mine.split(".")
    return {
        "empty": "",
        "garbage": "garbage",
        "colons": ":::::",
        "letters": "é:ü:ß",
        "of another number": cookie(OTHER),
        "cut": cookie()[:-1],
        "of another device": ("y" if mine[0] == "x" else "x") + mine[1:],
        "of another key": others(cookie()),
        "of another salt": sealed(f"device.{now}", salt="another"),
        "made younger": f"{device}.{int(given_at) + 1}.{seal}",
        "without a seal": f"{device}.{given_at}",
        "with an empty seal": f"{device}.{given_at}.",
        "with half a seal": f"{device}.{given_at}.{seal[:16]}",
        "of another number, without a device": sealed(f".{now}", OTHER),
        "of nobody, in half a character": "\ud800.1.\ud800",
        "very long": "a" * 10_000,
    }


class TestRecognition:
    def test_the_cookie_is_known_for_its_number(self):
        seen = devices.recognised(holder(), NUMBER)
        assert 16 == len(seen.device)
        assert (OWNER, "") == (devices.recognised(OWNER, NUMBER), OWNER.device)

    def test_each_login_makes_another_device(self):
        assert 2 == len({devices.recognised(holder(), NUMBER).device for _ in range(2)})

    @pytest.mark.parametrize("kind", list(worthless()))
    def test_anything_else_is_nobody(self, kind):
        assert "" == devices.recognised(holder(worthless()[kind]), NUMBER).device

    @pytest.mark.parametrize(("days", "known"), [(0, True), (179.9, True), (180.1, False)])
    def test_it_lasts_half_a_year(self, days, known, clock):
        visitor = holder()
        clock.shift(timedelta(days=days))
        assert known is bool(devices.recognised(visitor, NUMBER).device)

    def test_it_survives_a_new_secret_while_the_old_one_is_a_fallback(self, settings):
        visitor = holder()
        device = devices.recognised(visitor, NUMBER).device
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the new key of the tests", [settings.SECRET_KEY]
        assert device == devices.recognised(visitor, NUMBER).device
        settings.SECRET_KEY_FALLBACKS = []
        assert "" == devices.recognised(visitor, NUMBER).device

    def test_it_holds_no_number_and_no_script_reads_it(self, settings):
        settings.SESSION_COOKIE_SECURE = True
        response = HttpResponse()
        devices.remember(response, NUMBER)
        morsel = response.cookies[devices.COOKIE]
        assert NUMBER[1:] not in morsel.value
        assert (True, True, "Lax", devices.MAX_AGE) == (
            morsel["httponly"], morsel["secure"], morsel["samesite"], morsel["max-age"],
        )  # fmt: skip

    def test_the_repr_of_a_visitor_does_not_show_it(self):
        value = cookie()
        assert value not in repr(holder(value))


class TestBudget:
    def test_a_stranger_who_used_up_the_sends_does_not_lock_the_owner_out(self, settings, clock):
        support.configure(settings, LIMITS={"sends_per_number": "1/d"})
        flow.cancel(begin(visitor=STRANGER), STRANGER)
        clock.shift(301)
        assert Reason.LIMIT_NUMBER == flow.start(NUMBER, OWNER).reason
        assert Reason.OK == flow.start(NUMBER, holder()).reason

    def test_who_has_it_only_after_joining_may_take_the_last_guess(self):
        mine, guest = begin(visitor=STRANGER), begin(visitor=OWNER)
        support.guess_wrong(mine, times=2, visitor=STRANGER)
        assert flow.check(guest, code(), holder()).verified

    def test_who_joined_with_it_and_lost_it_may_take_the_last_guess(self):
        mine = begin(visitor=STRANGER)
        guest = begin(visitor=holder())
        support.guess_wrong(mine, times=2, visitor=STRANGER)
        assert flow.check(guest, code(), OWNER).verified

    def test_a_success_clears_its_own_failures_too(self, settings, clock):
        support.configure(settings, HARD_STOP=2)
        visitor = holder()
        for _ in range(2):
            handle = begin(visitor=visitor)
            support.guess_wrong(handle, visitor=visitor)
            assert flow.check(handle, code(), visitor).verified
            clock.shift(301)

    def test_all_holders_share_one_budget(self, settings):
        support.configure(settings, HARD_STOP=2)
        one, other = holder(), holder()
        handle = begin(visitor=one)
        support.guess_wrong(handle, times=2, visitor=one)
        assert Reason.LOCKED == flow.check(handle, code(), other).reason

    def test_a_further_message_is_paid_from_its_own_budget(self, settings, clock):
        limits = {"sends_per_number": "1/d"}
        support.configure(settings, CHANNELS=["sms", "sms"], RESEND_WAITS=[30], LIMITS=limits)
        mine, visitor = begin(visitor=STRANGER), holder()
        guest = begin(visitor=visitor)
        clock.shift(31)
        assert Reason.LIMIT_NUMBER == flow.advance(mine, STRANGER).reason
        assert Reason.OK == flow.advance(guest, visitor).reason

    def test_the_page_tells_its_own_wait(self, settings, clock):
        support.configure(settings, CHANNELS=["sms", "sms"], RESEND_WAITS=[30, 60])
        visitor = holder()
        assert flow.check(begin(visitor=visitor), code(), visitor).verified
        clock.shift(31)
        attempt = support.attempt(begin(visitor=visitor))
        now = support.BEGIN + timedelta(seconds=31)
        assert now + timedelta(seconds=60) == flow.next_step(attempt, visitor, now).at

    @pytest.mark.parametrize("kind", list(worthless()))
    def test_a_worthless_cookie_opens_nothing(self, kind, settings, clock):
        support.configure(settings, HARD_STOP=1, LIMITS={"sends_per_number": "1/d"})
        handle = begin(visitor=STRANGER)
        support.guess_wrong(handle, visitor=STRANGER)
        visitor = holder(worthless()[kind])
        assert Reason.LOCKED == flow.check(handle, code(), visitor).reason
        clock.shift(301)
        assert Reason.LIMIT_NUMBER == flow.start(NUMBER, visitor).reason

    @pytest.mark.parametrize("change", [{"HARD_STOP": 2}, {"LIMITS": {"fails_per_number": "2/d"}}])
    def test_a_stranger_who_failed_often_does_not_lock_the_owner_out(self, change, settings):
        support.configure(settings, **change)
        handle = begin(visitor=STRANGER)
        support.guess_wrong(handle, times=2, visitor=STRANGER)
        assert flow.check(handle, code(), OWNER).reason in (Reason.LOCKED, Reason.LIMIT_FAILS)
        assert flow.check(begin(visitor=holder()), code(), holder()).verified

    def test_the_success_of_a_holder_opens_the_lock_that_strangers_closed(self, settings, clock):
        support.configure(settings, HARD_STOP=2)
        support.guess_wrong(begin(visitor=STRANGER), times=2, visitor=STRANGER)
        visitor = holder()
        assert flow.check(begin(visitor=visitor), code(), visitor).verified
        clock.shift(31)
        handle = begin(visitor=STRANGER)
        assert Reason.WRONG_CODE == flow.check(handle, support.wrong(), STRANGER).reason

    def test_its_own_budget_ends_as_well(self, settings, clock):
        support.configure(settings, HARD_STOP=2, LIMITS={"sends_per_number": "1/d"})
        visitor = holder()
        handle = begin(visitor=visitor)
        support.guess_wrong(handle, times=2, visitor=visitor)
        assert Reason.LOCKED == flow.check(handle, code(), visitor).reason
        clock.shift(301)
        assert Reason.LIMIT_NUMBER == flow.start(NUMBER, visitor).reason

    def test_it_costs_the_number_nothing_and_the_address_as_ever(self):
        visitor = holder()
        support.guess_wrong(begin(visitor=visitor), visitor=visitor)
        assert (0, 0, 1, 1) == (
            used("sends_per_number", NUMBER), used("fails_per_number", NUMBER),
            used("sends_per_ip", visitor.ip), used("fails_per_ip", visitor.ip),
        )  # fmt: skip

    def test_it_waits_by_itself(self, clock):
        visitor = holder()
        flow.check(begin(visitor=STRANGER), code(), STRANGER)
        assert Reason.WAIT == flow.start(NUMBER, STRANGER).reason
        assert flow.check(begin(visitor=visitor), code(), visitor).verified
        assert Reason.WAIT == flow.start(NUMBER, visitor).reason
        known = devices.recognised(visitor, NUMBER)
        assert limits.wait(NUMBER, known, support.BEGIN) == limits.wait(NUMBER, STRANGER, support.BEGIN)

    def test_for_another_number_it_is_a_stranger(self, settings, clock):
        support.configure(settings, LIMITS={"sends_per_number": "1/d"})
        begin(OTHER, STRANGER)
        clock.shift(301)
        assert Reason.LIMIT_NUMBER == flow.start(OTHER, holder()).reason

    def test_who_joins_with_it_may_take_the_last_guess(self):
        mine, visitor = begin(visitor=STRANGER), holder()
        support.guess_wrong(mine, times=2, visitor=STRANGER)
        guest = begin(visitor=visitor)
        assert flow.check(guest, code(), visitor).verified

    def test_with_a_worthless_one_the_last_guess_stays_reserved(self):
        mine, visitor = begin(visitor=STRANGER), holder(cookie(OTHER))
        support.guess_wrong(mine, times=2, visitor=STRANGER)
        assert Reason.RESERVED_GUESS == flow.check(begin(visitor=visitor), code(), visitor).reason

    def test_three_guesses_are_three_with_it_too(self):
        visitor = holder()
        handle = begin(visitor=visitor)
        support.guess_wrong(handle, times=3, visitor=visitor)
        assert Reason.TOO_MANY_GUESSES == flow.check(handle, code(), visitor).reason

    def test_a_refund_goes_to_the_budget_that_paid(self, clock):
        visitor = holder()
        handle = begin(visitor=visitor)
        support.emulator().faults.add("drop_before", "check")
        flow.check(handle, code(), visitor)
        subject = limits.owner(NUMBER, devices.recognised(visitor, NUMBER))
        assert (0, 0) == (used("fails_per_number", subject), used("fails_per_number", NUMBER))
        clock.shift(61)
        support.emulator().faults.add("status", "advance", status=500)
        flow.advance(handle, visitor)
        assert 1 == used("sends_per_number", subject)


class TestSharedBudget:
    def test_each_login_buys_no_further_budget(self, settings):
        """All browsers that logged in before share one: ten cookies of one number send no more than one does."""
        support.configure(settings, LIMITS={"sends_per_number": "1/d", "sends_per_ip": None})
        first, second = holder(), holder()
        assert Reason.OK is flow.start(NUMBER, first).reason
        handle = begin(visitor=first)
        assert flow.check(handle, code(), first).verified
        assert Reason.LIMIT_NUMBER is flow.start(NUMBER, second).reason

    def test_staff_unlock_it_with_the_number(self, settings):
        support.configure(settings, HARD_STOP=2)
        visitor = holder()
        support.guess_wrong(begin(visitor=visitor), times=2, visitor=visitor)
        flow.unlock(NUMBER)
        assert flow.check(begin(visitor=visitor), code(), visitor).verified
