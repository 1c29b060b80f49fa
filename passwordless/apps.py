"""Registers the app; nothing heavy is imported here."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, register
from django.utils.translation import gettext_lazy as _


class PasswordlessConfig(AppConfig):
    """The app. Its checks are registered when Django is ready."""

    name = "passwordless"
    label = "passwordless"
    verbose_name = _("Phone login")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks and mask numbers in our logs."""
        from . import logs

        register(Tags.security)(check_settings)
        register(Tags.security)(check_site)
        register(Tags.security, deploy=True)(check_production)
        logs.install()


# Loaded when they run: a server that answers requests never runs them.
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with the settings dict."""
    from . import checks

    return checks.of_settings()


def check_site(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is missing around the app."""
    from . import checks

    return checks.of_site()


def check_production(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is fine on a developer's machine and nowhere else."""
    from . import checks

    return checks.of_production()
