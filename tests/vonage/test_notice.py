"""What a webhook says: read where it can be, never believed beyond that, and never an accident."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from passwordless.states import Reason
from passwordless.vonage.notice import ENDINGS, Notice, Step, Unreadable, read

ID = "c11236f4-00bf-4b89-84ba-88b25df97315"


def told(**changes):
    """Return the body of an event; what is changed to `...` is left out."""
    usual = {
        "request_id": ID, "triggered_at": "2026-11-23T12:00:00.000Z", "type": "event", "channel": "sms",
        "status": "completed", "finalized_at": "2026-11-23T12:00:09.000Z", "client_ref": "key.seal",
    }  # fmt: skip
    return encode({name: value for name, value in (usual | changes).items() if value is not ...})


def encode(content):
    return json.dumps(content).encode()


def summary(**changes):
    workflow = [
        {"channel": "sms", "initiated_at": "2026-11-23T12:00:00.000Z", "status": "expired"},
        {"channel": "voice", "initiated_at": "2026-11-23T12:02:30.000Z", "status": "completed"},
    ]
    usual = {
        "type": "summary", "channel": ..., "triggered_at": ..., "submitted_at": "2026-11-23T12:00:00.000Z",
        "workflow": workflow, "price": "0.14350000", "channel_timeout": 150,
    }  # fmt: skip
    return told(**{**usual, **changes})


def test_an_event_tells_of_one_channel():
    assert Notice(ID, "key.seal", "completed", summary=False, channel="sms") == read(told())


def test_a_summary_tells_of_all_and_the_price():
    steps = (Step("sms", "expired"), Step("voice", "completed"))
    expected = Notice(ID, "key.seal", "completed", summary=True, steps=steps, price=Decimal("0.1435"))
    assert expected == read(summary())


def test_h11_a_block_names_its_network():
    reason = "The network [00101] is blocked because of possible fraud."
    steps = [
        {"channel": "sms", "status": "blocked", "reason": reason},
        {"channel": "voice", "status": "unused"},
    ]
    notice = read(summary(status="blocked", workflow=steps, price=..., channel_timeout=...))
    assert (Step("sms", "blocked", "00101"), Step("voice", "unused")) == notice.steps
    assert (None, Reason.BLOCKED) == (notice.price, notice.ending)


@pytest.mark.parametrize(
    "reason",
    ["", "no brackets", "[]", "[12345678901]", "[a b]", "[<b>]", "x" * 300 + "[1]", None, 5, ["[00101]"], {}],
)
def test_a_network_that_cannot_be_read_is_none(reason):
    (step,) = read(summary(workflow=[{"channel": "sms", "status": "blocked", "reason": reason}])).steps
    assert Step("sms", "blocked") == step


@pytest.mark.parametrize(
    "action", [{"type": "check", "check_url": "https://x"}, [{"type": "check"}], None, 3]
)
def test_silent_authentication_is_passed_over(action):
    notice = read(told(channel="silent_auth", status="action_pending", action=action))
    assert ("", "action_pending", None) == (notice.channel, notice.status, notice.ending)


@pytest.mark.parametrize(
    ("given", "price"),
    [
        ("0.300000125", "0.30000012"), (0.300000125, "0.30000012"), ("0", "0"), (0, "0"), (1, "1"),
        ("0.05", "0.05"), (1.5e-05, "0.00001500"), (1.2345678901234567e-05, "0.00001235"), ("1e-9999999", "0"),
        ("999.99999999", "999.99999999"), ("12.3456789012345678901e1", "123.45678901"),
    ],
)  # fmt: skip
def test_a_price_is_exact_as_a_number_and_as_a_string(given, price):
    assert Decimal(price) == read(summary(price=given)).price


@pytest.mark.parametrize(
    "price",
    [..., None, "", "free", "-1", -1, -0.01, "1000", 1000, 10**300, "1e9", "NaN", "sNaN", "Infinity", "-Infinity",
     float("nan"), float("inf"), True, False, [], ["1"], {}, "0,05", "9" * 5000, "0." + "1" * 41],
)  # fmt: skip
def test_nonsense_is_no_price(price):
    assert read(summary(price=price)).price is None


@pytest.mark.parametrize("status", ["failed", "rejected", "user_rejected", "expired", "blocked", "cancelled"])
def test_a_summary_ends_the_request_for_the_reason_it_tells(status):
    assert ENDINGS[status] == read(summary(status=status)).ending


def test_h7_a_success_ends_it_as_one_that_is_not_ours():
    assert Reason.LOST == read(summary(status="completed")).ending


@pytest.mark.parametrize("status", sorted({*ENDINGS} - {"blocked"}))
def test_the_end_of_a_channel_is_not_the_end_of_the_request(status):
    assert read(told(status=status)).ending is None


def test_a_block_ends_it_at_once():
    assert Reason.BLOCKED == read(told(status="blocked")).ending


@pytest.mark.parametrize(
    "status",
    [..., None, "", "COMPLETED", "completed ", "completed\n", "x" * 21, 1, True, ["completed"], {}, "é"],
)
def test_a_word_that_cannot_be_read_is_none(status):
    step = {"channel": "sms"} if status is ... else {"channel": "sms", "status": status}
    notice = read(summary(status=status, workflow=[step]))
    assert ("", None, (Step("sms", ""),)) == (notice.status, notice.ending, notice.steps)


@pytest.mark.parametrize("channel", [..., None, "email", "silent_auth", "SMS", 1, ["sms"], {}, "x" * 1000])
def test_a_channel_that_is_not_ours_has_no_name(channel):
    assert "" == read(told(channel=channel)).channel


@pytest.mark.parametrize(
    "reference", [..., None, "", "x" * 41, 1, True, ["key.seal"], {}, "a\x00b", "\ud800", "🙂", "key seal"]
)
def test_a_reference_that_cannot_be_ours_is_none(reference):
    assert "" == read(told(client_ref=reference)).reference


def test_the_longest_reference_has_40_characters():
    assert "x" * 40 == read(told(client_ref="x" * 40)).reference


@pytest.mark.parametrize("workflow", [..., None, 1, "sms", {}, [], [None, 1, "sms", [], [{}]]])
def test_a_workflow_that_is_none_has_no_steps(workflow):
    assert () == read(summary(workflow=workflow)).steps


def test_h6_of_many_steps_ten_are_read():
    steps = read(summary(workflow=[{"channel": "sms", "status": "expired"}] * 5000)).steps
    assert (Step("sms", "expired"),) * 10 == steps


BROKEN = {
    "empty": b"", "space": b" ", "text": b"hello", "cut": told()[:-1], "two": told() * 2, "NUL": b"\x00",
    "bytes": bytes(range(256)), "UTF-16": told().decode().encode("utf-16"), "BOM": b"\xef\xbb\xbf" + told(),
    "null": b"null", "true": b"true", "number": b"1", "list": b"[" + told() + b"]", "string": encode("event"),
    "object": b"{}", "form": b"type=event&request_id=1", "XML": b"<event/>", "digits": b"9" * 60_000,
    "deep list": b"[" * 30_000 + b"]" * 30_000, "deep object": b'{"a":' * 9000 + b"1" + b"}" * 9000,
    "open lists": b"[" * 65_536, "no type": told(type=...), "another type": told(type="inbound"),
    "type in a list": told(type=["event"]), "type object": told(type={}), "no id": told(request_id=...),
    "empty id": told(request_id=""), "long id": told(request_id="x" * 37), "number as id": told(request_id=7),
    "list as id": told(request_id=[ID]), "NUL in id": told(request_id="\x00"), "blank in id": told(request_id="a b"),
    "half a pair in id": told(request_id="\ud800"), "id in another script": told(request_id="é"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_read_is_said_to_be_so(what):
    with pytest.raises(Unreadable) as caught:
        read(BROKEN[what])
    assert ID not in str(caught.value)


@pytest.mark.parametrize(
    "place", ["price", "reason", "status", "client_ref", "workflow", "channel", "unknown"]
)
def test_h6_no_depth_is_an_accident(place):
    """Around the depth at which JSON is given up there is one that JSON still takes and others do not."""
    outcomes = set()
    for depth in [*range(930, 1010), 5000]:
        nested = "[" * depth + "]" * depth
        inner = f'"workflow": [{{"reason": {nested}}}]' if place == "reason" else f'"{place}": {nested}'
        try:
            read(f'{{"type": "summary", "request_id": "{ID}", {inner}}}'.encode())
        except Unreadable:
            outcomes.add(depth)
    assert 5000 in outcomes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["request_id", "status", "channel", "client_ref", "price", "workflow", "type", "reason"]
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read_or_none(body):
    try:
        return read(body)
    except Unreadable:
        return None


def fits(notice):
    """Return whether everything that was read has a place in the database, whatever database it is."""
    if notice is None:
        return True
    words = [notice.status, *(step.status for step in notice.steps)]
    places = [notice.channel, *(step.channel for step in notice.steps)]
    return (
        1 <= len(notice.request_id) <= 36
        and len(notice.reference) <= 40
        and (notice.request_id + notice.reference + "x").isprintable()
        and (notice.request_id + notice.reference).isascii()
        and all(len(word) <= 20 for word in words)
        and all(place in ("", "sms", "voice", "whatsapp") for place in places)
        and all(len(step.network) <= 10 for step in notice.steps)
        and len(notice.steps) <= 10
        and (notice.price is None or (notice.price.as_tuple().exponent == -8 and notice.price <= 1000))
    )


@QUICK
@given(st.binary(max_size=2000))
@example(b"\xff")
def test_h6_any_bytes_are_read_or_unreadable(body):
    assert fits(read_or_none(body))


@QUICK
@given(changes=st.dictionaries(KEYS, JSON), steps=st.lists(st.dictionaries(KEYS, JSON), max_size=11))
def test_h6_any_values_are_read_or_unreadable(changes, steps):
    assert fits(read_or_none(summary(**{"workflow": steps, **changes})))
