"""From a request to the little that the flow and the audit want to know of whoever sent it."""

from __future__ import annotations

import unicodedata
from ipaddress import ip_address

from django.http import HttpRequest

from .conf import settings
from .outcomes import Visitor


def visitor(request: HttpRequest | None, session: str = "") -> Visitor:
    """Return who asks; without a request, nobody in particular."""
    if request is None:
        return Visitor(session=session)
    return Visitor(ip=_address(request), agent=_agent(request), session=session)


def _address(request: HttpRequest) -> str | None:
    """Return REMOTE_ADDR, or the part of X-Forwarded-For that our own outermost proxy wrote.

    Anybody may send the header: only as many parts as there are proxies of ours are believed, counted
    from the right, and with fewer parts than proxies none is.
    """
    count = settings.TRUSTED_PROXY_COUNT
    parts = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if count else []
    found = parts[-count] if count and len(parts) >= count else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ip_address(found.strip()))
    except ValueError:
        return None


def _agent(request: HttpRequest) -> str:
    """Return the user agent without anything that could forge a line of a log or hide text on a page."""
    text = request.META.get("HTTP_USER_AGENT", "")[:200]
    return "".join(" " if unicodedata.category(character)[0] == "C" else character for character in text)
