"""Rows: attempts and their events, numbers and their users, counters."""

from .attempts import AttemptEvent, VerificationAttempt
from .counters import Counter
from .numbers import PhoneNumber

__all__ = ["AttemptEvent", "Counter", "PhoneNumber", "VerificationAttempt"]
