"""A worker is killed while Vonage holds the answer: no open door, no page that broke, no second message."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import requests

from tests import services
from tests.test_servers import (
    CODE_PAGE,
    TICKET,
    Browser,
    Site,
    answers,
    environment,
    fetch,
    gunicorn,
    migrate,
    running,
)

pytestmark = pytest.mark.slow

fresh = count()
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL])
def deployed(request, tmp_path_factory):
    """The example project under gunicorn with one worker, the emulator beside it."""
    folder = tmp_path_factory.mktemp(request.param)
    port, emulator_port = services.free_port(), services.free_port()
    given = {
        "VONAGE_API_HOST": f"http://127.0.0.1:{emulator_port}",
        # Whoever died is waited for 10 seconds longer than a call may last.
        "PASSWORDLESS_START_TIMEOUT": "4",
        "PASSWORDLESS_CHECK_TIMEOUT": "4",
        "PASSWORDLESS_LIMITS": "sends_per_ip=1000/h;sends_per_session=1000/h",
    }
    with database(request.param) as url:
        env = environment(folder, **given, **url)
        migrate(env)
        site = Site(port, emulator_port)
        emulator = [sys.executable, "manage.py", "vonage_emulator", "--port", str(emulator_port)]
        served = answers(f"{site.url}/login/")
        with (
            running(emulator, folder / "emulator.log", env, answers(f"{site.emulator}journal")),
            running(gunicorn(port, 1), folder / "gunicorn.log", env, served) as master,
        ):
            site.master = master.pid
            yield site


@contextmanager
def database(kind):
    if kind == "sqlite":
        yield {}
        return
    import psycopg

    place = services.postgresql()
    address = f"postgres://{place['USER']}@{place['HOST']}:{place['PORT']}"
    name = f"kills_{os.getpid()}"
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield {"DATABASE_URL": f"{address}/{name}"}
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def browser(deployed):
    browser = Browser(deployed)
    yield browser
    control(deployed, "DELETE", "faults")
    browser.session.close()


@pytest.fixture
def number():
    return f"+1415555{3000 + next(fresh):04d}"


def control(site, method, path, **content):
    with requests.Session() as session:
        session.trust_env = False
        session.request(method, site.emulator + path, json=content or None, timeout=30).raise_for_status()


def workers(site):
    """Return the processes that the master of gunicorn has made."""
    children = Path(f"/proc/{site.master}/task/{site.master}/children")
    return [int(pid) for pid in children.read_text().split()]


def until(condition, what, pause=0.05):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        threading.Event().wait(pause)


def killed_during(site, verb, act):
    """Do something whose answer Vonage holds back, and kill the worker meanwhile; SIGKILL lets it do nothing."""
    before, former = site.journal().count(verb), workers(site)
    control(site, "POST", "faults", what="hang_after", where=verb, seconds=60, times=1)
    broken = []

    def attempt():
        try:
            act()
        except requests.ConnectionError as error:
            broken.append(error)

    visitor = threading.Thread(target=attempt)
    visitor.start()
    until(lambda: site.journal().count(verb) > before, "Vonage was never asked")
    for worker in former:
        os.kill(worker, signal.SIGKILL)
    visitor.join(30)
    assert 1 == len(broken)
    until(lambda: set(workers(site)) - set(former), "no worker came back")
    until(answers(f"{site.url}/login/"), "the site did not come back")


def messages(site, number):
    return fetch(f"{site.emulator}messages", to=number).json()


def inside(visitor):
    return "/logout/" in visitor.see("/")


def ask(visitor, number):
    return visitor.post("/login/", visitor.see("/login/"), number=number)


def asked_again(site, visitor, number, starts):
    return 302 == ask(visitor, number).status_code and site.journal().count("start") > starts + 1


def typed(visitor, code):
    page = visitor.see(CODE_PAGE)
    return visitor.post(CODE_PAGE, page, code=code, ticket=TICKET.search(page)[1])


def test_i11_killed_during_the_start_it_sends_no_second_message(deployed, browser, number):
    starts = deployed.journal().count("start")
    killed_during(deployed, "start", lambda: ask(browser, number))
    code = deployed.code(number)
    for visitor in (browser, Browser(deployed)):
        assert 302 == ask(visitor, number).status_code
        assert 429 == typed(visitor, code).status_code
        assert not inside(visitor)
        if visitor is not browser:
            visitor.session.close()
    assert (1, starts + 1) == (len(messages(deployed, number)), deployed.journal().count("start"))
    until(lambda: asked_again(deployed, browser, number, starts), "never asked again", pause=1)
    assert (1, starts + 2) == (len(messages(deployed, number)), deployed.journal().count("start"))
    assert 302 == typed(browser, code).status_code
    assert inside(browser)


def test_i11_killed_during_the_check_only_the_right_code_lets_in(deployed, browser, number):
    page = browser.ask(number)
    code, ticket = deployed.code(number), TICKET.search(page)[1]
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    killed_during(deployed, "check", lambda: browser.post(CODE_PAGE, page, code=wrong, ticket=ticket))
    checks = deployed.journal().count("check")
    for _ in range(3):
        assert 429 == typed(browser, code).status_code
    assert (checks, False) == (deployed.journal().count("check"), inside(browser))
    assert 200 == browser.insist(page, wrong).status_code
    assert not inside(browser)
    assert 302 == browser.insist(page, code).status_code
    assert (True, 1) == (inside(browser), len(messages(deployed, number)))


def test_i12_killed_between_the_right_code_and_the_login_the_code_is_dead(deployed, browser, number):
    page = browser.ask(number)
    fields = {"code": deployed.code(number), "ticket": TICKET.search(page)[1]}
    killed_during(deployed, "check", lambda: browser.post(CODE_PAGE, page, **fields))
    assert 429 == typed(browser, fields["code"]).status_code
    assert 200 == browser.insist(page, fields["code"]).status_code
    assert (1, False) == (len(messages(deployed, number)), inside(browser))
