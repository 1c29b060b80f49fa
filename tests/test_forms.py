"""What the two forms say, and what the fields are for a keyboard, a password manager and a screen reader."""

from __future__ import annotations

import re

import hypothesis
import pytest
from django.test import RequestFactory
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from passwordless import countries
from passwordless.devices import COUNTRY_COOKIE
from passwordless.forms import CodeForm, PhoneForm
from passwordless.outcomes import Handle
from tests.support import NUMBER, asked, code, configure, emulator, latest, world

pytestmark = pytest.mark.django_db
HERE, ABROAD = "\u2066(201) 555-0123\u2069", "\u2066+1 201-555-0123\u2069"


@pytest.fixture(autouse=True)
def clock(db):
    with world() as moving:
        yield moving


def request(cookie="", languages=""):
    made = RequestFactory().post("/login/", headers={"accept-language": languages})
    made.COOKIES[COUNTRY_COOKIE] = cookie
    return made


def phone_form(number, **fields):
    return PhoneForm(request(), {"number": number, **fields})


def code_form(typed="", **fields):
    return CodeForm(request(), Handle("unknown"), {"code": typed, **fields})


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        ("", "Enter your mobile number."),
        (" ", "Enter your mobile number."),
        ("hello", f"Enter a mobile number, like {HERE} or {ABROAD}."),
        ("+1 415 555", f"That number is too short for United States. Enter one like {HERE}."),
        ("+1 415 555 0101 01", f"That number is too long for United States. Enter one like {HERE}."),
        ("+44 20 7946 0000", "That looks like a landline. Enter a mobile number."),
        ("+1 800 234 5678", "We can't send a code to that number."),
        ("+870 773 111 632", "We can't send codes to that country yet."),
    ],
)
def test_a_refused_number_says_what_to_type(number, sentence):
    form = phone_form(number)
    assert not form.is_valid()
    assert {"number": [sentence]} == form.errors
    assert form.outcome is None
    assert (0,) == asked("start")


def test_the_example_is_of_the_country_that_was_meant(settings):
    configure(settings, DEFAULT_REGION="AU")
    assert "0412 345 678" in str(phone_form("hello").errors)
    assert "+61 412 345 678" in str(phone_form("hello").errors)
    assert "+44 7400 123456" in str(phone_form("hello", country="GB").errors)
    assert "too long for Mexico. Enter one like \u2066222 123 4567\u2069." in str(
        phone_form("+52 1 222 123 4567", country="GB").errors
    )
    assert "too long for United Kingdom. Enter one like \u206607400 123456\u2069." in str(
        phone_form("+44 7400 12345678", country="US").errors
    )
    assert "too short for Canada. Enter one like \u2066(506) 234-5678\u2069." in str(
        phone_form("+1 415 555", country="CA").errors
    )


def test_a_country_that_gets_no_codes_is_named(settings):
    configure(settings, COUNTRIES=["US", "CA"])
    assert {"number": ["We can't send codes to United Kingdom yet."]} == phone_form("+44 7400 123456").errors


def test_a_landline_may_be_called_where_the_site_says_so(settings):
    configure(settings, NUMBER_TYPES=["mobile", "fixed_line_or_mobile", "fixed_line"])
    told = {"number": ["That looks like a landline. Choose a phone call, or enter a mobile number."]}
    assert told == phone_form("+44 20 7946 0000").errors
    assert told == phone_form("+44 20 7946 0000", channel="sms").errors
    assert told == phone_form("+44 20 7946 0000", channel="pigeon").errors
    assert (0,) == asked("start")
    assert phone_form("+44 20 7946 0000", channel="voice").is_valid()
    assert ["voice"] == [message.channel for message in emulator().messages("+442079460000")]


# What is asked, and what is said already.


def test_the_fields_stand_in_the_order_of_the_questions():
    assert ["country", "number", "channel", "next"] == list(PhoneForm(request()).fields)


