"""Views that run outside of any transaction of the request, whatever ATOMIC_REQUESTS says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import connections, transaction

V = TypeVar("V", bound=Callable[..., object])


def alone(view: V) -> V:
    """Return the view, marked so for each database: an error after a guess must not give the guess back.

    A router may name any of them for attempts.
    """
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view
