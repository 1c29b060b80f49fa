"""What a browser session holds while a code is on its way: never a number, never a request id."""

from __future__ import annotations

from secrets import token_urlsafe
from typing import Any

from django.http import HttpRequest

from . import seals
from .outcomes import Handle
from .states import Purpose

KEY = "_passwordless"
TICKET, LENGTH = "passwordless.ticket", 32


def held(request: HttpRequest) -> Handle | None:
    """Return the handle that this session holds, or None."""
    kept = _kept(request)
    try:
        return Handle(str(kept["key"]), Purpose(kept["purpose"]), own=kept["own"] is True)
    except (KeyError, ValueError):
        return None


def nonce(request: HttpRequest) -> str:
    """Return the tag of this session, or a new one that `keep` will write down."""
    return str(_kept(request).get("nonce") or token_urlsafe(12))


def keep(request: HttpRequest, handle: Handle, *, tag: str, next_url: str = "") -> None:
    """Hold this handle from now on, and where to go after the code."""
    request.session[KEY] = {
        "key": handle.key,
        "purpose": handle.purpose.value,
        "own": handle.own,
        "nonce": tag,
        "next": next_url,
    }


def next_url(request: HttpRequest) -> str:
    """Return where to go after the code, as it was asked for; to be validated again at use."""
    return str(_kept(request).get("next", ""))


def forget(request: HttpRequest) -> None:
    """Let go of everything of ours."""
    request.session.pop(KEY, None)


def renew(request: HttpRequest) -> None:
    """Change the key of somebody who logs in again: Django does so for newcomers and other users only."""
    if request.user.is_authenticated:
        request.session.cycle_key()


def let_go(request: HttpRequest) -> None:
    """Let go of the attempt; the tag stays, so that giving up does not renew what a session may ask for."""
    if kept := _kept(request):
        request.session[KEY] = {"nonce": kept.get("nonce")}


def ticket(request: HttpRequest, handle: Handle) -> str:
    """Return what a form carries so that it counts for this session's attempt and no other."""
    return seals.seal(TICKET, f"{nonce(request)}:{handle.key}")[:LENGTH]


def fits(request: HttpRequest, handle: Handle, given: str) -> bool:
    """Return whether a form belongs to the attempt that the session holds now."""
    return seals.fits(given, TICKET, f"{nonce(request)}:{handle.key}", LENGTH)


def _kept(request: HttpRequest) -> dict[str, Any]:
    kept = request.session.get(KEY)
    return kept if isinstance(kept, dict) else {}
