"""The promises of docs/security.md from outside: over HTTP, by their ids; and what is not offered, absent."""

from __future__ import annotations

import io
import logging
import re
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.contrib.sessions.models import Session
from django.core import checks, mail
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from django.urls import URLPattern, get_resolver

from passwordless import flow, gateway, limits, numbers
from passwordless import urls as our_urls
from passwordless.conf import DEFAULTS
from passwordless.models import AttemptEvent, Counter, PhoneNumber, VerificationAttempt
from passwordless.states import EventKind, Status
from tests import support
from tests.browsing import ADVANCE, CANCEL, CODE, LOGIN, Browser, row
from tests.support import BEGIN, NUMBER, OTHER, asked, code, configure, wrong

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)

NOT_OFFERED = {
    "B3": ("codes for a purpose other than the login, over HTTP", ["/login/confirm/", "/confirm/"]),
    "B6": ("step-up", ["/login/step-up/", "/login/confirm/", "/reauthenticate/"]),
    "B13": ("a second factor after the phone", ["/login/second/", "/login/2fa/", "/login/totp/"]),
    "B16": ("ending other sessions after a change of number", ["/login/sessions/", "/account/sessions/"]),
    "B17": ("changing one's number", ["/login/change/", "/account/phone/", "/login/number/"]),
    "B18": ("claiming a number for an account", ["/login/link/", "/account/link/"]),
    "B20": ("extra proof for dormant accounts", ["/login/recover/", "/login/dormant/"]),
    "C6": ("a status that pages can poll", ["/login/status/", "/login/poll/"]),
    "C7": ("sign-up and change of number as pages of their own", ["/signup/", "/register/"]),
    "E8": ("challenges for robots", ["/login/challenge/", "/login/captcha/"]),
    "G1": ("a JSON API", ["/api/", "/api/start", "/api/login/", "/login/api/", "/login.json"]),
    "G2": ("a JSON API", ["/api/check"]),
    "G3": ("a JSON API", ["/api/verify"]),
    "G4": ("a JSON API", ["/api/v1/"]),
    "G5": ("a JSON API", ["/api/v1/login"]),
    "G6": ("a JSON API", ["/problems/rate-limited"]),
    "G7": ("a JSON API", ["/api/status/1"]),
    "G8": ("a JSON API", ["/api/start/1"]),
    "risk hook": ("a question to others before sending, such as a change of the SIM", ["/webhooks/risk/"]),
}


@pytest.fixture(autouse=True)
def clock():
    with support.world() as traveller:
        yield traveller


@pytest.fixture
def root():
    """A superuser in the admin."""
    client = Client()
    user = get_user_model().objects.create_superuser("root")
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def together(times, act):
    def run(index):
        try:
            return act(index)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def another(index):
    """Return a browser at an address of its own."""
    return Browser(ip=f"198.51.100.{index + 10}", agent=f"Agent {index}")


def said(browser):
    return browser.page.content.decode()


