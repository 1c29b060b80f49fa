"""The emulator in the dialect of v2: HTTP codes, problem bodies, and channels that follow by themselves."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from passwordless.vonage.emulator import Switches
from tests.vonage.emulator_calls import (
    BASIC,
    NUMBER,
    T0,
    V2,
    call,
    channels,
    codes,
    emulator_at,
    other_than,
    sent,
)

UNKNOWN = "00000000-0000-4000-8000-000000000000"
APPLICATION = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"


@pytest.fixture
def emulator():
    return emulator_at()


@pytest.fixture
def v2(emulator):
    return V2(emulator)


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def bearer(key, **claims):
    now = int(time.time())
    every = {"application_id": APPLICATION, "iat": now, "exp": now + 900, "jti": "x", **claims}
    given = {name: value for name, value in every.items() if value is not None}
    return "Bearer " + jwt.encode(given, key, algorithm="RS256")


# Start


@pytest.mark.parametrize("path", ["/v2/verify", "/v2/verify/"])
def test_start_answers_202_and_sends_an_sms(emulator, v2, path):
    body = {"brand": "Example", "workflow": [{"channel": "sms", "to": "14155550123"}], "code_length": 6}
    answer = v2.ask("POST", path, body)
    assert (202, {"request_id"}) == (answer.status, set(answer.body))
    assert answer.body["request_id"] == str(uuid.UUID(answer.body["request_id"]))
    (message,) = emulator.messages(NUMBER)
    assert (NUMBER, "sms", T0) == (message.to, message.channel, message.sent_at.timestamp())
    assert f"Example code: {message.code}. Valid for 3 minutes." == message.text
    assert re.fullmatch("[0-9]{6}", message.code)


def test_one_plus_sign_is_stripped(emulator, v2):
    body = {"brand": "Example", "workflow": [{"channel": "sms", "to": NUMBER}]}
    assert 202 == v2.ask("POST", "/v2/verify", body).status
    assert NUMBER == emulator.messages()[0].to


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"brand": None}, "brand"),
        ({"brand": ""}, "brand"),
        ({"brand": "x" * 19}, "brand"),
        ({"brand": "a/b"}, "brand"),
        ({"workflow": None}, "workflow"),
        ({"workflow": []}, "workflow"),
        ({"workflow": [{"channel": "sms", "to": "14155550123"}] * 4}, "workflow"),
        ({"locale": "English"}, "locale"),
        ({"channel_timeout": 14}, "channel_timeout"),
        ({"channel_timeout": 901}, "channel_timeout"),
        ({"channel_timeout": "60"}, "channel_timeout"),
        ({"channel_timeout": True}, "channel_timeout"),
        ({"client_ref": "x" * 41}, "client_ref"),
        ({"code_length": 3}, "code_length"),
        ({"code_length": 11}, "code_length"),
        ({"code": "abc"}, "code"),
        ({"code": "äöüß"}, "code"),
        ({"fraud_check": "no"}, "fraud_check"),
        ({"template_id": "template"}, "template_id"),
    ],
)
def test_a_bad_parameter_is_named_and_nothing_is_sent(emulator, v2, fields, name):
    answer = v2.start(**fields)
    assert (422, "Invalid params") == (answer.status, answer.body["title"])
    assert [name] == [fault["name"] for fault in answer.body["invalid_parameters"]]
    assert "application/problem+json" == answer.headers["Content-Type"]
    assert [] == emulator.messages()


@pytest.mark.parametrize(
    "channel",
    [
        {"channel": "sms"},
        {"channel": "sms", "to": 14155550123},
        {"channel": "sms", "to": "0014155550123"},
        {"channel": "sms", "to": "++14155550123"},
        {"channel": "sms", "to": "1415555012٣"},
        {"channel": "sms", "to": "14155550123", "app_hash": "short"},
        {"channel": "sms", "to": "14155550123", "entity_id": "x"},
        {"channel": "whatsapp", "to": "14155550123"},
        {"channel": "whatsapp", "to": "14155550123", "from": "14155550124", "mode": "tap"},
        {"channel": "email", "to": "nobody"},
        {"channel": "pigeon", "to": "14155550123"},
        {"channel": "whatsapp_interactive", "to": "14155550123"},
        {"channel": ["sms"], "to": "14155550123"},
        {"channel": "silent_auth", "to": "14155550123", "sandbox": True},
        {"channel": "silent_auth", "to": "14155550123", "redirect_url": "javascript:x"},
        {"channel": "silent_auth", "to": "14155550123", "redirect_url": "https://x\r\nSet-Cookie: a"},
        "sms",
        None,
    ],
)
def test_a_bad_channel_is_named(emulator, v2, channel):
    answer = v2.ask("POST", "/v2/verify", {"brand": "Example", "workflow": [channel]})
    assert 422 == answer.status
    assert ["workflow[0]"] == [fault["name"] for fault in answer.body["invalid_parameters"]]
    assert [] == emulator.messages()


@pytest.mark.parametrize(
    ("channel", "sender", "status"),
    [
        ("sms", "ACME", 202),
        ("sms", "14155550124", 202),
        ("sms", "123456789012345", 202),
        ("sms", "AB", 422),
        ("sms", "1234567890123456", 422),
        ("sms", "AC ME", 422),
        ("whatsapp", "491760406900012", 202),
        ("whatsapp", "ACME", 422),
        ("whatsapp", 14155550124, 422),
    ],
)
def test_senders(v2, channel, sender, status):
    workflow = [{"channel": channel, "to": "14155550123", "from": sender}]
    answer = v2.ask("POST", "/v2/verify", {"brand": "Example", "workflow": workflow})
    assert status == answer.status
    assert status == 202 or "Invalid sender" == answer.body["title"]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 60000, b"brand=Example"])
def test_a_body_that_is_no_object_is_422(emulator, body):
    assert 422 == call(emulator, "POST", "/v2/verify", body=body).status


@pytest.mark.parametrize(("length", "status"), [("65537", 413), ("-1", 400), ("many", 400), ("9" * 30, 400)])
def test_a_body_of_bad_length_is_refused(emulator, length, status):
    assert status == call(emulator, "POST", "/v2/verify", CONTENT_LENGTH=length).status


def test_a_code_of_the_callers_own_serves_all_channels(emulator, v2):
    request_id = v2.open(code="Ab12")
    v2.advance(request_id)
    assert ["Ab12", "Ab12"] == codes(emulator)
    assert [400, 200] == [v2.check(request_id, code).status for code in ("ab12", "Ab12")]


def test_the_texts_of_the_channels(emulator, v2):
    workflow = [
        {"channel": "sms", "to": "14155550123", "app_hash": "A1234567890"},
        {"channel": "voice", "to": "14155550123"},
        {"channel": "whatsapp", "to": "14155550123", "from": "14155550124"},
    ]
    v2.ask(
        "POST",
        "/v2/verify",
        {"brand": "Example", "workflow": workflow, "code": "1234", "channel_timeout": 60},
    )
    emulator.clock.advance(120)
    assert [
        "Example code: 1234. Valid for 1 minute.\nA1234567890",
        "Hello. Your Example code is: 1, 2, 3, 4. Once more: 1, 2, 3, 4.",
        "*1234* is your Example code. Valid for 1 minute.",
    ] == [message.text for message in emulator.messages()]


def test_mail(emulator, v2):
    body = {"brand": "Example", "workflow": [{"channel": "email", "to": "somebody@example.com"}]}
    assert 202 == v2.ask("POST", "/v2/verify", body).status
    assert ["email"] == channels(emulator, "somebody@example.com")


def test_fraud_check_off_needs_the_account_feature():
    v2 = V2(emulator_at(switches=Switches(skip_fraud_check=False)))
    assert [403, 202] == [v2.start(fraud_check=value).status for value in (False, True)]


# Credentials


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 202),
        ({"exp": None}, 202),
        ({"iat": None}, 401),
        ({"iat": int(time.time()) + 3600}, 401),
        ({"exp": int(time.time()) - 10}, 401),
        ({"nbf": int(time.time()) + 3600}, 401),
        ({"application_id": None}, 401),
        ({"application_id": ""}, 401),
        ({"application_id": 5}, 401),
    ],
)
def test_a_token_needs_its_claims(emulator, key, claims, status):
    body = json.dumps({"brand": "Example", "workflow": [{"channel": "sms", "to": "14155550123"}]}).encode()
    header = bearer(key, **claims)
    assert status == call(emulator, "POST", "/v2/verify", body=body, authorization=header).status


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !",
        "Basic a2V5Og==",
        "Bearer",
        "Bearer a.b.c",
        "Bearer a.b",
        "Digest x",
        "Bearer é.é.é",
    ],
)
def test_absent_or_malformed_credentials_are_401(emulator, header):
    answer = call(emulator, "POST", "/v2/verify", body=b"{}", authorization=header)
    assert (401, "Unauthorized") == (answer.status, answer.body["title"])


def test_an_unsigned_token_is_401(emulator):
    token = jwt.encode({"application_id": APPLICATION, "iat": int(time.time())}, None, algorithm="none")
    for text in (token, token + "x"):
        assert 401 == call(emulator, "POST", "/v2/verify", authorization=f"Bearer {text}").status


def test_a_public_key_verifies_the_signature(key):
    emulator = emulator_at(public_key=public(key), application_id=APPLICATION)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    headers = [bearer(key), bearer(key, application_id="another"), bearer(other)]
    assert [422, 401, 401] == [
        call(emulator, "POST", "/v2/verify", body=b"{}", authorization=header).status for header in headers
    ]


def test_the_token_is_judged_by_real_time(emulator, key):
    emulator.clock.advance(86400)
    assert 422 == call(emulator, "POST", "/v2/verify", body=b"{}", authorization=bearer(key)).status


def test_a_key_and_secret_that_are_set_must_be_right():
    emulator = emulator_at(api_key="key", api_secret="other")
    right = "Basic " + base64.b64encode(b"key:other").decode()
    assert [401, 422] == [
        call(emulator, "POST", "/v2/verify", body=b"{}", authorization=header).status
        for header in (BASIC, right)
    ]


@pytest.mark.parametrize(("method", "rest"), [("POST", ""), ("DELETE", ""), ("POST", "/next_workflow")])
def test_every_call_needs_credentials(emulator, v2, method, rest):
    path = f"/v2/verify/{v2.open()}{rest}"
    assert 401 == call(emulator, method, path, body=b'{"code": "1234"}', authorization="").status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/verify", 405),
        ("PUT", "/v2/verify/", 405),
        ("GET", f"/v2/verify/{UNKNOWN}", 405),
        ("GET", f"/v2/verify/{UNKNOWN}/next_workflow", 405),
        ("POST", "/v2/verify/../../v1/calls", 404),
        ("POST", f"/v2/verify/{UNKNOWN}\n", 404),
        ("POST", "/v2/verify/id", 404),
        ("POST", "/v2/", 404),
    ],
)
def test_other_addresses_and_methods(emulator, method, path, status):
    assert status == call(emulator, method, path).status


# Check


def test_the_right_code_completes_once(emulator, v2):
    request_id = v2.open()
    (code,) = codes(emulator)
    answer = v2.check(request_id, code)
    assert (200, {"request_id": request_id, "status": "completed"}) == (answer.status, answer.body)
    assert 404 == v2.check(request_id, code).status


@pytest.mark.parametrize(("limit", "statuses"), [(3, [400, 400, 410, 404]), (4, [400, 400, 400, 410, 404])])
def test_the_last_wrong_code_ends_the_request(limit, statuses):
    emulator = emulator_at(switches=Switches(wrong_codes=limit))
    v2 = V2(emulator)
    request_id = v2.open()
    (code,) = codes(emulator)
    assert statuses == [v2.check(request_id, other_than(code)).status for _ in statuses]
    assert 404 == v2.check(request_id, code).status


def test_wrong_codes_are_counted_over_all_channels(emulator, v2):
    request_id = v2.open()
    code = codes(emulator)[0]
    statuses = [v2.check(request_id, other_than(code)).status for _ in range(2)]
    v2.advance(request_id)
    assert [400, 400, 410] == [*statuses, v2.check(request_id, other_than(codes(emulator)[-1])).status]


@pytest.mark.parametrize("given", [None, {}, [], {"code": 1234}, {"code": "123"}, {"code": "1" * 11}])
def test_a_code_of_impossible_form_costs_no_guess(v2, given):
    request_id = v2.open()
    assert {422} == {v2.ask("POST", f"/v2/verify/{request_id}", given).status for _ in range(5)}


def test_problem_bodies_without_a_type_where_switched():
    for switches, present in ((Switches(), True), (Switches(problem_type=False), False)):
        assert present == ("type" in V2(emulator_at(switches=switches)).check(UNKNOWN, "1234").body)


# Channels and time


def test_the_next_channel_follows_by_itself_at_its_time(emulator, v2):
    request_id = v2.open(channels=("sms", "voice", "sms"), channel_timeout=60)
    emulator.clock.advance(59.5)
    assert ["sms"] == channels(emulator)
    emulator.clock.advance(100)
    assert (["sms", "voice", "sms"], [0, 60, 120]) == (channels(emulator), sent(emulator))
    emulator.clock.advance(20.5)
    assert 404 == v2.check(request_id, codes(emulator)[-1]).status


def test_each_channel_has_a_code_of_its_own():
    emulator = emulator_at(seed=5)
    v2 = V2(emulator)
    request_id = v2.open(code_length=10)
    v2.advance(request_id)
    first, second = codes(emulator)
    assert first != second
    assert [400, 200] == [v2.check(request_id, code).status for code in (first, second)]


def test_one_code_for_all_channels_where_switched():
    emulator = emulator_at(switches=Switches(reuse_code=True))
    v2 = V2(emulator)
    v2.advance(v2.open(code_length=10))
    assert 1 == len(set(codes(emulator)))


def test_advance_until_no_channel_is_left(emulator, v2):
    request_id = v2.open()
    emulator.clock.advance(5)
    answer = v2.advance(request_id)
    assert (200, b"") == (answer.status, answer.content)
    assert [0, 5] == sent(emulator)
    assert 409 == v2.advance(request_id).status


@pytest.mark.parametrize("verb", ["cancel", "advance"])
def test_an_unknown_request_is_404(v2, verb):
    assert 404 == getattr(v2, verb)(UNKNOWN).status


def test_a_success_stops_the_channels(emulator, v2):
    v2.check(v2.open(), codes(emulator)[0])
    emulator.clock.advance(900)
    assert ["sms"] == channels(emulator)


def test_messages_are_in_order_of_time_over_all_requests(emulator, v2):
    v2.open(channel_timeout=30)
    emulator.clock.advance(10)
    v2.open("+14155550124", channel_timeout=15)
    emulator.clock.advance(40)
    assert [0, 10, 25, 30] == sent(emulator)
    assert [10, 25] == sent(emulator, "+14155550124")


# Cancel, and one open request a number


def test_cancel_is_empty_and_final(emulator, v2):
    request_id = v2.open()
    answer = v2.cancel(request_id)
    assert (204, b"") == (answer.status, answer.content)
    assert "Content-Length" not in answer.headers
    assert [404, 404] == [v2.cancel(request_id).status, v2.check(request_id, codes(emulator)[0]).status]
    assert 202 == v2.start().status


@pytest.mark.parametrize(("after", "status"), [(0, 409), (29, 409), (30, 204), (180, 409)])
def test_the_cancel_rule_of_v1_where_switched(after, status):
    emulator = emulator_at(switches=Switches(v2_cancel_rule=True))
    v2 = V2(emulator)
    request_id = v2.open()
    emulator.clock.advance(after)
    assert status == v2.cancel(request_id).status


def test_a_cancelled_request_may_hold_its_number_for_a_while():
    emulator = emulator_at(switches=Switches(lock_after_cancel=12))
    v2 = V2(emulator)
    v2.cancel(v2.open())
    emulator.clock.advance(11)
    assert 409 == v2.start().status
    emulator.clock.advance(1)
    assert 202 == v2.start().status


def test_a_second_request_to_the_number_is_409_with_the_open_id(emulator, v2):
    request_id = v2.open()
    answer = v2.start()
    assert (409, request_id) == (answer.status, answer.body["request_id"])
    assert 1 == len(emulator.messages())


def test_a_number_in_any_step_is_busy(v2):
    workflow = [{"channel": "sms", "to": "14155550124"}, {"channel": "voice", "to": "14155550123"}]
    v2.ask("POST", "/v2/verify", {"brand": "Example", "workflow": workflow})
    assert 409 == v2.start(NUMBER).status


def test_a_number_is_free_after_the_last_channel(emulator, v2):
    v2.open(channel_timeout=15)
    emulator.clock.advance(30)
    assert 202 == v2.start().status


# Silent authentication


def follow(emulator, url):
    """Follow the chain as a phone does and return the last answer."""
    for _ in range(10):
        path, _, query = url.removeprefix("http://127.0.0.1:8002").partition("?")
        answer = call(emulator, "GET", path, query=query, authorization="")
        url = answer.headers.get("Location", "")
        if not url.startswith("http://127.0.0.1:8002"):
            return answer
    raise AssertionError("endless chain")


def silent(v2, number="14155550123", **fields):
    workflow = [{"channel": "silent_auth", "to": number, **fields}, {"channel": "sms", "to": number}]
    return v2.ask("POST", "/v2/verify", {"brand": "Example", "workflow": workflow})


def test_silent_authentication_ends_in_a_code(emulator, v2):
    start = silent(v2).body
    end = follow(emulator, start["check_url"])
    assert (200, start["request_id"]) == (end.status, end.body["request_id"])
    assert re.fullmatch("[A-Za-z0-9]{6}", end.body["code"])
    assert [] == emulator.messages()
    assert 200 == v2.check(start["request_id"], end.body["code"]).status


def test_silent_authentication_returns_to_a_page_with_a_fragment(emulator, v2):
    start = silent(v2, redirect_url="https://example.com/done").body
    end = follow(emulator, start["check_url"])
    found = re.fullmatch(
        r"https://example\.com/done#request_id=([0-9a-f-]{36})&code=(\w{6})", end.headers["Location"]
    )
    assert (302, start["request_id"]) == (end.status, found[1])
    assert 200 == v2.check(start["request_id"], found[2]).status


def test_a_typed_code_during_silent_authentication_is_409(v2):
    assert 409 == v2.check(silent(v2).body["request_id"], "1234").status


def test_the_silent_step_lasts_a_minute(emulator, v2):
    start = silent(v2).body
    emulator.clock.advance(60)
    assert (["sms"], [60]) == (channels(emulator), sent(emulator))
    assert 404 == follow(emulator, start["check_url"]).status
    assert 200 == v2.check(start["request_id"], codes(emulator)[0]).status


def test_silent_authentication_must_come_first(v2):
    answer = v2.start(channels=("sms", "silent_auth"))
    assert "workflow[1]" == answer.body["invalid_parameters"][0]["name"]


@pytest.mark.parametrize(
    ("number", "status"), [("99012345678", 200), ("99012345677", 403), ("99012345699", 403)]
)
def test_the_virtual_operator(emulator, v2, number, status):
    start = v2.start(number, channels=("silent_auth",)).body
    assert status == follow(emulator, start["check_url"]).status
    assert (404 if status == 403 else 409) == v2.check(start["request_id"], "1234").status


def test_the_virtual_operator_allows_no_other_channel(v2):
    answer = silent(v2, "99012345678")
    assert ["workflow[0]", "workflow[1]"] == [fault["name"] for fault in answer.body["invalid_parameters"]]


def test_a_rejected_phone_returns_without_a_code(emulator, v2):
    workflow = [{"channel": "silent_auth", "to": "99012345677", "redirect_url": "https://example.com/done"}]
    start = v2.ask("POST", "/v2/verify", {"brand": "Example", "workflow": workflow}).body
    end = follow(emulator, start["check_url"])
    assert f"https://example.com/done#request_id={start['request_id']}" == end.headers["Location"]


# Networks


@pytest.mark.parametrize("path", ["/verify/network-unblock", "/v2/verify/network-unblock"])
@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"network": "00101"}, 202),
        ({"network": "00101", "unblock_duration": 86400}, 202),
        ({"network": "23410"}, 404),
        ({"network": "00101", "unblock_duration": 86401}, 422),
        ({"network": "00101", "unblock_duration": "60"}, 422),
        ({}, 422),
        (None, 422),
    ],
)
def test_unblocking_a_network(v2, path, given, status):
    answer = v2.ask("POST", path, given)
    assert status == answer.status
    assert status != 422 or answer.body["invalid_parameters"]


def test_unblocking_tells_until_when(v2):
    answer = v2.ask("POST", "/v2/verify/network-unblock", {"network": "00101", "unblock_duration": 60})
    assert {"network": "00101", "unblocked_until": "2027-01-15T08:01:00Z"} == answer.body


def test_unblocking_needs_a_post_credentials_and_the_account_feature(v2):
    path, given = "/v2/verify/network-unblock", {"network": "00101"}
    assert [405, 401] == [
        v2.ask("GET", path, given).status,
        v2.ask("POST", path, given, authorization="").status,
    ]
    assert 403 == V2(emulator_at(switches=Switches(network_unblock=False))).ask("POST", path, given).status
