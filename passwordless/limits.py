"""How often: what is counted, how many are allowed, and who is told that it was too often."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from django.conf import settings as django_settings

from . import seals, tally
from .conf import settings
from .models import Counter
from .outcomes import Visitor
from .states import Reason
from .tally import Bucket, Counted

DEFAULTS: dict[str, str | None] = {
    "sends_per_number": "5/h, 10/d",
    "sends_per_session": "5/h",
    "sends_per_ip": "10/h, 30/d",
    "calls_per_number": "2/d",
    "fails_per_number": "10/h, 20/d",
    "fails_per_ip": "30/10min, 100/d",
    "sends_per_block_1000": "5/10min",
    "sends_per_block_10000": "20/h",
    "sends_per_country": "100/h",
    "sends_per_site": "300/h, 2000/d",
}
REASONS: dict[str, Reason] = {
    "sends_per_number": Reason.LIMIT_NUMBER,
    "sends_per_session": Reason.LIMIT_SESSION,
    "sends_per_ip": Reason.LIMIT_IP,
    "calls_per_number": Reason.LIMIT_CALLS,
    "fails_per_number": Reason.LIMIT_FAILS,
    "fails_per_ip": Reason.LIMIT_FAILS_IP,
    "sends_per_block_1000": Reason.LIMIT_BLOCK,
    "sends_per_block_10000": Reason.LIMIT_BLOCK,
    "sends_per_country": Reason.LIMIT_COUNTRY,
    "sends_per_site": Reason.LIMIT_SITE,
}
# What belongs to one number is exact whatever happens to a cache.
EXACT = frozenset({"sends_per_number", "calls_per_number", "fails_per_number"})
UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
RATE = re.compile(r"\s*([0-9]{1,9})\s*/\s*([1-9][0-9]{0,5}|)\s*(s|min|h|d)\s*\Z")
UNLIMITED = 2**30
FOREVER = 100 * 365 * 86400.0
"""Seconds."""

SEALED = 28
"""Hex digits of the HMAC of a subject: 112 bits, which leave room for the name of the bucket."""


class Limited(Exception):
    """Raised inside the caller's transaction, so that its rollback takes back whatever else was counted."""

    def __init__(self, bucket: Bucket, ends_at: float) -> None:
        super().__init__(bucket.reason)
        self.reason = bucket.reason
        self.bucket = bucket
        self.ends_at = ends_at

    @property
    def retry_at(self) -> datetime | None:
        """Return when the window ends; None for what only a success or a person of the staff can open."""
        return datetime.fromtimestamp(self.ends_at, UTC) if self.bucket.window < FOREVER else None

    @property
    def tag(self) -> str:
        """Return what all refusals by this bucket in this window have in common."""
        return f"{self.bucket.key}:{int(self.ends_at)}"


@lru_cache(maxsize=256)
def parse(rates: str | None) -> tuple[tuple[int, float], ...]:
    """Return (count, seconds) of each part of "5/h, 10/d"; nothing for None. Raises ValueError."""
    return tuple(_rate(part) for part in rates.split(",")) if rates is not None else ()


def buckets(name: str, subject: str) -> list[Bucket]:
    """Return the buckets of one limit for one subject (a number, an address, a session, a country)."""
    rates = settings.LIMITS.get(name, DEFAULTS[name])
    return [
        bucket(f"{name}/{window:g}", subject, limit, window, REASONS[name], coarse=name not in EXACT)
        for limit, window in parse(rates)
    ]


def sends(number: str, visitor: Visitor) -> list[Bucket]:
    """Return what a message to `number` (E.164) is charged to, as far as it concerns number and visitor."""
    subject = owner(number, visitor)
    return [*joins(visitor), *buckets("sends_per_number", subject), *_waits(subject)]


def joins(visitor: Visitor) -> list[Bucket]:
    """Return what asking costs when no message is sent: nothing that belongs to the owner of the number."""
    named = buckets("sends_per_session", visitor.session) if visitor.session else []
    return [*buckets("sends_per_ip", network(visitor.ip)), *named]


def blocks(number: str) -> list[Bucket]:
    """Return the counts of the numbers around `number` (E.164)."""
    return [*buckets("sends_per_block_1000", number[:-3]), *buckets("sends_per_block_10000", number[:-4])]


def larger(country: str) -> list[Bucket]:
    """Return the counts of a country and of the whole site."""
    return [*buckets("sends_per_country", country or "nowhere"), *buckets("sends_per_site", "site")]


def calls(number: str, visitor: Visitor) -> list[Bucket]:
    """Return what a phone call to `number` (E.164) is charged to: strangers do not spend its owner's."""
    return buckets("calls_per_number", owner(number, visitor))


def fails(number: str, visitor: Visitor) -> list[Bucket]:
    """Return what a check is charged to until it proves right."""
    subject = owner(number, visitor)
    return [*buckets("fails_per_number", subject), hard_stop(subject), *fails_of_address(visitor)]


def fails_of_address(visitor: Visitor) -> list[Bucket]:
    """Return what a failed check costs the address it came from."""
    return buckets("fails_per_ip", network(visitor.ip))


def hard_stop(subject: str) -> Bucket:
    """Return the count of consecutive failures (NIST SP 800-63B-4, 3.2.2), which no new code resets."""
    return bucket("hard_stop", subject, settings.HARD_STOP, FOREVER, Reason.LOCKED, firm=True)


