"""Which tag of Vonage comes nearest to the language of a page and the country of a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Tags = Mapping[str, frozenset[str]]
"""Tag to the channels that speak it."""


def _tags(text: str, *channels: str) -> Tags:
    return dict.fromkeys(text.split(), frozenset(channels))


V1 = _tags(
    "ar-xa cs-cz cy-cy cy-gb da-dk de-de el-gr en-au en-gb en-in en-us es-es es-mx es-us fi-fi fil-ph fr-ca "
    "fr-fr hi-in hu-hu id-id is-is it-it ja-jp ko-kr nb-no nl-nl pl-pl pt-br pt-pt ro-ro ru-ru sv-se th-th "
    "tr-tr vi-vn yue-cn zh-cn zh-tw",
    "sms",
    "voice",
)
"""All that v1 takes as `lg` (definition 1.2.4)."""

V2 = _tags(
    "ar-xa de-de en-gb en-us es-es es-mx es-us fr-fr hi-in id-id it-it ja-jp nl-nl pt-br pt-pt ru-ru zh-cn",
    "sms",
    "voice",
    "whatsapp",
)
"""What v2 is certain to take as `locale`: the tags that Vonage's SDKs and its guide to languages name.
There are more, and the list grows; but a tag that v2 does not know may be refused (HTTP 422), and that
would cost somebody a login.
"""

HOMES = {tag.partition("-")[0]: tag for tag in V1} | {
    "cy": "cy-gb",
    "en": "en-us",
    "es": "es-es",
    "fr": "fr-fr",
    "nn": "nb-no",
    "no": "nb-no",
    "pt": "pt-pt",
    "tl": "fil-ph",
    "zh": "zh-cn",
}
"""The tag of a language where neither page nor number names a country that has one of its own."""

SCRIPTS = {
    **dict.fromkeys(("zh-hans", "zh-my", "zh-sg"), "zh-cn"),
    **dict.fromkeys(("zh-hant", "zh-hk", "zh-mo"), "zh-tw"),
}
"""Who reads one script of Chinese is not sent the other because of the number's country."""


def nearest(known: Tags, language: str, country: str, channels: Sequence[str]) -> str:
    """Return the tag for a language of Django (`pt-br`, `zh-hans`) and a country (ISO 3166, or empty).

    Empty where there is none that the first of the channels speaks: left out, Vonage chooses by the number.
    """
    first = next(iter(channels), "")
    wanted = _candidates(language.lower().replace("_", "-"), country.lower())
    return next((tag for tag in wanted if first in known.get(tag, ())), "")


def _candidates(language: str, country: str) -> Iterator[str]:
    parts = language.split("-")
    yield language
    if script := SCRIPTS.get("-".join(parts[:2])):
        yield script
        return
    yield f"{parts[0]}-{country}"
    yield HOMES.get(parts[0], "")