class TestGuessing:
    def test_a1_the_third_wrong_code_ends_the_attempt(self):
        browser = Browser()
        browser.ask()
        for _ in range(3):
            browser.type(wrong())
        browser.type(code())
        assert not browser.logged_in
        assert (3,) == asked("check")
        assert (Status.FAILED, 3) == (row().status, row().guesses)

    @committing
    @pytest.mark.parametrize("atomic", [False, True], ids=["autocommit", "ATOMIC_REQUESTS"])
    def test_a2_parallel_guesses_are_three(self, atomic, monkeypatch):
        monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", atomic)
        browser = Browser()
        browser.ask()
        browser.get(CODE)
        fields = {**browser.hidden(), "code": wrong()}

        def guess(_index):
            window = browser.twin()
            for _ in range(40):
                if 429 != window.post(CODE, fields).status_code:
                    break
            return window.page.status_code

        assert {200} >= set(together(8, guess)) - {429}
        for _ in range(3):
            browser.type(wrong())
        browser.type(code())
        assert (3,) == asked("check")
        assert not browser.logged_in

    @committing
    def test_a3_of_two_right_codes_one_lets_in(self):
        browser = Browser()
        browser.ask()
        browser.get(CODE)
        fields = {**browser.hidden(), "code": code()}
        emulator = gateway.emulator()
        emulator.faults.add("duplicate_success", where="check", times=None)
        logins = []
        user_logged_in.connect(receiver := lambda **told: logins.append(told["user"].pk))
        try:
            statuses = together(6, lambda _index: browser.twin().post(CODE, fields).status_code)
        finally:
            user_logged_in.disconnect(receiver)
        assert 1 == len(logins)
        assert statuses
        assert 1 == AttemptEvent.objects.filter(kind=EventKind.VERIFIED).count()
        assert 1 == sum("_auth_user_id" in session.get_decoded() for session in Session.objects.all())

    def test_a4_failed_checks_of_a_number_are_limited_whoever_asks(self, clock):
        for index in range(4):
            browser = another(index)
            browser.ask()
            for _ in range(3):
                browser.type(wrong())
            clock.shift(301)
        browser = another(9)
        browser.ask()
        assert 429 == browser.type(code()).status_code
        assert (10,) == asked("check")
        assert 10 == support.used("fails_per_number", NUMBER)

    def test_a5_the_hard_stop_is_not_reset_by_a_new_code_but_by_staff(self, settings, clock):
        configure(settings, HARD_STOP=4, LIMITS={"fails_per_number": None})
        for index in range(2):
            browser = another(index)
            browser.ask()
            for _ in range(2):
                browser.type(wrong())
            clock.shift(301)
        browser = another(9)
        browser.ask()
        browser.type(code())
        assert 429 == browser.page.status_code
        assert (4,) == asked("check")
        call_command("passwordless_unlock", NUMBER, stdout=io.StringIO())
        browser.type(code())
        assert browser.logged_in

    def test_a6_guesses_at_many_numbers_are_limited_by_address(self, settings):
        configure(
            settings, LIMITS={"fails_per_ip": "4/10min", "sends_per_ip": None, "sends_per_session": None}
        )
        for index in range(8):
            browser = Browser(HTTP_X_FORWARDED_FOR=f"203.0.113.{index}")
            browser.ask(f"+1415555011{index}")
            browser.type(wrong(f"+1415555011{index}"))
        assert (4,) == asked("check")
        assert 429 == browser.page.status_code

    def test_a7_a_browser_that_logged_in_before_cannot_be_locked_out(self, settings, clock):
        configure(settings, LIMITS={"fails_per_number": "2/d", "sends_per_number": "3/d"})
        owner = Browser()
        owner.log_in()
        clock.shift(61)
        for index in range(3):
            stranger = another(index)
            stranger.ask()
            for _ in range(2):
                stranger.type(wrong())
            clock.shift(601)
        assert 429 == another(9).ask().status_code
        owner.client.cookies.pop("sessionid")
        owner.log_in()
        assert owner.logged_in
        forged = another(9)
        forged.client.cookies["passwordless_device"] = owner.cookies["passwordless_device"][:-3] + "AAA"
        assert 429 == forged.ask().status_code

    @committing
    @pytest.mark.parametrize("what", ["bad_json", "drop_after", "status", "html"])
    @pytest.mark.parametrize("atomic", [False, True], ids=["autocommit", "ATOMIC_REQUESTS"])
    def test_a8_a_check_without_a_verdict_stays_paid(self, what, atomic, monkeypatch):
        monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", atomic)
        browser = Browser()
        browser.ask()
        kind = {"status": 500} if what == "status" else {}
        gateway.emulator().faults.add(what, where="check", times=None, **kind)
        for _ in range(4):
            browser.type(wrong())
        assert (3, 3) == (*asked("check"), row().guesses)

    def test_a9_a_check_that_never_left_is_given_back(self):
        browser = Browser()
        browser.ask()
        gateway.emulator().faults.add("drop_before", where="check", times=5)
        for _ in range(5):
            assert 503 == browser.type(wrong()).status_code
        assert 0 == row().guesses
        browser.type(code())
        assert browser.logged_in

    def test_a10_a_used_code_is_refused_and_noted(self):
        browser, joined = another(1), another(2)
        browser.ask()
        joined.ask()
        before = browser.twin(ip="198.51.100.3")
        before.get(CODE)
        joined.get(CODE)
        used = code()
        browser.type(used)
        for window in (before, joined):
            window.fill(CODE, code=used)
            assert not window.logged_in
        assert (1,) == asked("check")
        assert 2 == AttemptEvent.objects.filter(kind=EventKind.REPLAYED).count()

    def test_a11_a_code_out_of_time_is_refused_here(self, clock):
        browser = Browser()
        browser.ask()
        browser.get(CODE)
        given = code()
        clock.shift(301)
        browser.fill(CODE, code=given)
        assert not browser.logged_in
        assert (0,) == asked("check")

    @pytest.mark.parametrize("odd", ["12345", "1234567", "12345a", "", "x" * 10**6, "1\x002345"])
    def test_a12_what_is_no_code_costs_no_guess(self, odd):
        browser = Browser()
        browser.ask()
        browser.type(odd)
        assert 200 == browser.page.status_code
        assert (0, 0) == (*asked("check"), row().guesses)

    @pytest.mark.parametrize("spelling", ["{0}-{1}", " {0} {1} ", "wide"])
    def test_a12_a_code_in_another_spelling_is_the_code(self, spelling):
        browser = Browser()
        browser.ask()
        given = code()
        wide = given.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
        browser.type(wide if spelling == "wide" else spelling.format(given[:3], given[3:]))
        assert browser.logged_in

    @pytest.mark.parametrize(
        "weak",
        [{"CODE_LENGTH": 4}, {"ATTEMPT_LIFETIME": 601}, {"MAX_GUESSES": 4}, {"HARD_STOP": 101},
         {"API_HOST": "http://example.com"}, {"SIGNATURE_SECRET": "short", "API_KEY": "k", "API_SECRET": "s"},
         {"RESEND_WAITS": [5]}],
        ids=lambda weak: next(iter(weak)),
    )  # fmt: skip
    def test_a13_weaker_settings_are_errors_of_check_deploy(self, settings, weak):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, **weak}
        found = checks.run_checks(include_deployment_checks=True)
        worded = {"CODE_LENGTH": "six digits"}
        name = next(iter(weak))
        assert [one for one in found if one.is_serious() and worded.get(name, name) in f"{one.msg}{one.hint}"]
        with pytest.raises(CommandError):
            call_command("check", deploy=True, stdout=io.StringIO(), stderr=io.StringIO())


