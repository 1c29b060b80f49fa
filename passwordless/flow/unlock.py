"""Unlock: a person of the staff opens what limits and locks have closed for one number."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from .. import guard, limits, phones
from ..models import AttemptEvent, Counter, home, together
from ..outcomes import Visitor
from ..states import EventKind
from ..tally import Bucket


def unlock(number: str, *, staff: Any = None) -> int:
    """Forget the failed checks, sends, waits and lock of `number` (E.164) and open its blocks.

    Returns how many counters were emptied. What was counted of addresses and of the site stays. That it was
    done is written down, with who did it where that is known.
    """
    nobody, device = Visitor(), Visitor(device="any")
    narrow = [
        bucket
        for who in (nobody, device)
        for bucket in (*limits.sends(number, who), *limits.fails(number, who), *limits.calls(number, who))
    ]
    # Its neighbours' counts are its own: a block that is full stops this number as well.
    wide = [*limits.blocks(number), *guard.gates(number)]
    shared = {*_keys([*limits.joins(nobody), *limits.fails_of_address(nobody)])}
    keys = [key for key in [*_keys(narrow), *_keys(wide)] if key not in shared]
    with together():
        # One by one in the order in which a start takes them, so that nobody waits in a circle.
        emptied = sum(Counter.objects.filter(key=key).delete()[0] for key in keys)
        AttemptEvent.objects.create(
            kind=EventKind.UNLOCKED, at=timezone.now(), staff=staff, detail=phones.mask(number)
        )
    return emptied


def unlock_block(event: AttemptEvent, staff: Any = None) -> bool:
    """Open the block of numbers that an event of kind PUMPING closed, and no other; tell whether it was closed.

    What its numbers spent stays, and so does how often it was closed: pumped again, it is closed for longer.
    """
    if event.kind != EventKind.PUMPING or not event.block:
        return False
    with together():
        # Of two who press the button at once, one opens it; and what an open block counted is kept.
        if not _open(event):
            transaction.set_rollback(True, using=home())
            return False
        AttemptEvent.objects.create(
            kind=EventKind.UNLOCKED, at=timezone.now(), staff=staff, block=event.block, country=event.country,
            detail=guard.describe(event),
        )  # fmt: skip
    return True


def _open(event: AttemptEvent) -> bool:
    """Remove the gate of a block if it is shut, and the count of the larger block, which its sends would shut."""
    own, around = guard.gate_of(event), guard.gates_around(event)
    shut = {own.key, *own.former}
    opened = 0
    for key in _keys([own, *around]):
        rows = Counter.objects.filter(key=key)
        if key in shut:
            opened += rows.filter(used__gte=guard.CLOSED).delete()[0]
        else:
            rows.filter(used__lt=guard.CLOSED).delete()
    return opened > 0


def _keys(buckets: list[Bucket]) -> list[str]:
    """Return the keys under all secrets, as a charge takes them: what an old one locked is carried over first."""
    former = {key for bucket in buckets for key in bucket.former}
    return [*sorted(former), *sorted({bucket.key for bucket in buckets})]
