"""Section C of the promises: where sign-up is closed, nobody learns which numbers have users."""

from __future__ import annotations

import re
import statistics
import threading
import time
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from passwordless import flow, gateway, phones
from passwordless.backends import PhoneBackend
from passwordless.flow.asker import Asker
from passwordless.flow.meeting import meet
from passwordless.models import PhoneNumber, VerificationAttempt
from passwordless.outcomes import Handle, Visitor
from passwordless.states import Purpose, Status
from passwordless.vonage import circuit
from passwordless.vonage.emulator import Emulator, serve
from passwordless.vonage.inprocess import WsgiAdapter
from tests import support
from tests.settings import WIDE
from tests.support import configure

LOGIN, CODE, ADVANCE, CANCEL = "/login/", "/login/code/", "/login/advance/", "/login/cancel/"
NUMBERS = {
    "known": "+14155550101",
    "unknown": "+14155550102",
    "inactive": "+14155550103",
    "staff": "+14155550104",
    "superuser": "+14155550105",
    "not allowed": "+14155550106",
}
STRANGERS = [name for name in NUMBERS if name != "known"]
TICKET = re.compile(rb'name="ticket" value="([0-9a-f]{32})"')
NONCES = [
    (re.compile(r'(name="csrfmiddlewaretoken" value=")[A-Za-z0-9]{64}'), r"\1TOKEN"),
    (re.compile(r'(name="ticket" value=")[0-9a-f]{32}'), r"\1TICKET"),
    (re.compile(r"(csrftoken=)[A-Za-z0-9]+"), r"\1TOKEN"),
    (re.compile(r"(sessionid=)[a-z0-9]+"), r"\1SESSION"),
    # Encrypted, so that its length is all it could tell.
    (re.compile(r"(passwordless_attempt=)([\w-]+)"), lambda found: found[1] + "x" * len(found[2])),
    (re.compile("(the reference is \u2066)[a-z0-9]{8}(?=\u2069)"), r"\1REFERENCE"),
]


class Choosy(PhoneBackend):
    """A site that lets in whom it likes."""

    def may_log_in(self, user):
        return user.username != "not allowed"


@pytest.fixture
def clock():
    with support.world() as clock:
        yield clock


@pytest.fixture
def closed(settings, db, clock, monkeypatch):
    """A site that takes no newcomers, with one user of each kind."""
    monkeypatch.setattr(circuit, "USUAL", 0.0)
    configure(settings, SIGNUP=False)
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Choosy"]
    for name, number in NUMBERS.items():
        if name != "unknown":
            person(number, name)
    return settings


def person(number, name):
    rank = {"is_staff": name == "staff", "is_superuser": name == "superuser"}
    user = User.objects.create_user(name, is_active=name != "inactive", **rank)
    PhoneNumber.objects.create(user=user, number=number, verified_at=support.BEGIN)
    return user


class Jar:
    """A browser of one visitor, who asks for one number and keeps every answer."""

    def __init__(self, number, clock, ip):
        self.number, self.clock, self.seen = number, clock, []
        self.client = Client(enforce_csrf_checks=True, REMOTE_ADDR=ip)

    def get(self, path):
        self._keep(self.client.get(path))

    def post(self, path, **fields):
        token = self.client.cookies["csrftoken"].value
        self._keep(self.client.post(path, {"csrfmiddlewaretoken": token, **fields}))

    def _keep(self, response):
        self.seen.append(response)
        found = TICKET.search(response.content)
        self.ticket = found[1].decode() if found else getattr(self, "ticket", "")

    def start(self):
        self.get(LOGIN)
        self.post(LOGIN, number=self.number)
        self.get(CODE)

    def guess(self):
        self.post(CODE, code=support.wrong(self.number), ticket=self.ticket)

    def advance(self):
        self.post(ADVANCE, ticket=self.ticket)
        self.get(CODE)

    def cancel(self):
        self.post(CANCEL, ticket=self.ticket)
        self.get(CODE)

    def later(self, seconds):
        self.clock.shift(seconds)

    def plain(self):
        """Return all answers with what is random, or the number itself, taken out."""
        return [self._plain(response) for response in self.seen]

    def _plain(self, response):
        headers = sorted(f"{name}: {value}" for name, value in response.headers.items())
        cookies = sorted(morsel.OutputString() for morsel in response.cookies.values())
        text = "\n".join([str(response.status_code), *headers, *cookies, response.content.decode()])
        for spelling in (self.number, self.number.replace("+", "&#x2B;"), phones.display(self.number)):
            text = text.replace(spelling, "NUMBER")
        text = text.replace(phones.mask(self.number), "MASK")
        for pattern, blank in NONCES:
            text = pattern.sub(blank, text)
        return text


