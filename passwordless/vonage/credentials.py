"""Who we are at Vonage: key and secret, an application with its private key, or both. The key is parsed once,
because parsing it costs a hundred times a signature.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from vonage_http_client import Auth

BACKDATED = 30
"""Seconds by which a token claims to be older, for a clock of ours that runs ahead of theirs."""

TOKEN_LIFE = 900
"""Seconds from the claimed time of issue to the end of a token."""

KEY_FILE_LIMIT = 64 * 1024
"""Bytes read of a key file."""


class Credentials(Auth):
    """The SDK's Auth, complete or refused: each pair is given whole or not at all, and one is needed.

    `private_key` is PEM text (PKCS#8 or PKCS#1, real or literal line ends) or a path. Raises ValueError,
    which never holds a part of a credential.
    """

    def __init__(
        self,
        api_key: str | None = None,
        api_secret: str | None = None,
        application_id: str | None = None,
        private_key: str | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        _demand_pairs((api_key, api_secret), (application_id, private_key))
        super().__init__(api_key=api_key or None, api_secret=api_secret or None)
        self._application_id = application_id or None
        self._key = read_key(private_key) if private_key else None
        self._clock = clock

    def __repr__(self) -> str:
        kinds = {"basic": self.api_key, "jwt": self.application_id}
        return f"<Credentials {' '.join(kind for kind, given in kinds.items() if given)}>"

    def generate_application_jwt(self, claims: Mapping[str, Any] | None = None) -> bytes:
        """Return a new token, RS256 (RFC 7518 section 3.3). Raises ValueError without an application."""
        if self._key is None:
            raise ValueError("a token needs an application id and its private key")
        issued = int(self._clock()) - BACKDATED
        payload = {"iat": issued, "exp": issued + TOKEN_LIFE, "jti": str(uuid4()), **(claims or {})}
        payload["application_id"] = self.application_id
        return jwt.encode(payload, self._key, algorithm="RS256").encode("ascii")

    def create_basic_auth_string(self) -> str:
        """Return the header of key and secret (RFC 7617). Raises ValueError without them."""
        if self.api_key is None:
            raise ValueError("Basic needs an API key and its secret")
        return str(super().create_basic_auth_string())


def read_key(text_or_path: str) -> RSAPrivateKey:
    r"""Return the key of a PEM text (PKCS#8 or PKCS#1, literal `\n` accepted) or of the file at that path.

    Raises ValueError, without a word of the key, for what cannot be read, is encrypted, is not RSA or is
    shorter than 2048 bits (RFC 7518 section 3.3).
    """
    text = text_or_path if "-----BEGIN" in text_or_path else _read_file(text_or_path)
    try:
        # The owner's own key needs no proof that it is one, which costs 37 ms.
        key = load_pem_private_key(
            text.replace("\\n", "\n").strip().encode(), password=None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("the private key is no unencrypted PEM key") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < 2048:
        raise ValueError("the private key must be RSA of at least 2048 bits")
    return key


def _read_file(path: str) -> str:
    try:
        with Path(path).open(encoding="ascii") as file:
            return file.read(KEY_FILE_LIMIT)
    except (OSError, ValueError):
        # A mistyped key would look like a path: it must not be repeated in the message.
        raise ValueError("the private key is neither PEM text nor a readable file") from None


def _demand_pairs(basic: tuple[str | None, ...], application: tuple[str | None, ...]) -> None:
    if bool(basic[0]) != bool(basic[1]):
        raise ValueError("API key and secret are given together or not at all")
    if bool(application[0]) != bool(application[1]):
        raise ValueError("application id and private key are given together or not at all")
    if not (basic[0] or application[0]):
        raise ValueError("an API key with its secret, or an application id with its key, is needed")
