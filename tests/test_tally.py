"""Tally: rows that count exactly on every database, through a new secret key, and beside a store that fails."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import settings as rules
from hypothesis import strategies as st

from passwordless import flow, limits, tally
from passwordless.models import Counter
from passwordless.states import Reason
from passwordless.tally import Bucket
from tests import services, support
from tests.support import BEGIN, NUMBER, OTHER, OWNER, STRANGER, begin

NOW = BEGIN.timestamp()
OLD, NEW = "the old key of the tests", "the new key of the tests"


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


@pytest.fixture(params=["sqlite", "mysql"])
def database(request, monkeypatch):
    """The upsert, and the way of databases without one that answers."""
    if request.param == "mysql":
        monkeypatch.setattr(connection, "vendor", "mysql")
    return request.param


def bucket(key="k", limit=2, window=60.0, reason=Reason.LIMIT_IP, **nature):
    return Bucket(key, limit, window, reason, **nature)


def count(*wanted, now=NOW, change=1, clear=()):
    with transaction.atomic():
        return tally.count(wanted, now, change, clear)


def held(key="k"):
    return Counter.objects.get(key=key).used


class TestRows:
    def test_it_counts_and_ends_windows(self, database):
        assert {"k": (1, NOW + 60)} == count(bucket())
        assert {"k": (2, NOW + 60)} == count(bucket(), now=NOW + 59)
        assert {"k": (1, NOW + 120)} == count(bucket(), now=NOW + 60)
        assert {"k": (0, NOW + 120)} == count(bucket(), now=NOW + 61, change=-1)

    def test_nothing_is_taken_from_nothing(self, database):
        count(bucket())
        for _ in range(3):
            counted = count(bucket(), change=-1)
        assert ({"k": (0, NOW + 60)}, 0) == (counted, held())

    @pytest.mark.parametrize("change", [-1, 0])
    def test_what_is_looked_at_or_taken_back_begins_no_window(self, change, database):
        assert {"k": (0, NOW)} == count(bucket(), change=change)
        assert {"k": (1, NOW + 110)} == count(bucket(), now=NOW + 50)
        assert {"k": (0, NOW + 200)} == count(bucket(), now=NOW + 200, change=change)
        assert {"k": (1, NOW + 261)} == count(bucket(), now=NOW + 201)

    def test_a_look_changes_nothing(self, database):
        count(bucket())
        assert {"k": (1, NOW + 60)} == count(bucket(), now=NOW + 5, change=0)

    def test_what_is_cleared_holds_nothing_and_its_neighbours_lose_one(self, database):
        for _ in range(3):
            count(bucket("a"), bucket("b"))
        assert {"a": (0, NOW + 60), "b": (2, NOW + 60)} == count(
            bucket("a"), bucket("b"), change=-1, clear=[bucket("a")]
        )

    def test_what_is_cleared_need_not_be_wanted_nor_be_there(self, database):
        count(bucket("a"))
        count(bucket("a"))
        assert {"a": (0, NOW + 60), "new": (0, NOW)} == count(change=-1, clear=[bucket("a"), bucket("new")])
        assert {"a": (1, NOW + 60)} == count(bucket("a"))

    def test_nothing_wanted_asks_nobody(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert {} == tally.count([], NOW)

    def test_the_order_of_asking_does_not_matter(self):
        """Rows are taken in the order of their keys: two requests cannot wait for each other."""
        orders = []
        for wanted in ("abc", "cab"):
            with CaptureQueriesContext(connection) as caught:
                tally.count([bucket(key) for key in wanted], NOW)
            statement = caught[-1]["sql"]
            orders.append([key for _, key in sorted((statement.index(f"'{key}'"), key) for key in wanted)])
        assert [["a", "b", "c"]] * 2 == orders

    def test_one_statement_counts_all(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            tally.count([bucket(str(index)) for index in range(12)], NOW)
        assert 12 == Counter.objects.count()

    def test_a_counter_tells_little_of_itself(self):
        count(bucket("0123456789abcdef"))
        assert "01234567: 1" == str(Counter.objects.get())


class TestPortable:
    """The way of databases without an upsert that answers counts the same."""

    @rules(deadline=None, max_examples=40)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([1, 1, 0, -1]),
                st.lists(st.sampled_from("abc"), min_size=1, unique=True),
                st.integers(0, 50),
                st.booleans(),
            ),
            max_size=12,
        )
    )
    def test_it_counts_as_the_one_statement_does(self, steps):
        Counter.objects.all().delete()
        now = NOW
        for change, keys, passed, clears in steps:
            now += passed
            told = []
            for way, suffix in ((tally._in_rows, "1"), (tally._row_by_row, "2")):
                chosen = [bucket(f"{key}{suffix}") for key in sorted(keys)]
                clear = {chosen[0].key} if clears and change == -1 else set()
                told.append({key[0]: value for key, value in way(chosen, now, change, clear).items()})
            assert told[0] == told[1]

    def test_such_a_database_serves_a_whole_login(self, monkeypatch):
        monkeypatch.setattr(connection, "vendor", "mysql")
        handle = begin()
        support.guess_wrong(handle)
        assert flow.check(handle, support.code(), OWNER).verified
        assert 1 == support.used("fails_per_number", NUMBER)

    def test_such_a_database_refuses_at_the_same_point(self, monkeypatch):
        monkeypatch.setattr(connection, "vendor", "mysql")
        for _ in range(2):
            with transaction.atomic():
                limits.charge([bucket()], BEGIN)
        with pytest.raises(limits.Limited) as limited, transaction.atomic():
            limits.charge([bucket()], BEGIN)
        assert (BEGIN + timedelta(seconds=60), 2) == (limited.value.retry_at, held())


class TestRotation:
    """A secret key is rotated out: what was counted under the old one goes on counting."""

    @pytest.fixture
    def rotate(self, settings):
        def to(key, *fallbacks):
            settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, list(fallbacks)

        to(OLD)
        return to

    def number(self):
        return limits.buckets("sends_per_number", NUMBER)[0]

    def test_counts_survive_and_the_old_row_is_the_new_one(self, rotate, database):
        count(self.number())
        count(self.number())
        rotate(NEW, OLD)
        assert (3, 1) == (count(self.number())[self.number().key][0], Counter.objects.count())

    def test_the_window_survives_too(self, rotate):
        count(self.number())
        rotate(NEW, OLD)
        assert NOW + 3600 == count(self.number(), now=NOW + 900)[self.number().key][1]

    def test_side_by_side_processes_are_added_up(self, rotate, database):
        count(self.number())
        rotate(NEW)
        count(self.number())
        count(self.number())
        rotate(NEW, OLD)
        assert (4, 1) == (count(self.number())[self.number().key][0], Counter.objects.count())

    def test_a_window_that_is_over_under_the_new_key_loses_nothing_of_the_old(self, rotate, database):
        rotate(NEW)
        count(self.number())
        rotate(OLD)
        for _ in range(4):
            count(self.number(), now=NOW + 3000)
        rotate(NEW, OLD)
        assert (5, NOW + 6600) == count(self.number(), now=NOW + 3700)[self.number().key]

    def test_a_window_that_is_over_under_the_old_key_adds_nothing(self, rotate, database):
        for _ in range(5):
            count(self.number())
        rotate(NEW)
        count(self.number(), now=NOW + 3000)
        rotate(NEW, OLD)
        assert 2 == count(self.number(), now=NOW + 3601)[self.number().key][0]

    def test_the_later_end_holds(self, rotate):
        rotate(NEW)
        count(self.number())
        rotate(OLD)
        count(self.number(), now=NOW + 3000)
        rotate(NEW, OLD)
        assert (3, NOW + 6600) == count(self.number(), now=NOW + 3500)[self.number().key]

    def test_two_keys_that_are_rotated_out_are_both_read(self, rotate):
        count(self.number())
        rotate("the one between")
        count(self.number())
        rotate(NEW, "the one between", OLD)
        assert 3 == count(self.number())[self.number().key][0]

    def test_a_key_that_was_dropped_is_forgotten(self, rotate):
        count(self.number())
        rotate(NEW)
        assert 1 == count(self.number())[self.number().key][0]

    def test_limits_waits_and_the_lock_hold_through_the_flow(self, rotate, settings, clock):
        support.configure(settings, HARD_STOP=2, LIMITS={"sends_per_number": "2/h"})
        for _ in range(2):
            handle = begin()
            support.guess_wrong(handle)
            clock.shift(301)
        rotate(NEW, OLD)
        assert Reason.LIMIT_NUMBER == flow.start(NUMBER, STRANGER).reason
        clock.shift(3600)
        handle = begin(visitor=STRANGER)
        assert Reason.LOCKED == flow.check(handle, support.code(), STRANGER).reason

    def test_the_wait_is_told_under_the_new_key(self, rotate):
        begin()
        rotate(NEW, OLD)
        assert BEGIN + timedelta(seconds=30) == limits.wait(NUMBER, OWNER, BEGIN)

    def test_a_success_clears_the_lock_of_the_old_key(self, rotate, settings, clock):
        support.configure(settings, HARD_STOP=3)
        handle = begin()
        support.guess_wrong(handle, times=2)
        rotate(NEW, OLD)
        assert flow.check(handle, support.code(), OWNER).verified
        clock.shift(31)
        handle = begin()
        support.guess_wrong(handle, times=2)
        assert flow.check(handle, support.code(), OWNER).verified

    def test_an_unlock_opens_what_the_old_key_locked(self, rotate, settings):
        support.configure(settings, HARD_STOP=1)
        handle = begin()
        support.guess_wrong(handle)
        rotate(NEW, OLD)
        flow.unlock(NUMBER)
        assert flow.check(handle, support.code(), OWNER).verified


def address(request):
    return f"memory://{request.node.name}"


class TestStore:
    """Coarse counts may live in a store; what belongs to one number never does."""

    @pytest.fixture
    def stored(self, request, settings):
        support.configure(settings, LIMITS_STORAGE=address(request))
        return tally._stores.get(address(request))

    def test_only_coarse_counts_go_there(self, stored):
        begin()
        keys = {one.key for one in limits.sends(NUMBER, OWNER)}
        coarse = {one.key for one in limits.joins(OWNER)}
        assert (3, {1}) == (len(coarse), {stored.get(key) for key in coarse})
        assert set(Counter.objects.values_list("key", flat=True)).isdisjoint(coarse)
        assert keys - coarse <= set(Counter.objects.values_list("key", flat=True))

    def test_they_hold_there_and_end(self, stored, settings, clock):
        support.configure(settings, LIMITS={"sends_per_ip": "1/h"})
        begin()
        clock.shift(600)
        outcome = flow.start(OTHER, OWNER)
        assert (Reason.LIMIT_IP, BEGIN + timedelta(hours=1)) == (outcome.reason, outcome.retry_at)
        clock.shift(3001)
        assert Reason.OK == flow.start(OTHER, OWNER).reason

    def test_a_refused_request_spends_nothing_there(self, stored, settings):
        support.configure(settings, LIMITS={"sends_per_session": "1/h"})
        begin()
        before = [stored.get(one.key) for one in limits.joins(OWNER)]
        assert Reason.LIMIT_SESSION == flow.start(OTHER, OWNER).reason
        assert before == [stored.get(one.key) for one in limits.joins(OWNER)]

    def test_a_right_code_is_given_back_there(self, stored):
        assert flow.check(begin(), support.code(), OWNER).verified
        assert {0} == {stored.get(one.key) for one in limits.fails_of_address(OWNER)}

    def test_a_decoy_is_told_the_time_that_others_are_told(self, stored, settings, clock):
        support.configure(settings, SIGNUP=False, LIMITS={"sends_per_site": "1/h"})
        with transaction.atomic():
            limits.charge([*limits.blocks(OTHER), *limits.larger("US")], BEGIN)
        clock.shift(600)
        outcome = flow.start(NUMBER, OWNER)
        assert (Reason.LIMIT_SITE, BEGIN + timedelta(hours=1)) == (outcome.reason, outcome.retry_at)

    def test_one_that_fails_is_replaced_by_the_rows_and_rests(self, settings, caplog):
        pytest.importorskip("redis")
        where = f"redis://127.0.0.1:{services.free_port()}/0"
        support.configure(settings, LIMITS_STORAGE=where, LIMITS={"sends_per_ip": "1/h"})
        begin()
        assert (1, 1) == (support.used("sends_per_ip", OWNER.ip), len(caplog.records))
        assert where not in caplog.text
        assert Reason.LIMIT_IP == flow.start(OTHER, OWNER).reason
        assert 1 == len(caplog.records)
        assert tally._stores.get(where) is None

    def test_a_store_is_made_once(self, stored, request):
        assert stored is tally._stores.get(address(request))

    @pytest.mark.redis
    def test_redis_counts_and_tells_the_end(self, settings, redis_url):
        support.configure(settings, LIMITS_STORAGE=redis_url)
        one = bucket("of the tests of the tally", limit=1, coarse=True)
        assert 1 == count(one)[one.key][0]
        used, ends_at = count(one)[one.key]
        assert (2, 0) == (used, Counter.objects.count())
        assert ends_at > 0
        tally.give_back_stored([one])
        assert 1 == count(one, change=0)[one.key][0]
