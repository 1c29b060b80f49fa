"""The words of Verify v2: what is sent, and what each HTTP status means."""

import json

import pytest
import responses

from passwordless.states import Reason
from passwordless.vonage.dialect import Options, Order, Unavailable
from passwordless.vonage.v2 import V2

from .wire import client_of

ID = "c11236f4-00bf-4b89-84ba-88b25df97315"
URL = "https://api.nexmo.com/v2/verify"
ORDER = Order(number="+14155550101", channels=("sms", "voice"))


@pytest.fixture
def wire():
    with responses.RequestsMock() as mock:
        yield mock


def v2(*, application=True, **options):
    return V2(client_of(application=application), Options(**{"brand": "Example", **options}))


def started(wire, order=ORDER, **options):
    wire.post(URL, status=202, json={"request_id": ID})
    assert Reason.OK is v2(**options).start(order).reason
    return json.loads(wire.calls[0].request.body)


def number(channel, **options):
    return Order(number="+14155550101", channels=(channel,), **options)


class TestStart:
    def test_what_is_sent(self, wire):
        expected = {
            "brand": "Example",
            "workflow": [
                {"channel": "sms", "to": "14155550101"},
                {"channel": "voice", "to": "14155550101"},
            ],
            "channel_timeout": 150,
            "code_length": 6,
        }
        assert expected == started(wire)
        assert "application/json" == wire.calls[0].request.headers["Content-Type"]

    def test_what_is_sent_with_everything(self, wire):
        order = number("sms", reference="r" * 40, locale="uk-ua")
        options = {"brand": "Eighteen letters!!", "template_id": ID, "fraud_check": False, "sender": "ACME"}
        body = started(wire, order, **options, code_length=10, lifetime=600)
        assert {
            "brand": "Eighteen letters!!",
            "workflow": [{"channel": "sms", "to": "14155550101", "from": "ACME"}],
            "locale": "uk-ua",
            "channel_timeout": 600,
            "client_ref": "r" * 40,
            "code_length": 10,
            "template_id": ID,
            "fraud_check": False,
        } == body

    @pytest.mark.parametrize(
        "sender", ["447", "44770090000", "447700900000", "447700900000123", "+447700900000"]
    )
    def test_numeric_senders_of_any_legal_length(self, wire, sender):
        body = started(
            wire,
            Order(number="+14155550101", channels=("sms", "whatsapp")),
            sender=sender,
            whatsapp_sender=sender,
        )
        assert [sender.lstrip("+")] * 2 == [step["from"] for step in body["workflow"]]

    def test_whatsapp_needs_a_sender(self, wire):
        assert Reason.INVALID_REQUEST is v2().start(number("whatsapp")).reason

    @pytest.mark.parametrize(("application", "scheme"), [(True, "Bearer"), (False, "Basic")])
    def test_a_token_where_there_is_an_application(self, wire, application, scheme):
        started(wire, application=application)
        assert scheme == wire.calls[0].request.headers["Authorization"].split()[0]

    @pytest.mark.parametrize(("lifetime", "steps", "expected"), [(10, 1, 15), (300, 3, 100), (5000, 1, 900)])
    def test_the_channel_timeout_is_an_equal_share(self, wire, lifetime, steps, expected):
        body = started(wire, Order(number="+14155550101", channels=("sms",) * steps), lifetime=lifetime)
        assert expected == body["channel_timeout"] == v2(lifetime=lifetime).step_seconds(steps)

    @pytest.mark.parametrize("order", [number("sms", reference="x" * 41), number("sms", locale="x")])
    def test_what_cannot_be_said_is_refused_unsent(self, wire, order):
        assert Reason.INVALID_REQUEST is v2().start(order).reason
        assert 0 == len(wire.calls)

    def test_success(self, wire):
        wire.post(URL, status=202, json={"request_id": ID, "check_url": "https://example.com"})
        reply = v2().start(ORDER)
        assert (Reason.OK, ID, "v2 202") == (reply.reason, reply.request_id, reply.vendor)

    @pytest.mark.parametrize("body", [{}, *({"request_id": bad} for bad in ("", "../x", "a" * 32, None))])
    def test_success_without_an_id_is_no_verdict(self, wire, body):
        wire.post(URL, status=202, json=body)
        with pytest.raises(Unavailable) as caught:
            v2().start(ORDER)
        assert caught.value.sent

    def test_an_open_request_is_named(self, wire):
        wire.post(URL, status=409, json={"title": "Conflict", "request_id": ID})
        reply = v2().start(ORDER)
        assert (Reason.CONCURRENT, ID, "v2 409") == (reply.reason, reply.request_id, reply.vendor)

    @pytest.mark.parametrize("body", [{}, {"request_id": "../x"}, {"request_id": None}])
    def test_an_open_request_with_an_id_that_is_none(self, wire, body):
        wire.post(URL, status=409, json=body)
        assert "" == v2().start(ORDER).request_id

    @pytest.mark.parametrize(
        ("blamed", "reason"),
        [
            ([{"name": "workflow", "reason": "`to` Phone number is invalid"}], Reason.UNROUTABLE),
            ([{"name": "workflow[0]", "reason": "no"}], Reason.UNROUTABLE),
            ([{"name": "workflow[1].to", "reason": "no"}], Reason.UNROUTABLE),
            ([{"name": "to", "reason": "no"}], Reason.UNROUTABLE),
            ({"name": "to", "reason": "no"}, Reason.UNROUTABLE),
            ({"workflow": "no"}, Reason.UNROUTABLE),
            ([{"name": "brand", "reason": "Brand is required"}], Reason.INVALID_REQUEST),
            ([{"name": "workflow[0].from", "reason": "no"}], Reason.INVALID_REQUEST),
            ({"brand": "no"}, Reason.INVALID_REQUEST),
            ([], Reason.INVALID_REQUEST),
            (["to"], Reason.INVALID_REQUEST),
            ("to", Reason.INVALID_REQUEST),
            (None, Reason.INVALID_REQUEST),
        ],
    )
    def test_a_refused_number_is_told_from_refused_parameters(self, wire, blamed, reason):
        wire.post(URL, status=422, json={"title": "Invalid params", "invalid_parameters": blamed})
        assert reason is v2().start(ORDER).reason


