"""What is forgotten, and when. Runs beside logins, in small bites, and may be killed at any point."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, router, transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.signals import post_delete, pre_delete
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

CHUNK = 500
"""Rows of one write, where a write keeps all others out."""

APART = 4
"""How many times as many where only the rows themselves are held."""

REACH = 20_000
"""Rows that one look passes over: a read that lasts would keep writers on SQLite out."""

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
    # Not by exclude(), for which no database uses an index.
    numbers = _older(now, settings.NUMBER_DAYS).filter(number__gt="")
    visitors = _seen(_older(now, settings.VISITOR_DAYS))
    old = _older(now, settings.RETENTION_DAYS)
    # An empty count is as good as none, also where its window never ends.
    counters = Counter.objects.filter(Q(ends_at__lt=(now - COUNTERS_KEPT).timestamp()) | Q(used=0))
    receipts = Receipt.objects.filter(at__lt=now - RECEIPTS_KEPT)
    if dry_run:
        # What is overdue now will be forgotten and deleted as well, if it is that old.
        numbers = _doomed(now, settings.NUMBER_DAYS).filter(number__gt="")
        visitors = _seen(_doomed(now, settings.VISITOR_DAYS))
        old = _doomed(now, settings.RETENTION_DAYS)
        counted = (overdue, numbers, visitors, old, counters, receipts)
        return Pruned(*(rows.count() for rows in counted))
    _forget_blocks(now)
    return Pruned(
        expired=_expire(now),
        numbers=_forget_numbers(numbers),
        visitors=sum(map(_forget_visitors, _parts(visitors, _days_ago(now, settings.VISITOR_DAYS)))),
        deleted=_delete(old, AttemptEvent.objects.filter(attempt=None, at__lt=_days_ago(now))),
        counters=_drop(counters),
        receipts=_drop(receipts),
    )


def _forget_blocks(now: datetime) -> None:
    """Forget the digits of blocks that were closed, as long after that as numbers are kept."""
    loose = AttemptEvent.objects.filter(attempt=None, at__lt=_days_ago(now, settings.NUMBER_DAYS))
    loose.exclude(block="").update(block="")


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
        erased = _forget_numbers(VerificationAttempt.objects.filter(number=number))
        for row in PhoneNumber.objects.filter(number=number).select_related("user"):
            row.delete()
            links.end_sessions(row.user)
        AttemptEvent.objects.create(kind=EventKind.ERASED, at=now, detail=phones.mask(None))
    return erased


def _older(now: datetime, days: int) -> AttemptQuerySet:
    """Return ended ones of that age that hold no number.

    Not by IS NULL: SQLite would take the index of live numbers, in which nearly all rows have none.
    """
    free = VerificationAttempt.objects.ended().exclude(live_number__isnull=False)
    return free.filter(created_at__lt=_days_ago(now, days))


def _doomed(now: datetime, days: int) -> AttemptQuerySet:
    return VerificationAttempt.objects.doomed(now, _days_ago(now, days))


def _seen(rows: AttemptQuerySet) -> AttemptQuerySet:
    """Return those that tell of a visitor, be it only in an event: of somebody who joined, or came back."""
    told = AttemptEvent.objects.filter(attempt=OuterRef("pk")).exclude(ip=None, agent="", session="")
    return rows.filter(~Q(ip=None, agent="") | Exists(told))


def _days_ago(now: datetime, days: int | None = None) -> datetime:
    return now - timedelta(days=settings.RETENTION_DAYS if days is None else days)


def _expire(now: datetime) -> int:
    moved, overdue = 0, VerificationAttempt.objects.overdue(now)
    # In lists: a read that stays open while rows are written would lock SQLite.
    keys = list(overdue.values_list("pk", flat=True))
    while keys:
        chunk, keys = list(overdue.filter(pk__in=keys[:BITE])), keys[BITE:]
        # Together: one commit after the other without a pause would keep logins on SQLite out for seconds.
        with transaction.atomic():
            for attempt in chunk:
                moved += attempt.move(Status.EXPIRED, Reason.EXPIRED, now=now, ended_at=attempt.expires_at)
    # By the index of those few that hold a number.
    closable = VerificationAttempt.objects.closable(now).filter(live_number__gt="").order_by("live_number")
    while _free_some(closable):
        pass
    return moved


def _free_some(rows: AttemptQuerySet) -> list[int]:
    with _taken(rows.values_list("pk", flat=True), CHUNK) as keys:
        VerificationAttempt.objects.filter(pk__in=keys).update(live_number=None)
    return keys


def _forget_numbers(rows: AttemptQuerySet) -> int:
    """Leave an HMAC in the place of each number, which finds the row again for who knows the number."""
    forgotten, last = 0, ""
    while found := _forget_some_numbers(rows.filter(number__gte=last)):
        forgotten, last = forgotten + len(found), found[-1][1]
    return forgotten


def _forget_some_numbers(rows: AttemptQuerySet) -> list[tuple[int, str, str]]:
    """Forget the first, in the order of an index that passes over all those that were forgotten before."""
    known = rows.order_by("number").values_list("pk", "number", "number_tag")
    with _taken(known, CHUNK) as found:
        newest = {number: tags(number)[0] for _pk, number, _tag in found}
        tagged = [pk for pk, number, tag in found if tag == newest[number]]
        VerificationAttempt.objects.filter(pk__in=tagged).update(number="")
        _tag_anew([(pk, newest[number]) for pk, number, tag in found if tag != newest[number]])
    return found


def _tag_anew(stale: list[tuple[int, str]]) -> None:
    """Forget the numbers of rows whose tag is of an older key: soon nobody could find them by it."""
    for tag in {tag for _pk, tag in stale}:
        mine = [pk for pk, one in stale if one == tag]
        VerificationAttempt.objects.filter(pk__in=mine).update(number="", number_tag=tag)


def _forget_visitors(rows: AttemptQuerySet) -> int:
    """Forget addresses and user agents, on attempts and on their events."""
    forgotten = 0
    while gone := _forget_some_visitors(rows):
        forgotten += gone
    return forgotten


def _forget_some_visitors(rows: AttemptQuerySet) -> int:
    # In no order, since SQLite would pass over the whole table in that order.
    with _taken(rows.values_list("pk", flat=True), CHUNK) as keys:
        AttemptEvent.objects.filter(attempt__in=keys).update(ip=None, agent="", session="")
        return VerificationAttempt.objects.filter(pk__in=keys).update(ip=None, agent="")


def _parts(rows: AttemptQuerySet, moment: datetime) -> Iterator[AttemptQuerySet]:
    """Yield the rows from before `moment` by their age, few enough for one look at a time."""
    times = VerificationAttempt.objects.filter(created_at__lt=moment).order_by("created_at")
    ahead, after = times.values_list("created_at", flat=True), Q()
    while edge := next(iter(ahead.filter(after)[REACH - 1 : REACH]), None):
        yield rows.filter(after, created_at__lte=edge)
        after = Q(created_at__gt=edge)
    yield rows.filter(after)


def _delete(rows: AttemptQuerySet, loose: QuerySet[AttemptEvent]) -> int:
    deleted, ahead = 0, rows
    while gone := _delete_oldest(ahead):
        count, edge = gone
        deleted += count
        # Not from the beginning again: what is deleted there is passed over until the database has tidied up.
        ahead = rows.filter(created_at__gte=edge) if edge else ahead
    _drop(loose)
    return deleted


def _delete_oldest(rows: AttemptQuerySet) -> tuple[int, datetime | None] | None:
    """Delete a batch of attempts with their events, or nothing.

    Returns how many, and when the last of them was asked for, unless another prune was faster; None if there
    is nothing left.
    """
    database = router.db_for_write(VerificationAttempt)
    size = CHUNK * APART if _locks_rows(database) else CHUNK
    # Keys alone, and one time: to make so many times takes as long as to delete the rows.
    with _taken(rows.order_by("created_at").values_list("pk", flat=True), size) as keys:
        if not keys:
            return None
        mine = _listed(keys, database)
        _remove(AttemptEvent.objects.filter(attempt__in=mine), database)
        last = VerificationAttempt.objects.using(database).filter(pk=keys[-1]).first()
        count = _remove(VerificationAttempt.objects.filter(pk__in=mine), database)
    return count, last.created_at if last else None


def _listed(keys: list[int], database: str) -> Any:
    """Return keys for `__in`: where there are arrays as one value, since thousands take longer than the rows."""
    if connections[database].vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::bigint[])", [keys])
    return keys


def _remove(rows: QuerySet[Any], database: str) -> int:
    """Delete rows whose events are gone, one by one only where the site wants to know of each; return how many."""
    if _awaited(rows.model):
        return rows.using(database).delete()[1].get(rows.model._meta.label, 0)
    return rows._raw_delete(database)


def _awaited(model: type[Model]) -> bool:
    """Return whether a receiver of the site hears of deletions, or a model of the site refers to these rows."""
    heard = pre_delete.has_listeners(model) or post_delete.has_listeners(model)
    others = {
        field.related_model for field in model._meta.get_fields(include_hidden=True) if field.auto_created
    }
    return heard or bool(others - {AttemptEvent, None})


@contextmanager
def _taken(rows: QuerySet[Any, Any], size: int) -> Iterator[list[Any]]:
    """Give the first rows for the length of one transaction, which holds them.

    Those that somebody else holds are left for the next time: who waits for several could wait in a circle.
    Whoever writes an event locks its attempt, so that none is written to those that are taken. SQLite locks
    no rows, and lets no transaction write that began by reading.
    """
    database = router.db_for_write(rows.model)
    locks = _locks_rows(database)
    with transaction.atomic(using=database) if locks else nullcontext():
        found = list((rows.select_for_update(skip_locked=True) if locks else rows)[:size])
        with transaction.atomic(using=database, savepoint=False):
            yield found


def _locks_rows(database: str) -> bool:
    return bool(connections[database].features.has_select_for_update_skip_locked)


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
