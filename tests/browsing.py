"""A visitor with a browser: keeps cookies, fills in the forms that the pages show, runs no JavaScript."""

from __future__ import annotations

import re
from html import unescape

from django.test import Client

from passwordless.models import VerificationAttempt
from tests import support

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
LOGIN, CODE, ADVANCE, CANCEL = "/login/", "/login/code/", "/login/advance/", "/login/cancel/"


class Browser:
    """One visitor. `page` is the answer that came last, whatever it was; every answer is kept in `pages`."""

    def __init__(self, ip="198.51.100.1", agent="Firefox", **extra):
        self.client = Client(enforce_csrf_checks=True, REMOTE_ADDR=ip, HTTP_USER_AGENT=agent, **extra)
        self.pages = []

    @property
    def page(self):
        return self.pages[-1]

    def keep(self, answer):
        self.pages.append(answer)
        return answer

    def get(self, path, **extra):
        return self.keep(self.client.get(path, **extra))

    def post(self, path, fields, **extra):
        return self.keep(self.client.post(path, fields, **extra))

    def hidden(self):
        """Return what the forms of the last page carry unseen, but for the way back."""
        found = dict(HIDDEN.findall(self.page.content.decode()))
        return {name: unescape(value) for name, value in found.items() if name != "to"}

    def fill(self, path, headers=None, **fields):
        """Send a form of the last page."""
        return self.post(path, {**self.hidden(), **fields}, **(headers or {}))

    def ask(self, number=support.NUMBER, next="", headers=None, **fields):  # noqa: A002 - the field's name
        """Ask for a code from the beginning."""
        self.get(LOGIN, **({"data": {"next": next}} if next else {}))
        return self.fill(LOGIN, number=number, headers=headers, **fields)

    def type(self, code, headers=None, **fields):
        """Open the code page and type a code."""
        self.get(CODE)
        return self.fill(CODE, code=code, headers=headers, **fields)

    def log_in(self, number=support.NUMBER):
        self.ask(number)
        return self.type(support.code(number))

    def advance(self):
        self.get(CODE)
        return self.fill(ADVANCE)

    def cancel(self, **fields):
        self.get(CODE)
        return self.fill(CANCEL, **fields)

    @property
    def logged_in(self):
        return 200 == self.client.get("/private/").status_code

    @property
    def cookies(self):
        return {name: morsel.value for name, morsel in self.client.cookies.items()}

    def twin(self, **extra):
        """Return a second window on the same cookies."""
        other = Browser(**extra)
        other.client.cookies.load(self.cookies)
        return other


def row(number=support.NUMBER):
    return VerificationAttempt.objects.filter(number=number).latest("pk")
