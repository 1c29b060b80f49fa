"""The emulator on a socket, its own addresses, an SDK that is pointed at it, and the command."""

from __future__ import annotations

import http.client
import io
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from django.core.management.base import CommandError
from requests.adapters import HTTPAdapter
from vonage_http_client.auth import Auth
from vonage_http_client.errors import HttpRequestError, NotFoundError
from vonage_http_client.http_client import HttpClient
from vonage_verify import SmsChannel, Verify, VoiceChannel
from vonage_verify import VerifyRequest as Order
from vonage_verify_legacy import VerifyError, VerifyLegacy
from vonage_verify_legacy import VerifyRequest as LegacyOrder

from passwordless.management.commands.vonage_emulator import Command
from passwordless.vonage.emulator import Server, serve
from passwordless.vonage.emulator.control import Control
from tests.vonage.emulator_calls import BASIC, NUMBER, V2, call, channels, codes, emulator_at

START = json.dumps(
    {"brand": "Example", "workflow": [{"channel": c, "to": "14155550123"} for c in ("sms", "voice")]}
).encode()
HEADERS = {"Authorization": BASIC, "Content-Type": "application/json"}


@pytest.fixture
def emulator():
    return emulator_at()


@pytest.fixture
def server(emulator):
    server = serve(emulator)
    yield server
    server.shutdown()


@pytest.fixture
def connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    yield connection
    connection.close()


def ask(connection, method, path, body=b"", headers=HEADERS):
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    return answer.status, json.loads(content) if content else None


