"""Pages that arrive in parts: what has been seen stays where it is."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
import requests

from tests.browser.people import NARROW, WIDE, Site
from tests.browser.states import STATES
from tests.browser.test_looks import SHIFTS

pytestmark = pytest.mark.browser

PATIENCE = 30.0  # seconds
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
OWN = ("connection", "date", "server")


class SlowLine(Site):
    """The site as seen over a line on which the end of a page comes long after its beginning."""

    def __init__(self, site):
        self.__dict__.update(site.__dict__)
        self.behind, self.sign, self.rest = site.url, b"<!doctype html>", Event()
        self.let_go()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self.server.line = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.let_go()
        self.server.shutdown()
        self.server.server_close()

    def hold(self, sign):
        """From now on keep back what follows the sign in an answer."""
        self.sign = sign.encode()
        self.rest.clear()

    def let_go(self):
        self.rest.set()

    def ask(self, request, body):
        """Ask the site behind the line what the browser asked."""
        headers = {**request.headers, "Accept-Encoding": "identity"}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                request.command, self.behind + request.path, headers=headers, data=body, allow_redirects=False
            )


class Passing(BaseHTTPRequestHandler):
    def do_GET(self):
        line = self.server.line
        answer = line.ask(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.send_response(answer.status_code)
        for name, value in answer.raw.headers.items():
            if name.lower() not in OWN:
                self.send_header(name, value)
        self.end_headers()
        first, sign, rest = answer.content.partition(line.sign)
        self.wfile.write(first + sign)
        if sign:
            line.rest.wait(PATIENCE)
        self.wfile.write(rest)

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def site(site):
    with SlowLine(site) as line:
        yield line


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("sign", ["</h1>", "</form>", "</main>"])
@pytest.mark.parametrize("name", ["number", "code"])
def test_27_nothing_jumps_while_a_page_comes_in_parts(visit, name, sign, size):
    person = visit(viewport=size)
    STATES[name](person)
    person.site.hold(sign)
    person.page.goto(person.page.url, wait_until="commit")
    person.page.locator("h1").wait_for()
    person.page.evaluate(PAINTED)
    person.site.let_go()
    person.page.wait_for_load_state()
    assert 0.02 >= person.page.evaluate(SHIFTS)