class TestBinding:
    def test_b1_no_id_of_a_request_leaves_the_server(self):
        one, other = another(1), another(2)
        one.ask(NUMBER)
        other.ask(OTHER)
        one.get(CODE)
        ids = set(VerificationAttempt.objects.values_list("request_id", flat=True))
        keys = set(VerificationAttempt.objects.values_list("key", flat=True))
        for page in one.pages + other.pages:
            told = f"{page.content.decode()}{page.headers}{page.cookies.output()}"
            assert not [word for word in ids | keys if word in told]
        theirs = row(OTHER)
        one.type(code(OTHER), request_id=theirs.request_id, attempt=theirs.key, key=theirs.key)
        assert not one.logged_in
        assert (1, 0) == (row(NUMBER).guesses, row(OTHER).guesses)

    def test_b2_a_code_counts_for_its_own_number_only(self):
        one, other = another(1), another(2)
        one.ask(NUMBER)
        other.ask(OTHER)
        one.type(code(OTHER))
        assert not one.logged_in
        other.type(code(OTHER))
        assert other.logged_in
        assert [OTHER] == list(PhoneNumber.objects.values_list("number", flat=True))

    @committing
    def test_b4_who_asks_again_joins_and_only_who_types_gets_in(self):
        browsers = [another(index) for index in range(4)]
        together(4, lambda index: browsers[index].ask().status_code)
        assert (1,) == asked("start")
        browsers[2].type(code())
        assert [False, False, True, False] == [browser.logged_in for browser in browsers]

    def test_b5_a_planted_session_is_worth_nothing(self):
        attacker = Browser()
        attacker.client.session.save()
        attacker.ask(OTHER)
        victim = attacker.twin(ip="198.51.100.3")
        planted = attacker.cookies["sessionid"]
        victim.log_in(NUMBER)
        assert planted != victim.cookies["sessionid"]
        assert "" == victim.cookies["passwordless_attempt"]
        assert (True, False) == (victim.logged_in, attacker.logged_in)
        kept = Session.objects.get(pk=victim.cookies["sessionid"]).get_decoded()
        assert {"_auth_user_id", "_auth_user_backend", "_auth_user_hash"} == kept.keys()

    @pytest.mark.parametrize("path", [LOGIN, CODE, ADVANCE, CANCEL, "/logout/"])
    def test_b7_every_post_needs_its_token(self, path):
        browser = Browser()
        browser.ask()
        browser.get(CODE)
        fields = {name: value for name, value in browser.hidden().items() if name != "csrfmiddlewaretoken"}
        assert 403 == browser.post(path, {**fields, "number": OTHER, "code": code()}).status_code
        assert not browser.logged_in
        assert (1, 0) == asked("start", "check")

    def test_b7_nobody_is_logged_in_by_a_get_and_the_token_changes(self):
        browser = Browser()
        browser.ask()
        before = browser.cookies["csrftoken"]
        browser.get(f"{CODE}?code={code()}&ticket={browser.get(CODE) and browser.hidden()['ticket']}")
        assert not browser.logged_in
        browser.type(code())
        assert before != browser.cookies["csrftoken"]

    def test_b8_cookies_carry_what_the_settings_ask_for(self, settings):
        settings.SESSION_COOKIE_SECURE = True
        browser = Browser()
        browser.client.defaults["wsgi.url_scheme"] = "https"
        browser.ask(headers={"HTTP_REFERER": "https://testserver/login/"})
        attempt = browser.client.cookies["passwordless_attempt"].OutputString()
        browser.type(code(), headers={"HTTP_REFERER": "https://testserver/login/code/"})
        device = browser.client.cookies["passwordless_device"].OutputString()
        for cookie in (attempt, device):
            assert all(f"; {mark}" in cookie for mark in ("Secure", "HttpOnly", "SameSite=Lax"))
            assert NUMBER[1:] not in cookie
        told = attempt.partition(";")[0].partition("=")[2]
        assert row().key.encode() not in urlsafe_b64decode(told + "==")

    @pytest.mark.parametrize(
        "target",
        ["//evil.com", "///evil.com", "\\\\evil.com", "/\\evil.com", "\\/evil.com", "http:evil.com", "https://evil.com",
         "https://testserver@evil.com", "https://testserver.evil.com", "javascript:alert(1)", "JavaScript:alert(1)",
         "java\nscript:alert(1)", "data:text/html,x", "\x00//evil.com", "\t//evil.com", "/\t/evil.com",
         "/\n/evil.com", "\u200b//evil.com", "//[::1", "https:evil.com", "http:///evil.com", "ok", "?a=b", "#x",
         "/login/", "/login/code/", "/logout/", "/" + "a" * 600, "//evil\u3002com", "/ok\r\nX-Evil: 1"],
    )  # fmt: skip
    def test_b9_a_login_ends_on_this_site(self, target):
        browser = Browser()
        browser.ask(next=target)
        cookies = browser.client.cookies
        support.hold(cookies, **{**support.held(cookies), "next": target})
        assert "/login/done/" == browser.type(code()).headers["Location"]

    def test_b9_a_path_of_this_site_is_kept(self):
        browser = Browser()
        browser.ask(next="/private/?a=b")
        assert "/private/?a=b" == browser.type(code()).headers["Location"]

    def test_b10_pages_lead_nowhere_else(self):
        browser = Browser()
        browser.ask(next="/private/")
        browser.get(CODE)
        links = re.findall(r'(?:href|src|action)="([^"]+)"', said(browser))
        assert links
        assert all(re.match(r"[/#](?!/)", link) for link in links)
        assert "/private/" not in said(browser)
        assert "same-origin" == browser.page.headers["Referrer-Policy"]

    @pytest.mark.parametrize("moment", ["before", "meanwhile", "after"])
    def test_b11_an_inactive_user_does_not_get_in(self, moment, clock):
        user = get_user_model().objects.create_user("somebody")
        numbers.link(user, NUMBER)
        users = get_user_model().objects.filter(pk=user.pk)
        browser = Browser()
        if moment == "before":
            users.update(is_active=False)
        browser.ask()
        assert (0 if moment == "before" else 1,) == asked("start")
        if moment == "meanwhile":
            users.update(is_active=False)
        browser.type(code() if moment != "before" else "123456")
        if moment == "after":
            assert browser.logged_in
            users.update(is_active=False)
        else:
            assert (200, True) == (
                browser.page.status_code,
                "right. Check the latest message" in said(browser),
            )
        assert not browser.logged_in

    @pytest.mark.parametrize("right", ["is_staff", "is_superuser"])
    @pytest.mark.parametrize("moment", ["before", "meanwhile"])
    def test_b12_staff_do_not_get_in(self, right, moment):
        user = get_user_model().objects.create_user("somebody")
        numbers.link(user, NUMBER)
        users = get_user_model().objects.filter(pk=user.pk)
        if moment == "before":
            users.update(**{right: True})
        browser = Browser()
        assert 302 == browser.ask().status_code
        assert (0 if moment == "before" else 1,) == asked("start")
        users.update(**{right: True})
        browser.type(code() if moment == "meanwhile" else "123456")
        assert (200, False) == (browser.page.status_code, browser.logged_in)

    def test_b14_the_way_back_leads_to_nothing(self):
        browser = Browser()
        browser.log_in()
        browser.get(CODE)
        assert 302 == browser.page.status_code
        shown = next(
            page for page in browser.pages if page.status_code == 200 and b'name="code"' in page.content
        )
        assert "no-store" in shown.headers["Cache-Control"]

    def test_b15_a_form_of_another_attempt_is_out_of_date(self):
        browser = Browser()
        browser.ask(NUMBER)
        browser.get(CODE)
        stale = {**browser.hidden(), "code": code(NUMBER)}
        browser.ask(OTHER)
        browser.post(CODE, {**stale, "csrfmiddlewaretoken": browser.cookies["csrftoken"]})
        assert "out of date" in said(browser)
        assert (0, 0) == (row(NUMBER).guesses, row(OTHER).guesses)

    def test_b19_a_user_deleted_meanwhile_breaks_nothing(self, settings):
        configure(settings, SIGNUP=False, LIMITS={})
        user = get_user_model().objects.create_user("somebody")
        numbers.link(user, NUMBER)
        browser = Browser()
        browser.ask()
        user.delete()
        browser.type(code())
        assert (200, False) == (browser.page.status_code, browser.logged_in)
        assert "right. Check the latest message" in said(browser)


