"""Section I of the promises: Vonage misbehaving in every way it can, over a real socket."""

from __future__ import annotations

import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from django.contrib.auth.models import User
from django.test import Client

from passwordless import gateway
from passwordless.models import PhoneNumber, VerificationAttempt
from passwordless.states import Reason, Status
from passwordless.vonage.breaker import FAILURES
from passwordless.vonage.emulator import Emulator, serve
from tests import support
from tests.services import free_port
from tests.support import configure
from tests.vonage.wire import drips, drops, raw, says, serving, silent

NUMBER = support.NUMBER
LOGIN, CODE, ADVANCE, CANCEL = "/login/", "/login/code/", "/login/advance/", "/login/cancel/"
TICKET = re.compile(rb'name="ticket" value="([0-9a-f]{32})"')
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([0-9A-Za-z]+)"')
ID = "c11236f4-00bf-4b89-84ba-88b25df97315"
STARTED = says(f'{{"request_id": "{ID}"}}'.encode(), "202 Accepted")


def renew():
    """Forget every gateway, and how it fared."""
    for client in gateway._clients.values():
        client.close()
    for built in (gateway._built, gateway._clients, gateway._breakers):
        built.clear()


@pytest.fixture
def at(settings):
    """Return how to have the site ask another address than Vonage's."""

    def point(url, **changes):
        renew()
        deadlines = {"CONNECT_TIMEOUT": 0.5, "START_TIMEOUT": 0.5, "CHECK_TIMEOUT": 0.5}
        keys = {"EMULATOR": False, "API_KEY": "abcd1234", "API_SECRET": "of the tests"}
        configure(settings, **keys, API_HOST=url, **{**deadlines, **changes})

    yield point
    renew()


@pytest.fixture
def vonage(at):
    """The emulator behind a socket."""
    emulator = Emulator()
    server = serve(emulator)
    emulator.url = server.url
    at(server.url)
    yield emulator
    renew()
    server.shutdown()


class Browser:
    """A visitor who does what the pages offer and never meets a page that broke."""

    def __init__(self, number=NUMBER, ip="198.51.100.1"):
        self.client, self.number = Client(REMOTE_ADDR=ip), number

    def start(self):
        return self._see(self.client.post(LOGIN, {"number": self.number}))

    def page(self):
        return self._see(self.client.get(CODE))

    def guess(self, code):
        return self._see(self.client.post(CODE, {"code": code, "ticket": self.ticket()}))

    def advance(self):
        return self._see(self.client.post(ADVANCE, {"ticket": self.ticket()}))

    def cancel(self):
        return self._see(self.client.post(CANCEL, {"ticket": self.ticket()}))

    def ticket(self):
        return TICKET.search(self.page().content)[1].decode()

    @property
    def inside(self):
        return "_auth_user_id" in self.client.session

    @staticmethod
    def _see(response):
        assert 500 != response.status_code
        return response


def row():
    return VerificationAttempt.objects.get()


def timed(act):
    began = time.monotonic()
    result = act()
    return result, time.monotonic() - began


# I1


@pytest.mark.parametrize("host", ["refused", "without a name", "no TLS"])
def test_i1_without_a_connection_everybody_is_told_to_come_back(host, at, db):
    with serving() as wire:
        hosts = {
            "refused": f"http://127.0.0.1:{free_port()}",
            "without a name": "vonage.invalid",
            "no TLS": f"127.0.0.1:{wire.port}",
        }
        at(hosts[host], START_TIMEOUT=3.0)
        browser = Browser()
        answer = browser.start()
        assert (503, True) == (answer.status_code, b"problem on our side" in answer.content)
        assert wire.connections <= 2
    assert (Status.REFUSED, Reason.UNAVAILABLE, None) == (row().status, row().reason, row().live_number)
    assert not browser.inside


def test_i1_a_click_connects_twice_at_most(at, db):
    with serving() as wire:
        at(wire.url)
        Browser().start()
        assert 1 <= wire.connections <= 2


# I2, I3


