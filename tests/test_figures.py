"""The figures of a period equal a recount of the rows by hand, wherever they were counted and whenever."""

from __future__ import annotations

import itertools
import random
from collections import Counter as Tally
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median

import pytest
from django.db import connections
from hypothesis import given
from hypothesis import strategies as st

from passwordless import figures, flow
from passwordless.figures import distribution
from passwordless.models import (
    AttemptEvent,
    Receipt,
    RollupMark,
    VerificationAttempt,
)
from passwordless.states import LIVE, Channel, EventKind, Reason, Status
from tests.support import configure

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 34, 56, 789, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LENGTHS = {"24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY}
PLANS = ["sms,voice", "sms", "voice,sms", "whatsapp,sms,voice"]
WORDS = ["completed", "user_rejected", "failed", "expired", "blocked", "cancelled", ""]
FAULTY = {
    "throttled",
    "invalid_request",
    "credentials",
    "forbidden",
    "no_credit",
    "provider_error",
    "unavailable",
}
STATUSES = [*Status.values, *["verified"] * 10, *["refused"] * 4, *["expired"] * 3]
REASONS = [*Reason.values, *["ok"] * 40, *[""] * 10, *["unavailable", "expired", "circuit_open"] * 4]


def moment(chance, days, now=NOW):
    """Return when somebody asks, now and then exactly on an hour or at midnight.

    Of many days only some, the edges of the periods among them: each day costs a few statements to roll up.
    """
    back = chance.uniform(0, days) if days <= 20 else chance.choice([0, 0.25, 0.5, 0.75, 0.97]) * days
    at = now - timedelta(days=back) - timedelta(seconds=chance.uniform(0, 3 * 86400) if days > 20 else 0)
    if chance.random() < 0.2:
        at = at.replace(minute=0, second=0, microsecond=0)
    if chance.random() < 0.05:
        at = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return at


def invented(chance, days):
    """Return an attempt of any status, reason and past, the improbable ones included."""
    created = moment(chance, days)
    status = chance.choice(STATUSES)
    some = chance.choice([0, 0.5, 59.999999, 60, 61.000001, -3, chance.uniform(0, 300)])
    expires = created + timedelta(seconds=chance.choice([60, 300, 600]))
    return VerificationAttempt(
        number="+12125550100",
        country=chance.choice(["US", "US", "US", "DE", "FR", ""]),
        status=status,
        reason="" if status == "verified" and chance.random() < 0.1 else chance.choice(REASONS),
        vendor=chance.choice(["", "v2 202"]),
        api=chance.choice(["v2", "v2", "v1", "decoy", ""]),
        channels=chance.choice(PLANS),
        proved_by=chance.choice(Channel.values) if status == "verified" else "",
        sends=chance.choice([0, 1, 1, 1, 2, 3]),
        guesses=chance.choice([0, 1, 2, 3]),
        repeats=chance.choice([1, 2, 40]) if status == "refused" else 1,
        price=chance.choice([None, Decimal(chance.randrange(10**9)).scaleb(-8)]),
        currency=chance.choice(["EUR", "EUR", "", "USD"]),
        took=chance.choice([None, 0, 9, 10, chance.randrange(9000)]),
        created_at=created,
        sent_at=chance.choice([None, created]),
        claimed_at=chance.choice([None, created, created + timedelta(seconds=200)]),
        expires_at=expires,
        open_until=expires,
        ended_at=None if status in LIVE else created + timedelta(seconds=some),
    )


def people(seed, days, count=200):
    """Write attempts with what Vonage reported of them."""
    chance = random.Random(seed)
    made = VerificationAttempt.objects.bulk_create(invented(chance, days) for _ in range(count))
    AttemptEvent.objects.bulk_create(
        AttemptEvent(attempt=attempt, at=attempt.created_at, kind=kind, vendor=word, reason=why)
        for attempt in made
        for kind, word, why in [
            *[("reported", chance.choice(WORDS), "")] * chance.randrange(3),
            *[("hidden", "", chance.choice(["unavailable", "throttled", "unroutable"]))]
            * chance.randrange(2),
        ]
    )
    return chance


def recounted(period, now=NOW):
    """Return the report as somebody would tell it who looks at each row."""
    end = now.replace(minute=0, second=0, microsecond=0) + HOUR
    start, before = end - LENGTHS[period], end - 2 * LENGTHS[period]
    rows = list(VerificationAttempt.objects.prefetch_related("events"))
    current = [row for row in rows if start <= row.created_at < end]
    previous = [row for row in rows if before <= row.created_at < start]
    mark = RollupMark.objects.first()
    return figures.Report(
        period=period,
        start=start,
        end=end,
        before=before,
        current=totals(current, now),
        previous=totals(previous, now),
        series=series(period, start, end, current, now),
        countries=countries(current, now),
        plans=plans(current, now),
        refusals=refusals(current, now),
        health=health(current, now),
        fresh=figures.Freshness(mark.until if mark else None, mark.ran_at if mark else None),
    )


def asked(rows):
    return sum(row.repeats for row in rows)


def sent(rows):
    return [row for row in rows if row.sends]


def verified(rows, now):
    return [row for row in rows if (Status.VERIFIED, Reason.OK) == row.state(now)]


def cost(rows):
    return sum((row.price for row in rows if row.price and row.currency != "USD"), Decimal(0))


def was_read(row):
    words = [event.vendor for event in row.events.all() if event.kind == EventKind.REPORTED]
    return row.status == "verified" or bool({"completed", "user_rejected"} & set(words))


def seconds(row):
    return max(int((row.ended_at - row.created_at).total_seconds() // 1), 0)


def totals(rows, now):
    times = [seconds(row) for row in verified(rows, now)]
    return figures.Totals(
        asked=asked(rows),
        sent=len(sent(rows)),
        messages=sum(row.sends for row in rows),
        delivered=len([row for row in sent(rows) if was_read(row)]),
        tried=len([row for row in rows if row.guesses]),
        verified=len(verified(rows, now)),
        median_seconds=median(times) if times else None,
        cost=cost(rows),
    )


def series(period, start, end, rows, now):
    edges = [start]
    while edges[-1] < end:
        step = edges[-1] + HOUR
        while period != "24h" and step.hour and step < end:
            step += HOUR
        edges.append(step)
    bars = []
    for left, right in itertools.pairwise(edges):
        inside = [row for row in rows if left <= row.created_at < right]
        bars.append(figures.Point(left, len(sent(inside)), len(verified(inside, now))))
    return bars


def countries(rows, now):
    lines = []
    for name in {row.country for row in rows}:
        mine = [row for row in rows if row.country == name]
        numbers = (asked(mine), len(sent(mine)), len(verified(mine, now)), cost(mine))
        lines.append(figures.CountryLine(name, *numbers))
    return sorted(lines, key=lambda line: (-line.sent, -line.asked, line.country))


def plans(rows, now):
    lines = []
    for name in {row.plan[0] for row in rows}:
        mine = [row for row in rows if row.plan[0] == name]
        won = verified(mine, now)
        fell = [row for row in won if row.proved_by not in ("", name)]
        lines.append(figures.ChannelLine(Channel(name), len(sent(mine)), len(won), len(fell)))
    return sorted(lines, key=lambda line: (-line.sent, line.channel))


def refusals(rows, now):
    counts = Tally()
    for row in rows:
        if row.state(now)[0] not in LIVE and not verified([row], now):
            counts[row.state(now)] += row.repeats
    lines = [figures.ReasonLine(status, reason, count) for (status, reason), count in counts.items()]
    return sorted(lines, key=lambda line: (-line.count, line.status, line.reason))


def health(rows, now):
    answers = [answer(row, now) for row in rows]
    took = sorted(one for one in answers if isinstance(one, int))
    turned_down = [row for row in rows if row.status == "refused"]
    last = Receipt.objects.order_by("-at").first()
    return figures.Health(
        asked_of_provider=len([one for one in answers if one is not None]),
        errors=answers.count("never") + asked(row for row in turned_down if row.reason in FAULTY),
        p95_ms=took[-(-len(took) * 95 // 100) - 1] if took else None,
        circuit_refusals=asked(row for row in turned_down if row.reason in ("circuit_open", "crowded")),
        last_webhook_at=last.at if last else None,
    )


def answer(row, now):
    """Return how long Vonage took to answer (ms, in tens), "never", or None if it was not asked."""
    status, reason = row.state(now)
    hidden = [event.reason for event in row.events.all() if event.kind == EventKind.HIDDEN]
    given_up = status is Status.EXPIRED or (status is Status.STARTING and reason is Reason.UNAVAILABLE)
    pretended = row.api == "decoy" and not row.sends
    if given_up and row.sent_at is None and row.api != "decoy":
        return "never"
    if pretended and FAULTY & set(hidden):
        return "never"
    unasked = status is Status.REFUSED and reason in ("circuit_open", "crowded")
    if row.took is None or unasked or (pretended and not hidden):
        return None
    return row.took // 10 * 10


every_period = pytest.mark.parametrize("period", LENGTHS)
some_people = pytest.mark.parametrize(
    ("period", "seed"), [("24h", 1), ("24h", 2), ("7d", 3), ("7d", 4), ("30d", 5), ("90d", 6)]
)


def days_for(period):
    return LENGTHS[period].days * 2 + 3


@some_people
class TestFiguresAreARecount:
    def test_without_a_roll_up(self, period, seed):
        people(seed, days_for(period))
        assert recounted(period) == figures.read(period, NOW)

    def test_with_all_that_can_be_rolled_up(self, period, seed):
        people(seed, days_for(period))
        figures.roll(NOW)
        assert recounted(period) == figures.read(period, NOW)

    def test_with_a_roll_up_long_ago(self, period, seed):
        people(seed, days_for(period))
        figures.roll(NOW - LENGTHS[period] / 2 - 3 * HOUR)
        assert recounted(period) == figures.read(period, NOW)

    def test_with_a_roll_up_of_the_period_before(self, period, seed):
        people(seed, days_for(period))
        figures.roll(NOW - LENGTHS[period] * 1.3)
        assert recounted(period) == figures.read(period, NOW)

    def test_after_what_is_not_rolled_up_yet_has_changed(self, period, seed):
        chance = people(seed, days_for(period))
        until = figures.roll(NOW).until
        for row in VerificationAttempt.objects.filter(created_at__gte=until):
            row.price, row.currency = Decimal(chance.randrange(10**9)).scaleb(-8), "EUR"
            row.status, row.ended_at, row.repeats = "verified", NOW, 1
            row.save()
        assert recounted(period) == figures.read(period, NOW)


@every_period
class TestEdges:
    @pytest.mark.parametrize("hour", [0, 1, 12, 23])
    def test_any_hour_of_the_day_and_the_very_beginning_of_it(self, period, hour):
        now = NOW.replace(hour=hour, minute=0, second=0, microsecond=0)
        people(hour, days_for(period))
        VerificationAttempt.objects.filter(created_at__gt=now).delete()
        figures.roll(now)
        assert recounted(period, now) == figures.read(period, now)

    def test_a_moment_of_another_zone_is_the_same_moment(self, period):
        people(7, days_for(period))
        there = NOW.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo)
        assert figures.read(period, NOW) == figures.read(period, there)

    def test_a_mark_of_the_future_as_after_a_clock_that_went_wrong(self, period):
        now = NOW.replace(hour=23)
        people(8, days_for(period))
        VerificationAttempt.objects.filter(status__in=LIVE).delete()
        figures.roll(now + 3 * DAY)
        assert recounted(period, now) == figures.read(period, now)

    def test_a_connection_of_another_zone_counts_by_the_same_clock(self, period, zone_of_connection):
        people(8, days_for(period))
        figures.roll(NOW)
        assert recounted(period) == figures.read(period, NOW)

    def test_nothing_at_all(self, period):
        told = figures.read(period, NOW)
        assert recounted(period) == told
        none = (
            told.current.conversion,
            told.current.median_seconds,
            told.current.cost_per_login,
            told.health.p95_ms,
        )
        assert (None, None, None, None) == none
        assert ({(0, 0)}, [], []) == ({(p.sent, p.verified) for p in told.series}, told.countries, told.plans)

    def test_nothing_but_what_is_too_old(self, period):
        people(1, 3)
        VerificationAttempt.objects.update(created_at=NOW - 2 * LENGTHS[period] - HOUR)
        figures.roll(NOW)
        assert 0 == figures.read(period, NOW).current.asked + figures.read(period, NOW).previous.asked

    def test_bars_leave_no_gap(self, period):
        told = figures.read(period, NOW)
        step = HOUR if period == "24h" else DAY
        gaps = {
            right.start - left.start for left, right in zip(told.series[1:], told.series[2:], strict=False)
        }
        assert ({step}, told.start) == (gaps, told.series[0].start)
        assert told.end - step <= told.series[-1].start < told.end

    def test_a_bounded_number_of_statements(self, period, django_assert_num_queries):
        people(1, days_for(period), count=50)
        with django_assert_num_queries(7):
            figures.read(period, NOW)
        figures.roll(NOW)
        with django_assert_num_queries(7):
            figures.read(period, NOW)

    def test_what_was_pruned_is_still_told(self, period, settings):
        configure(settings, RETENTION_DAYS=2)
        people(5, days_for(period))
        figures.roll(NOW)
        told = figures.read(period, NOW)
        assert 0 < flow.prune(NOW).deleted
        assert told == figures.read(period, NOW)


@pytest.fixture
def zone_of_connection(monkeypatch):
    """Let the database keep times in a zone that is half an hour off; SQLite keeps them as text."""

    def forget():
        for name in ("timezone", "timezone_name"):
            connections["default"].__dict__.pop(name, None)
        connections["default"].ensure_timezone()

    monkeypatch.setitem(connections["default"].settings_dict, "TIME_ZONE", "Asia/Kolkata")
    forget()
    yield
    monkeypatch.undo()
    forget()


class OneRow:
    """A row, and what is told of the day in which it was asked for."""

    def told(self, reported="", hidden="", **values):
        created = values.pop("created_at", NOW - HOUR)
        facts = {
            "status": "expired", "reason": "expired", "channels": "sms,voice", "api": "v2", "country": "US",
            "created_at": created, "sent_at": created, "expires_at": created + DAY, "open_until": created,
            "ended_at": created + timedelta(seconds=9.9),
        }  # fmt: skip
        attempt = VerificationAttempt.objects.create(**{**facts, **values})
        if reported:
            attempt.events.create(kind="reported", at=created, vendor=reported, channel="sms")
        if hidden:
            attempt.events.create(kind="hidden", at=created, reason=hidden)
        return figures.read("24h", NOW)


class TestDefinitions(OneRow):
    """Each line of the definitions, on one row."""

    def test_what_a_limit_refused_counts_as_often_as_it_was_asked(self):
        told = self.told(status="refused", reason="limit_ip", repeats=40, api="")
        assert (40, 0, 0) == (told.current.asked, told.current.sent, told.health.asked_of_provider)
        assert [figures.ReasonLine(Status.REFUSED, Reason.LIMIT_IP, 40)] == told.refusals

    def test_a_decoy_is_asked_for_but_never_sent(self):
        told = self.told(api="decoy", took=120)
        assert (1, 0, 0) == (told.current.asked, told.current.sent, told.health.asked_of_provider)

    def test_a_right_code_was_delivered_without_a_report(self):
        told = self.told(status="verified", reason="ok", sends=1, guesses=1, proved_by="sms").current
        assert (1, 1, 1, 9) == (told.delivered, told.tried, told.verified, told.median_seconds)

    @pytest.mark.parametrize(
        ("word", "count"), [("completed", 1), ("user_rejected", 1), ("expired", 0), ("failed", 0)]
    )
    def test_a_report_tells_whether_a_message_was_read(self, word, count):
        assert count == self.told(reported=word, sends=1).current.delivered

    def test_a_report_makes_nothing_sent_that_was_not(self):
        assert 0 == self.told(reported="completed", sends=0).current.delivered

    def test_a_right_code_of_somebody_who_may_not_log_in_is_no_login(self):
        told = self.told(status="verified", reason="staff_user", sends=1)
        assert (1, 0, None) == (told.current.delivered, told.current.verified, told.current.median_seconds)
        assert [figures.ReasonLine(Status.VERIFIED, Reason.STAFF_USER, 1)] == told.refusals

    @pytest.mark.parametrize("claimed", [None, NOW - HOUR])
    @pytest.mark.parametrize("status", ["starting", "pending", "checking"])
    def test_what_is_overdue_has_expired(self, status, claimed):
        told = self.told(status=status, reason="", claimed_at=claimed, expires_at=NOW, ended_at=None)
        assert [figures.ReasonLine(Status.EXPIRED, Reason.EXPIRED, 1)] == told.refusals

    def test_what_is_being_checked_has_not(self):
        told = self.told(status="checking", reason="ok", claimed_at=NOW, expires_at=NOW, ended_at=None)
        assert [] == told.refusals

    def test_what_waits_has_not_ended(self):
        assert [] == self.told(status="pending", reason="ok", ended_at=None).refusals

    def test_cost_is_euro(self):
        self.told(price=Decimal("0.05"), currency="EUR", status="verified", reason="ok")
        self.told(price=Decimal("0.02"), currency="")
        told = self.told(price=Decimal(7), currency="USD").current
        assert (Decimal("0.07"), Decimal("0.07")) == (told.cost, told.cost_per_login)

    def test_a_call_that_proves_after_a_message_is_a_fall_back(self):
        self.told(status="verified", reason="ok", sends=2, proved_by="voice")
        told = self.told(status="verified", reason="ok", sends=1, proved_by="sms")
        assert [figures.ChannelLine(Channel.SMS, 2, 2, 1)] == told.plans

    @pytest.mark.parametrize(
        ("country", "low"),
        [((20, 7), False), ((20, 6), True), ((19, 0), False), ((100, 35), False), ((100, 34), True)],
    )
    def test_low_is_under_35_of_100_at_20_sent(self, country, low):
        assert low == figures.CountryLine("US", 200, *country, Decimal(0)).low


class TestHealth(OneRow):
    @pytest.mark.parametrize("reason", sorted(FAULTY))
    def test_a_fault_of_theirs_or_of_our_account_is_an_error(self, reason):
        told = self.told(status="refused", reason=reason, took=87, sent_at=None).health
        assert (1, 1, 80) == (told.asked_of_provider, told.errors, told.p95_ms)

    @pytest.mark.parametrize("reason", ["unroutable", "blocked", "unsupported_network", "not_permitted"])
    def test_a_number_that_cannot_be_served_is_none(self, reason):
        told = self.told(status="refused", reason=reason, took=87, sent_at=None).health
        assert (1, 0) == (told.asked_of_provider, told.errors)

    @pytest.mark.parametrize("reason", ["circuit_open", "crowded"])
    def test_vonage_is_not_asked_while_the_circuit_is_open(self, reason):
        told = self.told(status="refused", reason=reason, took=0, sent_at=None, repeats=1).health
        assert (0, 0, 1) == (told.asked_of_provider, told.errors, told.circuit_refusals)

    def test_a_lost_start_is_an_error_without_a_time(self):
        told = self.told(sent_at=None, took=None).health
        assert (1, 1, None) == (told.asked_of_provider, told.errors, told.p95_ms)

    def test_a_start_without_an_answer_is_an_error_before_it_has_expired(self):
        told = self.told(status="starting", reason="unavailable", sent_at=None, ended_at=None).health
        assert (1, 1) == (told.asked_of_provider, told.errors)

    def test_one_that_is_still_being_sent_is_not(self):
        told = self.told(status="starting", reason="", sent_at=None, ended_at=None).health
        assert (0, 0) == (told.asked_of_provider, told.errors)

    def test_a_fault_that_was_hidden_is_an_error_after_the_row_has_forgotten_it(self):
        told = self.told(api="decoy", took=87, hidden="throttled").health
        assert (1, 1, None) == (told.asked_of_provider, told.errors, told.p95_ms)

    def test_a_refusal_of_the_number_that_was_hidden_is_none(self):
        told = self.told(api="decoy", took=87, hidden="unroutable").health
        assert (1, 0, 80) == (told.asked_of_provider, told.errors, told.p95_ms)

    def test_what_was_sent_before_it_was_hidden_was_asked_for(self):
        told = self.told(api="decoy", took=87, sends=1).health
        assert (1, 0, 80) == (told.asked_of_provider, told.errors, told.p95_ms)

    def test_the_last_webhook(self):
        Receipt.objects.create(token_id="one", at=NOW - HOUR)
        Receipt.objects.create(token_id="two", at=NOW - 2 * HOUR)
        assert NOW - HOUR == figures.read("7d", NOW).health.last_webhook_at


class TestDistribution:
    @given(st.lists(st.integers(0, 50), min_size=1))
    def test_the_median_is_that_of_the_values(self, values):
        assert median(values) == distribution.median(Tally(values))

    @given(st.lists(st.integers(0, 50), min_size=1), st.integers(1, 100))
    def test_a_percentile_is_the_least_that_so_many_do_not_exceed(self, values, share):
        least = min(one for one in values if sum(v <= one for v in values) * 100 >= share * len(values))
        assert least == distribution.percentile(Tally(values), share)

    def test_there_is_none_of_nothing(self):
        assert (None, None) == (distribution.median({}), distribution.percentile({}, 95))


def test_another_period_is_an_error():
    with pytest.raises(KeyError):
        figures.read("1y", NOW)
