"""One prune, from what is overdue to what no longer counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ...conf import settings
from . import remains, traces
from .ages import doomed, older
from .bites import attempts
from .deletion import delete
from .expiry import expire
from .pace import Pace


@dataclass
class Pruned:
    """How many rows a prune moved, made anonymous or deleted."""

    expired: int = 0
    numbers: int = 0
    visitors: int = 0
    deleted: int = 0
    counters: int = 0
    receipts: int = 0


def prune(now: datetime, *, dry_run: bool = False, rest: Callable[[float], None] = time.sleep) -> Pruned:
    """Expire what is overdue; forget numbers, then visitors, then attempts, by age; drop what no longer counts.

    Never touches an open attempt or a window that still counts. Between its bites it rests by `rest`, which is
    given seconds, so that others get in.
    """
    if dry_run:
        return _counted(now)
    pace = Pace(rest)
    expired = expire(now, pace)
    numbers, visitors = traces.forget(now, pace)
    deleted = delete(older(now, settings.RETENTION_DAYS), pace)
    remains.drop(remains.loose_events(now), pace)
    counters = remains.drop(remains.ended_counters(now), pace)
    counters += remains.drop_listed(remains.empty_counters(now), pace)
    receipts = remains.drop(remains.receipts(now), pace)
    return Pruned(expired, numbers, visitors, deleted, counters, receipts)


def _counted(now: datetime) -> Pruned:
    """Return what a prune would do. What is overdue now will be forgotten and deleted as well, if it is that old."""
    return Pruned(
        expired=attempts().overdue(now).count(),
        numbers=traces.numbered(doomed(now, settings.NUMBER_DAYS)).count(),
        visitors=traces.seen(doomed(now, settings.VISITOR_DAYS)).count(),
        deleted=doomed(now, settings.RETENTION_DAYS).count(),
        counters=remains.ended_counters(now).count() + remains.empty_counters(now).count(),
        receipts=remains.receipts(now).count(),
    )
