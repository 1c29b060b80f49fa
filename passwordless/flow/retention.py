"""What is forgotten, and when. Runs beside logins, in small bites, and may be killed at any point."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..conf import settings
from ..models import AttemptEvent, Counter, VerificationAttempt
from ..states import Reason, Status

CHUNK = 1000
COUNTERS_KEPT = timedelta(hours=48)


@dataclass
class Pruned:
    """How many rows a prune moved or deleted."""

    expired: int = 0
    deleted: int = 0
    counters: int = 0


def prune(now: datetime, *, dry_run: bool = False) -> Pruned:
    """Expire what is overdue, delete attempts older than RETENTION_DAYS and counters that ended two days ago.

    Never touches an open attempt or a window that still counts.
    """
    overdue = VerificationAttempt.objects.overdue(now)
    old = VerificationAttempt.objects.older(now - timedelta(days=settings.RETENTION_DAYS))
    over = Counter.objects.filter(ends_at__lt=(now - COUNTERS_KEPT).timestamp())
    if dry_run:
        return Pruned(overdue.count(), old.count(), over.count())
    done = Pruned(expired=_expire(now))
    while keys := list(old.order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        AttemptEvent.objects.filter(attempt__in=keys).delete()
        done.deleted += VerificationAttempt.objects.filter(pk__in=keys).delete()[0]
    while keys := list(over.order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        # Asked again: a window may have begun anew since.
        done.counters += over.filter(pk__in=keys).delete()[0]
    return done


def _expire(now: datetime) -> int:
    moved = 0
    for attempt in VerificationAttempt.objects.overdue(now).order_by("pk").iterator(chunk_size=CHUNK):
        moved += attempt.move(Status.EXPIRED, Reason.EXPIRED, now=now, ended_at=attempt.expires_at)
    while keys := list(VerificationAttempt.objects.closable(now).values_list("pk", flat=True)[:CHUNK]):
        VerificationAttempt.objects.closable(now).filter(pk__in=keys).update(live_number=None)
    return moved
