"""The emulator in the dialect of v1: statuses in an HTTP 200, events by workflow, codes by their life."""

from __future__ import annotations

import base64
import json
import re

import pytest

from passwordless.vonage.emulator import Switches
from tests.vonage.emulator_calls import (
    BASIC,
    NUMBER,
    T0,
    V1,
    call,
    channels,
    codes,
    emulator_at,
    other_than,
    sent,
)


@pytest.fixture
def emulator():
    return emulator_at()


@pytest.fixture
def v1(emulator):
    return V1(emulator)


# Start


def test_start_answers_an_id_and_sends_an_sms(emulator, v1):
    answer = v1.start()
    assert {"request_id", "status"} == answer.keys()
    assert re.fullmatch("[0-9a-f]{32}", answer["request_id"])
    (message,) = emulator.messages(NUMBER)
    assert (NUMBER, "sms", answer["request_id"]) == (message.to, message.channel, message.request_id)
    assert f"Example code: {message.code}. Valid for 5 minutes." == message.text
    assert T0 == message.sent_at.timestamp()


@pytest.mark.parametrize(
    ("method", "query", "body"),
    [
        ("POST", "", b"number=14155550123&brand=Example"),
        ("GET", "number=14155550123&brand=Example", b""),
        ("POST", "number=14155550123", b"brand=Example"),
        ("POST", "", b'{"number": "14155550123", "brand": "Example"}'),
        ("POST", "", b'{"number": 14155550123, "brand": "Example"}'),
    ],
)
def test_fields_come_as_form_query_or_json(emulator, method, query, body):
    answer = call(emulator, method, "/verify/json", query=query, body=body)
    assert (200, "0") == (answer.status, answer.body["status"])


def test_a_form_labelled_json_is_read_as_a_form(emulator):
    body = b"number=14155550123&brand=Example"
    answer = call(emulator, "POST", "/verify/json", body=body, CONTENT_TYPE="application/json")
    assert "0" == answer.body["status"]


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"brand": ""}, "2", "brand"),
        ({"number": ""}, "2", "number"),
        ({"number": "12"}, "3", "number"),
        ({"number": "07700900000"}, "3", "number"),
        ({"number": "1415555012٣"}, "3", "number"),
        ({"brand": "x" * 19}, "3", "brand"),
        ({"sender_id": "twelve chars"}, "3", "sender_id"),
        ({"code_length": "5"}, "3", "code_length"),
        ({"lg": "tlh"}, "3", "lg"),
        ({"pin_expiry": "59"}, "3", "pin_expiry"),
        ({"pin_expiry": "3601"}, "3", "pin_expiry"),
        ({"next_event_wait": "901"}, "3", "next_event_wait"),
        ({"workflow_id": "8"}, "3", "workflow_id"),
        ({"pin_code": "abc"}, "3", "pin_code"),
        ({"country": "USA"}, "3", "country"),
    ],
)
def test_a_bad_parameter_is_named_and_nothing_is_sent(emulator, v1, fields, status, word):
    answer = v1.start(**fields)
    assert status == answer["status"]
    assert answer["error_text"].endswith(word)
    assert [] == emulator.messages()


@pytest.mark.parametrize(
    ("number", "country", "e164"),
    [
        ("(415) 555-0123", "US", "+14155550123"),
        ("14155550123", "US", "+14155550123"),
        ("0491 570 156", "au", "+61491570156"),
        ("070-174 06 05", "SE", "+46701740605"),
        ("+46701740605", "US", "+46701740605"),
        ("0046701740605", "US", "+46701740605"),
    ],
)
def test_a_country_makes_a_national_number_international(emulator, v1, number, country, e164):
    assert "0" == v1.ask("/verify/json", number=number, country=country, brand="Example")["status"]
    assert e164 == emulator.messages()[0].to


def test_the_code_has_the_length_that_was_asked_for(emulator, v1):
    v1.open()
    v1.open("+14155550124", code_length=6)
    assert [4, 6] == [len(code) for code in codes(emulator)]


def test_a_code_of_the_callers_own(emulator, v1):
    request_id = v1.open(pin_code="ab-12")
    assert ["ab-12"] == codes(emulator)
    assert "0" == v1.check(request_id, "ab-12")["status"]


def test_a_code_of_the_callers_own_needs_the_account_feature():
    assert "20" == V1(emulator_at(switches=Switches(pin_code=False))).start(pin_code="1234")["status"]


