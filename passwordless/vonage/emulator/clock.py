"""The time by which the emulator lives, so that rules of minutes can be tried without waiting."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Lock


def moment(seconds: float) -> datetime:
    """Return a Unix time as an aware datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def stamp(at: datetime) -> str:
    """Return an aware datetime in UTC as ISO 8601 with milliseconds and Z."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """Real time plus an offset, or a time that stands still until it is advanced.

    `fixed` is an aware datetime or a Unix time in seconds.
    """

    def __init__(self, fixed: datetime | float | None = None) -> None:
        self._lock = Lock()
        self._offset = 0.0
        self._fixed = fixed.timestamp() if isinstance(fixed, datetime) else fixed

    def now(self) -> float:
        """Return the Unix time in seconds, as this clock has it."""
        # Without the lock: a fork may come while another thread reads the time.
        return (time.time() if self._fixed is None else self._fixed) + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock forward by that many seconds.

        Raises ValueError when `seconds` is negative or beyond a year.
        """
        if not 0 <= seconds <= 366 * 86400:
            raise ValueError("a clock advances by 0 seconds to a year")
        with self._lock:
            self._offset += seconds
