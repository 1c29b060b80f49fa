"""How commands tell amounts."""

from __future__ import annotations

from django.template.defaultfilters import pluralize


def many(count: int, noun: str, endings: str = "s") -> str:
    """Return "1 try", "2,000 tries". `endings` are those that pluralize of Django takes."""
    return f"{count:,} {noun}{pluralize(count, endings)}"
