"""Rolling: counts what is over, once, so that no page has to read it again. For cron, as often as you like.

Only whole hours are counted whose attempts can change no more: the last of them ended 24 hours ago, and
Vonage sends its webhooks, with the price, again for so long. A day is one transaction, whose first statement
moves the mark: of two who count the same day, one finds that it was done, and who is killed goes on there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from django.db.models import QuerySet, Sum

from ..conf import settings
from ..models import Rollup, RollupMark, RollupTime, Span, VerificationAttempt, durable
from .definitions import COUNTS, KEYS, Hour, merged, times, within
from .periods import DAY, LONGEST, day_of, hour_of
from .sheet import Line, counted, split

UNSETTLED = timedelta(hours=24)
ROW = 1


@dataclass(frozen=True)
class Slice:
    """The hours of one day, or of a part of it, and the rows that they are counted into."""

    start: datetime
    end: datetime
    cells: list[Rollup]
    times: list[RollupTime]

    @property
    def asked(self) -> int:
        """Return how many requests for a code were part."""
        return sum(cell.asked for cell in self.cells)


@dataclass
class Rolled:
    """What a run did: days counted, requests in them, days left as they were, hourly rows dropped."""

    until: datetime
    days: int = 0
    asked: int = 0
    kept: int = 0
    dropped: int = 0

    def add(self, part: Slice) -> None:
        """Count one more day, if there was anything to count."""
        self.days += bool(part.cells)
        self.asked += part.asked


def roll(now: datetime) -> Rolled:
    """Count every hour that ended 24 hours before `now` (aware) and was not counted yet; drop what is old.

    To run it again changes nothing. Days are kept for good; hours for RETENTION_DAYS, and always as long as
    the longest period needs them for its edges.
    """
    until, done = hour_of(now - UNSETTLED), Rolled(_mark(now).until)
    while (mark := _mark(now)).until < until:
        part = _next(mark.until, until, now)
        if _keep(part, mark, now, until=part.end):
            done.add(part)
    RollupMark.objects.filter(pk=ROW).update(ran_at=now)
    done.until, done.dropped = mark.until, _drop(now)
    return done


def rebuild(now: datetime) -> Rolled:
    """Count again, up to the mark, the days of which all attempts still exist; then go on as `roll` does.

    A prune takes the oldest attempts first: every day after that of the oldest one is whole. That day itself
    is whole unless less is found of it than stands there. What was pruned stays as it was part.
    """
    redone, oldest = Rolled(_mark(now).until), day_of(_oldest(now))
    start = oldest
    while start < (mark := _mark(now)).until:
        part = _count(start, min(start + DAY, mark.until), now)
        if start == oldest and part.asked < _standing(part):
            redone.kept, start = 1, start + DAY
        elif _keep(part, mark, now, until=mark.until):
            redone.add(part)
            start += DAY
    rest = roll(now)
    return Rolled(rest.until, redone.days + rest.days, redone.asked + rest.asked, redone.kept, rest.dropped)


def _mark(now: datetime) -> RollupMark:
    """Return the one mark; before the first run, it stands at the beginning of the first day."""
    first = {"until": lambda: min(day_of(_oldest(now)), hour_of(now - UNSETTLED)), "ran_at": now}
    mark, _new = RollupMark.objects.get_or_create(pk=ROW, defaults=first)
    mark.until = mark.until.astimezone(UTC)
    return mark


def _oldest(now: datetime) -> datetime:
    """Return when the oldest attempt was asked for, or the present if there is none."""
    oldest = VerificationAttempt.objects.order_by("created_at").values_list("created_at", flat=True).first()
    return oldest or now


def _next(start: datetime, until: datetime, now: datetime) -> Slice:
    """Count what is left of a day, or pass over it and all the days after it on which nobody asked for a code."""
    day, ahead = day_of(start) + DAY, within(VerificationAttempt.objects.all(), start, until)
    asked = ahead.order_by("created_at").values_list("created_at", flat=True).first() or until
    return _count(start, min(day, until), now) if asked < day else Slice(start, day_of(asked), [], [])


def _count(start: datetime, end: datetime, now: datetime) -> Slice:
    """Count attempts by the hour. Outside of any transaction: what is over does not change."""
    rows = within(VerificationAttempt.objects.all(), start, end)
    hour: Any = Hour("created_at", tzinfo=UTC)
    return Slice(
        start,
        end,
        _cells(Span.HOUR, counted(rows, now, hour=hour)),
        _times(Span.HOUR, chain.from_iterable(times(rows, now, hour=hour))),
    )


def _keep(part: Slice, mark: RollupMark, now: datetime, *, until: datetime) -> bool:
    """Write a slice and move the mark on; tell whether it still stood where it was."""
    with durable():
        # First of all: to read before it would be a deadlock on SQLite, of two readers that want to write.
        mine = RollupMark.objects.filter(pk=ROW, until=mark.until)
        if not mine.update(until=until, ran_at=now):
            return False
        _replace(_of(Rollup, Span.HOUR, part.start, part.end), part.cells)
        _replace(_of(RollupTime, Span.HOUR, part.start, part.end), part.times)
        if part.end == day_of(part.end):
            _sum_up(day_of(part.start))
    return True


def _sum_up(day: datetime) -> None:
    """Write the rows of a day from those of its hours."""
    sums = {f"{name}_sum": Sum(name) for name in COUNTS}
    summed = _of(Rollup, Span.HOUR, day, day + DAY).order_by().values_list(*KEYS).annotate(**sums)
    hours = _of(RollupTime, Span.HOUR, day, day + DAY).order_by()
    spread = hours.values_list("measure", "value").annotate(times=Sum("count"))
    cells_of_day = _cells(Span.DAY, [split((day, *row), 1) for row in summed])
    times_of_day = _times(Span.DAY, [(day, *row) for row in spread])
    _replace(_of(Rollup, Span.DAY, day, day + DAY), cells_of_day)
    _replace(_of(RollupTime, Span.DAY, day, day + DAY), times_of_day)


def _replace(old: QuerySet[Any], new: list[Any]) -> None:
    old.delete()
    old.model._default_manager.bulk_create(new)


def _cells(span: Span, found: Iterable[Line]) -> list[Rollup]:
    return [
        Rollup(
            span=span, start=start, **key._asdict(), asked=counts.asked, sent=counts.sent,
            messages=counts.messages, delivered=counts.delivered, tried=counts.tried, cost=counts.cost,
        )
        for (start,), key, counts in found
    ]  # fmt: skip


def _times(span: Span, rows: Iterable[tuple[Any, ...]]) -> list[RollupTime]:
    found = merged(((start, measure, value), count) for start, measure, value, count in rows)
    return [
        RollupTime(span=span, start=start, measure=measure, value=value, count=count)
        for (start, measure, value), count in found.items()
    ]


def _of(model: Any, span: Span, start: datetime, end: datetime) -> QuerySet[Any]:
    rows: QuerySet[Any] = model.objects.filter(span=span, start__gte=start, start__lt=end)
    return rows


def _standing(part: Slice) -> int:
    """Return how many requests of these hours were counted before; the row of a day outlives those of its hours."""
    span = Span.DAY if part.end - part.start == DAY else Span.HOUR
    before = _of(Rollup, span, part.start, part.end)
    return int(before.aggregate(asked=Sum("asked", default=0))["asked"])


def _drop(now: datetime) -> int:
    """Delete the hours that no period needs, a day at a time; tell how many rows that were."""
    limit = hour_of(now) - max(timedelta(days=settings.RETENTION_DAYS), LONGEST)
    return sum(_drop_of(model, limit) for model in (Rollup, RollupTime))


def _drop_of(model: Any, limit: datetime) -> int:
    dropped, old = 0, model.objects.filter(span=Span.HOUR, start__lt=limit)
    while oldest := old.order_by("start").values_list("start", flat=True).first():
        dropped += old.filter(start__lt=day_of(oldest) + DAY).delete()[0]
    return dropped
