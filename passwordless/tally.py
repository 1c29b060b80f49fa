"""Where counts are kept: in the database, by one statement for all buckets of a request, or the coarse ones
in Redis, for a site that has it. Nothing that stops guessing or sending to a number ever depends on a cache.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from django.db import connections, router
from django.db.models import Case, F, Value, When

from .conf import settings
from .models import Counter
from .states import Reason

if TYPE_CHECKING:
    from limits.storage import Storage

Counted = dict[str, tuple[int, float]]
"""By key: how many, and when the window ends (Unix time)."""

REST = 10.0
"""Seconds for which a store that failed is not asked again."""

QUICK = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}
"""Seconds: a store that is slow must not make a login slow."""

logger = logging.getLogger("passwordless")


class Bucket(NamedTuple):
    """At most `limit` in `window` seconds, counted from the first."""

    key: str
    limit: int
    window: float
    reason: Reason
    coarse: bool = False
    """Whether it may be counted in a cache: what belongs to one number may not."""
    firm: bool = False
    """Whether it holds even where limits are only recorded."""
    former: tuple[str, ...] = ()
    """The key of the same bucket under the secret keys that are being rotated out."""


def count(wanted: Sequence[Bucket], now: float, change: int = 1, clear: Collection[Bucket] = ()) -> Counted:
    """Change each bucket by one, set those of `clear` to zero, and return what each holds now.

    Must run inside a transaction. Rows are taken in the order of their keys, so that two requests never
    wait for each other.
    """
    coarse = [bucket for bucket in wanted if bucket.coarse]
    counted = _in_store(coarse, change) if coarse and settings.LIMITS_STORAGE else {}
    rest = {bucket.key: bucket for bucket in [*wanted, *clear] if bucket.key not in counted}
    chosen = sorted(rest.values(), key=lambda bucket: bucket.key)
    _carry_over(chosen, now)
    return counted | (_in_rows(chosen, now, change, {bucket.key for bucket in clear}) if chosen else {})


def end(keys: Sequence[str], now: float) -> float | None:
    """Return when the last window ends (Unix time) of those in rows that run and hold something, or None."""
    connection = connections[router.db_for_read(Counter)]
    quote, places = connection.ops.quote_name, ", ".join(["%s"] * len(keys))
    condition = f"{quote('key')} IN ({places}) AND {quote('used')} > 0 AND {quote('ends_at')} > %s"
    table, end = quote(Counter._meta.db_table), quote("ends_at")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT MAX({end}) FROM {table} WHERE {condition}", [*keys, now])  # noqa: S608 - ours
        found: tuple[float | None] = cursor.fetchone()
    return found[0]


def give_back_stored(taken: Sequence[Bucket]) -> None:
    """Take back from the store what a rollback of the database does not."""
    coarse = [bucket for bucket in taken if bucket.coarse]
    if coarse and settings.LIMITS_STORAGE:
        _in_store(coarse, -1)


def _in_rows(chosen: Sequence[Bucket], now: float, change: int, clear: Collection[str]) -> Counted:
    connection = connections[router.db_for_write(Counter)]
    if connection.vendor not in ("sqlite", "postgresql"):
        return _row_by_row(chosen, now, change, clear)
    statement = _upsert(connection.ops.quote_name(Counter._meta.db_table), len(chosen), len(clear))
    # Only counting begins a window: what is taken back or looked at leaves one that is over.
    first, begins = max(change, 0), change > 0
    values = [
        value for bucket in chosen for value in (bucket.key, first, now + bucket.window if begins else now)
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values, now, *sorted(clear), change, change, now])
        return {key: (used, ends_at) for key, used, ends_at in cursor.fetchall()}


@lru_cache(maxsize=64)
def _upsert(table: str, count: int, cleared: int) -> str:
    rows = ", ".join(["(%s, %s, %s)"] * count)
    clear = f"WHEN {table}.key IN ({', '.join(['%s'] * cleared)}) THEN 0 " if cleared else ""
    # The only pieces put into the text are our own table's name and fixed patterns.
    return (
        f"INSERT INTO {table} (key, used, ends_at) VALUES {rows} ON CONFLICT (key) DO UPDATE SET "  # noqa: S608
        f"used = CASE WHEN {table}.ends_at <= %s THEN excluded.used {clear}"
        f"WHEN {table}.used + %s < 0 THEN 0 ELSE {table}.used + %s END, "
        f"ends_at = CASE WHEN {table}.ends_at <= %s THEN excluded.ends_at ELSE {table}.ends_at END "
        "RETURNING key, used, ends_at"
    )


def _row_by_row(chosen: Sequence[Bucket], now: float, change: int, clear: Collection[str]) -> Counted:
    """Count on databases without an upsert that answers: one locked row after the other."""
    counted = {}
    for bucket in chosen:
        ends_at = now + bucket.window if change > 0 else now
        Counter.objects.get_or_create(key=bucket.key, defaults={"used": 0, "ends_at": ends_at})
        row = Counter.objects.select_for_update().get(key=bucket.key)
        if row.ends_at <= now:
            row.used, row.ends_at = 0, ends_at
        row.used = 0 if bucket.key in clear else max(row.used + change, 0)
        row.save(update_fields=["used", "ends_at"])
        counted[bucket.key] = (row.used, row.ends_at)
    return counted


def _carry_over(chosen: Sequence[Bucket], now: float) -> None:
    """While a secret key is being rotated out, go on counting where it left off."""
    renamed = {former: bucket.key for bucket in chosen for former in bucket.former}
    if not renamed:
        return
    # A write that finds nothing, because SQLite lets no transaction write that began by reading.
    Counter.objects.filter(key="").update(used=0)
    running = Counter.objects.select_for_update().filter(key__in=renamed, ends_at__gt=now)
    for row in running.order_by("key"):
        known = Counter.objects.filter(key=renamed[row.key])
        # Processes with the old key and with the new one may run side by side for a while.
        ends_at = Case(When(ends_at__lt=row.ends_at, then=Value(row.ends_at)), default="ends_at")
        if known.filter(ends_at__gt=now).update(used=F("used") + row.used, ends_at=ends_at):
            row.delete()
        else:
            known.delete()
            Counter.objects.filter(key=row.key).update(key=renamed[row.key])


def _in_store(coarse: Sequence[Bucket], change: int) -> Counted:
    """Count in the store that the site named; return nothing if it fails, so that the rows count instead."""
    failures = _failures()
    try:
        store = _stores.get(settings.LIMITS_STORAGE)
        return {bucket.key: _hit(store, bucket, change) for bucket in coarse} if store else {}
    except failures:
        logger.warning("The store of the limits does not answer; the database counts instead.")
        _stores.rest(settings.LIMITS_STORAGE)
        return {}


def _failures() -> tuple[type[Exception], ...]:
    """Return what the library raises. It imports itself in a circle, so only one thread may be the first."""
    with _importing:
        from limits.errors import ConfigurationError, StorageError
    return ConfigurationError, StorageError


def _hit(store: Storage, bucket: Bucket, change: int) -> tuple[int, float]:
    used = store.incr(bucket.key, int(bucket.window), change)
    if used < 0:
        # The window ended, or was forgotten: what is taken back opens no further place in the next one.
        store.incr(bucket.key, int(bucket.window), -change)
        used = 0
    # Asked only where it matters, which spares a round trip for each bucket that is not full.
    ends_at = store.get_expiry(bucket.key) if used >= bucket.limit else time.time() + bucket.window
    return used, ends_at


class Stores:
    """One store an address, made when it is first needed; one that failed rests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, Storage] = {}
        self._resting: dict[str, float] = {}

    def get(self, address: str) -> Storage | None:
        """Return the store at this address (of the `limits` library), or None while it rests."""
        if time.monotonic() < self._resting.get(address, 0):
            return None
        with self._lock:
            if address not in self._made:
                from limits.storage import storage_from_string

                quick = {} if address.startswith("memory") else QUICK
                self._made[address] = storage_from_string(address, wrap_exceptions=True, **quick)  # type: ignore[assignment]
            return self._made[address]

    def rest(self, address: str) -> None:
        """Leave this store alone for a while."""
        self._resting[address] = time.monotonic() + REST


_stores = Stores()
_importing = threading.Lock()
