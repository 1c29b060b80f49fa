"""What is forgotten, when, and what is kept on purpose."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.models.signals import post_delete
from django.test.utils import CaptureQueriesContext

from passwordless import flow, numbers
from passwordless.flow import retention
from passwordless.flow.retention import ages, bites
from passwordless.models import AttemptEvent, Counter, PhoneNumber, Receipt, VerificationAttempt, tags
from passwordless.states import EventKind, Reason, Status
from tests import support
from tests.support import BEGIN, NUMBER, OTHER, STRANGER, attempt, begin, make, used

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


def ended(days, **values):
    moment = BEGIN - days * DAY
    return make(
        status=values.pop("status", Status.FAILED), created_at=moment, sent_at=moment, step_at=moment,
        expires_at=values.pop("expires_at", moment), open_until=moment, **values,
    )  # fmt: skip


def told(pruned):
    return pruned.expired, pruned.deleted, pruned.counters


def kept():
    return set(VerificationAttempt.objects.values_list("pk", flat=True))


def test_what_is_overdue_is_expired_at_its_own_time():
    handle = begin()
    end = attempt(handle).expires_at
    assert (1, 0, 0) == told(flow.prune(end + DAY / 2))
    row = attempt(handle)
    assert (Status.EXPIRED, Reason.EXPIRED, end, None) == (
        row.status, row.reason, row.ended_at, row.live_number,
    )  # fmt: skip


@pytest.mark.parametrize("status", [Status.STARTING, Status.PENDING, Status.CHECKING])
def test_an_open_attempt_is_left_alone(status):
    row = make(status=status, live_number=NUMBER)
    assert (0, 0, 0) == told(flow.prune(BEGIN))
    assert status == VerificationAttempt.objects.get(pk=row.pk).status


def test_a_number_that_vonage_may_still_hold_is_not_freed(clock):
    row = make(status=Status.FAILED, live_number=NUMBER, lifetime=600)
    flow.prune(BEGIN + timedelta(seconds=599))
    assert NUMBER == VerificationAttempt.objects.get(pk=row.pk).live_number
    flow.prune(BEGIN + timedelta(seconds=600))
    assert VerificationAttempt.objects.get(pk=row.pk).live_number is None


def test_old_ones_go_with_their_events_and_the_young_stay(settings):
    support.configure(settings, RETENTION_DAYS=30)
    old, young = ended(31), ended(29)
    for row in (old, young):
        AttemptEvent.objects.create(attempt=row, kind=EventKind.GUESSED, at=BEGIN)
    assert (0, 1, 0) == told(flow.prune(BEGIN))
    assert ({young.pk}, [young.pk]) == (
        kept(), list(AttemptEvent.objects.values_list("attempt", flat=True)),
    )  # fmt: skip


def test_the_shipped_retention_is_half_a_year():
    old, young = ended(181), ended(179)
    flow.prune(BEGIN)
    assert {young.pk} == kept()
    assert old.pk not in kept()


def test_more_than_a_chunk_goes_too(monkeypatch):
    monkeypatch.setattr(bites, "CHUNK", 2)
    for _ in range(5):
        ended(400)
        ended(400, status=Status.PENDING, live_number=None)
    assert (5, 10, 0) == told(flow.prune(BEGIN))
    assert set() == kept()


@pytest.fixture
def _few(monkeypatch):
    """Let one write and one look be of two rows, on every database."""
    for module, name, size in ((bites, "CHUNK", 2), (bites, "APART", 1), (ages, "REACH", 2)):
        monkeypatch.setattr(module, name, size)


@pytest.mark.usefixtures("_few")
class TestMany:
    """What is done in bites leaves nothing out between two of them."""

    def test_whatever_was_asked_for_at_the_same_moment_goes_together(self):
        for _ in range(5):
            row = ended(400)
            event(row)
        young = ended(1)
        assert 5 == flow.prune(BEGIN).deleted
        assert ({young.pk}, 0) == (kept(), AttemptEvent.objects.count())

    def test_the_visitors_of_one_moment_are_forgotten_together(self):
        for _ in range(5):
            ended(31, ip="198.51.100.1")
        assert 5 == flow.prune(BEGIN).visitors

    def test_rows_that_were_written_late_go_by_their_age(self):
        """Keys say nothing of age: rows may have been imported."""
        days = [1, 400, 200, 2, 300, 500, 100]
        for age in days:
            ended(age, ip="198.51.100.1")
        done = flow.prune(BEGIN)
        assert (4, 5, 5) == (done.deleted, done.numbers, done.visitors)
        assert 3 == len(kept())

    def test_an_open_one_among_them_stays_with_its_events(self):
        rows = [ended(400) for _ in range(3)]
        open_one = make(live_number=NUMBER, created_at=BEGIN - 400 * DAY, open_until=BEGIN + DAY)
        told = [event(row) for row in (*rows, open_one)]
        assert 3 == flow.prune(BEGIN).deleted
        assert ({open_one.pk}, [told[-1]]) == (kept(), list(AttemptEvent.objects.all()))

    def test_a_number_that_asked_often_is_forgotten_whole(self):
        for _ in range(5):
            ended(31)
        ended(31, number=OTHER)
        assert [6, 0] == [flow.prune(BEGIN).numbers for _ in range(2)]


def test_many_numbers_are_forgotten_in_one_statement():
    for index in range(50):
        number = f"+121255501{index:02}"
        ended(31, number=number, number_tag=tags(number)[0])
    with CaptureQueriesContext(connection) as made:
        assert 50 == flow.prune(BEGIN).numbers
    assert 1 == len(
        [one for one in made if one["sql"].startswith('UPDATE "passwordless_verificationattempt"')]
    )


@pytest.mark.skipif(connection.vendor != "sqlite", reason="elsewhere a plan depends on how much is there")
def test_only_the_search_for_what_is_overdue_passes_over_all_attempts():
    """What reads them all for each bite takes hours where there are many, and keeps others from writing."""
    populate()
    plans = {}

    def explain(execute, sql, params, many, context):
        if sql.startswith(("SELECT", "UPDATE", "DELETE")):
            lines = connection.connection.execute(f"EXPLAIN QUERY PLAN {sql.replace('%s', '?')}", params)
            plans[sql] = " ".join(line[3] for line in lines)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        flow.prune(BEGIN)
        flow.erase(NUMBER)
    whole = {sql for sql, plan in plans.items() if f"SCAN {VerificationAttempt._meta.db_table}" in plan}
    # Nearly all rows have no live number: its index is as good as the table.
    whole |= {sql for sql, plan in plans.items() if "(live_number=?)" in plan}
    assert [] == [sql for sql in whole if '"expires_at" <=' not in sql]
    assert 10 < len(plans)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    not connection.features.has_select_for_update_skip_locked, reason="it locks no single row"
)
@pytest.mark.parametrize("days", [31, 400], ids=["to be forgotten", "to be deleted"])
def test_an_attempt_that_somebody_holds_is_left_for_the_next_time(days):
    """Fails where one batch waits for the rows of several, who may wait for it."""
    facts = {"ip": "198.51.100.1"}
    held, _free = ended(days, **facts), ended(days, **facts)
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        VerificationAttempt.objects.select_for_update().get(pk=held.pk)
        assert retention.Pruned(numbers=1, visitors=1, deleted=days // 400) == pool.submit(pruned).result(20)
    assert retention.Pruned(numbers=1, visitors=1, deleted=days // 400) == flow.prune(BEGIN)


def pruned():
    """Prune in a thread, which leaves no connection behind."""
    try:
        return flow.prune(BEGIN)
    finally:
        connections.close_all()


def test_another_prune_that_is_faster_does_no_harm():
    """SQLite locks no row between looking and deleting."""
    for _ in range(3):
        ended(400, number="")
    first = []

    def overtake(execute, sql, params, many, context):
        if sql.startswith('DELETE FROM "passwordless_attemptevent"') and not first:
            first.append(sql)
            VerificationAttempt.objects.all()._raw_delete("default")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(overtake):
        assert retention.Pruned() == flow.prune(BEGIN)
    assert 1 == len(first)


@pytest.fixture
def deletions():
    """Return the keys of attempts of whose deletion a receiver of the site heard."""
    heard = []

    def hear(sender, instance, **_told):
        heard.append(instance.pk)

    post_delete.connect(hear, sender=VerificationAttempt)
    yield heard
    post_delete.disconnect(hear, sender=VerificationAttempt)


def test_a_site_that_listens_hears_of_each_deletion(deletions):
    old, older = ended(400), ended(500)
    event(old)
    flow.prune(BEGIN)
    assert ({old.pk, older.pk}, set()) == (set(deletions), kept())


def test_a_dry_run_only_counts_and_counts_right():
    ended(400)
    ended(400, status=Status.PENDING)
    ended(400, number=OTHER, live_number=OTHER)
    ended(1, status=Status.PENDING)
    Counter.objects.create(key="a", ends_at=(BEGIN - 3 * DAY).timestamp())
    announced = told(flow.prune(BEGIN, dry_run=True))
    assert 4 == len(kept())
    assert announced == told(flow.prune(BEGIN))
    assert (2, 3, 1) == announced


def test_counters_stay_for_two_days_after_their_window():
    for key, days in (("running", -1), ("young", 1), ("old", 3)):
        Counter.objects.create(key=key, ends_at=(BEGIN - days * DAY).timestamp())
    assert (0, 0, 1) == told(flow.prune(BEGIN))
    assert {"running", "young"} == set(Counter.objects.values_list("key", flat=True))


def test_no_limit_is_reset(settings, clock):
    support.configure(settings, LIMITS={"sends_per_number": "1/d"}, RETENTION_DAYS=1)
    flow.cancel(begin(), support.OWNER)
    VerificationAttempt.objects.update(created_at=BEGIN - 3 * DAY)
    clock.shift(600)
    assert 1 == flow.prune(BEGIN + timedelta(seconds=600)).deleted
    assert (1, Reason.LIMIT_NUMBER) == (
        used("sends_per_number", NUMBER), flow.start(NUMBER, STRANGER).reason,
    )  # fmt: skip


def test_the_command_says_how_much():
    ended(400, ip="198.51.100.1")
    begin()
    out = StringIO()
    call_command("passwordless_prune", "--dry-run", stdout=out)
    call_command("passwordless_prune", stdout=out)
    foretold = (
        "0 attempts would be expired, 1 would be deleted; 1 number and 1 visitor would be forgotten; "
        "0 counters and 0 receipts would be dropped."
    )
    assert [foretold, foretold.replace("would be ", "")] == out.getvalue().splitlines()[::2]


def event(row=None, days=0, **values):
    facts = {"kind": EventKind.JOINED, "at": BEGIN - days * DAY, **values}
    return AttemptEvent.objects.create(attempt=row, **facts)


class TestNumbers:
    """After NUMBER_DAYS an attempt keeps a tag in the place of its number."""

    def test_the_old_lose_theirs_and_are_still_found_by_who_knows_it(self):
        old, young, other = ended(31, country="US"), ended(29), ended(31, number=OTHER)
        assert 2 == flow.prune(BEGIN).numbers
        row = VerificationAttempt.objects.get(pk=old.pk)
        assert ("", "US", "•••") == (row.number, row.country, row.masked)
        assert NUMBER[1:] not in row.number_tag
        assert {old, young} == set(VerificationAttempt.objects.of(NUMBER))
        assert {other} == set(VerificationAttempt.objects.of(OTHER))
        assert NUMBER == VerificationAttempt.objects.get(pk=young.pk).number

    def test_the_setting_counts(self, settings):
        support.configure(settings, NUMBER_DAYS=5)
        ended(6)
        ended(4)
        assert [1, 0] == [flow.prune(BEGIN).numbers for _ in range(2)]

    def test_an_open_one_keeps_its_own(self):
        row = make(live_number=NUMBER, created_at=BEGIN - 40 * DAY)
        assert 0 == flow.prune(BEGIN).numbers
        assert NUMBER == VerificationAttempt.objects.get(pk=row.pk).number

    def test_they_are_found_while_the_key_is_rotated_out_and_not_after(self, settings):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the old key of the tests", []
        old = ended(31)
        flow.prune(BEGIN)
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the new key of the tests", [settings.SECRET_KEY]
        assert [old] == list(VerificationAttempt.objects.of(NUMBER))
        settings.SECRET_KEY_FALLBACKS = []
        assert [] == list(VerificationAttempt.objects.of(NUMBER))

    def test_more_than_a_chunk_and_several_numbers(self, monkeypatch):
        monkeypatch.setattr(bites, "CHUNK", 2)
        for index in range(5):
            ended(31, number=(NUMBER, OTHER)[index % 2])
        assert 5 == flow.prune(BEGIN).numbers
        assert (3, 2) == tuple(VerificationAttempt.objects.of(number).count() for number in (NUMBER, OTHER))
        assert {""} == set(VerificationAttempt.objects.values_list("number", flat=True))


class TestVisitors:
    """After VISITOR_DAYS nobody can tell who asked, nor who joined."""

    def told(self):
        rows = VerificationAttempt.objects.values_list("ip", "agent")
        events = AttemptEvent.objects.values_list("ip", "agent", "session")
        return set(rows), set(events)

    def test_of_the_old_none_is_left_and_of_the_young_all(self):
        facts = {"ip": "198.51.100.1", "agent": "Firefox"}
        old, young = ended(31, **facts), ended(29, **facts)
        for row in (old, young):
            event(row, **facts, session="a tag")
        assert 1 == flow.prune(BEGIN).visitors
        known = ("198.51.100.1", "Firefox")
        assert ({(None, ""), known}, {(None, "", ""), (*known, "a tag")}) == self.told()
        assert "198.51.100.1" == VerificationAttempt.objects.get(pk=young.pk).ip

    @pytest.mark.parametrize("trace", [{"ip": "198.51.100.2"}, {"agent": "Opera"}, {"session": "a tag"}])
    def test_whoever_joined_one_that_nobody_in_particular_had_asked_for_is_forgotten_too(self, trace):
        event(ended(31, ip=None, agent=""), **trace)
        assert 1 == flow.prune(BEGIN, dry_run=True).visitors
        assert 1 == flow.prune(BEGIN).visitors
        assert ({(None, "")}, {(None, "", "")}) == self.told()
        assert 0 == flow.prune(BEGIN).visitors

    def test_whoever_comes_back_later_is_forgotten_by_the_next_run(self, clock):
        handle = begin()
        flow.check(handle, support.code(), support.OWNER)
        clock.shift(31 * DAY)
        flow.prune(BEGIN + 31 * DAY)
        flow.check(handle, "123456", STRANGER)
        flow.prune(BEGIN + 31 * DAY)
        assert ({(None, "")}, {(None, "", "")}) == self.told()

    @pytest.mark.parametrize("trace", [{"ip": "198.51.100.2"}, {"agent": "Opera"}])
    def test_half_a_trace_is_one(self, trace):
        ended(31, **trace)
        assert 1 == flow.prune(BEGIN).visitors

    def test_the_setting_counts(self, settings):
        support.configure(settings, VISITOR_DAYS=1)
        ended(2, ip="198.51.100.1")
        assert 1 == flow.prune(BEGIN).visitors

    def test_more_than_a_chunk(self, monkeypatch):
        monkeypatch.setattr(bites, "CHUNK", 2)
        for _ in range(5):
            ended(31, agent="Firefox")
        assert [5, 0] == [flow.prune(BEGIN).visitors for _ in range(2)]


def test_receipts_stay_for_a_day():
    for days in (0.9, 1.1):
        Receipt.take(f"token of {days} days ago", BEGIN - days * DAY)
    assert [1, 0] == [flow.prune(BEGIN).receipts for _ in range(2)]
    assert ["token of 0.9 days ago"] == list(Receipt.objects.values_list("token_id", flat=True))


def test_events_of_no_attempt_go_by_their_own_age(settings):
    """Who linked a number is written on no attempt."""
    old, young = event(days=181, kind=EventKind.LINKED), event(days=179, kind=EventKind.LINKED)
    assert 0 == flow.prune(BEGIN).deleted
    assert [young] == list(AttemptEvent.objects.all())
    assert old.pk != young.pk


@pytest.mark.parametrize("clears", [False, True])
def test_neither_prune_nor_erasure_opens_a_lock(clears, settings, clock):
    support.configure(settings, HARD_STOP=3)
    support.guess_wrong(begin(), times=3)
    clock.shift(400 * DAY)
    flow.prune(BEGIN + 400 * DAY)
    assert 0 == VerificationAttempt.objects.count()
    if clears:
        flow.erase(NUMBER)
    handle = begin()
    assert Reason.LOCKED == flow.check(handle, support.code(), support.OWNER).reason


def populate():
    """Make one row of each age and kind that a prune knows."""
    facts = {"ip": "198.51.100.1", "agent": "Firefox"}
    for days in (1, 31, 181):
        for status in (Status.FAILED, Status.PENDING):
            row = ended(days, status=status, live_number=f"{days}{status}", **facts)
            event(row, days, **facts)
    event(days=181)
    make(number=OTHER, live_number=OTHER, created_at=BEGIN - 500 * DAY, **facts)
    for days in (-1, 3):
        Counter.objects.create(key=str(days), ends_at=(BEGIN - days * DAY).timestamp())
        Receipt.take(str(days), BEGIN - days * DAY)


def world():
    """Return all that a prune touches, to be compared."""
    rows = VerificationAttempt.objects.order_by("pk").values_list(
        "number", "number_tag", "live_number", "status", "ip", "agent", "ended_at"
    )
    events = AttemptEvent.objects.order_by("pk").values_list("attempt__created_at", "ip", "agent")
    return list(rows), list(events), list(Counter.objects.values_list("key")), Receipt.objects.count()


def test_a_dry_run_tells_what_a_run_does_in_every_phase():
    populate()
    before = world()
    announced = flow.prune(BEGIN, dry_run=True)
    assert before == world()
    assert announced == flow.prune(BEGIN)
    assert retention.Pruned(expired=3, numbers=4, visitors=4, deleted=2, counters=1, receipts=1) == announced
    assert retention.Pruned() == flow.prune(BEGIN) == flow.prune(BEGIN, dry_run=True)


class Killed(Exception):
    """Stands for SIGKILL."""


class Executioner:
    """Lets so many writes pass and kills the next."""

    def __init__(self, writes):
        self.writes = writes

    def __call__(self, execute, sql, params, many, context):
        if sql.startswith(("UPDATE", "DELETE", "INSERT")):
            self.writes -= 1
            if self.writes < 0:
                raise Killed
        return execute(sql, params, many, context)


def empty():
    for model in (AttemptEvent, VerificationAttempt, Counter, Receipt):
        model.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_one_that_is_killed_at_any_point_is_ended_by_the_next(monkeypatch):
    monkeypatch.setattr(bites, "CHUNK", 2)
    populate()
    flow.prune(BEGIN)
    whole, killed, writes = world(), True, 0
    while killed:
        empty()
        populate()
        try:
            with connection.execute_wrapper(Executioner(writes)):
                flow.prune(BEGIN)
            killed = False
        except Killed:
            writes += 1
        consistent()
        flow.prune(BEGIN)
        assert whole == world()
    assert 10 <= writes <= 60


def consistent():
    """Whatever was done is whole: no number without its tag, no visitor forgotten by halves, no open row moved."""
    rows = VerificationAttempt.objects
    assert not rows.filter(number="", number_tag="").exists()
    assert not AttemptEvent.objects.filter(attempt__ip=None, ip__isnull=False).exists()
    assert (Status.PENDING, OTHER) == rows.values_list("status", "live_number").get(number=OTHER)
    assert Counter.objects.filter(key="-1").exists()


class TestErase:
    def test_nothing_tells_of_the_number_or_of_who_asked(self, clock):
        user = get_user_model().objects.create_user("somebody")
        numbers.link(user, NUMBER)
        flow.check(begin(), support.code(), support.OWNER)
        clock.shift(60)
        joined = begin(visitor=STRANGER)
        begin()
        ended(100)
        assert 3 == flow.erase(NUMBER)
        for table in connection.introspection.django_table_names():
            with connection.cursor() as cursor:
                cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - our own tables
                text = repr(cursor.fetchall())
            for trace in (NUMBER[1:], STRANGER.ip, support.OWNER.ip, STRANGER.agent, STRANGER.session[:16]):
                assert trace not in text, table
        row = attempt(joined)
        assert (Status.EXPIRED, None, None, "") == (row.status, row.live_number, row.user, row.agent)
        assert get_user_model().objects.filter(pk=user.pk).exists()

    def test_whoever_knows_the_number_still_finds_the_attempts(self):
        row = ended(3)
        flow.erase(NUMBER)
        assert [row] == list(VerificationAttempt.objects.of(NUMBER))

    def test_others_are_left_alone(self):
        other = get_user_model().objects.create_user("another")
        numbers.link(other, OTHER)
        row = ended(3, number=OTHER, ip="198.51.100.1", user=other)
        flow.erase(NUMBER)
        again = VerificationAttempt.objects.get(pk=row.pk)
        assert (OTHER, "198.51.100.1", other) == (again.number, again.ip, again.user)
        assert PhoneNumber.objects.filter(number=OTHER).exists()

    def test_what_was_tagged_before_is_forgotten_too(self):
        """The number went after thirty days, but who asked may still be there."""
        user = get_user_model().objects.create_user("somebody")
        row = ended(31, user=user)
        flow.prune(BEGIN)
        event(row, ip="198.51.100.1")
        flow.erase(NUMBER)
        assert (None, None) == (
            VerificationAttempt.objects.get(pk=row.pk).user, AttemptEvent.objects.get(attempt=row).ip,
        )  # fmt: skip

    def test_no_limit_is_reset(self, settings, clock):
        support.configure(settings, LIMITS={"sends_per_number": "1/d"})
        flow.check(begin(), support.code(), support.OWNER)
        before = support.counters()
        flow.erase(NUMBER)
        clock.shift(60)
        assert (before, Reason.LIMIT_NUMBER) == (support.counters(), flow.start(NUMBER, STRANGER).reason)

    def test_a_check_that_runs_meanwhile_lets_nobody_in(self):
        handle = begin()
        row = attempt(handle)
        assert row.claim(BEGIN, limit=3)
        flow.erase(NUMBER)
        assert not row.move(Status.VERIFIED, Reason.OK, now=BEGIN, guess=1)
        assert Status.EXPIRED == flow.check(handle, "123456", support.OWNER).status

    def test_it_is_written_down_without_the_number(self):
        flow.erase(NUMBER)
        told = AttemptEvent.objects.get(kind=EventKind.ERASED)
        assert (BEGIN, "•••", None) == (told.at, told.detail, told.attempt)

    def test_twice_is_as_once(self):
        ended(3)
        assert [1, 0] == [flow.erase(NUMBER) for _ in range(2)]

    def test_the_command_takes_any_spelling(self):
        ended(3)
        out = StringIO()
        call_command("passwordless_erase", "(415) 555-0101", stdout=out)
        assert "Unlinked, and erased from 1 attempt.\n" == out.getvalue()

    def test_the_command_refuses_what_is_no_number_and_does_not_repeat_it(self):
        with pytest.raises(CommandError, match="no number") as refused:
            call_command("passwordless_erase", "415555")
        assert "415555" not in str(refused.value)


def test_the_digits_of_a_closed_block_go_with_the_numbers():
    facts = {"kind": EventKind.PUMPING, "block": "+14155550xxx"}
    old = AttemptEvent.objects.create(at=BEGIN - 30 * DAY - timedelta(seconds=1), **facts)
    young = AttemptEvent.objects.create(at=BEGIN - 30 * DAY + timedelta(seconds=1), **facts)
    flow.prune(BEGIN)
    assert ["", facts["block"]] == [AttemptEvent.objects.get(pk=event.pk).block for event in (old, young)]
