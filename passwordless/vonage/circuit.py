"""What stands between the flow and a dialect: the breaker, and the memory of how long real calls take."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from ..states import Reason
from .breaker import Admission, Breaker
from .dialect import Dialect, NotAsked, Order, Reply, Unavailable

FAULTY = frozenset({Reason.PROVIDER_ERROR, Reason.THROTTLED})
"""Answers that say as much as none: Vonage is not well."""

USUAL = 0.3
"""Seconds that a call is taken to last before one was made."""


class Durations:
    """How long recent real calls took, so that what only pretends to be one can take as long."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def note(self, verb: str, seconds: float) -> None:
        """Remember one."""
        with self._lock:
            self._recent.setdefault(verb, deque(maxlen=50)).append(seconds)

    def like(self, verb: str) -> float:
        """Return how long a call could take, in seconds: one of the recent ones, by chance."""
        with self._lock:
            recent = self._recent.get(verb) or next(iter(self._recent.values()), None)
            return random.choice(recent) if recent else USUAL  # noqa: S311 - guards no secret

    @property
    def cold(self) -> bool:
        """Return whether no real call was made yet."""
        return not self._recent


class Circuit:
    """A dialect behind a breaker. What would send is refused while it is open; codes sent before are checked.

    `start` and `advance` raise NotAsked then.
    """

    def __init__(self, dialect: Dialect, breaker: Breaker, durations: Durations) -> None:
        self.name = dialect.name
        self._dialect, self._breaker, self._durations = dialect, breaker, durations

    def step_seconds(self, steps: int) -> int:
        """Return what the dialect says."""
        return self._dialect.step_seconds(steps)

    def feasible(self, channels: Sequence[str]) -> list[str]:
        """Return what the dialect says."""
        return self._dialect.feasible(channels)

    def locale(self, language: str, country: str, channels: Sequence[str]) -> str:
        """Return what the dialect says."""
        return self._dialect.locale(language, country, channels)

    def start(self, order: Order) -> Reply:
        """Start, if the circuit is closed or this is the probe."""
        return self._admitted("start", lambda: self._dialect.start(order))

    def check(self, request_id: str, code: str) -> Reply:
        """Check, whatever the circuit: what was sent can still be typed."""
        return self._timed("check", lambda: self._dialect.check(request_id, code))

    def advance(self, request_id: str) -> Reply:
        """Advance, if the circuit is closed or this is the probe."""
        return self._admitted("advance", lambda: self._dialect.advance(request_id))

    def cancel(self, request_id: str) -> Reply:
        """Cancel, whatever the circuit."""
        return self._timed("cancel", lambda: self._dialect.cancel(request_id))

    def _admitted(self, verb: str, call: Callable[[], Reply]) -> Reply:
        admission = self._breaker.admit()
        if admission is Admission.REFUSED:
            raise NotAsked(Reason.CIRCUIT_OPEN)
        return self._timed(verb, call, admission)

    def _timed(self, verb: str, call: Callable[[], Reply], admission: Admission = Admission.GRANTED) -> Reply:
        started = monotonic()
        try:
            reply = call()
        except Unavailable as error:
            self._unanswered(verb, monotonic() - started, error, admission)
            raise
        except BaseException:
            # The server ends this worker, or there are no credentials: no probe may be waited for in vain.
            self._breaker.abandoned(admission)
            raise
        self._durations.note(verb, monotonic() - started)
        note = self._breaker.failed if reply.reason in FAULTY else self._breaker.succeeded
        note(admission)
        return reply

    def _unanswered(self, verb: str, seconds: float, error: Unavailable, admission: Admission) -> None:
        if isinstance(error, NotAsked):
            self._breaker.abandoned(admission)
            return
        self._breaker.failed(admission)
        self._durations.note(verb, seconds)
