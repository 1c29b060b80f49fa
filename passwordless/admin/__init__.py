"""The desk of the staff: the audit, which nobody can change, and the numbers of users."""

from .audit import AttemptAdmin
from .events import EventAdmin
from .numbers import PhoneNumberAdmin

__all__ = ["AttemptAdmin", "EventAdmin", "PhoneNumberAdmin"]
