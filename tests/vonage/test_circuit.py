import pytest

from passwordless.states import Reason
from passwordless.vonage.breaker import FAILURES, REST, Breaker
from passwordless.vonage.circuit import USUAL, Circuit, Durations
from passwordless.vonage.dialect import NotAsked, Options, Order, Unavailable
from passwordless.vonage.v1 import V1
from passwordless.vonage.v2 import V2
from tests.vonage.test_breaker import Time
from tests.vonage.wire import client_of, drops, says, serving, silent

ORDER = Order(number="+14155550101", channels=["sms"])
ID = "c11236f4-00bf-4b89-84ba-88b25df97315"
FINE = says(f'{{"request_id": "{ID}"}}'.encode(), "202 Accepted")
BROKEN = says(b"{}", "500 Internal Server Error")
WRONG = says(b"{}", "400 Bad Request")


class Plant:
    """A dialect behind a breaker, on a wire that answers what it was told."""

    def __init__(self, wire, dialect=V2, **options):
        self.wire, self.clock, self.durations = wire, Time(), Durations()
        self.client = client_of(wire, **options)
        self.breaker = Breaker(self.clock)
        self.circuit = Circuit(
            dialect(self.client, Options(brand="Example"), 2.0, 2.0), self.breaker, self.durations
        )

    def fail(self, times=FAILURES):
        for _ in range(times):
            try:
                self.circuit.start(ORDER)
            except Unavailable:
                continue


@pytest.fixture
def plant():
    """Return a maker of plants that are closed afterwards."""
    made = []

    def make(*replies, **options):
        opening = serving(*replies)
        one = Plant(opening.__enter__(), **options)
        made.append((one, opening))
        return one

    yield make
    for one, opening in made:
        one.client.close()
        opening.__exit__(None, None, None)


@pytest.mark.parametrize(
    "trouble", [BROKEN, drops, says(b"{}", "429 Too Many Requests"), says(b"no JSON"), says(b"{}", "418 Tea")]
)
def test_five_failures_open_the_circuit_and_nothing_more_reaches_vonage(trouble, plant):
    one = plant(trouble)
    one.fail(20)
    assert FAILURES == len(one.wire.requests)
    for verb in (lambda: one.circuit.start(ORDER), lambda: one.circuit.advance(ID)):
        with pytest.raises(NotAsked) as refused:
            verb()
        assert (Reason.CIRCUIT_OPEN, False) == (refused.value.reason, refused.value.sent)
    assert FAILURES == len(one.wire.requests)


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "402 Payment Required", "403 Forbidden", "409 Conflict"]
)
def test_what_vonage_says_in_good_health_opens_nothing(status, plant):
    one = plant(says(b"{}", status))
    one.fail(2 * FAILURES)
    assert (2 * FAILURES, False) == (len(one.wire.requests), one.breaker.open)


@pytest.mark.parametrize("status", [1, 5])
def test_v1_fails_in_its_own_words(status, plant):
    one = plant(says(f'{{"status": "{status}"}}'.encode()), dialect=V1)
    one.fail(20)
    assert FAILURES == len(one.wire.requests)


def test_an_outage_costs_five_calls_and_one_probe_a_rest(plant):
    one = plant(BROKEN)
    for _ in range(4):
        one.fail(50)
        one.clock.now += REST
    assert FAILURES + 3 == len(one.wire.requests)


def test_a_probe_that_is_answered_opens_the_door_to_all(plant):
    one = plant(*[BROKEN] * FAILURES, FINE)
    one.fail()
    one.clock.now += REST
    assert [Reason.OK] * 3 == [one.circuit.start(ORDER).reason for _ in range(3)]


def test_codes_sent_before_are_checked_and_requests_cancelled(plant):
    one = plant(*[BROKEN] * FAILURES, WRONG)
    one.fail()
    assert Reason.WRONG_CODE == one.circuit.check(ID, "123456").reason
    assert Reason.PROVIDER_ERROR == one.circuit.cancel(ID).reason
    assert FAILURES + 2 == len(one.wire.requests)
    assert one.breaker.open


