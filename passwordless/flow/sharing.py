"""Sharing: whoever asks while a code is on its way shares the attempt. Once it let somebody in, or was right but for
nobody who may come in, the others go on with a decoy: its end would tell them that the number is known.
"""

from __future__ import annotations

from datetime import datetime

from .. import people
from ..models import AttemptEvent, VerificationAttempt, successors
from ..outcomes import Handle
from ..states import LIVE, EventKind, Purpose, Reason, Status


def attempt_of(handle: Handle) -> VerificationAttempt | None:
    """Return the attempt that a handle stands for, or the decoy that has taken its place, or None."""
    attempt = VerificationAttempt.objects.by_key(handle.key)
    over = attempt is not None and attempt.status == Status.VERIFIED
    # Where nobody may learn who has come in, it is always looked for: a page would take longer only after that.
    decoy = _successor(handle.key) if over or people.are_secret(Purpose.LOGIN) else None
    if decoy is None or not over:
        return attempt
    # As a decoy from the start would hold it, so that the page says the same of a new request.
    decoy.live_number = decoy.number if decoy.status in LIVE else None
    return decoy


def go_on(attempt: VerificationAttempt, guesses: int, now: datetime) -> None:
    """Write a decoy for those who share an attempt, as it was before its last move, after so many guesses.

    It holds no number: whoever signed in may ask for another code at once.
    """
    # Others may have joined, or gone to the next step, while the code was at Vonage.
    attempt.refresh_from_db(fields=["handles", "step", "step_at", "expires_at", "open_until"])
    decoy = attempt.successor(guesses, now)
    decoy.insert()
    AttemptEvent.objects.create(attempt=decoy, kind=EventKind.HIDDEN, at=now, reason=Reason.REUSED)


def _successor(key: str) -> VerificationAttempt | None:
    found = [VerificationAttempt.objects.by_key(one) for one in successors(key)]
    return next(filter(None, found), None)
