"""The stand-alone emulator's own addresses, `/_emulator/...`: messages, clock, faults, journal, webhooks."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from .answers import Answer, not_allowed, not_found, problem
from .clock import stamp
from .incoming import Incoming, Refused, read
from .journal import Call
from .numbers import international
from .outbox import Message
from .server import REFUSALS, Emulator

PREFIX = "/_emulator/"
FAULT_KEYS = frozenset({"what", "where", "times", "to", "seconds", "status"})
KINDS: Mapping[str, tuple[type, ...]] = {
    "what": (str,),
    "where": (str,),
    "times": (int, type(None)),
    "to": (str, type(None)),
    "seconds": (int, float, type(None)),
    "status": (int, type(None)),
}


class Control:
    """The emulator with its own addresses in front; they answer loopback callers only."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call as WSGI (PEP 3333) has it."""
        if not environ.get("PATH_INFO", "").startswith(PREFIX):
            return self.emulator(environ, start_response)
        answer = self._answer(environ)
        start_response(answer.line, answer.all_headers())
        return [answer.content]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        try:
            if not _from_here(environ):
                return problem(403, "Forbidden", "Loopback callers only.")
            return self._route(read(environ))
        except Refused as refused:
            return problem(refused.status, REFUSALS[refused.status])
        except (ValueError, OverflowError, RecursionError) as error:
            return problem(400, "Bad Request", str(error))

    def _route(self, incoming: Incoming) -> Answer:
        methods = self._routes().get(incoming.path.removeprefix(PREFIX))
        if methods is None:
            return not_found()
        act = methods.get(incoming.method)
        return not_allowed() if act is None else act(incoming)

    def _routes(self) -> Mapping[str, Mapping[str, Callable[[Incoming], Answer]]]:
        return {
            "messages": {"GET": self._messages, "DELETE": self._forget},
            "clock": {"GET": self._time, "POST": self._advance},
            "faults": {"POST": self._add_fault, "DELETE": self._clear_faults},
            "journal": {"GET": self._journal},
            "webhook": {"POST": self._send_webhook},
        }

    def _messages(self, incoming: Incoming) -> Answer:
        return _listed(map(_message, self.emulator.messages(_to(incoming))))

    def _forget(self, incoming: Incoming) -> Answer:
        self.emulator.clear_messages(_to(incoming))
        return Answer(status=204)

    def _time(self, incoming: Incoming) -> Answer:
        return Answer(body={"now": self.emulator.clock.now()})

    def _advance(self, incoming: Incoming) -> Answer:
        seconds = _object(incoming, {"advance"}).get("advance")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            raise ValueError("advance must be a number of seconds")
        self.emulator.clock.advance(seconds)
        return self._time(incoming)

    def _add_fault(self, incoming: Incoming) -> Answer:
        given = _object(incoming, FAULT_KEYS)
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, KINDS[name]):
                raise ValueError(f"{name} has the wrong type")
        if "what" not in given:
            raise ValueError("what is required")
        self.emulator.faults.add(**given)
        return Answer(status=201, body=given)

    def _clear_faults(self, incoming: Incoming) -> Answer:
        self.emulator.faults.clear()
        return Answer(status=204)

    def _journal(self, incoming: Incoming) -> Answer:
        return _listed(map(_call, self.emulator.journal))

    def _send_webhook(self, incoming: Incoming) -> Answer:
        given = _object(incoming, {"event", "flaw", "claims"})
        event, claims, flaw = given.get("event"), given.get("claims", {}), given.get("flaw", "none")
        if not isinstance(event, dict) or not isinstance(claims, dict):
            raise ValueError("event and claims must be JSON objects")
        return Answer(body={"statuses": self.emulator.send_webhook(event, flaw, claims)})


def _from_here(environ: WSGIEnvironment) -> bool:
    # A page in the developer's browser also calls from loopback: its Origin, or the name it made
    # resolve to 127.0.0.1, gives it away.
    address = environ.get("REMOTE_ADDR", "")
    names = [urlsplit(f"//{environ.get('HTTP_HOST', 'localhost')}").hostname]
    origin = environ.get("HTTP_ORIGIN")
    names += [] if origin is None else [urlsplit(origin).hostname]
    return all(map(_is_loopback, [address, *names]))


def _is_loopback(name: str | None) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name or "").is_loopback
    except ValueError:
        return False


def _to(incoming: Incoming) -> str | None:
    # An unescaped plus sign arrives as a blank; one left out is forgiven.
    values = parse_qs(incoming.query).get("to")
    return None if values is None else international(values[0].strip()) or values[0]


def _object(incoming: Incoming, keys: Iterable[str]) -> dict[str, Any]:
    given = incoming.json
    if not isinstance(given, dict) or not set(given) <= set(keys):
        raise ValueError("a JSON object with the keys " + ", ".join(sorted(keys)) + " is required")
    return given


def _listed(items: Iterable[Mapping[str, object]]) -> Answer:
    return Answer(raw=json.dumps(list(items)).encode())


def _message(message: Message) -> dict[str, object]:
    return {
        "to": message.to,
        "channel": message.channel,
        "text": message.text,
        "code": message.code,
        "request_id": message.request_id,
        "sent_at": stamp(message.sent_at),
        "locale": message.locale,
    }


def _call(call: Call) -> dict[str, object]:
    return {
        "method": call.method,
        "path": call.path,
        "verb": call.verb,
        "at": stamp(call.at),
        "api": call.api,
    }
