import base64
import gzip
import logging
import pickle
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import responses
from vonage_verify import SmsChannel, Verify, VerifyRequest

from passwordless.vonage.client import BODY_LIMIT, Client, HttpError
from passwordless.vonage.dialect import Unavailable

from .wire import certificate, client_of, credentials, drips, drops, raw, says, serving, silent

ID = "c11236f4-00bf-4b89-84ba-88b25df97315"
FINE = says(b'{"status": "completed"}')
DEADLINE = 0.4
SLACK = 1.0
"""Seconds a busy machine may be late."""


def ask(client, method="POST", path=f"/v2/verify/{ID}", params=None, **options):
    options.setdefault("auth", "basic")
    return client.answer(method, path, params if params is not None else {"code": "987654"}, **options)


def refusal(client, **options):
    with pytest.raises(Unavailable) as caught:
        ask(client, **options)
    return caught.value


class TestSentOnce:
    @pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
    def test_a_dropped_connection_is_not_sent_again(self, method):
        with serving(drops) as wire:
            error = refusal(client_of(wire), method=method)
            assert (True, 1) == (error.sent, len(wire.requests))

    def test_a_connection_dropped_amid_the_answer_is_not_sent_again(self):
        with serving(raw(b"HTTP/1.1 200 OK\r\nContent-Le")) as wire:
            error = refusal(client_of(wire))
            assert (True, 1) == (error.sent, len(wire.requests))

    def test_a_refused_connection_sent_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        error = refusal(Client(credentials(), host=f"http://127.0.0.1:{port}"))
        assert not error.sent

    def test_an_unknown_host_sent_nothing(self):
        assert not refusal(Client(credentials(), host="nowhere.invalid")).sent

    def test_a_failed_handshake_connects_twice_at_most_and_sent_nothing(self):
        with serving() as wire:
            error = refusal(Client(credentials(), host=f"127.0.0.1:{wire.port}"))
            assert (False, 2) == (error.sent, wire.connections)

    def test_a_connection_refused_once_is_tried_once_more(self, monkeypatch):
        failures = [ConnectionRefusedError()]
        connect = socket.socket.connect

        def fails_once(sock, address):
            if failures:
                raise failures.pop()
            connect(sock, address)

        with serving(FINE) as wire:
            monkeypatch.setattr(socket.socket, "connect", fails_once)
            assert 200 == ask(client_of(wire)).status
            assert 1 == len(wire.requests)

    @responses.activate
    def test_a_failure_of_unknown_nature_counts_as_sent(self):
        responses.post(f"https://api.nexmo.com/v2/verify/{ID}", body=requests.ConnectionError("lost"))
        assert refusal(client_of()).sent
        assert 1 == len(responses.calls)


class TestDeadline:
    @pytest.mark.parametrize(
        "reply",
        [
            pytest.param(silent, id="silence"),
            pytest.param(drips(b"HTTP/1.1 200 OK\r\nX-Slow: "), id="headers drip"),
            pytest.param(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), id="body drips"),
            pytest.param(
                drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
                id="chunks drip",
            ),
            pytest.param(drips(b"HTTP/1.1 500 No\r\nContent-Length: 9999\r\n\r\n"), id="error drips"),
        ],
    )
    def test_it_is_total_whatever_comes(self, reply):
        with serving(reply) as wire:
            began = time.monotonic()
            error = refusal(client_of(wire), deadline=DEADLINE)
            assert error.sent
            assert DEADLINE + SLACK > time.monotonic() - began

    def test_the_timeout_of_the_client_holds_where_none_is_named(self):
        with serving(silent) as wire:
            began = time.monotonic()
            assert refusal(client_of(wire, timeout=DEADLINE)).sent
            assert DEADLINE + SLACK > time.monotonic() - began

    @pytest.mark.parametrize("deadline", [0, -1])
    def test_without_time_nothing_is_sent(self, deadline):
        with serving(FINE) as wire:
            assert not refusal(client_of(wire), deadline=deadline).sent
            assert 0 == wire.connections

    def test_a_handshake_that_hangs_sent_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            client = Client(credentials(), host=f"127.0.0.1:{deaf.getsockname()[1]}")
            began = time.monotonic()
            assert not refusal(client, deadline=DEADLINE).sent
            assert DEADLINE + SLACK > time.monotonic() - began

    def test_a_server_that_takes_nothing_in(self, monkeypatch):
        look_up = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args: time.sleep(1.2) or look_up(*args))
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            client = Client(credentials(), host=f"http://127.0.0.1:{deaf.getsockname()[1]}")
            began = time.monotonic()
            assert refusal(client, params={"code": "9" * 32_000_000}, deadline=1.4).sent
            assert 1.4 + SLACK > time.monotonic() - began

    def test_the_server_sees_the_connection_end(self):
        with serving(silent) as wire:
            refusal(client_of(wire), deadline=DEADLINE)
            wire.replies.append(FINE)
            with wire._lock:
                held = wire._open[0]
            held.settimeout(2)
            assert b"" == held.recv(1)

    def test_a_name_found_after_the_deadline_sends_nothing(self, lookup):
        with serving(FINE) as wire:
            client = client_of(wire, max_calls=1)
            assert not refusal(client, deadline=0.2).sent
            lookup.set()
            assert 200 == _when_free(client).status
            assert 1 == len(wire.requests)

    def test_a_connection_that_came_too_late_is_closed(self, lookup):
        with serving(FINE) as wire:
            refusal(client_of(wire), deadline=0.2)
            lookup.set()
            assert wire.closed.wait(5)
            assert (1, 0) == (wire.connections, len(wire.requests))

    def test_without_a_thread_nothing_is_sent_and_no_place_is_lost(self, monkeypatch):
        def refused(thread):
            raise RuntimeError("can't start new thread")

        with serving(FINE) as wire:
            client = client_of(wire, max_calls=1)
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", refused)
                assert ("no thread to be had", False) == (str(error := refusal(client)), error.sent)
            assert 200 == ask(client).status