def guesses(jar):
    jar.start()
    for _ in range(4):
        jar.guess()
    jar.get(CODE)
    jar.advance()
    jar.later(40)
    jar.advance()
    jar.guess()


def more_codes(jar):
    jar.start()
    jar.guess()
    jar.advance()
    jar.later(61)
    jar.get(CODE)
    jar.advance()
    jar.guess()
    jar.advance()
    jar.later(130)
    jar.advance()


def second_thoughts(jar):
    jar.start()
    jar.cancel()
    jar.start()
    jar.later(35)
    jar.cancel()
    jar.start()
    jar.guess()


def letting_go(jar):
    jar.start()
    jar.later(35)
    jar.cancel()
    jar.start()
    jar.get(CODE)
    jar.guess()
    jar.guess()
    jar.guess()


def too_late(jar):
    jar.start()
    jar.later(301)
    jar.get(CODE)
    jar.guess()
    jar.advance()
    jar.guess()


def asking_again(jar):
    for _ in range(7):
        jar.start()
        jar.later(301)


def asking_while_it_lives(jar):
    for _ in range(6):
        jar.start()
    jar.guess()


STORIES = [guesses, more_codes, second_thoughts, letting_go, too_late, asking_again, asking_while_it_lives]


def lived(story, name, clock, ip="198.51.100.1", **fault):
    """Return what a visitor of a number of this kind sees, on a site that nobody used before."""
    clock.move_to(support.BEGIN)
    VerificationAttempt.objects.all().delete()
    support.Counter.objects.all().delete()
    for built in (gateway._built, gateway._clients, gateway._breakers):
        built.clear()
    support.emulator().clear()
    if fault:
        support.emulator().faults.add(**{"times": None, **fault}, to=NUMBERS[name])
    jar = Jar(NUMBERS[name], clock, ip)
    story(jar)
    return jar.plain()


@pytest.mark.parametrize("story", STORIES)
def test_c1_all_kinds_of_numbers_get_the_same_bytes(story, closed, clock):
    expected = lived(story, "known", clock)
    for name in STRANGERS:
        assert expected == lived(story, name, clock), name


@pytest.mark.parametrize("story", STORIES)
def test_c1_with_v1_as_well(story, closed, clock):
    configure(closed, VERIFY_VERSION=1)
    assert lived(story, "known", clock) == lived(story, "unknown", clock)


def come_in(number, clock):
    owner = Jar(number, clock, "203.0.113.5")
    owner.start()
    owner.post(CODE, code=support.code(number), ticket=owner.ticket)
    assert "_auth_user_id" in owner.client.session


def going_on(jar):
    jar.get(CODE)
    for _ in range(4):
        jar.guess()
    jar.get(CODE)
    jar.advance()
    jar.later(301)
    jar.get(CODE)


def calling_meanwhile(jar):
    jar.later(61)
    jar.get(CODE)
    jar.advance()
    jar.guess()
    jar.later(250)
    jar.get(CODE)
    jar.guess()


def leaving(jar):
    jar.guess()
    jar.later(35)
    jar.cancel()
    jar.get(LOGIN)


