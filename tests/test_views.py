"""The pages as HTTP: statuses, methods, headers, hostile requests, and what a crash report may tell."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core import mail
from django.db.models.signals import post_save, pre_save
from django.test import RequestFactory
from django.utils.log import AdminEmailHandler

from passwordless import views
from passwordless.models import VerificationAttempt
from tests import support
from tests.support import NUMBER, OTHER, asked, code, configure, emulator, latest, wrong
from tests.test_login import Browser, text, watched
from tests.test_redirects import DISGUISED, EVIL, HARMLESS, OURS

pytestmark = pytest.mark.django_db
PAGES = ["/login/", "/login/code/", "/login/advance/", "/login/cancel/", "/login/done/", "/logout/"]
ALLOWED = {
    "/login/": {"GET", "HEAD", "OPTIONS", "POST"},
    "/login/code/": {"GET", "HEAD", "OPTIONS", "POST"},
    "/login/advance/": {"POST"},
    "/login/cancel/": {"POST"},
    "/logout/": {"POST", "OPTIONS"},
}
METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]
ERROR_TITLE = "<title>Error: "


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


def test_a_look_at_the_first_page_leaves_no_session(browser):
    browser.get("/login/?next=/private/")
    assert "sessionid" not in browser.cookies


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


def test_while_a_check_runs_another_is_told_to_wait_and_the_session_is_left_alone(browser, clock):
    browser.begin()
    VerificationAttempt.objects.update(status="checking", guesses=1, claimed_at=latest().created_at)
    page = browser.type(code())
    assert 429 == page.status_code
    assert "Wait a moment" in text(page)
    assert "sessionid" not in page.cookies
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
    assert (302, "/login/") == (answer.status_code, answer["Location"])
    assert (0, 0, 0) == asked("check", "advance", "cancel")


def test_the_code_page_without_an_attempt_leads_to_the_beginning(browser):
    assert "/login/" == browser.look()["Location"]


def test_whoever_is_logged_in_is_sent_on(browser):
    browser.log_in()
    assert "/login/done/" == browser.get("/login/")["Location"]
    assert "/private/" == browser.get("/login/?next=/private/")["Location"]
    assert "/login/done/" == browser.get("/login/?next=//evil.com")["Location"]
    assert "/login/" == browser.look()["Location"]


def test_the_brand_is_on_every_page(settings, browser):
    configure(settings, BRAND_NAME="Acme <b>")
    browser.get("/login/")
    browser.begin()
    browser.log_in(OTHER)
    browser.get("/login/done/")
    pages = [answer for answer in Browser.answers if answer.status_code == 200]
    assert len(pages) >= 3
    assert all("Acme &lt;b&gt;" in text(page) for page in pages)


# Methods.


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ALLOWED)
def test_a_method_that_is_not_meant_is_405_and_nothing_is_sent(browser, path, method):
    browser.begin()
    status = browser.generic(method, path, "number=%2B14155550102").status_code
    assert (method in ALLOWED[path]) == (status != 405)
    assert (1, 0, 0, 0) == asked("start", "check", "advance", "cancel")


@pytest.mark.parametrize("path", ["/login/advance/", "/login/cancel/"])
def test_buttons_are_no_links_even_without_an_attempt(browser, path):
    assert 405 == browser.get(path).status_code


@pytest.mark.parametrize("headers", [{}, {"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_looking_sends_nothing(browser, clock, method, headers):
    browser.begin()
    clock.shift(400)
    for path in PAGES:
        browser.generic(method, f"{path}?number=%2B14155550102&code={code()}", headers=headers)
    assert (1, 0, 0, 0) == asked("start", "check", "advance", "cancel")
    assert 1 == VerificationAttempt.objects.count()


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
    assert "sessionid" not in strict.cookies


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
@pytest.mark.parametrize("way", ["post", "get", "session"])
def test_no_login_ends_elsewhere(settings, browser, wanted, way):
    settings.ALLOWED_HOSTS = ["testserver", "good.test"]
    if way == "get":
        browser.log_in()
        answer = browser.get("/login/", {"next": wanted})
        assert "/login/done/" == answer["Location"]
        return
    browser.begin(next=wanted if way == "post" else "")
    if way == "session":
        session = browser.session
        session["_passwordless"] = {**session["_passwordless"], "next": wanted}
        session.save()
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
    session = browser.session
    session["_passwordless"] = {**session["_passwordless"], "next": "//evil.com"}
    session.save()
    there = browser.press("cancel", to="login")["Location"]
    assert "evil" not in text(browser.get(there))


# Headers.


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


def test_pages_load_nothing_from_elsewhere_and_run_no_script(browser):
    for page in (browser.get("/login/"), browser.begin()):
        assert "<script" not in text(page)
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


@pytest.mark.parametrize(
    "kept",
    [
        None, "text", 7, [], {}, {"key": "x"}, {"key": "x", "purpose": "none", "own": True},
        {"key": ["x"], "purpose": ["login"], "own": True}, {"key": None, "purpose": "login", "own": 1},
        {"key": "x" * 5000, "purpose": "login", "own": True, "nonce": 7, "next": 7},
    ],
)  # fmt: skip
def test_a_session_with_something_else_in_it_is_no_crash(browser, kept):
    browser.begin()
    session = browser.session
    session["_passwordless"] = kept
    session.save()
    answers = [browser.look(), browser.type("123456"), browser.press("advance"), browser.press("cancel")]
    assert {"/login/", "/login/code/"} >= {answer["Location"] for answer in answers}
    assert "/login/" == browser.look()["Location"]
    assert (0, 0, 0) == asked("check", "advance", "cancel")


# What a crash tells.


def burst(sender, **kwargs):
    raise RuntimeError("receiver of the site")


CRASHES = {
    "while a code is sent": (pre_save, VerificationAttempt, "ask"),
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
def test_a_crash_report_holds_no_code_and_no_number(browser, reports, signal, sender, deed):
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
    assert browser.type(right).status_code == 302
    assert browser.user_id is None


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
