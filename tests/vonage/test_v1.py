"""The words of Verify v1: what is sent, and what each status means."""

from decimal import Decimal
from urllib.parse import parse_qs

import pytest
import responses

from passwordless.states import Reason
from passwordless.vonage.credentials import Credentials
from passwordless.vonage.dialect import Options, Order, Unavailable
from passwordless.vonage.v1 import V1, WORKFLOWS

from .wire import APPLICATION, client_of, pem

ID = "0123456789abcdef0123456789abcdef"
URL = "https://api.nexmo.com/verify"
ORDER = Order(number="+14155550101", channels=("sms", "voice"))


@pytest.fixture
def wire():
    with responses.RequestsMock() as mock:
        yield mock


def v1(**options):
    return V1(client_of(application=False), Options(**{"brand": "Example", **options}))


def sent(wire, index=0):
    return {key: values[0] for key, values in parse_qs(wire.calls[index].request.body).items()}


def started(wire, order=ORDER, **options):
    wire.post(f"{URL}/json", json={"request_id": ID, "status": "0"})
    assert Reason.OK is v1(**options).start(order).reason
    return sent(wire)


class TestStart:
    def test_what_is_sent(self, wire):
        expected = {
            "number": "14155550101",
            "brand": "Example",
            "code_length": "6",
            "workflow_id": "5",
            "pin_expiry": "300",
            "next_event_wait": "150",
        }
        assert expected == started(wire)
        headers = wire.calls[0].request.headers
        assert ("application/x-www-form-urlencoded", "Basic") == (
            headers["Content-Type"],
            headers["Authorization"].split()[0],
        )

    def test_what_is_sent_with_everything(self, wire):
        order = Order(number="+14155550101", channels=("sms",), locale="ja-jp", reference="x" * 40)
        body = started(wire, order, brand="Eighteen letters!!", sender="ACME", code_length=4, lifetime=600)
        assert ("ja-jp", "ACME", "Eighteen letters!!") == (body["lg"], body["sender_id"], body["brand"])
        assert ("4", "600", None) == (body["code_length"], body["pin_expiry"], body.get("next_event_wait"))

    def test_a_language_outside_the_usual_ones(self, wire):
        assert "uk-ua" == started(wire, Order(number="+14155550101", channels=("sms",), locale="uk-ua"))["lg"]

    @pytest.mark.parametrize("channels", WORKFLOWS)
    def test_the_workflow_follows_the_channels(self, wire, channels):
        body = started(wire, Order(number="+14155550101", channels=channels))
        assert str(WORKFLOWS[channels]) == body["workflow_id"]

    def test_there_are_seven_workflows(self):
        assert set(range(1, 8)) == set(WORKFLOWS.values())

    @pytest.mark.parametrize("lifetime", [1, 60, 179, 300, 301, 599, 600, 5000])
    @pytest.mark.parametrize("channels", [("sms", "voice"), ("sms", "voice", "voice")])
    def test_one_code_lives_through_all_events(self, wire, lifetime, channels):
        body = started(wire, Order(number="+14155550101", channels=channels), lifetime=lifetime)
        wait, expiry = int(body["next_event_wait"]), int(body["pin_expiry"])
        assert len(channels) * wait == expiry
        assert wait == v1(lifetime=lifetime).step_seconds(len(channels))
        assert 60 <= wait <= 900
        assert 60 <= expiry <= 3600

    @pytest.mark.parametrize(("lifetime", "expected"), [(1, 60), (300, 300), (9000, 3600)])
    def test_a_single_step_lasts_as_long_as_its_code(self, lifetime, expected):
        assert expected == v1(lifetime=lifetime).step_seconds(1)

    @pytest.mark.parametrize("channels", [("whatsapp",), ("voice", "sms"), ("sms", "voice", "sms"), ()])
    def test_sequences_unknown_to_v1_are_refused_unsent(self, wire, channels):
        reply = v1().start(Order(number="+14155550101", channels=channels))
        assert (Reason.INVALID_REQUEST, 0) == (reply.reason, len(wire.calls))

    @pytest.mark.parametrize(
        ("asked", "had"),
        [
            (["voice", "sms"], ["voice"]),
            (["voice", "sms", "voice"], ["voice"]),
            (["sms", "voice", "sms"], ["sms", "voice"]),
            (["sms", "voice", "voice"], ["sms", "voice", "voice"]),
            (["whatsapp", "sms"], ["whatsapp", "sms"]),
        ],
    )
    def test_as_many_channels_as_there_is_a_workflow_for(self, asked, had):
        assert had == v1().feasible(asked)

    @pytest.mark.parametrize("status", ["0", 0])
    def test_success_as_text_or_number(self, wire, status):
        wire.post(f"{URL}/json", json={"request_id": ID, "status": status})
        reply = v1().start(ORDER)
        assert (Reason.OK, ID, "v1 0") == (reply.reason, reply.request_id, reply.vendor)

    @pytest.mark.parametrize("request_id", ["", None, "../x", "a" * 33, 17.5, ["a"]])
    def test_success_without_an_id_is_no_verdict(self, wire, request_id):
        wire.post(f"{URL}/json", json={"request_id": request_id, "status": "0"})
        with pytest.raises(Unavailable) as caught:
            v1().start(ORDER)
        assert caught.value.sent

    def test_a_block_names_its_network(self, wire):
        wire.post(f"{URL}/json", json={"status": "7", "network": "25503"})
        reply = v1().start(ORDER)
        assert (Reason.BLOCKED, "25503") == (reply.reason, reply.network)

    def test_an_open_request_is_named(self, wire):
        wire.post(f"{URL}/json", json={"status": "10", "request_id": ID})
        reply = v1().start(ORDER)
        assert (Reason.CONCURRENT, ID, "v1 10") == (reply.reason, reply.request_id, reply.vendor)

    def test_an_open_request_with_an_id_that_is_none(self, wire):
        wire.post(f"{URL}/json", json={"status": "10", "request_id": "../x"})
        assert "" == v1().start(ORDER).request_id


