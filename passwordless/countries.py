"""Countries as people know them: by name, in the order of their own language, with the code that one dials.

The names are Unicode CLDR's, written once by .ci/territories.mjs, so that no library of locales is needed.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from pathlib import Path

from django.conf import settings as django_settings
from django.utils.translation import get_language
from django.utils.translation.trans_real import parse_accept_lang_header

from . import phones
from .conf import settings

FOLDER = Path(__file__).parent / "territories"
# Tags of Django and of browsers for a language whose names stand under another tag.
ALIASES = {
    **dict.fromkeys(["zh", "zh-cn", "zh-my", "zh-sg"], "zh-hans"),
    **dict.fromkeys(["zh-hk", "zh-mo", "zh-tw"], "zh-hant"),
    **dict.fromkeys(["nn", "no"], "nb"),
}
# RFC 5646, 2.1, in lower case: language, extended languages, script, and then the region.
REGION = re.compile(r"[a-z]{2,3}(?:-[a-z]{3}){0,3}(?:-[a-z]{4})?-([a-z]{2})(?:-|\Z)")
# Inside an option there is no markup, so that these two keep +44 in one piece between Arabic words.
ISOLATE, POP = "\u2066", "\u2069"

Labels = tuple[tuple[str, str], ...]
"""Countries (ISO) and what a select shows for each."""


def served() -> tuple[str, ...]:
    """Return the countries (ISO, sorted) whose numbers get codes: COUNTRIES, or all that have numbers."""
    return _sorted(_allowed())


def name(country: str, language: str = "") -> str:
    """Return what a country (ISO) is called in `language` (a tag such as pt-br), or its code if unknown.

    Without `language` it is the one that is active. One without names falls back on its base, then English.
    """
    return _name(country, _nearest(language or _active()))


def isolated(text: str) -> str:
    """Return `text` so that a number in it keeps its order between words of a right-to-left language.

    Where there is no markup, Unicode's isolates do it (UAX #9, 2.4).
    """
    return f"{ISOLATE}{text}{POP}"


def calling_code(country: str) -> str:
    """Return the digits after the + of numbers of a country (ISO), or an empty string if it has none."""
    return str(phones.calling_code(country) or "")


def listed(language: str = "") -> Labels:
    """Return the served countries as `("GB", "United Kingdom (+44)")`, in the order of the language.

    In right-to-left languages the code is isolated (Unicode UAX #9, 2.4).
    """
    language = language or _active()
    return _labels(_nearest(language), _is_right_to_left(language), served())


def favourites(language: str = "") -> Labels:
    """Return those of FAVOURITE_COUNTRIES that are served, in the order of the setting.

    They are in `listed` too: who looks for their country by its letter must find it in the whole list.
    """
    if not settings.FAVOURITE_COUNTRIES:
        return ()
    labels = dict(listed(language))
    chosen = dict.fromkeys(settings.FAVOURITE_COUNTRIES)
    return tuple((country, labels[country]) for country in chosen if country in labels)


def preferred(accept_language: str) -> str:
    """Return the served country (ISO) that an Accept-Language header names first, or an empty string.

    A tag without a region names none, and one of weight 0 is not wanted (RFC 9110, 12.4.2).
    """
    allowed = _allowed()
    # Django reads the first 500 characters only, and nothing of a malformed header.
    tags = (tag for tag, weight in parse_accept_lang_header(accept_language) if weight > 0)
    return next((region for tag in tags if (region := _region(tag)) in allowed), "")


def _allowed() -> frozenset[str]:
    chosen = settings.COUNTRIES
    return phones.regions() if chosen is None else phones.regions() & frozenset(chosen)


@lru_cache(maxsize=16)
def _sorted(countries: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(countries))


def _region(tag: str) -> str:
    found = REGION.match(tag)
    return found[1].upper() if found else ""


def _active() -> str:
    return get_language() or "en"


def _is_right_to_left(language: str) -> bool:
    """Tell it as Django does for `dir`, which the names alone cannot: Persian pages have English ones."""
    return language.lower().partition("-")[0] in django_settings.LANGUAGES_BIDI


def _nearest(language: str) -> str:
    """Return the tag whose names are read. Only a file of ours is ever opened, whatever the tag says."""
    tag = language.lower()
    while tag:
        tag = ALIASES.get(tag, tag)
        if tag in _languages():
            return tag
        tag = tag.rpartition("-")[0]
    return "en"


def _name(country: str, tag: str) -> str:
    return _names(tag).get(country) or _names("en").get(country, country)


@lru_cache(maxsize=64)
def _labels(tag: str, right_to_left: bool, countries: tuple[str, ...]) -> Labels:
    # A country that is newer than the names stands at the end, under its code.
    order = {country: place for place, country in enumerate(_names(tag))}
    there = sorted(countries, key=lambda country: order.get(country, len(order)))
    return tuple((country, _label(country, tag, right_to_left)) for country in there)


def _label(country: str, tag: str, right_to_left: bool) -> str:
    code = f"+{calling_code(country)}"
    if right_to_left:
        code = isolated(code)
    return f"{_name(country, tag)} ({code})"


@cache
def _languages() -> frozenset[str]:
    return frozenset(file.stem for file in FOLDER.glob("*.json"))


@cache
def _names(tag: str) -> dict[str, str]:
    """Return names by country, in the order of their language."""
    return dict(json.loads((FOLDER / f"{tag}.json").read_text(encoding="utf-8")))
