"""A stand-in for requests that must not be sent: same verbs, same answers, nothing behind them."""

from __future__ import annotations

from ..states import Reason
from .dialect import Order, Reply


class Decoy:
    """The gateway of numbers that may not log in: it sends nothing, and no code is ever right."""

    name = "decoy"

    def __init__(self, lifetime: int) -> None:
        self.lifetime = lifetime

    def step_seconds(self, steps: int) -> int:
        """Return what a real request would take."""
        return self.lifetime // steps

    def start(self, order: Order) -> Reply:
        """Pretend."""
        return Reply(reason=Reason.OK)

    def check(self, request_id: str, code: str) -> Reply:
        """Refuse every code."""
        return Reply(reason=Reason.WRONG_CODE)

    def advance(self, request_id: str) -> Reply:
        """Pretend."""
        return Reply(reason=Reason.OK)

    def cancel(self, request_id: str) -> Reply:
        """Pretend."""
        return Reply(reason=Reason.OK)
