"""Who may ask: Basic, key and secret as fields, or a JWT; anything well formed unless a credential is set."""

from __future__ import annotations

import base64
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any, TypeGuard

LEEWAY = 60
"""Seconds by which a caller's clock may be ahead."""
UNTIMED: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
"""Only the signature: the times are judged here, with a public key or without."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """The credentials that are asked for; None accepts any.

    `public_key` is the PEM of the application's key, by which RS256 signatures are verified.
    """

    api_key: str | None = None
    api_secret: str | None = None
    public_key: str | None = None
    application_id: str | None = None

    def pair(self, key: str, secret: str) -> bool:
        """Return whether key and secret are there and right."""
        return bool(key and secret) and _equal(key, self.api_key) and _equal(secret, self.api_secret)

    def basic(self, authorization: str) -> tuple[str, str] | None:
        """Return key and secret of an Authorization header, or None when it is not Basic."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            text = base64.b64decode(encoded.strip(), validate=True).decode()
        except ValueError:
            return "", ""
        key, _, secret = text.partition(":")
        return key, secret

    def account(self, authorization: str) -> str | None:
        """Return who asks by Basic or Bearer (the form of v2), or None when that is refused."""
        pair = self.basic(authorization)
        if pair is not None:
            return pair[0] if self.pair(*pair) else None
        scheme, _, token = authorization.partition(" ")
        return self._bearer(token.strip()) if scheme.lower() == "bearer" else None

    def application(self, authorization: str) -> str:
        """Return the id of the application that asks by Bearer; empty when nobody does, or not so."""
        return "" if self.basic(authorization) else self.account(authorization) or ""

    def _bearer(self, token: str) -> str | None:
        claims = _claims(token)
        if claims is None or not self._signed(token) or not _current(claims):
            return None
        application = claims.get("application_id")
        if not isinstance(application, str) or not application:
            return None
        return application if _equal(application, self.application_id) else None

    def _signed(self, token: str) -> bool:
        if self.public_key is None:
            return True
        import jwt

        try:
            jwt.decode(token, self.public_key, algorithms=["RS256"], options=UNTIMED)
        except jwt.InvalidTokenError:
            return False
        return True


def _equal(given: str, expected: str | None) -> bool:
    return expected is None or hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _claims(token: str) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3 or not parts[2]:
        return None
    header, claims = _part(parts[0]), _part(parts[1])
    return claims if header is not None and header.get("alg") == "RS256" else None


def _part(text: str) -> dict[str, Any] | None:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _current(claims: dict[str, Any]) -> bool:
    # The caller's own clock, not the emulator's: that one may have been moved by hours for a test.
    now = time.time()
    issued, expires, before = (claims.get(key) for key in ("iat", "exp", "nbf"))
    if not (_is_time(issued) and issued <= now + LEEWAY):
        return False
    if before is not None and not (_is_time(before) and before <= now + LEEWAY):
        return False
    return expires is None or (_is_time(expires) and expires > now)


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