@pytest.mark.parametrize("verb", ["start", "check"])
@pytest.mark.parametrize("trouble", ["hang", "hang_after", "drip_headers", "drip_body"])
def test_i2_i3_the_deadline_holds_whatever_drips(trouble, verb, vonage, db):
    browser = Browser()
    if verb == "check":
        browser.start()
    code = support_code(vonage) if verb == "check" else ""
    vonage.faults.add(trouble, verb, seconds=0.2 if "drip" in trouble else 20)
    answer, took = timed(browser.start if verb == "start" else lambda: browser.guess(code))
    assert 503 == answer.status_code
    assert took < 2.5
    assert 1 == vonage.count(verb)
    assert not browser.inside


def support_code(emulator, number=NUMBER):
    return emulator.messages(number)[-1].code


def wrong(emulator, number=NUMBER):
    return f"{(int(support_code(emulator, number)) + 1) % 10**6:06d}"


# I4


@pytest.mark.parametrize("verb", ["start", "check", "advance", "cancel"])
@pytest.mark.parametrize("trouble", ["drop_before", "drop_after", "hang_after"])
def test_i4_nothing_is_sent_twice(trouble, verb, vonage, db):
    browser = Browser()
    with support.time_machine.travel(support.BEGIN, tick=False) as clock:
        if verb != "start":
            browser.start()
            clock.shift(61 if verb == "advance" else 31)
            vonage.clock.advance(0)
        vonage.faults.add(trouble, verb)
        acts = {"start": browser.start, "advance": browser.advance, "cancel": browser.cancel}
        acts.get(verb, lambda: browser.guess("123456"))()
    assert 1 == vonage.count(verb)


# I5

HTTP = [400, 401, 402, 403, 404, 405, 409, 410, 415, 418, 422, 429, 500, 502, 503, 504]
V1 = [*range(1, 11), *range(15, 21), 29, 101, 199]


@pytest.mark.parametrize("status", HTTP)
def test_i5_each_http_code_at_the_start(status, vonage, db):
    vonage.faults.add("status", "start", status=status)
    browser = Browser()
    assert browser.start().status_code in (200, 429, 503)
    assert (Status.REFUSED, None) == (row().status, row().live_number)
    assert row().reason not in ("", Reason.OK)
    assert CODE != browser.page().headers.get("Location", CODE)
    assert not browser.inside


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("status", HTTP)
def test_i5_each_http_code_at_the_check_lets_nobody_in(status, version, vonage, settings, db):
    configure(settings, VERIFY_VERSION=version)
    refuse_right_code(vonage, status)


@pytest.mark.parametrize("status", V1)
def test_i5_each_status_of_v1_at_the_check_lets_nobody_in(status, vonage, settings, db):
    configure(settings, VERIFY_VERSION=1)
    refuse_right_code(vonage, status)


def refuse_right_code(vonage, status):
    browser = Browser()
    browser.start()
    vonage.faults.add("status", "check", status=status)
    answer = browser.guess(support_code(vonage))
    assert answer.status_code in (200, 429, 503)
    assert (False, 1) == (browser.inside, vonage.count("check"))
    assert Status.VERIFIED != row().status
    assert 0 == User.objects.count()


@pytest.mark.parametrize("status", V1)
def test_i5_each_status_of_v1_at_the_start(status, vonage, settings, db):
    configure(settings, VERIFY_VERSION=1)
    vonage.faults.add("status", "start", status=status)
    browser = Browser()
    assert browser.start().status_code in (200, 429, 503)
    assert Status.REFUSED == row().status
    assert not browser.inside


@pytest.mark.parametrize("verb", ["advance", "cancel"])
@pytest.mark.parametrize("status", HTTP)
def test_i5_each_http_code_at_the_other_buttons(status, verb, vonage, db):
    browser = Browser()
    with support.time_machine.travel(support.BEGIN, tick=False) as clock:
        browser.start()
        clock.shift(61)
        vonage.faults.add("status", verb, status=status)
        assert (browser.advance if verb == "advance" else browser.cancel)().status_code in (
            200,
            302,
            429,
            503,
        )
        assert (1, False) == (vonage.count(verb), browser.inside)
        assert Status.CANCELLED != row().status


@pytest.mark.parametrize("version", [1, 2])
def test_i5_success_does_let_in(version, vonage, settings, db):
    configure(settings, VERIFY_VERSION=version)
    browser = Browser()
    browser.start()
    assert 302 == browser.guess(support_code(vonage)).status_code
    assert (True, Status.VERIFIED) == (browser.inside, row().status)


