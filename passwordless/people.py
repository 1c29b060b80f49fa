"""Whose number it is and whether they may log in, asked of the backend that the site configured."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol, cast

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model, load_backend
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, router, transaction
from django.views.decorators.debug import sensitive_variables

from .conf import settings
from .states import Purpose, Reason


class Directory(Protocol):
    """What a backend knows and does about users; PhoneBackend does it for auth.User."""

    def find_user(self, number: str) -> Any | None:
        """Return the user with this number (E.164), or None."""

    def create_user(self, number: str) -> Any:
        """Make a user for this verified number (E.164). IntegrityError: somebody else just did."""

    def number_verified(self, user: Any, number: str) -> None:
        """Note that this user has proved the number (E.164)."""

    def may_log_in(self, user: Any) -> bool:
        """Return whether the site lets this user in by phone."""


def directory() -> Directory:
    """Return the phone backend among AUTHENTICATION_BACKENDS. Raises ImproperlyConfigured without one."""
    return cast(Directory, load_backend(_phone_backend(tuple(django_settings.AUTHENTICATION_BACKENDS))))


# A login asks five times; each time Django would look for all backends anew.
@lru_cache(maxsize=8)
def _phone_backend(paths: tuple[str, ...]) -> str:
    for path in paths:
        backend = load_backend(path)
        if hasattr(backend, "find_user") and hasattr(backend, "may_log_in"):
            return path
    raise ImproperlyConfigured(
        "AUTHENTICATION_BACKENDS names no phone backend. Add passwordless.backends.PhoneBackend."
    )


def find(number: str) -> Any | None:
    """Return the user with this number (E.164), or None."""
    return directory().find_user(number)


def judge(user: Any | None) -> Reason:
    """Return OK if this user, or a newcomer where sign-up is open, may log in; otherwise why not."""
    if user is None:
        return Reason.OK if settings.SIGNUP else Reason.UNKNOWN_NUMBER
    if not user.is_active:
        return Reason.INACTIVE_USER
    if not settings.ALLOW_STAFF and (
        getattr(user, "is_staff", False) or getattr(user, "is_superuser", False)
    ):
        return Reason.STAFF_USER
    return Reason.OK if directory().may_log_in(user) else Reason.NOT_ALLOWED


def confirm(user: Any, number: str) -> None:
    """Tell the backend that this user has proved the number (E.164)."""
    directory().number_verified(user, number)


def are_secret(purpose: Purpose) -> bool:
    """Return whether a visitor must not learn which numbers have users: where newcomers are not let in."""
    return purpose is Purpose.LOGIN and not settings.SIGNUP


@sensitive_variables("number")
def find_or_create(number: str) -> Any:
    """Return the user with this number (E.164), made now if there is none; two at once get the same one."""
    user = find(number)
    if user is not None:
        return user
    try:
        with transaction.atomic(using=router.db_for_write(get_user_model())):
            return directory().create_user(number)
    except IntegrityError:
        user = find(number)
        if user is None:
            raise
        return user
