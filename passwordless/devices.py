"""Our two cookies: of a browser that logged in before, so that a stranger cannot lock the owner of a number out,
and of the country that was chosen last.
"""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings as django_settings
from django.core import signing
from django.http import HttpResponse
from django.utils.crypto import get_random_string

from . import seals
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
    device = get_random_string(16)
    value = f"{device}.{seals.seal(SALT, f'{device}:{number}')[:LENGTH]}"
    set_cookie(response, COOKIE, signing.TimestampSigner(salt=SALT).sign(value))


def set_cookie(response: HttpResponse, name: str, value: str) -> None:
    """Give this browser a cookie of ours, as private as the site's session cookie."""
    response.set_cookie(
        name,
        value,
        max_age=MAX_AGE,
        secure=django_settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
        path=django_settings.SESSION_COOKIE_PATH,
        domain=django_settings.SESSION_COOKIE_DOMAIN,
    )


def _known(cookie: str, number: str) -> str:
    try:
        value = signing.TimestampSigner(salt=SALT).unsign(cookie, max_age=MAX_AGE)
    except signing.BadSignature:
        return ""
    device, _, seal = value.partition(".")
    return device if seals.fits(seal, SALT, f"{device}:{number}", LENGTH) else ""
