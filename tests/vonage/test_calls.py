import gc
import signal
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import pytest

from passwordless.vonage.calls import Call, Calls, calling, current
from passwordless.vonage.dialect import NotAsked, Unavailable


class Interrupted(BaseException):
    pass


def _raise(error):
    raise error


def _nothing():
    pass


def test_results_and_errors_come_back_and_so_do_places():
    calls = Calls(1)
    assert 7 == calls.run(lambda: 7, 1)
    for error in (TimeoutError("of the work"), KeyError("missing"), Interrupted()):
        with pytest.raises(type(error)) as caught:
            calls.run(partial(_raise, error), 1)
        assert error is caught.value


def test_work_is_done_in_the_thread_that_asks():
    assert threading.current_thread() is Calls(1).run(threading.current_thread, 1)


def test_no_more_at_once_than_there_are_places():
    calls, taken, left = Calls(2), threading.Barrier(3), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(calls.run, lambda: taken.wait(5) and left.wait(5) and 1, 5) for _ in range(2)]
        taken.wait(5)
        with pytest.raises(NotAsked):
            calls.run(pytest.fail, 1)
        left.set()
        assert [True, True] == [one.result(5) is not None for one in busy]
    assert 1 == calls.run(lambda: 1, 1)


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_a_call_stays_behind(fails):
    class Secret:
        pass

    def work(kept):
        current().open(partial(type, kept), _nothing)
        if fails:
            raise KeyError(type(kept))

    calls, secret = Calls(1), Secret()
    gone, done = weakref.ref(secret), threading.Event()
    weakref.finalize(secret, done.set)
    # Not left to the collector, which may come after an hour.
    gc.disable()
    try:
        with pytest.raises(KeyError) if fails else nullcontext():
            calls.run(partial(work, secret), 1)
        del secret
        assert done.wait(5)
        assert gone() is None
    finally:
        gc.enable()


def test_work_knows_its_call_and_others_do_not():
    calls = Calls(1)
    assert calls.run(calling, 1)
    assert calls.run(current, 1) is not calls.run(current, 1)
    assert not calling()
    # As when what answers in process asks something itself.
    assert calls.run(lambda: (Calls(1).run(current, 1) is not current()) and calling(), 1)
    with pytest.raises(LookupError):
        current()


class TestCall:
    def test_it_knows_how_much_time_is_left(self):
        call = Call(60)
        first = call.left()
        assert 60 > first >= call.sending() > 0

    @pytest.mark.parametrize("seconds", [0.0, -1.0])
    def test_what_is_over_is_over(self, seconds):
        call = Call(seconds)
        for ask_of in (call.left, call.sending, lambda: call.open(pytest.fail, pytest.fail)):
            with pytest.raises(TimeoutError):
                ask_of()
        assert not call.unsent

    def test_it_is_unsent_only_between_opening_and_sending(self):
        call = Call(5)
        assert not call.unsent
        call.open(_nothing, pytest.fail)
        assert call.unsent
        call.sending()
        assert not call.unsent

    def test_a_connection_is_opened_in_a_thread_that_knows_the_call_and_holds_up_no_exit(self):
        call, seen = Call(5), []
        call.open(lambda: seen.extend([threading.current_thread(), current()]), pytest.fail)
        thread, known = seen
        assert (True, False) == (thread.daemon, thread is threading.current_thread())
        assert call is known

    def test_what_fails_while_opening_is_raised_and_closed(self):
        closed = []
        with pytest.raises(OSError, match="refused"):
            Call(5).open(lambda: _raise(OSError("refused")), lambda: closed.append(1))
        assert [1] == closed

    def test_what_was_opened_too_late_is_closed_and_then_the_place_comes_back(self):
        call, found, told, done = Call(0.05), threading.Event(), [], threading.Event()
        with pytest.raises(TimeoutError):
            call.open(lambda: found.wait(5), lambda: told.append("closed"))
        call.afterwards(lambda: told.append("free") or done.set())
        assert [] == told
        found.set()
        assert done.wait(5)
        assert (["closed", "free"], True) == (told, call.unsent)

    def test_without_a_thread_nothing_is_sent_and_nothing_waited_for(self, monkeypatch):
        call, told = Call(5), []
        with monkeypatch.context() as patch:
            patch.setattr(
                threading.Thread, "start", lambda thread: _raise(RuntimeError("can't start new thread"))
            )
            with pytest.raises(Unavailable) as caught:
                call.open(pytest.fail, pytest.fail)
        call.afterwards(lambda: told.append("free"))
        assert (False, ["free"]) == (caught.value.sent, told)

    @pytest.mark.skipif(
        threading.current_thread() is not threading.main_thread(), reason="signals go to main"
    )
    def test_whoever_is_interrupted_while_it_opens_leaves_no_connection_open(self):
        closed, left = threading.Event(), threading.Event()
        before = signal.signal(signal.SIGUSR1, lambda *_: _raise(Interrupted()))

        def connect():
            # Not os.kill, which may wake another thread, and the main one only after its wait.
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
            left.wait(5)

        try:
            with pytest.raises(Interrupted):
                Call(5).open(connect, closed.set)
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert not closed.is_set()
        left.set()
        assert closed.wait(5)
