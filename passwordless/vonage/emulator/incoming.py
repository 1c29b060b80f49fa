"""What came over the wire, read once: bounded, and never trusted to be what it says it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

LIMIT = 65536
"""Bytes of a body."""


class Refused(Exception):
    """A body that is not read: too long, or of no stated length. `status` is the HTTP answer."""

    def __init__(self, status: int) -> None:
        super().__init__("body refused")
        self.status = status


@dataclass(frozen=True)
class Incoming:
    """One HTTP request."""

    method: str
    path: str
    query: str
    body: bytes
    authorization: str
    base: str
    """Scheme, host and port by which the caller reached the emulator."""

    @cached_property
    def json(self) -> Any:
        """The body read as JSON, or None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def lists(self) -> dict[str, list[str]]:
        """All fields of query and body, whether form or JSON and whatever it is labelled."""
        found = _form(self.query)
        given = self.json
        if isinstance(given, dict):
            return found | {key: _texts(value) for key, value in given.items()}
        return found | _form(self.body.decode("utf-8", "replace"))

    @cached_property
    def fields(self) -> dict[str, str]:
        """The first value of each field that has one."""
        return {name: values[0] for name, values in self.lists.items() if values and values[0]}


def read(environ: dict[str, Any]) -> Incoming:
    """Return what a WSGI environ holds.

    Raises Refused when the body is longer than 64 KiB or its length is not a number.
    """
    return Incoming(
        method=environ.get("REQUEST_METHOD", "GET"),
        path=environ.get("PATH_INFO", "") or "/",
        query=environ.get("QUERY_STRING", ""),
        body=_body(environ),
        authorization=environ.get("HTTP_AUTHORIZATION", ""),
        base=f"{environ.get('wsgi.url_scheme', 'http')}://{_host(environ)}",
    )


def _body(environ: dict[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()) or len(length) > 18:
        raise Refused(400)
    if int(length) > LIMIT:
        raise Refused(413)
    body: bytes = environ["wsgi.input"].read(int(length)) if int(length) else b""
    return body


def _host(environ: dict[str, Any]) -> str:
    default = f"{environ.get('SERVER_NAME', 'localhost')}:{environ.get('SERVER_PORT', '80')}"
    return str(environ.get("HTTP_HOST") or default)


def _form(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, max_num_fields=100)
    except ValueError:
        return {}


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [_text(v) for v in values if isinstance(v, (str, int, float))]


def _text(value: str | int | float) -> str:
    return value if isinstance(value, str) else json.dumps(value)
