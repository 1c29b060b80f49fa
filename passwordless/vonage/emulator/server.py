"""The emulator itself: one lock, one store, and the way from a WSGI environ to an answer."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any
from weakref import WeakMethod, WeakSet
from wsgiref.types import StartResponse, WSGIEnvironment

from . import faults as trouble
from . import v1, v2
from .access import Access
from .answers import PROBLEM, Answer, problem
from .clock import Clock, moment
from .courier import Delivery
from .dialect import Asked, Desk
from .faults import Dripping, Fault, Faults, Hung
from .incoming import Incoming, Refused, read
from .journal import CAPACITY, Call
from .outbox import Message
from .store import Store
from .switches import Switches
from .templates import Templates
from .tokens import Flaw, require_secret
from .verification import keep_quiet
from .webhooks import DELAYS, Webhooks

WIRE = "emulator.wire"
"""Set in the environ by a server that can drip bytes; elsewhere a drip is a hang."""
REFUSALS = {400: "Bad Request", 413: "Content Too Large"}


_living: WeakSet[Emulator] = WeakSet()


class Emulator:
    """A Verify server, v1 and v2, as a WSGI application; safe to call from several threads.

    Without credentials it takes any that are well formed. `reserved` are further numbers (E.164 with
    plus) whose last two digits choose an outcome; `seed` makes codes and ids repeatable.
    `templates` are a site's own texts for v2, made there or over the wire.
    Called in process it raises Dropped or Hung (see `faults`) where a socket would be cut or silent.
    With a `webhook_url` (http or https) it sends the webhooks of v2 there, from a thread of its own and
    signed with `signature_secret`; `webhook_delays` are the seconds before the second try and those after
    it, the last one repeated, five tries in all. Raises ValueError when the address is none, or the secret
    is missing or shorter than 32 bytes.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        public_key: str | None = None,
        application_id: str | None = None,
        reserved: Iterable[str] = (),
        seed: int | str | None = None,
        switches: Switches | None = None,
        webhook_url: str | None = None,
        signature_secret: str | None = None,
        webhook_delays: Sequence[float] = DELAYS,
    ) -> None:
        self.clock = clock or Clock()
        self.switches = switches or Switches()
        self.faults = Faults()
        self.templates = Templates(self.clock.now)
        self._access = Access(
            api_key=api_key, api_secret=api_secret, public_key=public_key, application_id=application_id
        )
        self._lock = Lock()
        self._journal: deque[Call] = deque(maxlen=CAPACITY)
        self._webhooks = self._reporter(webhook_url, signature_secret, webhook_delays)
        tell = self._webhooks.tell if self._webhooks else keep_quiet
        self._store = Store(reserved, self.switches, seed, tell)
        _living.add(self)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call as WSGI (PEP 3333) has it."""
        try:
            answer = self._serve(read(environ))
        except Refused as refused:
            answer = problem(refused.status, REFUSALS[refused.status])
        except Dripping as dripping:
            if WIRE not in environ:
                raise Hung(trouble.LONGEST, processed=True) from None
            environ[WIRE].update(part=dripping.part, seconds=dripping.seconds)
            answer = dripping.answer
        start_response(answer.line, answer.all_headers())
        return [answer.content]

    @property
    def journal(self) -> list[Call]:
        """What was asked, oldest first."""
        with self._lock:
            return list(self._journal)

    def count(self, verb: str) -> int:
        """Return how many calls of that verb came in, whatever they were answered."""
        return sum(call.verb == verb for call in self.journal)

    def messages(self, to: str | None = None) -> list[Message]:
        """Return what was sent up to now, newest last; `to` is E.164 with plus."""
        with self._turn():
            return self._store.messages(self.clock.now(), to)

    def clear_messages(self, to: str | None = None) -> None:
        """Empty the outbox; open requests go on."""
        with self._turn():
            self._store.clear_messages(self.clock.now(), to)

    def clear(self) -> None:
        """Forget requests, messages, journal and faults; clock and templates stay as they are."""
        self.faults.clear()
        with self._lock:
            self._store.clear()
            self._journal.clear()
            if self._webhooks:
                self._webhooks.clear()

    def webhooks(self) -> list[Delivery]:
        """Return the webhooks that were tried, in the order of their first try; the last 1,000."""
        return self._webhooks.deliveries() if self._webhooks else []

    def drain(self, seconds: float) -> bool:
        """Wait until every webhook due by now is delivered or given up; False after so many seconds."""
        self._settle()
        return self._webhooks is None or self._webhooks.drain(seconds)

    def send_webhook(
        self, event: Mapping[str, Any], flaw: str = "none", claims: Mapping[str, object] | None = None
    ) -> list[int | None]:
        """Send a body of your own once, now, and return the HTTP statuses (None: no answer).

        `flaw` is a value of `tokens.Flaw`; `claims` replace those of the token, None takes one away.
        Raises ValueError for another flaw, or without a webhook address.
        """
        if self._webhooks is None:
            raise ValueError("no webhook address is set")
        if flaw not in list(Flaw):
            raise ValueError("flaw must be one of " + ", ".join(Flaw))
        with self._turn():
            about = self._store.find("v2", str(event.get("request_id", "")), self.clock.now())
        return self._webhooks.craft(event, Flaw(flaw), claims or {}, about.plan if about else None)

    def after_fork(self) -> None:
        """Begin anew in a child process: another thread may have held the lock when it was made."""
        self._lock = Lock()
        self.templates.after_fork()
        if self._webhooks:
            self._webhooks.after_fork()

    def _reporter(self, url: str | None, secret: str | None, delays: Sequence[float]) -> Webhooks | None:
        if secret is not None:
            require_secret(secret)
        if url is None:
            return None
        # Weakly: the thread that sends must not keep an emulator that nobody uses.
        settle = WeakMethod(self._settle)
        return Webhooks(
            url=url,
            secret=secret,
            delays=delays,
            switches=self.switches,
            access=self._access,
            settle=lambda: (method := settle()) is not None and method(),
        )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the lock, and hand on what happened meanwhile."""
        with self._lock:
            try:
                yield
            finally:
                if self._webhooks:
                    self._webhooks.flush()

    def _settle(self) -> bool:
        with self._turn():
            return self._store.settle(self.clock.now())

    def _serve(self, incoming: Incoming) -> Answer:
        with self._turn():
            fault, answer = self._process(incoming)
        return answer if fault is None else trouble.spoil(fault, answer)

    def _process(self, incoming: Incoming) -> tuple[Fault | None, Answer]:
        """Carry a call out. Raises Dropped or Hung, for the lock is free again then."""
        api, module = ("v2", v2) if incoming.path.startswith("/v2/") else ("v1", v1)
        now = self.clock.now()
        desk = Desk(
            store=self._store, access=self._access, incoming=incoming, now=now, templates=self.templates
        )
        dialect = v2.V2(desk=desk) if api == "v2" else v1.V1(desk=desk)
        asked = dialect.asked()
        self._record(incoming, asked, api, now)
        fault = self.faults.take(asked.verb, asked.to, completed=asked.completed)
        answer = None if fault is None else trouble.interrupt(fault, incoming.path, module.fail)
        if answer is not None:
            return None, self._finished(answer)
        if fault is not None and fault.what == "duplicate_success" and asked.verification is not None:
            return None, dialect.completed(asked.verification)
        return fault, self._finished(asked.act())

    def _record(self, incoming: Incoming, asked: Asked, api: str, now: float) -> None:
        call = Call(method=incoming.method, path=incoming.path, verb=asked.verb, at=moment(now), api=api)
        self._journal.append(call)

    def _finished(self, answer: Answer) -> Answer:
        if self.switches.problem_type or answer.media_type != PROBLEM or answer.body is None:
            return answer
        return replace(answer, body={key: value for key, value in answer.body.items() if key != "type"})


def _after_fork() -> None:
    for emulator in list(_living):
        emulator.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
