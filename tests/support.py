"""What the tests of the flow share: a world that starts clean and stands still, two people, their deeds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import django
import time_machine
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory

from passwordless import flow, gateway, handles, limits
from passwordless.models import Counter, VerificationAttempt, tags
from passwordless.outcomes import Visitor
from passwordless.states import Channel, Purpose, Reason, Status
from tests.settings import WIDE

BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBER, OTHER = "+14155550101", "+14155550102"
OWNER = Visitor(ip="198.51.100.1", agent="Firefox", session="session of owner")
STRANGER = Visitor(ip="198.51.100.2", agent="Opera", session="session of other")


@contextmanager
def world() -> Iterator[time_machine.Traveller]:
    """Empty the emulator, forget how Vonage fared and stop the clock, which only `shift` moves."""
    gateway.emulator().clear()
    # A circuit that a test opened would refuse the next one.
    for built in (gateway._built, gateway._clients, gateway._breakers):
        built.clear()
    with time_machine.travel(BEGIN, tick=False) as clock:
        yield clock


def admins():
    """Return ADMINS in the form of this Django."""
    return ["ops@example.com"] if django.VERSION >= (6, 0) else [("Ops", "ops@example.com")]


def configure(settings, **changes):
    """Change settings of the app. Wide limits stay off unless LIMITS names them: all tests share a country."""
    if "LIMITS" in changes:
        changes["LIMITS"] = {**WIDE, **changes["LIMITS"]}
    settings.PASSWORDLESS = {**settings.PASSWORDLESS, **changes}


def emulator():
    return gateway.emulator()


def asked(*verbs):
    """Return how often the provider was asked, in the order of these verbs."""
    return tuple(emulator().count(verb) for verb in verbs)


def begin(number=NUMBER, visitor=OWNER, purpose=Purpose.LOGIN):
    """Start an attempt, or join the one that lives, and return the handle."""
    outcome = flow.start(number, visitor, purpose)
    assert outcome.handle is not None, outcome
    return outcome.handle


def attempt(handle):
    return VerificationAttempt.objects.get(key=handle.key)


def latest(number=NUMBER):
    return VerificationAttempt.objects.filter(number=number).latest("pk")


def code(number=NUMBER):
    """Return the code of the newest message."""
    return emulator().messages(number)[-1].code


def wrong(number=NUMBER):
    """Return a code that is not the one of the newest message; nobody needs a message to be wrong."""
    messages = emulator().messages(number)
    return "".join(str(9 - int(digit)) for digit in (messages[-1].code if messages else "123456"))


def guess_wrong(handle, times=1, visitor=OWNER, number=NUMBER):
    """Type wrong codes and return the last outcome."""
    outcomes = [flow.check(handle, wrong(number), visitor) for _ in range(times)]
    return outcomes[-1]


def used(name, subject, index=0):
    """Return what a bucket of a limit holds, 0 if it does not exist."""
    row = Counter.objects.filter(key=limits.buckets(name, subject)[index].key).first()
    return row.used if row else 0


def counters():
    """Return every counter, to be compared with what they were."""
    return dict(Counter.objects.values_list("key", "used"))


def written(handle):
    """Return the kinds of the events of an attempt, in order."""
    return list(attempt(handle).events.order_by("at", "pk").values_list("kind", flat=True))


def make(**values):
    """Return a stored attempt that waits for its code, changed as told."""
    lifetime = values.pop("lifetime", 300)
    ends = datetime.fromtimestamp(BEGIN.timestamp() + lifetime, UTC)
    facts = {
        "number": NUMBER, "status": Status.PENDING, "channels": f"{Channel.SMS},{Channel.VOICE}",
        "sends": 1, "created_at": BEGIN, "sent_at": BEGIN, "step_at": BEGIN, "expires_at": ends,
        "open_until": ends, "api": "v2",
    }  # fmt: skip
    return VerificationAttempt.objects.create(**{**facts, **values})


def make_refused(number, **values):
    """Return a stored attempt for `number` that a limit refused, changed as told."""
    facts = {
        "number": number, "number_tag": tags(number)[0], "country": "US", "status": Status.REFUSED,
        "reason": Reason.LIMIT_IP, "ended_at": BEGIN, "sends": 0, "sent_at": None, "step_at": None, "api": "",
        "request_id": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
    }  # fmt: skip
    return make(**{**facts, **values})


class Intruder:
    """Somebody faster: does a deed just before attempts are updated, by that column first, so many times."""

    def __init__(self, deed, column="status", value=None, times=1):
        self.deed, self.value, self.times = deed, value, times
        table = VerificationAttempt._meta.db_table
        self.start = f'UPDATE "{table}" SET "{column}" = '  # noqa: S608 - compared, never run

    def __call__(self, execute, sql, params, many, context):
        if self.times and sql.startswith(self.start) and self.value in (None, str(params[0])):
            self.times -= 1
            self.deed()
        return execute(sql, params, many, context)

    def __enter__(self):
        self.wrapper = connection.execute_wrapper(self)
        self.wrapper.__enter__()
        return self

    def __exit__(self, *error):
        self.wrapper.__exit__(*error)
        assert error[0] or not self.times, "nobody was overtaken"


def held(cookies):
    """Return what a browser with these cookies holds while a code is on its way."""
    sent = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
    return handles._kept(RequestFactory(HTTP_COOKIE=sent).get("/"))


def hold(cookies, **kept):
    """Let these cookies hold something else, as only this site could have written it."""
    response = HttpResponse()
    handles._write(response, kept)
    cookies.update(response.cookies)