def waiting_for_the_end(jar):
    jar.later(299)
    jar.get(CODE)
    jar.later(2)
    jar.get(CODE)
    jar.guess()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("rest", [going_on, calling_meanwhile, leaving, waiting_for_the_end])
def test_c1_whoever_asked_first_does_not_see_the_owner_come_in(rest, version, closed, clock):
    configure(closed, VERIFY_VERSION=version, RESEND_WAITS=[30, 600])

    def story(jar):
        jar.start()
        if jar.number == NUMBERS["known"]:
            come_in(jar.number, clock)
        rest(jar)

    expected = lived(story, "known", clock)
    for name in STRANGERS:
        assert expected == lived(story, name, clock), name


@pytest.mark.parametrize("wrong", range(3))
def test_c1_a_right_code_that_lets_nobody_in_looks_like_a_wrong_one_for_as_long_as_it_lasts(
    wrong, closed, clock
):
    def story(jar):
        jar.start()
        for _ in range(wrong):
            jar.guess()
        if jar.number == NUMBERS["known"]:
            User.objects.filter(username="known").update(is_active=False)
            jar.post(CODE, code=support.code(jar.number), ticket=jar.ticket)
            User.objects.filter(username="known").update(is_active=True)
        else:
            jar.guess()
        going_on(jar)

    assert lived(story, "unknown", clock) == lived(story, "known", clock)


def test_c1_the_owner_may_ask_again_at_once_and_staff_see_what_was_hidden(closed, clock):
    def story(jar):
        jar.start()
        for _ in range(2):
            come_in(jar.number, clock)
            jar.later(35)
        jar.guess()

    lived(story, "known", clock)
    told = VerificationAttempt.objects.order_by("pk").values_list("status", "api", "sends", "guesses")
    assert [("verified", "v2", 1, 1), ("pending", "decoy", 0, 1), ("verified", "v2", 1, 1)] == list(told)
    decoy = VerificationAttempt.objects.get(api="decoy")
    assert ("hidden", "reused") == (decoy.events.first().kind, decoy.reason)
    assert ("198.51.100.1", None) == (decoy.ip, decoy.user)


def test_c1_what_is_left_to_whoever_asked_first_can_be_given_up_like_any_decoy(closed, clock):
    """At the price of a call, and not of the blink that letting go of what others still hold takes."""

    def story(jar):
        jar.start()
        come_in(jar.number, clock)
        leaving(jar)

    lived(story, "known", clock)
    assert "cancelled" == VerificationAttempt.objects.get(api="decoy").status


@contextmanager
def meanwhile(monkeypatch, words, deed):
    """Do something once while an answer to a request of that kind is on its way from Vonage."""
    send = WsgiAdapter.send

    def slow(adapter, request, *args, **kwargs):
        answer = send(adapter, request, *args, **kwargs)
        if re.search(words, request.url):
            patch.undo()
            deed()
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(WsgiAdapter, "send", slow)
        yield


CHECKED, ADVANCED = "/v2/verify/[-0-9a-f]{36}$", "/next_workflow$"


def test_c1_nor_when_it_comes_in_while_a_further_code_is_asked_for(closed, clock, monkeypatch):
    def story(jar):
        jar.start()
        jar.later(61)
        with meanwhile(monkeypatch, ADVANCED, lambda: come_in(jar.number, clock)):
            jar.advance()
        jar.guess()

    assert lived(story, "unknown", clock) == lived(story, "known", clock)
    assert VerificationAttempt.objects.filter(status=Status.VERIFIED, api="v2").exists()


def test_c1_nor_when_a_further_code_is_asked_for_while_it_comes_in(closed, clock, monkeypatch):
    def story(jar):
        jar.start()
        jar.later(61)
        if jar.number == NUMBERS["known"]:
            with meanwhile(monkeypatch, CHECKED, jar.advance):
                come_in(jar.number, clock)
        else:
            jar.advance()
        jar.guess()

    assert lived(story, "unknown", clock) == lived(story, "known", clock)


