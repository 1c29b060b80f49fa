"""The emulator itself: one lock, one store, and the way from a WSGI environ to an answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from threading import Lock
from wsgiref.types import StartResponse, WSGIEnvironment

from . import faults as trouble
from . import v1, v2
from .access import Access
from .answers import PROBLEM, Answer, problem
from .clock import Clock, moment
from .dialect import Asked, Desk
from .faults import Dripping, Fault, Faults, Hung
from .incoming import Incoming, Refused, read
from .journal import CAPACITY, Call
from .outbox import Message
from .store import Store
from .switches import Switches

WIRE = "emulator.wire"
"""Set in the environ by a server that can drip bytes; elsewhere a drip is a hang."""
REFUSALS = {400: "Bad Request", 413: "Content Too Large"}


class Emulator:
    """A Verify server, v1 and v2, as a WSGI application; safe to call from several threads.

    Without credentials it takes any that are well formed. `reserved` are further numbers (E.164 with
    plus) whose last two digits choose an outcome; `seed` makes codes and ids repeatable.
    Called in process it raises Dropped or Hung (see `faults`) where a socket would be cut or silent.
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
    ) -> None:
        self.clock = clock or Clock()
        self.switches = switches or Switches()
        self.faults = Faults()
        self._access = Access(
            api_key=api_key, api_secret=api_secret, public_key=public_key, application_id=application_id
        )
        self._lock = Lock()
        self._store = Store(reserved, self.switches, seed)
        self._journal: deque[Call] = deque(maxlen=CAPACITY)

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
        with self._lock:
            return self._store.messages(self.clock.now(), to)

    def clear_messages(self, to: str | None = None) -> None:
        """Empty the outbox; open requests go on."""
        with self._lock:
            self._store.clear_messages(self.clock.now(), to)

    def clear(self) -> None:
        """Forget requests, messages, journal and faults; the clock stays where it is."""
        self.faults.clear()
        with self._lock:
            self._store.clear()
            self._journal.clear()

    def _serve(self, incoming: Incoming) -> Answer:
        with self._lock:
            fault, answer = self._process(incoming)
        return answer if fault is None else trouble.spoil(fault, answer)

    def _process(self, incoming: Incoming) -> tuple[Fault | None, Answer]:
        """Carry a call out. Raises Dropped or Hung, for the lock is free again then."""
        api, module = ("v2", v2) if incoming.path.startswith("/v2/") else ("v1", v1)
        now = self.clock.now()
        desk = Desk(store=self._store, access=self._access, incoming=incoming, now=now)
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