@pytest.fixture
def lookup(monkeypatch):
    """Hold the look-up of names until this event is set."""
    found, look_up = threading.Event(), socket.getaddrinfo

    def slow(*args, **kwargs):
        found.wait(5)
        return look_up(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    return found


def _when_free(client):
    """Return the first answer that a client with one place gives after its place was taken."""
    end = time.monotonic() + 5
    while True:
        try:
            return ask(client)
        except Unavailable as error:
            if str(error) != "crowded" or time.monotonic() > end:
                raise


class TestBulkhead:
    def test_the_next_call_is_refused_at_once_and_unsent(self):
        with serving(silent) as wire, ThreadPoolExecutor(2) as pool:
            client = client_of(wire, max_calls=2)
            held = [pool.submit(refusal, client, deadline=1) for _ in range(2)]
            while len(wire.requests) < 2:
                assert not all(call.done() for call in held)
            error = refusal(client)
            assert ("crowded", False) == (str(error), error.sent)
            assert not any(call.done() for call in held)
            assert [True, True] == [call.result().sent for call in held]
            assert 2 == len(wire.requests)

    def test_a_thread_left_behind_keeps_its_place_until_it_ends(self, lookup):
        with serving(FINE) as wire:
            client = client_of(wire, max_calls=1)
            assert "no connection" == str(refusal(client, deadline=0.1))
            assert "crowded" == str(refusal(client))
            lookup.set()
            assert 200 == _when_free(client).status

    def test_places_come_back_after_every_kind_of_end(self):
        with serving(FINE, drops, says(b"{}", "500 No"), says(b"<html>"), FINE) as wire:
            client = client_of(wire, max_calls=1)
            assert 200 == ask(client).status
            assert refusal(client).sent
            with pytest.raises(HttpError):
                _when_free(client)
            with pytest.raises(Unavailable, match="no sense"):
                _when_free(client)
            assert 200 == _when_free(client).status


class TestHeaders:
    def test_nothing_of_one_call_reaches_the_next(self):
        with serving(FINE) as wire:
            client = client_of(wire)
            ask(client, auth="jwt")
            ask(client, form="form")
            client.answer("DELETE", f"/v2/verify/{ID}", auth="basic")
            first, second, third = wire.requests
        assert "application/json" == first.headers["content-type"]
        assert "application/x-www-form-urlencoded" == second.headers["content-type"]
        assert "content-type" not in third.headers
        schemes = [request.headers["authorization"].split()[0] for request in wire.requests]
        assert ["Bearer", "Basic", "Basic"] == schemes

    def test_threads_keep_their_own_headers_and_bodies(self):
        kinds = [("jwt", "json", "Bearer"), ("basic", "form", "Basic")]

        def call(number):
            auth, form, scheme = kinds[number % 2]
            path = f"/{'v2/' if scheme == 'Bearer' else ''}verify/{number}"
            ask(client, path=path, params={"code": str(number)}, auth=auth, form=form)

        with serving(FINE) as wire, ThreadPoolExecutor(8) as pool:
            client = client_of(wire)
            list(pool.map(call, range(80)))
        expected = {f"/{'' if n % 2 else 'v2/'}verify/{n}": (kinds[n % 2][2], n) for n in range(80)}
        assert expected == {
            request.path: (
                request.headers["authorization"].split()[0],
                int(bytes(byte for byte in request.body if chr(byte).isdigit())),
            )
            for request in wire.requests
        }

    def test_what_is_said_of_us(self):
        with serving(FINE) as wire:
            client = client_of(wire)
            client.append_to_user_agent("example/1")
            ask(client)
            headers = wire.requests[0].headers
        assert headers["user-agent"].endswith(" example/1")
        assert ("application/json", "identity") == (headers["accept"], headers["accept-encoding"])
        assert b"abcd1234:s3cr3t-of-ours" == base64.b64decode(headers["authorization"].split()[1])

    def test_cookies_are_not_kept(self):
        with serving(says(b"{}", "200 OK", "Set-Cookie: balancer=7; Path=/")) as wire:
            client = client_of(wire)
            ask(client)
            ask(client)
            assert "cookie" not in wire.requests[1].headers


class TestEnvironment:
    def test_netrc_is_not_read(self, monkeypatch, tmp_path):
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login mallory password mallory\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        with serving(FINE) as wire:
            ask(client_of(wire))
            sent = wire.requests[0].headers["authorization"]
        assert b"abcd1234:s3cr3t-of-ours" == base64.b64decode(sent.split()[1])

    def test_proxies_are_not_used(self, monkeypatch):
        with serving(FINE) as wire, serving(FINE) as proxy:
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.delenv("NO_PROXY", raising=False)
            ask(client_of(wire))
            assert (1, 0) == (len(wire.requests), proxy.connections)

    @pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
    def test_redirects_are_errors(self, status):
        with serving(FINE) as other:
            with serving(says(b"{}", status, f"Location: {other.url}/stolen")) as wire:
                with pytest.raises(HttpError) as caught:
                    ask(client_of(wire))
                assert (int(status[:3]), 1) == (caught.value.status, len(wire.requests))
            assert 0 == other.connections


class TestTls:
    @pytest.fixture(autouse=True)
    def trusted(self, monkeypatch, tmp_path):
        file = tmp_path / "authority.pem"
        file.write_bytes(certificate())
        monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(file))

    def client_of(self, wire):
        return Client(credentials(), host=f"127.0.0.1:{wire.port}")

    def test_one_connection_serves_many_calls(self):
        with serving(FINE, says(b"{}", "409 Conflict"), FINE, secure=True) as wire:
            client = self.client_of(wire)
            assert 200 == ask(client).status
            with pytest.raises(HttpError):
                ask(client)
            assert 200 == ask(client).status
            assert (1, 3) == (wire.connections, len(wire.requests))

    @pytest.mark.parametrize(
        "reply",
        [
            pytest.param(silent, id="silence"),
            pytest.param(drips(b"HTTP/1.1 200 OK\r\nX-Slow: "), id="headers drip"),
            pytest.param(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), id="body drips"),
        ],
    )
    def test_the_deadline_is_total(self, reply):
        with serving(reply, secure=True) as wire:
            began = time.monotonic()
            assert refusal(self.client_of(wire), deadline=DEADLINE).sent
            assert DEADLINE + SLACK > time.monotonic() - began

    def test_the_rest_of_a_record_is_not_the_next_answer(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Long: %b\r\n\r\n{}"
        # As long as what is read at once: what follows in the same record waits where no select() sees it.
        first = head % (b"x" * (8192 - len(head % b"")))
        rest = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"theirs": 1}'
        with serving(raw(first + rest, keep=True), says(b'{"mine": 1}'), secure=True) as wire:
            client = self.client_of(wire)
            assert {} == ask(client).body
            assert {"mine": 1} == ask(client).body

    @pytest.mark.parametrize("reply", [drops, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")])
    def test_an_answer_cut_off_is_no_verdict(self, reply):
        with serving(reply, secure=True) as wire:
            assert refusal(self.client_of(wire)).sent
            assert 1 == len(wire.requests)

    def test_nobody_unknown_is_told_anything(self, tmp_path, monkeypatch):
        empty = tmp_path / "nobody.pem"
        empty.write_bytes(certificate(name="10.0.0.1"))
        monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(empty))
        with serving(FINE, secure=True) as wire:
            assert not refusal(self.client_of(wire)).sent
            assert [] == wire.requests


SENSELESS = {
    "html": says(b"<html>Welcome</html>", "200 OK", "Content-Type: text/html"),
    "list": says(b'[{"status": "completed"}]'),
    "null": says(b"null"),
    "number": says(b"0"),
    "string": says(b'"completed"'),
    "bad json": says(b'{"status": '),
    "blank": says(b"  "),
    "not utf-8": says(b'{"status": "\xff"}'),
    "too deep": says(b'{"a":' + b"[" * 60000),
    "too many digits": says(b'{"a": ' + b"9" * 5000 + b"}"),
    "too long": says(b'{"a": "' + b"x" * BODY_LIMIT + b'"}'),
    "endless chunks": drips(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 32768 + b"\r\n"
    ),
    "compressed": says(gzip.compress(b'{"status": "completed"}'), "200 OK", "Content-Encoding: gzip"),
    "chunks cut off": raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n{"status": '),
    "chunks ended early": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    "shorter than told": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"),
    "longer than told": raw(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{"status": "completed"}'),
    "empty 202": says(b"", "202 Accepted"),
    "not http": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "endless head": raw(b"HTTP/1.1 200 OK\r\n" + b"X-Many: header\r\n" * 300),
}


class TestAnswers:
    @pytest.mark.parametrize("kind", SENSELESS)
    def test_what_makes_no_sense_is_no_verdict(self, kind):
        with serving(SENSELESS[kind]) as wire:
            assert refusal(client_of(wire)).sent
            assert 1 == len(wire.requests)

    def test_a_body_of_the_largest_size_is_read(self):
        body = b'{"a": "' + b"x" * (BODY_LIMIT - 9) + b'"}'
        with serving(says(body)) as wire:
            assert {"a"} == set(ask(client_of(wire)).body)

    @pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
    def test_an_empty_one_is_none(self, status):
        with serving(raw(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode(), keep=True)) as wire:
            assert None is ask(client_of(wire)).body

    def test_what_follows_a_lying_length_is_not_the_next_answer(self):
        lie = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{"status": "completed"}', keep=True)
        with serving(lie, says(b'{"mine": 1}')) as wire:
            client = client_of(wire)
            assert {} == ask(client).body
            assert {"mine": 1} == ask(client).body

    @pytest.mark.parametrize("status", ["102 Processing", "103 Early Hints", "199 Odd"])
    def test_what_follows_an_interim_answer_is_not_the_next_one(self, status):
        interim = raw(f"HTTP/1.1 {status}\r\n\r\n".encode(), keep=True)
        with serving(interim, says(b'{"mine": 1}'), says(b'{"mine": 2}')) as wire:
            client = client_of(wire)
            with pytest.raises(HttpError):
                ask(client)
            assert {"mine": 1} == ask(client).body
            assert 2 == wire.connections

    @pytest.mark.parametrize(
        ("head", "part"),
        [
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 65536),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
        ],
    )
    def test_an_answer_without_end_is_not_read_to_its_deadline(self, head, part):
        written = []

        def reply(sock, wire):
            sock.sendall(head)
            while True:
                sock.sendall(part)
                written.append(len(part))

        with serving(reply) as wire:
            began = time.monotonic()
            assert refusal(client_of(wire), deadline=20).sent
            assert 10 > time.monotonic() - began
            assert wire.closed.wait(5)
        assert sum(written) < 16 * 1024 * 1024

    def test_a_head_cut_off_amid_a_word_is_no_empty_answer(self):
        with serving(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chu")) as wire:
            assert refusal(client_of(wire)).sent

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 410, 422, 429, 500, 502, 503, 504])
    def test_another_status_is_an_error_with_its_body(self, status):
        body = b'{"title": "Conflict", "request_id": "c11236f4"}'
        with serving(says(body, f"{status} Said")) as wire, pytest.raises(HttpError) as caught:
            ask(client_of(wire))
        assert (status, "c11236f4") == (caught.value.status, caught.value.body["request_id"])
        assert f"HTTP {status}" == str(caught.value)
        assert "c11236f4" not in repr(caught.value)

    @pytest.mark.parametrize("kind", ["html", "list", "null", "not utf-8", "too long", "empty"])
    def test_an_error_without_an_object_has_an_empty_body(self, kind):
        bodies = {"html": b"<h1>", "list": b"[]", "null": b"null", "not utf-8": b"\xff", "empty": b""}
        reply = says(bodies.get(kind, b"x" * 99999), "503 Busy")
        with serving(reply) as wire, pytest.raises(HttpError) as caught:
            ask(client_of(wire))
        assert {} == caught.value.body

    @pytest.mark.parametrize(
        ("header", "seconds"), [("7", 7), ("0", 0), ("-1", None), ("soon", None), ("9" * 9, None)]
    )
    def test_retry_after_is_in_seconds(self, header, seconds):
        reply = says(b"{}", "429 Slow", f"Retry-After: {header}")
        with serving(reply) as wire, pytest.raises(HttpError) as caught:
            ask(client_of(wire))
        assert seconds == caught.value.retry_after

    def test_errors_survive_pickling(self):
        copy = pickle.loads(pickle.dumps(HttpError(409, {"a": 1}, 5)))  # noqa: S301 - our own bytes
        assert (409, {"a": 1}, 5) == (copy.status, copy.body, copy.retry_after)


class TestKeepAlive:
    def test_one_connection_serves_many_calls(self):
        with serving(
            FINE, says(b"{}", "409 Conflict"), raw(b"HTTP/1.1 204 None\r\n\r\n", keep=True), FINE
        ) as wire:
            client = client_of(wire)
            ask(client)
            with pytest.raises(HttpError):
                ask(client)
            ask(client)
            ask(client)
            assert (1, 4) == (wire.connections, len(wire.requests))

    def test_a_connection_closed_while_idle_is_replaced(self):
        with serving(says(b"{}", keep=False), FINE) as wire:
            client = client_of(wire)
            ask(client)
            assert wire.closed.wait(2)
            assert 200 == ask(client).status
            assert (2, 2) == (wire.connections, len(wire.requests))

    def test_a_call_in_time_is_not_hurt_by_one_given_up(self):
        with serving(silent, FINE) as wire:
            client = client_of(wire)
            assert refusal(client, deadline=DEADLINE).sent
            assert 1 == len(wire.requests)
            assert [200] * 5 == [ask(client).status for _ in range(5)]
            assert 2 == wire.connections

    def test_close_ends_them(self):
        with serving(FINE) as wire:
            client = client_of(wire)
            ask(client)
            client.close()
            ask(client)
            assert 2 == wire.connections


FORKED = """
import os, threading
from passwordless.vonage.client import Client
from passwordless.vonage.credentials import Credentials

client = Client(Credentials("key", "secret"), host={url!r}, max_calls=1)

def ask():
    return client.make_request("POST", client.api_host, "/v2/verify", {{}}, "basic", deadline=5)

ask()
held = threading.Thread(target=ask, daemon=True)
held.start()
input()
child = os.fork()
if not child:
    os._exit(0 if ask() == {{"child": 1}} else 3)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_has_its_own_connections_and_places():
    with serving(FINE, silent, says(b'{"child": 1}')) as wire:
        script = textwrap.dedent(FORKED.format(url=wire.url))
        command = [sys.executable, "-W", "ignore", "-c", script]
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as parent:
            while len(wire.requests) < 2:
                assert None is parent.poll()
                time.sleep(0.01)
            parent.communicate("\n", timeout=10)
            assert 0 == parent.returncode
        assert (2, 3) == (wire.connections, len(wire.requests))


class TestSilence:
    SECRETS = ("12125550100", ID, "987654", "s3cr3t", "Bearer", "Basic", "abcd1234", "YWJjZDEyMzQ")

    def said(self, caplog):
        lines = [caplog.text, *(str(record.__dict__) for record in caplog.records)]
        return [secret for secret in self.SECRETS if any(secret in line for line in lines)]

    def test_no_log_holds_a_number_a_code_an_id_or_a_secret(self, caplog):
        caplog.set_level(logging.DEBUG)
        replies = [
            FINE,
            says(b'{"request_id": "%b"}' % ID.encode(), "409 Conflict"),
            drops,
            silent,
            says(b"<h1>"),
        ]
        with serving(*replies) as wire:
            client = client_of(wire)
            ask(client, params={"to": "12125550100", "code": "987654"})
            with pytest.raises(HttpError):
                ask(client, auth="jwt")
            refusal(client)
            refusal(client, deadline=DEADLINE)
            refusal(client)
        refusal(client, deadline=0.5)
        assert [] == self.said(caplog)
        assert "POST /v2/verify/{id}: 200" in caplog.text
        assert {"passwordless.vonage"} == {record.name for record in caplog.records}

    def test_the_site_s_own_calls_are_still_logged(self, caplog):
        caplog.set_level(logging.DEBUG)
        with serving(FINE) as wire:
            requests.get(wire.url, timeout=2)
        assert "urllib3.connectionpool" in {record.name for record in caplog.records}

    def test_exceptions_lead_to_no_secret(self):
        with serving(drops) as wire:
            error = refusal(client_of(wire))
        assert (None, None) == (error.__context__, error.__cause__)
        assert "no answer" == str(error)

    def test_nothing_is_kept_of_a_call(self):
        with serving(FINE) as wire:
            client = client_of(wire)
            ask(client)
        assert (None, None) == (client.last_request, client.last_response)


class TestHost:
    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("api.nexmo.com", "https://api.nexmo.com"),
            ("api-eu.vonage.com:8443", "https://api-eu.vonage.com:8443"),
            ("http://127.0.0.1:8002", "http://127.0.0.1:8002"),
            ("http://localhost:8002", "http://localhost:8002"),
            ("http://[::1]:8002", "http://[::1]:8002"),
        ],
    )
    def test_accepted(self, host, expected):
        client = Client(credentials(), host=host)
        with responses.RequestsMock() as mock:
            mock.post(f"{expected}/v2/verify", status=204)
            assert None is client.make_request("POST", client.api_host, "/v2/verify")

    @pytest.mark.parametrize(
        "host",
        [
            "",
            "http://api.nexmo.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com:80",
            "https://api.nexmo.com",
            "ftp://127.0.0.1",
            "://127.0.0.1",
            "api.nexmo.com/path",
            "api.nexmo.com?x",
            "api.nexmo.com#x",
            "user@api.nexmo.com",
            "http://user@127.0.0.1:80",
            "http://127.0.0.1:80/",
            "api.nexmo.com:99999",
            "api.nexmo.com:x",
            "api nexmo.com",
            "api.nexmo.com\n",
            "//api.nexmo.com",
        ],
    )
    def test_refused(self, host):
        with pytest.raises(ValueError, match=r"host|[Pp]ort"):
            Client(credentials(), host=host)


class TestOfTheSdk:
    @responses.activate
    def test_its_own_classes_speak_through_this_client(self):
        responses.post("https://api.nexmo.com/v2/verify", json={"request_id": ID}, status=202)
        request = VerifyRequest(brand="Example", workflow=[SmsChannel(to="12125550100")])
        assert ID == Verify(client_of()).start_verification(request).request_id
        assert responses.calls[0].request.headers["Authorization"].startswith("Bearer ")

    def test_credentials_go_to_no_other_host(self):
        client = client_of()
        with pytest.raises(ValueError, match="configured host"):
            client.make_request("POST", "rest.nexmo.com", "/sms/json", {})
        with pytest.raises(ValueError, match="configured host"):
            client.make_request("POST", client.api_host, "/v2/verify", {}, token="foreign")

    @pytest.mark.parametrize("path", ["", "@127.0.0.2/", ".example.com/", "v2/verify"])
    def test_a_path_cannot_change_the_host(self, path):
        with pytest.raises(ValueError, match="slash"):
            ask(client_of(), path=path)

    @pytest.mark.parametrize("kind", ["body", "signature", "oauth2"])
    def test_other_kinds_of_credentials_are_refused(self, kind):
        with pytest.raises(ValueError, match="jwt or basic"):
            ask(client_of(), auth=kind)

    def test_other_kinds_of_bodies_are_refused(self):
        with pytest.raises(ValueError, match="json, form"):
            ask(client_of(), form="xml")

    def test_query_parameters(self):
        with serving(FINE) as wire:
            client = client_of(wire)
            client.get(client.api_host, "/verify/search/json", {"request_id": "ab"}, "basic")
            assert "/verify/search/json?request_id=ab" == wire.requests[0].path

    def test_nothing_is_downloaded(self, tmp_path):
        with pytest.raises(NotImplementedError):
            client_of().download_file_stream("https://api.nexmo.com/x", str(tmp_path / "x"))
