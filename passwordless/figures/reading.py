"""Reading: the figures of a period, from what was rolled up and, from the mark on, from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Case, IntegerField, Q, QuerySet, Subquery, Sum, Value, When

from ..models import (
    AttemptQuerySet,
    Measure,
    Receipt,
    Rollup,
    RollupMark,
    RollupTime,
    Span,
    VerificationAttempt,
)
from ..states import LIVE, Channel, Reason, Status
from .definitions import (
    COUNTS,
    FAULTS,
    KEYS,
    NEVER,
    UNASKED,
    Day,
    Hour,
    bar_reports,
    bars,
    cells,
    merged,
    times,
    within,
)
from .distribution import median, percentile
from .periods import DAY, HOUR, PERIODS, Period, day_of, end_of, hour_of
from .report import ChannelLine, CountryLine, Freshness, Health, Point, ReasonLine, Report, Totals
from .sheet import Counts, Key, grouped, split, total

Rows = QuerySet[Any, tuple[Any, ...]]

ROLLED = {f"{name}_sum": Sum(name) for name in COUNTS}
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
    """What was counted for one report: `cells` of the period alone, and what was delivered in `bars` alone."""

    cells: dict[Key, Counts] = field(default_factory=dict)
    bars: dict[datetime, Counts] = field(default_factory=dict)
    previous: Counts = field(default_factory=Counts)
    times: dict[tuple[bool, str], dict[int, int]] = field(default_factory=dict)

    def of(self, measure: Measure, *, current: bool = True) -> Mapping[int, int]:
        """Return how often each value came."""
        return self.times.get((current, measure.value), {})


def read(period: str, now: datetime) -> Report:
    """Return the figures of the last `period` (a key of PERIODS) up to the end of this hour of UTC.

    `now` is aware. Seven statements, whatever the period; also if nothing was rolled up yet. Where people log in
    meanwhile, the bars and the sums may differ by what came between two statements.
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
    bars = _live_bars(window) + (_rolled_bars(window) if rolled else [])
    return Book(
        cells=grouped(_cells(window, rolled=rolled)),
        bars=grouped((window.bar_of(start), counts) for start, counts in bars if start >= window.start),
        previous=total(counts for start, counts in bars if start < window.start),
        times=_distributions(_times(window, rolled=rolled)),
    )


def _cells(window: Window, *, rolled: bool) -> list[tuple[Key, Counts]]:
    """Return the cells of this period; by their bars too there would be thousands of what is not rolled up."""
    live = cells(_live(window.start, window), window.now)
    return [split(row, 0)[1:] for row in _with(live, _rolled_cells(window) if rolled else None)]


def _rolled_cells(window: Window) -> Rows:
    return Rollup.objects.filter(window.current).order_by().values_list(*KEYS).annotate(**ROLLED)


def _live_bars(window: Window) -> list[tuple[datetime, Counts]]:
    """Return what is not rolled up yet, with the beginning of its bar or of the period before."""
    trunc = Hour if window.period.bar == HOUR else Day
    spans: dict[str, Any] = {"side": _side("created_at", window), "bar": trunc("created_at", tzinfo=UTC)}
    rows = _live(window.before, window)
    found = [(side, bar, Counts.of(*numbers)) for side, bar, *numbers in bars(rows, **spans)]
    found += [(side, bar, Counts(delivered=read)) for side, bar, read in bar_reports(rows, **spans)]
    return [(max(bar, window.start) if side else window.before, counts) for side, bar, counts in found]


def _rolled_bars(window: Window) -> list[tuple[datetime, Counts]]:
    verified = Sum("asked", filter=OK, default=0)
    rows = Rollup.objects.filter(window.rolled).order_by().values_list("start")
    return [(start, Counts.of(*numbers)) for start, *numbers in rows.annotate(**ROLLED, right=verified)]


def _times(window: Window, *, rolled: bool) -> list[tuple[bool, str, int, int]]:
    side, rows = _side("created_at", window), _live(window.before, window)
    verify, answers = times(rows, window.now, side=side)
    return [*_with(verify, _rolled_times(window) if rolled else None), *answers]


def _rolled_times(window: Window) -> Rows:
    rows = RollupTime.objects.filter(window.rolled).annotate(side=_side("start", window)).order_by()
    return rows.values_list("side", "measure", "value").annotate(times=Sum("count"))


def _with(rows: Rows, others: Rows | None) -> Rows:
    """Return both, asked for in one statement."""
    return rows if others is None else rows.union(others, all=True)


def _live(start: datetime, window: Window) -> AttemptQuerySet:
    return within(VerificationAttempt.objects.all(), max(start, window.until), window.end)


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
