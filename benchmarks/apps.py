"""The floor as an application, for its model and its template."""

from django.apps import AppConfig


class BenchmarksConfig(AppConfig):
    """Lives beside the app that is measured."""

    name = "benchmarks"
    default_auto_field = "django.db.models.BigAutoField"
