"""The pumping guard: a block of numbers from which no code comes back is closed, or only noted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.http import HttpResponse
from django.utils import timezone

from passwordless import devices, flow, guard, limits, numbers, signals
from passwordless.flow.unlock import unlock_block
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


def places(kind=EventKind.PUMPING):
    return list(AttemptEvent.objects.filter(kind=kind).order_by("pk").values_list("country", flat=True))


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
        assert (["US: 1,000 numbers, closed for 60 min"], ["US"]) == (said(), places())

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
        assert ["US: 1,000 numbers, closed for 60 min"] == said()

    def test_it_is_closed_while_a_secret_key_is_rotated_out(self, clock, settings):
        pump(clock)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "the newest of the keys, of the tests"
        assert [Reason.BLOCK_CLOSED] * 2 == [reason(), reason()]
        assert ["US: 1,000 numbers, closed for 60 min"] == said()


class TestBlocks:
    def test_another_block_stays_open(self, clock):
        pump(clock)
        assert Reason.BLOCK_CLOSED == reason()
        assert Reason.OK == reason("+12125550100")

    def test_a_success_elsewhere_in_ten_thousand_leaves_the_thousand_closed(self, clock):
        log_in("+14155551100")
        pump(clock)
        assert Reason.BLOCK_CLOSED == reason()
        assert ["US: 1,000 numbers, closed for 60 min"] == said()
        assert Reason.OK == reason("+14155551101")

    def test_who_walks_through_the_thousands_meets_the_ten_thousand(self, clock):
        for thousand in range(5):
            pump(clock, 2, f"+1415555{thousand}")
        assert Reason.BLOCK_CLOSED == reason("+14155557100")
        assert ["US: 10,000 numbers, closed for 60 min"] == said()


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
        assert 2 == said().count("US: 1,000 numbers, closed for 60 min")

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
        assert ["US: 1,000 numbers, only noted", "US: 10,000 numbers, only noted"] == said()

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
        assert ["US"] == places(EventKind.CONVERSION)

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


class TestListing:
    """Counters know blocks by HMAC only; what is listed comes from the events, by the gates that are shut."""

    def block(self, **changes):
        told = {"digits": BLOCK, "size": 1000, "country": "US"} | changes
        [one] = guard.closed(timezone.now())
        return told, {name: getattr(one, name) for name in told}

    def test_nothing_is_closed_at_first(self):
        assert [] == guard.closed(BEGIN)

    def test_a_closed_block_is_listed_with_country_size_and_times(self, clock):
        pump(clock)
        reason()
        closed_at = timezone.now()
        clock.shift(60)
        event = AttemptEvent.objects.get(kind=EventKind.PUMPING)
        until = closed_at + timedelta(hours=1)
        wanted, found = self.block(event=event.pk, since=closed_at, until=until)
        assert wanted == found

    def test_ten_thousand_numbers_are_listed_as_such(self, clock):
        for thousand in range(5):
            pump(clock, 2, f"+1415555{thousand}")
        reason("+14155557100")
        wanted, found = self.block(digits="+1415555", size=10_000)
        assert wanted == found

    def test_its_digits_are_in_no_word_that_the_lists_show(self, clock):
        pump(clock)
        reason()
        event = AttemptEvent.objects.get(kind=EventKind.PUMPING)
        shown = f"{event} {event.detail} {event.vendor} {event.agent}"
        assert (True, False) == (BLOCK in event.block, any(part in shown for part in ("415", "555")))

    def test_it_leaves_the_list_when_it_opens(self, clock):
        pump(clock)
        reason()
        clock.shift(HOUR - 1)
        assert 1 == len(guard.closed(timezone.now()))
        clock.shift(1)
        assert [] == guard.closed(timezone.now())

    def test_the_longest_closing_stays_on_the_list_to_its_end(self, clock):
        for _ in range(6):
            pump(clock)
            reason()
            [block] = guard.closed(timezone.now())
            clock.shift((block.until - timezone.now()).total_seconds() - 1)
            assert [block] == guard.closed(timezone.now())
            clock.shift(2)
        assert 2 * guard.LONGEST >= (block.until - block.since).total_seconds() == guard.LONGEST

    def test_closed_twice_it_is_listed_once_by_the_newest_event(self, clock):
        pump(clock)
        reason()
        clock.shift(HOUR + 1)
        pump(clock)
        reason()
        newest = AttemptEvent.objects.filter(kind=EventKind.PUMPING).latest("pk")
        assert [newest.pk] == [block.event for block in guard.closed(timezone.now())]

    def test_what_is_only_noted_is_not_closed(self, clock, settings):
        configure(settings, PUMPING_GUARD="record", LIMITS={})
        pump(clock)
        reason()
        assert 2 == len(said())
        assert [] == guard.closed(timezone.now())

    def test_it_is_listed_while_a_secret_key_is_rotated_out(self, clock, settings):
        pump(clock)
        reason()
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "the newest of the keys, of the tests"
        assert [BLOCK] == [block.digits for block in guard.closed(timezone.now())]

    def test_it_costs_two_statements_and_one_when_all_is_quiet(self, clock, django_assert_num_queries):
        with django_assert_num_queries(1):
            guard.closed(BEGIN)
        for start in (BLOCK, "+14155556", "+14155557"):
            guard.close(self.ready(start), timezone.now())
        with django_assert_num_queries(2):
            assert 3 == len(guard.closed(timezone.now()))

    def test_a_block_without_a_known_number_is_taken_for_a_thousand(self):
        guard.close(self.ready(BLOCK), BEGIN)
        wanted, found = self.block(country="")
        assert wanted == found
        assert (["1,000 numbers, closed for 60 min"], [""]) == (said(), places())

    def test_its_country_is_read_from_no_words(self, clock):
        pump(clock)
        reason()
        AttemptEvent.objects.update(detail="FR: whatever somebody writes here one day")
        wanted, found = self.block()
        assert wanted == found

    def ready(self, block):
        """Fill the gate of a block without any attempt."""
        ends = (timezone.now() + timedelta(hours=1)).timestamp()
        Counter.objects.create(key=guard.gates(f"{block}000")[0].key, used=guard.ENOUGH, ends_at=ends)
        return block


class TestUnlockingOneBlock:
    @pytest.fixture
    def boss(self, django_user_model):
        return django_user_model.objects.create_superuser("boss")

    def close(self, clock, block=BLOCK):
        pump(clock, block=block)
        reason(f"{block}199")
        return AttemptEvent.objects.filter(kind=EventKind.PUMPING).latest("pk")

    def test_it_opens_that_block_and_says_who_did_it(self, clock, boss):
        event = self.close(clock)
        assert unlock_block(event, boss)
        assert (Reason.OK, []) == (reason(), guard.closed(timezone.now()))
        done = AttemptEvent.objects.get(kind=EventKind.UNLOCKED)
        assert (boss, "US: 1,000 numbers", timezone.now(), None) == (
            done.staff, done.detail, done.at, done.attempt,
        )  # fmt: skip
        assert ["US"] == places(EventKind.UNLOCKED)

    def test_other_blocks_stay_closed(self, clock, boss):
        event, other = self.close(clock), self.close(clock, "+14155560")
        assert unlock_block(event, boss)
        assert [other.pk] == [block.event for block in guard.closed(timezone.now())]

    def test_nothing_else_that_is_counted_changes(self, clock, boss):
        event = self.close(clock)
        before = support.counters()
        unlock_block(event, boss)
        for gate in guard.gates(NEXT):
            del before[gate.key]
        assert before == support.counters()

    def test_the_larger_block_is_not_closed_in_its_place(self, clock, boss):
        unlock_block(self.close(clock), boss)
        assert {Reason.OK} == {reason(f"{BLOCK}{last}") for last in range(150, 154)}
        assert ["US: 1,000 numbers, closed for 60 min"] == said()

    def test_the_larger_block_stays_closed_if_it_is(self, clock, boss):
        self.close(clock)
        assert Reason.BLOCK_CLOSED == reason("+14155557100")
        larger, smaller = guard.closed(timezone.now())
        assert unlock_block(AttemptEvent.objects.get(pk=smaller.event), boss)
        assert [larger] == guard.closed(timezone.now())
        assert Reason.BLOCK_CLOSED == reason()

    def test_pumped_again_it_is_closed_for_longer(self, clock, boss):
        unlock_block(self.close(clock), boss)
        assert Reason.BLOCK_CLOSED == send(6, first=150)[-1].reason
        assert "US: 1,000 numbers, closed for 120 min" == said()[-1]

    def test_of_two_who_press_at_once_one_opens_it(self, clock, boss):
        event = self.close(clock)
        assert [True, False] == [unlock_block(event, boss), unlock_block(event, boss)]
        assert 1 == AttemptEvent.objects.filter(kind=EventKind.UNLOCKED).count()

    def test_what_an_open_block_has_counted_is_kept(self, clock, boss):
        event = self.close(clock)
        clock.shift(HOUR + 1)
        send(3)
        before = support.counters()
        assert not unlock_block(event, boss)
        assert before == support.counters()

    def test_it_opens_while_a_secret_key_is_rotated_out(self, clock, boss, settings):
        event = self.close(clock)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "the newest of the keys, of the tests"
        assert unlock_block(event, boss)
        assert Reason.OK == reason()

    @pytest.mark.parametrize("kind", [kind for kind in EventKind if kind != EventKind.PUMPING])
    def test_no_other_event_opens_a_block(self, clock, boss, kind):
        """Whatever an event of another kind may hold in the place of the block."""
        event = self.close(clock)
        AttemptEvent.objects.filter(pk=event.pk).update(kind=kind)
        event.refresh_from_db()
        assert not unlock_block(event, boss)
        assert Reason.BLOCK_CLOSED == reason()