@pytest.mark.parametrize(("seconds", "told"), [("120", "120"), ("7", "60"), ("never", "60")])
def test_i5_throttled_visitors_are_told_when_to_come_back(seconds, told, at, db):
    with serving(says(b"{}", "429 Too Many Requests", f"Retry-After: {seconds}")) as wire:
        at(wire.url)
        answer = Browser().start()
    assert (503, told) == (answer.status_code, answer.headers["Retry-After"])


@pytest.mark.parametrize("status", [401, 402, 403, 422])
def test_i5_what_only_the_owner_can_mend_is_logged_without_the_number(status, vonage, caplog, db):
    vonage.faults.add("status", "start", status=status)
    Browser().start()
    (line,) = [
        record for record in caplog.records if record.levelname == "ERROR" and "serve" in record.message
    ]
    assert "0101" not in line.message
    assert f"v2 {status}" in line.message


# I6

SHAPES = ["html", "empty", "list", "null", "bad_json", "huge"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("verb", ["start", "check"])
@pytest.mark.parametrize("shape", SHAPES)
def test_i6_broken_answers_are_no_answer(shape, verb, version, vonage, settings, db):
    configure(settings, VERIFY_VERSION=version)
    browser = Browser()
    if verb == "check":
        browser.start()
    code = support_code(vonage) if verb == "check" else ""
    vonage.faults.add(shape, verb)
    answer = browser.start() if verb == "start" else browser.guess(code)
    assert 503 == answer.status_code
    assert (False, 1) == (browser.inside, vonage.count(verb))
    assert row().status in (Status.STARTING, Status.PENDING)


ODD = {
    "error in a 200": says(b'{"type": "about:blank", "title": "Invalid Code"}'),
    "yes by another name": says(b'{"status": "ok"}'),
    "a status that is no word": says(b'{"status": ["completed"]}'),
    "true": says(b"true"),
    "a number": says(b"0"),
    "deep": says(b'{"a":' * 20000 + b"1" + b"}" * 20000),
    "ten megabytes": says(b'{"status": "completed", "x": "' + b"x" * 10_000_000 + b'"}'),
    "shorter than told": raw(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"status": "completed"}'),
    "no content": says(b"", "204 No Content"),
    "not HTTP": raw(b"220 smtp.example ESMTP\r\n"),
    "accepted": says(b'{"status": "completed"}', "202 Accepted"),
    "an endless header": drips(b"HTTP/1.1 200 OK\r\nX-Long: "),
}


@pytest.mark.parametrize("odd", ODD)
def test_i6_no_odd_answer_lets_anybody_in(odd, at, db):
    with serving(STARTED, ODD[odd]) as wire:
        at(wire.url, CHECK_TIMEOUT=2.0)
        browser = Browser()
        assert 302 == browser.start().status_code
        assert 503 == browser.guess("123456").status_code
        assert (False, 2) == (browser.inside, len(wire.requests))


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"request_id": null}',
        b'{"request_id": 5}',
        b'{"request_id": "../../x"}',
        b'{"request_id": ""}',
    ],
)
def test_i6_a_start_without_an_id_is_lost(body, at, db):
    with serving(says(body, "202 Accepted")) as wire:
        at(wire.url)
        assert 503 == Browser().start().status_code
    assert (Status.STARTING, None) == (row().status, row().request_id)


def test_i6_v1_may_send_its_status_as_a_number(vonage, settings, db):
    configure(settings, VERIFY_VERSION=1)
    vonage.faults.add("integer_status", times=None)
    browser = Browser()
    browser.start()
    assert 302 == browser.guess(support_code(vonage)).status_code
    assert browser.inside


# I7, I8


@pytest.mark.parametrize("verb", ["start", "check"])
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent"])
def test_i7_redirects_are_not_followed(status, verb, at, db):
    with serving(says(b'{"status": "completed"}')) as thief:
        away = says(b"{}", status, f"Location: {thief.url}/v2/verify")
        with serving(*([away] if verb == "start" else [STARTED, away])) as wire:
            at(wire.url)
            browser = Browser()
            answer = browser.start() if verb == "start" else (browser.start(), browser.guess("123456"))[1]
        assert (503, 0, False) == (answer.status_code, thief.connections, browser.inside)


