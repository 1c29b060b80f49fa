"""The audit in the admin, as staff see it in a browser under a strict policy."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

ATTEMPTS = "/admin/passwordless/verificationattempt/"


@pytest.fixture
def staff(visit):
    """The administrator of the demo, logged in."""
    staff = visit()
    staff.see("/admin/login/")
    staff.field("username").fill("admin")
    staff.field("password").fill(staff.site.password)
    staff.press("Log in")
    return staff


def test_the_list_finds_an_attempt_by_its_number_and_shows_only_the_end_of_it(staff, person):
    person.log_in()
    staff.see(ATTEMPTS)
    staff.page.locator("#searchbar").fill(person.number)
    staff.press("Search")
    rows = staff.page.locator("#result_list tbody tr")
    assert 1 == rows.count()
    row = rows.inner_text()
    assert "Verified" in row
    assert person.number[-3:] in row
    assert person.number not in row
    assert 0 == staff.page.locator("#content a[href$='/add/']").count()


def test_the_detail_tells_the_story_and_offers_no_change(staff, person):
    person.ask()
    person.give(person.wrong_code())
    person.give(person.code())
    staff.see(f"{ATTEMPTS}?q=%2B{person.number[1:]}")
    staff.page.locator("#result_list tbody th a").click()
    story = staff.page.locator(".field-story").inner_text()
    assert 0 <= story.lower().find("wrong") < story.lower().find("verified")
    assert 0 == staff.page.locator("#content input:visible, #content textarea:visible").count()
    assert person.number not in staff.page.content()


CUT = """() => [...document.querySelectorAll(".pl-scroll, .results")]
    .filter(one => one.scrollWidth > one.clientWidth)
    .map(one => `${one.scrollWidth} > ${one.clientWidth}: ${one.innerText}`)"""


SEEN = """() => {
    const edge = document.querySelector(".results").getBoundingClientRect();
    return [...document.querySelectorAll("#result_list tbody tr:first-child > [class^=field]")]
        .filter(one => {
            const box = one.getBoundingClientRect();
            return box.left >= edge.left - 1 && box.right <= edge.right + 1 && one.scrollWidth <= one.clientWidth;
        }).map(one => one.classList[0]);
}"""


def at_the_desk(visit, locale, width):
    """Return the administrator at a screen of that width, by the fields of the form and not by words."""
    staff = visit(locale=locale, viewport={"width": width, "height": 844})
    staff.see("/admin/login/")
    staff.field("username").fill("admin")
    staff.field("password").fill(staff.site.password)
    staff.page.locator("#login-form [type=submit]").click()
    return staff


@pytest.mark.parametrize("locale", ["en", "de", "pl", "ja", "ar"])
def test_a_phone_shows_time_number_status_and_reason_of_an_attempt(visit, person, locale):
    person.ask()
    for _ in range(3):
        person.give(person.wrong_code())
    staff = at_the_desk(visit, locale, 390)
    staff.see(ATTEMPTS)
    assert ["field-asked", "field-masked_number", "field-state", "field-why"] == staff.page.evaluate(SEEN)


def test_no_column_is_cut_off_where_words_are_long(visit, person):
    person.log_in()
    staff = at_the_desk(visit, "de", 1400)
    for path in (ATTEMPTS, f"{ATTEMPTS}dashboard/"):
        staff.see(path)
        assert 0 < staff.page.locator(".pl-scroll, .results").count()
        assert [] == staff.page.evaluate(CUT)