@pytest.mark.parametrize("purpose", [Purpose.CONFIRM, Purpose.LINK])
def test_c1_nor_when_it_comes_in_for_something_else(purpose, closed, clock):
    def story(jar):
        jar.start()
        if jar.number == NUMBERS["known"]:
            handle = support.begin(jar.number, purpose=purpose)
            assert flow.check(handle, support.code(jar.number), support.OWNER).verified
        going_on(jar)

    assert lived(story, "unknown", clock) == lived(story, "known", clock)


def test_c1_whoever_joins_at_that_very_moment_is_counted(closed, clock, monkeypatch):
    number = NUMBERS["known"]
    first = support.begin(number)
    third = Visitor(ip="198.51.100.77", session="third")
    with meanwhile(monkeypatch, CHECKED, lambda: support.begin(number, third)):
        assert flow.check(first, support.code(number), support.OWNER).verified
    assert 1 == VerificationAttempt.objects.get(api="decoy").handles


def test_c1_nobody_joins_what_has_just_let_somebody_in(closed, clock):
    number = NUMBERS["known"]
    handle = support.begin(number)
    met = VerificationAttempt.objects.get(live_number=number)
    assert flow.check(handle, support.code(number), support.OWNER).verified
    assert meet(met, Asker(number, support.STRANGER, Purpose.LOGIN), support.BEGIN) is None
    assert 1 == VerificationAttempt.objects.get().handles


def test_c1_the_page_asks_the_database_as_much_before_as_after(closed, clock):
    def asked(jar):
        with CaptureQueriesContext(connection) as queries:
            jar.get(CODE)
        return [query["sql"].partition("WHERE")[0] for query in queries]

    jar = Jar(NUMBERS["known"], clock, "198.51.100.1")
    jar.start()
    before = asked(jar)
    come_in(jar.number, clock)
    assert before == asked(jar)


@pytest.mark.parametrize("name", ["unknown", "staff"])
def test_c1_a_decoy_keeps_no_code_from_somebody_who_is_signed_in(name, closed, clock):
    jar = Jar(NUMBERS[name], clock, "198.51.100.1")
    jar.start()
    clock.shift(31)
    handle = support.begin(jar.number, purpose=Purpose.CONFIRM)
    assert 1 == len(support.emulator().messages(jar.number))
    assert flow.check(handle, support.code(jar.number), support.OWNER).verified
    jar.guess()
    assert "2 tries left" in jar.plain()[-1]


def test_c1_it_is_found_while_a_secret_is_rotated_out(closed, clock):
    def story(jar):
        jar.start()
        come_in(jar.number, clock)

    lived(story, "known", clock)
    closed.SECRET_KEY_FALLBACKS, closed.SECRET_KEY = [closed.SECRET_KEY], "another key of the site"
    first = VerificationAttempt.objects.get(status=Status.VERIFIED)
    assert "decoy" == flow.attempt_of(Handle(first.key, Purpose.LOGIN)).api


def test_c1_whoever_is_alone_with_an_attempt_leaves_no_decoy(closed, clock):
    def story(jar):
        jar.start()
        jar.post(CODE, code=support.code(jar.number), ticket=jar.ticket)

    lived(story, "known", clock)
    assert ["verified"] == list(VerificationAttempt.objects.values_list("status", flat=True))


def test_c1_the_stories_tell_of_something(closed, clock):
    """What is compared must not be a row of refusals."""
    seen = lived(letting_go, "known", clock)
    assert ["200", "302", "200"] == [page.split("\n")[0] for page in seen[:3]]
    assert "We sent a text message to this number" in seen[2]
    assert ["try left" in page or "tries left" in page for page in seen[-3:]] == [True, True, False]


