"""What is compared: the app with both kinds of emulator, and two floors. All log in by five steps."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener

from .site import IN_PROCESS

PAGES = ("GET number", "POST number", "GET code", "POST code")
HOME = "GET home"
POSTS = ("POST number", "POST code")
STEPS = (*PAGES, HOME)


@dataclass(frozen=True)
class Subject:
    """One way to log in: where its pages are, how its last code is found, and the app's settings."""

    name: str
    path: str
    code: Callable[[str], str]
    settings: dict

    def log_in(self, browser, number):
        """Walk from the first page to the home page."""
        browser.get("GET number", self.path)
        browser.post("POST number", self.path, number=number)
        browser.get("GET code", f"{self.path}code/")
        browser.post("POST code", f"{self.path}code/", code=self.code(number))
        browser.get(HOME, "/")

    def enter(self):
        """Give the app this subject's settings."""
        from django.conf import settings

        settings.PASSWORDLESS = self.settings


def subjects(emulator):
    """Return all four; `emulator` is the address of the one on loopback."""
    loopback = {"EMULATOR": False, "API_HOST": emulator}
    return [
        Subject("app", "/login/", _sent_in_process, IN_PROCESS),
        Subject("bare", "/bare/", _not_sent, IN_PROCESS),
        Subject("app, loopback", "/login/", lambda number: _sent(emulator, number), loopback),
        Subject("bare + 2 calls", "/calling/", _not_sent, IN_PROCESS),
    ]


def in_process():
    """Return the two that need no server."""
    return {subject.name: subject for subject in subjects("http://127.0.0.1:9")[:2]}


def _sent_in_process(number):
    from passwordless import gateway

    return gateway.emulator().messages(number)[-1].code


def _sent(emulator, number):
    with build_opener(ProxyHandler({})).open(f"{emulator}/_emulator/messages?to={quote(number)}") as answer:
        return json.load(answer)[-1]["code"]


def _not_sent(number):
    from .floor import SENT

    return SENT[number]
