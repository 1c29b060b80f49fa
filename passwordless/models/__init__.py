"""Rows: attempts and their events, numbers and their users, counters, and what attempts came to."""

from .attempts import AttemptQuerySet, VerificationAttempt
from .counters import Counter
from .events import AttemptEvent
from .keys import tags
from .numbers import PhoneNumber
from .receipts import Receipt
from .rollups import Measure, Rollup, RollupMark, RollupTime, Span
from .statements import Select

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
    "Select",
    "Span",
    "VerificationAttempt",
    "tags",
]
