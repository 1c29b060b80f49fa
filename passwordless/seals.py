"""HMACs and encryption under this site's secret keys: written with the newest, known under all that are being rotated
out.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.crypto import constant_time_compare
from django.utils.encoding import force_bytes

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


def seal(salt: str, value: str) -> str:
    """Return the HMAC (SHA-256, 64 hex digits) of `value` for one use, named by `salt`, under the newest key."""
    return _seal(salt, value, settings.SECRET_KEY)


def seals(salt: str, value: str) -> list[str]:
    """Return the same under SECRET_KEY and each of SECRET_KEY_FALLBACKS, the newest first."""
    return [_seal(salt, value, key) for key in _secrets()]


def fits(given: str, salt: str, value: str, length: int = 64) -> bool:
    """Return whether `given` is the beginning, that long, of a seal of `value` under any of the keys."""
    return any(constant_time_compare(given, one[:length]) for one in seals(salt, value))


def encrypt(salt: str, text: str) -> str:
    """Return `text` in a form that only this site can read or make (Fernet)."""
    # Without the signs that fill it up, for which a cookie would have to be quoted.
    return _fernet(salt, _secrets()).encrypt(text.encode()).decode().rstrip("=")


def decrypt(salt: str, given: str, seconds: int) -> str | None:
    """Return what was encrypted for the same use no longer than `seconds` ago, or None for anything else."""
    if not given or not given.isascii():
        return None
    from cryptography.fernet import InvalidToken

    filled = given + "=" * (-len(given) % 4)
    try:
        return _fernet(salt, _secrets()).decrypt(filled, ttl=seconds).decode()
    except InvalidToken:
        return None


def _secrets() -> tuple[str | bytes, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=16)
def _fernet(salt: str, secrets: tuple[str | bytes, ...]) -> MultiFernet:
    # Here, since it takes a tenth of what a site takes to start, and most of its processes need it never.
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(urlsafe_b64encode(_key(salt, secret))) for secret in secrets])


def _seal(salt: str, value: str, secret: str | bytes) -> str:
    return hmac.digest(_key(salt, secret), value.encode(), "sha256").hex()


@lru_cache(maxsize=64)
def _key(salt: str, secret: str | bytes) -> bytes:
    """Derive the key as Django's salted_hmac does, but once: a login seals ten values."""
    return hashlib.sha256(salt.encode() + force_bytes(secret)).digest()
