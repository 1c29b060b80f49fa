"""Logging in with a browser: by mouse, by keyboard, by paste, in a hurry."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser

PASTED = {
    "spaced": lambda code: f"{code[:3]} {code[3:]}",
    "dashed": lambda code: f"{code[:3]}-{code[3:]}",
    "fullwidth": lambda code: code.translate({ord("0") + n: ord("０") + n for n in range(10)}),
    "arabic": lambda code: code.translate({ord("0") + n: ord("٠") + n for n in range(10)}),
    "whole_message": lambda code: f"Example code: {code}. Valid for 5 minutes.",
}
EVERYWHERE = {"dir": "ltr", "maxlength": None, "pattern": None, "placeholder": None, "required": None}
NUMBER_FIELD = {"type": "tel", "autocomplete": "tel", **EVERYWHERE}
CODE_FIELD = {"type": "text", "inputmode": "numeric", "autocomplete": "one-time-code", **EVERYWHERE}


def test_phone_then_code_then_home_and_out_again(person, javascript):
    person.see("/")
    person.page.get_by_role("link", name="Log in", exact=True).click()
    person.field("number").fill(person.national)
    assert 200 == person.press("Send code")
    assert "/login/code/" == person.path
    assert person.shown in person.text
    assert 200 == person.give(person.code())
    assert "/" == person.path
    assert person.shown in person.text
    person.press("Log out")
    assert person.shown not in person.text
    assert person.page.get_by_role("link", name="Log in", exact=True).is_visible()


def test_the_message_appears_beside_the_page_by_itself(person):
    person.ask()
    message = person.page.get_by_role("complementary").locator("article", has_text=person.number)
    message.wait_for()
    assert person.code() in message.inner_text()


def test_whoever_wanted_a_page_gets_it_after_logging_in(person, javascript):
    person.see("/login/?next=/phone/%3Fa%3D1")
    person.field("number").fill(person.number)
    person.press("Send code")
    person.give(person.code())
    assert "/phone/?a=1" == person.path


def test_keyboard_alone_is_enough_and_shows_where_it_is(person, javascript):
    person.see("/login/")
    person.page.keyboard.press("Tab")
    rings = [ring(person.focused("input[name=number]"))]
    person.page.keyboard.type(person.number)
    person.page.keyboard.press("Tab")
    rings.append(ring(person.focused("main button")))
    person.hit("Enter")
    rings.append(ring(person.focused("input[name=code]")))
    person.page.keyboard.type(person.code())
    person.hit("Enter")
    person.page.keyboard.press("Tab")
    rings.append(ring(person.focused("main button")))
    person.hit("Enter")
    assert person.page.get_by_role("link", name="Log in", exact=True).is_visible()
    assert [("solid", 3)] * 4 == rings


def ring(element):
    """Return style and width of the outline, in px."""
    style = element.evaluate("e => [getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth]")
    return style[0], round(float(style[1].removesuffix("px")))


def test_tab_goes_down_the_code_page_in_the_order_that_the_eye_does(person):
    person.ask()
    person.focused("input[name=code]")
    passed = []
    for _ in range(3):
        person.page.keyboard.press("Tab")
        passed.append(person.page.locator(":focus").inner_text())
    assert ["Continue", "Call me instead", "Cancel"] == passed


@pytest.mark.parametrize(("name", "wanted"), [("number", NUMBER_FIELD), ("code", CODE_FIELD)])
def test_phones_show_the_right_keys_and_fill_in_by_themselves(person, name, wanted):
    person.ask() if name == "code" else person.see("/login/")
    fields = person.page.locator("main input:visible")
    assert 1 == fields.count()
    assert wanted == {key: fields.get_attribute(key) for key in wanted}
    assert 1 == person.page.locator(f"label[for={fields.get_attribute('id')}]").count()


@pytest.mark.parametrize("form", PASTED)
def test_a_pasted_code_is_understood(visit, form):
    person = visit(permissions=["clipboard-read", "clipboard-write"])
    person.ask()
    person.page.evaluate("text => navigator.clipboard.writeText(text)", PASTED[form](person.code()))
    person.focused("input[name=code]")
    person.page.keyboard.press("Control+V")
    person.hit("Enter")
    assert "/" == person.path
    assert person.shown in person.text


def test_double_clicks_send_one_message_and_log_in_once(person, javascript):
    person.see("/login/")
    person.field("number").fill(person.number)
    hurry(person, "Send code", "**/login/code/")
    assert 1 == len(person.messages())
    person.field("code").fill(person.code())
    hurry(person, "Continue", f"{person.site.url}/")
    assert person.shown in person.text


def hurry(person, name, url):
    person.page.get_by_role("button", name=name, exact=True).dblclick(no_wait_after=True)
    person.page.wait_for_url(url)


def test_pages_with_a_number_are_not_kept_by_the_browser(person):
    person.ask()
    answer = person.page.reload()
    assert "no-store" in answer.headers["cache-control"]
    assert re.fullmatch(r"[^\d]*", person.path + person.page.title())
