"""How a prune makes way for others, and where it works."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test import override_settings

from passwordless import flow, numbers
from passwordless.flow.retention import ages, bites, expiry, pace
from passwordless.models import AttemptEvent, Counter, PhoneNumber, Receipt, VerificationAttempt
from passwordless.states import EventKind, Status
from tests import support
from tests.support import BEGIN, NUMBER, OTHER, make

DAY = timedelta(days=1)
LOCKS_ROWS = connection.features.has_select_for_update_skip_locked


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


@pytest.fixture
def _few(monkeypatch):
    """Let one bite be of two rows."""
    small = ((bites, "CHUNK", 2), (bites, "APART", 1), (ages, "REACH", 2), (expiry, "BITE", 1))
    for module, name, size in small:
        monkeypatch.setattr(module, name, size)


def rests(took):
    """Return the rests after one bite that took so many seconds."""
    given, times = [], iter([0.0, took])
    assert "done" == pace.Pace(given.append, lambda: next(times)).take(lambda: "done")
    return given


def populate():
    """Make five of everything that a prune finds."""
    for index in range(5):
        old = {"ip": "198.51.100.1", "expires_at": BEGIN - 400 * DAY, "open_until": BEGIN - 400 * DAY}
        for status in (Status.FAILED, Status.PENDING):
            row = make(created_at=BEGIN - 400 * DAY, status=status, live_number=f"{status}{index}", **old)
            AttemptEvent.objects.create(attempt=row, kind=EventKind.JOINED, at=BEGIN, ip="198.51.100.2")
        AttemptEvent.objects.create(kind=EventKind.LINKED, at=BEGIN - 400 * DAY)
        Counter.objects.create(key=f"over {index}", ends_at=1)
        Counter.objects.create(key=f"empty {index}", used=0, ends_at=2**40)
        Receipt.take(str(index), BEGIN - 3 * DAY)


def left():
    """Return how much there is of all that a prune deletes."""
    return sum(model.objects.count() for model in (VerificationAttempt, AttemptEvent, Counter, Receipt))


class TestRests:
    @pytest.mark.skipif(LOCKS_ROWS, reason="there a login is seen")
    def test_are_long_where_a_write_keeps_all_others_out(self):
        """Nobody who waits for the lock could be seen, since nobody gets in."""
        assert [0.1 * pace.BESIDE] == rests(0.1)

    @pytest.mark.skipif(not LOCKS_ROWS, reason="there nobody could be seen")
    @pytest.mark.parametrize(("ago", "share"), [(11, pace.ALONE), (9, pace.BESIDE)])
    def test_are_long_while_people_log_in_and_short_otherwise(self, ago, share):
        assert [0.1 * pace.ALONE] == rests(0.1)
        make(created_at=BEGIN - timedelta(seconds=ago))
        assert [0.1 * share] == rests(0.1)

    def test_are_never_longer_than_a_second(self):
        make(created_at=BEGIN)
        assert [1] == rests(60)

    def test_are_none_without_somebody_to_rest(self):
        assert 1 == pace.Pace().take(lambda: 1)


@pytest.mark.usefixtures("_few")
class TestBites:
    def test_each_of_every_kind_is_followed_by_a_rest(self):
        """Fails where two writes of one kind follow each other without a pause."""
        populate()
        kinds, twice = [], []

        def note(execute, sql, params, many, context):
            if sql.startswith(("UPDATE", "DELETE")):
                kind = sql.partition(" WHERE ")[0]
                twice.extend({kind} & set(kinds))
                kinds.append(kind)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            flow.prune(BEGIN, rest=lambda _seconds: kinds.clear())
        assert [] == twice
        assert 0 == left()

    @pytest.mark.django_db(transaction=True)
    def test_hold_nothing_while_it_rests(self):
        """Fails where a rest is inside a transaction: it would keep everybody waiting."""
        populate()
        held = []
        flow.prune(BEGIN, rest=lambda _seconds: held.append(connection.in_atomic_block))
        assert {False} == set(held)
        assert 20 < len(held)

    def test_come_to_an_end_while_logins_make_empty_counters(self):
        """Fails where it looks for another one for as long as there is one."""
        populate()
        made = iter(range(100))

        def log_in(_seconds):
            Counter.objects.create(key=f"new {next(made)}", used=0, ends_at=2**40)

        flow.prune(BEGIN, rest=log_in)
        assert 10 < Counter.objects.count() < 100

    def test_are_counted_whole(self):
        populate()
        done = flow.prune(BEGIN, rest=lambda _seconds: None)
        counted = (done.expired, done.numbers, done.visitors, done.deleted, done.counters, done.receipts)
        assert (5, 10, 10, 10, 10, 5) == counted


class Elsewhere:
    """Routes all to a database that is not the default one."""

    def db_for_read(self, model, **hints):
        return "elsewhere"

    db_for_write = db_for_read

    def allow_relation(self, one, other, **hints):
        return True


class Nowhere:
    """Stands in the place of a database that nobody is to touch; what it could do may be asked."""

    def __init__(self, features):
        self.features = features

    def __getattr__(self, name):
        raise AssertionError(f"the default database was asked for {name}")


@contextmanager
def elsewhere():
    """Be a site whose attempts are not in the default database."""
    real = connections["default"]
    connections["elsewhere"], connections["default"] = real, Nowhere(real.features)
    real.alias = "elsewhere"
    try:
        with override_settings(DATABASE_ROUTERS=[Elsewhere()]):
            yield
    finally:
        real.alias, connections["default"] = "default", real
        del connections["elsewhere"]


class TestPlaces:
    """Fail where a transaction, or a lock, is on another database than the rows."""

    def test_a_prune_works_where_the_attempts_are(self):
        populate()
        with elsewhere():
            done = flow.prune(BEGIN, rest=lambda _seconds: None)
        assert (10, 0) == (done.deleted, left())

    def test_an_erasure_works_where_the_attempts_are(self):
        user = get_user_model().objects.create_user("somebody")
        numbers.link(user, NUMBER)
        for status in (Status.PENDING, Status.FAILED):
            make(status=status)
        make(number=OTHER)
        with elsewhere():
            assert 2 == flow.erase(NUMBER)
        known = VerificationAttempt.objects.exclude(number="")
        assert [OTHER] == list(known.values_list("number", flat=True))
        assert not PhoneNumber.objects.exists()
