"""Writers take turns where the database lets one write at a time; whoever is told of a write keeps nobody waiting."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from passwordless.models import AttemptEvent, VerificationAttempt, durable, together, turns
from passwordless.signals import attempt_moved
from passwordless.states import EventKind, Reason, Status
from tests.test_statements import make

pytestmark = pytest.mark.django_db(transaction=True)
BRIEFLY, LONG = 0.2, 20  # seconds


@pytest.fixture
def queues():
    """Whether this database has writers wait for each other before it is asked."""
    return connection.vendor == "sqlite"


@contextmanager
def writer(way=lambda: turns.Turn("default"), patience=LONG):
    """Somebody in another thread who has the turn, or waits for it, until the block ends or patience does."""
    entered, ended = threading.Event(), threading.Event()

    def write():
        try:
            with way():
                entered.set()
                ended.wait(patience)
        finally:
            connections.close_all()

    entered.thread = thread = threading.Thread(target=write)
    thread.start()
    try:
        yield entered
    finally:
        ended.set()
        thread.join(LONG)


@pytest.mark.parametrize("way", [durable, together, lambda: turns.Turn("default")])
def test_a_writer_waits_for_the_one_before(queues, way, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", LONG)
    with ExitStack() as stack:
        with writer(way) as first:
            assert first.wait(LONG)
            second = stack.enter_context(writer())
            assert second.wait(BRIEFLY if queues else LONG) is not queues
        assert second.wait(LONG / 4)


def test_whoever_is_in_a_transaction_has_the_turn_already():
    with writer(patience=2) as other:
        assert other.wait(LONG)
        with transaction.atomic(), turns.atomic("default"), turns.Turn("default"):
            assert connection.in_atomic_block
        assert other.thread.is_alive()


def test_an_error_lets_the_next_one_in(monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", LONG)
    with pytest.raises(ZeroDivisionError), durable():
        1 / 0  # noqa: B018
    with pytest.raises(RuntimeError), transaction.atomic(), durable():
        """Never reached."""
    with writer() as next_one:
        assert next_one.wait(LONG / 4)


def test_whoever_waited_too_long_goes_on_and_takes_nobody_elses_turn(monkeypatch, queues):
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    with writer() as first:
        assert first.wait(LONG)
        with turns.Turn("default"):
            """Without a turn: the database says itself what is the matter."""
        monkeypatch.setattr(turns, "PATIENCE", BRIEFLY * 2)
        with writer() as second:
            assert second.wait(BRIEFLY if queues else LONG) is not queues


def pending():
    return make(status=Status.PENDING)


def tell(attempt):
    """Move a row by one statement."""
    assert attempt.move(Status.CANCELLED, Reason.OK, now=timezone.now())


def tell_with_an_event(attempt):
    event = AttemptEvent(attempt=attempt, kind=EventKind.CANCELLED, at=timezone.now())
    assert attempt.move(Status.CANCELLED, Reason.OK, now=timezone.now(), events=[event])


def tell_within(attempt):
    with durable():
        tell_with_an_event(attempt)


DEEDS = [tell, tell_with_an_event, tell_within]


@pytest.mark.parametrize("deed", DEEDS)
def test_every_move_waits_for_its_turn(deed, queues):
    attempt, moved = pending(), threading.Event()

    def move():
        deed(attempt)
        moved.set()
        connections.close_all()

    with writer() as first:
        assert first.wait(LONG)
        thread = threading.Thread(target=move)
        thread.start()
        assert moved.wait(BRIEFLY if queues else LONG) is not queues
    thread.join(LONG)
    assert moved.is_set()


@pytest.mark.parametrize("deed", DEEDS)
def test_receivers_keep_nobody_waiting(deed, monkeypatch):
    """They may call somebody, or write themselves, in this thread or another."""
    monkeypatch.setattr(turns, "PATIENCE", LONG)
    seen = []

    def receive(attempt, **_):
        with writer(durable) as another:
            seen.append(another.wait(LONG / 4))
        with durable():
            seen.append(VerificationAttempt.objects.get(pk=attempt.pk).status)

    attempt = pending()
    attempt_moved.connect(receive)
    try:
        deed(attempt)
    finally:
        attempt_moved.disconnect(receive)
    assert [True, Status.CANCELLED] == seen


def test_many_writers_lose_nothing():
    row = make(guesses=0)

    def add(_):
        try:
            with durable():
                kept = VerificationAttempt.objects.select_for_update().get(pk=row.pk)
                kept.guesses += 1
                kept.save(update_fields=["guesses"])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert 40 == VerificationAttempt.objects.get(pk=row.pk).guesses


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_waits_for_no_thread_of_its_parent(monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", LONG)
    with writer() as first:
        assert first.wait(LONG)
        child = os.fork()
        if not child:
            signal.alarm(5)
            with turns.Turn("default"):
                os._exit(0)
        assert (child, 0) == os.waitpid(child, 0)
