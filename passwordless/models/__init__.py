"""Rows: attempts and their events, numbers and their users, counters."""

from .attempts import AttemptEvent, AttemptQuerySet, VerificationAttempt, tags
from .counters import Counter
from .numbers import PhoneNumber
from .receipts import Receipt

__all__ = [
    "AttemptEvent",
    "AttemptQuerySet",
    "Counter",
    "PhoneNumber",
    "Receipt",
    "VerificationAttempt",
    "tags",
]
