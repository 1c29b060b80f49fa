"""What the two forms say, and what the fields are for a keyboard, a password manager and a screen reader."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import RequestFactory
from django.utils import timezone, translation

from passwordless import forms
from passwordless.forms import CodeForm, PhoneForm
from passwordless.outcomes import Handle, Outcome
from passwordless.states import PUBLIC, Public, Reason, Status
from tests.support import NUMBER, asked, code, configure, emulator, world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(db):
    with world() as moving:
        yield moving


def request():
    made = RequestFactory().post("/login/")
    made.session = {}
    return made


def phone_form(number, **fields):
    return PhoneForm(request(), {"number": number, **fields})


def code_form(typed="", **fields):
    return CodeForm(request(), Handle("unknown"), {"code": typed, **fields})


def outcome(reason, seconds=None, left=None):
    retry_at = None if seconds is None else timezone.now() + timedelta(seconds=seconds)
    return Outcome(Status.REFUSED, reason, retry_at, guesses_left=left)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        ("", "Enter your mobile number."),
        (" ", "Enter your mobile number."),
        ("hello", "Enter a mobile number, like +1 201-555-0123."),
        ("+1 415 555", "That number is too short. Enter a mobile number, like +1 201-555-0123."),
        ("+1 415 555 0101 01", "That number is too long. Enter a mobile number, like +1 201-555-0123."),
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
    assert "+61" in str(phone_form("hello").errors)
    assert "+52" in str(phone_form("+52 1 222 123 4567").errors)


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


@pytest.mark.parametrize("reason", [reason for reason in Reason if PUBLIC[reason] is not Public.DONE])
def test_every_outcome_has_a_sentence_without_a_word_of_accounts_or_limits(reason):
    said = forms.sentence(outcome(reason, 90))
    assert said.endswith(".")
    assert not re.search(
        r"account|user|limit|block|staff|inactive|session|address|Vonage", said, re.IGNORECASE
    )


def test_reasons_of_one_public_outcome_read_the_same():
    for public in (Public.UNAVAILABLE, Public.NUMBER_REFUSED, Public.WRONG):
        reasons = [reason for reason in Reason if PUBLIC[reason] is public]
        assert 1 == len({forms.sentence(outcome(reason)) for reason in reasons})


@pytest.mark.parametrize(
    ("left", "ending"), [(2, "2 tries left."), (1, "1 try left."), (3, "try again."), (None, "try again.")]
)
def test_the_tries_left_are_told_from_two_on(left, ending):
    assert forms.sentence(outcome(Reason.WRONG_CODE, left=left)).endswith(ending)


@pytest.mark.parametrize(
    ("reason", "seconds", "told", "sentence"),
    [
        (Reason.WAIT, 29.2, 30, "Wait 30 more seconds before asking again."),
        (Reason.WAIT, 1, 1, "Wait 1 more second before asking again."),
        (Reason.WAIT, -5, 1, "Wait 1 more second before asking again."),
        (Reason.WAIT, 121, 121, "Too many tries. Try again in about 3 minutes."),
        (Reason.LIMIT_IP, 1, 60, "Too many tries. Try again in about 1 minute."),
        (Reason.LIMIT_NUMBER, 61, 120, "Too many tries. Try again in about 2 minutes."),
        (Reason.LIMIT_FAILS, 3600, 3600, "Too many tries. Try again in about 60 minutes."),
        (Reason.CONCURRENT, None, 60, "Too many tries. Try again in about 1 minute."),
    ],
)
def test_our_own_wait_is_exact_and_every_other_is_in_minutes(reason, seconds, told, sentence):
    found = outcome(reason, seconds)
    assert told == forms.seconds_left(found)
    assert sentence == forms.sentence(found)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.TOO_MANY_GUESSES, "Too many wrong codes"),
        (Reason.EXPIRED, "has expired"),
        (Reason.GONE, "has expired"),
        (Reason.CANCELLED, "has expired"),
        (Reason.OK, "has expired"),
        (Reason.INACTIVE_USER, "has expired"),
        (Reason.UNKNOWN_NUMBER, "has expired"),
        (Reason.PROVIDER_ERROR, "problem on our side"),
        (Reason.BLOCKED, "can't send a code to that number"),
    ],
)
def test_an_attempt_that_is_over_says_so_and_no_more(reason, words):
    assert words in forms.ended(Status.FAILED, reason)


def test_sentences_can_be_asked_for_in_any_language():
    with translation.override("de"):
        assert forms.sentence(outcome(Reason.WAIT, 5))


def test_the_form_keeps_no_code_where_a_repr_would_show_it():
    form = phone_form(NUMBER)
    assert form.is_valid()
    sent = emulator().messages(NUMBER)
    assert 1 == len(sent)
    made = code_form(code())
    assert code() not in repr(made)
    assert NUMBER not in repr(form.outcome)
