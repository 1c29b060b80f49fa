"""Every page in every state, reached without a word of any language: by the order of forms and by addresses."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager

CANCEL = 31
"""Seconds after which Vonage cancels a request."""

WAIT = 61
"""Seconds after which a call may be asked for."""

LONGEST_WAIT = 2 * 3600
"""Seconds after which a number may be sent to again, however often it was."""

PROVIDER_ERROR, NO_ANSWER = "+12125550102", "+12125550103"


def submit(person, form=".pl-form"):
    """Press the button of a form, and be on the page that comes."""
    with person.page.expect_navigation():
        person.page.locator(f"main {form} button").click()


def ask(person):
    person.see("/login/")
    person.field("number").fill(person.number)
    submit(person)


def guess(person, times=1):
    for _ in range(times):
        person.field("code").fill(person.wrong_code())
        submit(person)


def refused(person):
    person.see("/login/")
    submit(person)


def too_soon(person):
    """Whoever has a request cancelled, which takes half a minute, has to wait longer than that the second time."""
    for _ in range(2):
        ask(person)
        person.site.move_clock(CANCEL)
        submit(person, ".pl-cancel")
    ask(person)


def provider_error(person):
    person.site.move_clock(LONGEST_WAIT)
    person.number = PROVIDER_ERROR
    ask(person)


def sending(person):
    """Whoever asks again while the provider has not answered the first request is told that it is under way."""
    person.site.move_clock(LONGEST_WAIT)
    person.number = NO_ANSWER
    ask(person)
    ask(person)


def wrong(person, times=1):
    ask(person)
    guess(person, times)


def empty(person):
    ask(person)
    submit(person)


def waiting(person):
    """A form that is sent past the script: the page that answers whoever has none."""
    ask(person)
    with person.page.expect_navigation():
        person.page.locator(".pl-resend").evaluate("form => form.submit()")


def announced(person):
    ask(person)
    person.page.locator(".pl-resend button").press("Enter")


def called(person):
    ask(person)
    person.site.move_clock(WAIT)
    person.page.reload()
    submit(person, ".pl-resend")


def expired(person):
    ask(person)
    person.site.move_clock(LONGEST_WAIT / 4)
    person.page.reload()


def signed_in(person, path="/"):
    ask(person)
    person.field("code").fill(person.code())
    submit(person)
    person.see(path)


def out_of_date(person):
    person.see("/login/")
    # Without the cookie is not enough: an answer to the virtual phone that is on its way brings it again.
    person.page.locator(".pl-form [name=csrfmiddlewaretoken]").evaluate("token => token.value = 'old'")
    submit(person)


def unavailable(person):
    person.see("/login/")
    person.field("number").fill(person.number)
    with no_counters(person.site):
        submit(person)


@contextmanager
def no_counters(site):
    """Take a table away that every request for a code needs."""
    rename(site, "passwordless_counter", "elsewhere")
    try:
        yield
    finally:
        rename(site, "elsewhere", "passwordless_counter")


def rename(site, old, new):
    with closing(sqlite3.connect(site.folder / "db.sqlite3", timeout=20)) as database:
        database.execute(f"ALTER TABLE {old} RENAME TO {new}")


def message(person):
    ask(person)
    person.see("/phone/")


STATES = {
    "number": lambda person: person.see("/login/"),
    "number_lost": lambda person: person.see("/login/?lost=1"),
    "number_refused": refused,
    "number_too_soon": too_soon,
    "number_unavailable": provider_error,
    "code": ask,
    "code_empty": empty,
    "code_wrong": wrong,
    "code_out_of_tries": lambda person: wrong(person, times=3),
    "code_expired": expired,
    "code_waiting": waiting,
    "code_announced": announced,
    "code_called": called,
    "switch": lambda person: signed_in(person, "/login/?switch=1"),
    "done": lambda person: signed_in(person, "/login/done/"),
    "out_of_date": out_of_date,
    "home": lambda person: person.see("/"),
    "home_signed_in": signed_in,
    "phone": message,
}
"""By name, what leads to a state of the demo."""

PLAIN_STATES = {
    "number_of_one_country": lambda person: person.see("/login/"),
    "number_refused_of_one_country": refused,
    "code_sending": sending,
    "unavailable": unavailable,
}
"""The same for a site with one country, without DEBUG, that waits a second for its provider."""

PLAIN = {
    "DEBUG": 0,
    "HTTPS": 0,
    "SECRET_KEY": "of-a-test-that-keeps-nothing-" * 2,
    "ALLOWED_HOSTS": "127.0.0.1",
    "VONAGE_EMULATOR": 1,
    "PASSWORDLESS_COUNTRIES": "US",
    "PASSWORDLESS_START_TIMEOUT": 1,
}
"""Its `.env`."""
