"""One person who is forgotten everywhere, at their request."""

from __future__ import annotations

from django.utils import timezone

from ... import numbers as links
from ... import phones
from ...models import AttemptEvent, PhoneNumber, home, together
from ...states import LIVE, EventKind, Reason, Status
from .bites import attempts
from .pace import Pace
from .traces import forget_numbers, forget_visitors, seen


def erase(number: str) -> int:
    """Forget one person: their number (E.164) in every attempt, whoever asked, and its link to a user.

    Returns how many attempts that was. No limit is reset: counters know no number, and end by themselves.
    An attempt that is still open is expired first.
    """
    now = timezone.now()
    for attempt in attempts().filter(number=number, status__in=LIVE):
        attempt.move(Status.EXPIRED, Reason.EXPIRED, now=now)
    # Never resting: whoever waits for these few rows waits for all of it.
    known, pace = attempts().of(number), Pace()
    with together():
        known.update(live_number=None, user=None)
        forget_visitors(seen(known), pace)
        erased = forget_numbers(attempts().filter(number=number), pace)
        for row in PhoneNumber.objects.filter(number=number).select_related("user"):
            row.delete()
            links.end_sessions(row.user)
        AttemptEvent.objects.using(home()).create(kind=EventKind.ERASED, at=now, detail=phones.mask(None))
    return erased
