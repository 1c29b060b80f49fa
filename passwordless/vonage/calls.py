"""The deadline and the bulkhead of calls to the provider, one object: a slow provider must never hold every
thread of a site, nor one thread for longer than it was told.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from ..states import Reason
from .dialect import NotAsked, Unavailable

T = TypeVar("T")


class Call:
    """One call under way: whether a byte of it may have left, and how to end it from outside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._connecting = False
        self._sent = False
        self._given_up = False

    @property
    def unsent(self) -> bool:
        """True only when it is certain that no byte was sent."""
        return self._connecting and not self._sent

    def connecting(self) -> None:
        """Note that the call opens a connection of its own, so that nothing can have left yet.

        Raises ConnectionAbortedError when the caller has left.
        """
        with self._lock:
            self._demand_caller()
            self._connecting = True

    def opened(self, sock: socket.socket) -> None:
        """Remember the socket that ends the call when it is shut.

        Closes it and raises ConnectionAbortedError when the caller has left.
        """
        with self._lock:
            if self._given_up:
                sock.close()
            self._demand_caller()
            self._sock = sock

    def sending(self, sock: socket.socket) -> None:
        """Note that a byte is about to leave.

        Raises ConnectionAbortedError when the caller has left: what he was told was not sent must not be
        sent behind his back by a look-up of a name that came late.
        """
        with self._lock:
            self._demand_caller()
            self._sock, self._sent = sock, True

    def let_go(self) -> None:
        """Forget the socket: from here on it may serve another call."""
        with self._lock:
            self._sock = None

    def give_up(self) -> bool:
        """Shut the socket, let no further byte leave, and return whether one may have left."""
        with self._lock:
            self._given_up = True
            if self._sock is not None:
                with suppress(OSError):
                    # Past the TLS object, which the worker may be using at this moment.
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
            return not self.unsent

    def _demand_caller(self) -> None:
        if self._given_up:
            raise ConnectionAbortedError("given up")


class Calls:
    """At most `limit` calls at once, each in a thread of its own that is left behind at its deadline.

    A thread left behind keeps its place until it really ends: the limit counts threads, not hopes.
    """

    def __init__(self, limit: int) -> None:
        self._places = threading.BoundedSemaphore(limit)

    def run(self, work: Callable[[], T], seconds: float) -> T:
        """Return what `work` returns, or raise what it raises, within that many seconds.

        Raises Unavailable at once when all places are taken, and at the deadline.
        """
        if not self._places.acquire(blocking=False):
            raise NotAsked(Reason.CROWDED)
        call, result = Call(), Future[T]()
        try:
            self._launch(call, work, result)
            done = _done(result, seconds)
        except BaseException:
            # The server ends this worker, or somebody pressed Ctrl-C: nobody waits any more.
            call.give_up()
            raise
        if not done:
            raise Unavailable("no answer in time", sent=call.give_up())
        return result.result()

    def _launch(self, call: Call, work: Callable[[], T], result: Future[T]) -> None:
        def body() -> None:
            _here.call = call
            try:
                result.set_result(work())
            except BaseException as error:  # noqa: BLE001 - carried to the thread that asked, which raises it
                result.set_exception(error)
            finally:
                call.let_go()
                self._places.release()

        try:
            threading.Thread(target=body, name="passwordless-vonage", daemon=True).start()
        except RuntimeError:
            self._places.release()
            raise Unavailable("no thread to be had", sent=False) from None


def current() -> Call:
    """Return the call that this thread works for, or one that nobody waits for."""
    call: Call | None = getattr(_here, "call", None)
    return call if call is not None else Call()


def calling() -> bool:
    """Return whether this thread works for a call."""
    return hasattr(_here, "call")


def _done(result: Future[T], seconds: float) -> bool:
    try:
        result.exception(timeout=seconds)
    except TimeoutError:
        return False
    return True


_here = threading.local()
