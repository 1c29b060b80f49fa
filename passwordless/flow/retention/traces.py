"""What tells of people on attempts and events: numbers, visitors, and the digits of blocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import Exists, OuterRef, Q

from ...conf import settings
from ...models import AttemptEvent, AttemptQuerySet, home, tags
from .ages import days_ago, older, stretches
from .bites import attempts, taken
from .pace import Pace

Bite = Callable[[AttemptQuerySet], "list[Any]"]
"""Forgets the first of some rows and returns their places in the order of the rows."""


def forget(now: datetime, pace: Pace) -> tuple[int, int]:
    """Forget numbers, then visitors, each by its age; return how many attempts lost which."""
    _forget_blocks(now)
    numbers = forget_numbers(numbered(older(now, settings.NUMBER_DAYS)), pace)
    visited, moment = seen(older(now, settings.VISITOR_DAYS)), days_ago(now, settings.VISITOR_DAYS)
    return numbers, sum(forget_visitors(visited.filter(stretch), pace) for stretch in stretches(moment))


def numbered(rows: AttemptQuerySet) -> AttemptQuerySet:
    """Return those that hold a number still. Not by exclude(), for which no database uses an index."""
    return rows.filter(number__gt="")


def seen(rows: AttemptQuerySet) -> AttemptQuerySet:
    """Return those that tell of a visitor, be it only in an event: of somebody who joined, or came back."""
    told = AttemptEvent.objects.filter(attempt=OuterRef("pk")).exclude(ip=None, agent="", session="")
    return rows.filter(~Q(ip=None, agent="") | Exists(told))


def forget_numbers(rows: AttemptQuerySet, pace: Pace) -> int:
    """Leave an HMAC in the place of each number, which finds the row again for who knows the number.

    In the order of an index that passes over all those that were forgotten before.
    """
    return _forget(rows, "number", _forget_some_numbers, pace)


def forget_visitors(rows: AttemptQuerySet, pace: Pace) -> int:
    """Forget addresses and user agents, on attempts and on their events."""
    return _forget(rows, "created_at", _forget_some_visitors, pace)


def _forget(rows: AttemptQuerySet, by: str, bite: Bite, pace: Pace) -> int:
    """Go on from where the last bite ended: to pass over what it forgot takes as long as to forget it."""
    forgotten, ahead = 0, rows.order_by(by)
    while places := pace.take(partial(bite, ahead)):
        forgotten, ahead = forgotten + len(places), rows.order_by(by).filter(**{f"{by}__gte": places[-1]})
    return forgotten


def _forget_some_numbers(rows: AttemptQuerySet) -> list[str]:
    with taken(rows.values_list("pk", "number", "number_tag")) as found:
        newest = {number: tags(number)[0] for _pk, number, _tag in found}
        tagged = [pk for pk, number, tag in found if tag == newest[number]]
        attempts().filter(pk__in=tagged).update(number="")
        _tag_anew([(pk, newest[number]) for pk, number, tag in found if tag != newest[number]])
    return [number for _pk, number, _tag in found]


def _tag_anew(stale: list[tuple[int, str]]) -> None:
    """Forget the numbers of rows whose tag is of an older key: soon nobody could find them by it."""
    for tag in {tag for _pk, tag in stale}:
        mine = [pk for pk, one in stale if one == tag]
        attempts().filter(pk__in=mine).update(number="", number_tag=tag)


def _forget_some_visitors(rows: AttemptQuerySet) -> list[datetime]:
    with taken(rows.values_list("pk", "created_at")) as found:
        keys = [pk for pk, _at in found]
        AttemptEvent.objects.using(home()).filter(attempt__in=keys).update(ip=None, agent="", session="")
        attempts().filter(pk__in=keys).update(ip=None, agent="")
    return [at for _pk, at in found]


def _forget_blocks(now: datetime) -> None:
    """Forget the digits of blocks that were closed, as long after that as numbers are kept."""
    loose = AttemptEvent.objects.filter(attempt=None, at__lt=days_ago(now, settings.NUMBER_DAYS))
    loose.exclude(block="").update(block="")