@pytest.mark.parametrize("served", [["GB"], ("GB",), {"GB"}])
def test_one_country_is_no_question(settings, served):
    configure(settings, COUNTRIES=served)
    form = PhoneForm(request())
    assert "country" not in form.fields
    assert "Mobile number (United Kingdom)" == form.fields["number"].label
    assert "Mobile number" == PhoneForm.base_fields["number"].label
    assert phone_form("07400 123456", country="US").is_valid()
    assert "+447400123456" == latest("+447400123456").number


def test_where_nobody_is_served_the_page_stands_all_the_same(settings):
    configure(settings, COUNTRIES=[])
    assert "<option" not in str(PhoneForm(request())["country"])
    assert not phone_form(NUMBER).is_valid()


@pytest.mark.parametrize("channels", [["sms"], ["voice", "voice"], ("whatsapp",)])
def test_one_kind_of_channel_is_no_question(settings, channels):
    configure(settings, CHANNELS=channels, WHATSAPP_SENDER="12125550100")
    form = PhoneForm(request())
    assert "channel" not in form.fields


@pytest.mark.parametrize(
    ("channels", "hint"),
    [
        (["sms"], "We'll text you a code. Message and data rates may apply."),
        (["voice"], "We'll call you and read out a code. Charges may apply."),
        (["whatsapp"], "We'll send you a code on WhatsApp. Data rates may apply."),
        (["sms", "voice"], "We'll send you a code. Message and data rates may apply."),
    ],
)
def test_the_hint_says_what_will_come_and_what_it_may_cost(settings, channels, hint):
    configure(settings, CHANNELS=channels, WHATSAPP_SENDER="12125550100")
    assert hint == PhoneForm(request()).fields["number"].help_text


@pytest.mark.parametrize(
    ("channels", "offered"),
    [
        (["sms", "voice"], [("sms", "Text message"), ("voice", "Phone call")]),
        (["sms", "sms", "voice"], [("sms", "Text message"), ("voice", "Phone call")]),
        (["voice", "whatsapp"], [("voice", "Phone call"), ("whatsapp", "WhatsApp")]),
    ],
)
def test_each_channel_is_offered_once_in_the_order_of_the_site(settings, channels, offered):
    configure(settings, CHANNELS=channels, WHATSAPP_SENDER="12125550100")
    form = PhoneForm(request())
    assert offered == form.channels
    assert offered[0][0] == form["channel"].value()


GUESSES = [
    # setting, cookie, Accept-Language, served, the country that is most likely meant
    ("", "", "", None, "US"),
    ("", "", "de-AT,en;q=0.5", None, "AT"),
    ("", "", "de,en;q=0.5", None, "US"),
    ("GB", "", "de-AT", None, "GB"),
    ("GB", "FR", "de-AT", None, "FR"),
    ("", "FR", "de-AT", None, "FR"),
    ("GB", "FR", "de-AT", ["GB", "AT"], "GB"),
    ("GB", "FR", "de-AT", ["AT", "CH"], "AT"),
    ("GB", "FR", "de-AT", ["US", "CH"], "US"),
    ("GB", "FR", "de-AT", ["DE", "CH"], "CH"),
    ("", "fr", "", None, "US"),
    ("", "ZZ", "de-ZZ", None, "US"),
    ("", "", "de-AT;q=0, de-CH;q=0.1", None, "CH"),
]


@pytest.mark.parametrize(("setting", "cookie", "languages", "served", "expected"), GUESSES)
def test_the_country_is_the_one_most_likely_meant(settings, setting, cookie, languages, served, expected):
    configure(settings, DEFAULT_REGION=setting, COUNTRIES=served)
    form = PhoneForm(request(cookie, languages))
    assert expected == form["country"].value()
    assert 1 == str(form["country"]).count(" selected")
    assert f'<option value="{expected}" selected>' in str(form["country"])


