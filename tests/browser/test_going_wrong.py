"""What a browser shows when something is wrong or changed, and where the focus goes."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser

REFUSED = {
    "empty": ("", "Enter your mobile number."),
    "letters": ("call me", "Enter a mobile number, like"),
    "short": ("+1 415 555", "That number is too short."),
}
SLIPS = {
    "empty": ("", "Enter the code from the message."),
    "short": ("1234", "The code has 6 numbers. You entered 4."),
    "letters": ("secret", "The code is numbers only."),
}


def complaint(person):
    """Return the one sentence of the summary, which has the focus, after holding it against the field."""
    person.focused(".pl-summary")
    link = person.page.locator(".pl-summary a")
    sentence, target = link.inner_text(), link.get_attribute("href")
    beside = person.page.locator(".pl-error").inner_text()
    assert sentence == beside.removeprefix("Error:").strip()
    assert person.page.title().startswith("Error: ")
    field = person.page.locator(target)
    assert "true" == field.get_attribute("aria-invalid")
    described = field.get_attribute("aria-describedby").split()
    assert sentence in " ".join(person.page.locator(f"#{one}").inner_text() for one in described)
    link.click()
    person.focused(target)
    return sentence


@pytest.mark.parametrize("kind", REFUSED)
def test_a_number_that_cannot_be_one_is_refused_in_words_and_kept(person, javascript, kind):
    typed, words = REFUSED[kind]
    person.see("/login/")
    person.field("number").fill(typed)
    assert 200 == person.press("Send code")
    assert complaint(person).startswith(words)
    assert typed == person.field("number").input_value()


@pytest.mark.parametrize("kind", SLIPS)
def test_what_cannot_be_a_code_costs_no_try(person, kind):
    typed, words = SLIPS[kind]
    person.ask()
    for _ in range(4):
        assert 200 == person.give(typed)
    assert words == complaint(person)
    person.give(person.code())
    assert person.shown in person.text


def test_wrong_codes_are_counted_down_until_a_new_one_is_needed(person, javascript):
    person.ask()
    for left in ("2 tries left.", "1 try left."):
        assert 200 == person.give(person.wrong_code())
        sentence = complaint(person)
        assert sentence.startswith("That code isn't right. Check the latest message and try again.")
        assert sentence.endswith(left)
        assert "" == person.field("code").input_value()
    person.give(person.wrong_code())
    summary = person.focused(".pl-summary").inner_text()
    assert "Too many wrong codes. Send a new code to continue." in summary
    assert 0 == person.field("code").count()
    assert "Send a new code" in person.offers()
    person.site.move_clock(61)
    assert 200 == person.press("Send a new code")
    person.give(person.code())
    assert person.shown in person.text


def test_another_number_can_be_used(person, javascript):
    person.see("/login/?next=/phone/")
    person.field("number").fill(person.number)
    person.press("Send code")
    person.press("Use another number")
    assert "/login/" == person.path.partition("?")[0]
    person.number = person.site.number()
    person.field("number").fill(person.number)
    person.press("Send code")
    assert person.shown in person.text
    person.give(person.code())
    assert "/phone/" == person.path


def test_cancel_leaves_nothing_to_come_back_to(person, javascript):
    person.ask()
    person.press("Cancel")
    assert "/" == person.path
    person.page.go_back()
    person.see("/login/code/")
    assert "/login/" == person.path
    assert 1 == len(person.messages())


def test_a_call_can_be_asked_for_after_the_wait_and_not_before(person, javascript):
    person.ask()
    assert re.search(r"You can ask for a call in \d+ seconds \(at \d\d:\d\d:\d\d UTC\)\.", person.text)
    assert 429 == person.press("Call me instead")
    assert re.search(r"Wait \d+ more seconds", person.focused(".pl-summary").inner_text())
    assert 1 == len(person.messages())
    person.site.move_clock(61)
    assert 200 == person.press("Call me instead")
    assert "We are calling this number and will read out your code:" in person.text
    assert [True, False] == [message.startswith("Text message") for message in person.messages()]
    person.give(person.code())
    assert person.shown in person.text


def test_a_code_that_has_expired_is_told_and_nothing_is_sent_by_itself(person, javascript):
    person.ask()
    code = person.code()
    person.site.move_clock(601)
    before = person.messages()  # the call that Vonage makes by itself is one of them
    person.give(code)
    assert "That code has expired. Send a new one." in person.focused(".pl-summary").inner_text()
    person.page.reload()
    assert before == person.messages()
    assert 200 == person.press("Send a new code")
    assert len(before) + 1 == len(person.messages())
    person.give(person.code())
    assert person.shown in person.text


def test_when_vonage_fails_the_page_says_that_the_number_is_fine(person):
    person.number = "+12125550102"
    person.see("/login/")
    person.field("number").fill(person.number)
    assert 503 == person.press("Send code")
    assert "Your number is fine." in person.focused(".pl-summary").inner_text()
    assert person.number == person.field("number").input_value()


def test_a_form_without_our_cookie_leads_back_to_the_beginning(person, javascript):
    person.see("/login/")
    person.page.context.clear_cookies()
    person.field("number").fill(person.number)
    assert 403 == person.press("Send code")
    assert "This page is out of date" == person.heading
    person.page.get_by_role("link", name="Start again").click()
    assert "Sign in" == person.heading
