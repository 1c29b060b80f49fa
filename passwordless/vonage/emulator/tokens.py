"""The token that vouches for a webhook: a JWT (RFC 7519) by HS256, sound or with a flaw to order."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from enum import StrEnum

ISSUER = "Vonage"
SHORTEST_SECRET = 32
"""Bytes that a key of HS256 must have (RFC 7518, section 3.2)."""
HOUR = 3600


class Flaw(StrEnum):
    """What is wrong with a token, or with the way it is sent."""

    NONE = "none"
    UNSIGNED = "unsigned"
    WRONG_HASH = "wrong_hash"
    EXPIRED = "expired"
    FUTURE = "future"
    DUPLICATE = "duplicate"
    ALG_NONE = "alg_none"
    OTHER_KEY = "other_secret"


AHEAD = {Flaw.EXPIRED: -HOUR, Flaw.FUTURE: HOUR}


def require_secret(secret: str) -> None:
    """Raise ValueError when a signature secret is too short for HS256."""
    if len(secret.encode()) < SHORTEST_SECRET:
        raise ValueError("the signature secret must have at least 32 bytes (HS256, RFC 7518 section 3.2)")


def token_for(
    body: bytes,
    secret: str,
    claims: Mapping[str, object],
    flaw: Flaw = Flaw.NONE,
    ahead: float = 0,
) -> str:
    """Return a new token for a body; empty when it is to go unsigned.

    `claims` come on top of the usual ones, None takes one away. `ahead` is in seconds.
    """
    if flaw is Flaw.UNSIGNED:
        return ""
    told = _usual(body, flaw, ahead) | dict(claims)
    told = {name: value for name, value in told.items() if value is not None}
    if flaw is Flaw.ALG_NONE:
        return f"{_signed_part('none', told)}."
    return _sign(_signed_part("HS256", told), secrets.token_hex(32) if flaw is Flaw.OTHER_KEY else secret)


def _usual(body: bytes, flaw: Flaw, ahead: float) -> dict[str, object]:
    vouched = body + b" " if flaw is Flaw.WRONG_HASH else body
    return {
        # The receiver's clock is the real one, wherever the emulator's has been moved to.
        "iat": int(time.time() + ahead + AHEAD.get(flaw, 0)),
        "jti": str(uuid.uuid4()),
        "iss": ISSUER,
        "payload_hash": hashlib.sha256(vouched).hexdigest(),
    }


def _signed_part(algorithm: str, claims: Mapping[str, object]) -> str:
    parts = ({"alg": algorithm, "typ": "JWT"}, claims)
    return ".".join(_encoded(json.dumps(part).encode()) for part in parts)


def _sign(signed_part: str, secret: str) -> str:
    signature = hmac.digest(secret.encode(), signed_part.encode(), hashlib.sha256)
    return f"{signed_part}.{_encoded(signature)}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
