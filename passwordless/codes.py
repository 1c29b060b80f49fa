"""From what people type or paste to the digits of a code."""

from __future__ import annotations

import re
import unicodedata

MAX_LENGTH = 2000
DROPPED = re.compile(r"[\s\-.\u00ad\u200b-\u200f\u2060\ufeff\u202a-\u202e\u2066-\u2069]")


class CodeRefused(ValueError):
    """Something that cannot be a code. `kind`: empty, letters, length; `count` digits were found."""

    def __init__(self, kind: str, count: int = 0) -> None:
        super().__init__(kind)
        self.kind = kind
        self.count = count


def clean(text: str, length: int) -> str:
    """Return the code in `text` as `length` ASCII digits: spaced, in any script, or in a whole message.

    Raises CodeRefused.
    """
    if len(text) > MAX_LENGTH:
        raise CodeRefused("letters")
    plain = "".join(_digit(character) for character in unicodedata.normalize("NFKC", text))
    bare = DROPPED.sub("", plain)
    if not bare:
        raise CodeRefused("empty")
    if bare.isascii() and bare.isdigit():
        if len(bare) != length:
            raise CodeRefused("length", len(bare))
        return bare
    runs: list[str] = [run for run in re.findall(r"[0-9]+", plain) if len(run) == length]
    if len(runs) != 1 or not re.search(r"\s", plain):
        raise CodeRefused("letters")
    return runs[0]


def _digit(character: str) -> str:
    return "-" if unicodedata.category(character) == "Pd" else str(unicodedata.decimal(character, character))
