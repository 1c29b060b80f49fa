"""Attempts that are deleted with their events."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.signals import post_delete, pre_delete

from ...models import AttemptEvent, AttemptQuerySet, home
from . import bites
from .bites import attempts, locks_rows, taken
from .pace import Pace


def delete(rows: AttemptQuerySet, pace: Pace) -> int:
    """Delete attempts and their events, the oldest first; return how many attempts."""
    deleted, ahead = 0, rows
    while gone := pace.take(partial(_delete_oldest, ahead)):
        count, edge = gone
        deleted += count
        # Not from the beginning again: what is deleted there is passed over until the database has tidied up.
        ahead = rows.filter(created_at__gte=edge) if edge else ahead
    return deleted


def _delete_oldest(rows: AttemptQuerySet) -> tuple[int, datetime | None] | None:
    """Delete a batch of attempts with their events, or nothing.

    Returns how many, and when the last of them was asked for, unless another prune was faster; None if there
    is nothing left.
    """
    database = home()
    size = bites.CHUNK * bites.APART if locks_rows(database) else bites.CHUNK
    # Keys alone, and one time: to make so many times takes as long as to delete the rows.
    with taken(rows.order_by("created_at").values_list("pk", flat=True), size) as keys:
        if not keys:
            return None
        mine = _listed(keys, database)
        _remove(AttemptEvent.objects.filter(attempt__in=mine), database)
        last = attempts().filter(pk=keys[-1]).first()
        count = _remove(attempts().filter(pk__in=mine), database)
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