def test_codes_are_random_and_a_seed_repeats_them():
    def drawn(seed):
        emulator = emulator_at(seed=seed)
        V1(emulator).open(code_length=6)
        return codes(emulator)

    assert drawn(1) == drawn(1)
    assert 1 < len({tuple(drawn(None)) for _ in range(8)})


# Credentials


@pytest.mark.parametrize(
    ("authorization", "extra", "status"),
    [
        (BASIC, {}, "0"),
        ("", {"api_key": "key", "api_secret": "secret"}, "0"),
        ("", {}, "2"),
        ("", {"api_key": "key"}, "4"),
        ("Basic !!!", {}, "4"),
        ("Basic " + base64.b64encode(b":").decode(), {}, "4"),
        ("Bearer a.b.c", {}, "4"),
    ],
)
def test_credentials_must_be_there(emulator, authorization, extra, status):
    body = json.dumps({"number": "14155550123", "brand": "Example", **extra}).encode()
    answer = call(emulator, "POST", "/verify/json", body=body, authorization=authorization)
    assert (200, status) == (answer.status, answer.body["status"])


@pytest.mark.parametrize(("secret", "status"), [(b"right", "0"), (b"wrong", "4"), (b"", "4")])
def test_credentials_must_be_right_where_they_are_set(secret, status):
    emulator = emulator_at(api_key="key", api_secret="right")
    header = "Basic " + base64.b64encode(b"key:" + secret).decode()
    body = b"number=14155550123&brand=Example"
    assert status == call(emulator, "POST", "/verify/json", body=body, authorization=header).body["status"]


def test_only_get_and_post(emulator):
    assert 405 == call(emulator, "PUT", "/verify/json").status


@pytest.mark.parametrize("path", ["/", "/verify", "/verify/xml", "/verify/json/", "/_emulator/messages"])
def test_other_addresses_are_not_found(emulator, path):
    assert 404 == call(emulator, "GET", path).status


def test_more_fields_than_anybody_needs_are_none(emulator):
    query = "number=14155550123&brand=Example&" + "&".join(f"x{n}=1" for n in range(100))
    assert "2" == call(emulator, "GET", "/verify/json", query=query).body["status"]


# Check


def test_the_right_code_succeeds_once_and_costs(emulator, v1):
    request_id = v1.open()
    (code,) = codes(emulator)
    answer = v1.check(request_id, code)
    assert (request_id, "0", "EUR") == (answer["request_id"], answer["status"], answer["currency"])
    assert ("0.05000000", "0.04675000") == (answer["price"], answer["estimated_price_messages_sent"])
    assert answer["event_id"]
    assert "6" == v1.check(request_id, code)["status"]


def test_prices_as_numbers_where_switched():
    emulator = emulator_at(switches=Switches(price_as_number=True))
    v1 = V1(emulator)
    assert 0.05 == v1.check(v1.open(), codes(emulator)[0])["price"]


@pytest.mark.parametrize(("limit", "statuses"), [(3, ["16", "16", "17"]), (4, ["16", "16", "16", "17"])])
def test_the_last_wrong_code_ends_the_request(limit, statuses):
    emulator = emulator_at(switches=Switches(wrong_codes=limit))
    v1 = V1(emulator)
    request_id = v1.open()
    (code,) = codes(emulator)
    assert statuses == [v1.check(request_id, other_than(code))["status"] for _ in range(limit)]
    assert "6" == v1.check(request_id, code)["status"]
    assert "FAILED" == v1.search(request_id)["status"]


def test_a_new_code_has_its_own_count_of_wrong_ones(emulator, v1):
    request_id = v1.open(workflow_id=4, pin_expiry=60, next_event_wait=60)
    old = codes(emulator)[0]
    assert ["16", "16"] == [v1.check(request_id, other_than(old))["status"] for _ in range(2)]
    emulator.clock.advance(60)
    new = codes(emulator)[1]
    assert ["16", "16"] == [v1.check(request_id, other_than(new))["status"] for _ in range(2)]
    assert "0" == v1.check(request_id, new)["status"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"request_id": "f" * 32, "code": "1234"}, "6"),
        ({"code": "1234"}, "2"),
        ({"request_id": "f" * 32}, "2"),
    ],
)
def test_a_check_of_nothing(v1, fields, status):
    assert status == v1.ask("/verify/check/json", **fields)["status"]


def test_a_code_of_impossible_length_costs_no_guess(v1):
    request_id = v1.open()
    assert {"3"} == {v1.check(request_id, "123")["status"] for _ in range(5)}


