"""When nothing is sent or checked: too often, locked, or a provider that fails."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest

from passwordless.vonage.emulator import Emulator
from passwordless.vonage.emulator.standalone import Server
from tests.browser.people import ROOT
from tests.browser.sites import configured

pytestmark = pytest.mark.browser

HOUR = 3600
LONGEST_WAIT = 301
"""Seconds: after so many a number may be sent to again, however often it was."""

SENDS_AN_HOUR = 5
DOWN = "We have a problem on our side. Your number is fine. Try again in a minute."
REFERENCE = re.compile(r"the reference is \W?([a-hjkmnp-z2-9]{8})\b")
TIRED = re.compile(r"Too many tries\. Try again in about (\d+) minutes?\.")
# The reserved numbers of the emulator, and what the audit says of them.
FAILURES = {
    "error": ("+12125550102", "Provider error"),
    "no_answer": ("+12125550103", "No answer from Vonage"),
    "too_busy": ("+12125550104", "Too many requests to Vonage"),
    "no_credit": ("+12125550105", "Our Vonage credit is spent"),
}
CONCURRENT = "+12125550106"
MAKE_ALICE = "from django.contrib.auth.models import User; User.objects.create_user('alice')"
# What differs from one page to the next of the same person, too.
CHANCE = (
    (r"<aside.*?</aside>", ""),
    (r'(name="(?:csrfmiddlewaretoken|ticket)" value=")[^"]+', r"\1"),
    (r"\d\d:\d\d:\d\d", "TIME"),
    (r'data-pl-wait="\d+"|\d+ seconds?\b', "WAIT"),
)


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A site that makes no accounts and locks a number after two wrong codes in a row."""
    rules = {"DEBUG": 1, "PASSWORDLESS_SIGNUP": 0, "PASSWORDLESS_HARD_STOP": 2}
    with configured(tmp_path_factory.mktemp("closed"), **rules) as closed:
        yield closed


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    """A site that asks over a socket, where silence takes its time."""
    provider = Server(Emulator())
    provider.begin()
    with configured(tmp_path_factory.mktemp("apart"), DEBUG=1, VONAGE_API_HOST=provider.url) as apart:
        yield apart
    provider.shutdown()


@pytest.fixture
def site(request, site):
    """The demo, or another site for tests that name it."""
    named = [name for name in ("closed", "apart") if name in request.fixturenames]
    return request.getfixturevalue(named[0]) if named else site


@contextmanager
def failing(site):
    """Let Vonage be down, by the switches of the virtual phone."""
    site.desk.get("/phone/")
    site.desk.post("/phone/switches/", fate="down", text="plain")
    try:
        yield
    finally:
        site.desk.post("/phone/switches/", fate="arrive", text="plain")


def register(site, number):
    """Make a user with that number (E.164), as a site does that makes accounts itself."""
    paths = os.pathsep.join([str(site.folder), str(ROOT)])
    names = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": paths,
        "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
    }
    for command in (["shell", "-c", MAKE_ALICE], ["passwordless_link", "alice", number]):
        whole = [sys.executable, "-m", "django", *command]
        subprocess.run(whole, cwd=site.folder, env=names, capture_output=True, check=True)


def submit(person, selector="main .pl-form button"):
    """Press the button; return the answer."""
    with person.page.expect_navigation() as arrival:
        person.page.locator(selector).click()
    return arrival.value


def ask(person):
    person.see("/login/")
    person.field("number").fill(person.number)
    return submit(person)


def guess(person, code):
    person.field("code").fill(code)
    return submit(person)


def tire(people):
    """Have as many codes sent to each as the hour allows."""
    for _ in range(SENDS_AN_HOUR):
        for person in people:
            assert 200 == ask(person).status
        people[0].site.move_clock(LONGEST_WAIT)


def told(person, answer):
    """Return the minutes that the page names, once the answer has been found to say the same."""
    minutes = int(TIRED.search(person.focused(".pl-summary").inner_text())[1])
    assert 429 == answer.status
    assert minutes * 60 == int(answer.headers["retry-after"])
    return minutes


