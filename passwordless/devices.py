"""A cookie for browsers that logged in before: with it, a stranger cannot lock the owner of a number out."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings as django_settings
from django.core import signing
from django.http import HttpResponse
from django.utils.crypto import constant_time_compare, get_random_string, salted_hmac

from .outcomes import Visitor

COOKIE = "passwordless_device"
MAX_AGE = 180 * 24 * 3600
"""Seconds."""

SALT = "passwordless.device"


def recognised(visitor: Visitor, number: str) -> Visitor:
    """Return the visitor, with the id of their device if its cookie was given for `number` (E.164)."""
    return replace(visitor, device=_known(visitor.cookie, number)) if visitor.cookie else visitor


def remember(response: HttpResponse, number: str) -> None:
    """Give this browser a cookie for `number` (E.164), which it does not contain."""
    device = get_random_string(16)
    value = f"{device}.{_seals(device, number)[0]}"
    response.set_cookie(
        COOKIE,
        signing.TimestampSigner(salt=SALT).sign(value),
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
    return device if any(constant_time_compare(seal, one) for one in _seals(device, number)) else ""


def _seals(device: str, number: str) -> list[str]:
    """Return what binds a device to a number, under the newest key first."""
    keys = [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]
    return [
        salted_hmac(SALT, f"{device}:{number}", secret=key, algorithm="sha256").hexdigest()[:32]
        for key in keys
    ]