@pytest.mark.parametrize("version", [1, 2])
def test_i8_a_verdict_on_another_request_is_none(version, vonage, settings, db):
    configure(settings, VERIFY_VERSION=version)
    browser = Browser()
    browser.start()
    vonage.faults.add("other_request_id", "check")
    assert 503 == browser.guess(support_code(vonage)).status_code
    assert not browser.inside


# I9


@pytest.mark.parametrize("trouble", ["hang_after", "drop_after", "bad_json"])
def test_i9_a_lost_start_is_recovered_without_a_second_message(trouble, vonage, db):
    browser = Browser()
    with support.time_machine.travel(support.BEGIN, tick=False) as clock:
        vonage.faults.add(trouble, "start", seconds=None if trouble != "hang_after" else 20)
        assert 503 == browser.start().status_code
        code = support_code(vonage)
        assert 302 == browser.start().status_code
        assert 429 == browser.guess(code).status_code
        assert (0, False) == (vonage.count("check"), browser.inside)
        assert 1 == vonage.count("start")
        clock.shift(61)
        assert 302 == browser.start().status_code
        assert (2, 1) == (vonage.count("start"), len(vonage.messages(NUMBER)))
        assert 302 == browser.guess(code).status_code
        assert browser.inside


def test_i9_whoever_lost_a_start_and_asks_again_comes_to_the_code_page(vonage, db):
    """The message may arrive: the page for its code is there with the second try, and nothing more is sent."""
    browser = Browser()
    vonage.faults.add("drop_after", "start")
    assert 503 == browser.start().status_code
    assert 302 == browser.start().status_code
    assert 200 == browser.page().status_code
    assert 1 == vonage.count("start")


def test_i9_a_lost_verdict_costs_its_guess_and_lets_nobody_in(vonage, db):
    browser = Browser()
    browser.start()
    vonage.faults.add("hang_after", "check", seconds=20)
    code = support_code(vonage)
    assert 503 == browser.guess(code).status_code
    assert (1, Status.PENDING) == (row().guesses, row().status)
    browser.guess(code)
    assert not browser.inside
    assert 0 == User.objects.count()


# I10


def test_i10_an_outage_costs_five_calls_and_codes_sent_before_still_let_in(vonage, db):
    early = Browser(ip="198.51.100.9")
    early.start()
    vonage.faults.add("status", "start", None, status=503)
    answers = [Browser(f"+1415555{1100 + index}", f"198.51.101.{index}").start() for index in range(30)]
    assert {503} == {answer.status_code for answer in answers}
    assert 1 + FAILURES == vonage.count("start")
    assert 302 == early.guess(support_code(vonage)).status_code
    assert early.inside


def test_i10_an_open_circuit_gives_back_what_belongs_to_the_number(vonage, db):
    for _ in range(FAILURES):
        vonage.faults.add("status", "start", status=500)
    for index in range(FAILURES):
        Browser(f"+1415555{1100 + index}", f"198.51.101.{index}").start()
    answer = Browser().start()
    assert (503, "60") == (answer.status_code, answer.headers["Retry-After"])
    assert (Status.REFUSED, Reason.CIRCUIT_OPEN) == (support.latest().status, support.latest().reason)
    assert 0 == support.used("sends_per_number", NUMBER)


@pytest.mark.parametrize("signup", [True, False])
def test_i10_five_hanging_starts_open_it(signup, vonage, settings, db):
    configure(settings, SIGNUP=signup, START_TIMEOUT=0.1)
    renew()
    for index in range(FAILURES):
        number = f"+1415555{1100 + index}"
        user = User.objects.create_user(number)
        PhoneNumber.objects.create(user=user, number=number, verified_at=support.BEGIN)
    vonage.faults.add("hang", "start", None, seconds=5)
    shown = [Browser(f"+1415555{1100 + i}", f"198.51.101.{i}").start().status_code for i in range(FAILURES)]
    assert [503 if signup else 302] * FAILURES == shown
    answer, took = timed(Browser().start)
    assert 503 == answer.status_code
    assert took < 1.0
    assert FAILURES == vonage.count("start")


# The bulkhead (I2): every place hangs, and the site goes on


