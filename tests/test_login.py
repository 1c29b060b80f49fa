"""Whole logins, seen from a browser: what works, what must not, and what becomes of each failure."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from difflib import unified_diff
from typing import ClassVar

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends import file as file_sessions
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import clear_script_prefix, include, path, reverse, set_script_prefix

from passwordless import phones
from passwordless.models import PhoneNumber, VerificationAttempt
from passwordless.states import Reason, Status
from tests.support import NUMBER, OTHER, asked, code, configure, emulator, latest, world, wrong
from tests.urls import urlpatterns as site

pytestmark = pytest.mark.django_db
TICKET = re.compile(r'name="ticket" value="([0-9a-f]{32})"')
NONCES = re.compile(r'name="(ticket|csrfmiddlewaretoken)" value="[^"]*"')
CONTROL = ("BEGIN", "SAVEPOINT", "RELEASE", "COMMIT", "ROLLBACK")
# Statements hold what they store; of templates a test of its own tells.
ASIDE = ("django.db.backends", "django.template")
DAY = 86400
LOST = "/login/?lost=1"
ENGINES = ["db", "cached_db", "cache", "signed_cookies", "file"]


class Browser(Client):
    """A cookie jar that remembers every answer, and the ticket of the last code page."""

    answers: ClassVar[list] = []
    ticket = ""

    def request(self, **request):
        response = super().request(**request)
        self.answers.append(response)
        found = TICKET.search(text(response))
        self.ticket = found[1] if found else self.ticket
        return response

    def ask(self, number=NUMBER, **fields):
        return self.post(reverse("passwordless:login"), {"number": number, **fields})

    def look(self):
        return self.get(reverse("passwordless:code"))

    def type(self, typed, **fields):
        return self.post(reverse("passwordless:code"), {"code": typed, "ticket": self.ticket, **fields})

    def press(self, name, **fields):
        return self.post(reverse(f"passwordless:{name}"), {"ticket": self.ticket, **fields})

    def begin(self, number=NUMBER, **fields):
        """Ask for a code and open the page that takes it."""
        assert 302 == self.ask(number, **fields).status_code
        return self.look()

    def shop(self):
        """Let the site keep something in the session; return its key."""
        kept = self.session
        kept["basket"] = "full"
        kept.save()
        # With sessions in cookies the key is what is kept.
        self.cookies["sessionid"] = kept.session_key
        return kept.session_key

    def log_in(self, number=NUMBER, **fields):
        self.begin(number, **fields)
        return self.type(code(number))

    @property
    def user_id(self):
        """Who the site takes this browser for, or None."""
        found = re.match(r"private page of (.*)", text(self.get("/private/")))
        return int(found[1]) if found else None


def text(response):
    return "" if response.streaming else response.content.decode(errors="replace")


def wire(response):
    """Return all that reached the browser: headers, cookies, body."""
    return f"{head(response)}\n{text(response)}"


def head(response):
    return f"{list(response.headers.items())}\n{response.cookies.output()}"


def secrets():
    """Return what no log and no answer may hold: the codes sent, the request ids, and our own keys."""
    rows = VerificationAttempt.objects.values_list("request_id", "key")
    codes = {message.code for message in emulator().messages()}
    return codes | {value for row in rows for value in row if value}


def numbers():
    return {number.lstrip("+") for number in VerificationAttempt.objects.values_list("number", flat=True)}


def bare(said):
    """Return a text without what people put between the digits of a number."""
    return re.sub(r"[ ().-]", "", said)


@contextmanager
def watched(caplog):
    """Let a test run, then look for what leaked into its answers and, at any level, into the logs."""
    Browser.answers.clear()
    for name in ["", *logging.root.manager.loggerDict]:
        if not name.startswith("django.db"):
            caplog.set_level(logging.DEBUG, logger=name or None)
    with world() as clock:
        yield clock
        records = [r for r in caplog.get_records("call") if not r.name.startswith(ASIDE)]
        said = "\n".join(map(logging.Formatter().format, records))
        sent = "\n".join(map(wire, Browser.answers))
        heads = "\n".join(map(head, Browser.answers))
        # Before the clock is let go: the phone shows only what has arrived by then.
        hidden = secrets()
    assert [] == [secret for secret in hidden if secret in said]
    assert [] == [secret for secret in hidden if secret in sent]
    assert [] == [number for number in numbers() if number in bare(said) or number in bare(heads)]


@pytest.fixture(autouse=True)
def clock(db, caplog):
    with watched(caplog) as moving:
        yield moving


@pytest.fixture
def browser():
    return Browser()


def plain(response):
    """Return a page without what differs between any two answers."""
    return NONCES.sub("", text(response))


# The way in.


def test_a_newcomer_logs_in_with_a_number_and_a_code(browser):
    page = browser.begin()
    assert "+1 415-555-0101" in text(page)
    answer = browser.type(code())
    assert (302, "/login/done/") == (answer.status_code, answer["Location"])
    assert browser.user_id == PhoneNumber.objects.get(number=NUMBER).user_id
    assert (1, 1) == asked("start", "check")


def test_whoever_comes_back_is_the_same_user(browser, clock):
    browser.log_in()
    first = browser.user_id
    clock.shift(60)
    other = Browser()
    other.log_in()
    assert first == other.user_id
    assert 1 == get_user_model().objects.count()


def test_the_done_page_greets_and_offers_to_sign_out(browser):
    browser.log_in()
    page = browser.get("/login/done/")
    assert 200 == page.status_code
    assert "You are signed in" in text(page)
    assert 'action="/logout/"' in text(page)
    assert "Sign out</button>" in text(page)
    assert "Log out" not in text(page)


def test_the_done_page_is_for_those_logged_in(browser, settings):
    settings.LOGIN_URL = "/somewhere/else/"
    assert "/login/?next=/login/done/" == browser.get("/login/done/")["Location"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_way_in_is_the_same_with_every_session_engine(settings, tmp_path, monkeypatch, engine):
    monkeypatch.delattr(file_sessions.SessionStore, "_storage_path", raising=False)
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    browser = Browser()
    browser.shop()
    browser.begin(next="/private/")
    before = browser.cookies["sessionid"].value
    assert "/private/" == browser.type(code())["Location"]
    assert before != browser.cookies["sessionid"].value
    assert browser.user_id is not None
    assert ["basket"] == [name for name, _ in browser.session.items() if not name.startswith("_auth")]
    monkeypatch.delattr(file_sessions.SessionStore, "_storage_path", raising=False)


def test_the_app_works_under_another_prefix(settings, browser):
    settings.ROOT_URLCONF = (path("accounts/", include("passwordless.urls")), *site[:-1])
    page = browser.get("/private/")
    assert "/accounts/login/?next=/private/" == page["Location"]
    browser.begin(next="/private/")
    assert "/private/" == browser.type(code())["Location"]
    assert "/accounts/login/" == browser.post("/accounts/logout/")["Location"]


def test_the_app_works_below_a_script_name(settings, browser):
    settings.FORCE_SCRIPT_NAME = "/app"
    set_script_prefix("/app/")
    try:
        assert "/app/login/?next=/app/private/" == browser.get("/private/")["Location"]
        asked_for = browser.post("/login/", {"number": NUMBER, "next": "/app/private/"})
        assert "/app/login/code/" == asked_for["Location"]
        page = text(browser.get("/login/code/"))
        assert 'action="/app/login/code/"' in page
        answer = browser.post("/login/code/", {"code": code(), "ticket": browser.ticket})
        assert "/app/private/" == answer["Location"]
    finally:
        clear_script_prefix()


def test_login_required_leads_here_and_back(browser):
    there = browser.get("/private/?a=b&c=d")["Location"]
    assert "/login/?next=/private/%3Fa%3Db%26c%3Dd" == there
    page = text(browser.get(there))
    assert 'value="/private/?a=b&amp;c=d"' in page
    assert "/private/?a=b&c=d" == browser.log_in(next="/private/?a=b&c=d")["Location"]


def test_the_site_says_where_a_login_ends(settings, browser):
    settings.LOGIN_REDIRECT_URL = "home"
    assert "/" == browser.log_in()["Location"]


def test_a_code_pasted_as_a_message_logs_in(browser):
    browser.begin()
    assert 302 == browser.type(emulator().messages(NUMBER)[-1].text).status_code


def test_spellings_of_one_number_share_one_attempt(browser):
    for spelling in ["(415) 555-0101", "+1 415 555 0101", "001 415.555.0101", "４１５５５５０１０１"]:
        assert 302 == browser.ask(spelling).status_code
    assert (1,) == asked("start")


def test_the_log_of_the_templates_holds_no_number(browser, caplog, clock):
    """For each variable that is missing, Django logs the whole context at DEBUG."""
    browser.begin()
    browser.press("advance")
    browser.type(wrong())
    clock.shift(160)
    browser.look()
    clock.shift(300)
    browser.look()
    browser.press("advance")
    browser.type(code())
    browser.get("/login/done/")
    said = "".join(record.getMessage() for record in caplog.records if record.name == "django.template")
    assert NUMBER not in bare(said)
    assert NUMBER[1:] not in bare(said)
    assert browser.ticket not in said


# What a visitor may do on the way.


def test_a_new_code_comes_when_the_wait_is_over(settings, browser, clock):
    configure(settings, CHANNELS=["sms", "sms"])
    browser.begin()
    early = browser.press("advance")
    assert (429, "30") == (early.status_code, early["Retry-After"])
    assert "Wait 30 more seconds" in text(early)
    assert 1 == len(emulator().messages(NUMBER))
    clock.shift(31)
    assert "/login/code/" == browser.press("advance")["Location"]
    assert 2 == len(emulator().messages(NUMBER))
    browser.look()
    assert 302 == browser.type(code()).status_code


def test_call_me_instead_calls_after_a_minute(browser, clock):
    browser.begin()
    assert 429 == browser.press("advance").status_code
    clock.shift(61)
    assert "Call me instead" in text(browser.look())
    assert 302 == browser.press("advance").status_code
    assert ["sms", "voice"] == [message.channel for message in emulator().messages(NUMBER)]
    assert "We are calling this number" in text(browser.look())
    assert 302 == browser.type(code()).status_code


def test_cancel_leaves_nothing_behind(browser, clock):
    browser.begin()
    clock.shift(31)
    assert "/login/" == browser.press("cancel")["Location"]
    assert (1,) == asked("cancel")
    assert Status.CANCELLED == latest().status
    assert LOST == browser.look()["Location"]
    assert LOST == browser.type(code())["Location"]
    assert (0,) == asked("check")


def test_another_number_keeps_the_destination(browser):
    browser.begin(next="/private/")
    assert "/login/?next=%2Fprivate%2F" == browser.press("cancel", to="login")["Location"]
    assert "/private/" == browser.log_in(OTHER, next="/private/")["Location"]


def test_an_ended_attempt_says_so_and_starts_anew_on_demand(browser, clock):
    browser.begin()
    clock.shift(400)
    page = browser.look()
    assert 200 == page.status_code
    assert "That code has expired. Send a new one." in text(page)
    assert 'name="code"' not in text(page)
    assert (1,) == asked("start")
    assert "/login/code/" == browser.press("advance")["Location"]
    assert (2,) == asked("start")
    browser.look()
    assert 302 == browser.type(code()).status_code


def test_too_many_wrong_codes_end_the_attempt_for_the_right_one_too(browser):
    browser.begin()
    right = code()
    assert "2 tries left" in text(browser.type(wrong()))
    assert "1 try left" in text(browser.type(wrong()))
    last = browser.type(wrong())
    assert (200, True) == (last.status_code, "Too many wrong codes" in text(last))
    assert "Too many wrong codes" in text(browser.type(right))
    assert browser.user_id is None
    assert (3,) == asked("check")


def test_malformed_codes_cost_nothing(browser):
    browser.begin()
    for typed in ["", "12345", "1234567", "12345a", "\x00", "1" * 2**20]:
        assert 200 == browser.type(typed).status_code
    assert (0,) == asked("check")
    assert 0 == latest().guesses
    assert 302 == browser.type(code()).status_code


def test_a_site_may_do_without_waits(settings, browser):
    configure(settings, RESEND_WAITS=[], CHANNELS=["sms", "sms"])
    assert 200 == browser.begin().status_code
    assert 302 == browser.press("advance").status_code
    assert 2 == len(emulator().messages(NUMBER))


# What must not work.


def test_two_visitors_at_once_do_not_meet():
    anna, ben = Browser(), Browser(REMOTE_ADDR="198.51.100.9")
    anna.begin(NUMBER)
    ben.begin(OTHER)
    assert 200 == anna.type(code(OTHER)).status_code
    assert (1, 0) == (latest(NUMBER).guesses, latest(OTHER).guesses)
    assert 302 == ben.type(code(OTHER)).status_code
    assert 302 == anna.type(code(NUMBER)).status_code
    assert PhoneNumber.objects.get(number=NUMBER).user_id == anna.user_id
    assert PhoneNumber.objects.get(number=OTHER).user_id == ben.user_id


def test_two_who_ask_for_one_number_share_the_code_and_only_who_types_it_gets_in():
    anna, ben = Browser(), Browser(REMOTE_ADDR="198.51.100.9")
    anna.begin()
    ben.begin()
    assert 1 == len(emulator().messages(NUMBER))
    assert 302 == ben.type(code()).status_code
    assert ben.user_id is not None
    assert "has expired" in text(anna.look())
    assert anna.user_id is None


def test_one_who_merely_joined_leaves_the_last_guess_to_the_starter():
    anna, ben = Browser(), Browser(REMOTE_ADDR="198.51.100.9")
    anna.begin()
    ben.begin()
    answers = [ben.type(wrong()) for _ in range(3)]
    assert 2 == latest().guesses
    assert "has expired" in text(answers[-1])
    assert 302 == anna.type(code()).status_code


def test_the_form_of_another_number_is_out_of_date_and_costs_nothing(browser):
    browser.begin(NUMBER)
    old = browser.ticket
    browser.begin(OTHER)
    page = browser.type(code(NUMBER), ticket=old)
    assert (200, True) == (page.status_code, "This form is out of date" in text(page))
    assert (0, 0, 0) == (*asked("check"), latest(NUMBER).guesses, latest(OTHER).guesses)
    assert 302 == browser.type(code(OTHER)).status_code
    assert PhoneNumber.objects.filter(number=OTHER).exists()
    assert not PhoneNumber.objects.filter(number=NUMBER).exists()


def test_the_code_of_the_number_asked_for_before_does_not_count_for_the_next(browser):
    browser.begin(NUMBER)
    browser.begin(OTHER)
    assert "right" in text(browser.type(code(NUMBER)))
    assert browser.user_id is None


@pytest.mark.parametrize("name", ["advance", "cancel"])
def test_the_buttons_of_another_number_do_nothing(browser, clock, name):
    browser.begin(NUMBER)
    old = browser.ticket
    browser.begin(OTHER)
    clock.shift(61)
    assert 302 == browser.press(name, ticket=old).status_code
    assert (0, 0) == asked("advance", "cancel")
    browser.look()
    assert 302 == browser.type(code(OTHER)).status_code


def test_fields_that_name_another_attempt_are_ignored():
    anna, ben = Browser(), Browser(REMOTE_ADDR="198.51.100.9")
    anna.begin(NUMBER)
    ben.begin(OTHER)
    theirs = latest(OTHER)
    forged = {"request_id": theirs.request_id, "attempt": theirs.key, "key": theirs.key, "number": OTHER}
    assert 200 == anna.type(code(OTHER), **forged, user_id=1, is_staff=1, verified=1).status_code
    assert (0, Status.PENDING) == (latest(OTHER).guesses, latest(OTHER).status)
    assert anna.user_id is None


def test_a_session_planted_before_the_login_is_worth_nothing_after_it():
    attacker, victim = Browser(), Browser()
    planted = attacker.shop()
    attacker.begin(OTHER, next="/admin/")
    for name in ("sessionid", "passwordless_attempt"):
        victim.cookies[name] = attacker.cookies[name].value
    victim.begin(NUMBER)
    victim.type(code(NUMBER))
    assert planted != victim.cookies["sessionid"].value
    assert victim.user_id is not None
    assert attacker.user_id is None
    attacker.look()
    assert "has expired" not in text(attacker.type(code(NUMBER)))
    assert attacker.user_id is None


def test_an_attempt_planted_before_the_login_shows_nothing_of_what_is_asked_for_then():
    attacker, victim = Browser(), Browser()
    attacker.begin(OTHER)
    victim.cookies["passwordless_attempt"] = attacker.cookies["passwordless_attempt"].value
    victim.begin(NUMBER)
    page = bare(text(attacker.look()))
    assert (True, False) == (OTHER[2:] in page, NUMBER[2:] in page)


def test_logging_in_again_changes_the_key_of_the_session_too(browser, clock):
    browser.log_in()
    before = browser.cookies["sessionid"].value
    clock.shift(60)
    browser.log_in()
    assert before != browser.cookies["sessionid"].value
    thief = Browser()
    thief.cookies["sessionid"] = before
    assert thief.user_id is None


def test_logging_in_as_somebody_else_leaves_nothing_of_the_former_session(browser):
    browser.log_in(NUMBER)
    session = browser.session
    session["basket"] = "of the first"
    session.save()
    browser.log_in(OTHER)
    assert PhoneNumber.objects.get(number=OTHER).user_id == browser.user_id
    assert "basket" not in browser.session


@pytest.mark.parametrize("same_jar", [True, False])
def test_a_used_code_is_refused_without_asking(browser, same_jar):
    witness = Browser(REMOTE_ADDR="198.51.100.9")
    browser.begin()
    witness.begin()
    before = browser.cookies["passwordless_attempt"].value
    used = code()
    browser.type(used)
    browser.post("/logout/")
    replayer = witness
    if same_jar:
        replayer = browser
        browser.cookies["passwordless_attempt"] = before
    assert "has expired" in text(replayer.type(used))
    assert replayer.user_id is None
    assert (1,) == asked("check")
    assert 1 == latest().events.filter(kind="replayed").count()


def test_a_right_code_after_the_end_of_its_life_is_refused_unasked(browser, clock):
    browser.begin()
    right = code()
    clock.shift(301)
    assert "has expired" in text(browser.type(right))
    assert (0,) == asked("check")


def test_only_a_post_logs_out(browser):
    browser.log_in()
    assert 405 == browser.get("/logout/").status_code
    assert browser.user_id is not None
    assert "/login/" == browser.post("/logout/")["Location"]
    assert browser.user_id is None


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": True}, {"is_superuser": True}])
def test_a_user_shut_out_after_the_start_sees_the_page_of_a_wrong_code(browser, clock, change):
    user = get_user_model().objects.create_user("anna")
    PhoneNumber.objects.create(user=user, number=NUMBER)
    browser.begin()
    twin = Browser(REMOTE_ADDR="198.51.100.9")
    twin.begin(OTHER)
    get_user_model().objects.filter(pk=user.pk).update(**change)
    shut_out, mistaken = browser.type(code(NUMBER)), twin.type(wrong(OTHER))
    assert browser.user_id is None
    assert mistaken.status_code == shut_out.status_code
    theirs = plain(mistaken).replace("555-0102", "555-0101").replace("••• 102", "••• 101")
    assert theirs == plain(shut_out)


def test_a_user_deleted_on_the_way_is_no_error(settings, browser):
    user = get_user_model().objects.create_user("anna")
    PhoneNumber.objects.create(user=user, number=NUMBER)
    configure(settings, SIGNUP=False)
    browser.begin()
    user.delete()
    assert browser.type(code()).status_code in (200, 302)
    assert browser.user_id is None


def test_an_attempt_deleted_on_the_way_is_no_error(browser):
    browser.begin()
    VerificationAttempt.objects.all().delete()
    for answer in (browser.look(), browser.type("123456"), browser.press("advance"), browser.press("cancel")):
        assert (302, "/login/") == (answer.status_code, answer["Location"])


def test_a_session_is_limited_even_if_it_cancels_in_between(settings, browser):
    configure(settings, LIMITS={"sends_per_ip": None})
    statuses = []
    for last in range(10, 17):
        statuses.append(browser.ask(f"+141555501{last}").status_code)
        browser.look()
        browser.press("cancel")
    assert [302] * 5 + [429] * 2 == statuses


# Who has an account is nobody's business.

STRANGERS = {
    "unknown": {},
    "inactive": {"is_active": False},
    "staff": {"is_staff": True},
    "superuser": {"is_superuser": True},
}


def journey(browser, number, clock, steps):
    """Walk the same steps and return what a visitor could compare, without the number."""
    seen = [browser.ask(number)]
    for step in steps:
        if isinstance(step, int):
            clock.shift(step)
        elif step == "wrong":
            seen.append(browser.type(wrong(number)))
        elif step == "ask":
            seen.append(browser.ask(number))
        elif step == "look":
            seen.append(browser.look())
        else:
            seen.append(browser.press(step))
    shown = f"{number[2:5]}-{number[5:8]}-{number[8:]}"
    told = [f"{a.status_code} {a.get('Location')} {a.get('Retry-After')}\n{plain(a)}" for a in seen]
    page = "\n".join(told)
    for spelling in (shown, phones.mask(number), number):
        page = page.replace(spelling, "")
    return page.splitlines()


JOURNEYS = {
    "look": ["look"],
    "wrong": ["look", "wrong", "look", "wrong", "look"],
    "out of guesses": ["look", "wrong", "wrong", "wrong", "look", "wrong"],
    "out of guesses, then anew": ["look", "wrong", "wrong", "wrong", 40, "advance", "look"],
    "out of guesses, then asked again": ["look", "wrong", "wrong", "wrong", 40, "ask", "look"],
    "early resend": ["look", "advance", 10, "advance"],
    "call": ["look", 61, "look", "advance", "look", "wrong"],
    "dialled by itself": ["look", 160, "look", "advance", "wrong"],
    "expired": ["look", 400, "look", "wrong", "advance", "look"],
    "cancelled": ["look", "cancel", "look"],
    "cancelled, then asked again": ["look", "cancel", "ask"],
    "cancelled late, then asked again": ["look", 40, "cancel", "ask"],
    "asked again": ["look", "ask", "ask", 40, "ask", "look"],
}


@pytest.mark.parametrize("version", [2, 1])
@pytest.mark.parametrize("steps", JOURNEYS.values(), ids=JOURNEYS)
@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_nobody_can_tell_who_has_an_account(settings, clock, stranger, steps, version):
    configure(settings, SIGNUP=False, VERIFY_VERSION=version)
    model = get_user_model()
    PhoneNumber.objects.create(user=model.objects.create_user("known"), number=NUMBER)
    if stranger:
        PhoneNumber.objects.create(user=model.objects.create_user("shut", **stranger), number=OTHER)
    known = journey(Browser(), NUMBER, clock, steps)
    sent = len(emulator().messages())
    clock.shift(-sum(step for step in steps if isinstance(step, int)))
    unknown = journey(Browser(REMOTE_ADDR="198.51.100.9"), OTHER, clock, steps)
    assert "" == "\n".join(unified_diff(known, unknown, "known", "unknown", n=0, lineterm=""))
    assert sent >= 1
    assert [] == emulator().messages(OTHER)


# What Vonage's failures look like.

FAILS = {
    "02": (503, "problem on our side", Reason.PROVIDER_ERROR),
    "03": (503, "problem on our side", Reason.UNAVAILABLE),
    "04": (503, "problem on our side", Reason.THROTTLED),
    "05": (503, "problem on our side", Reason.NO_CREDIT),
    "06": (429, "Too many tries", Reason.CONCURRENT),
    "07": (200, "We can&#x27;t send a code to that number", Reason.UNROUTABLE),
}


@pytest.mark.parametrize("last", FAILS)
def test_a_start_that_fails_says_so_in_words(browser, last):
    status, words, reason = FAILS[last]
    page = browser.ask(f"+1 212 555 01{last}")
    assert status == page.status_code
    assert words in text(page)
    assert "<title>Error: Sign in" in text(page)
    assert f'value="+1 212 555 01{last}"' in text(page)
    assert (status != 200) == ("Retry-After" in page.headers)
    assert reason == latest(f"+121255501{last}").reason
    assert LOST == browser.look()["Location"]


def test_spent_credit_is_told_to_the_owner_of_the_site(browser, caplog):
    browser.ask("+12125550105")
    assert ["ERROR"] == [record.levelname for record in caplog.records if record.name == "passwordless"]


@pytest.mark.parametrize(("last", "after"), [("00", 0), ("10", 20), ("42", 0)])
def test_reserved_numbers_that_work_have_a_fixed_code(browser, clock, last, after):
    browser.begin(f"+121255501{last}")
    assert (after == 0) == bool(emulator().messages(f"+121255501{last}"))
    clock.shift(after)
    assert "424242" == code(f"+121255501{last}")
    assert 302 == browser.type("424242").status_code


@pytest.mark.parametrize("last", ["08", "09"])
def test_a_request_that_dies_at_vonage_reads_as_expired(browser, last):
    assert 200 == browser.begin(f"+121255501{last}").status_code
    page = browser.type("424242")
    assert (200, True) == (page.status_code, "has expired" in text(page))
    assert browser.user_id is None


def test_a_message_that_never_comes_leaves_the_page_as_it_is(browser):
    assert 200 == browser.begin("+12125550101").status_code
    assert [] == emulator().messages("+12125550101")
    assert "Call me instead" in text(browser.look())


def test_where_text_messages_are_lost_the_call_works(browser, clock):
    browser.begin("+12125550111")
    assert [] == emulator().messages("+12125550111")
    clock.shift(61)
    browser.press("advance")
    assert ["voice"] == [message.channel for message in emulator().messages("+12125550111")]
    browser.look()
    assert 302 == browser.type("424242").status_code


FAULTS = [
    "status", "hang", "hang_after", "drop_before", "drop_after", "html", "empty", "list", "null", "bad_json",
    "huge", "redirect", "integer_status", "missing_price", "other_request_id", "drip_body",
]  # fmt: skip


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("what", FAULTS)
def test_no_trouble_at_the_start_is_a_crash(settings, browser, what, version):
    configure(settings, VERIFY_VERSION=version)
    emulator().faults.add(what, "start")
    answer = browser.ask()
    assert answer.status_code in (302, 503)
    assert (answer.status_code == 302) == (302 != browser.look().status_code)
    assert (1,) == asked("start")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("what", FAULTS)
def test_no_trouble_with_a_wrong_code_is_a_crash_or_a_login(settings, browser, what, version):
    configure(settings, VERIFY_VERSION=version)
    browser.begin()
    emulator().faults.add(what, "check")
    answer = browser.type(wrong())
    assert answer.status_code in (200, 503)
    assert "<title>Error: " in text(answer)
    assert browser.user_id is None
    assert (1,) == asked("check")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("verb", ["advance", "cancel"])
@pytest.mark.parametrize("what", FAULTS)
def test_no_trouble_with_the_buttons_is_a_crash(settings, browser, clock, what, verb, version):
    configure(settings, VERIFY_VERSION=version)
    browser.begin()
    clock.shift(61)
    emulator().faults.add(what, verb)
    assert browser.press(verb).status_code in (302, 503, 429)
    assert (1,) == asked(verb)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 410, 418, 422, 429, 500, 502, 503])
def test_no_status_of_v2_but_success_lets_anybody_in(browser, status):
    browser.begin()
    emulator().faults.add("status", "check", status=status)
    assert browser.type(code()).status_code in (200, 429, 503)
    assert browser.user_id is None


@pytest.mark.parametrize("status", [*range(1, 11), *range(15, 21), 29, 101])
def test_no_status_of_v1_but_success_lets_anybody_in(settings, browser, status):
    configure(settings, VERIFY_VERSION=1)
    browser.begin()
    emulator().faults.add("status", "check", status=status)
    assert browser.type(code()).status_code in (200, 429, 503)
    assert browser.user_id is None


# What it costs.


def statements(captured):
    """Return what was said so far but transaction control; the next request forgets it."""
    return [query["sql"] for query in captured if not query["sql"].startswith(CONTROL)]


def test_a_login_costs_few_statements(settings, browser, clock):
    settings.LOGIN_REDIRECT_URL = "home"
    browser.log_in()
    browser.post("/logout/")
    clock.shift(2 * DAY)
    with CaptureQueriesContext(connection) as captured:
        browser.ask()
        spent = statements(captured)
    browser.look()
    with CaptureQueriesContext(connection) as captured:
        assert "/" == browser.type(code())["Location"]
        spent += statements(captured)
    assert len(spent) <= 16, "\n".join(spent)


def test_all_pages_of_a_login_cost_few_statements(settings, browser, clock):
    settings.LOGIN_REDIRECT_URL = "home"
    browser.log_in()
    browser.post("/logout/")
    clock.shift(2 * DAY)
    with CaptureQueriesContext(connection) as all_pages:
        browser.get("/login/")
        browser.begin()
        browser.type(code())
        assert b"home of u" in browser.get("/").content
        spent = statements(all_pages)
    assert len(spent) <= 20, "\n".join(spent)


def test_a_choice_of_country_and_channel_costs_no_statement(settings, browser):
    configure(settings, FAVOURITE_COUNTRIES=["GB"])
    counts = []
    for number, fields in ((NUMBER, {}), (OTHER, {"country": "US", "channel": "voice"})):
        visitor = Browser(headers={"accept-language": "de-AT"})
        with CaptureQueriesContext(connection) as captured:
            visitor.get("/login/")
            assert 302 == visitor.ask(number, **fields).status_code
            counts.append(len(statements(captured)))
    assert counts[0] == counts[1]


def test_the_number_of_statements_does_not_grow_with_the_history(browser, clock):
    browser.log_in()
    counts = []
    for _ in range(3):
        clock.shift(3600)
        fresh = Browser()
        with CaptureQueriesContext(connection) as captured:
            fresh.log_in()
            counts.append(len(statements(captured)))
    assert 1 == len(set(counts))
