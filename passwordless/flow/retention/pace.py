"""How a purge makes way for others: it rests after each bite."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.utils import timezone

from ...models import home
from . import bites

LATELY = timedelta(seconds=10)
"""Whoever asked for a code so recently has still to type it."""

ALONE = 0.1
BESIDE = 2.0
"""How long a rest is, in the time that the bite before it took: with nobody there, and with people who log in."""

LONGEST = 1.0
"""Seconds of a rest at most: a bite that took longer had waited itself."""

T = TypeVar("T")


class Pace:
    """Takes bites and rests after each by `rest`, which is given seconds; without it, goes on at once."""

    def __init__(
        self, rest: Callable[[float], None] | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._rest, self._clock = rest, clock

    def take(self, bite: Callable[[], T]) -> T:
        """Return what a bite brings, after the rest that it costs."""
        began = self._clock()
        brought = bite()
        if self._rest is not None:
            took = self._clock() - began
            self._rest(min(took * share(), LONGEST))
        return brought

    def total(self, bite: Callable[[], int]) -> int:
        """Take bites until one brings nothing; return what all of them brought."""
        brought = 0
        while some := self.take(bite):
            brought += some
        return brought


def share() -> float:
    """Return how long a rest is for each second of a bite.

    Where a write keeps all others out, nobody could be seen who waits for it: there it rests as if somebody did.
    """
    database = home()
    if not bites.locks_rows(database):
        return BESIDE
    asked = bites.attempts().filter(created_at__gt=timezone.now() - LATELY)
    return BESIDE if asked.exists() else ALONE
