"""How often: what is counted, how many are allowed, and the one statement that counts them all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address

from django.db import connections, router
from django.utils.crypto import salted_hmac

from .conf import settings
from .models import Counter
from .outcomes import Visitor
from .states import Reason

DEFAULTS: dict[str, str | None] = {
    "sends_per_number": "5/h, 10/d",
    "sends_per_session": "5/h",
    "sends_per_ip": "10/h, 30/d",
    "calls_per_number": "2/d",
    "fails_per_number": "10/h, 20/d",
    "fails_per_ip": "30/10min, 100/d",
}
REASONS: dict[str, Reason] = {
    "sends_per_number": Reason.LIMIT_NUMBER,
    "sends_per_session": Reason.LIMIT_SESSION,
    "sends_per_ip": Reason.LIMIT_IP,
    "calls_per_number": Reason.LIMIT_CALLS,
    "fails_per_number": Reason.LIMIT_FAILS,
    "fails_per_ip": Reason.LIMIT_FAILS_IP,
}
UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
RATE = re.compile(r"\s*([0-9]+)\s*/\s*([0-9]*)\s*(s|min|h|d)\s*\Z")
UNLIMITED = 2**31 - 1


@dataclass(frozen=True)
class Bucket:
    """At most `limit` in `window` seconds, counted from the first."""

    key: str
    limit: int
    window: float
    reason: Reason


class Limited(Exception):
    """Raised inside the caller's transaction, so that its rollback takes back whatever else was counted."""

    def __init__(self, bucket: Bucket, ends_at: float) -> None:
        super().__init__(bucket.reason)
        self.reason = bucket.reason
        self.bucket = bucket
        self.retry_at = datetime.fromtimestamp(ends_at, UTC)

    @property
    def tag(self) -> str:
        """Return what all refusals by this bucket in this window have in common."""
        return f"{self.bucket.key}:{int(self.retry_at.timestamp())}"


def parse(rates: str | None) -> list[tuple[int, float]]:
    """Return (count, seconds) of each part of "5/h, 10/d"; nothing for None. Raises ValueError."""
    return [_rate(part) for part in rates.split(",")] if rates is not None else []


def buckets(name: str, subject: str) -> list[Bucket]:
    """Return the buckets of one limit for one subject (a number, an address, a session)."""
    rates = {**DEFAULTS, **settings.LIMITS}[name]
    return [
        Bucket(_key(f"{name}/{window:g}", subject), limit, window, REASONS[name])
        for limit, window in parse(rates)
    ]


def sends(number: str, visitor: Visitor) -> list[Bucket]:
    """Return what a message to `number` (E.164) is charged to."""
    return [*joins(visitor), *buckets("sends_per_number", number), *_waits(number)]


def joins(visitor: Visitor) -> list[Bucket]:
    """Return what asking costs when no message is sent: nothing that belongs to the owner of the number."""
    named = buckets("sends_per_session", visitor.session) if visitor.session else []
    return [*buckets("sends_per_ip", network(visitor.ip)), *named]


def calls(number: str) -> list[Bucket]:
    """Return what a phone call to `number` (E.164) is charged to."""
    return buckets("calls_per_number", number)


def fails(number: str, visitor: Visitor) -> list[Bucket]:
    """Return what a check is charged to until it proves right."""
    return [*buckets("fails_per_number", number), *buckets("fails_per_ip", network(visitor.ip))]


def network(ip: str | None) -> str:
    """Return what counts as one address: IPv6 by /64; all that are unknown share one."""
    if not ip:
        return "unknown"
    address = ip_address(ip)
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


def charge(wanted: Iterable[Bucket], now: datetime) -> None:
    """Count one in each bucket, or raise Limited for the one that stays full longest.

    Must run inside a transaction that the exception leaves: a refused request spends nothing. Rows are
    taken in the order of their keys, so that two requests never wait for each other.
    """
    chosen = sorted({bucket.key: bucket for bucket in wanted}.values(), key=lambda bucket: bucket.key)
    if not chosen:
        return
    counted = _count(chosen, now.timestamp())
    full = [(counted[bucket.key][1], bucket) for bucket in chosen if counted[bucket.key][0] > bucket.limit]
    if full:
        ends_at, bucket = max(full, key=lambda pair: pair[0])
        raise Limited(bucket, ends_at)
    _stretch(chosen, counted, now.timestamp())


