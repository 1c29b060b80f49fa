"""From every usual spelling to one E.164, and nothing else: text, short codes and satellites are refused."""

import subprocess
import sys
import time
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passwordless import phones
from tests.support import configure

ROOT = Path(__file__).parent.parent
AU = "+61491570156"
CODES = {"empty", "unreadable", "too_short", "too_long", "landline", "call", "country", "type"}
LANDLINES = ["mobile", "fixed_line_or_mobile", "fixed_line"]
MOBILE = phonenumbers.PhoneNumberType.MOBILE
WITHOUT_MOBILES = {
    region
    for region in phonenumbers.SUPPORTED_REGIONS
    if phonenumbers.example_number_for_type(region, MOBILE) is None
}
EXAMPLES = [
    phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (number := phonenumbers.example_number_for_type(region, MOBILE))
]
SPELLINGS = [
    "+61 491 570 156",
    "0491 570 156",
    "+61 (0)491 570 156",
    "0061 491 570 156",
    "0011 61 491 570 156",
    "(+61) 491-570-156",
    "+61.491.570.156",
    "+61\u00a0491\u2009570\u202f156",
    "0491–570–156",
    "0491\u2011570\u2011156",
    "(0491) 570 156",
    "\n0491570156\t",
    "\u202a+61 491 570 156\u202c",
    "\ufeff0491570156\u200e",
    "０４９１ ５７０ １５６",
    "＋61491570156",
    "٠٤٩١٥٧٠١٥٦",
    "०४९१५७०१५६",
    "𝟎𝟒𝟗𝟏𝟓𝟕𝟎𝟏𝟓𝟔",
    "⁺⁶¹⁴⁹¹⁵⁷⁰¹⁵⁶",
]
HIDDEN = {
    "zero width": "\u200b",
    "zero-width joiner": "\u200d",
    "bidi override": "\u202e",
    "isolate": "\u2066",
    "BOM": "\ufeff",
    "soft hyphen": "\u00ad",
    "NUL": "\x00",
    "line feed": "\n",
    "carriage return": "\r\n",
    "tab": "\t",
    "escape": "\x1b",
}
TEXTS = [
    "1-800-FLOWERS",
    "abc +14155550101 def",
    "+1 415 555 TEST",
    "+14155550101 call me",
    "+1 415 555 0101 x99",
    "+1 415 555 0101 ext. 99",
    "+1 415 555 0101;ext=99",
    "tel:+14155550101",
    "tel:5550101;phone-context=evil.example",
    "+14155550101;isub=1",
    "+14155550101 +14155550102",
    "4155550101 4155550102",
    "+1 415 555 0101, 2",
    "+1 415 555 0101/2",
    "+1 415 555 0101#",
    "*67 4155550101",
    "++14155550101",
    "+1 415 555 0101 & 0102",
    "<script>4155550101</script>",
    "'; DROP TABLE 4155550101",
    "hello",
    "+",
    "()",
    "----",
]
WRONG_KIND = {
    "premium": "+44 909 879 0000",
    "shared cost": "+44 843 012 3456",
    "personal": "+44 70 1234 5678",
    "company-wide": "+44 55 1234 5678",
    "pager": "+44 76 4012 3456",
    "voicemail": "+41 860 41 234 5678",
    "toll-free": "+1 800 234 5678",
    "premium in NANP": "+1 900 234 5678",
    "voip": "+44 56 1234 5678",
    "emergency": "911",
    "emergency in Europe": "112",
    "short code": "20202",
}
NOWHERE = [
    "+870 773 111 632",
    "+881 612 345 678",
    "+882 16 1234 5678",
    "+882 3421234",
    "+883 5100 1234 5678",
    "+979 123 456 789",
    "+800 1234 5678",
    "+808 1234 5678",
]
CANONICAL = {
    "Italian mobile": ("+39 312 345 6789", "+393123456789"),
    "Italian zero": ("+39 06 6981 2345", "+390669812345"),
    "San Marino with its prefix": ("+378 0549 886377", "+3780549886377"),
    "San Marino without": ("+378 886377", "+3780549886377"),
    "Ivorian zero": ("+225 01 23 45 67 89", "+2250123456789"),
    "Argentine mobile": ("+54 9 11 2345 6789", "+5491123456789"),
    "Argentine mobile with 15": ("+54 11 15 2345 6789", "+5491123456789"),
    "Mexican": ("+52 222 123 4567", "+522221234567"),
    "Brazilian ninth digit": ("+55 11 96123 4567", "+5511961234567"),
    "fiction": ("(212) 555-0100", "+12125550100"),
}