def test_c1_a_lock_looks_the_same(closed, clock):
    configure(closed, HARD_STOP=3)
    expected = lived(guesses, "known", clock)
    assert "429" == expected[-1].split("\n")[0]
    for name in STRANGERS:
        assert expected == lived(guesses, name, clock), name


TROUBLE = {
    "422": {"what": "status", "status": 422},
    "403": {"what": "status", "status": 403},
    "409": {"what": "status", "status": 409},
    "429": {"what": "status", "status": 429},
    "500": {"what": "status", "status": 500},
    "402": {"what": "status", "status": 402},
    "401": {"what": "status", "status": 401},
    "404": {"what": "status", "status": 404},
    "hang": {"what": "hang", "seconds": 0.0},
    "lost": {"what": "drop_after"},
    "unconnected": {"what": "drop_before"},
    "nonsense": {"what": "html"},
}


TOLD = {"start": guesses, "check": guesses, "advance": more_codes, "cancel": letting_go, "*": letting_go}


@pytest.mark.parametrize("verb", TOLD)
def test_c3_trouble_with_a_known_number_shows_nothing(verb, closed, clock):
    story = TOLD[verb]
    expected = lived(story, "unknown", clock)
    shown = [
        name for name, what in TROUBLE.items() if expected != lived(story, "known", clock, **what, where=verb)
    ]
    assert [] == shown


def test_c3_trouble_before_the_last_wrong_code_shows_nothing(closed, clock):
    """Vonage has not counted three then, and holds the request open."""
    expected = lived(guesses, "unknown", clock)
    assert expected == lived(guesses, "known", clock, what="status", status=500, where="check", times=2)


def test_c3_nor_does_trouble_in_the_words_of_v1(closed, clock):
    configure(closed, VERIFY_VERSION=1)
    expected = lived(guesses, "unknown", clock)
    told = [1, 2, 3, 5, 6, 7, 8, 9, 10, 15, 20, 29, 101]
    faults = {status: {"what": "status", "status": status, "where": "start"} for status in told}
    shown = [status for status in told if expected != lived(guesses, "known", clock, **faults[status])]
    assert [] == shown


def test_c3_staff_are_told_of_what_was_hidden(closed, clock):
    lived(guesses, "known", clock, what="status", status=402, where="start")
    first = VerificationAttempt.objects.order_by("pk")[0]
    assert ["hidden", "no_credit"] == [first.events.first().kind, first.events.first().reason]


def test_c3_an_open_circuit_is_shown_to_all_alike(closed, clock):
    support.emulator().faults.add("status", "start", None, status=500)
    for index in range(5):
        other = f"+1415555011{index}"
        person(other, f"known {index}")
        Jar(other, clock, f"198.51.100.{index}").start()
    pages = {}
    for index, (name, number) in enumerate(NUMBERS.items()):
        jar = Jar(number, clock, f"198.51.101.{index}")
        jar.get(LOGIN)
        jar.post(LOGIN, number=number)
        pages[name] = jar.plain()
    assert 5 == support.emulator().count("start")
    assert "503" == pages["known"][1].split("\n")[0]
    assert {tuple(pages["known"])} == {tuple(seen) for seen in pages.values()}


def test_c3_a_full_bulkhead_is_shown_to_all_alike(closed, clock):
    configure(closed, MAX_CALLS=1)
    client = gateway.dialect("decoy")._client
    pages = {}

    def meanwhile():
        for index, (name, number) in enumerate(NUMBERS.items()):
            jar = Jar(number, clock, f"198.51.101.{index}")
            jar.get(LOGIN)
            jar.post(LOGIN, number=number)
            pages[name] = jar.plain()

    with _occupied(client):
        meanwhile()
    assert "503" == pages["known"][1].split("\n")[0]
    assert {tuple(pages["known"])} == {tuple(seen) for seen in pages.values()}


