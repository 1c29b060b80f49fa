"""Rows: attempts and their events, numbers and their users, counters, and what attempts came to."""

from .attempts import VerificationAttempt
from .counters import Counter
from .events import AttemptEvent
from .home import durable, home, together
from .keys import successors, tags
from .numbers import PhoneNumber
from .queries import AttemptQuerySet
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
    "durable",
    "home",
    "successors",
    "tags",
    "together",
]
