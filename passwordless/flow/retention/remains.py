"""What no longer counts: windows that are over, tokens that nobody would accept again, events of no attempt."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import QuerySet

from ...models import AttemptEvent, Counter, Receipt, home, together
from . import bites
from .ages import days_ago
from .pace import Pace

COUNTERS_KEPT = timedelta(hours=48)
RECEIPTS_KEPT = timedelta(hours=24)


def ended_counters(now: datetime) -> QuerySet[Counter]:
    """Return those whose window ended long ago, in the order of an index."""
    return Counter.objects.filter(ends_at__lt=(now - COUNTERS_KEPT).timestamp()).order_by("ends_at")


def empty_counters(now: datetime) -> QuerySet[Counter]:
    """Return the others that count nothing: as good as none, also where their window never ends."""
    return Counter.objects.filter(ends_at__gte=(now - COUNTERS_KEPT).timestamp(), used=0)


def receipts(now: datetime) -> QuerySet[Receipt]:
    """Return those of tokens that ended long ago, in the order of an index."""
    return Receipt.objects.filter(at__lt=now - RECEIPTS_KEPT).order_by("at")


def loose_events(now: datetime) -> QuerySet[AttemptEvent]:
    """Return those of no attempt that are as old as attempts get, in the order of an index."""
    return AttemptEvent.objects.filter(attempt=None, at__lt=days_ago(now)).order_by("at")


def drop(rows: QuerySet[Any], pace: Pace) -> int:
    """Delete the first until there are none, or only such as somebody holds; return how many."""
    return pace.total(partial(_drop_first, rows.using(home())))


def drop_listed(rows: QuerySet[Any], pace: Pace) -> int:
    """Delete those that are there now, and return how many: of what logins make without end, no last one is found."""
    rows = rows.using(home())
    keys = list(rows.values_list("pk", flat=True))
    starts = range(0, len(keys), bites.CHUNK)
    return sum(pace.take(partial(_drop, rows, keys[start : start + bites.CHUNK])) for start in starts)


def _drop_first(rows: QuerySet[Any]) -> int:
    return _drop(rows, list(rows.values_list("pk", flat=True)[: bites.CHUNK]))


def _drop(rows: QuerySet[Any], keys: list[Any]) -> int:
    """Delete a chunk; what no longer fits, such as a window that began anew, is kept.

    Rows that somebody holds are left for the next time: who waits for several could wait in a circle.
    """
    if not keys:
        return 0
    with together():
        free = rows.filter(pk__in=keys).select_for_update(skip_locked=True).order_by().values("pk")
        return rows.filter(pk__in=free).order_by().delete()[0]
