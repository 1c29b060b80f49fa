"""The pumping guard: a block of numbers to which messages go and from which no code ever comes back.

Whoever earns by messages to numbers of their own asks slowly enough for every other limit. What they never
do is type a code, and Vonage blocks whole networks for that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from . import limits, signals, tally
from .conf import settings
from .models import AttemptEvent, Counter, VerificationAttempt, durable, home
from .states import LIVE, EventKind, Reason, Status
from .tally import Bucket, Counted

HOUR = timedelta(hours=1)
ENOUGH = 10
"""Ended sends without one success that close a block."""

SUSPICIOUS = 20
"""Sends to a country in an hour from which its conversion is watched."""

LOW = 0.35
"""The share of successes below which Vonage's own rules were published to begin."""

LONGEST = 24 * 3600
"""Seconds that a block stays closed at most; closing it again within a day of its opening doubles the last."""

CLOSED = 10**9
"""A count that no hour reaches: it says that the block is closed until the window ends."""

NOTED = "only noted"
"""How what is written of a block ends where none are closed."""

LISTED = 200
"""Closed blocks that are shown at most, the newest first."""

ANY = "x"
"""Stands for each digit in which the numbers of a block differ, where a block is written down."""


class Pumped(Exception):
    """Raised inside the transaction of a start, which leaves no trace; the block is closed after that."""

    def __init__(self, block: str) -> None:
        super().__init__("a block of numbers is to be closed")
        self.block = block


class Conversion(NamedTuple):
    """How many sends have ended, and how many of them with a right code."""

    ended: int
    verified: int

    @property
    def share(self) -> float:
        """Return the part that was verified."""
        return self.verified / self.ended if self.ended else 1.0


class Block(NamedTuple):
    """A block of numbers that is closed: from when, until when, and by which event (its primary key).

    `digits` is what its numbers begin with. Beside the last three digits of an attempt it would make a whole
    number, so only those may read it who may see full numbers.
    """

    event: int
    digits: str
    size: int
    country: str
    since: datetime
    until: datetime


def gates(number: str) -> list[Bucket]:
    """Return what a send to `number` (E.164) passes: its blocks of 1,000 and of 10,000 numbers."""
    return [_gate(number[:-3]), _gate(number[:-4])]


def watched(country: str) -> Bucket:
    """Return the count of sends to a country, which tells when to look at its conversion."""
    return limits.bucket("watched", country or "nowhere", limits.UNLIMITED, 3600, Reason.LIMIT_COUNTRY)


def demand(number: str, counted: Counted, now: datetime) -> None:
    """Raise Pumped for a block of `number` that is to be closed now.

    Asks the attempts only where the count of the hour makes it possible, so that a quiet block costs nothing.
    """
    for block in (number[:-3], number[:-4]):
        used, _ends_at = counted.get(_gate(block).key, (0, 0.0))
        if ENOUGH // 2 <= used < CLOSED and _is_pumped(block, now):
            raise Pumped(block)


def close(block: str, now: datetime) -> Bucket:
    """Close a block for an hour, then two, up to a day; or only say so. Returns its gate.

    Of many who find the block pumped at the same moment, one does it.
    """
    enforced = settings.PUMPING_GUARD == "enforce"
    gate = _gate(block)
    level = limits.bucket("guard_level", block, limits.UNLIMITED, LONGEST, Reason.BLOCK_CLOSED)
    with durable():
        # Looking takes the row; what the caller counted on it is rolled back by now.
        used, _ends_at = tally.count([gate], now.timestamp(), change=0)[gate.key]
        if not ENOUGH // 2 - 1 <= used < CLOSED:
            return gate
        times = tally.count([level], now.timestamp())[level.key][0]
        seconds = min(3600 * 2 ** (times - 1), LONGEST)
        # Where it is only said, the count begins anew, so that the same is not said with every send.
        held = {"used": CLOSED + 1, "ends_at": now.timestamp() + seconds}
        Counter.objects.filter(key=gate.key).update(**held if enforced else {**held, "used": 0})
        Counter.objects.filter(key=level.key).update(ends_at=now.timestamp() + seconds + LONGEST)
        told = f"closed for {seconds // 60} min" if enforced else NOTED
        _write(block, told, now)
    return gate._replace(window=seconds)


def closed(now: datetime) -> list[Block]:
    """Return the blocks that are closed at `now`, the newest first, by what was written when they were closed.

    The counters alone know them by HMAC only.
    """
    since = now - timedelta(seconds=2 * LONGEST)
    events = AttemptEvent.objects.filter(attempt=None, kind=EventKind.PUMPING, at__gte=since, at__lte=now)
    newest: dict[str, AttemptEvent] = {}
    for event in events.exclude(block="").order_by("-at", "-pk")[:LISTED]:
        newest.setdefault(event.block, event)
    gates = {event.pk: gate_of(event) for event in newest.values()}
    keys = {key: pk for pk, gate in gates.items() for key in (gate.key, *gate.former)}
    shut = Counter.objects.filter(key__in=keys, used__gte=CLOSED, ends_at__gt=now.timestamp())
    ends = {keys[counter.key]: counter.ends_at for counter in shut}
    return [_block(event, ends[event.pk]) for event in newest.values() if event.pk in ends]