COMMON = {
    1: Reason.THROTTLED,
    2: Reason.INVALID_REQUEST,
    3: Reason.INVALID_REQUEST,
    4: Reason.CREDENTIALS,
    5: Reason.PROVIDER_ERROR,
    11: Reason.PROVIDER_ERROR,
    101: Reason.PROVIDER_ERROR,
    240: Reason.PROVIDER_ERROR,
}
STATUSES = {
    "start": COMMON
    | {
        6: Reason.UNROUTABLE,
        7: Reason.BLOCKED,
        8: Reason.FORBIDDEN,
        9: Reason.NO_CREDIT,
        10: Reason.CONCURRENT,
        15: Reason.UNSUPPORTED_NETWORK,
        16: Reason.PROVIDER_ERROR,
        19: Reason.PROVIDER_ERROR,
        20: Reason.FORBIDDEN,
        29: Reason.NOT_PERMITTED,
    },
    "check": COMMON
    | {6: Reason.GONE, 10: Reason.PROVIDER_ERROR, 16: Reason.WRONG_CODE, 17: Reason.TOO_MANY_GUESSES},
    "advance": COMMON | {6: Reason.GONE, 8: Reason.FORBIDDEN, 19: Reason.NO_MORE_STEPS},
    "cancel": COMMON | {6: Reason.GONE, 8: Reason.FORBIDDEN, 19: Reason.NOT_CANCELLABLE},
}
PATHS = {"start": "json", "check": "check/json", "advance": "control/json", "cancel": "control/json"}
ARGUMENTS = {"start": (ORDER,), "check": (ID, "123456"), "advance": (ID,), "cancel": (ID,)}