def test_a_request_of_v2_is_unknown_to_v1(emulator, v1):
    body = json.dumps({"brand": "Example", "workflow": [{"channel": "sms", "to": "14155550123"}]}).encode()
    request_id = call(emulator, "POST", "/v2/verify", body=body).body["request_id"]
    assert "6" == v1.check(request_id, codes(emulator)[0])["status"]


# Events and time


@pytest.mark.parametrize(
    ("workflow", "what", "when", "end"),
    [
        (1, ["sms", "voice", "voice"], [0, 125, 305], 605),
        (2, ["sms", "sms", "voice"], [0, 125, 305], 605),
        (3, ["voice", "voice"], [0, 150], 300),
        (4, ["sms", "sms"], [0, 120], 300),
        (5, ["sms", "voice"], [0, 120], 300),
        (6, ["sms"], [0], 300),
        (7, ["voice"], [0], 300),
    ],
)
def test_the_seven_workflows(emulator, v1, workflow, what, when, end):
    request_id = v1.open(workflow_id=workflow)
    emulator.clock.advance(end - 1)
    assert (what, when) == (channels(emulator), sent(emulator))
    assert "IN PROGRESS" == v1.search(request_id)["status"]
    emulator.clock.advance(1)
    assert "EXPIRED" == v1.search(request_id)["status"]
    assert len(what) == len(emulator.messages())


@pytest.mark.parametrize(
    ("expiry", "wait", "sharing"),
    [
        (360, 120, [0, 0, 0]),
        (240, 120, [0, 0, 2]),
        (120, 120, [0, 1, 2]),
        (90, 120, [0, 1, 2]),
        (200, 120, [0, 1, 2]),
    ],
)
def test_an_event_after_the_end_of_the_code_brings_a_new_one(expiry, wait, sharing):
    emulator = emulator_at(seed=3)
    V1(emulator).open(pin_expiry=expiry, next_event_wait=wait, code_length=6)
    emulator.clock.advance(2 * wait)
    given = codes(emulator)
    assert [given[index] for index in sharing] == given
    assert len(set(sharing)) == len(set(given))
    assert [0, wait, 2 * wait] == sent(emulator)


def test_an_old_code_is_refused_once_there_is_a_new_one(v1, emulator):
    request_id = v1.open(workflow_id=4, pin_expiry=60, next_event_wait=60, code_length=6)
    emulator.clock.advance(60)
    old, new = codes(emulator)
    assert ["16", "0"] == [v1.check(request_id, code)["status"] for code in (old, new)]


def test_a_code_is_dead_at_its_expiry(v1, emulator):
    request_id = v1.open(pin_expiry=60)
    emulator.clock.advance(60)
    assert "16" == v1.check(request_id, codes(emulator)[0])["status"]


def test_a_lone_event_ends_with_its_code(v1, emulator):
    request_id = v1.open(workflow_id=6, pin_expiry=900)
    emulator.clock.advance(899)
    assert "IN PROGRESS" == v1.search(request_id)["status"]
    emulator.clock.advance(1)
    assert "6" == v1.check(request_id, codes(emulator)[0])["status"]


def test_a_success_stops_the_sequence(v1, emulator):
    v1.check(v1.open(), codes(emulator)[0])
    emulator.clock.advance(3000)
    assert ["sms"] == channels(emulator)


# Control


@pytest.mark.parametrize(("after", "status"), [(0, "19"), (29.9, "19"), (30, "0"), (119, "0"), (120, "19")])
def test_cancel_from_thirty_seconds_to_the_second_event(v1, emulator, after, status):
    request_id = v1.open(workflow_id=5)
    emulator.clock.advance(after)
    assert status == v1.cancel(request_id)["status"]


def test_cancel_too_early_and_too_late_differ_in_words(v1, emulator):
    request_id = v1.open(workflow_id=5)
    early = v1.cancel(request_id)["error_text"]
    v1.advance(request_id)
    late = v1.cancel(request_id)["error_text"]
    assert early != late
    assert "30 seconds" in early


def test_a_cancelled_request_is_over_and_frees_the_number(v1, emulator):
    request_id = v1.open()
    emulator.clock.advance(30)
    assert {"status": "0", "command": "cancel"} == v1.cancel(request_id)
    assert "6" == v1.check(request_id, codes(emulator)[0])["status"]
    assert ("CANCELLED", "0") == (v1.search(request_id)["status"], v1.start()["status"])