ONE = "+14155550101"


class TestNumbers:
    @pytest.mark.parametrize(
        ("case", "spelling"),
        [("1", "(415) 555-0101"), ("1", "415.555.0101"), ("1", "0014155550101"),
         ("1", "+1\u00a0415\u2009555\u20130101"),
         ("1", "+1 (415) 555 0101"), ("2", "+١٤١٥٥٥٥٠١٠١"), ("2", "＋１４１５５５５０１０１"), ("2", "+𝟏𝟒𝟏𝟓𝟓𝟓𝟓𝟎𝟏𝟎𝟏"),
         ("3", "\u202a+1 415 555 0101\u202c"), ("3", "\ufeff+14155550101 ")],
    )  # fmt: skip
    def test_d1_d2_d3_spellings_of_one_number_are_one_number(self, case, spelling):
        browser = Browser()
        assert 302 == browser.ask(spelling).status_code, case
        assert [ONE] == [message.to for message in support.emulator().messages()]

    def refuse(self, text):
        browser = Browser()
        assert 200 == browser.ask(text).status_code
        assert (0, 0) == (*asked("start"), VerificationAttempt.objects.count())

    @pytest.mark.parametrize("mark", ["\u200b", "\u202e", "\ufeff", "\u00ad", "\x00", "\r\n", "\u2066"])
    def test_d3_a_number_with_something_hidden_inside_is_refused(self, mark):
        self.refuse(f"+1415{mark}5550101")

    @pytest.mark.parametrize(
        "text", ["1-800-FLOWERS", "abc +14155550101 def", "+1 415 555 TEST", "+14155550101x"]
    )
    def test_d4_letters_are_refused(self, text):
        self.refuse(text)

    @pytest.mark.parametrize(
        "text",
        ["+14155550101;ext=9", "+14155550101 x99", "tel:+14155550101", "tel:5550101;phone-context=+1415",
         "+14155550101,99", "+14155550101/02", "+14155550101;isub=1", "+14155550101 +14155550102"],
    )  # fmt: skip
    def test_d5_extensions_and_second_numbers_are_refused(self, text):
        self.refuse(text)

    @pytest.mark.parametrize(
        ("text", "sent"), [("+39 312 345 6789", "+393123456789"), ("+225 01 23 45 67 89", "+2250123456789")]
    )
    def test_d6_zeros_that_belong_to_a_number_stay(self, text, sent):
        Browser().ask(text)
        assert [sent] == [message.to for message in support.emulator().messages()]

    @pytest.mark.parametrize("length", [65, 10**4, 10**6])
    def test_d8_nothing_long_is_read(self, length):
        self.refuse("+1415555" + "0" * length)

    @pytest.mark.parametrize(
        "text",
        [
            "+44 9012 345678",
            "+44 843 412 3456",
            "+44 70 1234 5678",
            "+1 800 555 0101",
            "112",
            "+44 20 7946 0958",
        ],
    )
    def test_d9_numbers_that_cost_or_are_no_mobile_are_refused(self, text):
        self.refuse(text)

    @pytest.mark.parametrize("text", ["+870 773 111 632", "+881 612 345 678", "+883 510 001 410 5"])
    def test_d10_numbers_of_no_country_are_refused(self, text):
        self.refuse(text)

    @pytest.mark.parametrize(
        ("served", "text"),
        [("US", "+1 876 210 1234"), ("US", "+1 809 234 5678"), ("US", "+49 1760 4069000"), ("GB", "+44 7624 312345"),
         ("GB", "+44 7781 123456"), ("RU", "+7 771 000 9998")],
    )  # fmt: skip
    def test_d11_a_country_code_is_no_country(self, settings, served, text):
        configure(settings, COUNTRIES=[served], LIMITS={})
        self.refuse(text)


