"""What is written down of the staff themselves: who saw a full number, who took attempts away in a file."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from ..models import AttemptEvent, VerificationAttempt, together
from ..states import EventKind

LONGEST = 200
"""Characters of a detail."""


def looked(attempt: VerificationAttempt, staff: Any) -> None:
    """Write down that `staff` saw the full number of an attempt: in its timeline, and in the list of all events.

    Who asks what somebody has looked at knows no attempt, and a prune takes the timelines first.
    """
    told = {"kind": EventKind.LOOKED, "at": timezone.now(), "staff": staff}
    with together():
        AttemptEvent.objects.create(attempt=attempt, **told)
        AttemptEvent.objects.create(detail=f"{attempt.masked}, {attempt.reference}", **told)


def exported(detail: str, staff: Any) -> None:
    """Write down that `staff` exported attempts, and which: filters and how many, never a number."""
    AttemptEvent.objects.create(
        kind=EventKind.EXPORTED, at=timezone.now(), staff=staff, detail=detail[:LONGEST]
    )
