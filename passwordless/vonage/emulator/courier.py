"""Brings webhooks to their address from a thread of its own, which lives while there is something to do."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Condition, Thread
from time import monotonic
from urllib.parse import urlsplit

CAPACITY = 1000
"""Webhooks that may wait; further ones are dropped."""
KEPT = 1000
TRIES = 5
TIMEOUT = 5.0
"""Seconds for the connection, and for the answer."""
TICK = 1.0
"""Seconds between two looks at the requests that are open."""
LIMIT = 65536

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One webhook: its raw body, and the token, count and HTTP status of its tries so far.

    `token` is empty when the last try went unsigned, `status` None when it got no answer.
    """

    body: bytes
    token: str
    tries: int
    status: int | None


@dataclass(eq=False)
class Parcel:
    """A webhook on its way; `seal` makes the token of the next try from the count of those before."""

    body: bytes
    seal: Callable[[int], str]
    token: str = ""
    tries: int = 0
    status: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether the last try got a 2xx."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Address:
    """Where the webhooks go."""

    secure: bool
    host: str
    port: int | None
    target: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """Return the parts of an http or https address. Raises ValueError for any other text."""
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            raise ValueError("the webhook address must begin with http:// or https:// and a host")
        # What the resolver would choke on later is refused now.
        parts.hostname.encode("idna")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme == "https", parts.hostname, parts.port, target)

    def post(self, body: bytes, token: str) -> int | None:
        """Return the HTTP status of the answer, or None when there was none within 5 s."""
        kind = HTTPSConnection if self.secure else HTTPConnection
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = kind(self.host, self.port, timeout=TIMEOUT)
        try:
            connection.request("POST", self.target, body, headers)
            answer = connection.getresponse()
            answer.read1(LIMIT)
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()
        return answer.status


class Courier:
    """A bounded queue and the thread that empties it; safe to use from several threads.

    `delays` are the seconds before the second try and those after it (the last one repeats; none at all
    means one try). `settle` brings the requests up to date and returns whether one is open.
    """

    def __init__(self, address: Address, delays: Sequence[float], settle: Callable[[], bool]) -> None:
        self.address, self.delays, self.settle = address, tuple(delays), settle
        self._turn = Condition()
        self._waiting: list[tuple[float, int, Parcel]] = []
        self._tried: deque[Parcel] = deque(maxlen=KEPT)
        self._numbers = itertools.count()
        self._flying: Parcel | None = None
        self._watching = False
        self._thread: Thread | None = None

    def renewed(self) -> Courier:
        """Return a courier for a child process: what waits here is the parent's to send."""
        return Courier(self.address, self.delays, self.settle)

    def post(self, parcels: Iterable[Parcel], lag: float = 0) -> None:
        """Send those after `lag` seconds, and watch the requests that are open; returns at once."""
        with self._turn:
            self._admit(list(parcels), lag)
            self._watching = True
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="emulator webhooks", daemon=True)
                self._thread.start()
            self._turn.notify_all()

    def send(self, parcel: Parcel) -> int | None:
        """Try a parcel once, now and in the caller's thread; return the HTTP status, or None."""
        token = parcel.seal(parcel.tries)
        status = self.address.post(parcel.body, token)
        with self._turn:
            self._note(parcel, token, status)
        return status

    def deliveries(self) -> list[Delivery]:
        """Return the webhooks that were tried, in the order of their first try."""
        with self._turn:
            return [
                Delivery(body=parcel.body, token=parcel.token, tries=parcel.tries, status=parcel.status)
                for parcel in self._tried
            ]

    def drain(self, seconds: float) -> bool:
        """Wait until nothing is under way, retries included; False after so many seconds."""
        with self._turn:
            return self._turn.wait_for(lambda: not self._waiting and self._flying is None, seconds)

    def clear(self) -> None:
        """Forget what waits and what was sent."""
        with self._turn:
            self._waiting.clear()
            self._tried.clear()
            self._flying = None
            self._turn.notify_all()

    def _admit(self, parcels: Sequence[Parcel], seconds: float) -> None:
        room = max(0, CAPACITY - len(self._waiting))
        for parcel in parcels[:room]:
            self._queue(parcel, seconds)
        if len(parcels) > room:
            logger.warning("The emulator drops %d webhooks: too many wait already.", len(parcels) - room)

    def _queue(self, parcel: Parcel, seconds: float) -> None:
        heapq.heappush(self._waiting, (monotonic() + seconds, next(self._numbers), parcel))

    def _run(self) -> None:
        look_at = 0.0
        while self._needed():
            if monotonic() >= look_at:
                self._look()
                look_at = monotonic() + TICK
            parcel = self._next(look_at)
            if parcel is not None:
                self._deliver(parcel)

    def _needed(self) -> bool:
        with self._turn:
            if self._waiting or self._watching:
                return True
            # Under the lock: whoever posts next sees that a new thread must begin.
            self._thread = None
            return False

    def _look(self) -> None:
        # A request that opens while the others are looked at sets the mark again.
        with self._turn:
            self._watching = False
        if self.settle():
            with self._turn:
                self._watching = True

    def _next(self, until: float) -> Parcel | None:
        with self._turn:
            now = monotonic()
            due = self._waiting[0][0] if self._waiting else until
            if not self._waiting or due > now:
                if self._waiting or self._watching:
                    self._turn.wait(max(0.0, min(due, until) - now))
                return None
            self._flying = heapq.heappop(self._waiting)[2]
            return self._flying

    def _deliver(self, parcel: Parcel) -> None:
        token = parcel.seal(parcel.tries)
        status = self.address.post(parcel.body, token)
        with self._turn:
            if self._flying is parcel:
                self._flying = None
                self._note(parcel, token, status)
                self._retry(parcel)
            self._turn.notify_all()

    def _note(self, parcel: Parcel, token: str, status: int | None) -> None:
        if not parcel.tries:
            self._tried.append(parcel)
        parcel.token, parcel.status = token, status
        parcel.tries += 1

    def _retry(self, parcel: Parcel) -> None:
        if parcel.accepted or parcel.tries >= TRIES or not self.delays:
            return
        self._queue(parcel, self.delays[min(parcel.tries, len(self.delays)) - 1])
