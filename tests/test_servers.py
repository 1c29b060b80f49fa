"""The example project as it is deployed: gunicorn with several workers, the emulator beside it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from gunicorn.config import make_settings

from tests.services import free_port, port_of

pytestmark = pytest.mark.slow

RACES = int(os.environ.get("RACES", "1"))  # repetitions; the gate asks for 20
ROOT = Path(__file__).resolve().parent.parent
CODE_PAGE = "/login/code/"
DEADLINE = 60.0  # seconds for a start on a loaded machine
TICKET = re.compile(r'name="ticket" value="([0-9a-f]{32})"')
fresh, addresses = count(), count()
AREAS = (415, 408, 510, 650, 707)
# Wide limits count all numbers of this file together. The first wait is shorter than the checks allow, which
# no worker runs.
SETTINGS = {
    "PASSWORDLESS_LIMITS": ";".join(
        f"{name}=9999/h"
        for name in ("sends_per_block_1000", "sends_per_block_10000", "sends_per_country", "sends_per_site")
    ),
    "PASSWORDLESS_CHANNELS": "sms,whatsapp,voice",
    "PASSWORDLESS_WHATSAPP_SENDER": "12125550100",
    "PASSWORDLESS_RESEND_WAITS": "1,300",
    "PASSWORDLESS_TRUSTED_PROXY_COUNT": "1",
}
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([0-9A-Za-z]+)"')


def fetch(url, **query):
    """Ask a server of this test, whatever proxies the machine has."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, params=query, timeout=30)


class Site:
    """A running site and the emulator that it asks, both by their addresses."""

    def __init__(self, port, emulator_port):
        self.url = f"http://127.0.0.1:{port}"
        self.emulator = f"http://127.0.0.1:{emulator_port}/_emulator/"

    def journal(self):
        """Return which verbs the emulator was asked for so far."""
        return [call["verb"] for call in fetch(f"{self.emulator}journal").json()]

    def code(self, number):
        return fetch(f"{self.emulator}messages", to=number).json()[-1]["code"]


class Browser:
    """One visitor, or with the cookies of another one more tab of that visitor; each has an address."""

    def __init__(self, site, cookies=()):
        self.site, self.session = site, requests.Session()
        self.session.trust_env = False
        self.session.cookies.update(cookies)
        index = next(addresses)
        self.session.headers["X-Forwarded-For"] = (
            f"10.{index // 62500}.{index // 250 % 250}.{index % 250 + 1}"
        )

    def tabs(self, number):
        return [Browser(self.site, self.session.cookies) for _ in range(number)]

    def see(self, path):
        return self.session.get(self.site.url + path, timeout=30).text

    def post(self, path, page, **fields):
        data = {"csrfmiddlewaretoken": TOKEN.search(page)[1], **fields}
        return self.session.post(self.site.url + path, data, timeout=30, allow_redirects=False)

    def ask(self, number):
        """Ask for a code; return the page that takes it."""
        assert CODE_PAGE == self.post("/login/", self.see("/login/"), number=number).headers["Location"]
        return self.see(CODE_PAGE)

    def insist(self, page, code):
        """Post the code until something else than BUSY is answered; return that answer."""
        for turn in range(60):
            answer = self.post(CODE_PAGE, page, code=code, ticket=TICKET.search(page)[1])
            if answer.status_code != 429:
                return answer
            threading.Event().wait(min(0.1 * 2**turn, 1.6))
        raise AssertionError("never a verdict")

    def resend(self, page):
        return self.post("/login/advance/", page, ticket=TICKET.search(page)[1])


def together(browsers, act):
    """Have all browsers act at the same moment, and close them; return their answers."""
    barrier = threading.Barrier(len(browsers))

    def run(browser):
        barrier.wait(DEADLINE)
        try:
            return act(browser)
        finally:
            browser.session.close()

    with ThreadPoolExecutor(len(browsers)) as pool:
        return list(pool.map(run, browsers))


def environment(folder, **given):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    base = {
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "SECRET_KEY": "of a test, and of nothing else but a test",
        "DEBUG": "0",
        "HTTPS": "0",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
    }
    return kept | base | given


