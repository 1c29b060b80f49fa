"""The pages as HTTP: statuses, methods, headers, hostile requests, and what a crash report may tell."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core import mail
from django.db.models.signals import post_save
from django.dispatch import Signal
from django.test import RequestFactory
from django.urls import resolve
from django.utils.log import AdminEmailHandler
from django.views.decorators.debug import sensitive_variables

from passwordless import views
from passwordless.backends import PhoneBackend
from passwordless.models import VerificationAttempt
from passwordless.states import Status
from tests import support
from tests.support import NUMBER, OTHER, asked, code, configure, emulator, held, hold, latest, wrong
from tests.test_login import Browser, text, watched, wire
from tests.test_redirects import DISGUISED, EVIL, HARMLESS, OURS

pytestmark = pytest.mark.django_db
PAGES = ["/login/", "/login/code/", "/login/advance/", "/login/cancel/", "/login/done/", "/logout/"]
ALLOWED = {
    "/login/": {"GET", "HEAD", "OPTIONS", "POST"},
    "/login/code/": {"GET", "HEAD", "OPTIONS", "POST"},
    "/login/advance/": {"GET", "HEAD", "POST"},
    "/login/cancel/": {"GET", "HEAD", "POST"},
    "/logout/": {"POST", "OPTIONS"},
}
METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]
ERROR_TITLE = "<title>Error: "
LOST = "/login/?lost=1"
SCRIPT = '<script src="/static/passwordless/passwordless.js" defer></script>'


@pytest.fixture(autouse=True)
def clock(db, caplog):
    with watched(caplog) as moving:
        yield moving


@pytest.fixture
def browser():
    return Browser()


# Statuses and words.


def test_the_first_page_asks_for_a_number(browser):
    page = browser.get("/login/")
    assert 200 == page.status_code
    assert "<title>Sign in – Example</title>" in text(page)
    assert 'type="tel"' in text(page)


def test_a_look_at_the_first_page_leaves_no_cookie_but_the_token(browser):
    browser.get("/login/?next=/private/")
    assert {"csrftoken"} == set(browser.cookies)


@pytest.mark.parametrize(
    "number", ["", "hello", "+1 415 555", "+44 20 7946 0000", "+1 800 234 5678", "1" * 65]
)
def test_a_number_refused_is_a_field_error_and_nothing_is_sent(browser, number):
    page = browser.ask(number)
    assert 200 == page.status_code
    assert ERROR_TITLE in text(page)
    assert 'aria-invalid="true"' in text(page)
    assert f'value="{number}"' in text(page) or not number
    assert (0,) == asked("start")
    assert not VerificationAttempt.objects.exists()


def test_what_was_typed_is_kept_as_typed_and_escaped(browser):
    page = text(browser.ask('"><script>alert(1)</script>'))
    assert "&quot;&gt;&lt;script&gt;" in page
    assert "<script>" not in page


def test_asking_too_often_is_429_with_whole_minutes(settings, browser):
    configure(settings, LIMITS={"sends_per_ip": "1/h"})
    browser.ask(NUMBER)
    page = browser.ask(OTHER)
    assert (429, "3600") == (page.status_code, page["Retry-After"])
    assert ERROR_TITLE in text(page)
    assert "Too many tries. Try again in about 60 minutes." in text(page)
    assert f'value="{OTHER}"' in text(page)


@pytest.mark.parametrize(
    "limit", ["sends_per_ip", "sends_per_number", "sends_per_session", "fails_per_number", "fails_per_ip"]
)
def test_every_limit_has_the_same_words(settings, browser, clock, limit):
    configure(settings, LIMITS={limit: "1/h"}, CHANNELS=["sms", "sms"])
    browser.begin()
    browser.type(wrong())
    clock.shift(60)
    page = browser.type(wrong()) if limit.startswith("fails") else browser.press("advance")
    assert (429, "3540") == (page.status_code, page["Retry-After"])
    assert "Too many tries. Try again in about 59 minutes." in text(page)


def test_a_wrong_code_empties_the_field(browser):
    browser.begin()
    typed = wrong()
    page = browser.type(typed)
    assert 200 == page.status_code
    assert ERROR_TITLE in text(page)
    assert typed not in text(page)
    assert 'name="code"' in text(page)
    assert "2 tries left." in text(page)


@pytest.mark.parametrize("typed", ["12345", "12345x", "1234567"])
def test_a_slip_empties_the_field_too(browser, typed):
    browser.begin()
    page = browser.type(typed)
    assert (200, False) == (page.status_code, typed in text(page))


def test_while_a_check_runs_another_is_told_to_wait_and_the_handle_is_left_alone(browser, clock):
    browser.begin()
    VerificationAttempt.objects.update(status="checking", guesses=1, claimed_at=latest().created_at)
    page = browser.type(code())
    assert 429 == page.status_code
    assert "Wait a moment" in text(page)
    assert "passwordless_attempt" not in page.cookies
    assert (0,) == asked("check")


def test_an_unavailable_provider_is_503_with_a_wait(browser):
    browser.begin()
    emulator().faults.add("drop_before", "check")
    page = browser.type(code())
    assert (503, "60") == (page.status_code, page["Retry-After"])
    assert "Your number is fine" in text(page)
    assert 0 == latest().guesses


def test_an_answer_lost_on_the_way_reads_as_still_sending_for_who_asks_again(browser):
    emulator().faults.add("drop_after", "start")
    assert 503 == browser.ask().status_code
    assert 302 == browser.ask().status_code
    page = browser.look()
    assert "We are sending a text message" in text(page)
    refused = browser.type("123456")
    assert 429 == refused.status_code
    assert "still sending" in text(refused)


@pytest.mark.parametrize("path", ["/login/code/", "/login/advance/", "/login/cancel/"])
def test_without_an_attempt_it_begins_at_the_beginning(browser, path):
    answer = browser.post(path, {"code": "123456"})
    assert (302, LOST) == (answer.status_code, answer["Location"])
    assert (0, 0, 0) == asked("check", "advance", "cancel")


def test_the_code_page_without_an_attempt_leads_to_the_beginning(browser):
    assert LOST == browser.look()["Location"]


def test_whoever_is_logged_in_is_sent_on(browser):
    browser.log_in()
    assert "/login/done/" == browser.get("/login/")["Location"]
    assert "/private/" == browser.get("/login/?next=/private/")["Location"]
    assert "/login/done/" == browser.get("/login/?next=//evil.com")["Location"]
    assert LOST == browser.look()["Location"]


def test_the_brand_is_on_every_page(settings, browser):
    configure(settings, BRAND_NAME="Acme <b>")
    browser.get("/login/")
    browser.begin()
    browser.log_in(OTHER)
    browser.get("/login/done/")
    pages = [answer for answer in Browser.answers if answer.status_code == 200]
    assert len(pages) >= 3
    assert all("Acme &lt;b&gt;" in text(page) for page in pages)


# Where somebody lost their way.

ENDED = "Your session ended. Enter your number again."


def test_whoever_has_no_attempt_is_told_why_the_number_is_asked_for_again(browser):
    page = browser.get(browser.look()["Location"])
    assert 200 == page.status_code
    assert f'role="status">{ENDED}</p>' in text(page)
    assert 'name="number"' in text(page)
    assert {"csrftoken"} == set(browser.cookies)


def test_nobody_else_is_told_so(browser):
    assert ENDED not in text(browser.get("/login/"))
    assert ENDED not in text(browser.get("/login/?next=/private/"))
    assert ENDED not in text(browser.post("/login/?lost=1", {"number": "hello"}))


def test_whoever_is_logged_in_may_leave_for_another_number(browser):
    browser.log_in()
    page = browser.get("/login/?switch=1")
    assert (200, True) == (page.status_code, "Sign out to use another number." in text(page))
    assert 'method="post" action="/logout/"' in text(page)
    assert "Example" in text(page)
    assert browser.user_id is not None
    assert "/login/" == browser.post("/logout/")["Location"]
    assert browser.user_id is None


def test_whoever_is_not_logged_in_has_nothing_to_leave(browser):
    page = text(browser.get("/login/?switch=1"))
    assert "Sign out" not in page
    assert 'name="number"' in page


# The country and the channel.

COUNTRY = "passwordless_country"


def select(page):
    """Return the countries of the select, in order, and those that are chosen."""
    options = re.findall(r'<option value="([A-Z]{2})"( selected)?>', text(page))
    return [country for country, _ in options], [country for country, mark in options if mark]


@pytest.mark.parametrize(
    ("site", "cookie", "languages", "expected"),
    [
        ("", "", "", "US"),
        ("", "", "de-AT,de;q=0.9", "AT"),
        ("GB", "", "de-AT,de;q=0.9", "GB"),
        ("GB", "FR", "de-AT,de;q=0.9", "FR"),
        ("GB", '"><script>', "de-AT", "GB"),
        ("", "ZZ", "\x00", "US"),
    ],
)
def test_the_page_offers_the_country_most_likely_meant(settings, browser, site, cookie, languages, expected):
    configure(settings, DEFAULT_REGION=site)
    browser.cookies[COUNTRY] = cookie
    page = browser.get("/login/", headers={"accept-language": languages})
    assert [expected] == select(page)[1]
    assert "<script>" not in text(page)


def test_what_depends_on_the_visitor_is_kept_by_nobody(browser):
    assert "no-store" in browser.get("/login/", headers={"accept-language": "de-AT"})["Cache-Control"]


def test_the_chosen_country_is_remembered_in_a_cookie_of_ours(settings, browser):
    settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_DOMAIN = True, "testserver"
    answer = browser.ask("0491 570 156", country="AU")
    assert 302 == answer.status_code
    cookie = answer.cookies[COUNTRY]
    assert ("AU", True, "Lax", True, "/", "testserver") == (
        cookie.value, cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["path"], cookie["domain"],
    )  # fmt: skip
    assert 180 * 86400 == cookie["max-age"]


def test_the_next_page_offers_the_country_of_the_last(settings, browser):
    configure(settings, DEFAULT_REGION="GB")
    browser.ask("0491 570 156", country="AU")
    assert ["AU"] == select(browser.get("/login/"))[1]


@pytest.mark.parametrize(
    ("number", "fields"),
    [
        (NUMBER, {}),
        (NUMBER, {"country": ""}),
        (NUMBER, {"country": "ZZ"}),
        (NUMBER, {"country": "US; Domain=evil.com"}),
        ("hello", {"country": "US"}),
        ("+12125550107", {"country": "US"}),
        ("+12125550102", {"country": "US"}),
    ],
)
def test_no_cookie_is_set_for_less_than_a_choice_and_a_code(browser, number, fields):
    browser.ask(number, **fields)
    assert COUNTRY not in browser.cookies


def test_no_look_sets_a_cookie(browser):
    browser.get("/login/", headers={"accept-language": "de-AT"})
    assert COUNTRY not in browser.cookies


def test_the_page_asks_in_the_order_in_which_people_think(settings, browser):
    configure(settings, FAVOURITE_COUNTRIES=["GB", "FR"])
    page = browser.get("/login/?next=/private/")
    names = re.findall(r'<(?:input|select)[^>]* name="(\w+)"', text(page))
    assert ["csrfmiddlewaretoken", "next", "country", "number", "channel", "channel"] == names
    there, chosen = select(page)
    assert (["GB", "FR", "AF"], ["US"]) == (there[:3], chosen)
    assert len(there) == 2 + len(set(there))


def test_with_one_country_and_one_channel_only_the_number_is_asked(settings, browser):
    configure(settings, COUNTRIES=["GB"], CHANNELS=["sms"])
    page = text(browser.get("/login/"))
    assert "<select" not in page
    assert 'type="radio"' not in page
    assert "Mobile number (United Kingdom)</label>" in page
    assert 302 == browser.ask("07400 123456").status_code
    assert COUNTRY not in browser.cookies


def test_what_was_chosen_is_still_chosen_beside_the_mistake(browser):
    page = browser.ask("hello", country="GB", channel="voice")
    assert ["GB"] == select(page)[1]
    assert re.search(r'value="voice" checked', text(page))
    assert 1 == text(page).count(" checked")


@pytest.mark.parametrize(
    "fields", [{}, {"country": "ZZ", "channel": "pigeon"}, {"country": "us", "channel": "SMS"}]
)
def test_what_cannot_be_chosen_leaves_the_page_as_it_was(browser, fields):
    browser.cookies[COUNTRY] = "FR"
    page = browser.ask("hello", **fields)
    assert ["FR"] == select(page)[1]
    assert re.search(r'value="sms" checked', text(page))
    assert 1 == text(page).count(" checked")


@pytest.mark.parametrize("name", ["country", "channel"])
def test_hostile_choices_are_no_crash_and_stop_no_code(browser, name):
    for index, said in enumerate(["\x00", "\ud7ff", "1" * 2**20, "<b>", ["US", "ZZ"], "{{ 7*7 }}", "%s"]):
        visitor = Browser(REMOTE_ADDR=f"198.51.100.{index}")
        assert 302 == visitor.ask(f"+1415555012{index}", **{name: said}).status_code
        assert ["sms", "voice"] == latest(f"+1415555012{index}").plan


def test_the_call_that_was_chosen_is_made(browser):
    page = browser.begin(channel="voice")
    assert ["voice", "sms"] == latest().plan
    assert ["voice"] == [message.channel for message in emulator().messages(NUMBER)]
    assert "We are calling this number and will read out your code:" in text(page)
    assert "Send a new code</button>" in text(page)
    assert 302 == browser.type(code()).status_code
    assert "voice" == latest().proved_by


def test_the_text_that_was_chosen_proves_itself(browser):
    browser.begin(channel="sms")
    browser.type(code())
    assert ("sms,voice", "sms") == (latest().channels, latest().proved_by)


def test_a_landline_that_is_over_is_called_again_and_not_texted(settings, browser, clock):
    configure(settings, NUMBER_TYPES=["mobile", "fixed_line_or_mobile", "fixed_line"])
    landline = "+442079460000"
    browser.begin(landline, channel="voice")
    clock.shift(400)
    browser.look()
    assert "/login/code/" == browser.press("advance")["Location"]
    assert ["voice", "voice"] == [message.channel for message in emulator().messages(landline)]
    assert ["voice"] == latest(landline).plan


# The wait.


def test_the_wait_stands_below_its_button_and_is_counted_by_the_server(settings, browser):
    settings.TIME_ZONE = "UTC"
    page = re.sub(r"\s+", " ", text(browser.begin()))
    form = re.search(r'<form class="pl-resend".*?</form>', page)[0]
    assert 'data-pl-wait="60"' in form
    assert 'data-pl-text="You can ask for it {when}."' in form
    assert 'data-pl-done="You can ask for it now."' in form
    assert '<p class="pl-hidden" role="status"></p>' in form
    wait = "You can ask for it in 60 seconds (at 12:01:00 UTC)."
    assert form.index("Call me instead</button>") < form.index(wait) < form.index('role="status"')


def test_the_wait_is_over_when_it_is_over(browser, clock):
    browser.begin()
    clock.shift(59)
    assert "You can ask for it in 1 second (at" in re.sub(r"\s+", " ", text(browser.look()))
    clock.shift(1)
    page = text(browser.look())
    assert "Call me instead</button>" in page
    assert "You can ask for it" not in page
    assert "data-pl-" not in page


# What somebody may quote who writes to us.


def reference(page):
    found = re.search("the reference is \u2066([a-z0-9]+)\u2069\\.", text(page))
    return found and found[1]


@pytest.mark.parametrize("last", ["02", "03", "04", "05"])
def test_a_page_that_cannot_serve_names_the_attempt_but_not_its_key(browser, last):
    page = browser.ask(f"+121255501{last}")
    row = latest(f"+121255501{last}")
    assert 503 == page.status_code
    assert (8, row.reference) == (len(row.reference), reference(page))
    assert row.key.startswith(row.reference)
    assert row.key[:9] not in wire(page)


@pytest.mark.parametrize("verb", ["check", "advance"])
def test_trouble_on_the_way_names_the_attempt_too(browser, clock, verb):
    browser.begin()
    clock.shift(61)
    emulator().faults.add("drop_before", verb)
    page = browser.type(code()) if verb == "check" else browser.press("advance")
    assert (503, latest().reference) == (page.status_code, reference(page))
    assert latest().key[:9] not in wire(page)


def test_no_other_page_names_it(browser, clock):
    browser.begin()
    pages = [browser.look(), browser.type(wrong()), browser.press("advance")]
    clock.shift(400)
    pages.append(browser.look())
    assert [200, 200, 429, 200] == [page.status_code for page in pages]
    assert [] == [page for page in pages if latest().reference in wire(page)]


# The language.


@pytest.mark.parametrize(
    ("languages", "tag"),
    [("de-AT,de;q=0.9", "de"), ("pt-BR", "pt-br"), ("xx", "en"), ("", "en"), ("\x00", "en")],
)
def test_the_language_of_the_page_is_kept_with_the_attempt(settings, browser, languages, tag):
    # The middleware leaves its language behind; that of the site, given back, wipes it out.
    settings.LANGUAGE_CODE = "en"
    sessions = settings.MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware")
    settings.MIDDLEWARE = [*settings.MIDDLEWARE]
    settings.MIDDLEWARE.insert(sessions + 1, "django.middleware.locale.LocaleMiddleware")
    assert (
        302 == browser.post("/login/", {"number": NUMBER}, headers={"accept-language": languages}).status_code
    )
    assert tag == latest().language


def test_without_a_choice_of_languages_it_is_that_of_the_site(settings, browser):
    settings.LANGUAGE_CODE = "fr"
    browser.post("/login/", {"number": NUMBER}, headers={"accept-language": "de"})
    assert "fr" == latest().language


@pytest.mark.parametrize(
    ("changes", "locale"),
    [({"LOCALES": {"fr": "fr-ca"}}, "fr-ca"), ({"LOCALE": "en-gb", "LOCALES": {"fr": "fr-ca"}}, "en-gb")],
)
def test_the_language_of_the_message_is_the_one_of_the_site_s_choice(settings, browser, changes, locale):
    settings.LANGUAGE_CODE = "fr"
    configure(settings, **changes)
    browser.ask()
    assert ("fr", locale) == (latest().language, latest().locale)


# Methods.


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ALLOWED)
def test_a_method_that_is_not_meant_is_405_and_nothing_is_sent(browser, path, method):
    browser.begin()
    status = browser.generic(method, path, "number=%2B14155550102").status_code
    assert (method in ALLOWED[path]) == (status != 405)
    assert (1, 0, 0, 0) == asked("start", "check", "advance", "cancel")


@pytest.mark.parametrize("path", ["/login/advance/", "/login/cancel/"])
def test_buttons_are_no_links(browser, path):
    """The answer to an early press stands under their address, and people ask for it again."""
    assert LOST == browser.get(path)["Location"]
    browser.begin()
    assert "/login/code/" == browser.get(path)["Location"]
    assert (1, 0, 0, 0) == asked("start", "check", "advance", "cancel")
    assert Status.PENDING == latest().status


@pytest.mark.parametrize("headers", [{}, {"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_looking_sends_nothing(browser, clock, method, headers):
    browser.begin()
    clock.shift(400)
    for path in PAGES:
        browser.generic(method, f"{path}?number=%2B14155550102&code={code()}", headers=headers)
    assert (1, 0, 0, 0) == asked("start", "check", "advance", "cancel")
    assert 1 == VerificationAttempt.objects.count()
    # What a visitor wrote into an address comes back in the one that leads there after the login.
    Browser.answers[:] = [
        answer for answer in Browser.answers if "/login/done/" not in answer.headers.get("Location", "")
    ]


def test_a_view_is_known_by_its_name():
    assert "LoginView" == resolve("/login/").func.view_class.__name__


def test_no_request_by_get_writes_a_row(browser, django_assert_num_queries):
    with django_assert_num_queries(0):
        browser.get("/login/?next=/private/")


# Cross-site requests.


def test_a_post_without_a_token_is_refused_with_a_page_to_go_on_from(settings):
    settings.CSRF_FAILURE_VIEW = "passwordless.views.csrf_failure"
    strict = Browser(enforce_csrf_checks=True)
    for path in PAGES[:4] + PAGES[5:]:
        page = strict.post(path, {"number": NUMBER, "code": "123456"})
        assert (403, True) == (page.status_code, 'href="/login/"' in text(page))
    assert (0,) == asked("start")
    assert {"csrftoken"} >= set(strict.cookies)


def test_who_signed_in_meanwhile_is_led_on_from_an_old_form_and_signed_out_by_none(settings):
    settings.CSRF_FAILURE_VIEW = "passwordless.views.csrf_failure"
    settings.LOGIN_REDIRECT_URL = "/home/"
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.create(username="ada"))
    assert ["/home/", "/home/"] == [strict.post(path)["Location"] for path in ("/login/", "/login/code/")]
    assert 403 == strict.post("/logout/").status_code
    assert "_auth_user_id" in strict.session


def test_the_pages_refuse_forgeries_though_the_site_forgot_the_middleware(settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "csrf" not in name.lower()]
    assert 403 == Browser(enforce_csrf_checks=True).ask().status_code
    assert (0,) == asked("start")


def test_with_its_token_the_login_works_and_the_token_changes():
    strict = Browser(enforce_csrf_checks=True)
    strict.get("/login/")
    before = strict.cookies["csrftoken"].value
    assert 302 == strict.ask(csrfmiddlewaretoken=before).status_code
    strict.look()
    assert 302 == strict.type(code(), csrfmiddlewaretoken=before).status_code
    assert before != strict.cookies["csrftoken"].value


# Where it may lead.


@pytest.mark.parametrize("wanted", [*EVIL, *OURS])
@pytest.mark.parametrize("way", ["post", "get", "cookie"])
def test_no_login_ends_elsewhere(settings, browser, wanted, way):
    settings.ALLOWED_HOSTS = ["testserver", "good.test"]
    if way == "get":
        browser.log_in()
        answer = browser.get("/login/", {"next": wanted})
        assert "/login/done/" == answer["Location"]
        return
    browser.begin(next=wanted if way == "post" else "")
    if way == "cookie":
        hold(browser.cookies, **{**held(browser.cookies), "next": wanted})
    answer = browser.type(code())
    assert (302, "/login/done/") == (answer.status_code, answer["Location"])


@pytest.mark.parametrize("wanted", HARMLESS[:14])
def test_a_login_ends_at_a_path_of_this_site(browser, wanted):
    answer = browser.log_in(next=wanted)
    assert 302 == answer.status_code
    assert answer["Location"].startswith("/")
    assert "evil.com" not in answer["Location"] or "evil.com" in wanted
    assert not answer["Location"].startswith(("//", "/\\"))


@pytest.mark.parametrize("wanted", DISGUISED[:3])
def test_no_login_ends_at_the_login_in_disguise(browser, wanted):
    assert "/login/done/" == browser.log_in(next=wanted)["Location"]


def test_the_destination_of_the_link_is_in_the_form_only_if_it_is_safe(browser):
    assert 'name="next" value="/private/"' in text(browser.get("/login/?next=/private/"))
    assert "evil" not in text(browser.get("/login/?next=//evil.com"))


def test_another_number_never_carries_a_foreign_destination(browser):
    browser.begin()
    hold(browser.cookies, **{**held(browser.cookies), "next": "//evil.com"})
    there = browser.press("cancel", to="login")["Location"]
    assert "evil" not in text(browser.get(there))


# Headers.


def test_pages_tell_no_other_site_where_one_was_without_the_middleware_too(settings, browser):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if not name.endswith("SecurityMiddleware")]
    assert "same-origin" == browser.get("/login/")["Referrer-Policy"]


@pytest.mark.parametrize("path", ["/login/", "/login/code/", "/login/done/"])
def test_pages_are_kept_by_nobody_and_framed_by_nobody(settings, browser, path):
    settings.X_FRAME_OPTIONS = "SAMEORIGIN"
    browser.log_in(OTHER) if "done" in path else browser.begin()
    page = browser.get(path)
    assert 200 == page.status_code
    assert {"no-store", "private"} <= set(page["Cache-Control"].replace(" ", "").split(","))
    assert "Cookie" in page["Vary"]
    assert "DENY" == page["X-Frame-Options"]
    assert "same-origin" == page["Referrer-Policy"]
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert "base-uri 'none'" in page["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/login/code/", "/login/advance/", "/login/cancel/", "/login/done/"])
def test_redirects_and_refusals_are_kept_by_nobody_either(browser, path):
    answers = [browser.get(path), browser.post(path)]
    assert all("no-store" in answer["Cache-Control"] for answer in answers)


def test_a_policy_of_the_site_stays(settings, browser):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_views.csp_of_the_site"]
    page = browser.get("/login/")
    assert "default-src 'self'" == page["Content-Security-Policy"]


def csp_of_the_site(get_response):
    def answer(request):
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", "default-src 'self'")
        return response

    return answer


def test_pages_load_nothing_from_elsewhere_and_run_one_script_of_ours(browser):
    for page in (browser.get("/login/"), browser.begin()):
        assert 1 == text(page).count(SCRIPT)
        assert "<script" not in text(page).replace(SCRIPT, "")
        assert "style=" not in text(page)
        assert "http://" not in text(page)
        assert "https://" not in text(page)


@pytest.mark.parametrize("host", ["evil.com", "testserver@evil.com", "testserver:80:80", "a b"])
def test_a_foreign_host_is_refused(browser, host):
    assert 400 == browser.post("/login/", {"number": NUMBER}, headers={"host": host}).status_code
    assert (0,) == asked("start")


def test_redirects_are_relative(browser):
    for answer in (browser.ask(), browser.log_in(OTHER), browser.post("/logout/")):
        assert answer["Location"].startswith("/")


# Hostile requests.


@pytest.mark.parametrize(
    "number", ["\x00", f"{NUMBER}\x00", "1" * 2**20, "\ud7ff", "٣" * 60, "{{ 7*7 }}", "%00", "\r\nX: y", "🙂"]
)
def test_a_hostile_number_is_a_field_error(browser, number):
    page = browser.ask(number)
    assert (200, True) == (page.status_code, ERROR_TITLE in text(page))
    assert (0,) == asked("start")


def test_of_two_numbers_the_last_is_meant_and_stored(browser):
    browser.post("/login/", {"number": [OTHER, NUMBER]})
    assert [NUMBER] == list(VerificationAttempt.objects.values_list("number", flat=True))
    assert ([], 1) == (emulator().messages(OTHER), len(emulator().messages(NUMBER)))


def test_of_two_codes_the_last_is_checked(browser):
    browser.begin()
    assert 302 == browser.type([wrong(), code()]).status_code
    assert (1,) == asked("check")


@pytest.mark.parametrize("ticket", ["", "x", "é", "\x00", "0" * 32, "1" * 2**20, ["a", "b"]])
def test_a_forged_ticket_costs_nothing(browser, ticket):
    browser.begin()
    page = browser.type(code(), ticket=ticket)
    assert (200, True) == (page.status_code, "out of date" in text(page))
    assert (0, 0) == (*asked("check"), latest().guesses)


def test_a_destination_that_cannot_be_read_is_no_reason_to_lose_the_code(browser):
    """Whatever `next` holds, a message that was sent can be used."""
    answer = browser.ask(next="/\x00")
    assert len(emulator().messages(NUMBER)) == (answer.status_code == 302)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"number": "+14155550101"}', "application/json", 200),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 200),
        (b"garbage", "multipart/form-data; boundary=x", 200),
        (b"garbage", "multipart/form-data", 400),
        (b"number=%2B14155550101", "text/plain", 200),
        (b"number=" + b"1" * 3_000_000, "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % n for n in range(2000)), "application/x-www-form-urlencoded", 400),
    ],
)
def test_a_hostile_body_is_no_crash(browser, body, kind, status):
    assert status == browser.generic("POST", "/login/", body, content_type=kind).status_code
    assert (0,) == asked("start")


@pytest.mark.parametrize("cookie", ["x", "gAAAAA", "=" * 200, "é", "x" * 5000, "nonce.0.seal"])
def test_a_cookie_with_something_else_in_it_is_no_crash(browser, cookie):
    browser.begin()
    browser.cookies["passwordless_attempt"] = cookie
    for answer in (browser.look(), browser.type("123456"), browser.press("advance"), browser.press("cancel")):
        assert LOST == answer["Location"]
    assert (0, 0, 0) == asked("check", "advance", "cancel")


def test_a_handle_without_an_attempt_leads_to_the_beginning(browser):
    browser.begin()
    hold(browser.cookies, **{**held(browser.cookies), "key": "x" * 22})
    assert "/login/" == browser.look()["Location"]
    assert (0,) == asked("check")


# What a crash tells.


def burst(sender, **kwargs):
    raise RuntimeError("receiver of the site")


looking = Signal()
"""Sent by the backend of a site that has one of its own."""


class Telling(PhoneBackend):
    """A backend that tells the site of whoever is looked for."""

    @sensitive_variables()
    def find_user(self, number):
        looking.send(None)
        return super().find_user(number)


CRASHES = {
    "while a user is looked for": (looking, None, "ask"),
    "while a user is made": (post_save, get_user_model, "type"),
    "at the login": (user_logged_in, None, "type"),
    "at the failure": (user_login_failed, None, "mistype"),
}


@contextmanager
def bursting(signal, sender):
    sender = sender() if sender is get_user_model else sender
    signal.connect(burst, sender=sender)
    try:
        yield
    finally:
        signal.disconnect(burst, sender=sender)


@pytest.fixture(params=[False, True], ids=["text", "html"])
def reports(request, settings):
    settings.ADMINS = support.admins()
    handler = AdminEmailHandler(include_html=request.param)
    handler.setLevel(logging.ERROR)
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    yield lambda: "\n".join(
        message.body + "".join(content for content, _ in message.alternatives) for message in mail.outbox
    )
    logger.removeHandler(handler)


@pytest.mark.parametrize(("signal", "sender", "deed"), CRASHES.values(), ids=CRASHES)
def test_a_crash_report_holds_no_code_and_no_number(settings, browser, reports, signal, sender, deed):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Telling"]
    browser.raise_request_exception = False
    if deed != "ask":
        browser.begin()
    typed = wrong() if deed == "mistype" else deed == "type" and code()
    with bursting(signal, sender):
        page = browser.ask() if deed == "ask" else browser.type(typed)
    assert 500 == page.status_code
    assert "receiver of the site" in reports()
    assert not [secret for secret in (NUMBER, NUMBER[1:], typed) if secret and secret in reports()]


def test_a_guess_stays_paid_though_the_site_crashes(browser):
    browser.raise_request_exception = False
    browser.begin()
    with bursting(user_login_failed, None):
        assert 500 == browser.type(wrong()).status_code
    assert 1 == latest().guesses


def test_after_a_crash_at_the_login_nobody_is_in_and_the_code_is_used(browser):
    browser.raise_request_exception = False
    browser.begin()
    right = code()
    with bursting(user_logged_in, None):
        assert 500 == browser.type(right).status_code
    assert browser.user_id is None
    assert "has expired" in text(browser.type(right))
    assert browser.user_id is None
    assert (1,) == asked("check")


# The emulator in process serves one process.


def test_a_server_of_several_processes_is_refused_with_the_way_out(settings, caplog):
    from django.core.exceptions import ImproperlyConfigured

    request = RequestFactory().get("/login/")
    request.META |= {"wsgi.multiprocess": True, "wsgi.input": object()}
    answer = views.LoginView.as_view()(request)
    assert (503, "60") == (answer.status_code, answer["Retry-After"])
    assert "vonage_emulator" in caplog.text
    settings.DEBUG = True
    with pytest.raises(ImproperlyConfigured, match="vonage_emulator"):
        views.LoginView.as_view()(request)
