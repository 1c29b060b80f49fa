"""The select of countries: native, with the site's favourites first, written once a language."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from . import countries
from .countries import Labels


class CountrySelect(forms.Widget):
    """A select whose values are ISO countries: a calling code would not tell the 25 countries of +1 apart."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """Return the markup. Two hundred options through a template would cost more than the rest of the page."""
        options = _options(countries.favourites(), countries.listed(), _("Often used"), _("All countries"))
        mark = f'<option value="{value}"'
        chosen = (
            options.replace(mark, f"{mark} selected", 1) if value in dict(countries.listed()) else options
        )
        given = format_html_join("", ' {}="{}"', self.build_attrs(self.attrs, attrs).items())
        return format_html('<select name="{}"{}>{}</select>', name, given, mark_safe(chosen))  # noqa: S308 - escaped below


@lru_cache(maxsize=64)
def _options(favourites: Labels, listed: Labels, first: str, second: str) -> str:
    if not favourites:
        return _group(listed)
    groups = ((first, _group(favourites)), (second, _group(listed)))
    return format_html_join("", '<optgroup label="{}">{}</optgroup>', groups)


def _group(labels: Labels) -> SafeString:
    return format_html_join("", '<option value="{}">{}</option>', labels)
