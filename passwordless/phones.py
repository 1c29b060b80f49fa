"""From what people type to E.164, and back to what may be shown. Nothing here asks a network."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from .conf import settings

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber as Parsed

MAX_LENGTH = 64
SHAPE = re.compile(r"\(?\+?[0-9 ()\-.]{4,40}\Z")
# Address books of some phones wrap a copied number in these; inside a number they hide something.
EDGES = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
FICTIONAL = re.compile(r"\+121255501[0-9]{2}\Z")
SEPARATORS = re.compile(r"[ ()\-.]")
GEOGRAPHIC = re.compile(r"[A-Z]{2}\Z")


class NumberRefused(ValueError):
    """A number that gets no code. `code` says why.

    One of empty, unreadable, too_short, too_long, landline, country, type.
    """

    def __init__(self, code: str, region: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.region = region


def parse(text: str, region: str | None = None) -> str:
    """Return a number in any usual spelling as E.164, read in `region` (ISO) unless it is international.

    Raises NumberRefused. Libphonenumber alone would drop text around a number, or read letters as keypad
    digits, so that two people could mean different things by one spelling: the character filter comes first.
    """
    clean = _clean(text)
    if reserved := _reserved(clean):
        return reserved
    number = _read(clean, region or settings.DEFAULT_REGION)
    _judge(number)
    return _e164(number)


def spell(text: str) -> str:
    """Return a valid number in any usual spelling as E.164, be it served or not. Raises NumberRefused."""
    clean = _clean(text)
    reserved = _reserved(clean)
    return reserved or _e164(_read(clean, settings.DEFAULT_REGION))


def regions() -> frozenset[str]:
    """Return the ISO countries in which there are telephone numbers."""
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def region_of(number: str) -> str:
    """Return the ISO country of an E.164 number, or an empty string for one that belongs to none."""
    import phonenumbers

    region = phonenumbers.region_code_for_number(_trusted(number)) or ""
    return region if GEOGRAPHIC.match(region) else ""


def display(number: str) -> str:
    """Return an E.164 number in the international format that people read."""
    import phonenumbers

    return phonenumbers.format_number(_trusted(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def example(region: str | None = None) -> str:
    """Return a mobile number of `region` (ISO) as it is written there, for messages that show how."""
    import phonenumbers

    number = phonenumbers.example_number_for_type(
        region or settings.DEFAULT_REGION, phonenumbers.PhoneNumberType.MOBILE
    )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL) if number else ""


def mask(number: str | None) -> str:
    """Return what staff and logs may see of a number: its last three digits."""
    return f"••• {number[-3:]}" if number else "•••"


def is_reserved(number: str) -> bool:
    """Return whether the emulator plays an outcome for this E.164 number."""
    return bool(FICTIONAL.match(number)) or number in settings.RESERVED_NUMBERS


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
    number = next(filter(phonenumbers.is_valid_number, read), read[0])
    if not phonenumbers.is_valid_number(number):
        raise NumberRefused(_what_is_wrong(number), _region(number))
    return number


def _what_is_wrong(number: Parsed) -> str:
    from phonenumbers import ValidationResult, is_possible_number_with_reason

    return {
        ValidationResult.TOO_SHORT: "too_short",
        ValidationResult.TOO_LONG: "too_long",
    }.get(is_possible_number_with_reason(number), "unreadable")


def _judge(number: Parsed) -> None:
    """Country code is not country (+1 covers 25): the list holds regions, and satellites are in none."""
    from phonenumbers import PhoneNumberType, number_type

    region = _region(number)
    served = settings.COUNTRIES
    if not region or (served is not None and region not in served):
        raise NumberRefused("country", region)
    kind = PhoneNumberType.to_string(number_type(number)).lower()
    if kind not in settings.NUMBER_TYPES:
        raise NumberRefused("landline" if kind == "fixed_line" else "type", region)


def _region(number: Parsed) -> str:
    import phonenumbers

    region = phonenumbers.region_code_for_number(number) or ""
    return region if GEOGRAPHIC.match(region) else ""


def _trusted(number: str) -> Any:
    """Read a stored number again; numbering plans change, so an old one need not be valid any more."""
    import phonenumbers

    return phonenumbers.parse(number)
