"""Native widgets, written without a template each: two hundred options, or two inputs, through templates would
cost as much as the rest of the page.
"""

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
        """Return the markup."""
        options = _options(countries.favourites(), countries.listed(), _("Often used"), _("All countries"))
        mark = f'<option value="{value}"'
        # Two letters: a longer value could be markup that reaches from one option into the next.
        chosen = options.replace(mark, f"{mark} selected", 1) if len(str(value)) == 2 else options
        given = _written(self.build_attrs(self.attrs, attrs))
        return format_html('<select name="{}"{}>{}</select>', name, given, mark_safe(chosen))  # noqa: S308 - escaped below


class Line(forms.TextInput):
    """A line to type in, or a value that is not shown where `input_type` is hidden."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """Return the markup."""
        text = self.format_value(value)
        told = "" if text is None else format_html(' value="{}"', text)
        given = _written(self.build_attrs(self.attrs, attrs))
        return format_html('<input type="{}" name="{}"{}{}>', self.input_type, name, told, given)


class Carried(Line):
    """What a form carries without showing it."""

    input_type = "hidden"


def _written(given: dict[str, Any]) -> SafeString:
    """Return attributes; True stands for one without a value, False for none."""
    return _attributes(tuple(given), *given.values())


# The same few at each request: what a visitor typed is a value and never among them. Typed, for 1 is not True.
@lru_cache(maxsize=64, typed=True)
def _attributes(names: tuple[str, ...], *values: Any) -> SafeString:
    told = zip(names, values, strict=True)
    pairs = ((name, "" if value is True else value) for name, value in told if value is not False)
    return format_html_join("", ' {}="{}"', pairs)


@lru_cache(maxsize=64)
def _options(favourites: Labels, listed: Labels, first: str, second: str) -> str:
    if not favourites:
        return _group(listed)
    groups = ((first, _group(favourites)), (second, _group(listed)))
    return format_html_join("", '<optgroup label="{}">{}</optgroup>', groups)


def _group(labels: Labels) -> SafeString:
    return format_html_join("", '<option value="{}">{}</option>', labels)
