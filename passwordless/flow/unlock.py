"""Unlock: a person of the staff opens what limits and locks have closed for one number."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from .. import guard, limits, phones
from ..models import AttemptEvent, Counter
from ..outcomes import Visitor
from ..states import EventKind
from ..tally import Bucket


def unlock(number: str, *, staff: Any = None) -> int:
    """Forget the failed checks, sends, waits and lock of `number` (E.164) and open its blocks.

    Returns how many counters were emptied. What was counted of addresses and of the site stays. That it was
    done is written down, with who did it where that is known.
    """
    nobody, device = Visitor(), Visitor(device="any")
    of_number = [*limits.sends(number, nobody), *limits.fails(number, nobody), *limits.calls(number)]
    narrow = [*of_number, *limits.sends(number, device), *limits.fails(number, device)]
    # Its neighbours' counts are its own: a block that is full stops this number as well.
    wide = [*limits.blocks(number), *guard.gates(number)]
    shared = {*_keys([*limits.joins(nobody), *limits.fails_of_address(nobody)])}
    keys = [key for key in [*_keys(narrow), *_keys(wide)] if key not in shared]
    with transaction.atomic():
        # One by one in the order in which a start takes them, so that nobody waits in a circle.
        emptied = sum(Counter.objects.filter(key=key).delete()[0] for key in keys)
        AttemptEvent.objects.create(
            kind=EventKind.UNLOCKED, at=timezone.now(), staff=staff, detail=phones.mask(number)
        )
    return emptied


def _keys(buckets: list[Bucket]) -> list[str]:
    """Return the keys under all secrets, as a charge takes them: what an old one locked is carried over first."""
    former = {key for bucket in buckets for key in bucket.former}
    return [*sorted(former), *sorted({bucket.key for bucket in buckets})]