def bare(person, answer):
    """Return status, headers and page of an answer without the number and what chance made."""
    page = answer.text()
    for pattern, instead in CHANCE:
        page = re.sub(pattern, instead, page, flags=re.DOTALL)
    for number in (person.shown, person.number, person.shown[-3:]):
        page = page.replace(number, "N" * len(number))
    uninteresting = {"date", "expires", "content-length", "set-cookie", "retry-after"}
    headers = {name: value for name, value in answer.headers.items() if name not in uninteresting}
    return answer.status, headers, page.encode()


def test_19_too_many_codes_in_an_hour_are_refused_with_the_time_left(person, javascript):
    tire([person])
    answer = ask(person)
    assert math.ceil((HOUR - SENDS_AN_HOUR * LONGEST_WAIT) / 60) == pytest.approx(told(person, answer), abs=2)
    assert person.number == person.field("number").input_value()
    assert "limit" not in person.text.lower()


def test_19_a_locked_number_is_told_to_wait_and_not_that_it_is_locked(closed, person, javascript):
    ask(person)
    for _ in range(2):
        assert 200 == guess(person, "000000").status
    answer = guess(person, "000000")
    assert 60 == told(person, answer)
    assert "lock" not in person.text.lower()
    assert "" == person.field("code").input_value()


def test_19_known_and_unknown_numbers_are_refused_alike(closed, visit):
    known, unknown = visit(), visit()
    register(closed, known.number)
    steps = [lambda one: ask(one), *[lambda one: guess(one, "000000")] * 3]
    for step in steps:
        assert bare(unknown, step(unknown)) == bare(known, step(known))
    assert [1, 0] == [len(closed.codes(one.number)) for one in (known, unknown)]
    closed.move_clock(2 * HOUR)
    tire([known, unknown])
    refused = [bare(one, ask(one)) for one in (known, unknown)]
    assert refused[0] == refused[1]
    assert 429 == refused[0][0]


@pytest.mark.parametrize("failure", FAILURES)
def test_20_a_failing_provider_is_told_soon_with_a_reference_that_staff_find(person, javascript, failure):
    person.ask()  # a success between the failures, or the circuit breaker would answer the fifth
    person.number, reason = FAILURES[failure]
    person.site.move_clock(2 * HOUR)
    answer = ask(person)
    summary = person.focused(".pl-summary").inner_text()
    assert 503 == answer.status
    assert int(answer.headers["retry-after"]) >= 1
    assert DOWN in summary
    assert person.number == person.field("number").input_value()
    newest = person.site.desk.attempts(person.number)[0]
    assert f"<code>{REFERENCE.search(summary)[1]}</code>" in newest
    assert reason in newest


def test_20_a_silent_provider_is_given_up_within_ten_seconds(apart, person):
    person.number, _reason = FAILURES["no_answer"]
    answer = ask(person)
    assert 503 == answer.status
    assert DOWN in person.focused(".pl-summary").inner_text()
    timing = answer.request.timing
    assert 5_000 < timing["responseStart"] - timing["requestStart"] < 10_000


def test_20_a_number_that_is_busy_at_the_provider_is_asked_to_wait(person, javascript):
    person.number = CONCURRENT
    person.site.move_clock(2 * HOUR)
    assert told(person, ask(person)) in (4, 5)
    assert person.number == person.field("number").input_value()
    assert "Another request for this number is open at Vonage" in person.site.desk.attempts(person.number)[0]


def test_20_a_call_that_fails_leaves_the_code_page_as_it_was(person, javascript):
    person.ask()
    person.site.move_clock(61)
    person.page.reload()
    with failing(person.site):
        answer = submit(person, ".pl-resend button")
    assert 503 == answer.status
    summary = person.focused(".pl-summary").inner_text()
    assert REFERENCE.search(summary)[1] in person.site.desk.attempts(person.number)[0]
    person.give(person.code())
    assert person.shown in person.text