def give_back(taken: Iterable[Bucket], now: datetime) -> None:
    """Take one back from each bucket whose window still runs."""
    chosen = sorted({bucket.key: bucket for bucket in taken}.values(), key=lambda bucket: bucket.key)
    if chosen:
        _count(chosen, now.timestamp(), change=-1)


def wait(number: str, now: datetime) -> datetime | None:
    """Return until when no further message to `number` (E.164) is sent, or None if one may be sent now."""
    gate = _gate(number)
    ends_at = (
        Counter.objects.filter(key=gate.key, ends_at__gt=now.timestamp())
        .values_list("ends_at", flat=True)
        .first()
    )
    return datetime.fromtimestamp(ends_at, UTC) if ends_at else None


def _rate(part: str) -> tuple[int, float]:
    match = RATE.match(part)
    if match is None:
        raise ValueError(f"{part.strip()!r} is not a rate like 5/h, 10/d or 30/10min")
    count, times, unit = match.groups()
    return int(count), int(times or 1) * UNITS[unit]


def _key(name: str, subject: str) -> str:
    return salted_hmac(f"passwordless.limits.{name}", subject, algorithm="sha256").hexdigest()


def _gate(number: str) -> Bucket:
    return Bucket(_key("gate", number), 1, settings.RESEND_WAITS[0], Reason.WAIT)


def _level(number: str) -> Bucket:
    return Bucket(_key("level", number), UNLIMITED, 3600, Reason.WAIT)


def _waits(number: str) -> list[Bucket]:
    """One message, then a growing wait: the gate holds it, the level how often it was passed in the hour."""
    return [_gate(number), _level(number)] if settings.RESEND_WAITS else []


def _stretch(chosen: Sequence[Bucket], counted: dict[str, tuple[int, float]], now: float) -> None:
    """Make the gate's window as long as the level demands; the first wait is what the gate was made with."""
    levels = [counted[bucket.key][0] for bucket in chosen if bucket.limit == UNLIMITED]
    gates = [bucket.key for bucket in chosen if bucket.reason is Reason.WAIT and bucket.limit == 1]
    if levels and levels[0] > 1:
        waits = settings.RESEND_WAITS
        ends_at = now + waits[min(levels[0], len(waits)) - 1]
        Counter.objects.filter(key__in=gates).update(ends_at=ends_at)


def _count(chosen: Sequence[Bucket], now: float, change: int = 1) -> dict[str, tuple[int, float]]:
    """Change each bucket by one and return what it holds now, with the end of its window."""
    connection = connections[router.db_for_write(Counter)]
    if connection.vendor not in ("sqlite", "postgresql"):
        return _count_by_rows(chosen, now, change)
    table = connection.ops.quote_name(Counter._meta.db_table)
    rows = ", ".join(["(%s, %s, %s)"] * len(chosen))
    first = max(change, 0)
    # The only pieces put into the text are our own table's name and a fixed pattern.
    statement = (
        f"INSERT INTO {table} (key, used, ends_at) VALUES {rows} ON CONFLICT (key) DO UPDATE SET "  # noqa: S608
        f"used = CASE WHEN {table}.ends_at <= %s THEN excluded.used "
        f"WHEN {table}.used + %s < 0 THEN 0 ELSE {table}.used + %s END, "
        f"ends_at = CASE WHEN {table}.ends_at <= %s THEN excluded.ends_at ELSE {table}.ends_at END "
        "RETURNING key, used, ends_at"
    )
    values = [value for bucket in chosen for value in (bucket.key, first, now + bucket.window)]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values, now, change, change, now])
        return {key: (used, ends_at) for key, used, ends_at in cursor.fetchall()}


def _count_by_rows(chosen: Sequence[Bucket], now: float, change: int) -> dict[str, tuple[int, float]]:
    """Count on databases without an upsert that answers: one locked row after the other."""
    counted = {}
    for bucket in chosen:
        fresh = {"used": 0, "ends_at": now + bucket.window}
        Counter.objects.get_or_create(key=bucket.key, defaults=fresh)
        row = Counter.objects.select_for_update().get(key=bucket.key)
        if row.ends_at <= now:
            row.used, row.ends_at = 0, now + bucket.window
        row.used = max(row.used + change, 0)
        row.save(update_fields=["used", "ends_at"])
        counted[bucket.key] = (row.used, row.ends_at)
    return counted