@contextmanager
def _occupied(client):
    """Take the only place until the end of the block."""
    begun, end = threading.Event(), threading.Event()

    def work():
        begun.set()
        end.wait(20)

    thread = threading.Thread(target=lambda: client.occupy(work))
    thread.start()
    assert begun.wait(10)
    try:
        yield
    finally:
        end.set()
        thread.join(20)


def test_c3_checks_in_a_full_bulkhead_are_refused_alike_and_cost_nothing(closed, clock):
    configure(closed, MAX_CALLS=1)
    jars = {name: Jar(number, clock, f"198.51.101.{i}") for i, (name, number) in enumerate(NUMBERS.items())}
    for jar in jars.values():
        jar.start()
    with _occupied(gateway.dialect("decoy")._client):
        for jar in jars.values():
            jar.guess()
    pages = {tuple(jar.plain()) for jar in jars.values()}
    assert 1 == len(pages)
    assert "503" == pages.pop()[-1].split("\n")[0]
    assert {0} == set(VerificationAttempt.objects.values_list("guesses", flat=True))


# Limits


def refusals(name, clock, ip="198.51.100.1"):
    """Return status and Retry-After of each of ten starts, each after the life of the one before."""
    jar = Jar(NUMBERS[name], clock, ip)
    for _ in range(10):
        jar.get(LOGIN)
        jar.post(LOGIN, number=jar.number)
        jar.later(301)
    return [(one.status_code, one.headers.get("Retry-After")) for one in jar.seen[1::2]]


def test_c4_unknown_numbers_use_up_their_sends_as_known_ones(closed, clock):
    found = {}
    for index, name in enumerate(NUMBERS):
        clock.move_to(support.BEGIN)
        found[name] = refusals(name, clock, f"198.51.102.{index}")
    assert [302] * 5 == [status for status, _ in found["known"][:5]]
    assert (429, str(3600 - 5 * 301 + 60 - (3600 - 5 * 301) % 60)) == found["known"][5]
    assert {tuple(found["known"])} == {tuple(rows) for rows in found.values()}


def test_c4_they_charge_the_address_alike(closed, clock):
    """Whoever tries one number after another is stopped at the same one, whatever they are."""
    stopped = {}
    for index, known in enumerate((True, False)):
        for step in range(12):
            number = f"+1415555{index}{step:03d}"
            if known:
                person(number, f"person {step}")
            jar = Jar(number, clock, f"198.51.103.{index}")
            jar.get(LOGIN)
            jar.post(LOGIN, number=number)
            stopped.setdefault(known, []).append(jar.seen[-1].status_code)
    assert [302] * 10 + [429] * 2 == stopped[True]
    assert stopped[True] == stopped[False]


@pytest.mark.parametrize("limit", ["sends_per_block_1000", "sends_per_block_10000"])
def test_c4_unknown_numbers_count_for_their_block(limit, closed, clock):
    """Else a stranger's own number in the block, refused one message earlier, tells who is known there."""
    told = {}
    for index, name in enumerate(("known", "unknown")):
        support.Counter.objects.all().delete()
        VerificationAttempt.objects.all().delete()
        configure(closed, LIMITS={**WIDE, limit: "2/10min"})
        if not index:
            person("+14155550111", "first neighbour")
            person("+14155550112", "second neighbour")
        for number in (NUMBERS[name], "+14155550111", "+14155550112"):
            jar = Jar(number, clock, f"198.51.104.{index}")
            jar.get(LOGIN)
            jar.post(LOGIN, number=number)
            told.setdefault(name, []).append(jar.seen[-1].status_code)
    assert [302, 302, 429] == told["known"]
    assert told["known"] == told["unknown"]


def test_c4_failed_checks_lock_unknown_numbers_alike(closed, clock):
    found = {}
    for index, name in enumerate(NUMBERS):
        clock.move_to(support.BEGIN)
        jar = Jar(NUMBERS[name], clock, f"198.51.105.{index}")
        for _ in range(5):
            jar.start()
            for _ in range(3):
                jar.guess()
            jar.later(301)
        found[name] = jar.plain()
    assert "429" == found["known"][-1].split("\n")[0]
    for name in STRANGERS:
        assert found["known"] == found[name], name


