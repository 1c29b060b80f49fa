"""The authentication backend: a handle and a code in, a user out. A site's own user model subclasses it."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import get_random_string

from . import flow
from .models import PhoneNumber
from .outcomes import Handle
from .states import Public, Purpose
from .visitor import visitor


class PhoneBackend(ModelBackend):
    """Logs in by `authenticate(request, attempt=Handle, secret_code=...)`; permissions are ModelBackend's.

    `find_user`, `create_user` and `may_log_in` are the hooks of a site whose user model has its own phone
    column. The code is called `secret_code` because Django masks a credential of that name for the
    receivers of `user_login_failed`.
    """

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, attempt: Handle, secret_code: str
    ) -> Any:
        """Return the user whom the code lets in, and leave the outcome on the handle.

        Raises PermissionDenied on every other verdict, so that no later backend is given the code.
        """
        attempt.outcome = outcome = flow.check(attempt, secret_code, visitor(request))
        if outcome.verified and outcome.user is not None and attempt.purpose is Purpose.LOGIN:
            return outcome.user
        raise PermissionDenied(Public.WRONG.label)

    async def aauthenticate(self, request: HttpRequest | None, **credentials: Any) -> Any:  # type: ignore[override]
        """Do the same from async code, in a thread."""
        return await sync_to_async(self.authenticate)(request, **credentials)

    def find_user(self, number: str) -> Any | None:
        """Return the user with this number (E.164), or None."""
        row = PhoneNumber.objects.select_related("user").filter(number=number).first()
        return row.user if row else None

    def create_user(self, number: str) -> Any:
        """Make a user without a password, under a random name, and give it the number (E.164)."""
        model = get_user_model()
        with transaction.atomic():
            user = model._default_manager.create_user(**{model.USERNAME_FIELD: _opaque_name()})
            PhoneNumber.objects.create(user=user, number=number, verified_at=timezone.now())
        return user

    def may_log_in(self, user: Any) -> bool:
        """Return whether this active user may log in by phone: the place for a site's own rule."""
        return True


def _opaque_name() -> str:
    return f"u{get_random_string(20, 'abcdefghijklmnopqrstuvwxyz0123456789')}"