class TestCost:
    @committing
    def test_e1_another_code_waits_thirty_seconds_and_is_sent_once(self, settings, clock):
        configure(
            settings,
            CHANNELS=["sms", "sms", "voice"],
            LIMITS={"sends_per_ip": "100/h", "sends_per_session": "100/h"},
        )
        browser = Browser()
        browser.ask()
        clock.shift(29)
        assert 429 == browser.advance().status_code
        clock.shift(2)
        browser.get(CODE)
        fields = browser.hidden()
        together(8, lambda _index: browser.twin().post(ADVANCE, fields).status_code)
        assert (1, 1) == asked("start", "advance")

    @committing
    @pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "at once"])
    def test_e2_sends_of_an_address_are_limited(self, settings, at_once):
        configure(settings, LIMITS={"sends_per_ip": "5/h"})

        def ask(index):
            return Browser(HTTP_X_FORWARDED_FOR=f"203.0.113.{index}").ask(f"+1415555011{index}").status_code

        told = together(9, ask) if at_once else [ask(index) for index in range(9)]
        assert (5, 4) == (told.count(302), told.count(429))
        assert (5,) == asked("start")

    def test_e2_sends_of_a_session_are_limited(self):
        browser = Browser()
        told = [browser.ask(f"+1415555011{index}").status_code for index in range(7)]
        assert [302] * 5 + [429] * 2 == told

    def test_e3_neighbours_share_a_limit(self, settings):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "LIMITS": {}}
        told = [another(index).ask(f"+141555501{index:02d}").status_code for index in range(12)]
        assert [302] * 5 + [429] * 7 == told
        assert (5,) == asked("start")

    def test_e4_a_block_from_which_no_code_comes_back_is_closed(self, settings, clock):
        configure(settings, PUMPING_GUARD="enforce", LIMITS={})
        for index in range(10):
            another(index).ask(f"+141555501{index:02d}")
        clock.shift(601)
        assert 429 == another(50).ask("+14155550150").status_code
        assert (10,) == asked("start")
        assert 1 == AttemptEvent.objects.filter(kind=EventKind.PUMPING).count()
        clock.shift(3601)
        assert 302 == another(50).ask("+14155550150").status_code

    def test_e5_the_site_has_a_budget_and_codes_on_their_way_work(self, settings):
        configure(settings, LIMITS={"sends_per_site": "3/h"})
        browsers = [another(index) for index in range(5)]
        told = [browser.ask(f"+1415555011{index}").status_code for index, browser in enumerate(browsers)]
        assert [302, 302, 302, 429, 429] == told
        browsers[1].type(code("+14155550111"))
        assert browsers[1].logged_in

    def test_e6_a_call_needs_a_message_before_it_and_a_minute(self, clock):
        browser = Browser()
        browser.get(LOGIN)
        browser.fill(ADVANCE)
        assert (0, 0) == asked("start", "advance")
        browser.ask()
        clock.shift(59)
        assert 429 == browser.advance().status_code
        clock.shift(2)
        assert 302 == browser.advance().status_code
        assert ["sms", "voice"] == [message.channel for message in support.emulator().messages(NUMBER)]

    def test_e6_two_calls_a_day(self, clock):
        for index in range(3):
            browser = another(index)
            browser.ask()
            clock.shift(61)
            browser.advance()
            clock.shift(1200)
        channels = [message.channel for message in support.emulator().messages(NUMBER)]
        assert (3, 2) == (channels.count("sms"), channels.count("voice"))

    def test_e7_giving_up_gives_nothing_back(self, clock):
        told = []
        for index in range(7):
            browser = another(index)
            told.append(browser.ask().status_code)
            clock.shift(310)
            browser.cancel()
        assert (5,) == asked("start")
        assert 5 == support.used("sends_per_number", NUMBER)
        assert 429 == told[-1]

    def test_e9_neither_prune_nor_erase_resets_a_limit(self, clock):
        another(1).ask()
        clock.shift(301)
        call_command("passwordless_prune", stdout=io.StringIO())
        call_command("passwordless_erase", NUMBER, stdout=io.StringIO())
        assert 1 == support.used("sends_per_number", NUMBER)
        assert 1 == support.used("sends_per_ip", "198.51.100.11")

    @pytest.mark.parametrize("method", ["get", "head", "options"])
    def test_e10_only_a_post_sends(self, method):
        client = Client(HTTP_SEC_PURPOSE="prefetch")
        for path in (LOGIN, CODE, ADVANCE, CANCEL):
            getattr(client, method)(path, {"number": NUMBER} if method != "options" else None)
        assert (0,) == asked("start")
        assert 0 == VerificationAttempt.objects.count()


