"""The database in which attempts live: the default one, or that which a router of the site names for them."""

from __future__ import annotations

from contextlib import AbstractContextManager

from django.db import router

from . import turns
from .attempts import VerificationAttempt


def home() -> str:
    """Return the alias of the database to which attempts, events and counters are written."""
    return router.db_for_write(VerificationAttempt)


def durable() -> AbstractContextManager[None]:
    """Return a transaction there whose end is a commit: RuntimeError inside one of the caller's."""
    return turns.atomic(home(), durable=True)


def together() -> AbstractContextManager[None]:
    """Return a transaction there, or a part of the caller's."""
    return turns.atomic(home())
