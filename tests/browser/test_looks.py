"""How the pages look, to eyes and to screen readers: narrow, dark, and by the rules of axe-core."""

from __future__ import annotations

import pytest

from tests.browser.people import NARROW

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CLIPPED = """[...document.querySelectorAll("main *")].filter(e => !e.closest(".pl-hidden")
    && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible").map(e => e.outerHTML)"""


def refused_number(person):
    person.see("/login/")
    person.press("Send code")


def wrong_code(person):
    person.ask()
    person.give(person.wrong_code())


def no_tries_left(person):
    person.ask()
    for _ in range(3):
        person.give(person.wrong_code())


def waiting(person):
    person.ask()
    person.press("Call me instead")


def called(person):
    person.ask()
    person.site.move_clock(61)
    person.press("Call me instead")


def out_of_date(person):
    person.see("/login/")
    person.page.context.clear_cookies()
    person.press("Send code")


PAGES = {
    "home": lambda person: person.see("/"),
    "login": lambda person: person.see("/login/"),
    "refused_number": refused_number,
    "code": lambda person: person.ask(),
    "wrong_code": wrong_code,
    "no_tries_left": no_tries_left,
    "waiting": waiting,
    "called": called,
    "signed_in": lambda person: person.log_in(),
    "done": lambda person: (person.log_in(), person.see("/login/done/")),
    "phone": lambda person: (person.ask(), person.see("/phone/")),
    "out_of_date": out_of_date,
}
DARK_PAGE, LIGHT_PAGE = "rgb(15, 17, 21)", "rgb(244, 245, 247)"


def violations(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": RULES, "preload": False}).response["violations"]
    return [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_in_light_and_in_dark(person, name):
    PAGES[name](person)
    assert [] == violations(person.page)
    person.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert [] == violations(person.page)


@pytest.mark.parametrize(("scheme", "colour"), [("light", LIGHT_PAGE), ("dark", DARK_PAGE)])
def test_pages_are_as_dark_as_the_system(visit, scheme, colour):
    person = visit(color_scheme=scheme)
    person.see("/login/")
    assert colour == person.page.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("name", PAGES)
def test_320_pixels_are_wide_enough_and_targets_are_large(visit, name):
    person = visit(viewport=NARROW)
    PAGES[name](person)
    assert 0 >= person.page.evaluate(OVERFLOW)
    assert [] == person.page.evaluate(CLIPPED)
    boxes = [one.bounding_box() for one in person.page.locator("main button, main input:visible").all()]
    assert [] == [box for box in boxes if min(box["width"], box["height"]) < 44]


def test_twice_the_letter_size_fits_a_phone(visit):
    person = visit(viewport={"width": 360, "height": 640})
    person.ask()
    person.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert 0 >= person.page.evaluate(OVERFLOW)


def test_the_page_comes_first_and_the_virtual_phone_stands_beside_it(person):
    person.ask()
    flow, phone = (person.page.locator(one).bounding_box() for one in ("main", "aside"))
    assert flow["x"] + flow["width"] <= phone["x"]
    assert flow["y"] + flow["height"] <= 800
