"""Where a login may end: a path of this site, never another host and never the login itself."""

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import clear_script_prefix, include, path, set_script_prefix

from passwordless import redirects

EVIL = [
    "", " ", "\t", "//evil.com", "///evil.com", "////evil.com", "\\\\evil.com", "/\\evil.com", "\\/evil.com",
    "\\evil.com", "http:evil.com", "http:/evil.com", "http:///evil.com", "https:evil.com", "https:///evil.com",
    "https://evil.com", "HTTPS://EVIL.COM", "https://good.test@evil.com", "https://good.test.evil.com",
    "https://evil.com\\@good.test", "https://good.test\\@evil.com", "https://good.test:pw@evil.com/",
    "javascript:alert(1)", "JavaScript:alert(1)", "java\nscript:alert(1)", "\x01javascript:alert(1)",
    "data:text/html,x", "mailto:a@evil.com", "ftp://evil.com", "blob:https://evil.com/x", "\x00//evil.com",
    "\x01//evil.com", "\x08//evil.com", " //evil.com", "\t//evil.com", "/\t/evil.com", "/\n/evil.com",
    "/\r/evil.com", "/\x00/evil.com", "//good.test/ok", "http://good.test/ok", "https://good.test/ok",
    "https://good.test:8443/ok", "//[::1", "http://[::1", "/ok\r\nSet-Cookie: a=b", "\u200b//evil.com",
    "//evil\u3002com", "/\u2028/evil.com", "/\u202egnp.exe", "/" + "x" * 512, "/" + "x" * 2048,
    "ok", "ok/", "./ok", "../ok", "?next=//evil.com", "#//evil.com", "@evil.com", "evil.com",
]  # fmt: skip
HARMLESS = [
    "/", "/ok", "/ok/", "/ok?a=b&c=d#e", "/%09/evil.com", "/%2f/evil.com", "/%5cevil.com", "/.//evil.com",
    "/..//evil.com", "/ok?next=//evil.com", "/ok#//evil.com", "/ok?url=https://evil.com", "/résumé/",
    "/" + "x" * 511, "/private/", "/admin/",
]  # fmt: skip
OURS = [
    "/login/", "/login/?next=/ok", "/login/#x", "/login/code/", "/login/advance/", "/login/cancel/",
    "/login/done/", "/logout/", "/logout/?next=/ok",
]  # fmt: skip
DISGUISED = [
    "/%6cogin/",
    "/log%69n/code/",
    "/l%6Fgout/",
    "/./login/",
    "/ok/../logout/",
    "/login",
    "/logout?x",
]


def request(secure=True) -> HttpRequest:
    return RequestFactory().get("/", secure=secure, headers={"host": "good.test"})


@pytest.fixture(autouse=True)
def good_host(settings):
    settings.ALLOWED_HOSTS = ["good.test"]


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("url", EVIL)
def test_nothing_but_a_path_is_followed(url, secure):
    assert "" == redirects.safe(request(secure), url)


@pytest.mark.parametrize("url", HARMLESS)
def test_a_path_of_this_site_is_followed(url):
    assert url == redirects.safe(request(), url)


@pytest.mark.parametrize("url", OURS)
def test_the_login_itself_is_no_destination(url):
    assert "" == redirects.safe(request(), url)


@pytest.mark.parametrize("url", DISGUISED)
def test_the_login_in_disguise_is_no_destination_either(url):
    """A browser undoes dots, and the server undoes percent signs and adds a slash."""
    assert "" == redirects.safe(request(), url)


@pytest.mark.parametrize("url", ["/accounts/login/", "/accounts/logout/"])
def test_the_login_is_known_wherever_it_is_mounted(settings, url):
    settings.ROOT_URLCONF = (path("accounts/", include("passwordless.urls")),)
    assert "" == redirects.safe(request(), url)


def test_the_login_is_known_below_a_prefix_of_the_server():
    set_script_prefix("/app/")
    try:
        assert "" == redirects.safe(request(), "/app/logout/")
        assert "/app/private/" == redirects.safe(request(), "/app/private/")
    finally:
        clear_script_prefix()


def test_a_path_without_a_page_is_the_site_s_own_affair():
    assert "/no/such/page/" == redirects.safe(request(), "/no/such/page/")


def test_a_login_ends_where_it_was_asked_to():
    assert "/private/?a=b" == redirects.after_login(request(), "/private/?a=b")


@pytest.mark.parametrize("wanted", ["", "//evil.com", "/logout/"])
def test_without_a_wish_it_ends_on_our_own_page(wanted):
    assert "/login/done/" == redirects.after_login(request(), wanted)


@pytest.mark.parametrize(("setting", "expected"), [("home", "/"), ("/welcome/", "/welcome/")])
def test_or_where_the_site_says(settings, setting, expected):
    settings.LOGIN_REDIRECT_URL = setting
    assert expected == redirects.after_login(request(), "//evil.com")


@pytest.mark.parametrize(
    ("setting", "expected"), [(None, "/login/"), ("home", "/"), ("/welcome/", "/welcome/")]
)
def test_giving_up_ends_at_the_login_or_where_the_site_says(settings, setting, expected):
    settings.LOGOUT_REDIRECT_URL = setting
    assert expected == redirects.after_cancel()


def test_over_https_no_spelling_leads_to_http(rf, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    assert "" == redirects.safe(rf.get("/", secure=True), "/\\testserver/x")