def raw(server, data):
    """Send bytes and return all that comes back until the connection ends."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


# HTTP


def test_one_connection_serves_many_calls(connection):
    statuses, sockets = [], set()
    for method, path, body in [
        ("POST", "/v2/verify", START),
        ("POST", "/v2/verify", b"not json"),
        ("POST", "/verify/json", b"number=14155550124&brand=Example"),
        ("GET", "/nothing", b""),
    ]:
        statuses.append(ask(connection, method, path, body)[0])
        sockets.add(connection.sock)
    assert [202, 422, 200, 404] == statuses
    assert 1 == len(sockets)


def test_nagle_is_off(server, connection):
    ask(connection, "POST", "/v2/verify", START)
    (accepted,) = server._connections
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_head_has_no_body(connection):
    connection.request("HEAD", "/verify/json")
    answer = connection.getresponse()
    assert (405, b"") == (answer.status, answer.read())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Length: 65537", b"413"),
        (b"Content-Length: -1", b"413"),
        (b"Transfer-Encoding: chunked", b"411"),
    ],
)
def test_a_body_without_a_sane_length_is_refused_and_the_connection_closed(server, headers, status):
    heard = raw(server, b"POST /v2/verify HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n")
    assert heard.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in heard


def test_half_a_body_starts_nothing(server, emulator):
    heard = raw(server, b"POST /v2/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n" + START)
    assert (b"", 0) == (heard, emulator.count("start"))


def test_garbage_is_answered_or_cut_and_the_server_lives(server, connection):
    assert b"400" in raw(server, b"\x16\x03\x01garbage\r\n\r\n")
    assert 202 == ask(connection, "POST", "/v2/verify", START)[0]


def test_a_caller_who_leaves_is_no_error(server, connection, capfd):
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"POST /v2/verify HTTP/1.1\r\nHost: x\r\nContent-Le")
    assert 202 == ask(connection, "POST", "/v2/verify", START)[0]
    assert ("", "") == capfd.readouterr()


def test_nothing_is_logged(connection, capfd):
    ask(connection, "GET", "/verify/check/json?code=1234&request_id=abc")
    ask(connection, "POST", "/verify/json", b"number=14155550123&brand=Example")
    assert ("", "") == capfd.readouterr()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "localhost.example"])
def test_it_listens_on_loopback_only(emulator, host):
    with pytest.raises(ValueError, match=r"loopback|does not appear"):
        serve(emulator, host=host)


def test_it_listens_on_ipv6_loopback_where_there_is_one(emulator):
    try:
        server = serve(emulator, host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    try:
        assert server.url == f"http://[::1]:{server.port}"
        assert 404 == requests.get(f"{server.url}/", timeout=5).status_code
    finally:
        server.shutdown()


def test_a_taken_port_is_an_error(server, emulator):
    with pytest.raises(OSError, match="in use"):
        serve(emulator, port=server.port)


def test_shutdown_cuts_kept_connections_and_frees_the_port(emulator):
    server = serve(emulator)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    ask(connection, "POST", "/v2/verify", START)
    server.shutdown()
    server.shutdown()
    assert b"" == connection.sock.recv(1)
    connection.close()
    again = serve(emulator, port=server.port)
    assert server.port == again.port
    again.shutdown()


def test_a_connection_that_comes_during_shutdown_is_cut_and_a_dead_one_is_no_error(emulator):
    server = serve(emulator)
    dead, _ = pair = socket.socketpair()
    server.connected(dead)
    for end in pair:
        end.close()
    server.shutdown()
    late, other = socket.socketpair()
    with late, other:
        server.connected(late)
        assert b"" == other.recv(1)


# Trouble on the wire


def dripping(server, emulator):
    """Return a connection that has heard the first byte of an answer in drips."""
    emulator.faults.add("drip_headers", seconds=0.01)
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    sock.sendall(b"GET /verify/json HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"H" == sock.recv(1)
    return sock


def test_shutdown_ends_a_drip(emulator):
    server = serve(emulator)
    with dripping(server, emulator) as sock:
        server.shutdown()
        rest = b"".join(iter(lambda: sock.recv(65536), b""))
    assert len(rest) < 100


def test_a_caller_who_cuts_a_drip_off_is_no_error(server, emulator, capfd):
    with dripping(server, emulator) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    workers = [thread for thread in threading.enumerate() if "process_request" in thread.name]
    for worker in workers:
        worker.join(5)
    assert not any(worker.is_alive() for worker in workers)
    assert ("", "") == capfd.readouterr()


@pytest.mark.parametrize(("what", "processed"), [("drop_before", 0), ("drop_after", 1)])
def test_a_drop_closes_the_connection_without_a_byte(server, emulator, what, processed):
    emulator.faults.add(what)
    head = f"POST /v2/verify HTTP/1.1\r\nHost: x\r\nAuthorization: {BASIC}\r\nContent-Length: {len(START)}"
    assert b"" == raw(server, head.encode() + b"\r\n\r\n" + START)
    assert processed == len(emulator.messages())


def test_a_hang_is_silent_and_holds_up_nobody_else(server, emulator):
    emulator.faults.add("hang", "start")
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{server.url}/v2/verify", START, headers=HEADERS, timeout=0.2)
    assert 202 == requests.post(f"{server.url}/v2/verify", START, headers=HEADERS, timeout=5).status_code


def test_shutdown_ends_a_hang(emulator):
    server = serve(emulator)
    emulator.faults.add("hang", seconds=60)
    heard = []
    thread = threading.Thread(
        target=lambda: heard.append(raw(server, b"GET /verify/json HTTP/1.1\r\nHost: x\r\n\r\n"))
    )
    thread.start()
    deadline = time.monotonic() + 5
    while not emulator.count("start") and time.monotonic() < deadline:
        thread.join(0.005)
    server.shutdown()
    thread.join(5)
    assert [b""] == heard


@pytest.mark.parametrize("what", ["drip_headers", "drip_body"])
def test_a_drip_brings_the_whole_answer_in_pieces(server, emulator, what):
    emulator.faults.add(what, seconds=0.001)
    began = time.monotonic()
    answer = requests.post(f"{server.url}/v2/verify", START, headers=HEADERS, timeout=5)
    assert (202, {"request_id"}) == (answer.status_code, set(answer.json()))
    assert time.monotonic() - began > 0.04


def test_a_drip_goes_on_beyond_the_timeout_of_one_read(server, emulator):
    emulator.faults.add("drip_headers", seconds=0.005)
    began = time.monotonic()
    requests.post(f"{server.url}/v2/verify", START, headers=HEADERS, timeout=0.3)
    assert time.monotonic() - began > 0.6


def test_silent_authentication_over_the_socket(server):
    workflow = [{"channel": "silent_auth", "to": "14155550123"}]
    started = requests.post(
        f"{server.url}/v2/verify", json={"brand": "Example", "workflow": workflow}, auth=("k", "s"), timeout=5
    ).json()
    assert started["check_url"].startswith(server.url)
    end = requests.get(started["check_url"], timeout=5)
    assert ([302, 302], 200) == ([hop.status_code for hop in end.history], end.status_code)
    assert started["request_id"] == end.json()["request_id"]


# Its own addresses


def test_messages_by_http(connection, emulator):
    ask(connection, "POST", "/v2/verify", START)
    V2(emulator).open("+14155550124")
    emulator.clock.advance(180)
    status, listed = ask(connection, "GET", "/_emulator/messages?to=+14155550123")
    assert (200, ["sms", "voice"]) == (status, [message["channel"] for message in listed])
    assert {"to", "channel", "text", "code", "request_id", "sent_at", "locale"} == set(listed[0])
    assert ["2027-01-15T08:00:00.000Z", "2027-01-15T08:03:00.000Z"] == [entry["sent_at"] for entry in listed]
    assert codes(emulator, NUMBER) == [message["code"] for message in listed]
    assert [4, 2, 2] == [
        len(ask(connection, "GET", f"/_emulator/messages{query}")[1])
        for query in ("", "?to=14155550123", "?to=%2B14155550123")
    ]


def test_emptying_the_outbox_by_http(connection, emulator):
    ask(connection, "POST", "/v2/verify", START)
    V2(emulator).open("+14155550124")
    assert (204, None) == ask(connection, "DELETE", "/_emulator/messages?to=%2B14155550123")
    assert 1 == len(emulator.messages())
    assert (204, None) == ask(connection, "DELETE", "/_emulator/messages")
    assert [] == emulator.messages()


def test_the_clock_by_http(connection, emulator):
    ask(connection, "POST", "/v2/verify", START)
    before = emulator.clock.now()
    assert (200, {"now": before + 180}) == ask(connection, "POST", "/_emulator/clock", b'{"advance": 180}')
    assert (200, {"now": before + 180}) == ask(connection, "GET", "/_emulator/clock")
    assert ["sms", "voice"] == channels(emulator)


def test_faults_by_http(connection, emulator):
    fault = b'{"what": "status", "where": "start", "times": 2, "to": "+14155550123", "status": 402}'
    assert 201 == ask(connection, "POST", "/_emulator/faults", fault)[0]
    assert 402 == ask(connection, "POST", "/v2/verify", START)[0]
    assert (204, None) == ask(connection, "DELETE", "/_emulator/faults")
    assert 202 == ask(connection, "POST", "/v2/verify", START)[0]


def test_the_journal_by_http(connection):
    ask(connection, "POST", "/v2/verify", START)
    status, (entry,) = ask(connection, "GET", "/_emulator/journal")
    assert (200, {"method", "path", "verb", "at", "api"}) == (status, set(entry))
    assert ("start", "v2") == (entry["verb"], entry["api"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", b""),
        ("clock", b"[]"),
        ("clock", b"{"),
        ("clock", b"{}"),
        ("clock", b'{"advance": "1"}'),
        ("clock", b'{"advance": true}'),
        ("clock", b'{"advance": -1}'),
        ("clock", b'{"advance": NaN}'),
        ("clock", b'{"advance": 1e999}'),
        ("clock", b'{"advance": 1, "more": 1}'),
        ("faults", b"{}"),
        ("faults", b'{"what": "meteor"}'),
        ("faults", b'{"what": ["html"]}'),
        ("faults", b'{"what": "html", "times": "1"}'),
        ("faults", b'{"what": "html", "times": true}'),
        ("faults", b'{"what": "html", "mood": "bad"}'),
    ],
)
def test_bad_orders_are_400(emulator, path, body):
    answer = call(Control(emulator), "POST", f"/_emulator/{path}", body=body)
    assert (400, "application/problem+json") == (answer.status, answer.headers["Content-Type"])
    assert 0 == len(emulator.faults)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/_emulator/", 404),
        ("GET", "/_emulator/secrets", 404),
        ("POST", "/_emulator/messages", 405),
        ("GET", "/_emulator/faults", 405),
        ("DELETE", "/_emulator/journal", 405),
    ],
)
def test_other_addresses_and_methods(emulator, method, path, status):
    assert status == call(Control(emulator), method, path).status


def test_a_long_order_is_413(emulator):
    assert 413 == call(Control(emulator), "POST", "/_emulator/clock", CONTENT_LENGTH="65537").status


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:8002"}, 200),
        ({"HTTP_HOST": "localhost:8002", "HTTP_ORIGIN": "http://localhost:8000"}, 200),
        ({"REMOTE_ADDR": "192.0.2.1"}, 403),
        ({"REMOTE_ADDR": ""}, 403),
        ({"HTTP_HOST": "rebound.example:8002"}, 403),
        ({"HTTP_ORIGIN": "https://site.example"}, 403),
        ({"HTTP_ORIGIN": "null"}, 403),
        ({"HTTP_HOST": "[bad"}, 400),
    ],
)
def test_only_this_machine_may_look_and_no_page_from_elsewhere(emulator, environ, status):
    assert status == call(Control(emulator), "GET", "/_emulator/messages", **environ).status


def test_the_origin_reaches_the_judge(connection):
    assert 403 == ask(connection, "GET", "/_emulator/messages", headers={"Origin": "https://site.example"})[0]


# An SDK as it comes


class ToEmulator(HTTPAdapter):
    """Sends https calls to the emulator instead."""

    def __init__(self, server):
        super().__init__()
        self.server = server

    def send(self, request, **options):
        request.url = request.url.replace("https://api.nexmo.com", self.server.url)
        return super().send(request, **options)


@pytest.fixture
def sdk(server):
    client = HttpClient(Auth(api_key="key", api_secret="secret"))
    client._session.mount("https://", ToEmulator(server))
    yield client
    client._session.close()


def test_the_sdk_logs_in_by_v2(sdk, emulator):
    verify = Verify(sdk)
    workflow = [SmsChannel(to="14155550123"), VoiceChannel(to="14155550123")]
    request_id = verify.start_verification(Order(brand="Example", workflow=workflow)).request_id
    with pytest.raises(HttpRequestError) as wrong:
        verify.check_code(request_id, "xxxx")
    assert (400, "Invalid Code") == (wrong.value.response.status_code, wrong.value.response.json()["title"])
    verify.trigger_next_workflow(request_id)
    assert ["sms", "voice"] == channels(emulator, NUMBER)
    assert "completed" == verify.check_code(request_id, codes(emulator)[-1]).status
    with pytest.raises(NotFoundError):
        verify.cancel_verification(request_id)


def test_the_sdk_cancels_by_v2(sdk, emulator):
    verify = Verify(sdk)
    order = Order(brand="Example", workflow=[SmsChannel(to="14155550123")])
    verify.cancel_verification(verify.start_verification(order).request_id)
    assert verify.start_verification(order).request_id


def test_the_sdk_logs_in_by_v1(sdk, emulator):
    verify = VerifyLegacy(sdk)
    order = LegacyOrder(number="14155550123", brand="Example", workflow_id=5)
    request_id = verify.start_verification(order).request_id
    with pytest.raises(VerifyError, match="'status': '10'"):
        verify.start_verification(order)
    assert "trigger_next_event" == verify.trigger_next_event(request_id).command
    checked = verify.check_code(request_id, codes(emulator)[-1])
    assert ("0", "0.05000000", "0.09350000") == (
        checked.status,
        checked.price,
        checked.estimated_price_messages_sent,
    )
    found = verify.search(request_id)
    assert ("SUCCESS", ["sms", "tts"]) == (found.status, [event.type for event in found.events])
    assert ["SUCCESS"] == [one.status for one in verify.search([request_id])]


def test_the_sdk_cancels_by_v1(sdk, emulator):
    verify = VerifyLegacy(sdk)
    request_id = verify.start_verification(LegacyOrder(number="14155550123", brand="Example")).request_id
    emulator.clock.advance(30)
    assert "cancel" == verify.cancel_verification(request_id).command
    assert "00101" == verify.request_network_unblock("00101").network


# The command

ROOT = Path(__file__).parents[2]
RUN = "from passwordless.management.commands.vonage_emulator import Command; Command().run_from_argv"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_told_to_stop(stop):
    process = subprocess.Popen(
        [sys.executable, "-c", f"{RUN}(['manage.py', 'vonage_emulator', '--port', '0'])"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = [process.stdout.readline().strip() for _ in range(3)]
        url = lines[1].removeprefix("VONAGE_API_HOST=")
        assert url in lines[0]
        assert [] == requests.get(f"{url}/_emulator/messages", timeout=5).json()
        process.send_signal(stop)
        output, errors = process.communicate(timeout=60)
        assert (0, "", "Emulator ended.\n") == (process.returncode, errors, output)
    finally:
        process.kill()
        process.communicate()


class StopsAtTheEnd(io.StringIO):
    """A terminal at which somebody ends the command once it has said all."""

    def flush(self):
        if "Emulator ended." not in self.getvalue():
            signal.raise_signal(signal.SIGTERM)


def test_the_command_prints_what_to_set_and_puts_the_signal_back():
    former = signal.getsignal(signal.SIGTERM)
    terminal = StopsAtTheEnd()
    Command(stdout=terminal).run_from_argv(["manage.py", "vonage_emulator", "--port", "0"])
    lines = terminal.getvalue().splitlines()
    assert lines[1].startswith("VONAGE_API_HOST=http://127.0.0.1:")
    assert ("Emulator ended.", former) == (lines[-1], signal.getsignal(signal.SIGTERM))


def test_the_command_names_another_port_when_one_is_taken(server):
    with pytest.raises(CommandError, match=f"--port {server.port + 1}"):
        Command().handle(host="127.0.0.1", port=server.port)


@pytest.mark.parametrize(("host", "port"), [("0.0.0.0", 0), ("example", 0), ("127.0.0.1", 70000)])
def test_the_command_refuses_other_addresses(host, port):
    with pytest.raises(CommandError, match="loopback"):
        Command().handle(host=host, port=port)


def test_importing_the_emulator_needs_no_django():
    code = (
        "import sys; from passwordless.vonage.emulator import Emulator; Emulator();"
        "print([n for n in ('django', 'jwt', 'requests', 'vonage_http_client') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "[]\n" == ran.stdout


def test_a_server_that_was_never_begun_can_be_ended(emulator):
    server = Server(emulator)
    server.shutdown()
    assert server.stopping.is_set()
