import gc
import signal
import socket
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from functools import partial

import pytest

from passwordless.vonage.calls import Call, Calls, calling, current
from passwordless.vonage.dialect import NotAsked, Unavailable


class Interrupted(BaseException):
    pass


def test_results_and_errors_come_back():
    calls = Calls(1)
    assert 7 == calls.run(lambda: 7, 1)
    with pytest.raises(TimeoutError, match="of the work"):
        calls.run(lambda: _raise(TimeoutError("of the work")), 1)
    with pytest.raises(KeyError):
        calls.run(lambda: {}["missing"], 1)


def _raise(error):
    raise error


def test_one_thread_serves_one_call_after_the_other():
    calls = Calls(2)
    first = calls.run(threading.current_thread, 1)
    assert [first] * 3 == [calls.run(threading.current_thread, 1) for _ in range(3)]
    assert first.daemon


def test_a_thread_that_was_left_behind_serves_nobody_until_it_is_done():
    calls, left, late = Calls(2), threading.Event(), []
    with pytest.raises(Unavailable):
        calls.run(lambda: late.append(threading.current_thread()) or left.wait(5), 0.01)
    other = calls.run(threading.current_thread, 1)
    assert late[0] is not other
    left.set()


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_a_call_stays_behind(fails):
    class Secret:
        pass

    def work(kept):
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


def test_a_thread_without_work_ends(monkeypatch):
    monkeypatch.setattr("passwordless.vonage.calls.IDLE", 0.01)
    calls = Calls(1)
    first = calls.run(threading.current_thread, 1)
    first.join(5)
    assert not first.is_alive()
    assert first is not calls.run(threading.current_thread, 1)


def test_a_hundred_callers_get_their_own_answers_from_threads_that_come_and_go(monkeypatch):
    # Threads that give up waiting are chosen at the same moment: none of the jobs may get lost.
    monkeypatch.setattr("passwordless.vonage.calls.IDLE", 0)
    calls = Calls(4)

    def ask(number):
        while True:
            with suppress(NotAsked):
                return calls.run(lambda: -number, 5)

    with ThreadPoolExecutor(8) as pool:
        assert [-number for number in range(400)] == list(pool.map(ask, range(400)))


def test_work_knows_its_call_and_others_do_not():
    assert Calls(1).run(calling, 1)
    assert not calling()
    assert current() is not current()


def test_without_a_thread_nothing_is_sent_and_the_place_comes_back(monkeypatch):
    calls = Calls(1)
    with monkeypatch.context() as patch:
        patch.setattr(
            threading.Thread, "start", lambda thread: _raise(RuntimeError("can't start new thread"))
        )
        with pytest.raises(Unavailable) as caught:
            calls.run(lambda: 1, 1)
    assert not caught.value.sent
    assert 1 == calls.run(lambda: 1, 1)


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals go to main")
def test_an_interrupted_caller_lets_no_byte_leave():
    outcome, left = [], threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: _raise(Interrupted()))

    def work():
        # Not os.kill, which may wake another thread, and the main one only after its wait.
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        left.wait(5)
        with socket.socket() as sock:
            try:
                current().sending(sock)
            except ConnectionAbortedError:
                outcome.append("refused")
        ended.set()

    ended = threading.Event()
    try:
        with pytest.raises(Interrupted):
            Calls(1).run(work, 5)
    finally:
        signal.signal(signal.SIGUSR1, before)
    left.set()
    assert ended.wait(5)
    assert ["refused"] == outcome


class TestCall:
    def test_it_is_unsent_only_between_connecting_and_sending(self):
        call = Call()
        with socket.socket() as sock:
            assert not call.unsent
            call.connecting()
            call.opened(sock)
            assert call.unsent
            call.sending(sock)
            assert not call.unsent

    def test_giving_up_tells_whether_a_byte_may_have_left(self):
        fresh, connecting = Call(), Call()
        connecting.connecting()
        assert (True, False) == (fresh.give_up(), connecting.give_up())

    def test_after_giving_up_nothing_begins(self):
        call = Call()
        call.connecting()
        call.give_up()
        with socket.socket() as sock:
            with pytest.raises(ConnectionAbortedError):
                call.sending(sock)
            with pytest.raises(ConnectionAbortedError):
                call.opened(sock)
            assert -1 == sock.fileno()
        with pytest.raises(ConnectionAbortedError):
            call.connecting()

    def test_a_socket_let_go_is_not_shut(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            call = Call()
            call.sending(ours)
            call.let_go()
            call.give_up()
            ours.sendall(b"x")
            assert b"x" == theirs.recv(1)

    def test_a_socket_held_is_shut(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            call = Call()
            call.sending(ours)
            call.give_up()
            assert b"" == theirs.recv(1)
