import threading

import pytest

from passwordless.vonage.breaker import FAILURES, REST, WINDOW, Admission, Breaker

GRANTED, PROBE, REFUSED = Admission.GRANTED, Admission.PROBE, Admission.REFUSED


class Time:
    """A clock that only a test moves, in seconds."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def breaker(clock):
    return Breaker(clock)


def fail(breaker, times=FAILURES):
    for _ in range(times):
        breaker.failed(GRANTED)


def test_the_promise_in_figures():
    assert (5, 30.0, 30.0) == (FAILURES, WINDOW, REST)


def test_five_failures_open_it_and_four_do_not(breaker):
    fail(breaker, 4)
    assert (GRANTED, False) == (breaker.admit(), breaker.open)
    fail(breaker, 1)
    assert (REFUSED, True) == (breaker.admit(), breaker.open)


@pytest.mark.parametrize(("apart", "opens"), [(7.5, True), (7.6, False)])
def test_the_five_must_fall_into_the_window(apart, opens, breaker, clock):
    for _ in range(FAILURES):
        breaker.failed(GRANTED)
        clock.now += apart
    assert opens is breaker.open


def test_an_answer_between_them_starts_the_count_anew(breaker):
    fail(breaker, 4)
    breaker.succeeded(GRANTED)
    fail(breaker, 4)
    assert not breaker.open


def test_it_stays_open_for_thirty_seconds(breaker, clock):
    fail(breaker)
    clock.now += 29.9
    assert REFUSED is breaker.admit()
    clock.now += 0.1
    assert PROBE is breaker.admit()


def test_calls_that_come_back_late_prolong_nothing(breaker, clock):
    fail(breaker)
    clock.now += 20
    fail(breaker, 8)
    clock.now += 10
    assert PROBE is breaker.admit()


def test_exactly_one_of_many_threads_is_the_probe(breaker, clock):
    fail(breaker)
    clock.now += REST
    said, ready = [], threading.Barrier(32)

    def ask():
        ready.wait(10)
        said.append(breaker.admit())

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (1, 31) == (said.count(PROBE), said.count(REFUSED))


def test_a_failed_probe_begins_a_new_rest(breaker, clock):
    fail(breaker)
    clock.now += REST
    breaker.failed(breaker.admit())
    assert REFUSED is breaker.admit()
    clock.now += 29.9
    assert REFUSED is breaker.admit()
    clock.now += 0.1
    assert PROBE is breaker.admit()


def test_a_probe_that_is_answered_closes_it(breaker, clock):
    fail(breaker)
    clock.now += REST
    breaker.succeeded(breaker.admit())
    assert (GRANTED, False) == (breaker.admit(), breaker.open)
    fail(breaker, 4)
    assert not breaker.open


def test_an_abandoned_probe_leaves_its_place_to_the_next(breaker, clock):
    fail(breaker)
    clock.now += REST
    breaker.abandoned(breaker.admit())
    assert [PROBE, REFUSED] == [breaker.admit(), breaker.admit()]


@pytest.mark.parametrize("news", ["succeeded", "failed", "abandoned"])
def test_other_calls_do_not_end_the_probe(news, breaker, clock):
    fail(breaker)
    clock.now += REST
    assert PROBE is breaker.admit()
    getattr(breaker, news)(GRANTED)
    assert (REFUSED, True) == (breaker.admit(), breaker.open)


def test_an_abandoned_call_is_no_failure(breaker):
    for _ in range(FAILURES):
        breaker.abandoned(breaker.admit())
    assert not breaker.open


def test_it_can_open_and_close_again_and_again(breaker, clock):
    for _ in range(2):
        fail(breaker)
        clock.now += REST
        assert PROBE == breaker.admit()
        breaker.succeeded(PROBE)
        assert GRANTED == breaker.admit()
