"""When Vonage fails again and again, stop asking for a while: then one asks for all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from time import monotonic

FAILURES = 5
"""So many within WINDOW, and no answer between them, open the circuit."""

WINDOW = 30.0
"""Seconds."""

REST = 30.0
"""Seconds for which an open circuit lets nobody through, and then one."""


class Admission(Enum):
    """What a breaker says to a call; tell it what became of the call together with this."""

    REFUSED = "refused"
    GRANTED = "granted"
    PROBE = "probe"


class Breaker:
    """A circuit breaker: closed until FAILURES in WINDOW, then open for REST, then open to exactly one probe.

    While it is open, only the probe tells it anything: calls from before come back late, and checks are made
    whatever it says.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._opened: float | None = None
        self._probing = False

    def admit(self) -> Admission:
        """Return whether a call may be made now, and whether it is the probe."""
        with self._lock:
            if self._opened is None:
                return Admission.GRANTED
            if self._probing or self._clock() - self._opened < REST:
                return Admission.REFUSED
            self._probing = True
            return Admission.PROBE

    @property
    def open(self) -> bool:
        """Return whether calls are being refused, apart from a probe."""
        return self._opened is not None

    def succeeded(self, admission: Admission) -> None:
        """Note that Vonage answered: after the probe, the circuit closes."""
        with self._lock:
            if self._opened is not None and admission is not Admission.PROBE:
                return
            self._failures.clear()
            self._opened, self._probing = None, False

    def failed(self, admission: Admission) -> None:
        """Note that Vonage did not, or could not; a failed probe begins a new rest."""
        with self._lock:
            now = self._clock()
            if admission is Admission.PROBE:
                self._opened, self._probing = now, False
            elif self._opened is None:
                self._failures.append(now)
                if len(self._failures) == FAILURES and now - self._failures[0] <= WINDOW:
                    self._opened = now
                    self._failures.clear()

    def abandoned(self, admission: Admission) -> None:
        """Note that an admitted call was never made, so that the next may be the probe."""
        with self._lock:
            if admission is Admission.PROBE:
                self._probing = False
