"""Speaks to an emulator in process, as plainly as a test can read."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from urllib.parse import urlencode

from passwordless.vonage.emulator import Clock, Emulator

T0 = 1_800_000_000.0
BASIC = "Basic " + base64.b64encode(b"key:secret").decode()
NUMBER = "+14155550123"


@dataclass(frozen=True)
class Heard:
    """One answer."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self):
        return json.loads(self.content)


def emulator_at(seconds=T0, **options):
    """Return an emulator whose clock stands still."""
    return Emulator(clock=Clock(fixed=seconds), **options)


def call(app, method, path, *, query="", body=b"", authorization=BASIC, **environ):
    """Make one call and return what was heard."""
    started = []
    content = app(
        {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_AUTHORIZATION": authorization,
            "HTTP_HOST": "127.0.0.1:8002",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.input": io.BytesIO(body),
            "wsgi.url_scheme": "http",
            **environ,
        },
        lambda line, headers: started.append((line, headers)),
    )
    line, headers = started[0]
    return Heard(int(line.split()[0]), dict(headers), b"".join(content))


class V1:
    """Calls in the dialect of v1."""

    def __init__(self, emulator):
        self.emulator = emulator

    def ask(self, path, **fields):
        return call(self.emulator, "POST", path, body=urlencode(fields, doseq=True).encode()).body

    def start(self, number=NUMBER, **fields):
        return self.ask("/verify/json", **{"number": number.lstrip("+"), "brand": "Example", **fields})

    def open(self, number=NUMBER, **fields):
        answer = self.start(number, **fields)
        assert "0" == answer["status"]
        return answer["request_id"]

    def check(self, request_id, code):
        return self.ask("/verify/check/json", request_id=request_id, code=code)

    def search(self, request_id):
        return self.ask("/verify/search/json", request_id=request_id)

    def control(self, request_id, cmd):
        return self.ask("/verify/control/json", request_id=request_id, cmd=cmd)

    def cancel(self, request_id):
        return self.control(request_id, "cancel")

    def advance(self, request_id):
        return self.control(request_id, "trigger_next_event")


class V2:
    """Calls in the dialect of v2."""

    def __init__(self, emulator):
        self.emulator = emulator

    def ask(self, method, path, given=None, **options):
        body = b"" if given is None else json.dumps(given).encode()
        return call(self.emulator, method, path, body=body, **options)

    def start(self, number=NUMBER, channels=("sms", "voice"), **fields):
        workflow = [{"channel": channel, "to": number.lstrip("+")} for channel in channels]
        return self.ask("POST", "/v2/verify", {"brand": "Example", "workflow": workflow, **fields})

    def open(self, *args, **fields):
        answer = self.start(*args, **fields)
        assert 202 == answer.status
        return answer.body["request_id"]

    def check(self, request_id, code):
        return self.ask("POST", f"/v2/verify/{request_id}", {"code": code})

    def cancel(self, request_id):
        return self.ask("DELETE", f"/v2/verify/{request_id}")

    def advance(self, request_id):
        return self.ask("POST", f"/v2/verify/{request_id}/next_workflow")


def codes(emulator, to=None):
    return [message.code for message in emulator.messages(to)]


def channels(emulator, to=None):
    return [message.channel for message in emulator.messages(to)]


def sent(emulator, to=None):
    """Return the seconds after T0 at which each message was sent."""
    return [message.sent_at.timestamp() - T0 for message in emulator.messages(to)]


def other_than(code):
    return ("1" if code[0] == "0" else "0") + code[1:]
