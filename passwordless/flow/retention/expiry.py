"""Attempts whose time has passed are expired, and numbers set free whose requests are over at Vonage."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from ...models import AttemptQuerySet, together
from ...states import Reason, Status
from .bites import attempts, taken
from .pace import Pace

BITE = 100
"""Moves of one transaction, each of which is a statement or two."""


def expire(now: datetime, pace: Pace) -> int:
    """Move what is overdue to where time has moved it already, and free numbers; return how many were moved."""
    # In lists: a read that stays open while rows are written would lock SQLite.
    keys, moved = list(attempts().overdue(now).values_list("pk", flat=True)), 0
    while keys:
        chunk, keys = keys[:BITE], keys[BITE:]
        moved += pace.take(partial(_expire_some, chunk, now))
    # By the index of those few that hold a number.
    closable = attempts().closable(now).filter(live_number__gt="").order_by("live_number")
    pace.total(partial(_free_some, closable))
    return moved


def _expire_some(keys: list[int], now: datetime) -> int:
    overdue = list(attempts().overdue(now).filter(pk__in=keys).order_by("pk"))
    # Together: one commit after the other without a pause would keep logins on SQLite out for seconds.
    with together():
        return sum(
            attempt.move(Status.EXPIRED, Reason.EXPIRED, now=now, ended_at=attempt.expires_at)
            for attempt in overdue
        )


def _free_some(rows: AttemptQuerySet) -> int:
    with taken(rows.values_list("pk", flat=True)) as keys:
        return attempts().filter(pk__in=keys).update(live_number=None)