class TestStatuses:
    @pytest.mark.parametrize(
        ("verb", "status", "reason"),
        [(verb, status, reason) for verb, table in STATUSES.items() for status, reason in table.items()],
    )
    @pytest.mark.parametrize("form", [str, int])
    def test_each_has_one_meaning(self, wire, verb, status, reason, form):
        wire.post(f"{URL}/{PATHS[verb]}", json={"status": form(status), "error_text": "0 completed"})
        reply = getattr(v1(), verb)(*ARGUMENTS[verb])
        assert (reason, f"v1 {status}") == (reply.reason, reply.vendor)

    @pytest.mark.parametrize("status", ["", "ok", None, True, False, -1, 0.0, "٠", "0\n", [0], {"0": 0}])
    @pytest.mark.parametrize("verb", PATHS)
    def test_what_is_no_status_is_no_verdict(self, wire, verb, status):
        wire.post(f"{URL}/{PATHS[verb]}", json={"status": status, "request_id": ID})
        with pytest.raises(Unavailable) as caught:
            getattr(v1(), verb)(*ARGUMENTS[verb])
        assert caught.value.sent

    @pytest.mark.parametrize("verb", PATHS)
    def test_an_empty_answer_is_no_verdict(self, wire, verb):
        wire.post(f"{URL}/{PATHS[verb]}", status=204)
        with pytest.raises(Unavailable):
            getattr(v1(), verb)(*ARGUMENTS[verb])

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (401, Reason.CREDENTIALS),
            (402, Reason.NO_CREDIT),
            (403, Reason.FORBIDDEN),
            (404, Reason.PROVIDER_ERROR),
            (429, Reason.THROTTLED),
            (500, Reason.PROVIDER_ERROR),
            (302, Reason.PROVIDER_ERROR),
        ],
    )
    @pytest.mark.parametrize("verb", PATHS)
    def test_what_stands_in_front_speaks_http(self, wire, verb, status, reason):
        wire.post(f"{URL}/{PATHS[verb]}", status=status, json={"status": "0"}, headers={"Retry-After": "9"})
        reply = getattr(v1(), verb)(*ARGUMENTS[verb])
        assert (reason, f"v1 http {status}", 9) == (reply.reason, reply.vendor, reply.retry_after)


class TestCheck:
    def reply(self, wire, **body):
        wire.post(f"{URL}/check/json", json={"request_id": ID, "status": "0", **body})
        return v1().check(ID, "123456")

    def test_what_is_sent(self, wire):
        self.reply(wire)
        assert {"request_id": ID, "code": "123456"} == sent(wire)

    def test_success_without_a_price(self, wire):
        reply = self.reply(wire)
        assert (Reason.OK, None, "") == (reply.reason, reply.price, reply.currency)

    @pytest.mark.parametrize(
        ("price", "messages", "total"),
        [
            ("0.10000000", "0.03330000", "0.1333"),
            ("0.10000000", None, "0.1"),
            (0.1, 0.0333, "0.1333"),
            (1, 2, "3"),
            (None, "0.05", "0.05"),
        ],
    )
    def test_the_price_is_the_sum(self, wire, price, messages, total):
        reply = self.reply(wire, price=price, estimated_price_messages_sent=messages, currency="EUR")
        assert (Decimal(total), "EUR") == (reply.price, reply.currency)

    @pytest.mark.parametrize("price", ["NaN", "Infinity", "1e999999", "-1", "free", True, [], "9" * 40])
    def test_a_price_that_is_none_spoils_nothing(self, wire, price):
        reply = self.reply(wire, price=price, currency=price, network=price)
        assert (Reason.OK, None, "") == (reply.reason, reply.price, reply.currency)

    @pytest.mark.parametrize("other", ["f" * 32, "", None, 7])
    def test_a_verdict_on_another_request_is_none(self, wire, other):
        with pytest.raises(Unavailable) as caught:
            self.reply(wire, request_id=other)
        assert caught.value.sent

    def test_a_verdict_that_names_no_request_counts(self, wire):
        wire.post(f"{URL}/check/json", json={"status": "0"})
        assert Reason.OK is v1().check(ID, "123456").reason


@pytest.mark.parametrize(("verb", "command"), [("advance", "trigger_next_event"), ("cancel", "cancel")])
def test_commands(wire, verb, command):
    wire.post(f"{URL}/control/json", json={"status": "0", "command": command})
    reply = getattr(v1(), verb)(ID)
    assert (Reason.OK, {"request_id": ID, "cmd": command}) == (reply.reason, sent(wire))


class TestConstruction:
    @pytest.mark.parametrize(
        "options",
        [
            {"brand": ""},
            {"brand": "x" * 19},
            {"code_length": 5},
            {"code_length": 8},
            {"sender": "x" * 12},
            {"sender": "not plain"},
        ],
    )
    def test_what_v1_would_refuse_is_refused(self, options):
        with pytest.raises(ValueError, match="validation error"):
            v1(**options)

    def test_a_token_is_not_enough(self):
        client = client_of()
        client._auth = Credentials(application_id=APPLICATION, private_key=pem())
        with pytest.raises(ValueError, match="needs an API key"):
            V1(client, Options(brand="Example"))
