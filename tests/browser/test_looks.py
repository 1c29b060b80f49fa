"""How the pages look: in any size and any light, on paper, and how little has to come before they do."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.browser.looks import TOO_SMALL, faults, faults_in_all_sizes
from tests.browser.override.site import OtherSite
from tests.browser.people import NARROW, WIDE
from tests.browser.states import STATES, ask

pytestmark = pytest.mark.browser

DARK_PAGE, LIGHT_PAGE = "rgb(15, 17, 21)", "rgb(244, 245, 247)"
EDGES = """selector => [...document.querySelectorAll(selector)].filter(one => one.checkVisibility()).map(one => {
    const style = getComputedStyle(one), parent = getComputedStyle(one.parentElement);
    const drawn = style.borderTopStyle !== "none" && parseFloat(style.borderTopWidth) >= 1;
    return [one.className || one.name, drawn && style.borderTopColor !== parent.backgroundColor];
}).filter(([, seen]) => !seen)"""
EDGED = (
    ".pl-card, .pl-summary, .pl-to, .pl-button:not(.pl-button-link, .pl-button-plain), "
    "main :is(input:not([type=radio]), select)"
)
MOVING = """[...document.querySelectorAll("*")].flatMap(one => ["", "::before", "::after"].map(part => {
    const style = getComputedStyle(one, part || null);
    const still = style.animationName === "none" && /^0s(, 0s)*$/.test(style.transitionDuration);
    return still ? null : one.outerHTML.slice(0, 100);
})).filter(Boolean)"""
# Of our own part of the page: the virtual phone beside it scrolls.
SHIFTS = """() => new Promise(done => {
    let sum = 0;
    const element = node => node?.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    const ours = one => one.sources.some(source => element(source.node)?.closest(".pl-column"));
    new PerformanceObserver(list => { for (const one of list.getEntries()) if (ours(one)) sum += one.value; })
        .observe({type: "layout-shift", buffered: true});
    setTimeout(() => done(sum), 300);
})"""
NUMBERED = ["code", "code_wrong", "code_out_of_tries", "home_signed_in", "number_too_soon"]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A site that overrides nothing."""
    with OtherSite(tmp_path_factory.mktemp("bare"), "tests.browser.override.bare") as bare:
        yield bare


@pytest.fixture
def site(request, site):
    """The demo, or the bare site for whoever asks for it."""
    return request.getfixturevalue("bare") if "bare" in request.fixturenames else site


@pytest.mark.parametrize("name", STATES)
def test_23_nothing_is_cut_off_in_any_size_and_targets_are_large(visit, name):
    person = visit(viewport=NARROW)
    STATES[name](person)
    for size in (WIDE, NARROW):
        person.page.set_viewport_size(size)
        assert [] == person.page.evaluate(TOO_SMALL)
    assert {} == faults_in_all_sizes(person.page)


def test_23_what_is_too_wide_or_too_small_would_be_found(visit):
    person = visit(viewport=NARROW)
    person.see("/login/")
    person.page.locator("main button").evaluate("one => { one.style.inlineSize = '400px' }")
    assert [] != faults(person.page)
    person.page.locator("main button").evaluate("one => { one.style.inlineSize = '40px' }")
    assert 1 == len(person.page.evaluate(TOO_SMALL))


@pytest.mark.parametrize(("scheme", "colour"), [("light", LIGHT_PAGE), ("dark", DARK_PAGE)])
def test_24_pages_are_as_dark_as_the_system(visit, scheme, colour):
    person = visit(color_scheme=scheme)
    person.see("/login/")
    assert colour == person.page.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["number_refused", "code_wrong", "done"])
def test_24_everything_has_an_edge_where_colours_are_forced(visit, name, scheme):
    person = visit(forced_colors="active", color_scheme=scheme)
    STATES[name](person)
    assert [] == person.page.evaluate(EDGES, EDGED)


@pytest.mark.parametrize("name", STATES)
def test_24_nothing_moves_for_whoever_wants_less_motion(visit, name):
    person = visit(reduced_motion="reduce")
    STATES[name](person)
    assert [] == person.page.evaluate(MOVING)


@pytest.mark.parametrize("name", NUMBERED)
def test_24_paper_shows_no_more_than_the_end_of_a_number(visit, name):
    person = visit()
    STATES[name](person)
    person.page.emulate_media(media="print")
    printed = person.page.locator("body").inner_text()
    assert person.number[2:] not in re.sub(r"\D", "", printed)
    assert person.heading in printed
    if name != "number_too_soon":
        assert f"••• {person.number[-3:]}" in printed
    assert 0 == person.page.locator("input:visible, select:visible, button:visible").count()


def test_24_the_screen_shows_the_whole_number(person):
    ask(person)
    assert person.shown in person.text
    assert "•••" not in person.text


class Freight:
    """What comes over the wire for one page."""

    def __init__(self, page):
        self.answers = []
        page.on("response", lambda answer: self.answers.append(answer))

    def weigh(self, kind=""):
        """Return bytes as a server that compresses would send them, of one kind of resource or of all."""
        bodies = [one.body() for one in self.answers if kind in ("", one.request.resource_type)]
        return sum(len(gzip.compress(body, 6)) for body in bodies)


def test_27_a_page_is_light_and_asks_little(bare, visit):
    person = visit()
    freight = Freight(person.page)
    person.see("/login/")
    person.page.wait_for_load_state("networkidle")
    assert 4 >= len(freight.answers)
    assert 20 * 1024 >= freight.weigh()
    assert 0 < freight.weigh("script") <= 2 * 1024


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("name", ["number", "number_refused", "code", "code_wrong"])
def test_27_nothing_jumps_while_a_page_appears(visit, name, size):
    person = visit(viewport=size)
    STATES[name](person)
    assert 0.02 >= person.page.evaluate(SHIFTS)


def test_the_page_comes_first_and_the_virtual_phone_stands_beside_it(person):
    ask(person)
    flow, phone = (person.page.locator(one).bounding_box() for one in ("main", "aside"))
    assert flow["x"] + flow["width"] <= phone["x"]
    assert flow["y"] + flow["height"] <= 800
