"""What counts as a code, however it is typed or pasted."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passwordless import codes

SAME = {
    "plain": "123456",
    "spaced": "12 34 56",
    "pairs and a hyphen": "12 34-56",
    "dots": "123.456",
    "edges": "  123456\n",
    "no-break space": "123\u00a0456",
    "zero width": "\u200b123\u200d456\ufeff",
    "soft hyphen": "123\u00ad456",
    "bidi marks": "\u202a123456\u202c",
    "full width": "１２３４５６",
    "Arabic-Indic": "١٢٣٤٥٦",
    "Devanagari": "१२३४५६",
    "mathematical": "𝟏𝟐𝟑𝟒𝟓𝟔",
    "superscript": "¹²³⁴⁵⁶",
    "en dash": "123–456",
    "non-breaking hyphen": "123\u2011456",
    "whole message": "Example code: 123456. Valid for 5 minutes.",
    "whole message with a number beside": "From 40404\nExample code: 123456. Valid for 5 minutes.",
}
REFUSED = {
    "nothing": ("", "empty", 0),
    "blank": ("  \t\n", "empty", 0),
    "only zero width": ("\u200b\u2060", "empty", 0),
    "short": ("12345", "length", 5),
    "long": ("1234567", "length", 7),
    "long when joined": ("123456 7", "length", 7),
    "letter at the end": ("12345a", "letters", 0),
    "letter beside a whole code": ("123456a", "letters", 0),
    "words": ("hello", "letters", 0),
    "NUL": ("123\x00456", "letters", 0),
    "plus": ("+123456", "letters", 0),
    "two codes in one message": ("123456 or perhaps 654321", "letters", 0),
    "message without a code": ("Valid for 5 minutes.", "letters", 0),
    "too long to look at": ("1" * 2001, "letters", 0),
    "a megabyte": ("1" * 2**20, "letters", 0),
}
DIGITS = st.text("0123456789", min_size=6, max_size=6)
SEPARATORS = st.text(" -.\t\u00a0\u00ad\u200b\u2060", max_size=3)


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_every_spelling_of_a_code_means_the_same(text):
    assert "123456" == codes.clean(text, 6)


@pytest.mark.parametrize(("text", "kind", "count"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_a_code_says_why(text, kind, count):
    with pytest.raises(codes.CodeRefused) as refused:
        codes.clean(text, 6)
    assert (kind, count) == (refused.value.kind, refused.value.count)


def test_leading_zeros_stay():
    assert "000001" == codes.clean("000 001", 6)


@pytest.mark.parametrize("length", [4, 6, 8, 10])
def test_the_length_is_that_of_the_setting(length):
    assert "1" * length == codes.clean("1" * length, length)
    with pytest.raises(codes.CodeRefused):
        codes.clean("1" * (length + 1), length)


def test_a_refusal_repeats_nothing_of_the_code():
    with pytest.raises(codes.CodeRefused) as refused:
        codes.clean("12345", 6)
    assert "12345" not in f"{refused.value!s} {refused.value!r}"


def read(text):
    """Return the code, or of which kind the refusal is."""
    try:
        return codes.clean(text, 6)
    except codes.CodeRefused as refused:
        return refused.kind


@given(st.text(max_size=200))
def test_any_text_is_a_code_of_ascii_digits_or_refused(text):
    found = read(text)
    assert found in {"empty", "letters", "length"} or re.fullmatch("[0-9]{6}", found)


@given(DIGITS, st.lists(SEPARATORS, min_size=7, max_size=7))
def test_separators_change_nothing(digits, separators):
    spelled = separators[0] + "".join(map("".join, zip(digits, separators[1:], strict=True)))
    assert digits == codes.clean(spelled, 6)