FORGED = [
    "X_FORWARDED_FOR", "X_REAL_IP", "FORWARDED", "CF_CONNECTING_IP", "TRUE_CLIENT_IP", "CLIENT_IP",
]  # fmt: skip


def address_seen(**extra):
    browser = Browser(**extra)
    browser.ask(f"+1415555{1000 + VerificationAttempt.objects.count():04d}")
    return VerificationAttempt.objects.latest("pk").ip


class TestNetwork:
    @pytest.mark.parametrize("header", FORGED)
    def test_f1_no_header_changes_the_address(self, header):
        assert "198.51.100.1" == address_seen(**{f"HTTP_{header}": "203.0.113.9"})

    @pytest.mark.parametrize(
        ("count", "sent", "seen"),
        [(1, "203.0.113.9", "203.0.113.9"), (1, "1.1.1.1, 203.0.113.9", "203.0.113.9"),
         (2, "1.1.1.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"), (2, "203.0.113.9", "198.51.100.1"),
         (1, "", "198.51.100.1"), (1, "1.1.1.1, rubbish", None), (1, " 203.0.113.9 ", "203.0.113.9"),
         (1, "fe80::1%eth0", "fe80::1"), (1, "2001:db8::1", "2001:db8::1")],
    )  # fmt: skip
    def test_f1_behind_proxies_of_ours_the_outermost_tells(self, settings, count, sent, seen):
        configure(settings, TRUSTED_PROXY_COUNT=count, LIMITS={})
        assert seen == address_seen(HTTP_X_FORWARDED_FOR=sent)

    def test_f1_without_the_header_the_peer_counts(self, settings):
        configure(settings, TRUSTED_PROXY_COUNT=1, LIMITS={})
        assert "198.51.100.1" == address_seen()

    def test_f2_one_network_of_ipv6_is_one_address(self, settings):
        configure(settings, LIMITS={"sends_per_ip": "3/h"})
        told = [Browser(ip=f"2001:db8:1:2::{n}").ask(f"+1415555011{n}").status_code for n in range(6)]
        assert (3, 3) == (told.count(302), told.count(429))
        assert 302 == Browser(ip="2001:db8:1:3::1").ask("+14155550119").status_code

    @pytest.mark.parametrize("address", ["", "unix:", "@", "rubbish"])
    def test_f3_those_without_an_address_share_one_limit(self, settings, address):
        configure(settings, LIMITS={"sends_per_ip": "2/h"})
        told = [Browser(ip=address).ask(f"+1415555011{n}").status_code for n in range(4)]
        assert [302, 302, 429, 429] == told

    def test_f4_a_foreign_host_is_refused_and_no_address_is_built_of_it(self):
        browser = Browser()
        assert 400 == browser.get(LOGIN, HTTP_HOST="evil.com").status_code
        browser.log_in()
        moved = [page.headers["Location"] for page in browser.pages if "Location" in page.headers]
        assert moved
        assert all(re.match(r"/(?!/)", location) for location in moved)

    def test_f5_nothing_of_the_flow_may_be_stored(self):
        browser = Browser()
        browser.ask()
        browser.type(wrong())
        browser.cancel()
        browser.ask(OTHER)
        browser.type(code(OTHER))
        browser.get("/login/done/")
        assert len(browser.pages) > 8
        for page in browser.pages:
            assert {"no-store", "private"} <= set(page.headers["Cache-Control"].split(", ")), page.request
            assert "Cookie" in page.headers.get("Vary", "Cookie")

    def test_f5_a_cache_of_the_site_keeps_the_pages_of_two_apart(self, settings):
        cache = "django.middleware.cache"
        settings.MIDDLEWARE = [
            f"{cache}.UpdateCacheMiddleware",
            *settings.MIDDLEWARE,
            f"{cache}.FetchFromCacheMiddleware",
        ]
        one, other = another(1), another(2)
        one.ask(NUMBER)
        one.get(CODE)
        other.ask(OTHER)
        other.get(CODE)
        assert ("555-0101" in said(one), "555-0101" in said(other)) == (True, False)

    def test_f6_no_page_can_be_framed(self):
        browser = Browser()
        browser.log_in()
        browser.get("/login/done/")
        for page in browser.pages:
            assert "DENY" == page.headers["X-Frame-Options"]
            assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]

    def test_f7_pages_have_nothing_inline(self):
        browser = Browser()
        browser.ask()
        browser.type(wrong())
        for page in browser.pages:
            text = page.content.decode()
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text)

    def test_f8_no_number_is_in_an_address(self, clock):
        browser = Browser()
        browser.ask(next="/private/")
        browser.type(wrong())
        clock.shift(61)
        browser.advance()
        browser.cancel(to="login")
        browser.log_in(OTHER)
        told = [
            f"{page.request['PATH_INFO']}?{page.request['QUERY_STRING']} {page.headers}"
            for page in browser.pages
        ]
        told += [
            " ".join(re.findall(r'(?:href|action)="([^"]*)"', page.content.decode()))
            for page in browser.pages
        ]
        assert not [line for line in told if re.search("415.?555|555010", line)]

    @pytest.mark.parametrize(
        "path", [LOGIN, CODE, ADVANCE, CANCEL, "/logout/", "/webhooks/vonage/", "/login/done/"]
    )
    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
    def test_f9_other_methods_are_refused(self, path, method):
        browser = Browser()
        browser.ask()
        if path == "/login/done/":
            browser.type(code())
        browser.client.handler.enforce_csrf_checks = False
        answer = browser.client.generic(method, path)
        assert 405 == answer.status_code
        assert {"PUT", "DELETE", "PATCH", "TRACE"}.isdisjoint(answer.headers["Allow"].split(", "))

    def test_f10_of_two_numbers_one_is_judged_and_sent_to(self):
        browser = Browser()
        browser.ask(["+870776123456", NUMBER])
        assert (1,) == asked("start")
        assert [NUMBER] == [message.to for message in support.emulator().messages()]
        assert NUMBER == VerificationAttempt.objects.get().number