def refusal(text, region="", channel=""):
    with pytest.raises(phones.NumberRefused) as refused:
        phones.parse(text, region, channel)
    return refused.value.code


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling_of_one_number_meets_in_one(text):
    assert AU == phones.parse(text, "AU")


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
def test_what_hides_inside_a_number_is_refused(hidden):
    assert "unreadable" == refusal(f"+61 491{hidden}570 156")


@pytest.mark.parametrize("text", ["\x00+61491570156", "+61491570156\x00", "+61491570156\x1b"])
def test_control_characters_at_the_ends_are_refused_too(text):
    assert "unreadable" == refusal(text)


@pytest.mark.parametrize("text", TEXTS)
def test_text_around_or_in_place_of_digits_is_refused(text):
    assert "unreadable" == refusal(text)


@pytest.mark.parametrize("text", WRONG_KIND.values(), ids=WRONG_KIND)
def test_numbers_that_are_no_mobile_are_refused(text):
    assert refusal(text) in {"type", "unreadable", "too_short"}


@pytest.mark.parametrize("text", NOWHERE)
def test_numbers_of_no_country_are_refused(text):
    assert "country" == refusal(text)


@pytest.mark.parametrize(("text", "expected"), CANONICAL.values(), ids=CANONICAL)
def test_national_peculiarities_have_one_form(settings, text, expected):
    configure(settings, NUMBER_TYPES=LANDLINES)
    assert expected == phones.parse(text)


def test_a_dropped_italian_zero_is_not_put_back(settings):
    configure(settings, NUMBER_TYPES=LANDLINES)
    assert "unreadable" == refusal("+39 6 6981 2345")


def test_the_former_mexican_mobile_prefix_is_refused():
    assert "too_long" == refusal("+52 1 222 123 4567")


@pytest.mark.parametrize("text", ["011 15 2345-6789", "9 11 2345 6789"])
def test_argentine_national_spellings_are_read_in_argentina(text):
    assert "+5491123456789" == phones.parse(text, "AR")


def test_a_landline_is_called_one_and_taken_where_the_site_wants_it(settings):
    assert "landline" == refusal("+44 20 7946 0000")
    configure(settings, NUMBER_TYPES=LANDLINES)
    assert "+442079460000" == phones.parse("+44 20 7946 0000")


def test_voip_is_taken_where_the_site_wants_it(settings):
    configure(settings, NUMBER_TYPES=["mobile", "voip"])
    assert "+445612345678" == phones.parse("+44 56 1234 5678")


@pytest.mark.parametrize(
    ("countries", "text"),
    [
        (["US"], "+1 876 210 1234"),
        (["US"], "+1 809 234 5678"),
        (["US"], "+1 787 234 5678"),
        (["GB"], "+44 7781 123456"),
        (["GB"], "+44 7797 712345"),
        (["GB"], "+44 7624 123456"),
        (["RU"], "+7 771 000 9998"),
        (["US"], "+44 7400 123456"),
        ([], "+1 415 555 0101"),
    ],
)
def test_a_country_off_the_list_is_refused_even_under_a_shared_code(settings, countries, text):
    configure(settings, COUNTRIES=countries)
    assert "country" == refusal(text)


@pytest.mark.parametrize(
    ("countries", "text", "expected"),
    [
        (["US"], "+1 415 555 0101", "+14155550101"),
        (["GB"], "+44 7400 123456", "+447400123456"),
        (["RU"], "+7 912 345 67 89", "+79123456789"),
        (None, "+1 876 210 1234", "+18762101234"),
    ],
)
def test_a_country_on_the_list_is_served(settings, countries, text, expected):
    configure(settings, COUNTRIES=countries)
    assert expected == phones.parse(text)


@pytest.mark.parametrize(("text", "code"), [("", "empty"), (" \t", "empty"), ("\u200e\u202c", "empty")])
def test_nothing_is_called_empty(text, code):
    assert code == refusal(text)


def test_too_short_and_too_long_are_told_apart():
    assert "too_short" == refusal("+1 415 555")
    assert "too_long" == refusal("+1 415 555 0101 01")


@pytest.mark.parametrize("size", [65, 10_000, 2_600_000])
def test_long_input_is_refused_unread(size):
    began = time.process_time()
    assert "unreadable" == refusal("1" * size)
    assert 0.05 > time.process_time() - began


def test_compatibility_forms_cannot_grow_past_the_filter():
    assert "unreadable" == refusal("\ufdfa" * 64)


def test_a_reserved_number_comes_before_the_plan_in_any_spelling(settings):
    assert "unreadable" == refusal("+44 7700 900123")
    configure(settings, RESERVED_NUMBERS=["+447700900123"])
    assert "+447700900123" == phones.parse("+447700900123")
    assert "+447700900123" == phones.parse("+44 7700 900-123")
    assert "unreadable" == refusal("+44 7700 900124")


