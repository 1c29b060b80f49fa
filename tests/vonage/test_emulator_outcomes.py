"""Reserved numbers fail as their last two digits say; every other number works."""

from __future__ import annotations

import pytest

from passwordless.vonage.emulator import Clock, Hung
from passwordless.vonage.emulator.outbox import CAPACITY
from tests.vonage.emulator_calls import T0, V1, V2, channels, codes, emulator_at, sent


def fiction(digits):
    return f"+121255501{digits}"


@pytest.fixture
def emulator():
    return emulator_at()


@pytest.fixture
def v1(emulator):
    return V1(emulator)


@pytest.fixture
def v2(emulator):
    return V2(emulator)


@pytest.mark.parametrize("digits", ["00", "12", "50", "99"])
def test_reserved_numbers_have_a_fixed_code(emulator, v1, v2, digits):
    number = fiction(digits)
    v1.open(number, code_length=6)
    request_id = v2.open(number, code_length=10)
    v2.advance(request_id)
    assert ["424242", "4242424242", "4242424242"] == codes(emulator, number)
    assert 200 == v2.check(request_id, "4242424242").status


@pytest.mark.parametrize("digits", [f"{n:02}" for n in range(12)])
def test_any_other_number_works(emulator, v1, v2, digits):
    number = f"+141555501{digits}"
    first, second = v1.open(number), v2.open(number)
    one, two = codes(emulator, number)
    assert ("0", 200) == (v1.check(first, one)["status"], v2.check(second, two).status)


def test_a_site_reserves_numbers_of_its_own():
    emulator = emulator_at(reserved=["+491760406900", "+61491570105"])
    v2 = V2(emulator)
    assert [202, 402] == [v2.start(number).status for number in ("+491760406900", "+61491570105")]
    assert ["4242"] == codes(emulator)


def test_01_is_never_delivered(emulator, v1, v2):
    v1.open(fiction("01"))
    request_id = v2.open(fiction("01"))
    emulator.clock.advance(200)
    assert [] == emulator.messages()
    assert 400 == v2.check(request_id, "9999").status


def test_01_has_no_silent_authentication(emulator, v2):
    answer = v2.start(fiction("01"), channels=("silent_auth", "sms"))
    assert {"request_id"} == set(answer.body)
    assert 400 == v2.check(answer.body["request_id"], "9999").status


@pytest.mark.parametrize(
    ("digits", "status", "code"), [("02", "5", 500), ("04", "1", 429), ("05", "9", 402), ("07", "15", 422)]
)
def test_a_start_that_is_refused(emulator, v1, v2, digits, status, code):
    assert status == v1.start(fiction(digits))["status"]
    assert code == v2.start(fiction(digits)).status
    assert [] == emulator.messages()


def test_03_never_answers(emulator, v1, v2):
    for start in (v1.start, v2.start):
        with pytest.raises(Hung) as hung:
            start(fiction("03"))
        assert (60, False) == (hung.value.seconds, hung.value.processed)
    assert [] == emulator.messages()


def test_04_tells_when_to_come_back(v2):
    assert "30" == v2.start(fiction("04")).headers["Retry-After"]


def test_06_is_busy_with_a_request_of_somebody_else(emulator, v1, v2):
    one, two = v1.start(fiction("06")), v2.start(fiction("06"))
    assert ("10", 409) == (one["status"], two.status)
    assert (one, two.body["request_id"]) == (
        v1.start(fiction("06")),
        v2.start(fiction("06")).body["request_id"],
    )
    assert ("16", 400) == (
        v1.check(one["request_id"], "9999")["status"],
        v2.check(two.body["request_id"], "9999").status,
    )
    assert [] == emulator.messages()


def test_08_expires_at_once(emulator, v1, v2):
    one, two = v1.open(fiction("08")), v2.open(fiction("08"))
    assert ("6", 404) == (v1.check(one, "4242")["status"], v2.check(two, "4242").status)
    assert (404, 202) == (v2.advance(two).status, v2.start(fiction("08")).status)
    assert ["sms", "sms", "sms"] == channels(emulator)


