"""Signing in with a browser: by mouse, by keyboard, by paste, from any spelling, in a hurry."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise

import pytest

from tests.browser.stops import tabbable, walk

pytestmark = pytest.mark.browser

ARABIC = {ord("0") + n: ord("٠") + n for n in range(10)}
FULL_WIDTH = {ord("0") + n: ord("０") + n for n in range(10)}
PASTED = {
    "spaced": lambda code: f"{code[:3]} {code[3:]}",
    "dashed": lambda code: f"{code[:3]}-{code[3:]}",
    "full_width": lambda code: code.translate(FULL_WIDTH),
    "arabic": lambda code: code.translate(ARABIC),
    "whole_message": lambda code: f"Example code: {code}. Valid for 5 minutes.",
}
# What is typed for a British number, given from its fourth digit on, and the country that is chosen.
SPELLINGS = {
    "national": ("GB", lambda rest: f"0{rest}"),
    "without_its_zero": ("GB", lambda rest: rest),
    "spaces": ("GB", lambda rest: f" 0{rest[:4]} {rest[4:7]} {rest[7:]} "),
    "dots": ("GB", lambda rest: f"0{rest[:4]}.{rest[4:7]}.{rest[7:]}"),
    "brackets": ("GB", lambda rest: f"(0{rest[:4]}) {rest[4:7]}-{rest[7:]}"),
    "arabic": ("GB", lambda rest: f"0{rest}".translate(ARABIC)),
    "plus": ("FR", lambda rest: f"+44 {rest}"),
    "plus_and_zero": ("FR", lambda rest: f"+44 (0){rest[:4]} {rest[4:]}"),
    "two_zeros": ("FR", lambda rest: f"0044 {rest}"),
    "arabic_plus": ("FR", lambda rest: f"+44{rest}".translate(ARABIC)),
}
CONTROLS = """controls => controls.filter(one => one.checkVisibility() && one.type !== "submit").map(one => [
    one.localName, ...["type", "inputmode", "autocomplete", "dir"].map(name => one.getAttribute(name))])"""
COUNTRY = ["select", None, None, "tel-country-code", None]
NUMBER = ["input", "tel", None, "tel", "ltr"]
CHANNEL = ["input", "radio", None, None, None]
CODE = ["input", "text", "numeric", "one-time-code", "ltr"]
# They stop right entries, hide what was asked for, or keep a browser from helping.
HINDRANCES = (
    "[maxlength], [minlength], [pattern], [placeholder], [required], [type=number], [autocomplete=off]"
)

EVIL = {
    "two_slashes": "//evil.example",
    "no_slashes": "https:evil.example",
    "whole_address": "https://evil.example/",
    "backslash": "/%5Cevil.example",
    "tab": "/%09/evil.example",
    "line_break": "/%0D%0A/evil.example",
    "null": "%00//evil.example",
    "script": "javascript:alert(1)",
}


def offered(person):
    """Return the code that the page itself shows beside the form."""
    phone = person.page.get_by_role("complementary").locator("article", has_text=person.number)
    return phone.locator(".demo-code").inner_text()


def where(person):
    """Return a list that grows by the path of each page to come."""
    seen = []
    person.page.on("framenavigated", lambda frame: seen.append(frame.url.removeprefix(person.site.url)))
    return seen


def test_01_four_moves_and_two_pages_lead_home(person, javascript):
    person.see("/login/")
    seen = where(person)
    person.field("number").fill(person.national)
    person.press("Send code")
    person.field("code").fill(offered(person))
    person.press("Continue")
    assert ["/login/code/", "/"] == seen
    assert person.shown in person.text


def test_01_whoever_wanted_a_page_gets_it_with_its_query(person, javascript):
    person.see("/login/?next=/phone/%3Fa%3D1%26b%3Dc")
    seen = where(person)
    person.field("number").fill(person.number)
    person.press("Send code")
    person.give(person.code())
    assert ["/login/code/", "/phone/?a=1&b=c"] == seen


def test_01_the_home_page_leads_in_and_out_again(person, javascript):
    person.see("/")
    person.page.get_by_role("link", name="Sign in", exact=True).click()
    person.field("number").fill(person.national)
    person.press("Send code")
    assert person.shown in person.text
    person.give(person.code())
    person.press("Sign out")
    assert "/" == person.path
    assert person.shown not in person.text
    assert person.page.get_by_role("link", name="Sign in", exact=True).is_visible()


def test_01_the_message_appears_beside_the_page_by_itself(visit):
    reader, sender = visit(), visit()
    reader.see("/login/")
    sender.ask()
    message = reader.page.get_by_role("complementary").locator("article", has_text=sender.number)
    message.wait_for()
    assert sender.code() in message.inner_text()


def test_02_a_keyboard_chooses_types_signs_in_and_out(person, javascript):
    person.number = person.site.british_number()
    keys = person.page.keyboard
    person.see("/login/")
    keys.press("Tab")
    keys.type("United K")
    keys.press("Tab")
    keys.type(f"0{person.number[3:]}")
    keys.press("Tab")
    keys.press("ArrowDown")
    keys.press("Tab")
    person.hit("Enter")
    assert ["Phone call"] == [message.partition(" from")[0] for message in person.messages()]
    person.focused("input[name=code]")
    keys.type(person.code())
    person.hit("Enter")
    keys.press("Tab")
    person.focused("main button")
    person.hit("Enter")
    assert person.page.get_by_role("link", name="Sign in", exact=True).is_visible()


def refused(person):
    person.see("/login/")
    person.press("Send code")


def guessed(person):
    person.ask()
    person.give(person.wrong_code())


PLACES = {
    "number": lambda person: person.see("/login/"),
    "refused": refused,
    "code": lambda person: person.ask(),
    "guessed": guessed,
    "home": lambda person: person.log_in(),
}


@pytest.mark.parametrize("place", PLACES)
def test_02_tab_comes_by_everything_in_the_order_of_the_eye_and_is_seen(visit, javascript, place):
    person = visit(viewport={"width": 900, "height": 800})
    PLACES[place](person)
    there = walk(person.page, "Tab")
    back = walk(person.page, "Shift+Tab")
    assert [stop.place for stop in there] == [stop.place for stop in reversed(back)]
    inside = sorted(there)
    assert tabbable(person.page) == [stop.place for stop in inside]
    assert [] == [before.place for before, after in pairwise(inside) if not before.precedes(after)]
    assert [] == [stop for stop in there if stop.ring < 2 or stop.contrast < 3]


def test_04_phones_show_the_right_keys_and_fill_in_by_themselves(person):
    person.see("/login/")
    assert [COUNTRY, NUMBER, CHANNEL, CHANNEL] == controls(person)
    person.ask()
    assert [CODE] == controls(person)


def controls(person):
    """Return what each visible control is to a browser; no control has what stands in the way."""
    found = person.page.locator("main :is(input, select, textarea)")
    assert 0 == person.page.locator("main").locator(HINDRANCES).count()
    for control in found.locator("visible=true").all():
        assert 1 == control.evaluate("one => one.labels.length")
    return found.evaluate_all(CONTROLS)


@pytest.mark.parametrize("form", PASTED)
def test_05_a_pasted_code_is_understood(visit, form):
    person = visit(permissions=["clipboard-read", "clipboard-write"])
    person.ask()
    person.page.evaluate("text => navigator.clipboard.writeText(text)", PASTED[form](person.code()))
    person.focused("input[name=code]")
    person.page.keyboard.press("Control+V")
    person.hit("Enter")
    assert "/" == person.path
    assert person.shown in person.text


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_07_every_spelling_of_a_number_is_the_same_number(person, javascript, spelling):
    country, write = SPELLINGS[spelling]
    person.number = person.site.british_number()
    person.see("/login/")
    person.page.get_by_label("Country").select_option(country)
    person.field("number").fill(write(person.number[3:]))
    person.press("Send code")
    assert "/login/code/" == person.path
    assert 1 == len(person.site.codes(person.number))
    [row] = person.site.desk.attempts(person.number)
    assert "United Kingdom" in row


def test_07_a_site_remembers_the_country_that_was_chosen(person, javascript):
    person.see("/login/")
    person.page.get_by_label("Country").select_option("GB")
    person.field("number").fill(f"0{person.site.british_number()[3:]}")
    person.press("Send code")
    person.press("Use another number")
    assert "GB" == person.page.get_by_label("Country").input_value()


def double_click(person, name):
    person.page.get_by_role("button", name=name, exact=True).dblclick(no_wait_after=True)


def double_enter(person, name):
    person.field("code" if name == "Continue" else "number").focus()
    # Browsers forget a first request that has not gone out yet.
    with person.page.expect_request(lambda request: request.method == "POST"):
        person.page.keyboard.press("Enter")
    person.page.keyboard.press("Enter")


@pytest.mark.parametrize("hurry", [double_click, double_enter])
def test_18_whoever_is_in_a_hurry_for_a_code_gets_one_message(person, javascript, hurry):
    person.see("/login/")
    person.field("number").fill(person.number)
    assert 200 == answered(person, hurry, "Send code")
    person.see("/login/code/")  # a second Enter may have come to this page, and left it with a complaint
    while "We are sending" in person.text:  # the second press did not wait for what the first began
        person.page.reload()
    person.give(person.code())
    assert person.shown in person.text
    assert 1 == len(person.site.codes(person.number))


@pytest.mark.parametrize("hurry", [double_click, double_enter])
def test_18_whoever_is_in_a_hurry_to_sign_in_costs_one_check(person, javascript, hurry):
    person.ask()
    person.field("code").fill(person.code())
    assert 500 > answered(person, hurry, "Continue")
    assert ["verified"] == [kind for kind in checks(person) if kind != "replayed"]
    # Without a script browsers drop the answer to a first Enter and the session in it, and a code counts once.
    if javascript or hurry is double_click:
        assert person.shown in person.text


def answered(person, hurry, name):
    """Let somebody press in a hurry; return the HTTP status of the page that comes, which may be the second."""
    with person.page.expect_event("load"), person.page.expect_response(is_page) as answer:
        hurry(person, name)
    return answer.value.status


def is_page(response):
    return response.request.is_navigation_request() and response.status // 100 != 3


def test_18_two_tabs_at_once_get_one_message_and_cost_one_check(person, javascript):
    tabs = [person, person.beside()]
    for tab in tabs:
        tab.see("/login/")
        tab.field("number").fill(person.number)
    assert [200, 200] == at_once(tabs, "Send code")
    assert ["/login/code/"] * 2 == [tab.path for tab in tabs]
    assert 1 == len(person.site.codes(person.number))
    for tab in tabs:
        tab.field("code").fill(person.code())
    # The slower tab may be told to wait, that the code was used, or to begin again; the faster one stays in.
    assert 500 > max(at_once(tabs, "Continue"))
    assert "/" in [tab.path for tab in tabs]
    person.see("/")
    assert person.shown in person.text
    assert ["verified"] == [kind for kind in checks(person) if kind != "replayed"]


def at_once(tabs, name):
    """Press the button of that name in each tab before any has its answer; return the HTTP statuses."""
    with ExitStack() as stack:
        arrivals = [stack.enter_context(tab.page.expect_navigation()) for tab in tabs]
        for tab in tabs:
            tab.page.get_by_role("button", name=name, exact=True).click(no_wait_after=True)
    return [arrival.value.status for arrival in arrivals]


def checks(person):
    """Return what became of each code of the newest attempt that was held against the provider's."""
    verdicts = {"verified", "guessed", "check_failed", "replayed", "unanswered"}
    return [kind for kind in person.site.desk.story(person.number) if kind in verdicts]


@pytest.mark.parametrize("address", EVIL)
def test_22_a_wish_to_go_elsewhere_leads_home(person, address):
    person.see(f"/login/?next={EVIL[address]}")
    person.field("number").fill(person.number)
    person.press("Send code")
    person.give(person.code())
    assert "/" == person.path
    person.see(f"/login/?next={EVIL[address]}")
    assert "/" == person.path