@contextmanager
def running(command, log, env, ready):
    """Run a program until the end of the block, which begins when `ready` says so."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + DEADLINE
        while not ready():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            threading.Event().wait(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url):
    def ready():
        try:
            fetch(url)
        except requests.ConnectionError:
            return False
        return True

    return ready


def migrate(env):
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=DEADLINE)
    assert 0 == done.returncode, done.stdout + done.stderr


def gunicorn(port, workers):
    # Newer ones open a socket in the home directory, by which they can be told to end.
    closed = ["--no-control-socket"] if "control_socket" in make_settings() else []
    options = [f"--workers={workers}", "--threads=4", f"--bind=127.0.0.1:{port}", *closed]
    return [sys.executable, "-m", "gunicorn", "example_project.wsgi", *options]


@contextmanager
def postgresql():
    """Give the address of a database of our own on the PostgreSQL of this run."""
    import psycopg

    name, server = f"servers_{uuid4().hex}", f"postgres@127.0.0.1:{port_of('postgresql')}"
    with psycopg.connect(f"postgresql://{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"postgres://{server}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def sqlite(folder):
    return nullcontext(f"sqlite:///{folder / 'db.sqlite3'}")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def site(request, tmp_path_factory):
    """Four workers behind a proxy, with an emulator that takes its time, on each database."""
    folder = tmp_path_factory.mktemp("site")
    port, emulator_port = free_port(), free_port()
    with postgresql() if request.param == "postgresql" else sqlite(folder) as database:
        env = environment(folder, DATABASE_URL=database, VONAGE_API_HOST=f"http://127.0.0.1:{emulator_port}")
        migrate(env)
        env |= SETTINGS
        found = Site(port, emulator_port)
        emulator = [sys.executable, "manage.py", "vonage_emulator", "--port", str(emulator_port)]
        with (
            running(emulator, folder / "emulator.log", env, answers(f"{found.emulator}journal")),
            running(gunicorn(port, 4), folder / "gunicorn.log", env, answers(f"{found.url}/login/")),
        ):
            yield found
        assert "Traceback" not in (folder / "gunicorn.log").read_text()


@pytest.fixture
def number():
    """A number that this run has not used yet: a second message to one would have to wait."""
    return a_number()


def a_number():
    index = next(fresh)
    return f"+1{AREAS[index // 100]}555{100 + index % 100:04d}"


def test_a_login_from_end_to_end_over_four_workers(site, number):
    before, browser = len(site.journal()), Browser(site)
    page = browser.ask(number)
    answer = browser.insist(page, site.code(number))
    assert (302, "/") == (answer.status_code, answer.headers["Location"])
    assert number[-3:] in browser.see("/")
    assert ["start", "check"] == site.journal()[before:]
    browser.session.close()


@pytest.mark.parametrize("turn", range(RACES))
def test_of_fifty_wrong_guesses_over_four_workers_three_reach_the_provider(site, number, turn):
    before, browser = len(site.journal()), Browser(site)
    page = browser.ask(number)
    code = site.code(number)
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    answers = together(browser.tabs(50), lambda tab: tab.insist(page, wrong))
    assert [200] * 50 == [answer.status_code for answer in answers]
    assert ["start", *["check"] * 3] == site.journal()[before:]
    assert 200 == browser.insist(page, code).status_code
    assert ["start", *["check"] * 3] == site.journal()[before:]
    browser.session.close()


@pytest.mark.parametrize("turn", range(RACES))
def test_of_thirty_starts_for_one_number_over_four_workers_one_sends(site, number, turn):
    before, browsers = len(site.journal()), [Browser(site) for _ in range(30)]
    pages = {browser: browser.see("/login/") for browser in browsers}
    asked = together(browsers, lambda browser: browser.post("/login/", pages[browser], number=number))
    assert [CODE_PAGE] * 30 == [answer.headers.get("Location") for answer in asked]
    assert ["start"] == site.journal()[before:]
    assert 1 == len(fetch(f"{site.emulator}messages", to=number).json())


@pytest.mark.parametrize("turn", range(RACES))
def test_of_thirty_resends_over_four_workers_one_is_a_call(site, number, turn):
    before, browser = len(site.journal()), Browser(site)
    page = browser.ask(number)
    deadline = time.monotonic() + DEADLINE
    while " second" in page:
        assert time.monotonic() < deadline
        threading.Event().wait(0.2)
        page = browser.see(CODE_PAGE)
    threading.Event().wait(0.6)  # the page rounds
    answers = together(browser.tabs(30), lambda tab: tab.resend(page))
    assert {200, 302, 429} >= {answer.status_code for answer in answers}
    assert ["start", "advance"] == site.journal()[before:]
    assert ["sms", "whatsapp"] == [
        sent["channel"] for sent in fetch(f"{site.emulator}messages", to=number).json()
    ]
    browser.session.close()


def test_in_process_the_emulator_is_refused_to_several_workers(tmp_path):
    env = environment(tmp_path, VONAGE_EMULATOR="1")
    port, log = free_port(), tmp_path / "gunicorn.log"
    with running(gunicorn(port, 2), log, env, answers(f"http://127.0.0.1:{port}/login/")):
        answer = fetch(f"http://127.0.0.1:{port}/login/")
    assert 503 == answer.status_code
    assert "vonage_emulator" in log.read_text()
