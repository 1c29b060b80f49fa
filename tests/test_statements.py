"""SQL made once does what the ORM does, on each connection, in each thread."""

from datetime import timedelta
from threading import Thread

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from passwordless.models import AttemptEvent, Select, VerificationAttempt, statements
from passwordless.states import EventKind, Reason, Status
from tests.support import BEGIN, NUMBER, OTHER, make

pytestmark = pytest.mark.django_db


def fields(instance):
    return {name: value for name, value in vars(instance).items() if name != "_state"}


class TestSelect:
    def test_returns_what_the_orm_returns(self, django_user_model):
        user = django_user_model.objects.create(username="ada")
        made = make(ip="2001:db8::1", price="0.05120000", user=user, ended_at=BEGIN, agent="ünïcode'\"%s")
        found = VerificationAttempt.objects.by_key(made.key)
        assert fields(VerificationAttempt.objects.get(pk=made.pk)) == fields(found)
        assert (False, "default") == (found._state.adding, found._state.db)

    @pytest.mark.parametrize("key", ["", "nothing", "\x01", "' OR 1=1 --", "%s", "x" * 5000])
    def test_of_nothing_is_none(self, key):
        make()
        assert VerificationAttempt.objects.by_key(key) is None

    def test_asks_one_statement_each_time(self):
        made = make()
        with CaptureQueriesContext(
            connection,
        ) as asked:
            rows = [VerificationAttempt.objects.by_key(made.key) for _ in range(3)]
        assert ([made] * 3, 3) == (rows, len(asked))

    def test_sees_what_changed_since(self):
        made = make()
        VerificationAttempt.objects.by_key(made.key)
        VerificationAttempt.objects.filter(pk=made.pk).update(guesses=2)
        assert 2 == VerificationAttempt.objects.by_key(made.key).guesses

    def test_brings_annotations(self):
        made = make(guesses=2)
        rows = VerificationAttempt.objects.annotate(twice=F("guesses") * 2)
        assert 4 == Select(lambda number: rows.filter(number=number)).one(made.number, "default").twice

    def test_keeps_nothing_of_one_connection_for_another(self):
        make()
        VerificationAttempt.objects.by_key("warm")
        seen = []

        def elsewhere():
            seen.append("_passwordless_selects" in vars(connections["default"]))
            connections.close_all()

        thread = Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert [False] == seen
        assert "_passwordless_selects" in vars(connections["default"])


class TestUpdate:
    def test_changes_the_rows_that_are_meant_and_counts_them(self):
        mine, other = make(), make(number=OTHER)
        values = {"status": Status.CHECKING, "claimed_at": BEGIN + timedelta(seconds=1)}
        where = "{id} = %s AND {status} = %s"
        given = [("id", mine.pk), ("status", Status.PENDING)]
        assert [1, 0] == [
            statements.update(VerificationAttempt, values, where, given, using="default") for _ in range(2)
        ]
        mine.refresh_from_db()
        other.refresh_from_db()
        assert (Status.CHECKING, BEGIN + timedelta(seconds=1)) == (mine.status, mine.claimed_at)
        assert Status.PENDING == other.status

    def test_takes_a_user_by_its_key(self, django_user_model):
        user, mine = django_user_model.objects.create(username="ada"), make()
        assert mine.move(Status.CANCELLED, Reason.CANCELLED, now=BEGIN, user=user)
        assert user == VerificationAttempt.objects.get(pk=mine.pk).user == mine.user


class TestInsert:
    def test_writes_what_the_orm_would(self):
        mine = make()
        event = AttemptEvent(attempt=mine, kind=EventKind.GUESSED, at=BEGIN, ip="198.51.100.1", took=3)
        statements.insert([event, AttemptEvent(attempt=mine, kind=EventKind.NEXT, at=BEGIN)], using="default")
        first, second = mine.events.order_by("pk")
        names = ("attempt_id", "kind", "at", "ip", "took", "agent", "reason", "staff_id")
        assert [getattr(event, name) for name in names] == [getattr(first, name) for name in names]
        assert EventKind.NEXT == second.kind

    def test_of_one_notes_its_key(self):
        made = VerificationAttempt(
            number=NUMBER, channels="sms", created_at=BEGIN, expires_at=BEGIN, open_until=BEGIN
        )
        made.insert()
        assert made == VerificationAttempt.objects.get()
        assert not made._state.adding
        made.guesses = 1
        made.save()
        assert 1 == VerificationAttempt.objects.get().guesses

    def test_of_a_second_live_attempt_is_refused(self):
        make(live_number=NUMBER)
        twin = VerificationAttempt(
            number=NUMBER, live_number=NUMBER, channels="sms", created_at=BEGIN, expires_at=BEGIN,
            open_until=BEGIN,
        )  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            twin.insert()

    def test_where_a_database_returns_no_key_it_is_the_orms(self, monkeypatch):
        monkeypatch.setattr(connections["default"], "vendor", "oracle")
        made = VerificationAttempt(
            number=NUMBER, channels="sms", created_at=BEGIN, expires_at=BEGIN, open_until=BEGIN
        )
        made.insert()
        assert made == VerificationAttempt.objects.get()
