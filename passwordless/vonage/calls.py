"""The deadline and the bulkhead of calls to the provider, one object: a slow provider must never hold every
thread of a site, nor one thread for longer than it was told.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, NoReturn, TypeVar

from ..states import Reason
from .dialect import NotAsked, Unavailable

T = TypeVar("T")

IDLE = 10.0
"""Seconds after which a thread ends that nobody had work for."""


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
        self._idle: list[Worker] = []

    def run(self, work: Callable[[], T], seconds: float) -> T:
        """Return what `work` returns, or raise what it raises, within that many seconds.

        Raises Unavailable at once when all places are taken, and at the deadline.
        """
        if not self._places.acquire(blocking=False):
            raise NotAsked(Reason.CROWDED)
        job = Job(work)
        try:
            self._worker().take(job)
            answer = job.answer(seconds)
        except Empty:
            raise Unavailable("no answer in time", sent=job.call.give_up()) from None
        except BaseException:
            # The server ends this worker, or somebody pressed Ctrl-C: nobody waits any more.
            job.call.give_up()
            raise
        try:
            return answer()
        finally:
            del answer

    def _worker(self) -> Worker:
        """Return a thread that has nothing to do, the one that was busy last, or a new one."""
        with suppress(IndexError):
            return self._idle.pop()
        try:
            return Worker(self._idle, self._places)
        except RuntimeError:
            self._places.release()
            raise Unavailable("no thread to be had", sent=False) from None


class Job(Generic[T]):
    """Work that somebody waits for."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.call = Call()
        self._work = work
        self._told: SimpleQueue[Callable[[], T]] = SimpleQueue()

    def answer(self, seconds: float) -> Callable[[], T]:
        """Return what returns or raises what came of it. Raises Empty if nothing did in so many seconds."""
        return self._told.get(timeout=seconds)

    def do(self) -> Callable[[], None]:
        """Do it, in the thread that calls; return what tells whoever waits."""
        _here.call = self.call
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001 - carried to the thread that asked, which raises it
            answer: Callable[[], T] = partial(_raise, error)
        else:
            answer = partial(_same, result)
        self.call.let_go()
        del _here.call
        try:
            return partial(self._told.put, answer)
        finally:
            # An error knows this frame, and with it the work: neither may keep the other alive.
            del answer


class Worker:
    """A thread that does one job after the other: to start one for each call costs as much as half a call."""

    def __init__(self, idle: list[Worker], places: threading.BoundedSemaphore) -> None:
        self._idle, self._places = idle, places
        self._jobs: SimpleQueue[Job[Any]] = SimpleQueue()
        threading.Thread(target=self._serve, name="passwordless-vonage", daemon=True).start()

    def take(self, job: Job[Any]) -> None:
        """Do this as soon as nothing else is being done."""
        self._jobs.put(job)

    def _serve(self) -> None:
        while job := self._next():
            tell = job.do()
            self._idle.append(self)
            # Before it is told: whoever asks again at once must not find the place taken.
            self._places.release()
            tell()
            # Nothing of it may stay behind: it knows a number or a code.
            del job, tell

    def _next(self) -> Job[Any] | None:
        """Return what is to be done, or None when it is time to go."""
        while True:
            try:
                return self._jobs.get(timeout=IDLE)
            except Empty:
                try:
                    self._idle.remove(self)
                except ValueError:
                    # Somebody has just chosen this thread, and their job is on its way.
                    continue
                return None


def current() -> Call:
    """Return the call that this thread works for, or one that nobody waits for."""
    call: Call | None = getattr(_here, "call", None)
    return call if call is not None else Call()


def calling() -> bool:
    """Return whether this thread works for a call."""
    return hasattr(_here, "call")


def _same(result: T) -> T:
    return result


def _raise(error: BaseException) -> NoReturn:
    try:
        raise error
    finally:
        del error


_here = threading.local()
