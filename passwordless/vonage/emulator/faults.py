"""Trouble made to order: each fault waits for the calls it is meant for and spoils their answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from threading import Lock
from urllib.parse import quote

from .answers import Answer

LONGEST = 120.0
"""Seconds, the longest silence of one call."""
VERBS = frozenset({"start", "check", "advance", "cancel", "search", "unblock", "silent", "templates", "*"})


class Phase(StrEnum):
    """Whether the call is carried out before the trouble begins."""

    BEFORE = "before"
    AFTER = "after"


class Dropped(ConnectionAbortedError):
    """The connection ends without an answer; `processed` tells whether the call was carried out."""

    def __init__(self, *, processed: bool) -> None:
        super().__init__("connection dropped by the emulator")
        self.processed = processed


class Hung(TimeoutError):
    """No answer for so many seconds; `processed` tells whether the call was carried out."""

    def __init__(self, seconds: float, *, processed: bool) -> None:
        super().__init__("no answer from the emulator")
        self.seconds = min(seconds, LONGEST)
        self.processed = processed


class Dripping(Exception):
    """The answer comes byte by byte from `part` on, a pause of so many seconds before each byte."""

    def __init__(self, answer: Answer, part: str, seconds: float) -> None:
        super().__init__("answer drips")
        self.answer, self.part, self.seconds = answer, part, seconds


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One kind of trouble. `times` is None when it lasts until it is taken away."""

    what: str
    where: str = "*"
    times: int | None = 1
    to: str | None = None
    seconds: float | None = None
    status: int | None = None


def _integer_status(body: dict[str, object]) -> dict[str, object]:
    status = body.get("status", "0")
    return body | {"status": int(status) if isinstance(status, str) and status.isdigit() else 0}


def _without_price(body: dict[str, object]) -> dict[str, object]:
    prices = {"price", "currency", "event_id", "estimated_price_messages_sent"}
    return {key: value for key, value in body.items() if key not in prices}


def _other_id(body: dict[str, object]) -> dict[str, object]:
    other = {"-": "ffffffff-ffff-4fff-8fff-ffffffffffff", "": "f" * 32}
    given = str(body.get("request_id", ""))
    return body | {"request_id": other["-" if "-" in given else ""]}


BODIES: Mapping[str, tuple[str, bytes]] = {
    "html": ("text/html", b"<!doctype html><title>Gateway</title><p>Please try again later.</p>"),
    "empty": ("application/json", b""),
    "list": ("application/json", b"[]"),
    "null": ("application/json", b"null"),
    "bad_json": ("application/json", b'{"status": "0", "request_id": '),
    "huge": ("application/json", json.dumps({"status": "0", "padding": "x" * 2**18}).encode()),
}
EDITS: Mapping[str, Callable[[dict[str, object]], dict[str, object]]] = {
    "integer_status": _integer_status,
    "missing_price": _without_price,
    "other_request_id": _other_id,
}
PHASES: Mapping[str, Phase] = (
    dict.fromkeys(("status", "hang", "drop_before", "redirect"), Phase.BEFORE)
    | dict.fromkeys(("hang_after", "drop_after", "drip_headers", "drip_body"), Phase.AFTER)
    | dict.fromkeys(("duplicate_success", *BODIES, *EDITS), Phase.AFTER)
)
"""Every kind of fault."""
SECONDS = {"hang": 60.0, "hang_after": 60.0, "drip_headers": 0.1, "drip_body": 0.1}


@dataclass
class Faults:
    """The faults that wait; safe to use from several threads."""

    _waiting: list[Fault] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def add(
        self,
        what: str,
        where: str = "*",
        times: int | None = 1,
        to: str | None = None,
        seconds: float | None = None,
        status: int | None = None,
    ) -> Fault:
        """Spoil the next `times` calls (None: all until cleared) of that verb and number.

        `what` is one of PHASES, `where` a verb or `*`, `to` E.164 with plus. `seconds` is how long a
        hang lasts or the pause between two bytes of a drip. `status` belongs to `what="status"`: below 200
        the v1 status (in HTTP 200), from 200 on the HTTP code. Raises ValueError for anything else.
        """
        fault = Fault(what=what, where=where, times=times, to=to, seconds=seconds, status=status)
        _require(fault)
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Take all faults away."""
        with self._lock:
            self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, verb: str, to: str, *, completed: bool) -> Fault | None:
        """Return the first fault meant for this call and count it, or None.

        `completed` tells that the request was verified before: only then a success can be repeated.
        """
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if _fits(fault, verb, to, completed):
                    self._spend(index)
                    return fault
        return None

    def _spend(self, index: int) -> None:
        fault = self._waiting[index]
        if fault.times is None:
            return
        if fault.times == 1:
            del self._waiting[index]
        else:
            self._waiting[index] = replace(fault, times=fault.times - 1)


def _require(fault: Fault) -> None:
    seconds, status, times = fault.seconds, fault.status, fault.times
    rules = (
        (fault.what in PHASES, "unknown fault"),
        (fault.where in VERBS, "unknown verb"),
        (times is None or times >= 1, "times must be 1 or more, or None"),
        (seconds is None or 0 <= seconds <= LONGEST, "seconds must be 0 to 120"),
        (status is None or fault.what == "status", "only the fault status has a status"),
        (status is None or 0 <= status <= 599, "status must be 0 to 599"),
    )
    for holds, text in rules:
        if not holds:
            raise ValueError(text)


def _fits(fault: Fault, verb: str, to: str, completed: bool) -> bool:
    if fault.what == "duplicate_success" and not (completed and verb == "check"):
        return False
    return fault.where in ("*", verb) and fault.to in (None, to)


def interrupt(fault: Fault, path: str, fail: Callable[[int | None], Answer]) -> Answer | None:
    """Return what is answered instead of carrying the call out, or None when it is carried out.

    `fail` words a status as the API concerned does. Raises Dropped or Hung.
    """
    if PHASES[fault.what] is Phase.AFTER:
        return None
    if fault.what == "drop_before":
        raise Dropped(processed=False)
    if fault.what == "hang":
        raise Hung(_seconds(fault), processed=False)
    if fault.what == "redirect":
        return Answer(status=307, headers=(("Location", f"{quote(path)}?again=1"),))
    return fail(fault.status)


def spoil(fault: Fault, answer: Answer) -> Answer:
    """Return the answer as the fault leaves it. Raises Dropped, Hung or Dripping."""
    if fault.what == "drop_after":
        raise Dropped(processed=True)
    if fault.what == "hang_after":
        raise Hung(_seconds(fault), processed=True)
    if fault.what.startswith("drip_"):
        raise Dripping(answer, fault.what.removeprefix("drip_"), _seconds(fault))
    if fault.what in BODIES:
        media_type, raw = BODIES[fault.what]
        return Answer(status=200, raw=raw, media_type=media_type)
    edit = EDITS.get(fault.what)
    return answer if edit is None else replace(answer, body=edit(dict(answer.body or {})))


def _seconds(fault: Fault) -> float:
    return SECONDS[fault.what] if fault.seconds is None else fault.seconds
