"""What a browser holds while a code is on its way, and that nothing of it is left after the login."""

from __future__ import annotations

import json
from http.cookies import SimpleCookie
from urllib.parse import unquote

import pytest
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from passwordless import handles, redirects, seals
from passwordless.outcomes import Handle
from passwordless.states import Purpose
from tests import support
from tests.support import NUMBER, OTHER, code, held, latest, wrong
from tests.test_login import Browser, watched

pytestmark = pytest.mark.django_db
COOKIE = handles.COOKIE


@pytest.fixture(autouse=True)
def clock(db, caplog):
    with watched(caplog) as moving:
        yield moving


@pytest.fixture
def browser():
    return Browser()


def holding(value="", **kept):
    """Return a request whose browser holds `kept`, or has that for a cookie."""
    request = RequestFactory().get("/")
    cookies = SimpleCookie({COOKIE: value})
    if kept:
        support.hold(cookies, **kept)
    request.COOKIES = {COOKIE: cookies[COOKIE].value}
    return request


def test_it_is_a_handle_and_neither_number_nor_code_nor_request_id(browser):
    browser.begin(next="/private/")
    browser.type(wrong())
    kept = held(browser.cookies)
    assert {"key", "purpose", "own", "nonce", "next"} == set(kept)
    assert ("login", 1, "/private/") == (kept["purpose"], kept["own"], kept["next"])
    row = latest()
    for secret in (NUMBER, NUMBER[1:], NUMBER[2:], code(), row.request_id, wrong()):
        assert secret not in json.dumps(kept)


def test_whoever_joined_is_marked_as_such_and_cannot_see_it():
    anna, ben = Browser(), Browser(REMOTE_ADDR="198.51.100.9")
    anna.begin()
    ben.begin()
    assert (1, 0) == (held(anna.cookies)["own"], held(ben.cookies)["own"])
    assert held(anna.cookies)["nonce"] != held(ben.cookies)["nonce"]
    assert held(anna.cookies)["key"] == held(ben.cookies)["key"]
    theirs, mine = anna.cookies[COOKIE].value, ben.cookies[COOKIE].value
    assert len(theirs) == len(mine)
    # Behind the version and the time of the token nothing is alike.
    assert theirs[12:40] != mine[12:40]


def test_asking_again_does_not_make_a_joiner_of_the_starter(browser):
    browser.begin()
    browser.begin()
    assert 1 == held(browser.cookies)["own"]


def test_joining_again_does_not_make_a_starter_of_a_joiner():
    anna, ben = Browser(), Browser(REMOTE_ADDR="198.51.100.9")
    anna.begin()
    ben.begin()
    ben.begin()
    assert 0 == held(ben.cookies)["own"]
    assert 2 == latest().handles


def test_asking_writes_no_session(browser):
    browser.begin()
    browser.type(wrong())
    assert "sessionid" not in browser.cookies
    assert not Session.objects.exists()


def test_after_the_login_nothing_of_ours_is_left_and_the_rest_is(browser):
    before = browser.shop()
    browser.begin()
    browser.type(code())
    assert "" == browser.cookies[COOKIE].value
    assert {} == held(browser.cookies)
    assert "full" == browser.session["basket"]
    assert before != browser.cookies["sessionid"].value
    assert not Session.objects.filter(session_key=before).exists()


def test_the_session_does_not_change_before_anybody_has_proved_anything(browser):
    before = browser.shop()
    browser.begin()
    browser.type(wrong())
    assert before == browser.cookies["sessionid"].value


def test_wrong_codes_and_looks_write_nothing(browser):
    browser.begin()
    assert {"csrftoken"} >= set(browser.look().cookies)
    assert {"csrftoken"} >= set(browser.type(wrong()).cookies)


def test_after_cancelling_no_handle_is_left(browser):
    browser.begin(next="/private/")
    before = held(browser.cookies)["nonce"]
    browser.press("cancel")
    assert {"nonce": before} == held(browser.cookies)


def test_after_signing_out_nothing_is_left(browser):
    browser.log_in()
    browser.begin(OTHER)
    browser.post("/logout/")
    assert {} == held(browser.cookies)
    assert "/login/?lost=1" == browser.look()["Location"]


def test_a_refused_number_leaves_no_handle(browser):
    browser.ask("hello")
    assert COOKIE not in browser.cookies


def test_a_refusal_leaves_the_attempt_before_as_it_was(browser):
    browser.begin(NUMBER)
    browser.ask("+12125550102")
    browser.look()
    assert 302 == browser.type(code(NUMBER)).status_code


def test_the_cookie_is_for_http_only_and_same_site_and_ends(browser):
    cookie = browser.ask().cookies[COOKIE]
    assert (True, "Lax", handles.LIFE) == (cookie["httponly"], cookie["samesite"], cookie["max-age"])


