import os
import signal
import socket
import threading

import pytest

from passwordless.vonage.calls import Call, Calls, calling, current
from passwordless.vonage.dialect import Unavailable


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
        os.kill(os.getpid(), signal.SIGUSR1)
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
