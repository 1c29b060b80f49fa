"""What attempts are called by: a random key, its beginning for people, and the tag of a forgotten number."""

from __future__ import annotations

from secrets import randbelow

from .. import seals

LEGIBLE = "abcdefghjkmnpqrstuvwxyz23456789"
"""No letter that is taken for a digit: the beginning of a key is read out over the phone."""

LENGTH = 19
REFERENCE = 8
"""Characters of a key that a page of ours shows when something goes wrong."""


def new_key() -> str:
    """Return 94 random bits, short enough to travel in Vonage's client_ref beside a signature.

    Its beginning has a letter, so that nobody takes eight digits of a number for a reference.
    """
    # One draw and not one for each character, which would take as long as the row's INSERT.
    drawn, key = randbelow(len(LEGIBLE) ** LENGTH), ""
    while len(key) < LENGTH:
        drawn, place = divmod(drawn, len(LEGIBLE))
        key += LEGIBLE[place]
    return new_key() if key[:REFERENCE].isdigit() else key


def tags(number: str) -> list[str]:
    """Return what a forgotten number (E.164) is found by: an HMAC under the newest key first."""
    return seals.seals("passwordless.number", number)


def successors(key: str) -> list[str]:
    """Return the keys, under each secret of the site, of the decoy that goes on in the place of an attempt.

    What a visitor may quote stays the same.
    """
    return [
        key[:REFERENCE] + seal[: LENGTH - REFERENCE] for seal in seals.seals("passwordless.successor", key)
    ]