def test_c5_nobody_but_a_user_gets_a_message(closed, clock):
    for name in NUMBERS:
        Jar(NUMBERS[name], clock, "198.51.100.9").start()
    assert {NUMBERS["known"]} == {message.to for message in support.emulator().messages()}


def test_c1_only_the_known_number_gets_in(closed, clock):
    """The whole comparison would be worth nothing if nobody could log in."""
    jar = Jar(NUMBERS["known"], clock, "198.51.100.1")
    jar.start()
    jar.post(CODE, code=support.code(NUMBERS["known"]), ticket=jar.ticket)
    assert 302 == jar.seen[-1].status_code
    assert "_auth_user_id" in jar.client.session


# Time


def test_c2_a_decoy_takes_as_long_as_the_last_real_calls(closed, clock):
    _, durations = _memory()
    for verb, seconds in (("start", 0.08), ("check", 0.04)):
        durations.note(verb, seconds)
    jar = Jar(NUMBERS["unknown"], clock, "198.51.100.1")
    jar.get(LOGIN)
    took = {}
    for verb, act in (
        ("start", lambda: jar.post(LOGIN, number=jar.number)),
        ("check", lambda: (jar.get(CODE), jar.guess())),
    ):
        began = time.monotonic()
        act()
        took[verb] = time.monotonic() - began
    assert took["start"] >= 0.08
    assert took["check"] >= 0.04


def _memory():
    gateway.dialect()
    (memory,) = gateway._breakers.values()
    return memory


DELAY = 0.05
SAMPLES = 200


@pytest.fixture
def slow_provider(settings, db):
    """Vonage at a constant distance, over a real socket; the clock runs."""
    emulator = Emulator()
    server = serve(emulator)
    plain, pause = server.application, threading.Event()

    def delayed(environ, start_response):
        pause.wait(DELAY)
        return plain(environ, start_response)

    server.application = delayed
    for built in (gateway._built, gateway._clients, gateway._breakers):
        built.clear()
    off = dict.fromkeys(["sends_per_ip", "fails_per_ip", "sends_per_number", "fails_per_number"])
    configure(
        settings, SIGNUP=False, EMULATOR=False, API_KEY="abcd1234", API_SECRET="of the tests",
        API_HOST=server.url, LIMITS={**WIDE, **off},
    )  # fmt: skip
    yield emulator
    for client in gateway._clients.values():
        client.close()
    server.shutdown()


def timed(act):
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["start", "check"])
def test_c2_known_and_unknown_take_the_same_time(verb, slow_provider, monkeypatch):
    took = {True: [], False: []}
    numbers = [(f"+1415555{1000 + index}", index % 2 == 0) for index in range(2 * SAMPLES + 4)]
    users = User.objects.bulk_create(User(username=number) for number, known in numbers if known)
    PhoneNumber.objects.bulk_create(
        PhoneNumber(user=user, number=user.username, verified_at=support.BEGIN) for user in users
    )
    measured = numbers if verb == "start" else numbers[: SAMPLES + 4]
    for index, (number, known) in enumerate(measured):
        jar = Jar(number, None, "198.51.100.1")
        jar.get(LOGIN)
        seconds = timed(lambda jar=jar, number=number: jar.post(LOGIN, number=number))
        if verb == "check":
            jar.get(CODE)
            seconds = timed(lambda jar=jar: jar.post(CODE, code="000000", ticket=jar.ticket))
        if index >= 4:
            took[known].append(seconds)
    medians = {known: statistics.median(samples) for known, samples in took.items()}
    assert min(medians.values()) >= DELAY
    assert abs(medians[True] - medians[False]) < 0.015, medians
    assert Status.PENDING == VerificationAttempt.objects.latest("pk").status
