"""Is this webhook Vonage's? A signed token vouches for the raw body, and only for a few minutes."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

MAX_AGE = 300
"""Seconds for which a token is good."""

MAX_AHEAD = 60
"""Seconds by which a clock of Vonage's may run ahead of ours."""

MIN_SECRET = 32
"""Bytes that a key of HS256 must have (RFC 7518, section 3.2)."""

# No more than any database stores, some of which refuse NUL and half a surrogate pair.
TOKEN_ID = re.compile(r"[ -~]{1,64}\Z")
CLAIMS = ["iat", "jti", "iss", "payload_hash"]


class Forged(Exception):
    """Not Vonage's, or not for us. The message says why, for staff, and holds nothing of the token."""


class Receiver(NamedTuple):
    """Who we are: the secrets that may have signed, and the account and application it must be meant for."""

    secrets: Sequence[str]
    api_key: str = ""
    application_id: str = ""


def verify(token: str, body: bytes, receiver: Receiver, now: float) -> str:
    """Return the id (`jti`) of a token that vouches for exactly this body at `now` (Unix time). Raises Forged."""
    claims = _claims(token, receiver)
    if claims["iss"] != "Vonage":
        raise Forged("foreign issuer")
    _demand_fresh(claims["iat"], now)
    _demand_ours(claims, receiver)
    _demand_hash(claims["payload_hash"], body)
    jti = claims["jti"]
    if not isinstance(jti, str) or not TOKEN_ID.match(jti):
        raise Forged("no usable token id")
    return jti


def _claims(token: str, receiver: Receiver) -> dict[str, Any]:
    """Return the claims under any of our secrets; the algorithm is ours to choose, never the token's."""
    import jwt

    for secret in receiver.secrets:
        if len(secret.encode()) < MIN_SECRET:
            continue
        try:
            return jwt.decode(
                token,
                secret,
                algorithms=["HS256"],
                options={"require": CLAIMS, "verify_iat": False, "verify_aud": False, "verify_iss": False},
            )
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError):
            # The header is read before the signature: whoever sends one may nest it as deep as they like.
            break
    raise Forged("no signature of ours")


def _demand_fresh(issued: object, now: float) -> None:
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        raise Forged("no time of issue")
    if not now - MAX_AGE <= issued <= now + MAX_AHEAD:
        raise Forged("too old, or from the future")


def _demand_hash(told: object, body: bytes) -> None:
    digest = hashlib.sha256(body).hexdigest().encode()
    if not isinstance(told, str) or not hmac.compare_digest(digest, told.lower().encode("ascii", "replace")):
        raise Forged("the body is not the one that was signed")


def _demand_ours(claims: dict[str, Any], receiver: Receiver) -> None:
    if receiver.api_key and claims.get("api_key") != receiver.api_key:
        raise Forged("for another account")
    named = claims.get("application_id")
    if receiver.application_id and named is not None and named != receiver.application_id:
        raise Forged("for another application")