def test_a_refusal_repeats_nothing_of_the_number():
    with pytest.raises(phones.NumberRefused) as refused:
        phones.parse("+1 415 555 0101 x99")
    assert "555" not in f"{refused.value!s} {refused.value!r}"


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+14155550101", "+1 415-555-0101"), (AU, "+61 491 570 156"), ("+4746701740605", "+47 46701740605")],
)
def test_a_stored_number_is_shown_even_if_no_plan_knows_it(number, shown):
    assert shown == phones.display(number)


@pytest.mark.parametrize(
    ("number", "region"), [("+14155550101", "US"), (AU, "AU"), ("+870773111632", ""), ("+447700900123", "")]
)
def test_the_country_of_a_number_is_iso_or_nothing(number, region):
    assert region == phones.region_of(number)


@pytest.mark.parametrize(("number", "masked"), [("+14155550101", "••• 101"), ("", "•••"), (None, "•••")])
def test_a_mask_leaves_three_digits(number, masked):
    assert masked == phones.mask(number)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_an_example_is_a_number_that_would_be_taken_either_way(region):
    national, international = phones.examples(region)
    home = region if region not in WITHOUT_MOBILES else phones.FALLBACK
    assert phones.parse(international) == phones.parse(national, home)
    assert international.startswith(f"+{phones.calling_code(home)} ")


def test_examples_of_a_country_without_mobiles_are_of_another():
    assert {"TA"} == WITHOUT_MOBILES
    assert phones.examples("US") == phones.examples("TA") == phones.examples("ZZ")


def test_examples_are_of_the_country_of_the_site_unless_another_is_named(settings):
    assert ("(201) 555-0123", "+1 201-555-0123") == phones.examples()
    configure(settings, DEFAULT_REGION="GB")
    assert ("07400 123456", "+44 7400 123456") == phones.examples()
    assert ("(201) 555-0123", "+1 201-555-0123") == phones.examples("US")


@pytest.mark.parametrize(("site", "home"), [("", "US"), ("AU", "AU")])
def test_a_number_without_a_plus_is_of_the_site_s_country_where_nobody_chose_one(settings, site, home):
    configure(settings, DEFAULT_REGION=site)
    assert home == phones.home()
    assert phones.parse(phones.examples(home)[0], home) == phones.parse(phones.examples(home)[0])
    assert phones.parse(phones.examples(home)[0]) == phones.spell(phones.examples(home)[0])


@pytest.mark.parametrize("region", ["US", "AU", "GB", "IT", ""])
@pytest.mark.parametrize("lead", ["+", "＋", "(+", "00"])
def test_a_leading_plus_says_more_than_the_country(region, lead):
    assert AU == phones.parse(f"{lead}61{') ' if lead == '(+' else ' '}491 570 156", region)


def test_what_is_not_served_is_spelled_all_the_same(settings):
    """Staff look for whatever number there is."""
    configure(settings, COUNTRIES=["US"], RESERVED_NUMBERS=["+447700900123"])
    assert "+442079460000" == phones.spell("+44 20 7946 0000")
    assert "+447700900123" == phones.spell("+44 7700 900-123")


@pytest.mark.parametrize(
    ("text", "number"), [("4915123456780", "+4915123456780"), ("2125550142", "+12125550142")]
)
def test_a_country_code_needs_no_plus_where_it_is_no_number_of_ours(text, number):
    """As Vonage writes them; what is a number at home is one of home."""
    assert number == phones.spell(text)


def test_every_refusal_has_words():
    assert {code: phones.NumberRefused(code).words for code in CODES} == phones.WORDS


def test_what_is_no_number_either_way_is_refused_for_the_first_reason():
    with pytest.raises(phones.NumberRefused, match="too_short"):
        phones.spell("0151")


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "empty"), ("hello", "unreadable"), ("+1 415 555", "too_short"), ("1" * 65, "unreadable")],
)
def test_what_is_no_number_has_no_spelling(text, code):
    with pytest.raises(phones.NumberRefused) as refused:
        phones.spell(text)
    assert code == refused.value.code


