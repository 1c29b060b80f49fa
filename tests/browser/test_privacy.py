"""Where a number and a code must not be left: caches, addresses, titles, referrers, cookies and the console."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser

TOLD = """() => [location.href, document.title, document.referrer, document.cookie, JSON.stringify(history.state),
    JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage})].join("\\n")"""
SEPARATORS = re.compile(r"[\s().+-]|%20|%28|%29|%2B", re.IGNORECASE)


class Traces:
    """What a journey leaves behind outside of its pages."""

    def __init__(self, person):
        self.person, self.pages, self.left = person, [], []
        context = person.page.context
        context.on("console", lambda message: self.left.append(message.text))
        context.on("request", self.on_request)
        context.on("response", self.on_response)

    def on_request(self, request):
        self.left += [request.url, request.headers.get("referer", "")]

    def on_response(self, response):
        headers = response.headers
        self.left += [headers.get("location", ""), headers.get("set-cookie", "")]
        if response.request.is_navigation_request():
            self.pages.append((response.url, response.status, headers.get("cache-control", "")))

    def look(self):
        """Note what the page that is open tells of itself."""
        self.left.append(self.person.page.evaluate(TOLD))
        self.left += [cookie["value"] for cookie in self.person.page.context.cookies()]

    def hold(self, digits):
        """Return those that hold the digits, however they are spaced."""
        return [trace for trace in self.left if digits in SEPARATORS.sub("", trace)]


def private(person):
    """Return all that the page says outside of the virtual phone, which shows everybody everything."""
    page = re.sub(r"<aside.*?</aside>", "", person.page.content(), flags=re.DOTALL)
    return SEPARATORS.sub("", page)


def journey(person, traces):
    """Sign in with a slip on each page, and sign out; yield at each page."""
    person.see("/login/?next=/phone/")
    person.field("number").fill(f"{person.number}0000000")
    yield person.press("Send code")
    person.field("number").fill(person.national)
    yield person.press("Send code")
    yield person.give(person.wrong_code())
    yield person.give(person.code())
    person.see("/")
    yield person.press("Sign out")


def test_28_number_and_code_leave_no_trace_outside_of_the_pages(person):
    traces, codes = Traces(person), set()
    for status in journey(person, traces):
        assert 200 == status
        traces.look()
        codes |= set(person.site.codes(person.number))
    assert 1 == len(codes)
    assert [] == traces.hold(person.number[2:])
    assert [] == [trace for trace in traces.left for code in codes if code in trace]
    assert any("/login/code/" in trace for trace in traces.left)


def test_28_no_page_of_the_journey_is_stored(person, javascript):
    traces = Traces(person)
    for _ in journey(person, traces):
        traces.look()
    assert {200, 302} == {status for _, status, _ in traces.pages}
    assert [] == [page for page in traces.pages if "no-store" not in page[2]]


def test_28_a_refusal_is_not_stored_either(person, javascript):
    traces = Traces(person)
    person.ask()
    with person.page.expect_navigation():
        person.page.locator(".pl-resend").evaluate("form => form.submit()")
    assert [429] == [status for _, status, _ in traces.pages if status >= 400]
    assert [] == [page for page in traces.pages if "no-store" not in page[2]]


def test_28_after_signing_out_back_shows_nothing_private(person, javascript):
    person.log_in()
    assert person.number[2:] in private(person)
    person.press("Sign out")
    person.page.go_back()
    assert person.number[2:] not in private(person)
    person.page.go_back()
    assert person.number[2:] not in private(person)
    assert person.page.get_by_role("button", name="Sign out").count() == 0


def test_28_a_code_that_was_typed_is_in_no_page(person, javascript):
    person.ask()
    wrong = person.wrong_code()
    person.give(wrong)
    assert wrong not in private(person)
    assert "" == person.field("code").input_value()
