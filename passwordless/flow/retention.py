"""What is forgotten, and when. Runs beside logins, in small bites, and may be killed at any point."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from .. import numbers as links
from .. import phones
from ..conf import settings
from ..models import (
    AttemptEvent,
    AttemptQuerySet,
    Counter,
    PhoneNumber,
    Receipt,
    VerificationAttempt,
    tags,
)
from ..states import LIVE, EventKind, Reason, Status

CHUNK = 1000
BITE = 100
COUNTERS_KEPT = timedelta(hours=48)
RECEIPTS_KEPT = timedelta(hours=24)


@dataclass
class Pruned:
    """How many rows a prune moved, made anonymous or deleted."""

    expired: int = 0
    numbers: int = 0
    visitors: int = 0
    deleted: int = 0
    counters: int = 0
    receipts: int = 0


def prune(now: datetime, *, dry_run: bool = False) -> Pruned:
    """Expire what is overdue; forget numbers, then visitors, then attempts, by age; drop what no longer counts.

    Never touches an open attempt or a window that still counts.
    """
    overdue = VerificationAttempt.objects.overdue(now)
    numbers = _older(now, settings.NUMBER_DAYS).exclude(number="")
    visitors = _seen(_older(now, settings.VISITOR_DAYS))
    old = _older(now, settings.RETENTION_DAYS)
    # An empty count is as good as none, also where its window never ends.
    counters = Counter.objects.filter(Q(ends_at__lt=(now - COUNTERS_KEPT).timestamp()) | Q(used=0))
    receipts = Receipt.objects.filter(at__lt=now - RECEIPTS_KEPT)
    if dry_run:
        # What is overdue now will be forgotten and deleted as well, if it is that old.
        numbers = _doomed(now, settings.NUMBER_DAYS).exclude(number="")
        visitors = _seen(_doomed(now, settings.VISITOR_DAYS))
        old = _doomed(now, settings.RETENTION_DAYS)
        counted = (overdue, numbers, visitors, old, counters, receipts)
        return Pruned(*(rows.count() for rows in counted))
    return Pruned(
        expired=_expire(now),
        numbers=_forget_numbers(numbers),
        visitors=_forget_visitors(visitors),
        deleted=_delete(old, AttemptEvent.objects.filter(attempt=None, at__lt=_days_ago(now))),
        counters=_drop(counters),
        receipts=_drop(receipts),
    )


def erase(number: str) -> int:
    """Forget one person: their number (E.164) in every attempt, whoever asked, and its link to a user.

    Returns how many attempts that was. No limit is reset: counters know no number, and end by themselves.
    An attempt that is still open is expired first.
    """
    now = timezone.now()
    for attempt in VerificationAttempt.objects.filter(number=number, status__in=LIVE):
        attempt.move(Status.EXPIRED, Reason.EXPIRED, now=now)
    known = VerificationAttempt.objects.of(number)
    with transaction.atomic():
        known.update(live_number=None, user=None)
        _forget_visitors(_seen(known))
        erased = _forget_numbers(known.exclude(number=""))
        for row in PhoneNumber.objects.filter(number=number).select_related("user"):
            row.delete()
            links.end_sessions(row.user)
        AttemptEvent.objects.create(kind=EventKind.ERASED, at=now, detail=phones.mask(None))
    return erased


def _older(now: datetime, days: int) -> AttemptQuerySet:
    return VerificationAttempt.objects.older(_days_ago(now, days))


def _doomed(now: datetime, days: int) -> AttemptQuerySet:
    return VerificationAttempt.objects.doomed(now, _days_ago(now, days))


def _seen(rows: AttemptQuerySet) -> AttemptQuerySet:
    """Return those that tell of a visitor, be it only in an event: of somebody who joined, or came back."""
    told = AttemptEvent.objects.filter(attempt=OuterRef("pk")).exclude(ip=None, agent="", session="")
    return rows.filter(~Q(ip=None, agent="") | Exists(told))


def _days_ago(now: datetime, days: int | None = None) -> datetime:
    return now - timedelta(days=settings.RETENTION_DAYS if days is None else days)


def _expire(now: datetime) -> int:
    moved = 0
    overdue = VerificationAttempt.objects.overdue(now).order_by("pk")
    last = 0
    # In lists: a read that stays open while rows are written would lock SQLite.
    while chunk := list(overdue.filter(pk__gt=last)[:BITE]):
        # Together: one commit after the other without a pause would keep logins on SQLite out for seconds.
        with transaction.atomic():
            for attempt in chunk:
                moved += attempt.move(Status.EXPIRED, Reason.EXPIRED, now=now, ended_at=attempt.expires_at)
        last = chunk[-1].pk
    while keys := _some(VerificationAttempt.objects.closable(now)):
        VerificationAttempt.objects.closable(now).filter(pk__in=keys).update(live_number=None)
    return moved


def _forget_numbers(rows: AttemptQuerySet) -> int:
    """Leave an HMAC in the place of each number, which finds the row again for who knows the number."""
    forgotten = 0
    while found := dict(rows.order_by("pk").values_list("pk", "number")[:CHUNK]):
        for number in set(found.values()):
            mine = [key for key, one in found.items() if one == number]
            VerificationAttempt.objects.filter(pk__in=mine).update(number="", number_tag=tags(number)[0])
        forgotten += len(found)
    return forgotten


def _forget_visitors(rows: AttemptQuerySet) -> int:
    """Forget addresses and user agents, on attempts and on their events."""
    forgotten = 0
    while keys := _some(rows):
        AttemptEvent.objects.filter(attempt__in=keys).update(ip=None, agent="", session="")
        forgotten += VerificationAttempt.objects.filter(pk__in=keys).update(ip=None, agent="")
    return forgotten


def _delete(rows: AttemptQuerySet, loose: QuerySet[AttemptEvent]) -> int:
    deleted = 0
    while keys := _some(rows):
        AttemptEvent.objects.filter(attempt__in=keys).delete()
        deleted += VerificationAttempt.objects.filter(pk__in=keys).delete()[0]
    _drop(loose)
    return deleted


def _drop(rows: QuerySet[Any]) -> int:
    """Delete in chunks; what no longer fits, such as a window that began anew, is asked for again and kept.

    Rows that somebody holds are left for the next time: who waits for several could wait in a circle.
    """
    dropped = 0
    while keys := _some(rows):
        with transaction.atomic():
            free = rows.filter(pk__in=keys).select_for_update(skip_locked=True).order_by().values("pk")
            gone = rows.filter(pk__in=free).delete()[0]
        if not gone:
            break
        dropped += gone
    return dropped


def _some(rows: QuerySet[Any]) -> list[int]:
    return list(rows.order_by("pk").values_list("pk", flat=True)[:CHUNK])
