"""What a session holds while a code is on its way, and that nothing of it is left after the login."""

from __future__ import annotations

import json

import pytest
from django.contrib.sessions.models import Session
from django.test import RequestFactory

from passwordless import session
from passwordless.outcomes import Handle
from passwordless.states import Purpose
from tests.support import NUMBER, OTHER, code, latest, wrong
from tests.test_login import Browser, watched

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(db, caplog):
    with watched(caplog) as moving:
        yield moving


@pytest.fixture
def browser():
    return Browser()


def holding(kept=None, **fields):
    """Return a request whose session holds `kept`."""
    request = RequestFactory().get("/")
    request.session = {} if kept is None and not fields else {session.KEY: kept or fields}
    return request


def test_the_session_holds_a_handle_and_neither_number_nor_code_nor_request_id(browser):
    browser.begin(next="/private/")
    browser.type(wrong())
    kept = browser.session[session.KEY]
    assert {"key", "purpose", "own", "nonce", "next"} == set(kept)
    assert ("login", True, "/private/") == (kept["purpose"], kept["own"], kept["next"])
    stored = json.dumps(dict(browser.session.items()))
    row = latest()
    for secret in (NUMBER, NUMBER[1:], NUMBER[2:], code(), row.request_id, wrong()):
        assert secret not in stored


def test_whoever_joined_is_marked_as_such():
    anna, ben = Browser(), Browser(REMOTE_ADDR="198.51.100.9")
    anna.begin()
    ben.begin()
    assert (True, False) == (anna.session[session.KEY]["own"], ben.session[session.KEY]["own"])
    assert anna.session[session.KEY]["nonce"] != ben.session[session.KEY]["nonce"]


def test_asking_again_does_not_make_a_joiner_of_the_starter(browser):
    browser.begin()
    browser.begin()
    assert browser.session[session.KEY]["own"] is True


def test_joining_again_does_not_make_a_starter_of_a_joiner():
    anna, ben = Browser(), Browser(REMOTE_ADDR="198.51.100.9")
    anna.begin()
    ben.begin()
    ben.begin()
    assert ben.session[session.KEY]["own"] is False
    assert 2 == latest().handles


def test_after_the_login_nothing_of_ours_is_left_and_the_rest_is(browser):
    browser.begin()
    kept = browser.session
    kept["basket"] = "full"
    kept.save()
    before = browser.cookies["sessionid"].value
    browser.type(code())
    assert session.KEY not in browser.session
    assert "full" == browser.session["basket"]
    assert before != browser.cookies["sessionid"].value
    assert not Session.objects.filter(session_key=before).exists()


def test_the_key_does_not_change_before_anybody_has_proved_anything(browser):
    browser.begin()
    before = browser.cookies["sessionid"].value
    browser.type(wrong())
    assert before == browser.cookies["sessionid"].value


def test_wrong_codes_and_looks_do_not_write_the_session(browser):
    browser.begin()
    assert "sessionid" not in browser.look().cookies
    assert "sessionid" not in browser.type(wrong()).cookies


def test_after_cancelling_no_handle_is_left(browser):
    browser.begin()
    browser.press("cancel")
    assert "key" not in browser.session.get(session.KEY, {})
    assert "next" not in browser.session.get(session.KEY, {})


def test_a_refused_number_leaves_no_handle(browser):
    browser.ask("hello")
    assert "sessionid" not in browser.cookies


def test_a_refusal_leaves_the_attempt_before_as_it_was(browser):
    browser.begin(NUMBER)
    browser.ask("+12125550102")
    browser.look()
    assert 302 == browser.type(code(NUMBER)).status_code


def test_the_cookie_is_for_http_only_and_same_site(browser):
    cookie = browser.ask().cookies["sessionid"]
    assert (True, "Lax") == (cookie["httponly"], cookie["samesite"])


@pytest.mark.parametrize(
    "kept",
    [
        None, "", "text", 7, [], {"key": "x"}, {"key": "x", "own": True}, {"purpose": "login", "own": True},
        {"key": "x", "purpose": "other", "own": True}, {"key": "x", "purpose": None, "own": True},
        {"key": "x", "purpose": ["login"], "own": True},
    ],
)  # fmt: skip
def test_what_is_no_handle_is_none(kept):
    request = RequestFactory().get("/")
    request.session = {session.KEY: kept}
    assert session.held(request) is None


@pytest.mark.parametrize("own", [1, "true", "yes", None, [True]])
def test_only_true_makes_a_starter(own):
    held = session.held(holding(key="x", purpose="login", own=own))
    assert held is not None
    assert held.own is False


@pytest.mark.parametrize("purpose", Purpose)
def test_what_is_kept_is_held(purpose):
    request = holding()
    handle = Handle("key", purpose, own=False)
    session.keep(request, handle, tag="tag", next_url="/next/")
    assert (handle, "tag", "/next/") == (
        session.held(request), session.nonce(request), session.next_url(request),
    )  # fmt: skip
    session.forget(request)
    session.forget(request)
    assert (None, "") == (session.held(request), session.next_url(request))


def test_a_session_without_a_nonce_gets_another_each_time():
    request = holding()
    assert 16 == len(session.nonce(request))
    assert session.nonce(request) != session.nonce(request)


def test_a_ticket_fits_its_attempt_and_session_alone(settings):
    mine, yours = holding(key="a", nonce="mine"), holding(key="a", nonce="yours")
    ticket = session.ticket(mine, Handle("a"))
    assert session.fits(mine, Handle("a"), ticket)
    assert not session.fits(mine, Handle("b"), ticket)
    assert not session.fits(yours, Handle("a"), ticket)
    assert not session.fits(mine, Handle("a"), "")
    assert not session.fits(mine, Handle("a"), "é" * 32)
    settings.SECRET_KEY = "another"
    assert not session.fits(mine, Handle("a"), ticket)


def test_a_ticket_tells_nothing_of_the_attempt(browser):
    browser.begin()
    kept = browser.session[session.KEY]
    assert kept["key"] not in browser.ticket
    assert kept["nonce"] not in browser.ticket


def test_a_ticket_lasts_as_long_as_the_attempt(browser):
    browser.begin()
    first = browser.ticket
    browser.look()
    assert first == browser.ticket
    browser.begin(OTHER)
    assert first != browser.ticket
