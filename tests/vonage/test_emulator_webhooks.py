"""The webhooks of the emulator, as a small HTTP receiver gets them and as PyJWT reads their tokens."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from django.core.management.base import CommandError

from passwordless.management.commands.vonage_emulator import Command
from passwordless.vonage.emulator import Clock, Emulator, Switches, serve
from passwordless.vonage.emulator.control import Control
from tests.vonage.emulator_calls import NUMBER, T0, V1, V2, call, codes, other_than

SECRET = "a signature secret of 36 characters."
OTHER = "b" * 36
APPLICATION = "00000000-0000-4000-8000-000000000001"
KEY = "c" * 32
"""Only signs the callers' tokens, which the emulator does not verify without a public key."""


@dataclass(frozen=True)
class Got:
    """One webhook as it came in."""

    body: bytes
    authorization: str | None
    media_type: str
    path: str

    @property
    def told(self):
        return json.loads(self.body)

    @property
    def claims(self):
        token = self.authorization.removeprefix("Bearer ")
        return jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_iat": False})


class Receiver(ThreadingHTTPServer):
    """Answers 204, or the given statuses one after the other; keeps what it got."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.got = []
        self.statuses = []
        self.released = threading.Event()
        self.released.set()
        self.changed = threading.Condition()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/hook?a=1"

    @property
    def told(self):
        return [got.told for got in self.got]

    def take(self, got):
        with self.changed:
            self.got.append(got)
            self.changed.notify_all()
            status = self.statuses.pop(0) if self.statuses else 204
        self.released.wait(10)
        return status

    def wait_for(self, number, seconds=5):
        with self.changed:
            return self.changed.wait_for(lambda: len(self.got) >= number, seconds)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        got = Got(body, self.headers["Authorization"], self.headers["Content-Type"], self.path)
        status = self.server.take(got)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        """Stay quiet."""


@pytest.fixture
def receiver():
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield receiver
    receiver.released.set()
    receiver.shutdown()
    thread.join()
    receiver.server_close()


@pytest.fixture
def make(receiver):
    """Return a function that makes an emulator whose webhooks go to the receiver at once."""
    made = []

    def emulator(*, clock=None, switches=None, delays=(0.01,), url=None, **options):
        switches = {"webhook_always": True, "webhook_lag": 0, **(switches or {})}
        made.append(
            Emulator(
                clock=clock or Clock(fixed=T0),
                switches=Switches(**switches),
                webhook_url=url or receiver.url,
                signature_secret=SECRET,
                webhook_delays=delays,
                **options,
            )
        )
        return made[-1]

    yield emulator
    for one in made:
        one.clear()


def summaries(receiver):
    return [told for told in receiver.told if told["type"] == "summary"]


def events(receiver):
    return [(told["channel"], told["status"]) for told in receiver.told if told["type"] == "event"]


def bearer(application=APPLICATION):
    claims = {"application_id": application, "iat": int(time.time()), "jti": str(uuid.uuid4())}
    # An RS256 header over any signature: nothing verifies it here.
    token = jwt.encode(claims, KEY, algorithm="HS256").split(".")
    header = jwt.utils.base64url_encode(json.dumps({"alg": "RS256", "typ": "JWT"}).encode()).decode()
    return "Bearer " + ".".join([header, *token[1:]])


def fail(emulator, request_id):
    for _ in range(3):
        V2(emulator).check(request_id, other_than(codes(emulator)[-1]))


# Bodies


def test_a_success_is_told_step_by_step_and_summed_up(make, receiver):
    emulator = make()
    request_id = V2(emulator).open(client_ref="mine.1", channel_timeout=60)
    emulator.clock.advance(60)
    V2(emulator).check(request_id, codes(emulator)[-1])
    assert emulator.drain(5)
    stamps = [f"2027-01-15T08:0{minute}:00.000Z" for minute in (0, 1)]
    assert [
        {
            "request_id": request_id,
            "triggered_at": stamps[0],
            "type": "event",
            "channel": "sms",
            "status": "expired",
            "finalized_at": stamps[1],
            "client_ref": "mine.1",
        },
        {
            "request_id": request_id,
            "triggered_at": stamps[1],
            "type": "event",
            "channel": "voice",
            "status": "completed",
            "finalized_at": stamps[1],
            "client_ref": "mine.1",
        },
        {
            "request_id": request_id,
            "submitted_at": stamps[0],
            "finalized_at": stamps[1],
            "type": "summary",
            "status": "completed",
            "channel_timeout": 60,
            "price": "0.143500000",
            "client_ref": "mine.1",
            "workflow": [
                {"channel": "sms", "initiated_at": stamps[0], "status": "expired"},
                {"channel": "voice", "initiated_at": stamps[1], "status": "completed"},
            ],
        },
    ] == receiver.told


def test_a_webhook_holds_neither_number_nor_code(make, receiver):
    emulator = make()
    request_id = V2(emulator).open()
    code = codes(emulator)[-1]
    V2(emulator).check(request_id, code)
    assert emulator.drain(5)
    text = b"".join(got.body for got in receiver.got).decode()
    assert 2 == len(receiver.got)
    assert NUMBER.lstrip("+") not in text
    assert f'"{code}"' not in text


ENDS = {
    "completed": lambda emulator, i: V2(emulator).check(i, codes(emulator)[-1]),
    "user_rejected": fail,
    "cancelled": lambda emulator, i: V2(emulator).cancel(i),
}


@pytest.mark.parametrize("status", ENDS)
def test_each_end_has_its_word(make, receiver, status):
    emulator = make()
    ENDS[status](emulator, V2(emulator).open())
    assert emulator.drain(5)
    (summary,) = summaries(receiver)
    assert status == summary["status"]
    assert [status, "unused"] == [step["status"] for step in summary["workflow"]]
    assert "initiated_at" not in summary["workflow"][1]
    assert "client_ref" not in summary
    assert [("sms", status)] == events(receiver)


def test_a_block_names_the_network_and_no_price(make, receiver):
    emulator = make()
    assert 202 == V2(emulator).start("+12125550109").status
    assert emulator.drain(5)
    (summary,) = summaries(receiver)
    assert "blocked" == summary["status"]
    assert "finalized_at" in summary
    assert not {"price", "channel_timeout"} & set(summary)
    sms, voice = summary["workflow"]
    assert ("blocked", True, "unused") == (sms["status"], "[00101]" in sms["reason"], voice["status"])


@pytest.mark.parametrize(
    ("number", "channels", "statuses", "status"),
    [
        ("+12125550101", ["sms", "voice"], ["failed", "failed"], "expired"),
        ("+12125550111", ["sms", "voice"], ["failed", "expired"], "expired"),
        ("+12125550108", ["sms"], ["expired"], "expired"),
    ],
)
def test_what_was_not_delivered_is_told_as_failed(make, receiver, number, channels, statuses, status):
    emulator = make()
    V2(emulator).open(number, channels=channels)
    emulator.clock.advance(360)
    assert emulator.drain(5)
    (summary,) = summaries(receiver)
    assert (status, statuses) == (summary["status"], [step["status"] for step in summary["workflow"]])


def test_somebody_elses_request_is_not_told_to_us(make, receiver):
    emulator = make()
    assert 409 == V2(emulator).start("+12125550106").status
    emulator.clock.advance(360)
    assert emulator.drain(5)
    assert [] == receiver.got


def test_only_v2_has_webhooks(make, receiver):
    emulator = make()
    V1(emulator).check(V1(emulator).open(), codes(emulator)[-1])
    assert emulator.drain(5)
    assert [] == receiver.got


def test_events_of_messages_can_be_left_out(make, receiver):
    emulator = make(switches={"channel_events": False})
    V2(emulator).check(V2(emulator).open(), codes(emulator)[-1])
    assert emulator.drain(5)
    assert ["summary"] == [told["type"] for told in receiver.told]


@pytest.mark.parametrize(("as_number", "kind"), [(False, str), (True, float)])
def test_a_price_is_a_string_or_a_number(make, receiver, as_number, kind):
    emulator = make(switches={"webhook_price_as_number": as_number})
    V2(emulator).check(V2(emulator).open(), codes(emulator)[-1])
    assert emulator.drain(5)
    assert kind is type(summaries(receiver)[0]["price"])
    assert Decimal("0.09675") == Decimal(str(summaries(receiver)[0]["price"]))


# Silent authentication


@pytest.mark.parametrize("as_list", [True, False])
def test_a_silent_check_waits_for_the_phone(make, receiver, as_list):
    emulator = make(switches={"webhook_action_as_list": as_list, "channel_events": False})
    answer = V2(emulator).start(channels=["silent_auth", "sms"]).body
    assert emulator.drain(5)
    (pending,) = receiver.told
    action = {"type": "check", "check_url": answer["check_url"]}
    assert ("silent_auth", "action_pending") == (pending["channel"], pending["status"])
    assert ([action] if as_list else action) == pending["action"]
    assert "finalized_at" not in pending


@pytest.mark.parametrize(
    ("number", "status"), [("+99012345671", "user_rejected"), ("+99012345699", "failed")]
)
def test_a_silent_check_that_fails_says_how(make, receiver, number, status):
    emulator = make()
    request_id = V2(emulator).open(number, channels=["silent_auth"])
    call(emulator, "GET", f"/v2/verify/{request_id}/silent-auth/redirect", query="hop=2")
    assert emulator.drain(5)
    assert [("silent_auth", "action_pending"), ("silent_auth", status)] == events(receiver)
    assert [status] == [told["status"] for told in summaries(receiver)]


def test_a_network_without_silent_checks_has_none_pending(make, receiver):
    emulator = make()
    V2(emulator).open("+12125550101", channels=["silent_auth", "sms"])
    assert emulator.drain(5)
    assert [("silent_auth", "failed")] == events(receiver)


# Who gets them, and the token


def start_by(emulator, authorization):
    given = {"brand": "Example", "workflow": [{"channel": "sms", "to": NUMBER.lstrip("+")}]}
    answer = V2(emulator).ask("POST", "/v2/verify", given, authorization=authorization)
    assert 202 == answer.status
    V2(emulator).cancel(answer.body["request_id"])


def test_only_requests_by_jwt_send_webhooks(make, receiver):
    emulator = make(switches={"webhook_always": False, "channel_events": False})
    V2(emulator).cancel(V2(emulator).open())
    start_by(emulator, bearer())
    assert emulator.drain(5)
    assert [APPLICATION] == [got.claims["application_id"] for got in receiver.got]
    assert "api_key" not in receiver.got[0].claims


def test_a_token_vouches_for_the_raw_body(make, receiver):
    emulator = make(api_key="key", application_id=APPLICATION)
    V2(emulator).cancel(V2(emulator).open())
    assert emulator.drain(5)
    assert ["/hook?a=1", "/hook?a=1"] == [got.path for got in receiver.got]
    for got in receiver.got:
        claims = got.claims
        assert "application/json" == got.media_type
        assert hashlib.sha256(got.body).hexdigest() == claims["payload_hash"]
        assert ("Vonage", "key", APPLICATION) == tuple(
            claims[n] for n in ("iss", "api_key", "application_id")
        )
        assert abs(time.time() - claims["iat"]) < 30
        assert "exp" not in claims
    assert 2 == len({got.claims["jti"] for got in receiver.got})


def refusal(got):
    """Return why a strict receiver refuses a webhook, or an empty text."""
    if got.authorization is None:
        return "unsigned"
    try:
        claims = got.claims
    except jwt.InvalidAlgorithmError:
        return "algorithm"
    except jwt.InvalidSignatureError:
        return "signature"
    if hashlib.sha256(got.body).hexdigest() != claims["payload_hash"]:
        return "hash"
    return "" if -300 <= claims["iat"] - time.time() <= 60 else "age"


def test_the_key_of_the_caller_names_the_account(make, receiver):
    emulator = make()
    V2(emulator).cancel(V2(emulator).open())
    assert emulator.drain(5)
    assert {"key"} == {got.claims["api_key"] for got in receiver.got}


# Delivery


@pytest.mark.parametrize("status", [500, 401, 404, 429, 302])
def test_what_is_refused_comes_again_with_the_same_body_and_another_token(make, receiver, status):
    emulator = make(switches={"channel_events": False})
    receiver.statuses = [status]
    V2(emulator).cancel(V2(emulator).open())
    assert emulator.drain(5)
    first, second = receiver.got
    assert first.body == second.body
    assert first.claims["jti"] != second.claims["jti"]
    (delivery,) = emulator.webhooks()
    assert (2, 204, second.body) == (delivery.tries, delivery.status, delivery.body)
    assert f"Bearer {delivery.token}" == second.authorization


def test_five_tries_and_no_more(make, receiver):
    emulator = make(switches={"channel_events": False})
    receiver.statuses = [500] * 9
    V2(emulator).cancel(V2(emulator).open())
    assert emulator.drain(5)
    assert 5 == len(receiver.got)
    assert [(5, 500)] == [(one.tries, one.status) for one in emulator.webhooks()]


def test_the_tries_keep_their_distances(make, receiver):
    emulator = make(switches={"channel_events": False}, delays=(0.05, 0.3))
    receiver.statuses = [500] * 3
    began = time.monotonic()
    V2(emulator).cancel(V2(emulator).open())
    assert emulator.drain(5)
    assert 4 == len(receiver.got)
    assert 0.65 <= time.monotonic() - began < 3


def test_a_receiver_that_is_not_there_is_tried_again(make):
    with Receiver() as gone:
        url = gone.url
    emulator = make(url=url, switches={"channel_events": False})
    V2(emulator).cancel(V2(emulator).open())
    assert emulator.drain(5)
    assert [(5, None)] == [(one.tries, one.status) for one in emulator.webhooks()]


def test_a_slow_receiver_holds_no_request_up(make, receiver):
    emulator = make()
    receiver.released.clear()
    V2(emulator).cancel(V2(emulator).open())
    assert receiver.wait_for(1)
    began = time.monotonic()
    ids = [V2(emulator).open(f"+1415555{1000 + n}") for n in range(20)]
    assert time.monotonic() - began < 2
    assert 20 == len(set(ids))
    assert not emulator.drain(0.05)
    receiver.released.set()
    assert emulator.drain(5)


def test_a_webhook_lets_the_answer_go_first(make, receiver):
    emulator = make(switches={"webhook_lag": 0.3})
    began = time.monotonic()
    V2(emulator).cancel(V2(emulator).open())
    assert [] == receiver.got
    assert emulator.drain(5)
    assert 0.3 <= time.monotonic() - began < 3
    assert 2 == len(receiver.got)


def test_an_expiry_is_told_without_anybody_asking(make, receiver):
    emulator = make(switches={"channel_events": False})
    V2(emulator).open(channels=["sms"])
    # Longer than the pause between two looks: the first one has come in vain.
    assert not receiver.wait_for(1, 1.3)
    emulator.clock.advance(180)
    assert receiver.wait_for(1)
    assert ["expired"] == [told["status"] for told in receiver.told]


def test_what_waits_is_bounded(make, receiver, caplog):
    emulator = make(switches={"channel_events": False})
    receiver.released.clear()
    v2 = V2(emulator)
    v2.cancel(v2.open())
    assert receiver.wait_for(1)
    for n in range(1002):
        v2.cancel(v2.open(f"+1415555{1000 + n}"))
    assert ["The emulator drops 1 webhooks: too many wait already."] * 2 == caplog.messages
    receiver.released.set()
    assert emulator.drain(30)
    assert 1001 == len(receiver.got)


def test_what_was_cleared_is_neither_sent_nor_told(make, receiver):
    emulator = make(switches={"channel_events": False})
    v2 = V2(emulator)
    receiver.released.clear()
    v2.cancel(v2.open())
    assert receiver.wait_for(1)
    v2.cancel(v2.open())
    emulator.clear()
    receiver.released.set()
    v2.cancel(v2.open(client_ref="later"))
    assert emulator.drain(5)
    assert [None, "later"] == [told.get("client_ref") for told in receiver.told]
    assert [receiver.got[1].body] == [one.body for one in emulator.webhooks()]


def test_many_threads_lose_nothing(make, receiver):
    emulator = make(switches={"channel_events": False})

    def finish(n):
        return V2(emulator).cancel(V2(emulator).open(f"+1415555{1000 + n}")).status

    with ThreadPoolExecutor(8) as pool:
        assert [204] * 80 == list(pool.map(finish, range(80)))
    assert emulator.drain(10)
    assert 80 == len({told["request_id"] for told in receiver.told})
    assert 80 == len(receiver.got)


def test_the_thread_ends_with_its_work_and_begins_anew(make, receiver):
    emulator = make()
    for number in (2, 4):
        before = threading.enumerate()
        V2(emulator).cancel(V2(emulator).open())
        # Looked for before its work is done, after which it may be gone.
        (thread,) = sending(before)
        assert receiver.wait_for(number)
        thread.join(30)
        assert not thread.is_alive()


def sending(before):
    names = {thread: thread.name for thread in threading.enumerate() if thread not in before}
    return [thread for thread, name in names.items() if name == "emulator webhooks"]


def test_the_thread_does_not_keep_an_emulator(receiver):
    before = threading.enumerate()
    emulator = Emulator(
        clock=Clock(fixed=T0),
        switches=Switches(webhook_always=True),
        webhook_url=receiver.url,
        signature_secret=SECRET,
    )
    V2(emulator).open()
    (thread,) = sending(before)
    left = weakref.ref(emulator)
    del emulator
    gc.collect()
    thread.join(5)
    gc.collect()
    assert (False, None) == (thread.is_alive(), left())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_sends_its_own_and_nothing_twice(make, receiver):
    emulator = make(delays=(30,), switches={"channel_events": False, "webhook_lag": 0.2})
    V2(emulator).cancel(V2(emulator).open())
    # As when another thread is at work in the very moment of the fork.
    with emulator._lock:
        child = os.fork()
        if not child:
            signal.alarm(10)
            V2(emulator).open(channels=["sms"], client_ref="child")
            emulator.clock.advance(180)
            os._exit(0 if emulator.drain(5) and len(emulator.webhooks()) == 1 else 1)
    assert (child, 0) == os.waitpid(child, 0)
    assert emulator.drain(5)
    assert [None, "child"] == sorted((told.get("client_ref") for told in receiver.told), key=str)


# Switches for what goes wrong on the way


def test_duplicates_have_the_same_body_and_a_token_each(make, receiver):
    emulator = make(switches={"webhook_duplicates": True, "channel_events": False})
    V2(emulator).cancel(V2(emulator).open())
    assert emulator.drain(5)
    first, second = receiver.got
    assert first.body == second.body
    assert first.claims["jti"] != second.claims["jti"]


def test_reordered_webhooks_begin_with_the_summary(make, receiver):
    emulator = make(switches={"webhook_reordering": True})
    V2(emulator).open()
    emulator.clock.advance(360)
    assert emulator.drain(5)
    assert [None, "voice", "sms"] == [told.get("channel") for told in receiver.told]


def test_an_unsigned_webhook_comes_again_signed(make, receiver):
    emulator = make(switches={"webhook_unsigned": True, "channel_events": False})
    receiver.statuses = [503]
    V2(emulator).cancel(V2(emulator).open())
    assert emulator.drain(5)
    first, second = receiver.got
    assert (None, "Vonage") == (first.authorization, second.claims["iss"])


def test_a_wrong_hash_vouches_for_another_body(make, receiver):
    emulator = make(switches={"webhook_wrong_hash": True, "channel_events": False})
    V2(emulator).cancel(V2(emulator).open())
    assert emulator.drain(5)
    (got,) = receiver.got
    assert hashlib.sha256(got.body).hexdigest() != got.claims["payload_hash"]
    assert "hash" == refusal(got)


@pytest.mark.parametrize("ahead", [45, -200])
def test_a_clock_can_be_ahead_or_behind(make, receiver, ahead):
    emulator = make(switches={"webhook_clock_ahead": ahead, "channel_events": False})
    V2(emulator).cancel(V2(emulator).open())
    assert emulator.drain(5)
    assert abs(time.time() + ahead - receiver.got[0].claims["iat"]) < 20


def test_the_emulators_clock_does_not_date_the_tokens(make, receiver):
    emulator = make(clock=Clock(), switches={"channel_events": False})
    V2(emulator).open()
    emulator.clock.advance(86400)
    assert emulator.drain(5)
    (got,) = receiver.got
    assert abs(time.time() - got.claims["iat"]) < 30
    sent = datetime.fromisoformat(got.told["submitted_at"]).timestamp()
    assert abs(time.time() - sent) < 30


# Without an address, or with a wrong one


def test_without_an_address_nothing_is_sent():
    emulator = Emulator(clock=Clock(fixed=T0), switches=Switches(webhook_always=True))
    before = threading.active_count()
    V2(emulator).cancel(V2(emulator).open())
    assert (True, [], before) == (emulator.drain(0), emulator.webhooks(), threading.active_count())
    with pytest.raises(ValueError, match="no webhook address"):
        emulator.send_webhook({})


@pytest.mark.parametrize(
    "url", ["", "ftp://127.0.0.1/", "http:///x", "/x", "http://a b/", "http://h:99999/", "http://h..h/"]
)
def test_an_address_must_be_one(url):
    with pytest.raises(ValueError, match=r"."):
        Emulator(webhook_url=url, signature_secret=SECRET)


@pytest.mark.parametrize(
    "options",
    [
        {"signature_secret": "x" * 31},
        {"signature_secret": "", "webhook_url": "http://127.0.0.1/"},
        {"webhook_url": "http://127.0.0.1/"},
    ],
)
def test_a_secret_must_be_there_and_long_enough(options):
    with pytest.raises(ValueError, match="signature secret"):
        Emulator(**options)
    assert Emulator(signature_secret="é" * 16).webhooks() == []


# Webhooks to order


def craft(emulator, **given):
    return call(Control(emulator), "POST", "/_emulator/webhook", body=json.dumps(given).encode())


EVENT = {"type": "summary", "request_id": str(uuid.UUID(int=1)), "status": "failed"}


def test_a_webhook_to_order_is_sent_as_it_is(make, receiver):
    emulator = make(api_key="key")
    receiver.statuses = [200, 500]
    assert {"statuses": [200]} == craft(emulator, event=EVENT).body
    assert {"statuses": [500]} == craft(emulator, event=EVENT, flaw="none").body
    assert [EVENT, EVENT] == receiver.told
    assert ["", ""] == [refusal(got) for got in receiver.got]
    assert ["key", "key"] == [got.claims["api_key"] for got in receiver.got]
    assert [(1, 200), (1, 500)] == [(one.tries, one.status) for one in emulator.webhooks()]


def test_a_webhook_to_order_goes_to_the_account_of_its_request(make, receiver):
    emulator = make()
    request_id = V2(emulator).open()
    emulator.send_webhook({**EVENT, "request_id": request_id})
    assert "key" == receiver.got[0].claims["api_key"]


FLAWS = {
    "none": "",
    "unsigned": "unsigned",
    "wrong_hash": "hash",
    "expired": "age",
    "future": "age",
    "alg_none": "algorithm",
    "other_secret": "signature",
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_is_what_a_strict_receiver_refuses(make, receiver, flaw):
    assert [204] == make().send_webhook(EVENT, flaw)
    (got,) = receiver.got
    assert FLAWS[flaw] == refusal(got)


def test_each_flaw_is_the_only_one(make, receiver):
    emulator = make()
    for flaw in ("wrong_hash", "expired", "future", "alg_none", "other_secret"):
        emulator.send_webhook(EVENT, flaw)
    tokens = [got.authorization.removeprefix("Bearer ") for got in receiver.got]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    true_hash = hashlib.sha256(receiver.got[0].body).hexdigest()
    assert [False, True, True, True, True] == [told["payload_hash"] == true_hash for told in claims]
    assert [0, -60, 60, 0, 0] == [round((told["iat"] - time.time()) / 60) for told in claims]
    assert ["HS256", "HS256", "HS256", "none", "HS256"] == [
        jwt.get_unverified_header(token)["alg"] for token in tokens
    ]
    assert tokens[3].endswith(".")
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(tokens[4], SECRET, algorithms=["HS256"])


def test_a_duplicate_to_order_is_a_replay(make, receiver):
    assert [204, 204] == make().send_webhook(EVENT, "duplicate")
    first, second = receiver.got
    assert (first.body, first.authorization) == (second.body, second.authorization)
    assert "Vonage" == first.claims["iss"]


def test_claims_can_be_replaced_and_taken_away(make, receiver):
    emulator = make(api_key="key")
    claims = {"api_key": "other", "jti": None, "exp": 1, "sub": "x"}
    assert 200 == craft(emulator, event=EVENT, claims=claims).status
    token = receiver.got[0].authorization.removeprefix("Bearer ")
    told = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False})
    assert {"iat", "iss", "payload_hash", "api_key", "exp", "sub"} == set(told)
    assert ("other", 1) == (told["api_key"], told["exp"])


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"event": 1},
        {"event": EVENT, "flaw": "odd"},
        {"event": EVENT, "flaw": []},
        {"event": EVENT, "x": 1},
        {"event": EVENT, "claims": []},
    ],
)
def test_nonsense_is_refused(make, receiver, given):
    assert 400 == craft(make(), **given).status
    assert [] == receiver.got


def test_webhooks_to_order_need_an_address_and_a_loopback_caller(make, receiver):
    assert 400 == craft(Emulator(), event=EVENT).status
    body = json.dumps({"event": EVENT}).encode()
    abroad = call(Control(make()), "POST", "/_emulator/webhook", body=body, REMOTE_ADDR="192.0.2.1")
    page = call(Control(make()), "POST", "/_emulator/webhook", body=body, HTTP_ORIGIN="https://example.com")
    assert (403, 403, 405) == (
        abroad.status,
        page.status,
        call(Control(make()), "GET", "/_emulator/webhook").status,
    )
    assert [] == receiver.got


def test_the_stand_alone_server_sends_them_too(make, receiver):
    server = serve(make())
    try:
        V2(server.emulator).cancel(V2(server.emulator).open())
        assert receiver.wait_for(2)
    finally:
        server.shutdown()


# The command


def test_the_command_takes_an_address_and_a_secret_from_the_environment(receiver):
    run = "from passwordless.management.commands.vonage_emulator import Command; Command().run_from_argv"
    argv = ["manage.py", "vonage_emulator", "--port", "0", "--webhook-url", receiver.url, "--webhook-always"]
    process = subprocess.Popen(
        [sys.executable, "-c", f"{run}({argv!r})"],
        env={**os.environ, "VONAGE_SIGNATURE_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = [process.stdout.readline().strip() for _ in range(4)]
        base = lines[1].removeprefix("VONAGE_API_HOST=")
        assert f"Webhooks: to {receiver.url}" == lines[3]
        start(base)
        assert receiver.wait_for(1, 10)
        assert "blocked" == receiver.got[0].told["status"]
        assert "key" == receiver.got[0].claims["api_key"]
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(10)
    finally:
        process.kill()
        process.communicate()


def start(base):
    import requests

    workflow = [{"channel": "sms", "to": "12125550109"}]
    answer = requests.post(
        f"{base}/v2/verify",
        json={"brand": "Example", "workflow": workflow},
        auth=("key", "secret"),
        timeout=5,
    )
    assert 202 == answer.status_code


@pytest.mark.parametrize("secret", ["", "short"])
def test_the_command_refuses_webhooks_without_a_usable_secret(monkeypatch, secret):
    monkeypatch.setenv("VONAGE_SIGNATURE_SECRET", secret)
    with pytest.raises(CommandError, match="signature secret"):
        Command().handle(host="127.0.0.1", port=0, webhook_url="http://127.0.0.1:1/")