def test_advance_sends_the_next_event_now_with_the_same_code(v1, emulator):
    request_id = v1.open(workflow_id=5)
    emulator.clock.advance(10)
    assert {"status": "0", "command": "trigger_next_event"} == v1.advance(request_id)
    assert (["sms", "voice"], [0, 10]) == (channels(emulator), sent(emulator))
    assert 1 == len(set(codes(emulator)))
    assert "19" == v1.advance(request_id)["status"]


@pytest.mark.parametrize("cmd", ["cancel", "trigger_next_event"])
def test_control_of_an_unknown_request(v1, cmd):
    assert "6" == v1.control("f" * 32, cmd)["status"]


def test_control_with_an_unknown_command(v1):
    assert ("3", "2") == (v1.control(v1.open(), "stop")["status"], v1.control("f" * 32, "")["status"])


# One open request a number


def test_a_second_request_to_the_number_is_refused_with_the_open_id(v1, emulator):
    request_id = v1.open()
    answer = v1.start()
    assert ("10", request_id) == (answer["status"], answer["request_id"])
    assert 1 == len(emulator.messages())


def test_a_number_is_free_after_success_failure_or_expiry(v1, emulator):
    v1.check(v1.open(), codes(emulator)[-1])
    request_id = v1.open()
    for _ in range(3):
        v1.check(request_id, other_than(codes(emulator)[-1]))
    v1.open()
    emulator.clock.advance(605)
    assert "0" == v1.start()["status"]


# Search


def test_search_tells_the_story(v1, emulator):
    request_id = v1.open(workflow_id=5, sender_id="ACME")
    code = codes(emulator)[0]
    v1.check(request_id, other_than(code))
    emulator.clock.advance(120)
    v1.check(request_id, code)
    found = v1.search(request_id)
    assert ("SUCCESS", "key", NUMBER[1:], "ACME") == tuple(
        found[key] for key in ("status", "account_id", "number", "sender_id")
    )
    assert [(other_than(code), "INVALID"), (code, "VALID")] == [
        (check["code"], check["status"]) for check in found["checks"]
    ]
    assert ["sms", "tts"] == [event["type"] for event in found["events"]]
    assert ("0.05000000", "0.09350000") == (found["price"], found["estimated_price_messages_sent"])
    assert ("2027-01-15 08:00:00", "2027-01-15 08:02:00") == (
        found["date_submitted"],
        found["date_finalized"],
    )


def test_search_of_an_open_request_has_no_end_and_no_price(v1):
    found = v1.search(v1.open())
    assert ("", "0") == (found["date_finalized"], found["price"])


def test_search_of_nothing(v1):
    assert ["101", "2"] == [v1.search("f" * 32)["status"], v1.search("")["status"]]


def test_search_of_several(emulator, v1):
    ids = [v1.open(f"+1415555012{digit}") for digit in range(3)]
    query = "&".join(f"request_ids={request_id}" for request_id in [*ids, "f" * 32])
    answer = call(emulator, "GET", "/verify/search/json", query=query)
    assert ids == [found["request_id"] for found in answer.body["verification_requests"]]


def test_search_of_more_than_ten(v1):
    assert "18" == v1.ask("/verify/search/json", request_ids=["f" * 32] * 11)["status"]


def test_search_of_several_unknown(v1):
    assert "101" == v1.ask("/verify/search/json", request_ids=["f" * 32] * 2)["status"]


def test_search_may_be_late():
    emulator = emulator_at(switches=Switches(search_delay=60))
    v1 = V1(emulator)
    request_id = v1.open()
    v1.check(request_id, codes(emulator)[0])
    assert "101" == v1.search(request_id)["status"]
    emulator.clock.advance(60)
    assert "SUCCESS" == v1.search(request_id)["status"]


# Payments


def test_a_payment_names_payee_and_amount(v1, emulator):
    answer = v1.ask("/verify/psd2/json", number="14155550123", payee="Shop", amount="12.30")
    assert "0" == answer["status"]
    text = emulator.messages()[0].text
    assert "12.30 euro to Shop" in text


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"payee": "Shop"}, "2"),
        ({"amount": "1"}, "2"),
        ({"payee": "Shop", "amount": "-1"}, "3"),
        ({"payee": "Shop", "amount": "much"}, "3"),
        ({"payee": "Shop", "amount": "NaN"}, "3"),
        ({"payee": "Shop", "amount": "1", "lg": "ja-jp"}, "3"),
    ],
)
def test_a_payment_has_rules_of_its_own(v1, fields, status):
    assert status == v1.ask("/verify/psd2/json", number="14155550123", **fields)["status"]