def test_failing_checks_count_as_well(plant):
    one = plant(BROKEN)
    for _ in range(FAILURES):
        one.circuit.check(ID, "123456")
    assert one.breaker.open


def test_crowding_is_no_failure(plant):
    one = plant(FINE, max_calls=1)
    crowded = []

    def meanwhile():
        for _ in range(2 * FAILURES):
            with pytest.raises(NotAsked) as refused:
                one.circuit.start(ORDER)
            crowded.append(refused.value.reason)

    one.client.occupy(meanwhile)
    assert [Reason.CROWDED] * 2 * FAILURES == crowded
    assert (False, 0) == (one.breaker.open, len(one.wire.requests))
    assert Reason.OK == one.circuit.start(ORDER).reason


def test_a_probe_that_found_no_place_leaves_it_to_the_next(plant):
    one = plant(*[BROKEN] * FAILURES, FINE, max_calls=1)
    one.fail()
    one.clock.now += REST
    crowded = []

    def meanwhile():
        with pytest.raises(NotAsked) as refused:
            one.circuit.start(ORDER)
        crowded.append(refused.value.reason)

    one.client.occupy(meanwhile)
    assert [Reason.CROWDED] == crowded
    assert Reason.OK == one.circuit.start(ORDER).reason


def test_a_check_that_found_no_place_lets_no_second_probe_through(plant):
    one = plant(*[BROKEN] * FAILURES, WRONG, max_calls=1)
    one.fail()
    one.clock.now += REST
    one.breaker.admit()

    def meanwhile():
        with pytest.raises(NotAsked):
            one.circuit.check(ID, "123456")

    one.client.occupy(meanwhile)
    with pytest.raises(NotAsked):
        one.circuit.start(ORDER)
    assert FAILURES == len(one.wire.requests)


class Interrupted(BaseException):
    """The server ends a worker."""


class Ended:
    """A dialect whose thread is ended in the middle."""

    name = "ended"

    def start(self, order):
        raise Interrupted


def test_an_interrupted_probe_leaves_its_place_to_the_next():
    clock = Time()
    breaker = Breaker(clock)
    circuit = Circuit(Ended(), breaker, Durations())
    from passwordless.vonage.breaker import Admission

    for _ in range(FAILURES):
        breaker.failed(Admission.GRANTED)
    clock.now += REST
    for _ in range(2):
        with pytest.raises(Interrupted):
            circuit.start(ORDER)


def test_no_answer_in_time_is_a_failure_and_is_remembered_as_long(plant):
    one = plant(silent)
    one.circuit = Circuit(V2(one.client, Options(brand="Example"), 0.05, 0.05), one.breaker, one.durations)
    one.fail()
    assert one.breaker.open
    assert 0.05 <= one.durations.like("start") < 1.0


class TestDurations:
    def test_before_the_first_call_a_usual_one_is_taken(self):
        assert USUAL == Durations().like("start")

    def test_only_what_was_seen_of_the_same_verb_comes_back(self):
        durations = Durations()
        for seconds in (0.1, 0.2):
            durations.note("start", seconds)
        durations.note("check", 7.0)
        assert {0.1, 0.2} == {durations.like("start") for _ in range(100)}
        assert 7.0 == durations.like("check")

    def test_the_last_fifty_count(self):
        durations = Durations()
        durations.note("start", 9.0)
        for _ in range(50):
            durations.note("start", 0.1)
        assert {0.1} == {durations.like("start") for _ in range(200)}

    def test_real_calls_are_noted_and_refused_ones_are_not(self, plant):
        one = plant(BROKEN)
        one.fail(20)
        assert 0 < one.durations.like("start") < 1.0

    def test_a_verb_that_was_never_called_borrows_from_another(self, plant):
        one = plant(BROKEN)
        assert one.durations.cold
        assert USUAL == one.durations.like("advance")
        one.fail(20)
        assert not one.durations.cold
        assert one.durations.like("advance") < 1.0 != USUAL
