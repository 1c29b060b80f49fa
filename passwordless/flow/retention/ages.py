"""Which attempts are old enough, and in what stretches they are passed over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q

from ...conf import settings
from ...models import AttemptQuerySet
from .bites import attempts

REACH = 20_000
"""Rows that one look passes over: a read that lasts would keep writers on SQLite out."""


def days_ago(now: datetime, days: int | None = None) -> datetime:
    """Return the moment so many days before `now`, by default as many as attempts are kept."""
    return now - timedelta(days=settings.RETENTION_DAYS if days is None else days)


def older(now: datetime, days: int) -> AttemptQuerySet:
    """Return ended ones of that age that hold no number.

    Not by IS NULL: SQLite would take the index of live numbers, in which nearly all rows have none.
    """
    free = attempts().ended().exclude(live_number__isnull=False)
    return free.filter(created_at__lt=days_ago(now, days))


def doomed(now: datetime, days: int) -> AttemptQuerySet:
    """Return those of that age that a prune at `now` would come to, after it has expired what is overdue."""
    return attempts().doomed(now, days_ago(now, days))


def stretches(moment: datetime) -> Iterator[Q]:
    """Yield conditions that part what is from before `moment` by its age, few enough for one look at a time."""
    times = attempts().filter(created_at__lt=moment).order_by("created_at")
    ahead, after = times.values_list("created_at", flat=True), Q()
    while edge := next(iter(ahead.filter(after)[REACH - 1 : REACH]), None):
        yield after & Q(created_at__lte=edge)
        after = Q(created_at__gt=edge)
    yield after & Q(created_at__lt=moment)