def owner(number: str, visitor: Visitor) -> str:
    """Return whose budget a number's is: browsers that logged in before have one of their own.

    All of them share it, or each login would buy its number another budget.
    """
    return f"{number} devices" if visitor.device else number


def network(ip: str | None) -> str:
    """Return what counts as one address: IPv6 by /64; all that are unknown share one."""
    if not ip:
        return "unknown"
    if ":" not in ip:
        return ip
    address = ip_address(ip)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


def charge(wanted: Iterable[Bucket], now: datetime) -> list[Reason]:
    """Count one in each bucket, or raise Limited; return what is over where limits are only recorded."""
    return count(wanted, now)[1]


def count(wanted: Iterable[Bucket], now: datetime) -> tuple[Counted, list[Reason]]:
    """Count one in each bucket, or raise Limited for the one that stays full longest.

    Must run inside a transaction that the exception leaves: a refused request spends nothing. Where limits
    are only recorded, what would have been refused is returned beside the counts.
    """
    chosen = list({bucket.key: bucket for bucket in wanted}.values())
    if not chosen:
        return {}, []
    counted = tally.count(chosen, now.timestamp())
    full = [bucket for bucket in chosen if counted[bucket.key][0] > bucket.limit]
    strict = [bucket for bucket in full if bucket.firm or settings.LIMITS_ENFORCE]
    if strict:
        tally.give_back_stored(chosen)
        bucket = max(strict, key=lambda one: counted[one.key][1])
        raise Limited(bucket, counted[bucket.key][1])
    _stretch(chosen, counted, now.timestamp())
    return counted, [bucket.reason for bucket in full]


def demand(wanted: Iterable[Bucket], now: datetime) -> None:
    """Raise Limited if a charge would, but count nothing: for requests that only look like a message."""
    chosen = list(wanted)
    counted = tally.count(chosen, now.timestamp(), change=0) if chosen else {}
    running = [bucket for bucket in chosen if counted[bucket.key][1] > now.timestamp()]
    strict = [bucket for bucket in running if bucket.firm or settings.LIMITS_ENFORCE]
    full = [bucket for bucket in strict if counted[bucket.key][0] >= bucket.limit]
    if full:
        bucket = max(full, key=lambda one: counted[one.key][1])
        raise Limited(bucket, counted[bucket.key][1])


def give_back(taken: Iterable[Bucket], now: datetime, clear: Iterable[Bucket] = ()) -> None:
    """Take one back from each bucket whose window still runs, and empty those of `clear`."""
    chosen = list({bucket.key: bucket for bucket in taken}.values())
    emptied = list(clear)
    if chosen or emptied:
        tally.count(chosen, now.timestamp(), change=-1, clear=emptied)


def wait(number: str, visitor: Visitor, now: datetime) -> datetime | None:
    """Return until when no further message to `number` (E.164) is sent, or None if one may be sent now."""
    if not settings.RESEND_WAITS:
        return None
    gate = _gate(owner(number, visitor))
    ends_at = tally.end([gate.key, *gate.former], now.timestamp())
    return datetime.fromtimestamp(ends_at, UTC) if ends_at else None


def _rate(part: str) -> tuple[int, float]:
    match = RATE.match(part)
    if match is None:
        raise ValueError(f"{part.strip()!r} is not a rate like 5/h, 10/d or 30/10min")
    count, times, unit = match.groups()
    return int(count), int(times or 1) * UNITS[unit]


def bucket(name: str, subject: str, limit: int, window: float, reason: Reason, **nature: bool) -> Bucket:
    """Return one. What is counted of one subject lies side by side, so that a login writes few pages of an index."""
    secrets = (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS)
    key, *former = [f"{seal}.{name}" for seal in _seals(subject, secrets)]
    return Bucket(key, limit, window, reason, former=tuple(former), **nature)


# A number is sealed once, and not for each of its five buckets; the last few stay in the memory of the process.
@lru_cache(maxsize=16)
def _seals(subject: str, _secrets: tuple[str | bytes, ...]) -> tuple[str, ...]:
    return tuple(seal[:SEALED] for seal in seals.seals("passwordless.limits", subject))


def _gate(subject: str) -> Bucket:
    return bucket("gate", subject, 1, settings.RESEND_WAITS[0], Reason.WAIT, firm=True)


def _waits(subject: str) -> list[Bucket]:
    """One message, then a growing wait: the gate holds it, the level how often it was passed in the hour."""
    if not settings.RESEND_WAITS:
        return []
    level = bucket("level", subject, UNLIMITED, 3600, Reason.WAIT)
    return [_gate(subject), level]


def _stretch(chosen: list[Bucket], counted: Counted, now: float) -> None:
    """Make the gate's window as long as the level demands; the first wait is what the gate was made with."""
    waiting = [bucket for bucket in chosen if bucket.reason is Reason.WAIT]
    levels = [counted[bucket.key][0] for bucket in waiting if bucket.limit == UNLIMITED]
    gates = [bucket.key for bucket in waiting if bucket.firm]
    if levels and levels[0] > 1:
        waits = settings.RESEND_WAITS
        ends_at = now + waits[min(levels[0], len(waits)) - 1]
        Counter.objects.filter(key__in=gates).update(ends_at=ends_at)
