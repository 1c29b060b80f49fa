"""Reserved numbers, whose last two digits choose what happens; every other number works.

The range is +1 212 555 0100 to 0199, kept for fiction by the North American Numbering Plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

FICTION = re.compile(r"\+121255501[0-9]{2}", re.ASCII)
FIXED_CODE = "4242424242"
BLOCKED_NETWORK = "00101"
"""Mobile country and network code of test networks (ITU-T E.212)."""


class Outcome(StrEnum):
    """What becomes of a request to a number."""

    WORKS = "works"
    LOST = "lost"
    PROVIDER_ERROR = "provider error"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    LOW_CREDIT = "low credit"
    CONCURRENT = "concurrent"
    UNSUPPORTED = "unsupported"
    EXPIRES = "expires"
    BLOCKED = "blocked"
    DELAYED = "delayed"
    SMS_LOST = "sms lost"


BY_LAST_DIGITS = {
    "00": Outcome.WORKS,
    "01": Outcome.LOST,
    "02": Outcome.PROVIDER_ERROR,
    "03": Outcome.TIMEOUT,
    "04": Outcome.THROTTLED,
    "05": Outcome.LOW_CREDIT,
    "06": Outcome.CONCURRENT,
    "07": Outcome.UNSUPPORTED,
    "08": Outcome.EXPIRES,
    "09": Outcome.BLOCKED,
    "10": Outcome.DELAYED,
    "11": Outcome.SMS_LOST,
}


class Reserved:
    """The reserved range and the numbers that a site adds to it (E.164 with plus)."""

    def __init__(self, numbers: Iterable[str] = ()) -> None:
        self._numbers = frozenset(numbers)

    def __contains__(self, number: str) -> bool:
        return number in self._numbers or FICTION.fullmatch(number) is not None

    def outcome(self, number: str) -> Outcome:
        """Return what happens to a request to that number (E.164 with plus)."""
        if number not in self:
            return Outcome.WORKS
        return BY_LAST_DIGITS.get(number[-2:], Outcome.WORKS)

    def code(self, number: str, length: int) -> str:
        """Return the fixed code of a reserved number, or nothing for any other."""
        return FIXED_CODE[:length] if number in self else ""
