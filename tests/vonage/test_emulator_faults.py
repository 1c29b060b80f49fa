"""Trouble made to order, in process: which call it meets, whether that call counts, what is heard."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passwordless.vonage.emulator import Dropped, Fault, Hung
from tests.vonage.emulator_calls import NUMBER, V1, V2, call, codes, emulator_at


@pytest.fixture
def emulator():
    return emulator_at()


@pytest.fixture
def v1(emulator):
    return V1(emulator)


@pytest.fixture
def v2(emulator):
    return V2(emulator)


# Which call


def test_a_fault_meets_as_many_calls_as_it_says(emulator, v2):
    emulator.faults.add("status", "start", times=2)
    assert [500, 500, 202] == [v2.start().status for _ in range(3)]


def test_a_fault_without_number_of_times_lasts_until_cleared(emulator, v2):
    emulator.faults.add("status", times=None)
    assert {500} == {v2.start().status for _ in range(5)}
    emulator.faults.clear()
    assert 202 == v2.start().status


@pytest.mark.parametrize(
    ("verb", "statuses"),
    [
        ("start", [503, 400, 200, 204]),
        ("check", [202, 503, 200, 204]),
        ("advance", [202, 400, 503, 204]),
        ("cancel", [202, 400, 200, 503]),
        ("*", [503, 400, 200, 204]),
    ],
)
def test_a_fault_meets_its_verb_in_v2(emulator, v2, verb, statuses):
    before = v2.open("+14155550199") if statuses[0] == 503 else None
    emulator.faults.add("status", verb, status=503)
    start = v2.start()
    request_id = before or start.body["request_id"]
    calls = [
        lambda: v2.check(request_id, "xxxx"),
        lambda: v2.advance(request_id),
        lambda: v2.cancel(request_id),
    ]
    assert statuses == [start.status, *(make().status for make in calls)]


@pytest.mark.parametrize(
    ("verb", "make"),
    [
        ("start", lambda v1, request_id: v1.start("+14155550124")),
        ("check", lambda v1, request_id: v1.check(request_id, "0000")),
        ("search", lambda v1, request_id: v1.search(request_id)),
        ("advance", lambda v1, request_id: v1.advance(request_id)),
        ("cancel", lambda v1, request_id: v1.cancel(request_id)),
    ],
)
def test_a_fault_meets_its_verb_in_v1(emulator, v1, verb, make):
    request_id = v1.open()
    emulator.faults.add("status", verb, status=29)
    assert {"status": "29", "error_text": "Non-Permitted Destination"} == make(v1, request_id)


@pytest.mark.parametrize("dialect", [V1, V2])
def test_a_fault_meets_its_number_in_every_verb(emulator, dialect):
    calls = dialect(emulator)
    one, two = calls.open("+14155550101"), calls.open("+14155550102")
    emulator.faults.add("drop_before", times=None, to="+14155550102")
    calls.check(one, "0000")
    for verb in (
        lambda: calls.check(two, "0000"),
        lambda: calls.advance(two),
        lambda: calls.start("+14155550102"),
    ):
        with pytest.raises(Dropped):
            verb()


@pytest.mark.parametrize(
    "wrong",
    [
        {"what": "meteor"},
        {"what": "html", "where": "end"},
        {"what": "html", "times": 0},
        {"what": "hang", "seconds": -1},
        {"what": "hang", "seconds": 121},
        {"what": "hang", "seconds": float("nan")},
        {"what": "html", "status": 500},
        {"what": "status", "status": 600},
    ],
)
def test_a_fault_that_is_none_is_refused(emulator, wrong):
    with pytest.raises(ValueError, match=r"unknown|must be|has a status"):
        emulator.faults.add(**wrong)
    assert 0 == len(emulator.faults)


def test_adding_returns_the_fault(emulator):
    assert Fault(what="hang", where="start", seconds=5) == emulator.faults.add("hang", "start", seconds=5)


# Statuses


@pytest.mark.parametrize(
    ("status", "http", "name"), [(None, 200, "5"), (9, 200, "9"), (101, 200, "101"), (502, 502, None)]
)
def test_status_in_v1(emulator, status, http, name):
    emulator.faults.add("status", status=status)
    answer = call(emulator, "POST", "/verify/json", body=b"number=14155550123&brand=Example")
    assert (http, name) == (answer.status, answer.body.get("status"))


@pytest.mark.parametrize(("status", "http"), [(None, 500), (5, 500), (402, 402), (429, 429), (504, 504)])
def test_status_in_v2(emulator, v2, status, http):
    emulator.faults.add("status", status=status)
    answer = v2.start()
    assert (http, "application/problem+json") == (answer.status, answer.headers["Content-Type"])
    assert (http == 429) == ("Retry-After" in answer.headers)
    assert [] == emulator.messages()


# Silence and cut connections


@pytest.mark.parametrize(
    ("what", "error", "processed"),
    [
        ("drop_before", Dropped, False),
        ("drop_after", Dropped, True),
        ("hang", Hung, False),
        ("hang_after", Hung, True),
        ("drip_headers", Hung, True),
        ("drip_body", Hung, True),
    ],
)
def test_no_answer_tells_whether_the_call_was_carried_out(emulator, v2, what, error, processed):
    emulator.faults.add(what, "start")
    with pytest.raises(error) as raised:
        v2.start()
    assert (processed, processed) == (raised.value.processed, bool(emulator.messages()))
    assert isinstance(raised.value, (ConnectionAbortedError, TimeoutError))


def test_a_hang_lasts_as_long_as_it_says(emulator, v2):
    emulator.faults.add("hang", seconds=7)
    with pytest.raises(Hung) as hung:
        v2.start()
    assert 7 == hung.value.seconds


def test_the_emulator_answers_others_after_a_hang(emulator, v2):
    emulator.faults.add("hang")
    with pytest.raises(Hung):
        v2.start()
    assert 202 == v2.start().status


# Spoilt answers


@pytest.mark.parametrize(
    ("what", "media_type", "start"),
    [
        ("html", "text/html", b"<!doctype html>"),
        ("list", "application/json", b"[]"),
        ("null", "application/json", b"null"),
        ("bad_json", "application/json", b'{"status"'),
        ("huge", "application/json", b'{"status": "0", "padding": "xxxx'),
    ],
)
def test_an_answer_without_sense_comes_after_the_call_was_carried_out(emulator, v2, what, media_type, start):
    emulator.faults.add(what)
    answer = v2.start()
    assert (200, media_type) == (answer.status, answer.headers["Content-Type"])
    assert answer.content.startswith(start)
    assert str(len(answer.content)) == answer.headers["Content-Length"]
    assert 1 == len(emulator.messages())


def test_huge_is_valid_json_beyond_64_kib(emulator, v2):
    emulator.faults.add("huge")
    answer = v2.start()
    assert answer.body["padding"]
    assert len(answer.content) > 65536


def test_empty(emulator, v2):
    emulator.faults.add("empty")
    answer = v2.start()
    assert (200, b"", "0") == (answer.status, answer.content, answer.headers["Content-Length"])


def test_redirect_asks_for_the_same_again(emulator, v2):
    emulator.faults.add("redirect")
    answer = v2.start()
    assert (307, "/v2/verify?again=1") == (answer.status, answer.headers["Location"])
    assert [] == emulator.messages()


def test_redirect_of_a_strange_path_stays_one_header(emulator, v2):
    emulator.faults.add("redirect")
    answer = v2.ask("POST", "/v2/verify/\r\nSet-Cookie: a=b")
    assert "/v2/verify/%0D%0ASet-Cookie%3A%20a%3Db?again=1" == answer.headers["Location"]


def test_integer_status(emulator, v1):
    emulator.faults.add("integer_status", times=None)
    start = v1.start()
    assert (0, 10) == (start["status"], v1.start()["status"])


def test_missing_price(emulator, v1):
    emulator.faults.add("missing_price", "check")
    assert {"request_id", "status"} == v1.check(v1.open(), codes(emulator)[0]).keys()


@pytest.mark.parametrize("dialect", [V1, V2])
def test_other_request_id(emulator, dialect):
    calls = dialect(emulator)
    request_id = calls.open()
    emulator.faults.add("other_request_id", "check")
    answer = calls.check(request_id, codes(emulator)[0])
    other = (answer if dialect is V1 else answer.body)["request_id"]
    assert (len(request_id), True) == (len(other), other != request_id)


def test_duplicate_success(emulator, v1, v2):
    emulator.faults.add("duplicate_success", times=None)
    one, two = v1.open(), v2.open()
    (first, second) = codes(emulator)
    assert "16" == v1.check(one, "xxxx")["status"]
    assert ["0", "0", "0"] == [v1.check(one, first)["status"] for _ in range(3)]
    assert [200, 200, 200] == [v2.check(two, second).status for _ in range(3)]


# The journal


def test_the_journal_tells_what_was_asked(emulator, v1, v2):
    request_id = v2.open()
    v2.check(request_id, "9876")
    v2.advance(request_id)
    v2.cancel(request_id)
    v1.search(v1.open())
    call(emulator, "GET", "/v1/calls")
    asked = [(entry.api, entry.method, entry.verb) for entry in emulator.journal]
    assert [
        ("v2", "POST", "start"),
        ("v2", "POST", "check"),
        ("v2", "POST", "advance"),
        ("v2", "DELETE", "cancel"),
        ("v1", "POST", "start"),
        ("v1", "POST", "search"),
        ("v1", "GET", "unknown"),
    ] == asked
    assert f"/v2/verify/{request_id}" == emulator.journal[1].path
    assert (2, 1, 0) == tuple(emulator.count(verb) for verb in ("start", "check", "unblock"))
    assert "9876" not in repr(emulator.journal)


def test_the_journal_counts_calls_that_were_dropped(emulator, v2):
    emulator.faults.add("drop_before")
    with pytest.raises(Dropped):
        v2.start()
    assert 1 == emulator.count("start")


# Anything at all, and all at once

PATHS = st.sampled_from([
    "/verify/json", "/verify/check/json", "/verify/search/json", "/verify/control/json", "/verify/psd2/json",
    "/verify/network-unblock", "/v2/verify", "/v2/verify/network-unblock",
    "/v2/verify/00000000-0000-4000-8000-000000000000",
    "/v2/verify/00000000-0000-4000-8000-000000000000/silent-auth/redirect",
]) | st.text(max_size=40)  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("14155550123")
)
KEYS = st.sampled_from(
    ["brand", "workflow", "channel", "to", "from", "number", "code", "request_id", "cmd", "network", "locale"]
) | st.text(max_size=8)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6)
)


@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
    path=PATHS,
    query=st.text(max_size=60),
    body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    header=st.sampled_from(["", "Basic a2V5OnNlY3JldA==", "Bearer a.b.c"]) | st.text(max_size=30),
)
def test_whatever_is_asked_is_answered(method, path, query, body, header):
    answer = call(emulator_at(), method, path, query=query, body=body, authorization=header)
    assert 200 <= answer.status < 500
    assert answer.content == b"" or isinstance(answer.body, dict)


@given(workflow=JSON | st.lists(st.dictionaries(KEYS, LEAVES | st.just("sms"), max_size=6), max_size=4))
def test_whatever_is_ordered_is_answered(workflow):
    answer = V2(emulator_at()).ask("POST", "/v2/verify", {"brand": "Example", "workflow": workflow})
    assert answer.status in (202, 422)


@pytest.mark.parametrize("dialect", [V1, V2])
def test_of_thirty_starts_at_once_one_sends(emulator, dialect):
    calls = dialect(emulator)
    threads = [threading.Thread(target=calls.start) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (1, 30) == (len(emulator.messages(NUMBER)), emulator.count("start"))


def test_of_fifty_wrong_guesses_at_once_three_are_judged(emulator, v2):
    request_id = v2.open()
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(v2.check(request_id, "xxxx").status))
        for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (2, 1, 47) == tuple(statuses.count(status) for status in (400, 410, 404))
