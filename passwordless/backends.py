"""The authentication backend: a handle and a code in, a user out. A site's own user model subclasses it."""

from __future__ import annotations

from functools import cache, partial
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.db import router
from django.db.models import F, Manager, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.views.decorators.debug import sensitive_variables

from . import flow, people
from .models import PhoneNumber, Select, together
from .outcomes import Handle
from .states import Public, Purpose, Reason
from .visitor import visitor


class PhoneBackend(ModelBackend):
    """Logs in by `authenticate(request, attempt=Handle, secret_code=...)`; permissions are ModelBackend's.

    `find_user`, `create_user` and `may_log_in` are the hooks of a site whose user model has its own phone
    column. The code is called `secret_code` because Django masks a credential of that name for the
    receivers of `user_login_failed`.
    """

    @sensitive_variables()
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

    def get_user(self, user_id: Any) -> Any | None:
        """Return the user of a session that began by phone, for as long as they may log in so."""
        user = super().get_user(user_id)
        return user if user is not None and people.judge(user) is Reason.OK else None

    @sensitive_variables("number")
    def find_user(self, number: str) -> Any | None:
        """Return the user with this number (E.164), or None."""
        manager = get_user_model()._default_manager
        # A manager with a query of its own, such as one of the current tenant's, is asked each time.
        made_of = getattr(manager, "_queryset_class", None)
        if type(manager).get_queryset is not Manager.get_queryset or made_of is not QuerySet:
            return _with_number(manager, number).first()
        return _select(manager).one(number, router.db_for_read(manager.model))

    @sensitive_variables("number")
    def create_user(self, number: str) -> Any:
        """Make a user without a password, under a random name, and give it the number (E.164)."""
        model = get_user_model()
        with together():
            user = model._default_manager.create_user(**{model.USERNAME_FIELD: _opaque_name()})
            PhoneNumber.objects.create(user=user, number=number, verified_at=timezone.now())
        return user

    def number_verified(self, user: Any, number: str) -> None:
        """Note that this user proved the number (E.164) for the first time, if it was linked by others."""
        if getattr(user, "number_verified_at", number) is None:
            PhoneNumber.objects.filter(number=number).update(verified_at=timezone.now())

    def may_log_in(self, user: Any) -> bool:
        """Return whether this active user may log in by phone: the place for a site's own rule."""
        return True


def _with_number(manager: Manager[Any], number: str) -> QuerySet[Any]:
    # Narrowed first: the annotation is then of this number, not of each that the user has.
    users: QuerySet[Any] = manager.filter(phone_numbers__number=number)
    return cast("QuerySet[Any]", users.annotate(number_verified_at=F("phone_numbers__verified_at")))


@cache
def _select(manager: Manager[Any]) -> Select[Any]:
    return Select(partial(_with_number, manager))


def _opaque_name() -> str:
    return f"u{get_random_string(20, 'abcdefghijklmnopqrstuvwxyz0123456789')}"