class Lines(logging.Handler):
    def __init__(self):
        super().__init__(logging.DEBUG)
        self.told = []

    def emit(self, record):
        self.told.append(record.getMessage())


@pytest.fixture
def lines():
    """Listen to all that is logged at any level."""
    root, handler, level = logging.getLogger(), Lines(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.told
    root.removeHandler(handler)
    root.setLevel(level)


LIST = "/admin/passwordless/verificationattempt/"


class TestLeaksAndAudit:
    def test_j1_a_login_leaves_neither_code_nor_number_in_a_log(self, lines):
        browser = Browser()
        browser.ask()
        browser.type(wrong())
        browser.type(code())
        found = row()
        used = [NUMBER[1:], "555-0101", code(), wrong(), found.request_id, found.key]
        text = "\n".join(lines)
        assert lines
        assert not [word for word in used if word in text]

    def test_j2_the_mail_about_a_crash_holds_neither(self, settings):
        settings.ADMINS = support.admins()
        from django.utils.log import AdminEmailHandler

        handler = AdminEmailHandler(include_html=True)
        logging.getLogger("django.request").addHandler(handler)
        mail.outbox = []
        browser = Browser()
        browser.client.raise_request_exception = False
        browser.ask()

        def fail(**told):
            raise RuntimeError("of the site")

        user_logged_in.connect(fail)
        try:
            assert 500 == browser.type(code()).status_code
        finally:
            user_logged_in.disconnect(fail)
            logging.getLogger("django.request").removeHandler(handler)
        text = "".join(f"{letter.subject}{letter.body}{letter.alternatives}" for letter in mail.outbox)
        assert "of the site" in text
        assert not [word for word in (NUMBER[1:], "555-0101", code()) if word in text]

    def test_j3_nothing_forges_a_line(self, lines):
        browser = Browser(agent="Agent\r\nINFO forged\x1b[31m\u202e")
        browser.ask("+1415\r\nINFO forged")
        browser.ask()
        browser.get("/login/code/%0d%0aINFO%20forged")
        assert not [line for line in lines if re.search(r"[\r\n\x1b]", line)]
        assert row().agent.isprintable()

    def test_j4_receivers_of_a_failure_get_no_digits(self):
        heard = []
        user_login_failed.connect(receiver := lambda **told: heard.append(told["credentials"]))
        try:
            browser = Browser()
            browser.ask()
            browser.type(wrong())
        finally:
            user_login_failed.disconnect(receiver)
        assert 1 == len(heard)
        assert not re.search(r"\d{4}", repr(heard))

    @pytest.mark.parametrize("way", ["add/", "{pk}/change/", "{pk}/delete/"])
    def test_j5_the_audit_cannot_be_changed(self, root, way):
        another(1).ask()
        found = row()
        before = VerificationAttempt.objects.values().get()
        path = LIST + way.format(pk=found.pk)
        forged = {"number": OTHER, "status": Status.VERIFIED, "guesses": 0, "post": "yes", "_save": "Save"}
        assert 403 == root.post(path, forged).status_code
        assert before == VerificationAttempt.objects.values().get()

    def test_j5_nor_by_an_action_or_in_the_list(self, root):
        another(1).ask()
        found = row()
        before = VerificationAttempt.objects.values().get()
        root.post(LIST, {"action": "delete_selected", "_selected_action": found.pk, "post": "yes"})
        root.post(LIST, {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": found.pk,
                         "form-0-status": "verified", "_save": "Save"})  # fmt: skip
        assert before == VerificationAttempt.objects.values().get()

    def test_j6_staff_see_the_last_three_digits(self, root):
        Browser().log_in()
        for path in (LIST, f"{LIST}{row().pk}/change/", "/admin/passwordless/phonenumber/"):
            page = root.get(path).content.decode()
            assert "••• 101" in page
            assert not re.search("415.?555|5550101", page)

    def test_j8_a_search_for_a_number_puts_none_into_an_address(self, root):
        another(1).ask()
        for path in (LIST, "/admin/passwordless/phonenumber/"):
            page = root.get(path).content.decode()
            form = re.search(r'<form id="changelist-search"[^>]*>', page)
            assert form is None or 'method="post"' in form[0].lower(), path

    def test_j8_objects_are_named_by_nothing_that_is_a_number(self, root):
        Browser().log_in()
        for path in (LIST, "/admin/passwordless/phonenumber/"):
            links = re.findall(r'href="([^"]*)"', root.get(path).content.decode())
            assert not [link for link in links if "5550101" in link]

    def test_j9_what_strangers_send_is_escaped(self, root):
        Browser(agent="<script>alert(1)</script>").ask()
        for path in (LIST, f"{LIST}{row().pk}/change/"):
            assert "<script>alert(1)" not in root.get(path).content.decode()

    def test_j10_prune_forgets_the_old_and_touches_nothing_open(self, clock):
        Browser().log_in()
        clock.shift(timedelta(days=181).total_seconds())
        another(1).ask(OTHER)
        counters = support.counters()
        call_command("passwordless_prune", stdout=io.StringIO())
        call_command("passwordless_prune", stdout=io.StringIO())
        assert [OTHER] == list(VerificationAttempt.objects.values_list("number", flat=True))
        live = {bucket.key for bucket in limits.buckets("sends_per_number", OTHER)}
        assert live <= set(Counter.objects.values_list("key", flat=True)) <= set(counters)

    def test_j11_one_person_is_forgotten_everywhere(self):
        Browser().log_in()
        call_command("passwordless_erase", NUMBER, stdout=io.StringIO())
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - our tables
                assert NUMBER not in repr(cursor.fetchall()), table
        left = VerificationAttempt.objects.get()
        assert ("US", True) == (left.country, bool(left.number_tag))

    def test_j13_the_names_of_secrets_are_hidden_by_django(self, settings):
        from django.views.debug import SafeExceptionReporterFilter

        told = SafeExceptionReporterFilter().cleanse_setting(
            "PASSWORDLESS",
            dict.fromkeys(["API_SECRET", "PRIVATE_KEY", "SIGNATURE_SECRET", "API_KEY"], "Secret4"),
        )
        assert "Secret4" not in repr(told)

    def test_j14_every_outcome_is_in_the_audit(self, clock):
        browser = Browser()
        browser.ask()
        clock.shift(1)
        browser.type(wrong())
        clock.shift(1)
        browser.type(code())
        told = [EventKind.ASKED, EventKind.SENT, EventKind.GUESSED, EventKind.VERIFIED]
        assert told == [event.kind for event in row().timeline()]
        event = row().events.get(kind=EventKind.VERIFIED)
        assert ("198.51.100.1", BEGIN + timedelta(seconds=2), "Firefox") == (event.ip, event.at, event.agent)

    @committing
    def test_j14_nobody_gets_in_where_the_audit_cannot_be_written(self):
        browser = Browser()
        browser.client.raise_request_exception = False
        browser.ask()
        table, kept = AttemptEvent._meta.db_table, "kept_for_a_while"
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} RENAME TO {kept}")
        try:
            browser.type(code())
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER TABLE {kept} RENAME TO {table}")
        assert not browser.logged_in
        assert Status.VERIFIED != row().status


