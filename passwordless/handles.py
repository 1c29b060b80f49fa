"""What a browser holds while a code is on its way: never a number, never a request id.

It is an encrypted cookie and not the site's session: whoever asks for a code and never proves anything leaves no row
in a table of sessions, and whoever does comes in with one session and not with two.
"""

from __future__ import annotations

import json
from secrets import token_urlsafe
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from . import cookies, seals
from .outcomes import Handle
from .states import Purpose

COOKIE, SALT, READ = "passwordless_attempt", "passwordless.attempt", "_passwordless_attempt"
LIFE = 2 * 3600
"""Seconds: longer than the hour for which most limits count, so that whoever is told to wait comes back to the same
page, and not much longer, on a computer that others use too.
"""

TICKET, LENGTH = "passwordless.ticket", 32


def held(request: HttpRequest) -> Handle | None:
    """Return the handle that this browser holds, or None."""
    kept = _kept(request)
    return Handle(kept["key"], Purpose(kept["purpose"]), own=bool(kept["own"])) if "key" in kept else None


def nonce(request: HttpRequest) -> str:
    """Return the tag of this browser, or a new one that `keep` will write down."""
    return str(_kept(request).get("nonce") or token_urlsafe(12))


def keep(response: HttpResponse, handle: Handle, *, tag: str, next_url: str) -> None:
    """Let the browser hold this handle from now on, and where to go after the code."""
    # Of one length for all: whether somebody else asked for this number first is told by nothing.
    kept = {"key": handle.key, "purpose": handle.purpose.value, "own": int(handle.own)}
    _write(response, {**kept, "nonce": tag, "next": next_url})


def next_url(request: HttpRequest) -> str:
    """Return where to go after the code, as it was asked for; to be validated again at use."""
    return str(_kept(request).get("next", ""))


def forget(response: HttpResponse) -> None:
    """Let go of everything."""
    cookies.take_back(response, COOKIE)


def let_go(request: HttpRequest, response: HttpResponse) -> None:
    """Let go of the attempt; the tag stays, so that giving up does not renew what a browser may ask for."""
    _write(response, {"nonce": nonce(request)})


def ticket(request: HttpRequest, handle: Handle) -> str:
    """Return what a form carries so that it counts for this browser's attempt and no other."""
    return seals.seal(TICKET, f"{nonce(request)}:{handle.key}")[:LENGTH]


def fits(request: HttpRequest, handle: Handle, given: str) -> bool:
    """Return whether a form belongs to the attempt that the browser holds now."""
    return seals.fits(given, TICKET, f"{nonce(request)}:{handle.key}", LENGTH)


def _write(response: HttpResponse, kept: dict[str, Any]) -> None:
    # Another form of this needs another SALT. Not in escapes, which are six times as long: a cookie has room for
    # 4096 bytes (RFC 6265, 6.1).
    told = json.dumps(kept, ensure_ascii=False)
    # Never longer than the site's sessions.
    seconds = None if settings.SESSION_EXPIRE_AT_BROWSER_CLOSE else min(LIFE, settings.SESSION_COOKIE_AGE)
    cookies.give(response, COOKIE, seals.encrypt(SALT, told), seconds)


def _kept(request: HttpRequest) -> dict[str, Any]:
    """Return what the browser brought, which is read once in a request."""
    known: dict[str, Any] | None = vars(request).get(READ)
    if known is None:
        told = seals.decrypt(SALT, cookies.read(request, COOKIE), LIFE)
        known = vars(request)[READ] = json.loads(told) if told else {}
    return known
