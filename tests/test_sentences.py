"""What people are told: nothing of accounts and limits, in words that help to go on, in any direction."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone, translation

from passwordless import phones, sentences
from passwordless.codes import CodeRefused
from passwordless.outcomes import Outcome
from passwordless.states import PUBLIC, Public, Reason, Status
from tests.support import configure, world

HERE, ABROAD = "\u2066(201) 555-0123\u2069", "\u2066+1 201-555-0123\u2069"
REFERENCE = "k7f2m9qx"
FORBIDDEN = re.compile(r"account|user|limit|block|staff|inactive|session|address|Vonage", re.IGNORECASE)
TOLD = [reason for reason in Reason if PUBLIC[reason] is not Public.DONE]


@pytest.fixture(autouse=True)
def clock(db):
    with world() as moving:
        yield moving


def outcome(reason, seconds=None, left=None, reference=""):
    retry_at = None if seconds is None else timezone.now() + timedelta(seconds=seconds)
    return Outcome(Status.REFUSED, reason, retry_at, guesses_left=left, reference=reference)


def refusal(text, region="US", channel=""):
    with pytest.raises(phones.NumberRefused) as refused:
        phones.parse(text, region, channel)
    return sentences.refusal(refused.value, region)


class TestOutcomes:
    @pytest.mark.parametrize("reference", ["", REFERENCE])
    @pytest.mark.parametrize("reason", TOLD)
    def test_have_a_sentence_without_a_word_of_accounts_or_limits(self, reason, reference):
        said = sentences.sentence(outcome(reason, 90, reference=reference))
        assert re.search("[.\u2069][.]?$", said)
        assert not FORBIDDEN.search(said)

    def test_of_one_public_outcome_read_the_same(self):
        for public in (Public.UNAVAILABLE, Public.NUMBER_REFUSED, Public.WRONG):
            reasons = [reason for reason in Reason if PUBLIC[reason] is public]
            assert 1 == len({sentences.sentence(outcome(reason)) for reason in reasons})
            assert 1 == len({sentences.sentence(outcome(reason, reference=REFERENCE)) for reason in reasons})

    @pytest.mark.parametrize(
        ("left", "ending"),
        [(2, "2 tries left."), (1, "1 try left."), (3, "try again."), (None, "try again.")],
    )
    def test_tell_the_tries_left_from_two_on(self, left, ending):
        assert sentences.sentence(outcome(Reason.WRONG_CODE, left=left)).endswith(ending)

    @pytest.mark.parametrize(
        ("reason", "seconds", "told", "sentence"),
        [
            (Reason.WAIT, 29.2, 30, "Wait 30 more seconds before asking again."),
            (Reason.WAIT, 1, 1, "Wait 1 more second before asking again."),
            (Reason.WAIT, -5, 1, "Wait 1 more second before asking again."),
            (Reason.WAIT, 120, 120, "Wait 120 more seconds before asking again."),
            (Reason.WAIT, 121, 121, "Too many tries. Try again in about 3 minutes."),
            (Reason.LIMIT_IP, 1, 60, "Too many tries. Try again in about 1 minute."),
            (Reason.LIMIT_NUMBER, 61, 120, "Too many tries. Try again in about 2 minutes."),
            (Reason.LIMIT_FAILS, 3600, 3600, "Too many tries. Try again in about 60 minutes."),
            (Reason.CONCURRENT, None, 60, "Too many tries. Try again in about 1 minute."),
            (Reason.LOCKED, None, 3600, "Too many tries. Try again in about 60 minutes."),
        ],
    )
    def test_tell_our_own_wait_exactly_and_every_other_in_minutes(self, reason, seconds, told, sentence):
        found = outcome(reason, seconds)
        assert told == sentences.seconds_left(found)
        assert sentence == sentences.sentence(found)

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
    def test_of_an_attempt_that_is_over_say_so_and_no_more(self, reason, words):
        assert words in sentences.ended(Status.FAILED, reason)

    def test_can_be_told_in_any_language(self):
        with translation.override("de"):
            assert sentences.sentence(outcome(Reason.WAIT, 5))


class TestReference:
    WHOLE = (
        "We have a problem on our side. Your number is fine. Try again in a minute. "
        f"If you write to us about it, the reference is \u2066{REFERENCE}\u2069."
    )

    @pytest.mark.parametrize("reason", [reason for reason in Reason if PUBLIC[reason] is Public.UNAVAILABLE])
    def test_is_told_where_we_cannot_serve(self, reason):
        assert self.WHOLE == sentences.sentence(outcome(reason, reference=REFERENCE))
        assert "reference" not in sentences.sentence(outcome(reason))

    @pytest.mark.parametrize(
        "reason", [reason for reason in TOLD if PUBLIC[reason] is not Public.UNAVAILABLE]
    )
    def test_is_told_nowhere_else(self, reason):
        assert REFERENCE not in sentences.sentence(outcome(reason, 90, 1, reference=REFERENCE))


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "region", "told"),
        [
            ("", "US", "Enter your mobile number."),
            ("hello", "US", f"Enter a mobile number, like {HERE} or {ABROAD}."),
            (
                "hello",
                "GB",
                "Enter a mobile number, like \u206607400 123456\u2069 or \u2066+44 7400 123456\u2069.",
            ),
            ("415 555", "US", f"That number is too short for United States. Enter one like {HERE}."),
            (
                "07400 12345678",
                "GB",
                "That number is too long for United Kingdom. Enter one like \u206607400 123456\u2069.",
            ),
            ("415 555 0101 01", "US", f"That number is too long for United States. Enter one like {HERE}."),
            ("+44 20 7946 0000", "US", "That looks like a landline. Enter a mobile number."),
            ("+870 773 111 632", "US", "We can't send codes to that country yet."),
            ("+1 800 234 5678", "US", "We can't send a code to that number."),
        ],
    )
    def test_help_to_type_another(self, text, region, told):
        assert told == refusal(text, region)

    def test_name_the_country_that_gets_no_codes(self, settings):
        configure(settings, COUNTRIES=["US"])
        assert "We can't send codes to United Kingdom yet." == refusal("+44 7400 123456")
        with translation.override("fr"):
            assert "Royaume-Uni" in refusal("+44 7400 123456")

    def test_offer_a_call_to_a_landline_where_there_is_one(self, settings):
        configure(settings, NUMBER_TYPES=["mobile", "fixed_line"])
        told = "That looks like a landline. Choose a phone call, or enter a mobile number."
        assert told == refusal("+44 20 7946 0000", channel="sms")

    def test_have_words_for_every_code(self):
        codes = {
            "empty",
            "unreadable",
            "too_short",
            "too_long",
            "landline",
            "call",
            "country",
            "nowhere",
            "type",
        }
        assert codes == set(sentences.REFUSALS)
        for code in codes - {"nowhere"}:
            assert sentences.refusal(phones.NumberRefused(code), "US").endswith(".")
            assert "%" not in sentences.refusal(phones.NumberRefused(code, "GB"), "US")

    @pytest.mark.parametrize("language", ["ar", "he", "en"])
    def test_keep_the_numbers_in_them_in_order(self, language):
        """Between Arabic words a plain +1 201 would be shown from its end."""
        with translation.override(language):
            assert {HERE, ABROAD} == set(re.findall("\u2066[^\u2069]*\u2069", refusal("hello")))


class TestSlips:
    @pytest.mark.parametrize(
        ("kind", "count", "told"),
        [
            ("empty", 0, "Enter the code from the message."),
            ("letters", 0, "The code is numbers only."),
            ("length", 1, "The code has 6 numbers. You entered 1."),
            ("length", 7, "The code has 6 numbers. You entered 7."),
        ],
    )
    def test_say_what_is_wrong(self, kind, count, told):
        assert told == sentences.slip(CodeRefused(kind, count))

    def test_follow_the_length_of_the_site(self, settings):
        configure(settings, CODE_LENGTH=8)
        assert "The code has 8 numbers. You entered 6." == sentences.slip(CodeRefused("length", 6))


def test_an_isolate_is_closed():
    assert "\u2066+44\u2069" == sentences.isolated("+44")