@committing
@pytest.mark.parametrize("table", [Counter, VerificationAttempt], ids=["counters", "attempts"])
def test_i13_where_nothing_can_be_counted_nothing_is_sent_or_checked(table):
    browser = Browser()
    browser.client.raise_request_exception = False
    browser.ask(OTHER)
    browser.get(CODE)
    name, kept = table._meta.db_table, "kept_for_a_while"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} RENAME TO {kept}")
    try:
        checked = browser.fill(CODE, code=code(OTHER)).status_code
        started = browser.ask().status_code
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {kept} RENAME TO {name}")
    assert (True, True) == (checked >= 500, started >= 500)
    assert (1, 0) == asked("start", "check")
    assert not browser.logged_in


class TestNotOffered:
    @pytest.mark.parametrize("case", NOT_OFFERED)
    def test_its_addresses_are_absent(self, client, root, case):
        _what, paths = NOT_OFFERED[case]
        for path in paths:
            assert client.post(path, "{}", "application/json").status_code in (302, 404), path
            answer = root.get(path)
            # The admin leads what it takes for the unknown id of a row, or of a model, elsewhere.
            assert 404 == answer.status_code or b"" == answer.content, path

    def test_the_app_has_these_addresses_and_no_other(self):
        assert all(isinstance(pattern, URLPattern) for pattern in our_urls.urlpatterns)
        assert {
            "login/", "login/code/", "login/advance/", "login/cancel/", "login/done/", "logout/", "webhooks/vonage/",
        } == {str(pattern.pattern) for pattern in our_urls.urlpatterns}  # fmt: skip
        assert get_resolver().reverse_dict

    def test_there_are_no_settings_for_it(self):
        words = (
            "RISK",
            "CHALLENGE",
            "CAPTCHA",
            "STEP",
            "SECOND",
            "DORMANT",
            "API_BODY",
        )
        assert [] == [name for name in DEFAULTS if any(word in name for word in words)]

    def test_the_verbs_are_these(self):
        verbs = {
            "advance",
            "attempt_of",
            "cancel",
            "check",
            "erase",
            "hear",
            "next_step",
            "prune",
            "start",
            "unlock",
            "unlock_block",
        }
        assert verbs == set(flow.__all__)
