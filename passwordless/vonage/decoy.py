"""A stand-in for requests that must not be sent: same verbs, same answers, same time, nothing behind them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..states import Reason
from .breaker import Admission, Breaker
from .circuit import Durations
from .client import Client
from .dialect import NotAsked, Order, Reply


class Decoy:
    """Waits as long as a real call would, in a place of one, and never finds a code right.

    `pause` is called with seconds to wait. Raises NotAsked where a real call would be refused as well.
    """

    name = "decoy"

    def __init__(
        self,
        client: Client,
        step_seconds: Callable[[int], int],
        breaker: Breaker,
        durations: Durations,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self.step_seconds = client, step_seconds
        self._breaker, self._durations = breaker, durations
        self._pause = pause

    def feasible(self, channels: Sequence[str]) -> list[str]:
        """Return all of them."""
        return list(channels)

    def locale(self, language: str, country: str, channels: Sequence[str]) -> str:
        """Return nothing: no message is written."""
        return ""

    def start(self, order: Order) -> Reply:
        """Pretend to send."""
        return self._pretend("start", Reason.OK, sends=True)

    def check(self, request_id: str, code: str) -> Reply:
        """Refuse every code."""
        return self._pretend("check", Reason.WRONG_CODE)

    def advance(self, request_id: str) -> Reply:
        """Pretend to send again."""
        return self._pretend("advance", Reason.OK, sends=True)

    def cancel(self, request_id: str) -> Reply:
        """Pretend to cancel."""
        return self._pretend("cancel", Reason.OK)

    def _pretend(self, verb: str, reason: Reason, *, sends: bool = False) -> Reply:
        if sends:
            self._demand_admission()
        self._client.occupy(lambda: self._pause(self._durations.like(verb)))
        return Reply(reason=reason)

    def _demand_admission(self) -> None:
        admission = self._breaker.admit()
        if admission is Admission.REFUSED:
            raise NotAsked(Reason.CIRCUIT_OPEN)
        # Nothing is learnt of Vonage here: if this was let through as the probe, the next may be it.
        self._breaker.abandoned(admission)
