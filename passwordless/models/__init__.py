"""Rows: attempts and their events, numbers and their users, counters, and what attempts came to."""

from .attempts import AttemptEvent, AttemptQuerySet, VerificationAttempt, tags
from .counters import Counter
from .numbers import PhoneNumber
from .receipts import Receipt
from .rollups import Measure, Rollup, RollupMark, RollupTime, Span

__all__ = [
    "AttemptEvent",
    "AttemptQuerySet",
    "Counter",
    "Measure",
    "PhoneNumber",
    "Receipt",
    "Rollup",
    "RollupMark",
    "RollupTime",
    "Span",
    "VerificationAttempt",
    "tags",
]
