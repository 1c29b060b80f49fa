"""What is written down of the staff themselves: who saw a full number, who took attempts away in a file."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from ..models import AttemptEvent, VerificationAttempt
from ..states import EventKind

LONGEST = 200
"""Characters of a detail."""


def looked(attempt: VerificationAttempt, staff: Any) -> None:
    """Write down that `staff` saw the full number of an attempt."""
    AttemptEvent.objects.create(attempt=attempt, kind=EventKind.LOOKED, at=timezone.now(), staff=staff)


def exported(detail: str, staff: Any) -> None:
    """Write down that `staff` exported attempts, and which: filters and how many, never a number."""
    AttemptEvent.objects.create(
        kind=EventKind.EXPORTED, at=timezone.now(), staff=staff, detail=detail[:LONGEST]
    )