@pytest.mark.parametrize(("setting", "cookie", "languages", "served", "expected"), GUESSES)
def test_a_number_without_a_plus_is_read_there(settings, setting, cookie, languages, served, expected):
    configure(settings, DEFAULT_REGION=setting, COUNTRIES=served)
    form = PhoneForm(request(cookie, languages), {"number": "hello"})
    example = {"US": "+1 201", "AT": "+43 664", "GB": "+44 7400", "FR": "+33 6", "CH": "+41 78"}[expected]
    assert example in form.errors["number"][0]


def test_the_chosen_country_beats_every_guess(settings):
    configure(settings, DEFAULT_REGION="US")
    form = PhoneForm(request("FR", "de-AT"), {"number": "0491 570 156", "country": "AU"})
    assert form.is_valid()
    assert "+61491570156" == form.cleaned_data["number"]
    assert "AU" == form.chosen_country


def test_a_leading_plus_beats_the_chosen_country():
    form = phone_form(NUMBER, country="AU")
    assert form.is_valid()
    assert NUMBER == form.cleaned_data["number"]


HOSTILE = [
    "", "us", "USA", "ZZ", "AQ", "001", "UK", " US", "US ", "\x00", "US\x00", '"><script>', "selected", "+1", "\ud7ff",
    "U" * 2**20,
]  # fmt: skip


@pytest.mark.parametrize("said", HOSTILE)
def test_what_is_no_country_counts_as_nothing_said(settings, said):
    configure(settings, COUNTRIES=["AU", "GB"], DEFAULT_REGION="AU")
    form = phone_form("0491 570 156", country=said)
    assert "" == form.chosen_country
    assert form.is_valid()
    assert "+61491570156" == form.cleaned_data["number"]
    assert ["AU"] == re.findall(r'value="(\w+)" selected', str(form["country"]))
    assert str(PhoneForm(request())["country"]) == str(form["country"])


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40), st.text(max_size=80))
@hypothesis.settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_said_leads_to_a_served_country_and_a_channel_of_the_site(
    said, channel, cookie, languages
):
    form = PhoneForm(
        request(cookie, languages.encode("ascii", "ignore").decode()),
        {"number": "hello", "country": said, "channel": channel},
    )
    assert ["number"] == list(form.errors)
    assert form.chosen_country in ("", *countries.served())
    assert 1 == str(form["country"]).count(" selected")
    assert form["channel"].value() in ("sms", "voice")


@pytest.mark.parametrize("said", ["", "SMS", "sms ", "email", "whatsapp", "\x00", "sms,voice", "v" * 2**20])
def test_what_is_no_channel_of_the_site_counts_as_nothing_said(said):
    form = phone_form(NUMBER, channel=said)
    assert form.is_valid()
    assert ["sms", "voice"] == latest().plan
    assert "sms" == form["channel"].value()


@pytest.mark.parametrize(
    ("channels", "said", "plan"),
    [
        (["sms", "voice"], "sms", ["sms", "voice"]),
        (["sms", "voice"], "voice", ["voice", "sms"]),
        (["sms", "sms", "voice"], "voice", ["voice", "sms", "sms"]),
        (["sms", "whatsapp", "voice"], "voice", ["voice", "sms", "whatsapp"]),
        (["sms", "whatsapp", "voice"], "whatsapp", ["whatsapp", "sms", "voice"]),
        (["voice", "sms"], "", ["voice", "sms"]),
    ],
)
def test_the_chosen_channel_comes_first_and_the_others_stay(settings, channels, said, plan):
    configure(settings, CHANNELS=channels, WHATSAPP_SENDER="12125550100")
    assert phone_form(NUMBER, channel=said).is_valid()
    assert plan == latest().plan
    assert plan[:1] == [message.channel for message in emulator().messages(NUMBER)]


@pytest.mark.parametrize("channels", [["sms", "voice"], ["sms", "sms", "voice"], ["sms", "voice", "voice"]])
def test_a_call_can_come_first_with_v1_too(settings, channels):
    """V1 has no workflow that goes from a call to a text message."""
    configure(settings, VERIFY_VERSION=1, CHANNELS=channels)
    form = phone_form(NUMBER, channel="voice")
    assert form.is_valid(), form.errors
    assert ["voice"] == [message.channel for message in emulator().messages(NUMBER)]
    assert {"voice"} == set(latest().plan)