def test_09_is_blocked(emulator, v1, v2):
    answer = v1.start(fiction("09"))
    assert ("7", "00101") == (answer["status"], answer["network"])
    assert "request_id" not in answer
    assert 404 == v2.check(v2.open(fiction("09")), "4242").status
    assert [] == emulator.messages()


def test_09_works_without_the_fraud_check(emulator, v2):
    assert 200 == v2.check(v2.open(fiction("09"), fraud_check=False), "4242").status


def test_09_works_while_its_network_is_unblocked(emulator, v1, v2):
    given = {"network": "00101", "unblock_duration": 60}
    assert [202, 404] == [v2.ask("POST", "/v2/verify/network-unblock", given).status for _ in range(2)]
    v1.check(v1.open(fiction("09")), "4242")
    emulator.clock.advance(60)
    assert "7" == v1.start(fiction("09"))["status"]


def test_09_blocks_the_network_and_not_whatsapp(emulator, v2):
    to = fiction("09").lstrip("+")
    workflow = [{"channel": "whatsapp", "to": to, "from": "14155550123"}, {"channel": "sms", "to": to}]
    request_id = v2.ask("POST", "/v2/verify", {"brand": "Example", "workflow": workflow}).body["request_id"]
    assert ["whatsapp"] == channels(emulator)
    emulator.clock.advance(180)
    assert ["whatsapp"] == channels(emulator)
    assert 404 == v2.check(request_id, "4242").status


def test_10_arrives_twenty_seconds_late(emulator, v2):
    v2.open(fiction("10"))
    emulator.clock.advance(19)
    assert [] == emulator.messages()
    emulator.clock.advance(1)
    assert [20] == sent(emulator)


def test_11_loses_the_sms_and_gets_the_call(emulator, v1, v2):
    v1.open(fiction("11"), workflow_id=5)
    v2.open(fiction("11"))
    emulator.clock.advance(180)
    assert ["voice", "voice"] == channels(emulator)


# Memory and clocks


def test_finished_requests_are_forgotten_after_an_hour(emulator, v1):
    request_id = v1.open()
    emulator.clock.advance(605 + 3599)
    v1.open()
    assert "EXPIRED" == v1.search(request_id)["status"]
    emulator.clock.advance(60)
    v1.open("+14155550124")
    assert "101" == v1.search(request_id)["status"]


def test_the_outbox_keeps_the_newest_messages(emulator):
    v2 = V2(emulator)
    request_ids = [v2.open(f"+4917604{n:06}", channels=("sms",)) for n in range(CAPACITY + 3)]
    kept = emulator.messages()
    assert (CAPACITY, request_ids[3:]) == (len(kept), [message.request_id for message in kept])


def test_clear_forgets_everything_but_the_time(emulator, v2):
    request_id = v2.open()
    emulator.faults.add("html")
    emulator.clock.advance(5)
    emulator.clear()
    assert ([], [], 0) == (emulator.messages(), emulator.journal, len(emulator.faults))
    assert 404 == v2.check(request_id, "1234").status
    assert 202 == v2.start().status
    assert [5] == sent(emulator)


def test_a_message_on_its_way_survives_an_emptied_outbox(emulator, v2):
    v2.open(fiction("10"))
    v2.open()
    emulator.clear_messages()
    emulator.clock.advance(20)
    assert [fiction("10")] == [message.to for message in emulator.messages()]


def test_emptying_the_outbox_of_one_number(emulator, v2):
    v2.open("+14155550123")
    v2.open("+14155550124")
    emulator.clear_messages("+14155550123")
    assert ["+14155550124"] == [message.to for message in emulator.messages()]


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 10**9])
def test_a_clock_goes_forward_by_a_sane_amount(seconds):
    clock = Clock(fixed=T0)
    with pytest.raises(ValueError, match="advances"):
        clock.advance(seconds)
    assert T0 == clock.now()


def test_a_clock_that_is_not_fixed_runs():
    clock = Clock()
    first = clock.now()
    clock.advance(100)
    assert 100 <= clock.now() - first < 160
