"""What goes back over the wire, and the problem bodies (RFC 9457) that v2 and the gateway speak."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

JSON = "application/json"
PROBLEM = "application/problem+json"
PHRASES = {status.value: status.phrase for status in HTTPStatus}
TYPES = "https://developer.vonage.com/api-errors/verify"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP answer: `raw` goes out as it is, `body` as JSON, neither as an empty answer."""

    status: int = 200
    body: Mapping[str, object] | None = None
    raw: bytes | None = None
    media_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        if self.raw is not None:
            return self.raw
        return b"" if self.body is None else json.dumps(self.body).encode()

    @property
    def line(self) -> str:
        """The status as WSGI wants it, such as `200 OK`."""
        return f"{self.status} {PHRASES.get(self.status, 'Unknown')}"

    def all_headers(self) -> list[tuple[str, str]]:
        """Return the headers with those that describe the content."""
        content = self.content
        described = [("Content-Type", self.media_type)] if content else []
        length = [] if self.status in (204, 304) else [("Content-Length", str(len(content)))]
        return [*described, *length, *self.headers]


def problem(
    status: int,
    title: str,
    detail: str = "",
    *,
    slug: str = "",
    headers: Iterable[tuple[str, str]] = (),
    **extra: object,
) -> Answer:
    """Return an error in the form of RFC 9457; `slug` is what follows # in its type."""
    slug = slug or title.lower().replace(" ", "-")
    texts = {"type": f"{TYPES}#{slug}", "title": title, "detail": detail, "instance": "emulator"}
    body = {key: text for key, text in texts.items() if text} | extra
    return Answer(status=status, body=body, media_type=PROBLEM, headers=tuple(headers))


def invalid(*faults: Mapping[str, str]) -> Answer:
    """Return 422 of v2, with the `name` of each wrong parameter and the `reason`."""
    detail = "The value of one or more parameters is invalid"
    return problem(422, "Invalid params", detail, invalid_parameters=list(faults))


def conflict(detail: str, slug: str = "", **extra: object) -> Answer:
    """Return 409 of v2."""
    return problem(409, "Conflict", detail, slug=slug, headers=(), **extra)


def made_to_order(status: int) -> Answer:
    """Return a failure that a test asked for; 429 says when to come back, in seconds."""
    headers = (("Retry-After", "30"),) if status == 429 else ()
    return problem(status, PHRASES.get(status, "Fault"), "Made to order.", slug="fault", headers=headers)


def not_found(detail: str = "There is nothing at this address.") -> Answer:
    """Return 404."""
    return problem(404, "Not Found", detail)


def not_allowed() -> Answer:
    """Return 405."""
    return problem(405, "Method Not Allowed", "This address does not take that method.")


def forbidden() -> Answer:
    """Return 403 for what the account may not do."""
    return problem(403, "Forbidden", "Your account does not have permission to perform this action.")