@pytest.mark.parametrize(
    ("kinds", "channels", "chosen", "code"),
    [
        (None, ["sms", "voice"], "sms", "landline"),
        (None, ["sms", "voice"], "voice", "landline"),
        (LANDLINES, ["sms", "voice"], "sms", "call"),
        (LANDLINES, ["voice", "sms"], "sms", "call"),
        (LANDLINES, ["whatsapp", "voice"], "whatsapp", "call"),
        (LANDLINES, ["sms", "voice"], "voice", ""),
        (LANDLINES, ["sms", "voice"], "", ""),
        (LANDLINES, ["sms"], "sms", ""),
    ],
)
def test_a_text_to_a_landline_is_no_plan_where_a_call_is_one(settings, kinds, channels, chosen, code):
    configure(settings, CHANNELS=channels, **({"NUMBER_TYPES": kinds} if kinds else {}))
    if code:
        assert code == refusal("+44 20 7946 0000", channel=chosen)
    else:
        assert "+442079460000" == phones.parse("+44 20 7946 0000", channel=chosen)


@pytest.mark.parametrize("chosen", ["", "sms", "voice"])
def test_a_mobile_takes_every_channel(settings, chosen):
    configure(settings, NUMBER_TYPES=LANDLINES)
    assert AU == phones.parse(AU, channel=chosen)


# Which country a refusal speaks of.


@pytest.mark.parametrize(
    ("text", "chosen", "code", "country"),
    [
        ("415 555", "US", "too_short", ""),
        ("415 555", "CA", "too_short", ""),
        ("+1 415 555", "CA", "too_short", ""),
        ("+44 7400 12345678", "US", "too_long", "GB"),
        ("+44 7400 12345678", "GB", "too_long", ""),
        ("+44 7400 12345678", "JE", "too_long", ""),
        ("+1 415 555", "GB", "too_short", "US"),
        ("+1 415 555 0101 01", "GB", "too_long", "US"),
        ("+7 912", "DE", "too_short", "RU"),
        ("+52 1 222 123 4567", "US", "too_long", "MX"),
        ("hello", "GB", "unreadable", ""),
    ],
)
def test_a_refusal_speaks_of_the_country_that_was_typed(text, chosen, code, country):
    """An empty country leaves it at the chosen one, which is right where it shares the calling code."""
    with pytest.raises(phones.NumberRefused) as refused:
        phones.parse(text, chosen)
    assert code == refused.value.code
    assert (country or chosen) == (refused.value.region or chosen)


def read(text, region):
    """Return the number, or why it was refused."""
    try:
        return phones.parse(text, region)
    except phones.NumberRefused as refused:
        return refused.code


@given(st.text(max_size=80), st.sampled_from(["", "AU", "IT", "AR", "GB"]))
def test_any_text_is_e164_or_refused(text, region):
    found = read(text, region)
    assert found in CODES or found == phones.parse(found)


@given(st.text("+0123456789 ()-.٣３", max_size=50), st.sampled_from(["US", "AU", "IT", "AR", "GB"]))
def test_any_string_of_digits_is_e164_or_refused(text, region):
    found = read(text, region)
    assert found in CODES or phonenumbers.is_valid_number(phonenumbers.parse(found))


@st.composite
def messy(draw):
    """One valid number and a spelling of it: other digits, separators, and marks at the ends."""
    number = draw(st.sampled_from(EXAMPLES))
    zero = draw(st.sampled_from("0０٠०𝟎"))
    gap = draw(st.sampled_from([" ", "-", ".", "\u00a0", "\u2009", "–", "\u2011"]))
    cuts = draw(st.sets(st.integers(2, len(number) - 1), max_size=5))
    digits = [chr(ord(zero) + int(digit)) for digit in number[1:]]
    body = "".join((gap if place in cuts else "") + digit for place, digit in enumerate(digits, 1))
    lead = draw(st.sampled_from(["+", "00", "＋"]))
    edge = draw(st.sampled_from(["", " ", "\u202a", "\ufeff"]))
    return number, f"{edge}{lead}{body}{edge}"


@given(messy())
def test_a_messy_spelling_is_read_as_the_plain_one(pair):
    plain, spelled = pair
    read = phonenumbers.format_number(phonenumbers.parse(plain), phonenumbers.PhoneNumberFormat.E164)
    assert read == phones.parse(spelled)


IMPORTS = """
import sys
import django
django.setup()
{more}
heavy = ("vonage", "vonage_", "phonenumbers", "requests", "urllib3", "pydantic", "jwt", "cryptography", *{beside})
print(*sorted(name for name in sys.modules if name.startswith(heavy)))
"""


CHECKS = ("passwordless.checks",)


@pytest.mark.parametrize(
    ("more", "beside"),
    [
        ("", CHECKS),
        ("import passwordless.urls, passwordless.admin", CHECKS),
        ("import passwordless.admin, passwordless.checks", ()),
    ],
)
def test_start_up_imports_neither_the_sdk_nor_the_metadata_of_numbers(more, beside):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS.format(more=more, beside=beside)],
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": "", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("", "") == (done.stderr, done.stdout.strip())
