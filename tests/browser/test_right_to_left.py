"""Pages from right to left: mirrored as a whole, and each number in its own order, whatever stands around it."""

from __future__ import annotations

import pytest

from tests.browser.states import STATES, ask, submit

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("language", ["ar", "he"])]

NAMES = ["number_refused", "number_too_soon", "number_unavailable", "code", "code_wrong", "code_called"]
# Where each character of the numbers within an element is painted: the + (or what comes first), then the digits.
NUMBERS = """root => {
    const found = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode;
        if (!text.parentElement.checkVisibility()) continue;
        for (const match of text.data.matchAll(/[+(]?\\d[\\d (),.-]*\\d|\\+\\d/g)) {
            const at = [...match[0]].map((sign, place) => [sign, place + match.index])
                .filter(([sign]) => /[+\\d]/.test(sign)).map(([, place]) => {
                    const range = document.createRange();
                    range.setStart(text, place);
                    range.setEnd(text, place + 1);
                    const box = range.getBoundingClientRect();
                    return [box.top, box.left];
                });
            found.push([match[0], at]);
        }
    }
    return found;
}"""
INK = """one => {
    const range = document.createRange(), box = one.getBoundingClientRect();
    range.selectNodeContents(one);
    const ink = range.getBoundingClientRect();
    return [ink.left - box.left, box.right - ink.right];
}"""
# A select paints its options where no range can be laid on them.
LAID_OUT = """select => {
    const list = document.createElement("section");
    list.append(...[...select.options].map(option => {
        const line = document.createElement("p");
        line.textContent = option.text;
        return line;
    }));
    document.querySelector("main").replaceChildren(list);
}"""
UNMARKED = """select => {
    for (const one of select.options) one.firstChild.data = one.text.replace(/[\\u2066\\u2069]/g, "");
}"""


def numbers(part):
    """Return the numbers that a part of the page shows and those of them that do not run from left to right."""
    seen = part.evaluate(NUMBERS)
    assert all(any(left for _, left in places) for _, places in seen)
    # In the order of lines and then of places on them; a number may be long enough for two.
    return [text for text, _ in seen], [text for text, places in seen if places != sorted(places)]


@pytest.mark.parametrize("name", NAMES)
def test_25_every_number_keeps_its_order(visit, language, name):
    person = visit(locale=language)
    STATES[name](person)
    shown, turned = numbers(person.page.locator("main"))
    assert [] == turned
    assert [] != shown or name in ("number_refused", "number_unavailable")


@pytest.mark.parametrize("typed", ["call me", "+14"])
def test_25_examples_of_numbers_keep_their_order(visit, language, typed):
    person = visit(locale=language)
    person.see("/login/")
    person.field("number").fill(typed)
    submit(person)
    shown, turned = numbers(person.page.locator(".pl-summary"))
    assert [] == turned
    assert [] != shown


def test_25_the_code_of_each_country_keeps_its_order_among_names(visit, language):
    person = visit(locale=language)
    person.see("/login/")
    select = person.page.locator("select[name=country]")
    count = select.locator("option").count()
    select.evaluate(LAID_OUT)
    shown, turned = numbers(person.page.locator("main section"))
    assert [] == turned
    assert "+44" in shown
    assert count == len(shown)


def test_25_a_select_minds_what_isolates_the_code_of_a_country(visit, language):
    person = visit(locale=language)
    person.see("/login/")
    select = person.page.locator("select[name=country]")
    marked = select.screenshot()
    select.evaluate(UNMARKED)
    assert marked != select.screenshot()
    select.evaluate(LAID_OUT)
    shown, turned = numbers(person.page.locator("main section"))
    assert shown == turned


def test_25_a_number_that_is_not_isolated_would_be_found(visit, language):
    person = visit(locale=language)
    ask(person)
    # As if the number were words of the sentence before it.
    person.page.locator("main .pl-number").evaluate("one => one.replaceWith(one.textContent)")
    assert [person.shown] == numbers(person.page.locator("main"))[1]


@pytest.mark.parametrize("name", ["number_refused", "code_wrong"])
def test_25_the_page_is_mirrored(visit, language, name):
    person = visit(locale=language)
    STATES[name](person)
    page = person.page
    assert "rtl" == page.locator("html").get_attribute("dir")
    for one in page.locator("main :is(h1, h2, .pl-error)").all():
        left, right = one.evaluate(INK)
        assert right <= 1 <= left
    edges = page.locator(".pl-summary").evaluate(
        "one => ['Left', 'Right'].map(side => getComputedStyle(one)[`border${side}Width`])"
    )
    assert ["1px", "4px"] == edges
    flow, phone = (page.locator(one).bounding_box() for one in ("main", "aside"))
    assert phone["x"] + phone["width"] <= flow["x"]


def test_25_what_is_typed_runs_from_left_to_right(visit, language):
    person = visit(locale=language)
    person.see("/login/")
    directions = [person.field("number").evaluate("one => getComputedStyle(one).direction")]
    ask(person)
    directions.append(person.field("code").evaluate("one => getComputedStyle(one).direction"))
    assert ["ltr", "ltr"] == directions
