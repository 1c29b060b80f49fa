"""What the app needs of the site around it: a backend, middleware, time zones, one database."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error
from django.db import router
from django.utils.module_loading import import_string


def missing() -> Iterator[CheckMessage]:
    """Yield what the site lacks."""
    yield from _backend()
    yield from _middleware()
    yield from _time_zones()
    yield from _databases()


def _backend() -> Iterator[CheckMessage]:
    """Exactly one phone backend: with two, each guess would be asked twice."""
    named = [import_string(path) for path in django_settings.AUTHENTICATION_BACKENDS]
    phone = [backend for backend in named if hasattr(backend, "find_user")]
    if len(phone) != 1:
        yield Error(
            f"AUTHENTICATION_BACKENDS names {len(phone)} phone backends; it must name one.",
            hint='AUTHENTICATION_BACKENDS = ["passwordless.backends.PhoneBackend", '
            '"django.contrib.auth.backends.ModelBackend"]',
            id="passwordless.E010",
        )


def _middleware() -> Iterator[CheckMessage]:
    needed = {
        "django.contrib.sessions.middleware.SessionMiddleware": "sessions",
        "django.contrib.auth.middleware.AuthenticationMiddleware": "logins",
    }
    present = [import_string(path) for path in django_settings.MIDDLEWARE]
    for path, what in needed.items():
        wanted = import_string(path)
        if not any(isinstance(one, type) and issubclass(one, wanted) for one in present):
            yield Error(
                f"Without {path} there are no {what}.",
                hint=f'MIDDLEWARE += ["{path}"]',
                id="passwordless.E011",
            )


def _time_zones() -> Iterator[CheckMessage]:
    if not django_settings.USE_TZ:
        yield Error(
            "Attempts begin and end at moments, which need time zones.",
            hint="USE_TZ = True",
            id="passwordless.E014",
        )


def _databases() -> Iterator[CheckMessage]:
    """Transactions are of one database: a router may choose any, and no two."""
    ours = apps.get_app_config("passwordless").get_models()
    chosen = sorted({router.db_for_write(model) for model in [get_user_model(), *ours]})
    if len(chosen) > 1:
        yield Error(
            f"Users, attempts and counters are sent to several databases: {', '.join(chosen)}.",
            hint="Let DATABASE_ROUTERS send `passwordless` where the user model is.",
            id="passwordless.E015",
        )
