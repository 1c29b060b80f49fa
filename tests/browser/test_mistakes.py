"""What a browser shows when something is wrong, late or lost, and where the focus goes."""

from __future__ import annotations

import re

import pytest
from django.utils import translation

from tests.browser.people import complaint

pytestmark = pytest.mark.browser

REFUSED = {
    "empty": ("", "Enter your mobile number."),
    "letters": ("call me", "Enter a mobile number, like"),
    "short": ("0 74", "That number is too short for United Kingdom."),
}
SLIPS = {
    "empty": ("", "Enter the code from the message."),
    "short": ("1234", "The code has 6 numbers. You entered 4."),
    "letters": ("secret", "The code is numbers only."),
}
WRONG = "That code isn't right. Check the latest message and try again."
LOST = "Your session ended. Enter your number again."
HOUR = 60 * 60
TOO_LONG = 3 * HOUR
"""An hour longer than a browser holds an attempt."""


def blame(person):
    """Return the summary, which has the focus and blames no field."""
    summary = person.focused(".pl-summary")
    assert person.page.title().startswith("Error: ")
    assert 0 == person.page.locator(".pl-summary a, .pl-error, [aria-invalid]").count()
    return summary.inner_text()


def kept(person):
    """Return the country and the number that stand in the form."""
    return person.page.get_by_label("Country").input_value(), person.field("number").input_value()


@pytest.mark.parametrize("kind", REFUSED)
def test_08_a_number_that_cannot_be_one_is_refused_in_words_and_kept(person, javascript, kind):
    typed, words = REFUSED[kind]
    person.see("/login/")
    person.page.get_by_label("Country").select_option("GB")
    person.field("number").fill(typed)
    assert 200 == person.press("Send code")
    assert complaint(person).startswith(words)
    assert ("GB", typed) == kept(person)


@pytest.mark.parametrize("kind", SLIPS)
def test_08_what_cannot_be_a_code_costs_no_try(person, javascript, kind):
    typed, words = SLIPS[kind]
    person.ask()
    for _ in range(4):
        assert 200 == person.give(typed)
    assert words == complaint(person)
    person.give(person.code())
    assert person.shown in person.text


def test_08_whoever_asks_too_soon_is_told_how_long_to_wait(person, javascript):
    person.ask()
    for _ in range(3):
        person.give(person.wrong_code())
    person.see("/login/")
    person.page.get_by_label("Country").select_option("GB")
    person.field("number").fill(person.number)
    assert 429 == person.press("Send code")
    assert re.search(r"Wait \d+ more seconds before asking again\.", blame(person))
    assert ("GB", person.number) == kept(person)


def test_08_when_the_provider_fails_the_number_is_not_to_blame(person, javascript):
    person.site.move_clock(HOUR)  # since this number failed somebody else
    person.see("/login/")
    person.page.get_by_label("Country").select_option("CA")
    person.field("number").fill("+12125550102")
    assert 503 == person.press("Send code")
    assert "Your number is fine." in blame(person)
    assert ("CA", "+12125550102") == kept(person)


@pytest.mark.parametrize("language", ["ar", "fr"])
def test_08_a_title_begins_with_the_mistake_in_every_language(person, language):
    with translation.override(language):
        word = translation.gettext("Error:")
    assert "Error:" != word
    person.page.context.add_cookies([{"name": "django_language", "value": language, "url": person.site.url}])
    person.see("/login/")
    with person.page.expect_navigation():
        person.page.locator("main button").click()
    assert person.page.title().startswith(f"{word} ")


def test_09_wrong_codes_are_counted_down_until_a_new_one_is_needed(person, javascript):
    person.ask()
    for left in ("2 tries left.", "1 try left."):
        assert 200 == person.give(person.wrong_code())
        assert f"{WRONG} {left}" == complaint(person)
        assert "" == person.field("code").input_value()
    assert 200 == person.give(person.wrong_code())
    assert "Too many wrong codes. Send a new code to continue." in blame(person)
    assert 0 == person.field("code").count()
    person.site.move_clock(61)
    assert 200 == person.press("Send a new code")
    person.give(person.code())
    assert person.shown in person.text


def test_09_a_number_with_an_account_is_told_the_same(visit, javascript):
    owner, finder, stranger = visit(), visit(), visit()
    owner.log_in()
    owner.site.move_clock(61)
    finder.number = owner.number
    assert guesses(stranger) == guesses(finder)


def guesses(person):
    """Return all that the pages say to somebody who guesses, without the number and the time."""
    person.ask()
    said = [person.page.title() + person.text]
    for _ in range(3):
        person.give(person.wrong_code())
        said.append(person.page.title() + person.text)
    return [re.sub(r"\d\d:\d\d:\d\d|\d+ seconds?", "…", one.replace(person.shown, "…")) for one in said]


def test_10_an_expired_code_is_told_and_nothing_is_sent_by_itself(person, javascript):
    person.ask()
    code = person.code()
    person.site.move_clock(601)
    before = person.site.codes(person.number)  # the call that Vonage makes by itself is one of them
    assert 200 == person.give(code)
    assert "That code has expired. Send a new one." in blame(person)
    person.page.reload()
    person.see("/login/code/")
    assert "That code has expired. Send a new one." in blame(person)
    assert before == person.site.codes(person.number)
    assert 200 == person.press("Send a new code")
    assert len(before) + 1 == len(person.site.codes(person.number))
    person.give(person.code())
    assert person.shown in person.text


def test_21_whoever_is_in_already_goes_on_or_is_asked_to_leave(person, javascript):
    person.log_in()
    for path in ("/login/", "/login/code/"):
        person.see(path)
        assert "/" == person.path
    person.see("/login/?next=/phone/%3Fa%3D1")
    assert "/phone/?a=1" == person.path
    person.see("/login/?switch=1")
    assert ("You are signed in", ["Sign out"]) == (person.heading, person.offers())
    person.press("Sign out")
    assert person.page.get_by_role("link", name="Sign in", exact=True).is_visible()


def looked_again(person):
    person.page.reload()


def gave_a_code(person):
    person.give("123456")


def asked_again(person):
    person.page.locator("form[action$='/advance/'] button").evaluate("button => button.form.submit()")
    person.page.wait_for_url("**/login/?lost=1")


def gave_up(person):
    person.press("Cancel")


@pytest.mark.parametrize("deed", [looked_again, gave_a_code, asked_again, gave_up])
def test_21_whoever_was_away_too_long_is_told_and_begins_again(person, javascript, deed):
    person.ask()
    person.site.move_clock(TOO_LONG)
    deed(person)
    assert "/login/?lost=1" == person.path
    assert LOST in person.text
    person.field("number").fill(person.number)
    person.press("Send code")
    person.give(person.code())
    assert person.shown in person.text


def test_21_the_page_for_the_code_leads_a_newcomer_to_the_beginning(person, javascript):
    person.see("/login/code/")
    assert "/login/?lost=1" == person.path
    assert "Sign in" == person.heading
    assert LOST in person.text


@pytest.mark.parametrize("name", ["number", "code"])
def test_21_a_form_without_our_cookie_leads_back_to_the_beginning(person, javascript, name):
    person.ask() if name == "code" else person.see("/login/")
    person.lose_cookies()
    person.field(name).fill("123456")
    assert 403 == person.press("Continue" if name == "code" else "Send code")
    assert "This page is out of date" == person.heading
    person.page.get_by_role("link", name="Start again").click()
    assert "Sign in" == person.heading