@pytest.mark.parametrize(
    ("closes", "age", "kept"), [(True, 7200, ""), (False, 600, 600), (False, 9000, 7200)]
)
def test_it_lasts_no_longer_than_a_session_of_the_site(browser, settings, closes, age, kept):
    settings.SESSION_EXPIRE_AT_BROWSER_CLOSE, settings.SESSION_COOKIE_AGE = closes, age
    browser.begin()
    assert kept == browser.cookies[COOKIE]["max-age"]
    assert 302 == browser.type(code()).status_code
    assert 180 * 24 * 3600 == browser.cookies["passwordless_device"]["max-age"]


def test_it_lasts_two_hours_whatever_the_browser_says(browser, clock):
    browser.begin()
    clock.shift(handles.LIFE - 1)
    assert "key" in held(browser.cookies)
    clock.shift(2)
    assert {} == held(browser.cookies)


def test_it_outlives_a_secret_that_is_rotated_out_and_no_longer(browser, settings):
    browser.begin()
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "the next"
    assert "key" in held(browser.cookies)
    settings.SECRET_KEY_FALLBACKS = []
    assert {} == held(browser.cookies)


def test_the_longest_destination_has_room_in_a_cookie(browser):
    longest = "/" + "\U0001f511" * (redirects.MAX_LENGTH - 1)
    assert 4096 > len(browser.ask(next=longest).cookies[COOKIE].OutputString())
    browser.look()
    assert 302 == browser.type(code()).status_code
    assert longest == unquote(browser.answers[-1]["Location"])


@given(value=st.text())
def test_what_this_site_did_not_write_is_nothing(value):
    assert handles.held(holding(value)) is None
    assert "" == handles.next_url(holding(value))


def test_a_text_of_ours_that_is_for_something_else_is_nothing():
    assert handles.held(holding(seals.encrypt("passwordless.other", '{"key": "x"}'))) is None


def test_no_part_of_it_can_be_changed(browser):
    browser.begin()
    value = browser.cookies[COOKIE].value
    assert handles.held(holding(value)) is not None
    # The last sign may stand for bits that nobody reads.
    for place in range(len(value) - 1):
        changed = "A" if value[place] != "A" else "B"
        assert handles.held(holding(value[:place] + changed + value[place + 1 :])) is None


@pytest.mark.parametrize("length", range(16))
def test_its_length_tells_nobody_who_asked_first_and_no_sign_of_it_is_quoted(length):
    written = []
    for own in (True, False):
        response = HttpResponse()
        handles.keep(response, Handle("k" * 22, own=own), tag="t" * 16, next_url="/" * length)
        written.append(response.cookies[COOKIE].OutputString())
    assert len(written[0]) == len(written[1])
    assert '"' not in written[0]


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("own", [True, False])
def test_what_is_kept_is_held(purpose, own):
    response, handle = HttpResponse(), Handle("key", purpose, own=own)
    handles.keep(response, handle, tag="tag", next_url="/next/")
    request = holding(response.cookies[COOKIE].value)
    assert (handle, "tag", "/next/") == (
        handles.held(request), handles.nonce(request), handles.next_url(request),
    )  # fmt: skip
    handles.forget(response)
    assert ("", 0) == (response.cookies[COOKIE].value, response.cookies[COOKIE]["max-age"])


def test_whoever_holds_nothing_gets_another_nonce_each_time():
    request = holding()
    assert 16 == len(handles.nonce(request))
    assert handles.nonce(request) != handles.nonce(request)


def test_a_ticket_fits_its_attempt_and_browser_alone(settings):
    mine, yours = holding(key="a", nonce="mine"), holding(key="a", nonce="yours")
    ticket = handles.ticket(mine, Handle("a"))
    assert handles.fits(mine, Handle("a"), ticket)
    assert not handles.fits(mine, Handle("b"), ticket)
    assert not handles.fits(yours, Handle("a"), ticket)
    assert not handles.fits(mine, Handle("a"), "")
    assert not handles.fits(mine, Handle("a"), "é" * 32)
    settings.SECRET_KEY = "another"
    assert not handles.fits(mine, Handle("a"), ticket)


def test_a_ticket_tells_nothing_of_the_attempt(browser):
    browser.begin()
    kept = held(browser.cookies)
    assert kept["key"] not in browser.ticket
    assert kept["nonce"] not in browser.ticket


def test_a_ticket_lasts_as_long_as_the_attempt(browser):
    browser.begin()
    first = browser.ticket
    browser.look()
    assert first == browser.ticket
    browser.begin(OTHER)
    assert first != browser.ticket
