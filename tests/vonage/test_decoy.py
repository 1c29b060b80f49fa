import pytest

from passwordless.states import Reason
from passwordless.vonage.breaker import FAILURES, REST, Admission, Breaker
from passwordless.vonage.circuit import USUAL, Durations
from passwordless.vonage.decoy import Decoy
from passwordless.vonage.dialect import NotAsked, Order
from tests.vonage.test_breaker import Time
from tests.vonage.wire import client_of, serving

ORDER = Order(number="+14155550101", channels=["sms"])
ID = "c11236f4-00bf-4b89-84ba-88b25df97315"
VERBS = {
    "start": lambda decoy: decoy.start(ORDER),
    "check": lambda decoy: decoy.check(ID, "123456"),
    "advance": lambda decoy: decoy.advance(ID),
    "cancel": lambda decoy: decoy.cancel(ID),
}
SENDING = ("start", "advance")


class Stage:
    """A decoy that notes how long it waits, or does what it is told meanwhile."""

    def __init__(self, wire, **options):
        self.wire, self.clock, self.durations, self.waits = wire, Time(), Durations(), []
        self.client = client_of(wire, **options)
        self.breaker = Breaker(self.clock)
        self.meanwhile = self.waits.append
        self.decoy = Decoy(
            self.client, lambda steps: 300 // steps, self.breaker, self.durations,
            lambda seconds: self.meanwhile(seconds),
        )  # fmt: skip

    def open(self):
        for _ in range(FAILURES):
            self.breaker.failed(Admission.GRANTED)


@pytest.fixture
def stage():
    with serving() as wire:
        one = Stage(wire, max_calls=1)
        yield one
        one.client.close()


@pytest.mark.parametrize(
    ("verb", "reason"),
    [("start", "ok"), ("check", "wrong_code"), ("advance", "ok"), ("cancel", "ok")],
)
def test_it_answers_without_asking_anybody(verb, reason, stage):
    assert Reason(reason) == VERBS[verb](stage.decoy).reason
    assert 0 == stage.wire.connections


def test_no_code_is_ever_right(stage):
    assert {Reason.WRONG_CODE} == {
        stage.decoy.check(ID, f"{code:06}").reason for code in range(0, 10**6, 9973)
    }


@pytest.mark.parametrize("verb", VERBS)
def test_it_waits_as_long_as_recent_calls_of_the_same_verb(verb, stage):
    for other in VERBS:
        stage.durations.note(other, 99.0 if other != verb else 0.25)
    VERBS[verb](stage.decoy)
    assert [pytest.approx(0.25)] == stage.waits


@pytest.mark.parametrize("verb", VERBS)
def test_before_the_first_call_it_waits_as_long_as_a_usual_one(verb, stage):
    VERBS[verb](stage.decoy)
    assert [pytest.approx(USUAL)] == stage.waits


def test_its_own_waits_are_not_taken_for_calls(stage):
    stage.durations.note("start", 0.25)
    for _ in range(100):
        stage.decoy.start(ORDER)
    assert [pytest.approx(0.25)] * 100 == stage.waits


@pytest.mark.parametrize("verb", VERBS)
def test_what_lasts_as_long_as_a_call_given_up_ends_like_any_other(verb):
    with serving() as wire:
        stage = Stage(wire, timeout=0.05)
        stage.durations.note(verb, 0.1)
        stage.meanwhile = lambda seconds: wire.ended.wait(seconds)
        expected = Reason.WRONG_CODE if verb == "check" else Reason.OK
        assert expected == VERBS[verb](stage.decoy).reason
        stage.client.close()


@pytest.mark.parametrize("verb", VERBS)
def test_it_takes_a_place_in_the_bulkhead(verb, stage):
    refused = []

    def meanwhile(seconds):
        with pytest.raises(NotAsked) as caught:
            stage.client.answer("POST", "/v2/verify", {}, auth="basic")
        refused.append(caught.value.reason)

    stage.meanwhile = meanwhile
    VERBS[verb](stage.decoy)
    assert [Reason.CROWDED] == refused


@pytest.mark.parametrize("verb", VERBS)
def test_it_is_refused_where_no_place_is_free(verb, stage):
    refused = []

    def meanwhile():
        with pytest.raises(NotAsked) as caught:
            VERBS[verb](stage.decoy)
        refused.append(caught.value.reason)

    stage.client.occupy(meanwhile)
    assert ([Reason.CROWDED], []) == (refused, stage.waits)


@pytest.mark.parametrize("verb", VERBS)
def test_an_open_circuit_refuses_what_would_send_and_nothing_else(verb, stage):
    stage.open()
    if verb in SENDING:
        with pytest.raises(NotAsked) as caught:
            VERBS[verb](stage.decoy)
        assert Reason.CIRCUIT_OPEN == caught.value.reason
    else:
        VERBS[verb](stage.decoy)
    assert (0 if verb in SENDING else 1) == len(stage.waits)


@pytest.mark.parametrize("verb", VERBS)
def test_it_ends_no_probe_of_others(verb, stage):
    stage.open()
    stage.clock.now += REST
    assert Admission.PROBE is stage.breaker.admit()
    if verb in SENDING:
        with pytest.raises(NotAsked):
            VERBS[verb](stage.decoy)
    else:
        VERBS[verb](stage.decoy)
    assert Admission.REFUSED is stage.breaker.admit()


@pytest.mark.parametrize("verb", SENDING)
def test_let_through_as_the_probe_it_leaves_the_probe_to_the_next(verb, stage):
    stage.open()
    stage.clock.now += REST
    VERBS[verb](stage.decoy)
    assert (Admission.PROBE, True) == (stage.breaker.admit(), stage.breaker.open)


def test_steps_last_as_long_as_those_of_the_real_one(stage):
    assert 150 == stage.decoy.step_seconds(2)
