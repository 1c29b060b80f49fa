"""Vonage's calls to us, over HTTP: what is heard, what is refused, and what a whole login looks like with them."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.test import Client, RequestFactory
from jwt.utils import base64url_decode

from passwordless import gateway
from passwordless.flow.sending import reference
from passwordless.models import AttemptEvent, Receipt, VerificationAttempt
from passwordless.states import Channel, EventKind, Reason, Status
from passwordless.vonage.emulator import Emulator, Switches, serve
from passwordless.webhooks import BODY_LIMIT, VonageWebhook
from tests import support
from tests.support import BEGIN, NUMBER, configure, latest, make
from tests.vonage.test_signature import APPLICATION, KEY, OTHER, SECRET, TRICKS, claims, part, seal

URL, LOGIN, CODE = "/webhooks/vonage/", "/login/", "/login/code/"
TICKET = re.compile(r'name="ticket" value="([0-9a-f]{32})"')
BAD = [401] * 3


@pytest.fixture(autouse=True)
def clock(db, settings):
    configure(settings, SIGNATURE_SECRET=SECRET, API_KEY=KEY, API_SECRET="secret of the account")
    with support.world() as traveller:
        yield traveller


@pytest.fixture
def waiting():
    """An attempt that waits for its code and that Vonage knows."""
    return make(request_id=str(uuid4()), live_number=NUMBER)


def body_about(attempt, status="failed", kind="summary", **changes):
    told = {
        "type": kind,
        "request_id": attempt.request_id,
        "status": status,
        "client_ref": reference(attempt),
    }
    return json.dumps(told | changes).encode()


def sealed(body, secret=SECRET, **changes):
    return seal(claims(body, BEGIN.timestamp(), **{"jti": str(uuid4()), **changes}), secret)


def send(body, token=None, client=None, **headers):
    """Post a report, soundly signed unless a token says otherwise; none is sent for an empty one."""
    token = sealed(body) if token is None else token
    authorization = {"authorization": f"Bearer {token}"} if token else {}
    poster = client or Client()
    return poster.post(URL, body, content_type="application/json", headers={**authorization, **headers})


def untouched(attempt):
    """Return whether nothing was written: no event, no token, and the row as it was."""
    row = VerificationAttempt.objects.get(pk=attempt.pk)
    same = (row.status, row.reason, row.live_number, row.price) == (Status.PENDING, "", NUMBER, None)
    return same and not Receipt.objects.exists() and not AttemptEvent.objects.exists()


def test_a_signed_report_is_heard(waiting):
    answer = send(body_about(waiting, price="0.05"))
    assert (204, b"") == (answer.status_code, answer.content)
    row = latest()
    assert (Status.FAILED, Reason.UNROUTABLE, None) == (row.status, row.reason, row.live_number)
    assert (Decimal("0.05"), "EUR", 1) == (row.price, row.currency, Receipt.objects.count())


@pytest.mark.parametrize("trick", TRICKS)
def test_h1_a_trick_with_the_header_is_401_and_writes_nothing(waiting, trick):
    body = body_about(waiting)
    told = claims(body, BEGIN.timestamp())
    head = json.loads(header_of(TRICKS[trick]))
    forged = [TRICKS[trick], seal(told, OTHER, **head), seal(told, "", **head)]
    assert BAD == [send(body, token).status_code for token in forged]
    assert untouched(waiting)


def header_of(token):
    return base64url_decode(token.partition(".")[0])


@pytest.mark.parametrize("depth", [995, 5000])
def test_h1_a_header_of_any_depth_is_401(waiting, depth):
    header = part('{"alg": "HS256", "x": ' + "[" * depth + "]" * depth + "}")
    assert 401 == send(body_about(waiting), f"{header}.e30.e30").status_code
    assert untouched(waiting)


@pytest.mark.parametrize("secret", [OTHER, "", "s" * 31])
def test_h2_a_wrong_secret_is_401_and_writes_nothing(waiting, secret):
    body = body_about(waiting)
    assert 401 == send(body, sealed(body, secret)).status_code
    assert untouched(waiting)


@pytest.mark.parametrize("ours", ["", [], [""], "s" * 31, ["s" * 31, ""]])
def test_h2_without_a_usable_secret_nobody_is_heard(waiting, settings, ours, caplog):
    configure(settings, SIGNATURE_SECRET=ours)
    body = body_about(waiting)
    answers = [send(body, sealed(body, secret)).status_code for secret in ("", "s" * 31, SECRET)]
    assert BAD == answers
    assert untouched(waiting)
    assert ["WARNING"] * 3 == [one.levelname for one in caplog.records if one.name == "passwordless"]


def test_i17_while_the_secret_is_changed_both_are_good(waiting, settings):
    for ours in ([OTHER, SECRET], (SECRET, OTHER)):
        configure(settings, SIGNATURE_SECRET=ours)
        for secret in (SECRET, OTHER):
            body = body_about(waiting, "expired", "event")
            assert 204 == send(body, sealed(body, secret)).status_code
    configure(settings, SIGNATURE_SECRET=[OTHER])
    body = body_about(waiting)
    assert 401 == send(body, sealed(body, SECRET)).status_code
    assert Status.PENDING == latest().status


AT = int(BEGIN.timestamp())
CLAIMS = {
    "too old": {"iat": AT - 301}, "ahead": {"iat": AT + 61}, "no time": {"iat": ...},
    "a time as text": {"iat": str(AT)}, "a time as boolean": {"iat": True},
    "no id": {"jti": ...}, "a long id": {"jti": "x" * 65}, "NUL": {"jti": "\0"},
    "half a pair": {"jti": "\ud800"}, "no issuer": {"iss": ...}, "another issuer": {"iss": "Nexmo"},
    "past": {"exp": AT - 1}, "endless": {"exp": float("inf")}, "no hash": {"payload_hash": ...},
    "another hash": {"payload_hash": "0" * 64}, "another account": {"api_key": "abcdef02"},
    "no account": {"api_key": ...},
}  # fmt: skip


@pytest.mark.parametrize("wrong", CLAIMS)
def test_h3_a_wrong_claim_is_401_and_writes_nothing(waiting, wrong):
    body = body_about(waiting)
    assert 401 == send(body, sealed(body, **CLAIMS[wrong])).status_code
    assert untouched(waiting)


@pytest.mark.parametrize("offset", [-300, 60])
def test_h3_at_the_bounds_it_is_heard(waiting, offset):
    body = body_about(waiting)
    assert 204 == send(body, sealed(body, iat=AT + offset)).status_code
    assert Status.FAILED == latest().status


def test_a_token_for_another_application_is_401(waiting, settings):
    configure(settings, APPLICATION_ID=APPLICATION)
    body = body_about(waiting)
    assert 401 == send(body, sealed(body, application_id="00000000-0000-4000-8000-000000000002")).status_code
    assert untouched(waiting)
    assert 204 == send(body, sealed(body, application_id=APPLICATION)).status_code


def test_h4_a_replay_is_204_without_effect(waiting):
    body = body_about(waiting, "expired", "event", channel="sms")
    token = sealed(body)
    assert [204] * 5 == [send(body, token).status_code for _ in range(5)]
    assert (1, 1) == (Receipt.objects.count(), AttemptEvent.objects.count())


def test_h5_one_space_more_is_401(waiting):
    body = body_about(waiting)
    assert 401 == send(body + b" ", sealed(body)).status_code
    assert untouched(waiting)


def test_h5_the_raw_body_counts_however_it_is_written(waiting):
    body = b"\n " + body_about(waiting).replace(b": ", b"  :\t") + b"\r\n"
    assert 204 == send(body, sealed(body, payload_hash=hashlib.sha256(body).hexdigest().upper())).status_code
    assert Status.FAILED == latest().status


@pytest.mark.parametrize("size", [BODY_LIMIT + 1, 10 * 2**20])
def test_h6_a_long_body_is_413_before_anything_else(waiting, size):
    body = body_about(waiting).ljust(size)
    assert [413, 413] == [send(body, token).status_code for token in (None, "x")]
    assert untouched(waiting)


def test_h6_64_kib_are_read(waiting):
    assert 204 == send(body_about(waiting).ljust(BODY_LIMIT)).status_code
    assert Status.FAILED == latest().status


class Unread:
    """A body that must not be touched."""

    def read(self, *size):
        raise AssertionError("was read")

    readline = read


def raw(environ, **headers):
    """Post with an environment that a well-behaved client would not send."""
    request = RequestFactory().generic("POST", URL, b"", "application/json", headers=headers, **environ)
    return VonageWebhook.as_view()(request)


@pytest.mark.parametrize("length", [str(BODY_LIMIT + 1), "9" * 30, "many", "1.5", "0x10"])
def test_h6_a_length_that_is_too_long_or_none_is_413_unread(length):
    environ = {"CONTENT_LENGTH": length, "wsgi.input": Unread()}
    assert 413 == raw(environ, authorization="Bearer x").status_code


@pytest.mark.parametrize("length", ["", "-5", "0"])
def test_h6_without_a_length_nothing_is_read(length):
    assert (
        401 == raw({"CONTENT_LENGTH": length, "wsgi.input": Unread()}, authorization="Bearer x").status_code
    )


class BreaksOff:
    """A client that hangs up in the middle."""

    def read(self, *size):
        raise ConnectionResetError("gone")

    readline = read


def test_h6_a_body_that_breaks_off_is_no_accident(waiting):
    environ = {"CONTENT_LENGTH": "100", "wsgi.input": BreaksOff()}
    assert 413 == raw(environ, authorization="Bearer x").status_code
    assert untouched(waiting)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity", "gzip, gzip"])
def test_h6_a_coded_body_is_refused_even_if_signed(waiting, coding):
    body = body_about(waiting)
    assert 415 == send(body, **{"content-encoding": coding}).status_code
    assert untouched(waiting)


@pytest.mark.parametrize("status", ["completed", "failed", "blocked", "expired", "cancelled"])
@pytest.mark.parametrize("kind", ["event", "summary"])
def test_h7_no_report_logs_anybody_in(waiting, status, kind):
    browser = Client()
    assert 204 == send(body_about(waiting, status, kind), client=browser).status_code
    assert Status.VERIFIED != latest().status
    assert {} == dict(browser.cookies)


def test_h8_what_is_unknown_is_204_without_a_line_in_the_log(caplog):
    with caplog.at_level(logging.DEBUG):
        bodies = (
            json.dumps({"type": "summary", "request_id": f"{n}", "status": "failed"}) for n in range(100)
        )
        assert {204} == {send(body.encode()).status_code for body in bodies}
    assert [] == [one for one in caplog.records if one.name.startswith("passwordless")]
    assert 0 == AttemptEvent.objects.count()


@pytest.mark.parametrize("headers", [{}, {"authorization": ""}])
def test_h9_an_unsigned_report_is_503_and_not_processed(waiting, headers, caplog):
    assert 503 == send(body_about(waiting), token="", **headers).status_code
    assert 503 == raw({"wsgi.input": Unread(), "CONTENT_LENGTH": "10"}).status_code
    assert untouched(waiting)
    # Django mails what is an ERROR to ADMINS, and anybody may call.
    assert ["WARNING"] * 2 == [one.levelname for one in caplog.records]


@pytest.mark.parametrize(
    "scheme", ["Basic eDp4", "Bearer", "Bearer ", "Digest x", "{}", "Bearer  {}", "bearer{}"]
)
def test_h9_what_is_signed_otherwise_is_401(waiting, scheme):
    body = body_about(waiting)
    assert 401 == send(body, "", authorization=scheme.format(sealed(body))).status_code
    assert untouched(waiting)


def test_h10_a_bad_token_costs_no_statement(waiting, django_assert_num_queries):
    body = body_about(waiting)
    tokens = [sealed(body, OTHER), *TRICKS.values()]
    with django_assert_num_queries(0):
        assert {401} == {send(body, token).status_code for token in tokens}
        assert 503 == send(body, "").status_code
        assert 413 == send(body.ljust(BODY_LIMIT + 1)).status_code
        assert 400 == send(b"{}").status_code


UNREADABLE = {
    "empty": b"", "text": b"hello", "list": b"[]", "bytes": b"\xff\xfe", "other type": b'{"type": "inbound"}',
    "deep": b"[" * 60_000, "half a pair": b'{"type": "event", "request_id": "\\ud800"}',
    "NUL": b'{"type": "event", "request_id": "\\u0000"}',
}  # fmt: skip


@pytest.mark.parametrize("what", UNREADABLE)
def test_h6_what_is_signed_but_unreadable_is_400_and_writes_nothing(waiting, what):
    assert 400 == send(UNREADABLE[what]).status_code
    assert untouched(waiting)


HOSTILE = {
    "client_ref": "\ud800",
    "channel": ["sms"],
    "price": "1e-999999999",
    "workflow": [[], {"reason": {}}, 7],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_h6_odd_values_do_not_keep_the_rest_from_being_heard(waiting, name):
    assert 204 == send(body_about(waiting, **{name: HOSTILE[name]})).status_code
    assert Status.FAILED == latest().status


@pytest.mark.parametrize("client_ref", ["", "x" * 5000, "order.66", 7, None])
def test_a_reference_that_is_not_ours_leaves_the_request_id(waiting, client_ref):
    assert 204 == send(body_about(waiting, client_ref=client_ref)).status_code
    assert Status.FAILED == latest().status


def test_a_forged_reference_is_204_without_effect(waiting):
    assert 204 == send(body_about(waiting, client_ref=f"{waiting.key}.{'0' * 20}")).status_code
    assert (Status.PENDING, 0) == (latest().status, AttemptEvent.objects.count())


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options", "trace"])
def test_only_post_is_answered(waiting, method):
    body = body_about(waiting)
    answer = getattr(Client(), method)(URL, headers={"authorization": f"Bearer {sealed(body)}"})
    assert (405, "POST") == (answer.status_code, answer.headers["Allow"])
    assert untouched(waiting)


def test_no_csrf_token_is_needed(waiting):
    assert 204 == send(body_about(waiting), client=Client(enforce_csrf_checks=True)).status_code
    assert Status.FAILED == latest().status


@pytest.mark.django_db(transaction=True)
def test_a_report_is_no_part_of_a_transaction_of_the_request(waiting, monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    body = body_about(waiting)
    assert [204, 204] == [send(body).status_code for _ in range(2)]
    assert Status.FAILED == latest().status


def test_j1_no_line_of_the_log_holds_a_number_a_token_or_a_secret(waiting, caplog, settings):
    body, blocked = body_about(waiting), body_about(waiting, "blocked", "event")
    tokens = [sealed(body), sealed(body, OTHER), sealed(body, iat=AT - 999), *TRICKS.values()]
    with caplog.at_level(logging.DEBUG):
        for token in [*tokens, ""]:
            send(body, token)
        send(body + b" ", tokens[0])
        send(b'{"number": "+14155550101"}')
        send(blocked)
    said = "\n".join(
        f"{one.getMessage()} {one.args} {one.exc_text}"
        for one in caplog.records
        if "django.db" not in one.name
    )
    assert "A webhook was refused" in said
    ids = [waiting.request_id, waiting.key, *re.findall(r'"jti": "([^"]+)"', said)]
    kept = [SECRET, OTHER, KEY, NUMBER, NUMBER.lstrip("+"), *ids, *filter(None, tokens)]
    assert [] == [secret for secret in kept if secret in said]


# The emulator's own webhooks, over a real socket


@pytest.fixture
def site(live_server, settings):
    """The site as a server on loopback, to which the emulator in process sends its webhooks."""
    configure(settings, EMULATOR_WEBHOOK_URL=live_server.url + URL)
    with support.world() as traveller:
        yield traveller
    gateway.emulator().clear()


@pytest.fixture
def provider(live_server, settings):
    """Return a function that puts an emulator with switches behind a socket, as a provider of its own."""
    servers = []

    def make_provider(**switches):
        emulator = Emulator(
            webhook_url=live_server.url + URL,
            signature_secret=SECRET,
            api_key=KEY,
            webhook_delays=(0.01,),
            switches=Switches(**{"webhook_always": True, "webhook_lag": 0, **switches}),
        )
        servers.append((serve(emulator), emulator))
        configure(settings, EMULATOR=False, API_HOST=servers[-1][0].url)
        return emulator

    yield make_provider
    for server, emulator in servers:
        emulator.clear()
        server.shutdown()


def ask(number=NUMBER):
    """Ask for a code in a browser and open the page that takes it; return browser and ticket."""
    browser = Client()
    assert 302 == browser.post(LOGIN, {"number": number}).status_code
    return browser, TICKET.search(browser.get(CODE).content.decode())[1]


def type_code(browser, ticket, emulator, number=NUMBER):
    return browser.post(CODE, {"code": emulator.messages(number)[-1].code, "ticket": ticket})


def log_in(emulator, number=NUMBER):
    browser, ticket = ask(number)
    assert 302 == type_code(browser, ticket, emulator, number).status_code
    assert "_auth_user_id" in browser.session
    assert emulator.drain(20)
    return latest(number)


def reports(attempt):
    return sorted((one.channel, one.vendor) for one in attempt.events.filter(kind=EventKind.REPORTED))


TOLD = [("", "completed"), (Channel.SMS, "completed")]


def test_a_whole_login_is_told_in_the_timeline_with_its_price(site):
    attempt = log_in(gateway.emulator())
    assert (Status.VERIFIED, Reason.OK, None) == (attempt.status, attempt.reason, attempt.live_number)
    assert (Decimal("0.09675"), "EUR") == (attempt.price, attempt.currency)
    kinds = [event.kind for event in attempt.timeline()]
    assert sorted([EventKind.ASKED, EventKind.SENT, EventKind.VERIFIED, *[EventKind.REPORTED] * 2]) == sorted(
        kinds
    )
    assert TOLD == reports(attempt)
    assert {(1, 204)} == {(one.tries, one.status) for one in gateway.emulator().webhooks()}


def test_h11_a_blocked_network_ends_the_attempt_by_itself(site):
    ask("+12125550109")
    assert gateway.emulator().drain(20)
    attempt = latest("+12125550109")
    assert (Status.FAILED, Reason.BLOCKED, "00101") == (attempt.status, attempt.reason, attempt.network)
    assert attempt.live_number is None


def test_a_cancelled_login_stays_cancelled(site):
    browser, ticket = ask()
    site.shift(31)
    browser.post("/login/cancel/", {"ticket": ticket})
    assert gateway.emulator().drain(20)
    attempt = latest()
    assert (Status.CANCELLED, Reason.CANCELLED, None) == (attempt.status, attempt.reason, attempt.live_number)
    assert ("", "cancelled") in reports(attempt)


FLAWS = {
    "none": [204], "unsigned": [503], "wrong_hash": [401], "expired": [401], "future": [401],
    "duplicate": [204, 204], "alg_none": [401], "other_secret": [401],
}  # fmt: skip


@pytest.mark.parametrize("flaw", FLAWS)
def test_every_flaw_of_the_emulators_webhooks_is_answered(site, flaw):
    ask()
    attempt = latest()
    event = json.loads(body_about(attempt, "expired", "event", channel="sms"))
    assert FLAWS[flaw] == gateway.emulator().send_webhook(event, flaw=flaw)
    heard = [("sms", "expired")] if FLAWS[flaw][0] == 204 else []
    assert (heard, len(heard)) == (reports(attempt), Receipt.objects.count())
    assert Status.PENDING == latest().status


SWITCHES = {
    "unsigned at first": {"webhook_unsigned": True}, "twice": {"webhook_duplicates": True},
    "summary first": {"webhook_reordering": True}, "all at once": {
        "webhook_unsigned": True, "webhook_duplicates": True, "webhook_reordering": True,
    },
    "price as number": {"webhook_price_as_number": True}, "a clock ahead": {"webhook_clock_ahead": 60},
    "a clock behind": {"webhook_clock_ahead": -290},
}  # fmt: skip


@pytest.mark.parametrize("switch", SWITCHES)
def test_h8_however_vonage_reports_the_timeline_is_the_same(provider, switch):
    attempt = log_in(provider(**SWITCHES[switch]))
    assert (Status.VERIFIED, TOLD) == (attempt.status, reports(attempt))
    assert (Decimal("0.09675"), "EUR", None) == (attempt.price, attempt.currency, attempt.live_number)


@pytest.mark.parametrize("switch", [{"webhook_wrong_hash": True}, {"webhook_clock_ahead": 61}])
def test_h5_what_cannot_be_believed_leaves_a_login_as_it_is(provider, switch):
    attempt = log_in(provider(**switch))
    assert (Status.VERIFIED, [], None) == (attempt.status, reports(attempt), attempt.price)
    assert 0 == Receipt.objects.count()


def test_a_report_of_a_lost_start_finds_its_row(provider):
    emulator = provider(webhook_lag=0)
    emulator.faults.add("drop_after", "start", times=1)
    assert 503 == Client().post(LOGIN, {"number": NUMBER}).status_code
    attempt = latest()
    event = {"type": "event", "request_id": str(uuid4()), "status": "expired", "channel": "sms"}
    assert [204] == emulator.send_webhook(event | {"client_ref": reference(attempt)})
    assert (Status.STARTING, None, [("sms", "expired")]) == (
        latest().status, latest().request_id, reports(attempt)
    )  # fmt: skip


class Bounded(io.BytesIO):
    def read(self, size=-1):
        assert 0 <= size <= BODY_LIMIT + 1
        return super().read(size)


def test_h6_a_long_body_without_a_length_is_413_and_not_read_to_its_end():
    scope = {
        "type": "http", "method": "POST", "path": "/webhooks/vonage/", "query_string": b"",
        "headers": [(b"authorization", b"Bearer x")],
    }  # fmt: skip
    request = ASGIRequest(scope, Bounded(b"x" * (BODY_LIMIT + 2)))
    assert 413 == VonageWebhook.as_view()(request).status_code
