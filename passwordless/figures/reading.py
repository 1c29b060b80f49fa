"""Reading: the figures of a period, from what was rolled up and, from the mark on, from the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Case, IntegerField, Q, Subquery, Sum, Value, When

from ..models import Measure, Receipt, Rollup, RollupMark, RollupTime, Span, VerificationAttempt
from ..states import LIVE, Channel, Reason, Status
from .definitions import COUNTS, FAULTS, KEYS, NEVER, UNASKED, Day, Hour, merged, times, within
from .distribution import median, percentile
from .periods import DAY, HOUR, PERIODS, Period, day_of, end_of, hour_of
from .report import ChannelLine, CountryLine, Freshness, Health, Point, ReasonLine, Report, Totals
from .sheet import Counts, Key, counted, grouped, split, total

OK = Q(status=Status.VERIFIED, reason=Reason.OK)


@dataclass(frozen=True)
class Window:
    """A period at a moment, and up to when its attempts are rolled up."""

    period: Period
    before: datetime
    start: datetime
    end: datetime
    until: datetime
    now: datetime

    @property
    def rolled(self) -> Q:
        """Return which rows of the roll-up make up both periods."""
        return self.covered(self.before, self.start) | self.current

    @property
    def current(self) -> Q:
        """Return which rows of the roll-up make up this period."""
        return self.covered(self.start, self.end)

    def covered(self, start: datetime, end: datetime) -> Q:
        """Return the days that lie wholly between both, and the hours at the edges."""
        end = max(min(end, self.until), start)
        first, last = day_of(start + DAY - HOUR), day_of(end)
        if self.period.bar == HOUR or first > last:
            return _spans(Span.HOUR, start, end)
        days = _spans(Span.DAY, first, last)
        return _spans(Span.HOUR, start, first) | days | _spans(Span.HOUR, last, end)

    def bar_of(self, moment: datetime) -> datetime:
        """Return the beginning of the bar that holds `moment`; nothing of it lies before the period."""
        bar = hour_of(moment) if self.period.bar == HOUR else day_of(moment)
        return max(bar, self.start)


@dataclass
class Book:
    """What was counted for one report."""

    cells: dict[Key, Counts] = field(default_factory=dict)
    bars: dict[datetime, Counts] = field(default_factory=dict)
    previous: Counts = field(default_factory=Counts)
    times: dict[tuple[bool, str], dict[int, int]] = field(default_factory=dict)

    def of(self, measure: Measure, *, current: bool = True) -> Mapping[int, int]:
        """Return how often each value came."""
        return self.times.get((current, measure.value), {})


def read(period: str, now: datetime) -> Report:
    """Return the figures of the last `period` (a key of PERIODS) up to the end of this hour of UTC.

    `now` is aware. Seven statements, whatever the period; five if nothing was rolled up yet.
    Raises KeyError for another period.
    """
    last = Receipt.objects.order_by("-at").values_list("at", flat=True)[:1]
    mark = RollupMark.objects.annotate(heard=Subquery(last)).order_by("pk").first()
    window = _window(PERIODS[period], mark, now)
    book = _book(window, rolled=mark is not None)
    return Report(
        period=period,
        start=window.start,
        end=window.end,
        before=window.before,
        current=_totals(total(book.bars.values()), book.of(Measure.VERIFY)),
        previous=_totals(book.previous, book.of(Measure.VERIFY, current=False)),
        series=_series(book, window),
        countries=_countries(book),
        plans=_plans(book),
        refusals=_refusals(book),
        health=_health(book, mark.heard if mark else last.first()),
        fresh=Freshness(mark.until if mark else None, mark.ran_at if mark else None),
    )


def _window(period: Period, mark: RollupMark | None, now: datetime) -> Window:
    end = end_of(now)
    start = end - period.length
    before = start - period.length
    return Window(period, before, start, end, mark.until.astimezone(UTC) if mark else before, now)


def _book(window: Window, *, rolled: bool) -> Book:
    lines = [*_live_cells(window)]
    bars = [(start, counts) for start, _key, counts in lines] + (_rolled_bars(window) if rolled else [])
    kept = [(key, counts) for start, key, counts in lines if start >= window.start]
    return Book(
        cells=grouped(kept + (_rolled_cells(window) if rolled else [])),
        bars=grouped((window.bar_of(start), counts) for start, counts in bars if start >= window.start),
        previous=total(counts for start, counts in bars if start < window.start),
        times=_distributions([*_live_times(window), *(_rolled_times(window) if rolled else [])]),
    )


def _live_cells(window: Window) -> Iterator[tuple[datetime, Key, Counts]]:
    """Return the cells of what is not rolled up yet, with the beginning of their bar or of the period before."""
    trunc = Hour if window.period.bar == HOUR else Day
    spans: dict[str, Any] = {"side": _side("created_at", window), "bar": trunc("created_at", tzinfo=UTC)}
    for (side, bar), key, counts in counted(_live(window), window.now, **spans):
        yield (max(bar, window.start) if side else window.before), key, counts


def _live_times(window: Window) -> list[tuple[bool, str, int, int]]:
    return [*times(_live(window), window.now, side=_side("created_at", window))]


def _live(window: Window) -> Any:
    return within(VerificationAttempt.objects.all(), max(window.before, window.until), window.end)


def _rolled_cells(window: Window) -> list[tuple[Key, Counts]]:
    sums = {f"{name}_sum": Sum(name) for name in COUNTS}
    rows = Rollup.objects.filter(window.current).order_by().values_list(*KEYS).annotate(**sums)
    return [split(row, 0)[1:] for row in rows]


def _rolled_bars(window: Window) -> list[tuple[datetime, Counts]]:
    sums = {f"{name}_sum": Sum(name) for name in COUNTS}
    verified = Sum("asked", filter=OK, default=0)
    rows = Rollup.objects.filter(window.rolled).order_by().values_list("start")
    return [(start, Counts.of(*numbers)) for start, *numbers in rows.annotate(**sums, right=verified)]


def _rolled_times(window: Window) -> list[tuple[bool, str, int, int]]:
    rows = RollupTime.objects.filter(window.rolled).annotate(side=_side("start", window)).order_by()
    return [*rows.values_list("side", "measure", "value").annotate(times=Sum("count"))]


def _distributions(
    rows: list[tuple[bool, str, int, int]],
) -> dict[tuple[bool, str], dict[int, int]]:
    names = {(bool(side), measure) for side, measure, _value, _count in rows}
    return {
        name: merged((value, count) for side, measure, value, count in rows if (bool(side), measure) == name)
        for name in names
    }


def _side(column: str, window: Window) -> Case:
    """Return 1 for what belongs to the period, 0 for what belongs to the one before it."""
    within_it = When(**{f"{column}__gte": window.start}, then=Value(1))
    return Case(within_it, default=Value(0), output_field=IntegerField())


def _spans(span: Span, start: datetime, end: datetime) -> Q:
    return Q(span=span, start__gte=start, start__lt=end)


def _totals(counts: Counts, seconds: Mapping[int, int]) -> Totals:
    return Totals(
        asked=counts.asked,
        sent=counts.sent,
        messages=counts.messages,
        delivered=counts.delivered,
        tried=counts.tried,
        verified=counts.verified,
        median_seconds=median(seconds),
        cost=counts.cost,
    )


def _series(book: Book, window: Window) -> list[Point]:
    """Return a bar for each hour or day, those without attempts included."""
    points, start = [], window.start
    while start < window.end:
        counts = book.bars.get(start, Counts())
        points.append(Point(start, counts.sent, counts.verified))
        floor = hour_of(start) if window.period.bar == HOUR else day_of(start)
        start = floor + window.period.bar
    return points


def _countries(book: Book) -> list[CountryLine]:
    """Return them by what was sent, most first."""
    sums = grouped((key.country, counts) for key, counts in book.cells.items())
    lines = [CountryLine(name, one.asked, one.sent, one.verified, one.cost) for name, one in sums.items()]
    return sorted(lines, key=lambda line: (-line.sent, -line.asked, line.country))


def _plans(book: Book) -> list[ChannelLine]:
    """Return the channels that were tried first, by what was sent."""
    sums = grouped((key.first, counts) for key, counts in book.cells.items())
    fell = grouped((key.first, counts) for key, counts in book.cells.items() if _fell_back(key))
    lines = [
        ChannelLine(Channel(name), one.sent, one.verified, fell.get(name, Counts()).verified)
        for name, one in sums.items()
        if name in Channel.values
    ]
    return sorted(lines, key=lambda line: (-line.sent, line.channel))


def _fell_back(key: Key) -> bool:
    return bool(key.proved_by) and key.proved_by != key.first


def _refusals(book: Book) -> list[ReasonLine]:
    """Return how requests ended that let nobody in, by how many they are; what still waits has not ended."""
    ended = {key: one for key, one in book.cells.items() if key.status not in LIVE and not key.verified}
    sums = grouped(((key.status, key.reason), counts) for key, counts in ended.items())
    lines = [ReasonLine(Status(status), Reason(why), one.asked) for (status, why), one in sums.items()]
    return sorted(lines, key=lambda line: (-line.count, line.status, line.reason))


def _health(book: Book, heard: datetime | None) -> Health:
    answers = book.of(Measure.ANSWER)
    refused = [(key.reason, one.asked) for key, one in book.cells.items() if key.status == Status.REFUSED]
    told = {value: count for value, count in answers.items() if value != NEVER}
    return Health(
        asked_of_provider=sum(answers.values()),
        errors=answers.get(NEVER, 0) + sum(count for reason, count in refused if reason in FAULTS),
        p95_ms=percentile(told, 95),
        circuit_refusals=sum(count for reason, count in refused if reason in UNASKED),
        last_webhook_at=heard,
    )
