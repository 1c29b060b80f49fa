"""All requests and the outbox; whoever calls it holds the emulator's lock."""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Iterable
from secrets import SystemRandom

from .clock import moment
from .outbox import Message, Outbox
from .outcomes import BLOCKED_NETWORK, Outcome, Reserved
from .switches import Switches
from .verification import Plan, Status, Tell, Verification, keep_quiet

RETENTION = 3600.0
"""Seconds for which a finished request is remembered."""
SWEEP_EVERY = 60.0


class Store:
    """Requests by id, the open ones by number, and what was sent."""

    def __init__(
        self,
        reserved: Iterable[str],
        switches: Switches,
        seed: int | str | None,
        tell: Tell = keep_quiet,
    ) -> None:
        self.reserved = Reserved(reserved)
        self.switches = switches
        self._tell = tell
        self._random = SystemRandom() if seed is None else random.Random(seed)  # noqa: S311 - repeatable is what a seed asks for
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.outbox = Outbox()
        self._known: dict[str, Verification] = {}
        self._running: dict[str, Verification] = {}
        self._holders: dict[tuple[str, str], Verification] = {}
        self._unblocked_until: dict[str, float] = {}
        self._swept = 0.0

    def draw(self, length: int) -> str:
        """Return that many random digits."""
        return "".join(self._random.choice(string.digits) for _ in range(length))

    def identifier(self) -> str:
        """Return a random UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def silent_code(self) -> str:
        """Return a code as silent authentication makes them: six letters and digits."""
        return "".join(self._random.choice(string.ascii_letters + string.digits) for _ in range(6))

    def open(self, plan: Plan, request_id: str, now: float) -> Verification:
        """Begin a request."""
        self._sweep(now)
        verification = Verification(
            request_id, plan, now, self.draw, self.outbox.add, self.switches.wrong_codes, self._tell
        )
        self._known[request_id] = self._running[request_id] = verification
        for step in plan.steps:
            self._holders[plan.api, step.to] = verification
        verification.move(now)
        return verification

    def find(self, api: str, request_id: str, now: float) -> Verification | None:
        """Return a request as it stands now, or None if it is unknown."""
        verification = self._known.get(request_id)
        if verification is None or verification.plan.api != api:
            return None
        verification.settle(now)
        return verification

    def find_open(self, api: str, request_id: str, now: float) -> Verification | None:
        """Return a request that still waits for a code, or None."""
        verification = self.find(api, request_id, now)
        return verification if verification is not None and verification.open else None

    def holder(self, api: str, numbers: Iterable[str], now: float) -> Verification | None:
        """Return the request that keeps one of these numbers busy, or None."""
        for number in numbers:
            verification = self._holders.get((api, number))
            if verification is not None and self._holds(verification, now):
                return verification
        return None

    def outcome(self, number: str, now: float) -> Outcome:
        """Return what happens to a request to that number (E.164 with plus)."""
        outcome = self.reserved.outcome(number)
        free = now < self._unblocked_until.get(BLOCKED_NETWORK, 0)
        return Outcome.WORKS if outcome is Outcome.BLOCKED and free else outcome

    def unblock(self, network: str, seconds: float, now: float) -> bool:
        """Lift the block of a network for so long; False when it has none."""
        if network != BLOCKED_NETWORK or now < self._unblocked_until.get(network, 0):
            return False
        self._unblocked_until[network] = now + seconds
        return True

    def settle(self, now: float) -> bool:
        """Let happen what was due by then; return whether a request that sends webhooks is open."""
        self._settle(now)
        return any(verification.plan.webhooks for verification in self._running.values())

    def messages(self, now: float, to: str | None = None) -> list[Message]:
        """Return what has arrived by then, newest last."""
        self._settle(now)
        return self.outbox.arrived(moment(now), to)

    def clear_messages(self, now: float, to: str | None = None) -> None:
        """Forget what has arrived by then."""
        self._settle(now)
        self.outbox.clear(moment(now), to)

    def _holds(self, verification: Verification, now: float) -> bool:
        verification.settle(now)
        if verification.status is Status.CANCELLED and verification.plan.api == "v2":
            return now < (verification.ended or 0) + self.switches.lock_after_cancel
        return verification.open

    def _settle(self, now: float) -> None:
        for verification in list(self._running.values()):
            verification.settle(now)
            if not verification.open:
                del self._running[verification.id]

    def _sweep(self, now: float) -> None:
        if now < self._swept + SWEEP_EVERY:
            return
        self._swept = now
        self._settle(now)
        old = now - RETENTION
        self._known = {i: v for i, v in self._known.items() if v.ended is None or v.ended > old}
        self._holders = {k: v for k, v in self._holders.items() if v.id in self._known}
