"""A site that wears its own dress, under a prefix and a script name: what holds for our pages holds for its."""

from __future__ import annotations

import pytest

from tests.browser.override.site import Member, OtherSite
from tests.browser.people import complaint
from tests.browser.states import STATES, ask, submit
from tests.browser.test_axe import violations

pytestmark = pytest.mark.browser

NAMES = [
    *("number", "number_lost", "number_refused", "number_too_soon", "code", "code_empty", "code_wrong"),
    *("code_out_of_tries", "code_expired", "code_waiting", "code_called", "switch", "done", "home_signed_in"),
]
ACCENT = "rgb(122, 31, 92)"
OFFER = "main .pl-form button"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The shop."""
    with OtherSite(tmp_path_factory.mktemp("shop"), "tests.browser.override.settings", "/shop") as site:
        yield site


@pytest.fixture
def member(visit):
    """Somebody who comes to the shop."""
    person = visit()
    return Member(person.page, person.site)


def test_30_the_shop_wears_its_own_dress(member):
    member.see("/login/")
    page = member.page
    assert ("Come in | The Shop", "Come in") == (page.title(), member.heading)
    assert ["→ Text me"] == member.offers()
    assert ACCENT == page.locator(OFFER).evaluate("one => getComputedStyle(one).backgroundColor")
    assert "The Shop" == page.get_by_role("navigation").inner_text()


def test_30_four_moves_and_two_pages_lead_into_the_shop(member, javascript):
    visited = []
    member.see("/login/")
    member.page.on("framenavigated", lambda frame: visited.append(frame.url.removeprefix(member.site.url)))
    member.field("number").fill(member.national)
    submit(member)
    member.field("code").fill(member.code())
    submit(member)
    assert ["/members/login/code/", "/"] == visited
    assert member.shown in member.text


def test_30_a_page_of_the_shop_that_was_wanted_is_reached(member, javascript):
    member.see("/login/?next=/shop/phone/%3Fof=me")
    member.field("number").fill(member.number)
    submit(member)
    member.field("code").fill(member.code())
    submit(member)
    assert "/phone/?of=me" == member.path


@pytest.mark.parametrize("name", NAMES)
def test_30_axe_finds_nothing_in_light_and_in_dark(member, name):
    STATES[name](member)
    assert [] == violations(member.page)
    member.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert [] == violations(member.page)


def test_30_a_number_is_refused_in_the_words_of_the_shop(member, javascript):
    member.see("/login/")
    submit(member)
    assert "We need your number to let you in." == complaint(member)


def test_30_a_wrong_code_is_told_as_ever(member, javascript):
    ask(member)
    member.field("code").fill(member.wrong_code())
    submit(member)
    assert complaint(member).startswith("That code isn't right.")


def test_30_whoever_asks_too_soon_is_told_so_with_the_number_kept(member, javascript):
    STATES["number_too_soon"](member)
    member.focused(".pl-summary")
    assert member.page.title().startswith("Error: ")
    assert member.number == member.field("number").input_value()