def test_what_was_chosen_is_chosen_on_the_page_that_is_shown_again():
    form = phone_form("hello", country="GB", channel="voice")
    assert not form.is_valid()
    assert ["GB"] == re.findall(r'value="(\w+)" selected', str(form["country"]))
    assert "voice" == form["channel"].value()


def test_the_country_is_what_browsers_fill_in():
    found = attributes(PhoneForm(request())["country"])
    assert {
        "name": "country",
        "id": "id_country",
        "autocomplete": "tel-country-code",
    }.items() <= found.items()


def test_a_good_number_is_asked_for_once():
    form = phone_form("(415) 555-0101")
    assert form.is_valid()
    assert form.is_valid()
    assert NUMBER == form.cleaned_data["number"]
    assert form.outcome.handle is not None
    assert (1,) == asked("start")


def test_a_number_that_vonage_refuses_is_an_error_of_the_field():
    form = phone_form("+12125550107")
    assert {"number": ["We can't send a code to that number."]} == form.errors


@pytest.mark.parametrize("last", ["02", "05", "06"])
def test_trouble_elsewhere_is_an_error_of_the_form(last):
    assert ["__all__"] == list(phone_form(f"+121255501{last}").errors)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Enter the code from the message."),
        ("  ", "Enter the code from the message."),
        ("1234", "The code has 6 numbers. You entered 4."),
        ("12345678", "The code has 6 numbers. You entered 8."),
        ("12345a", "The code is numbers only."),
        ("1" * 3000, "The code is numbers only."),
    ],
)
def test_a_slip_says_what_is_wrong(typed, sentence):
    form = code_form(typed)
    assert {"code": [sentence]} == form.errors
    assert (None, None) == (form.outcome, form.user)


def test_a_code_without_its_ticket_is_out_of_date():
    form = code_form("123456")
    assert {"__all__": ["This form is out of date. Use the latest message."]} == form.errors
    assert (0,) == asked("check")


def test_the_length_of_the_code_is_in_the_label(settings):
    assert "6-digit code" == str(code_form().fields["code"].label)
    configure(settings, CODE_LENGTH=8)
    assert "8-digit code" == str(code_form().fields["code"].label)
    assert "6-digit code" != str(CodeForm.base_fields["code"].label)


def attributes(field):
    return dict(re.findall(r'([\w-]+)="([^"]*)"', str(field)))


def test_the_number_is_for_a_telephone_keyboard():
    found = attributes(PhoneForm(request())["number"])
    assert {"type": "tel", "autocomplete": "tel", "dir": "ltr", "name": "number"}.items() <= found.items()


def test_the_code_is_for_a_numeric_keyboard_and_for_autofill():
    found = attributes(CodeForm(request(), Handle("x"))["code"])
    expected = {"type": "text", "inputmode": "numeric", "autocomplete": "one-time-code", "dir": "ltr"}
    assert expected.items() <= found.items()
    assert {"autocapitalize": "off", "spellcheck": "false"}.items() <= found.items()


@pytest.mark.parametrize("unwanted", ["maxlength", "minlength", "pattern", "placeholder", "required"])
def test_nothing_keeps_a_spaced_code_or_number_from_being_pasted(unwanted):
    assert unwanted not in str(PhoneForm(request()))
    assert unwanted not in str(CodeForm(request(), Handle("x")))


def test_an_error_is_tied_to_its_field():
    found = attributes(phone_form("hello")["number"])
    assert "true" == found["aria-invalid"]
    assert "id_number_helptext" in found["aria-describedby"]


def test_the_form_keeps_no_code_where_a_repr_would_show_it():
    form = phone_form(NUMBER)
    assert form.is_valid()
    sent = emulator().messages(NUMBER)
    assert 1 == len(sent)
    made = code_form(code())
    assert code() not in repr(made)
    assert NUMBER not in repr(form.outcome)