COMMON = {
    301: Reason.PROVIDER_ERROR,
    401: Reason.CREDENTIALS,
    402: Reason.NO_CREDIT,
    403: Reason.FORBIDDEN,
    418: Reason.PROVIDER_ERROR,
    422: Reason.INVALID_REQUEST,
    429: Reason.THROTTLED,
    500: Reason.PROVIDER_ERROR,
    503: Reason.PROVIDER_ERROR,
}
STATUSES = {
    "start": COMMON
    | {
        400: Reason.PROVIDER_ERROR,
        404: Reason.PROVIDER_ERROR,
        409: Reason.CONCURRENT,
        410: Reason.PROVIDER_ERROR,
    },
    "check": COMMON
    | {400: Reason.WRONG_CODE, 404: Reason.GONE, 409: Reason.NO_CODE_STEP, 410: Reason.TOO_MANY_GUESSES},
    "advance": COMMON | {404: Reason.GONE, 409: Reason.NO_MORE_STEPS},
    "cancel": COMMON | {404: Reason.GONE, 409: Reason.NOT_CANCELLABLE},
}
CALLS = {
    "start": ("POST", URL, (ORDER,)),
    "check": ("POST", f"{URL}/{ID}", (ID, "123456")),
    "advance": ("POST", f"{URL}/{ID}/next_workflow", (ID,)),
    "cancel": ("DELETE", f"{URL}/{ID}", (ID,)),
}


class TestStatuses:
    @pytest.mark.parametrize(
        ("verb", "status", "reason"),
        [(verb, status, reason) for verb, table in STATUSES.items() for status, reason in table.items()],
    )
    def test_each_has_one_meaning(self, wire, verb, status, reason):
        method, url, arguments = CALLS[verb]
        # A body that says yes must not outvote a status that does not.
        wire.add(method, url, status=status, json={"status": "completed"}, headers={"Retry-After": "3"})
        reply = getattr(v2(), verb)(*arguments)
        assert (reason, f"v2 {status}", 3) == (reply.reason, reply.vendor, reply.retry_after)


class TestCheck:
    def check(self, wire, **answer):
        wire.post(f"{URL}/{ID}", **answer)
        return v2().check(ID, "123456")

    def test_what_is_sent(self, wire):
        self.check(wire, json={"request_id": ID, "status": "completed"})
        assert {"code": "123456"} == json.loads(wire.calls[0].request.body)

    @pytest.mark.parametrize(
        "answer",
        [
            {"json": {"request_id": ID, "status": "completed"}},
            {"json": {"request_id": ID.upper(), "status": "complete"}},
            {"json": {"status": "completed"}},
        ],
    )
    def test_a_yes(self, wire, answer):
        reply = self.check(wire, **answer)
        assert (Reason.OK, ID) == (reply.reason, reply.request_id)

    @pytest.mark.parametrize(
        "answer",
        [
            {"json": {"request_id": ID, "status": "failed"}},
            {"json": {"request_id": ID, "status": "COMPLETED"}},
            {"json": {"request_id": ID, "status": ["completed"]}},
            {"json": {"request_id": ID}},
            {"json": {"request_id": ID.replace("c", "d"), "status": "completed"}},
            {"json": {"request_id": None, "status": "completed"}},
            {"json": {"title": "Invalid Code", "detail": "completed"}},
            {"json": {}},
            {"json": {"status": "completed"}, "status": 202},
            {"status": 202},
            {"status": 204},
            {"status": 200, "headers": {"Content-Length": "0"}},
            {"status": 200},
            {"body": "<p>completed", "status": 200},
        ],
    )
    def test_no_verdict(self, wire, answer):
        with pytest.raises(Unavailable) as caught:
            self.check(wire, **answer)
        assert caught.value.sent


@pytest.mark.parametrize("verb", ["advance", "cancel"])
def test_commands_have_no_body(wire, verb):
    method, url, arguments = CALLS[verb]
    wire.add(method, url, status=204)
    assert Reason.OK is getattr(v2(), verb)(*arguments).reason
    assert None is wire.calls[0].request.body


@pytest.mark.parametrize(
    "options",
    [
        {"brand": ""},
        {"brand": "x" * 19},
        {"brand": "a/b"},
        {"brand": "${code}"},
        {"code_length": 3},
        {"code_length": 11},
        {"sender": "ab"},
        {"sender": "not plain"},
        {"sender": "ACME\n"},
        {"sender": "4" * 16},
        {"whatsapp_sender": "4" * 16},
        {"template_id": "x" * 65},
    ],
)
def test_what_v2_would_refuse_is_refused_at_construction(options):
    with pytest.raises(ValueError, match="validation error"):
        v2(**options)
