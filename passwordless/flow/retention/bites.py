"""How much is written at once, and where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.db import connections, transaction
from django.db.models import QuerySet

from ...models import AttemptQuerySet, VerificationAttempt, home

CHUNK = 500
"""Rows of one write, where a write keeps all others out."""

APART = 4
"""How many times as many where only the rows themselves are held."""


def attempts() -> AttemptQuerySet:
    """Return all attempts where they are written: what a replica shows may be done already."""
    return VerificationAttempt.objects.using(home())


def locks_rows(database: str) -> bool:
    """Return whether who writes holds rows there, and not all of the database."""
    return bool(connections[database].features.has_select_for_update_skip_locked)


@contextmanager
def taken(rows: QuerySet[Any, Any], size: int | None = None) -> Iterator[list[Any]]:
    """Give the first rows for the length of one transaction, which holds them.

    Those that somebody else holds are left for the next time: who waits for several could wait in a circle.
    Whoever writes an event locks its attempt, so that none is written to those that are taken. SQLite locks
    no rows, and lets no transaction write that began by reading.
    """
    database = home()
    locks = locks_rows(database)
    with transaction.atomic(using=database) if locks else nullcontext():
        found = list((rows.select_for_update(skip_locked=True) if locks else rows)[: size or CHUNK])
        with transaction.atomic(using=database, savepoint=False):
            yield found
