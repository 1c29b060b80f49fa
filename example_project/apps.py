"""The site as an app, because it has templates, static files, a command and a check."""

from django.apps import AppConfig


class ExampleConfig(AppConfig):
    name = "example_project"

    def ready(self) -> None:
        """Register the check."""
        from . import checks  # noqa: F401
