"""The pumping guard: a block of numbers from which no code comes back is closed, or only noted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.http import HttpResponse
from django.utils import timezone

from passwordless import devices, flow, guard, limits, numbers, signals
from passwordless.models import AttemptEvent, Counter, VerificationAttempt
from passwordless.outcomes import Visitor
from passwordless.states import EventKind, Reason, Status
from tests import support
from tests.support import BEGIN, asked, code, configure

LIFE, HOUR = 601, 3600
BLOCK = "+14155550"
NEXT = f"{BLOCK}199"


@pytest.fixture(autouse=True)
def clock(db, settings):
    configure(settings, PUMPING_GUARD="enforce", LIMITS={})
    with support.world() as traveller:
        yield traveller


def visitor(number):
    """Return somebody whose address no other number comes from."""
    return Visitor(ip=f"2001:db8:{number[-4:-2]}:{number[-2:]}::1")


def cookie(number):
    """Return the visitor of a number who logged in with it before."""
    response = HttpResponse()
    devices.remember(response, number)
    return Visitor(ip="203.0.113.9", cookie=response.cookies[devices.COOKIE].value)


def send(count, block=BLOCK, first=100):
    """Ask for codes to `count` neighbours, each from an address of its own; return the outcomes."""
    told = [f"{block}{index}" for index in range(first, first + count)]
    return [flow.start(number, visitor(number)) for number in told]


def pump(clock, count=10, block=BLOCK, first=100):
    """Let `count` codes to neighbours run out."""
    outcomes = send(count, block, first)
    assert all(outcome.handle for outcome in outcomes), outcomes
    clock.shift(LIFE)


def log_in(number, who=None):
    handle = flow.start(number, who or visitor(number)).handle
    assert flow.check(handle, code(number), who or visitor(number)).verified


def reason(number=NEXT, who=None):
    return flow.start(number, who or visitor(number)).reason


def said(kind=EventKind.PUMPING):
    return list(AttemptEvent.objects.filter(kind=kind).order_by("pk").values_list("detail", flat=True))


class TestClosing:
    def test_ten_ended_sends_without_a_success_close_the_block(self, clock):
        pump(clock)
        outcome = flow.start(NEXT, visitor(NEXT))
        assert (Status.REFUSED, Reason.BLOCK_CLOSED) == (outcome.status, outcome.reason)
        assert (10,) == asked("start")

    def test_nine_do_not(self, clock):
        pump(clock, 9)
        assert Reason.OK == reason()
        assert [] == said()

    def test_one_success_keeps_it_open(self, clock):
        log_in(f"{BLOCK}150")
        pump(clock, 12)
        assert Reason.OK == reason()

    def test_attempts_still_alive_do_not_count(self):
        assert {Reason.OK} == {outcome.reason for outcome in send(30)}
        assert [] == said()

    def test_attempts_that_ended_early_count(self):
        for outcome in send(10):
            VerificationAttempt.objects.filter(key=outcome.handle.key).update(status=Status.FAILED)
        assert Reason.BLOCK_CLOSED == reason()

    def test_what_was_never_sent_does_not_count(self, clock):
        pump(clock, 10)
        VerificationAttempt.objects.update(sends=0)
        assert Reason.OK == reason()

    def test_sends_of_more_than_an_hour_ago_do_not_count(self, clock):
        pump(clock, 10)
        clock.shift(HOUR)
        assert {Reason.OK} == {outcome.reason for outcome in send(9, first=150)}

    def test_it_is_written_down_without_a_number(self, clock):
        pump(clock)
        reason()
        assert ["9 digits, closed for 60 min"] == said()

    def test_a_refused_start_spends_nothing_and_leaves_one_row_for_staff(self, clock):
        pump(clock)
        reason()
        before = support.counters()
        assert Reason.BLOCK_CLOSED == reason()
        assert before == support.counters()
        row = VerificationAttempt.objects.get(status=Status.REFUSED)
        assert (Reason.BLOCK_CLOSED, 2) == (row.reason, row.repeats)

    def test_it_holds_where_limits_are_only_recorded(self, clock, settings):
        configure(settings, LIMITS_ENFORCE=False, LIMITS={})
        pump(clock)
        assert Reason.BLOCK_CLOSED == reason()

    def test_of_many_who_find_it_at_the_same_moment_one_closes_it(self, clock):
        pump(clock)
        now = BEGIN + timedelta(seconds=LIFE)
        for _ in range(4):
            guard.close(BLOCK, now)
        assert ["9 digits, closed for 60 min"] == said()

    def test_it_is_closed_while_a_secret_key_is_rotated_out(self, clock, settings):
        pump(clock)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "the newest of the keys, of the tests"
        assert [Reason.BLOCK_CLOSED] * 2 == [reason(), reason()]
        assert ["9 digits, closed for 60 min"] == said()


class TestBlocks:
    def test_another_block_stays_open(self, clock):
        pump(clock)
        assert Reason.BLOCK_CLOSED == reason()
        assert Reason.OK == reason("+12125550100")

    def test_a_success_elsewhere_in_ten_thousand_leaves_the_thousand_closed(self, clock):
        log_in("+14155551100")
        pump(clock)
        assert Reason.BLOCK_CLOSED == reason()
        assert ["9 digits, closed for 60 min"] == said()
        assert Reason.OK == reason("+14155551101")

    def test_who_walks_through_the_thousands_meets_the_ten_thousand(self, clock):
        for thousand in range(5):
            pump(clock, 2, f"+1415555{thousand}")
        assert Reason.BLOCK_CLOSED == reason("+14155557100")
        assert ["8 digits, closed for 60 min"] == said()


class TestOpening:
    def test_it_opens_after_an_hour(self, clock):
        pump(clock)
        assert Reason.BLOCK_CLOSED == reason()
        clock.shift(HOUR - 1)
        assert Reason.BLOCK_CLOSED == reason()
        clock.shift(2)
        assert Reason.OK == reason()

    def test_each_time_doubles_the_last_up_to_a_day(self, clock):
        lengths = []
        for _ in range(7):
            pump(clock)
            now = timezone.now()
            assert Reason.BLOCK_CLOSED == reason(), lengths
            gate = Counter.objects.get(key=guard.gates(NEXT)[0].key)
            lengths.append(round((gate.ends_at - now.timestamp()) / HOUR))
            clock.shift(gate.ends_at - now.timestamp() + 1)
        assert [1, 2, 4, 8, 16, 24, 24] == lengths

    def test_a_quiet_day_begins_at_an_hour_again(self, clock):
        for _ in range(2):
            pump(clock)
            assert Reason.BLOCK_CLOSED == reason()
            clock.shift(26 * HOUR)
        assert 2 == said().count("9 digits, closed for 60 min")

    @pytest.mark.parametrize(
        "opened", [flow.unlock, lambda number: call_command("passwordless_unlock", number)]
    )
    def test_staff_open_it(self, clock, opened, capsys):
        pump(clock)
        assert Reason.BLOCK_CLOSED == reason()
        opened(NEXT)
        assert Reason.OK == reason()
        assert NEXT not in "".join(capsys.readouterr())
        assert 1 == AttemptEvent.objects.filter(kind=EventKind.UNLOCKED).count()


class TestWhoPasses:
    def test_a_browser_that_logged_in_before(self, clock):
        pump(clock)
        assert Reason.BLOCK_CLOSED == reason()
        assert Reason.OK == reason(who=cookie(NEXT))

    def test_but_not_with_the_cookie_of_another_number(self, clock):
        pump(clock)
        assert Reason.BLOCK_CLOSED == reason(who=cookie(f"{BLOCK}198"))

    def test_nor_with_a_forged_one(self, clock):
        pump(clock)
        forged = cookie(NEXT).cookie
        assert Reason.BLOCK_CLOSED == reason(who=Visitor(ip="203.0.113.9", cookie=forged[:-1] + "!"))

    @pytest.mark.parametrize("enforced", [True, False], ids=["limits hold", "limits are only recorded"])
    def test_unknown_numbers_are_refused_as_known_ones_where_sign_up_is_closed(
        self, clock, settings, enforced, django_user_model
    ):
        pump(clock)
        assert Reason.BLOCK_CLOSED == reason()
        numbers.link(django_user_model.objects.create_user("known"), NEXT)
        configure(settings, SIGNUP=False, LIMITS_ENFORCE=enforced, LIMITS={})
        assert Reason.BLOCK_CLOSED == reason(NEXT)
        assert Reason.BLOCK_CLOSED == reason(f"{BLOCK}198")

    def test_decoys_neither_count_nor_close(self, clock, settings):
        configure(settings, SIGNUP=False, LIMITS={})
        pump(clock, 20)
        assert Reason.OK == reason()
        assert ([], (0,)) == (said(), asked("start"))


class TestModes:
    def test_recording_only_says_so(self, clock, settings):
        configure(settings, PUMPING_GUARD="record", LIMITS={})
        pump(clock)
        assert {Reason.OK} == {outcome.reason for outcome in send(4, first=150)}
        assert ["9 digits, only noted", "8 digits, only noted"] == said()

    def test_recording_is_what_is_shipped(self, settings):
        settings.PASSWORDLESS = {"EMULATOR": True}
        from passwordless.conf import DEFAULTS

        assert "record" == DEFAULTS["PUMPING_GUARD"]

    def test_off_counts_nothing_and_says_nothing(self, clock, settings):
        configure(settings, PUMPING_GUARD=None, LIMITS={"sends_per_country": "1000/h"})
        pump(clock, 30)
        assert Reason.OK == reason()
        keys = [gate.key for gate in guard.gates(NEXT)]
        assert not Counter.objects.filter(key__in=keys).exists()
        assert [] == said() + said(EventKind.CONVERSION)

    def test_a_quiet_block_costs_no_question(self, django_assert_max_num_queries):
        counted = {gate.key: (4, 0.0) for gate in guard.gates(NEXT)}
        with django_assert_max_num_queries(0):
            guard.demand(NEXT, counted, BEGIN)


class TestCountries:
    @pytest.fixture(autouse=True)
    def _country(self, settings):
        # Recorded only, so that blocks stay open; and the country is counted.
        configure(settings, PUMPING_GUARD="record", LIMITS={"sends_per_country": "1000/h, 9000/d"})

    @pytest.fixture
    def heard(self):
        calls = []

        def receive(sender, **told):
            calls.append({name: told[name] for name in ("country", "ended", "verified")})

        signals.conversion_low.connect(receive)
        yield calls
        signals.conversion_low.disconnect(receive)

    def play(self, clock, verified, failed):
        for index in range(verified):
            log_in(f"+1212555{index:04d}")
        pump(clock, failed)

    def hear(self, capture, number=NEXT):
        with capture(execute=True):
            assert Reason.OK == reason(number)

    def test_a_low_conversion_is_told_at_twenty_sends(self, clock, heard, django_capture_on_commit_callbacks):
        self.play(clock, 6, 14)
        self.hear(django_capture_on_commit_callbacks)
        assert [{"country": "US", "ended": 20, "verified": 6}] == heard
        assert ["US: 6 of 20 verified in the last hour"] == said(EventKind.CONVERSION)

    def test_thirty_five_percent_are_enough(self, clock, heard, django_capture_on_commit_callbacks):
        self.play(clock, 7, 13)
        self.hear(django_capture_on_commit_callbacks)
        assert ([], []) == (heard, said(EventKind.CONVERSION))

    def test_nineteen_say_nothing_yet(self, clock, heard, django_capture_on_commit_callbacks):
        self.play(clock, 0, 19)
        self.hear(django_capture_on_commit_callbacks)
        assert [] == heard

    def test_it_is_told_once_an_hour(self, clock, heard, django_capture_on_commit_callbacks):
        self.play(clock, 0, 20)
        self.hear(django_capture_on_commit_callbacks)
        with django_capture_on_commit_callbacks(execute=True):
            send(60, first=200)
        assert 1 == len(heard) == len(said(EventKind.CONVERSION))
        clock.shift(LIFE)
        clock.shift(HOUR - 2 * LIFE)
        with django_capture_on_commit_callbacks(execute=True):
            send(25, first=300)
        clock.shift(LIFE)
        with django_capture_on_commit_callbacks(execute=True):
            send(5, first=400)
        assert 2 == len(heard)

    def test_a_country_is_never_closed(self, clock, settings):
        configure(settings, PUMPING_GUARD="enforce", LIMITS={"sends_per_country": "1000/h"})
        self.play(clock, 0, 30)
        assert Reason.OK == reason("+12125550100")

    def test_a_receiver_that_fails_or_dawdles_does_not_touch_the_start(self, clock, settings):
        def fail(sender, **told):
            raise RuntimeError("of the site")

        signals.conversion_low.connect(fail)
        try:
            self.play(clock, 0, 20)
            assert Reason.OK == reason()
        finally:
            signals.conversion_low.disconnect(fail)
        assert 1 == len(said(EventKind.CONVERSION))


def test_the_answer_of_a_closed_block_is_that_of_any_limit(clock, client, settings):
    pump(clock)
    numbers_of_pages = {}
    for name, number in {"closed": NEXT, "open": "+12125550100"}.items():
        configure(settings, LIMITS={"sends_per_ip": "0/h"} if name == "open" else {})
        answer = client.post("/login/", {"number": number})
        numbers_of_pages[name] = (answer.status_code, answer.headers["Retry-After"])
        assert b"Too many tries" in answer.content
    assert {(429, "3600")} == set(numbers_of_pages.values())


def test_the_gates_of_a_number_are_its_thousand_and_its_ten_thousand():
    keys = [gate.key for gate in guard.gates(NEXT)]
    assert keys == [gate.key for gate in guard.gates(f"{BLOCK}000")]
    assert keys[1:] == [gate.key for gate in guard.gates("+14155559999")][1:]
    assert keys[0] != guard.gates("+14155559999")[0].key
    assert limits.UNLIMITED > guard.CLOSED
