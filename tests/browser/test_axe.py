"""Every page in every state by the rules of axe-core, in light and in dark, from left to right and back."""

from __future__ import annotations

import pytest
from django.utils import translation

from tests.browser.sites import configured
from tests.browser.states import PLAIN, PLAIN_STATES, STATES

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERY = STATES | PLAIN_STATES
HEADINGS = {
    "number": "Sign in",
    "code": "Enter the code",
    "switch": "You are signed in",
    "done": "You are signed in",
    "unavailable": "We have a problem on our side",
    "out": "This page is out of date",
    "home": "Welcome to Example",
    "phone": "Virtual phone",
}
SIGNS = {
    "number_lost": ".pl-notices",
    "number_refused": ".pl-summary a",
    "number_too_soon": ".pl-summary",
    "number_unavailable": ".pl-summary",
    "code": ".pl-wait",
    "code_empty": ".pl-summary a",
    "code_wrong": ".pl-summary a",
    "code_out_of_tries": ".pl-summary",
    "code_expired": ".pl-summary",
    "code_waiting": ".pl-summary",
    "code_announced": ".pl-resend [role=status]:not(:empty)",
    "home_signed_in": "main .pl-number",
    "phone": "main article",
    "number_refused_of_one_country": ".pl-summary a",
}
"""By what a state is known beside its heading."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A site as small as they come."""
    with configured(tmp_path_factory.mktemp("plain"), **PLAIN) as plain:
        yield plain


@pytest.fixture
def site(request, site):
    """The demo, or the small site for the states that only it has."""
    named = "name" in request.fixturenames and request.getfixturevalue("name") in PLAIN_STATES
    return request.getfixturevalue("plain") if named else site


def violations(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": RULES, "preload": False}).response["violations"]
    return [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]]


def check(person, name, language):
    """Go to a state, find it there, and let axe look at it by day and by night."""
    EVERY[name](person)
    with translation.override(language):
        assert translation.gettext(HEADINGS[name.partition("_")[0]]) == person.heading
    assert person.page.locator(SIGNS.get(name, "h1")).count() > 0
    assert [] == violations(person.page)
    person.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert [] == violations(person.page)


@pytest.mark.parametrize("name", EVERY)
def test_03_axe_finds_nothing_in_light_and_in_dark(person, name):
    check(person, name, "en")


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_03_axe_finds_nothing_from_right_to_left(visit, name):
    person = visit(locale="ar")
    check(person, name, "ar")
    assert "rtl" == person.page.locator("html").get_attribute("dir")


def test_03_axe_would_find_something(person):
    person.see("/login/")
    person.page.locator("main label").first.evaluate("label => label.remove()")
    assert "select-name" in [rule for rule, _ in violations(person.page)]
