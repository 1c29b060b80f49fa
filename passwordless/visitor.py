"""From a request to the little that the flow and the audit want to know of whoever sent it."""

from __future__ import annotations

import unicodedata
from ipaddress import ip_address

from django.http import HttpRequest
from django.utils.translation import get_language

from . import cookies, devices
from .conf import settings
from .outcomes import Visitor

LONGEST_TAG = 35
"""RFC 5646, 4.4.1."""


def visitor(request: HttpRequest | None, tag: str = "") -> Visitor:
    """Return who asks; without a request, nobody in particular."""
    if request is None:
        return Visitor(session=tag)
    cookie = cookies.read(request, devices.COOKIE)
    return Visitor(
        ip=_address(request),
        agent=_agent(request),
        session=tag,
        cookie=cookie,
        language=(get_language() or "")[:LONGEST_TAG],
    )


def _address(request: HttpRequest) -> str | None:
    """Return REMOTE_ADDR, or the part of X-Forwarded-For that our own outermost proxy wrote.

    Anybody may send the header: only as many parts as there are proxies of ours are believed, counted
    from the right, and with fewer parts than proxies none is.
    """
    count = settings.TRUSTED_PROXY_COUNT
    header = request.META.get("HTTP_X_FORWARDED_FOR", "") if count else ""
    parts = header.split(",") if header else []
    found = parts[-count] if count and len(parts) >= count else request.META.get("REMOTE_ADDR", "")
    try:
        # Without the zone, which databases refuse.
        address = ip_address(found.strip().partition("%")[0])
    except ValueError:
        return None
    # A dual-stack socket shows each IPv4 peer as ::ffff:a.b.c.d; as one /64 they would share one bucket.
    return str(getattr(address, "ipv4_mapped", None) or address)


def _agent(request: HttpRequest) -> str:
    """Return the user agent without anything that could forge a line of a log or hide text on a page."""
    text: str = request.META.get("HTTP_USER_AGENT", "")[:200]
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(character)[0] == "C" else character for character in text)
