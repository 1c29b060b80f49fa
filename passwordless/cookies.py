"""Our cookies: as private as the site's session cookie, and for as long as each says."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse

LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT"
"""When what is taken back ended: a client that looks at the date first (libcurl) keeps what ends this very second."""

PREFIX = re.compile(r"__(?:host-http|host|http|secure)-", re.IGNORECASE)


def read(request: HttpRequest, name: str) -> str:
    """Return what this browser sent, unverified, or an empty text."""
    return request.COOKIES.get(_named(name), "")


def give(response: HttpResponse, name: str, value: str, seconds: int | None) -> None:
    """Let this browser keep a value for so many seconds, or with None until it is closed."""
    response.set_cookie(
        _named(name),
        value,
        max_age=seconds,
        expires=LONG_AGO if seconds == 0 else None,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
        path=settings.SESSION_COOKIE_PATH,
        domain=settings.SESSION_COOKIE_DOMAIN,
    )


def take_back(response: HttpResponse, name: str) -> None:
    """Let this browser forget a value."""
    give(response, name, "", 0)


def _named(name: str) -> str:
    # A prefix that a browser honours keeps neighbouring sub-domains from planting a cookie: ours go along.
    prefix = PREFIX.match(settings.SESSION_COOKIE_NAME)
    return f"{prefix[0]}{name}" if prefix else name
