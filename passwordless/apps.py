"""Registers the app; nothing heavy is imported here."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PasswordlessConfig(AppConfig):
    """The app. Its checks are registered when Django is ready."""

    name = "passwordless"
    label = "passwordless"
    verbose_name = _("Phone login")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks and mask numbers in our logs."""
        from . import checks, logs  # noqa: F401

        logs.install()