def gate_of(event: AttemptEvent) -> Bucket:
    """Return the gate of the block that an event of kind PUMPING is about."""
    return _gate(event.block.rstrip(ANY))


def gates_around(event: AttemptEvent) -> list[Bucket]:
    """Return the gate of the 10,000 numbers around a block of 1,000 that such an event is about."""
    return [_gate(event.block.rstrip(ANY)[:-1])] if event.block.count(ANY) == 3 else []


def size_of(event: AttemptEvent) -> int:
    """Return how many numbers the block of such an event has."""
    return int(10 ** event.block.count(ANY))


def describe(event: AttemptEvent) -> str:
    """Return what everybody of the staff may know of such a block: "US: 1,000 numbers"."""
    size = f"{size_of(event):,} numbers"
    return f"{event.country}: {size}" if event.country else size


def watch(country: str, counted: Counted, now: datetime) -> None:
    """Raise a signal and an audit mark, once an hour, where the conversion of a country is low.

    Countries are never closed. Asked with every fifth send, and with every hundredth once there are many.
    """
    used, _ends_at = counted.get(watched(country).key, (0, 0.0))
    if not _is_due(used):
        return
    conversion = _conversion(Q(country=country), now)
    if conversion.ended >= SUSPICIOUS and conversion.share < LOW and _is_news(country, now):
        _tell(country, conversion, now)


def _is_due(used: int) -> bool:
    """Return whether so many sends are a moment to look; the last of them cannot have ended yet."""
    return used > SUSPICIOUS and (used - 1) % (5 if used <= 100 else 100) == 0


def _is_news(country: str, now: datetime) -> bool:
    told = limits.bucket("conversion", country or "nowhere", 1, 3600, Reason.LIMIT_COUNTRY)
    return tally.count([told], now.timestamp())[told.key][0] == 1


def _tell(country: str, conversion: Conversion, now: datetime) -> None:
    detail = f"{country}: {conversion.verified} of {conversion.ended} verified in the last hour"
    AttemptEvent.objects.create(kind=EventKind.CONVERSION, at=now, country=country, detail=detail)
    # A receiver that writes a mail, or fails in the database, must not hold or break the start.
    transaction.on_commit(
        lambda: signals.conversion_low.send_robust(
            VerificationAttempt, country=country, ended=conversion.ended, verified=conversion.verified
        ),
        using=home(),
    )


def _write(block: str, told: str, now: datetime) -> None:
    """Write down that a block is pumped; its digits go where no page shows them, not into the detail."""
    number, country = _neighbour(block) or (f"{block}{ANY * 3}", "")
    event = AttemptEvent(kind=EventKind.PUMPING, at=now, reason=Reason.BLOCK_CLOSED, country=country)
    event.block = block + ANY * (len(number) - len(block))
    event.detail = f"{describe(event)}, {told}"
    event.save()


def _neighbour(block: str) -> tuple[str, str] | None:
    """Return a number of a block and its country: how long numbers are is another thing in each country."""
    return _of(block).order_by("number").values_list("number", "country").first()


def _of(block: str) -> QuerySet[VerificationAttempt]:
    return VerificationAttempt.objects.filter(number__gte=f"{block}0", number__lte=f"{block}9999")


def _block(event: AttemptEvent, ends_at: float) -> Block:
    return Block(
        event=event.pk,
        digits=event.block.rstrip(ANY),
        size=size_of(event),
        country=event.country,
        since=event.at,
        until=datetime.fromtimestamp(ends_at, UTC),
    )


def _gate(block: str) -> Bucket:
    return limits.bucket("guard", block, CLOSED, 3600, Reason.BLOCK_CLOSED, firm=True)


def _is_pumped(block: str, now: datetime) -> bool:
    conversion = _conversion(Q(number__gte=f"{block}0", number__lte=f"{block}9999"), now)
    return conversion.ended >= ENOUGH and conversion.verified == 0


def _conversion(which: Q, now: datetime) -> Conversion:
    """Count sends of the last hour that are past their life: one that still waits is no failure."""
    over = Q(expires_at__lte=now) | ~Q(status__in=LIVE)
    told = VerificationAttempt.objects.filter(which, created_at__gte=now - HOUR, sends__gt=0).aggregate(
        ended=Count("pk", filter=over), verified=Count("pk", filter=Q(status=Status.VERIFIED))
    )
    return Conversion(told["ended"], told["verified"])
