"""ATOMIC_REQUESTS wraps each view in a transaction, whose rollback would give guesses and sends back."""

from __future__ import annotations

import re
from itertools import count

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.contrib.sessions.models import Session
from django.db import connection, connections, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from passwordless import flow, gateway, urls
from passwordless.backends import PhoneBackend
from passwordless.models import Counter, VerificationAttempt
from passwordless.outcomes import Visitor
from passwordless.signals import attempt_moved
from passwordless.states import Status

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls(__name__),
    pytest.mark.usefixtures("_atomic_requests"),
]

CODE_PAGE, DONE = "/login/code/", "/login/done/"
TICKET = re.compile(r'name="ticket" value="([0-9a-f]{32})"')
fresh = count()


def inside(request):
    return HttpResponse(str(connection.in_atomic_block))


urlpatterns = [path("inside/", inside), path("", include("passwordless.urls"))]


class Failing(PhoneBackend):
    """Makes no user."""

    def create_user(self, number):
        get_user_model().objects.create_user("half made")
        raise RuntimeError("the site's own error")


@pytest.fixture
def _atomic_requests(monkeypatch):
    for made in (gateway._built, gateway._clients, gateway._breakers):
        made.clear()
    gateway.emulator().clear()
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


@pytest.fixture
def fail_on():
    """Make a receiver of a signal raise."""

    def fail(**kwargs):
        raise RuntimeError("the site's own error")

    connected = []

    def connect(signal):
        signal.connect(fail)
        connected.append(signal)

    yield connect
    for signal in connected:
        signal.disconnect(fail)


def a_number():
    return f"+1415555{100 + next(fresh) % 100:04d}"


def asked(client, number):
    """Ask for a code; return it with the ticket of the form."""
    assert CODE_PAGE == client.post("/login/", {"number": number}).headers["Location"]
    ticket = TICKET.search(client.get(CODE_PAGE).content.decode())[1]
    return gateway.emulator().messages(number)[-1].code, ticket


def guess(client, code, ticket):
    return client.post(CODE_PAGE, {"code": code, "ticket": ticket})


def wrong(code):
    return f"{(int(code) + 1) % 10**6:06d}"


def used():
    """Return what has been counted in all buckets together."""
    return sum(Counter.objects.values_list("used", flat=True))


def nobody_is_logged_in():
    return not any("_auth_user_id" in session.get_decoded() for session in Session.objects.all())


def test_views_of_the_site_do_run_in_a_transaction(client):
    assert b"True" == client.get("/inside/").content


@pytest.mark.parametrize("pattern", urls.urlpatterns, ids=lambda pattern: pattern.name)
def test_no_view_of_ours_runs_in_a_transaction(pattern):
    assert {"default"} == getattr(pattern.callback, "_non_atomic_requests", None)


def test_a_login_works(client):
    assert DONE == guess(client, *asked(client, a_number())).headers["Location"]


def test_wrong_guesses_stay_paid_when_a_receiver_of_the_failure_raises(client, fail_on):
    code, ticket = asked(client, a_number())
    before = used()
    fail_on(user_login_failed)
    answers = [guess(client, wrong(code), ticket).status_code for _ in range(3)]
    assert [500, 500, 500] == answers
    assert (Status.FAILED, 3) == VerificationAttempt.objects.values_list("status", "guesses").get()
    # Two windows and the lock of a number, two windows of an address, each three times.
    assert before + 15 == used()
    assert 500 == guess(client, code, ticket).status_code
    assert 3 == gateway.emulator().count("check")
    assert nobody_is_logged_in()


def test_a_right_code_stays_used_when_a_receiver_of_the_login_raises(client, fail_on):
    code, ticket = asked(client, a_number())
    other = Client()
    other.cookies.load(client.cookies.output(header="", sep=";"))
    fail_on(user_logged_in)
    assert 500 == guess(client, code, ticket).status_code
    assert (Status.VERIFIED, 1) == VerificationAttempt.objects.values_list("status", "guesses").get()
    for window in (client, other):
        assert "has expired" in guess(window, code, ticket).content.decode()
    assert 1 == gateway.emulator().count("check")
    assert nobody_is_logged_in()


def test_a_guess_stays_paid_when_the_site_cannot_make_the_user(client, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Failing"]
    code, ticket = asked(client, a_number())
    before = used()
    assert 500 == guess(client, code, ticket).status_code
    assert (Status.CHECKING, 1) == VerificationAttempt.objects.values_list("status", "guesses").get()
    assert before + 5 == used()
    assert 0 == get_user_model().objects.count()
    assert 429 == guess(client, code, ticket).status_code
    assert 1 == gateway.emulator().count("check")
    assert nobody_is_logged_in()


def test_the_attempt_of_a_user_who_could_not_be_made_ends_at_the_next_guess(client, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Failing"]
    with time_machine.travel(1_795_000_000, tick=False) as traveller:
        code, ticket = asked(client, a_number())
        guess(client, code, ticket)
        traveller.shift(16)
        guess(client, code, ticket)
    assert (Status.FAILED, 2, None) == VerificationAttempt.objects.values_list(
        "status", "guesses", "live_number"
    ).get()


def test_a_send_stays_paid_and_the_attempt_live_when_a_receiver_of_its_move_raises(client, fail_on):
    fail_on(attempt_moved)
    code, ticket = asked(client, a_number())
    assert Status.PENDING == VerificationAttempt.objects.get().status
    assert DONE == guess(client, code, ticket).headers["Location"]


@pytest.mark.parametrize("verb", ["start", "check", "advance"])
def test_a_verb_inside_a_transaction_of_the_caller_is_refused_before_anything_is_asked(verb):
    """Fails where a claim or a charge would be taken back with the caller's transaction."""
    number, visitor = a_number(), Visitor(ip="10.4.0.1")
    with time_machine.travel(1_795_000_000, tick=False) as traveller:
        handle = flow.start(number, visitor).handle
        traveller.shift(61)
        before = len(gateway.emulator().journal)
        verbs = {
            "start": lambda: flow.start(a_number(), visitor),
            "check": lambda: flow.check(handle, "000000", visitor),
            "advance": lambda: flow.advance(handle, visitor),
        }
        with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
            verbs[verb]()
    assert before == len(gateway.emulator().journal)