@pytest.fixture
def hanging(vonage, settings, transactional_db, live_server):
    """A site with threads whose Vonage does not answer; three calls at once are allowed."""
    configure(settings, MAX_CALLS=3, START_TIMEOUT=4.0, API_HOST=vonage.url)
    renew()
    vonage.faults.add("hang", "start", None, seconds=30)
    return live_server.url


def surf(url):
    session = requests.Session()
    session.trust_env = False
    session.url = url
    return session


def ask(session, number):
    page = session.get(f"{session.url}/login/", timeout=20).text
    data = {"number": number, "csrfmiddlewaretoken": TOKEN.search(page)[1]}
    return session.post(f"{session.url}/login/", data, timeout=20, allow_redirects=False)


@pytest.mark.parametrize("kind", ["real", "decoy"])
def test_i2_calls_that_hang_stop_no_page_and_the_next_start_is_told_at_once(kind, hanging, vonage, settings):
    decoy = kind == "decoy"
    configure(settings, SIGNUP=not decoy)
    if decoy:
        gateway.dialect()
        ((_, durations),) = gateway._breakers.values()
        durations.note("start", 3.0)
    visitors = [surf(hanging) for _ in range(5)]
    try:
        with ThreadPoolExecutor(3) as pool:
            stuck = [
                pool.submit(ask, visitor, f"+1415555{1200 + i}") for i, visitor in enumerate(visitors[:3])
            ]
            held = _held(3)
            pages, took = timed(
                lambda: [visitors[3].get(hanging + path, timeout=20).status_code for path in (LOGIN, "/")]
            )
            refused, told = timed(lambda: ask(visitors[4], "+14155551300"))
            waiting = [one.done() for one in stuck]
            statuses = {one.result(20).status_code for one in stuck}
    finally:
        for visitor in visitors:
            visitor.close()
    assert (True, [200, 200], 503) == (held, pages, refused.status_code)
    assert [False] * 3 == waiting
    assert took + told < 2.5
    assert {302 if decoy else 503} == statuses
    assert (0 if decoy else 3) == vonage.count("start")


def _held(calls):
    """Return whether so many calls are under way, within ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if calls <= sum(map(_is_calling, sys._current_frames().values())):
            return True
        threading.Event().wait(0.02)
    return False


def _is_calling(frame):
    while frame is not None and not frame.f_code.co_filename.endswith("/vonage/calls.py"):
        frame = frame.f_back
    return frame is not None


# I12, I17


def test_i12_a_code_found_right_whose_worker_died_lets_nobody_in_later(vonage, db):
    browser = Browser()
    with support.time_machine.travel(support.BEGIN, tick=False) as clock:
        browser.start()
        code = support_code(vonage)
        vonage.faults.add("drop_after", "check")
        browser.guess(code)
        VerificationAttempt.objects.update(status=Status.CHECKING)
        assert 429 == browser.guess(code).status_code
        clock.shift(30)
        browser.guess(code)
        assert (False, Status.FAILED) == (browser.inside, row().status)
        assert 302 == browser.advance().status_code
        assert 302 == browser.guess(support_code(vonage)).status_code
        assert browser.inside


def test_i17_a_new_secret_key_between_start_and_check_strands_nobody(vonage, settings, db):
    browser = Browser()
    browser.start()
    browser.guess(wrong(vonage))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next one of the tests, which keep nothing either"
    assert 302 == browser.guess(support_code(vonage)).status_code
    assert browser.inside


def test_i17_counters_survive_a_new_secret_key(vonage, settings, db):
    configure(settings, RESEND_WAITS=[0], LIMITS={"sends_per_number": "2/h"})
    with support.time_machine.travel(support.BEGIN, tick=False) as clock:
        for _ in range(2):
            assert 302 == Browser().start().status_code
            clock.shift(400)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "the next one of the tests, which keep nothing either"
        assert 429 == Browser().start().status_code


def test_i3_a_wire_that_only_listens_is_left_at_the_deadline(at, db):
    with serving(silent) as wire:
        at(wire.url)
        answer, took = timed(Browser().start)
    assert 503 == answer.status_code
    assert 0.5 <= took < 2.5


def test_i4_a_wire_that_hangs_up_hears_one_request(at, db):
    with serving(drops) as wire:
        at(wire.url)
        assert 503 == Browser().start().status_code
        assert 1 == len(wire.requests)
