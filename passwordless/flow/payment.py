"""What a message costs: narrow buckets first, wide ones after them, and what is written down of it."""

from __future__ import annotations

from datetime import datetime

from .. import guard, limits, tally
from ..conf import settings
from ..models import AttemptEvent, VerificationAttempt
from ..outcomes import Visitor
from ..states import EventKind, Reason


def pay(
    attempt: VerificationAttempt,
    visitor: Visitor,
    now: datetime,
    *,
    calls: bool = False,
    guarded: bool = False,
) -> list[Reason]:
    """Charge one message: narrow buckets first, and the wide ones only if those grant it. Raises Limited.

    Vonage dials by itself, so a planned call is paid at the start. What only looks like a message must be
    refused with the others, but spends nothing of country and site. With `guarded`, raises guard.Pumped for a block
    that is to be closed. Browsers that logged in before pass the guard.
    """
    dialled = limits.calls(attempt.number, visitor) if calls else []
    narrow = [*limits.sends(attempt.number, visitor), *dialled]
    noted = limits.charge(narrow, now)
    try:
        return [*noted, *_pay_wide(attempt, visitor, now, guarded=guarded)]
    except (limits.Limited, guard.Pumped):
        # The rollback takes back what is counted in rows, and nothing of what is counted in a store.
        tally.give_back_stored(narrow)
        raise


def _pay_wide(
    attempt: VerificationAttempt, visitor: Visitor, now: datetime, *, guarded: bool
) -> list[Reason]:
    number = attempt.number
    watched = [] if settings.PUMPING_GUARD is None else [guard.watched(attempt.country)]
    gates = guard.gates(number) if watched and not visitor.device else []
    blocks, larger = limits.blocks(number), limits.larger(attempt.country)
    wide = [*blocks, *larger, *gates, *watched]
    if attempt.decoy:
        # All are looked at in one order, as they are charged for others, so that nobody waits in a circle.
        limits.demand([*blocks, *larger, *gates], now)
        # Counted for its block, or the count would tell how many of its neighbours are known.
        return limits.charge(blocks, now)
    counted, over = limits.count(wide, now)
    try:
        if gates and guarded:
            guard.demand(number, counted, now)
    except guard.Pumped:
        tally.give_back_stored(wide)
        raise
    guard.watch(attempt.country, counted, now)
    return over


def note(attempt: VerificationAttempt, noted: list[Reason], visitor: Visitor, now: datetime) -> None:
    """Write down what the limits would have refused, where they are only recorded, once for each reason."""
    if noted:
        known = set(attempt.events.filter(kind=EventKind.NOTED).values_list("reason", flat=True))
        AttemptEvent.objects.bulk_create(
            AttemptEvent(attempt=attempt, kind=EventKind.NOTED, at=now, reason=reason, ip=visitor.ip)
            for reason in dict.fromkeys(noted)
            if reason not in known
        )


def refuse(attempt: VerificationAttempt, reason: Reason, visitor: Visitor, now: datetime) -> None:
    """Write down on a live attempt that a limit refused something, once for each reason."""
    if not attempt.events.filter(kind=EventKind.REFUSED, reason=reason).exists():
        AttemptEvent.objects.create(
            attempt=attempt, kind=EventKind.REFUSED, at=now, reason=reason, ip=visitor.ip, agent=visitor.agent
        )
