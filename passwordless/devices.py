"""Two cookies that last: of a browser that logged in before, so that a stranger cannot lock the owner of a number out,
and of the country that was chosen last.
"""

from __future__ import annotations

import time
from dataclasses import replace
from secrets import token_urlsafe

from django.http import HttpResponse

from . import cookies, seals
from .outcomes import Visitor

COOKIE, COUNTRY_COOKIE = "passwordless_device", "passwordless_country"
MAX_AGE = 180 * 24 * 3600
"""Seconds."""

SALT, LENGTH = "passwordless.device", 32


def recognised(visitor: Visitor, number: str) -> Visitor:
    """Return the visitor, with the id of their device if its cookie was given for `number` (E.164)."""
    return replace(visitor, device=_known(visitor.cookie, number)) if visitor.cookie else visitor


def remember(response: HttpResponse, number: str) -> None:
    """Give this browser a cookie for `number` (E.164), which it does not contain."""
    told = f"{token_urlsafe(12)}.{int(time.time())}"
    value = f"{told}.{seals.seal(SALT, f'{told}:{number}')[:LENGTH]}"
    cookies.give(response, COOKIE, value, MAX_AGE)


def note_country(response: HttpResponse, country: str) -> None:
    """Let this browser remember which country (ISO) was chosen."""
    cookies.give(response, COUNTRY_COOKIE, country, MAX_AGE)


def _known(cookie: str, number: str) -> str:
    """Return the id of the browser that has this cookie for `number`, or nothing; the seal comes first."""
    told, _, seal = cookie.rpartition(".")
    if not cookie.isascii() or not seals.fits(seal, SALT, f"{told}:{number}", LENGTH):
        return ""
    device, _, given_at = told.partition(".")
    return device if int(given_at) > time.time() - MAX_AGE else ""
