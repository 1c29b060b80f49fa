"""From what people type to E.164, and back to what may be shown. Nothing here asks a network."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from .conf import settings

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber as Parsed

MAX_LENGTH = 64
FALLBACK = "US"
"""Where a number is read when neither the site nor the visitor says."""

SHAPE = re.compile(r"\(?\+?[0-9 ()\-.]{4,40}\Z")
# Address books of some phones wrap a copied number in these; inside a number they hide something.
EDGES = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
SEPARATORS = re.compile(r"[ ()\-.]")
GEOGRAPHIC = re.compile(r"[A-Z]{2}\Z")


WORDS = {
    "landline": "it is a landline, which takes no messages",
    "call": "a landline takes calls only",
    "country": "its country is not served",
    "type": "numbers of its kind are not served",
    "empty": "it is empty",
    "unreadable": "it cannot be read",
    "too_short": "it is too short",
    "too_long": "it is too long",
}


class NumberRefused(ValueError):
    """A number that gets no code. `code` says why.

    One of empty, unreadable, too_short, too_long, landline, call, country, type.
    """

    def __init__(self, code: str, region: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.region = region

    @property
    def words(self) -> str:
        """Return why in words, for commands; pages have sentences of their own."""
        return WORDS[self.code]


def parse(text: str, region: str = "", channel: str = "") -> str:
    """Return a number in any usual spelling as E.164, read in `region` (ISO) unless it is international.

    `channel` is the first by which a code would go there. Raises NumberRefused. Libphonenumber alone would
    drop text around a number, or read letters as keypad digits, so that two people could mean different
    things by one spelling: the character filter comes first.
    """
    clean = _clean(text)
    if reserved := _reserved(clean):
        return reserved
    number = _read(clean, region or home())
    _judge(number, channel)
    return _e164(number)


def spell(text: str) -> str:
    """Return a valid number in any usual spelling as E.164, be it served or not. Raises NumberRefused."""
    clean = _clean(text)
    if reserved := _reserved(clean):
        return reserved
    try:
        return _e164(_read(clean, home()))
    except NumberRefused:
        # As Vonage and its dashboard write them: the country's code, and no plus.
        with suppress(NumberRefused):
            return _e164(_read(f"+{clean}", home()))
        raise


def home() -> str:
    """Return the ISO country in which a number without a plus is read where nobody chose one."""
    return settings.DEFAULT_REGION or FALLBACK


@cache
def regions() -> frozenset[str]:
    """Return the ISO countries in which there are telephone numbers."""
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def region_of(number: str) -> str:
    """Return the ISO country of an E.164 number, or an empty string for one that belongs to none."""
    return _region(_trusted(number))


def calling_code(region: str) -> int:
    """Return the calling code of an ISO country, such as 44, or 0 for one without numbers."""
    return _calling_codes().get(region, 0)


def display(number: str) -> str:
    """Return an E.164 number in the international format that people read."""
    import phonenumbers

    return phonenumbers.format_number(_trusted(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def examples(region: str = "") -> tuple[str, str]:
    """Return a mobile number of `region` (ISO) as it is written there and abroad, for messages that show how."""
    from phonenumbers import PhoneNumberFormat, PhoneNumberType, example_number_for_type, format_number

    kind = PhoneNumberType.MOBILE
    number = example_number_for_type(region or home(), kind) or example_number_for_type(FALLBACK, kind)
    if number is None:
        return "", ""
    return (
        format_number(number, PhoneNumberFormat.NATIONAL),
        format_number(number, PhoneNumberFormat.INTERNATIONAL),
    )


def is_landline(number: str) -> bool:
    """Return whether only a call reaches an E.164 number."""
    from phonenumbers import PhoneNumberType, number_type

    return number_type(_trusted(number)) == PhoneNumberType.FIXED_LINE


def mask(number: str | None) -> str:
    """Return what staff and logs may see of a number: its last three digits."""
    return f"••• {number[-3:]}" if number else "•••"


@cache
def _calling_codes() -> dict[str, int]:
    # The library's own function would read the metadata of every country that it is asked for.
    import phonenumbers

    table = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    return {region: code for code, regions in table.items() for region in regions}


def _reserved(clean: str) -> str:
    bare = SEPARATORS.sub("", clean)
    return bare if bare in settings.RESERVED_NUMBERS else ""


def _e164(number: Parsed) -> str:
    import phonenumbers

    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _clean(text: str) -> str:
    if len(text) > MAX_LENGTH:
        raise NumberRefused("unreadable")
    text = unicodedata.normalize("NFKC", text).strip(EDGES + " \t\r\n").strip()
    if not text:
        raise NumberRefused("empty")
    text = "".join(_plain(character) for character in text)
    if not SHAPE.match(text):
        raise NumberRefused("unreadable")
    return text


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return "-" if category == "Pd" else character


def _read(text: str, region: str) -> Parsed:
    import phonenumbers

    # 00 is the prefix of most countries, but of some it is the beginning of a longer one (AU 0011).
    spellings = ["+" + text[2:], text] if text.startswith("00") else [text]
    try:
        read = [phonenumbers.parse(spelling, region) for spelling in spellings]
    except phonenumbers.NumberParseException:
        raise NumberRefused("unreadable") from None
    number = next(filter(phonenumbers.is_valid_number, read), None)
    if number is None:
        raise NumberRefused(_what_is_wrong(read[0]), _meant(read[0], region))
    return number


def _meant(number: Parsed, region: str) -> str:
    """Return the country of a number that is not valid: none where the chosen one has its calling code."""
    import phonenumbers

    if found := _region(number):
        return found
    code = number.country_code or 0
    main = phonenumbers.region_code_for_country_code(code)
    return main if main in regions() and calling_code(region) != code else ""


def _what_is_wrong(number: Parsed) -> str:
    from phonenumbers import ValidationResult, is_possible_number_with_reason

    return {
        ValidationResult.TOO_SHORT: "too_short",
        ValidationResult.TOO_LONG: "too_long",
    }.get(is_possible_number_with_reason(number), "unreadable")


def _judge(number: Parsed, channel: str) -> None:
    """Country code is not country (+1 covers 25): the list holds regions, and satellites are in none."""
    from phonenumbers import PhoneNumberType, number_type

    region = _region(number)
    served = settings.COUNTRIES
    if not region or (served is not None and region not in served):
        raise NumberRefused("country", region)
    kind = PhoneNumberType.to_string(number_type(number)).lower()
    if kind not in settings.NUMBER_TYPES:
        raise NumberRefused("landline" if kind == "fixed_line" else "type", region)
    if kind == "fixed_line" and channel not in ("", "voice") and "voice" in settings.CHANNELS:
        raise NumberRefused("call", region)


def _region(number: Parsed) -> str:
    import phonenumbers

    region = phonenumbers.region_code_for_number(number) or ""
    return region if GEOGRAPHIC.match(region) else ""


def _trusted(number: str) -> Any:
    """Read a stored number again; numbering plans change, so an old one need not be valid any more."""
    import phonenumbers

    return phonenumbers.parse(number)
