"""The deadline and the bulkhead of calls to the provider: a slow provider must never hold every thread of a
site, nor one thread for longer than it was told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import TypeVar

from ..states import Reason
from .dialect import NotAsked, Unavailable

T = TypeVar("T")


class Call:
    """One call under way: how much time it has left, and whether a byte of it may have left this machine."""

    def __init__(self, seconds: float) -> None:
        self._ends = monotonic() + seconds
        self._opening: Future[None] | None = None
        self._sent = False

    @property
    def unsent(self) -> bool:
        """True only when it is certain that no byte was sent: the call opened a connection of its own."""
        return self._opening is not None and not self._sent

    def left(self) -> float:
        """Return the seconds that are left, more than 0. Raises TimeoutError when they are over."""
        seconds = self._ends - monotonic()
        if seconds <= 0:
            raise TimeoutError("no time left")
        return seconds

    def open(self, connect: Callable[[], None], close: Callable[[], None]) -> None:
        """Do `connect`, and raise what it raises; a connection that comes too late is closed.

        In a thread of its own, which a call that reuses a connection is spared: to look up a name can take
        as long as it likes, and is not to be interrupted but only left behind. Raises TimeoutError.
        """
        seconds, future = self.left(), Future[None]()
        try:
            self._start(future, connect)
            future.result(seconds)
        except BaseException:
            # At the deadline, or because the server ends this worker: nobody will use what is found now.
            future.add_done_callback(lambda _: close())
            raise

    def sending(self) -> float:
        """Note that a byte is about to leave; return the seconds that are left. Raises TimeoutError."""
        seconds, self._sent = self.left(), True
        return seconds

    def afterwards(self, deed: Callable[[], None]) -> None:
        """Do this as soon as no thread works for this call any more."""
        if self._opening is None:
            deed()
        else:
            self._opening.add_done_callback(lambda _: deed())

    def _start(self, future: Future[None], work: Callable[[], None]) -> None:
        self._opening = future
        try:
            threading.Thread(target=self._fulfil, args=(future, work), name=NAME, daemon=True).start()
        except RuntimeError:
            self._opening = None
            raise Unavailable("no thread to be had", sent=False) from None

    def _fulfil(self, future: Future[None], work: Callable[[], None]) -> None:
        _here.call = self
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - carried to the thread that asked, which raises it
            future.set_exception(error)
        else:
            future.set_result(None)


class Calls:
    """At most `limit` calls at once, each in the thread that asks.

    One that leaves a thread behind keeps its place until that thread has really ended.
    """

    def __init__(self, limit: int) -> None:
        self._places = threading.BoundedSemaphore(limit)

    def run(self, work: Callable[[], T], seconds: float) -> T:
        """Return what `work` returns, which asks `current()` how much of that time is left.

        Raises NotAsked at once when all places are taken.
        """
        if not self._places.acquire(blocking=False):
            raise NotAsked(Reason.CROWDED)
        call, former = Call(seconds), _here.call
        _here.call = call
        try:
            return work()
        finally:
            _here.call = former
            call.afterwards(self._places.release)


def current() -> Call:
    """Return the call that this thread works for. Raises LookupError where it works for none."""
    if _here.call is None:
        raise LookupError("no call is under way in this thread")
    return _here.call


def calling() -> bool:
    """Return whether this thread works for a call."""
    return _here.call is not None


class _Here(threading.local):
    call: Call | None = None


NAME = "passwordless-vonage"
_here = _Here()
