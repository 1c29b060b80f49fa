"""Our cookies go wherever the site's session cookie goes, and are as private."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from passwordless import cookies


def given(name="passwordless_x"):
    response = HttpResponse()
    cookies.give(response, "passwordless_x", "value", 60)
    return response.cookies[name]


def test_they_are_as_private_as_the_session(settings):
    settings.SESSION_COOKIE_SECURE = True
    settings.SESSION_COOKIE_PATH, settings.SESSION_COOKIE_DOMAIN = "/shop", "example.com"
    cookie = given()
    assert ("value", 60, True, True, "Lax") == (
        cookie.value, cookie["max-age"], cookie["secure"], cookie["httponly"], cookie["samesite"],
    )  # fmt: skip
    assert ("/shop", "example.com") == (cookie["path"], cookie["domain"])


def test_what_is_taken_back_is_taken_from_where_it_is(settings):
    settings.SESSION_COOKIE_PATH, settings.SESSION_COOKIE_DOMAIN = "/shop", "example.com"
    response = HttpResponse()
    cookies.take_back(response, "passwordless_x")
    cookie = response.cookies["passwordless_x"]
    assert ("", 0, "/shop", "example.com") == (
        cookie.value, cookie["max-age"], cookie["path"], cookie["domain"],
    )  # fmt: skip
    # Not in this very second: a client may look at the date alone.
    assert parsedate_to_datetime(cookie["expires"]).year < 2000


@pytest.mark.parametrize("prefix", ["__Host-", "__Secure-", "__Http-", "__Host-Http-", "__host-", ""])
def test_they_have_the_prefix_of_the_session_by_which_no_neighbour_can_plant_them(settings, prefix):
    settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_SECURE = f"{prefix}sessionid", True
    name = f"{prefix}passwordless_x"
    cookie = given(name)
    assert ("value", True, "/", "") == (cookie.value, cookie["secure"], cookie["path"], cookie["domain"])
    request = RequestFactory().get("/")
    request.COOKIES = {name: "mine"}
    assert "mine" == cookies.read(request, "passwordless_x")
    if prefix:
        request.COOKIES = {"passwordless_x": "planted"}
        assert "" == cookies.read(request, "passwordless_x")
    response = HttpResponse()
    cookies.take_back(response, "passwordless_x")
    assert ("", 0, True) == (
        response.cookies[name].value, response.cookies[name]["max-age"], response.cookies[name]["secure"],
    )  # fmt: skip
