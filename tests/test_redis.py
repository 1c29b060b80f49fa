"""Limits with a Redis of their own: what belongs to a number stays exact whatever becomes of it."""

from __future__ import annotations

import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import perf_counter

import pytest
import redis
from django.db import connections, transaction

from passwordless import flow, guard, limits, numbers, tally
from passwordless.models import Counter, VerificationAttempt
from passwordless.outcomes import Visitor
from passwordless.states import Reason, Status
from tests import services, support
from tests.support import BEGIN, asked, configure, guess_wrong, used

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]

COARSE = sorted(limits.DEFAULTS.keys() - limits.EXACT)
HERE = Visitor(ip="198.51.100.77", session="session of one")


class Server:
    """A Redis of one test, which may be stopped, emptied and started again at its port."""

    def __init__(self):
        name = f"redis-{uuid.uuid4().hex[:12]}"
        self.folder, self.port = services.folder_of(name), services.free_port()
        self.name, self.pid = name, 0
        self.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": "", "appendonly": "no"}
        words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
        command = [services.program("redis-server"), *words]
        ready = lambda: services.answers_ping(self.port)  # noqa: E731
        self.pid = services.launch(self.name, command, self.port, ready)["pid"]

    def stop(self):
        if self.pid:
            services.stop(self.pid)
        self.pid = 0

    def ask(self, *words):
        with redis.Redis(port=self.port) as connection:
            return connection.execute_command(*words)


@pytest.fixture
def server():
    made = Server()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def clock(settings):
    with support.world() as traveller:
        yield traveller
    for store in tally._stores._made.values():
        if hasattr(store.storage, "close"):  # one in memory, of another test, has nothing to close
            store.storage.close()
    tally._stores._made.clear()
    tally._stores._resting.clear()


def use(settings, url, **rates):
    configure(settings, LIMITS_STORAGE=url, LIMITS=rates)


def fresh():
    """Return a subject that nobody has counted yet: the Redis of a run is shared."""
    return f"10.{uuid.uuid4().int % 250}.{uuid.uuid4().int % 250}.{uuid.uuid4().int % 250}"


def charge(wanted, now=BEGIN):
    """Charge as a request would; return the reason of a refusal, or None."""
    try:
        with transaction.atomic():
            limits.charge(wanted, now)
    except limits.Limited as limited:
        return limited.reason
    return None


def at_once(times, act, workers=16):
    def run(index):
        try:
            return act(index)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, range(times)))


def rows():
    return Counter.objects.count()


class TestWhere:
    @pytest.mark.parametrize("name", COARSE)
    def test_coarse_limits_are_counted_there(self, settings, redis_url, name):
        use(settings, redis_url, **{name: limits.DEFAULTS[name]})
        wanted = limits.buckets(name, fresh())
        assert [None] * wanted[0].limit == [charge(wanted) for _ in range(wanted[0].limit)]
        assert wanted[0].reason == charge(wanted)
        assert 0 == rows()

    @pytest.mark.parametrize("name", sorted(limits.EXACT))
    def test_those_of_a_number_stay_in_the_database(self, settings, redis_url, name):
        use(settings, redis_url)
        wanted = limits.buckets(name, support.NUMBER)
        for _ in range(wanted[0].limit):
            assert charge(wanted) is None
        assert wanted[0].reason == charge(wanted)
        assert len(wanted) == rows()

    def test_a_login_keeps_waits_and_the_hard_stop_in_the_database(self, settings, server):
        use(settings, server.url, sends_per_block_1000="5/10min", sends_per_site="300/h")
        handle = support.begin(visitor=HERE)
        guess_wrong(handle, visitor=HERE)
        kept = set(Counter.objects.values_list("key", flat=True))
        narrow = [*limits._waits(support.NUMBER), limits.hard_stop(support.NUMBER)]
        narrow += [one for name in limits.EXACT for one in limits.buckets(name, support.NUMBER)]
        assert {bucket.key for bucket in narrow} == kept
        there = {key.decode() for key in server.ask("KEYS", "*")}
        assert not any(key in text for key in kept for text in there)
        wide = [
            *limits.joins(HERE),
            *limits.fails_of_address(HERE),
            *limits.blocks(support.NUMBER),
            *limits.larger("US"),
        ]
        assert len({bucket.key for bucket in wide}) == len(there)

    def test_no_key_there_tells_an_address_or_a_number(self, settings, server):
        use(settings, server.url, sends_per_block_1000="5/10min")
        support.begin(visitor=HERE)
        text = b" ".join(server.ask("KEYS", "*"))
        assert not any(word in text for word in (b"198.51", b"14155550", b"session of"))

    def test_the_window_ends_there(self, settings, server):
        use(settings, server.url, sends_per_ip="5/h")
        (bucket,) = limits.buckets("sends_per_ip", fresh())
        charge([bucket])
        (key,) = server.ask("KEYS", "*")
        assert 3590 <= server.ask("TTL", key) <= 3600


class TestExactness:
    def test_of_many_at_once_exactly_the_limit_is_granted(self, settings, redis_url):
        use(settings, redis_url, sends_per_ip="10/h")
        wanted = limits.buckets("sends_per_ip", fresh())
        told = at_once(40, lambda _index: charge(wanted))
        assert (10, 30) == (told.count(None), told.count(Reason.LIMIT_IP))
        assert Reason.LIMIT_IP == charge(wanted)

    def test_many_starts_at_once_send_what_the_address_is_allowed(self, settings, redis_url):
        use(settings, redis_url, sends_per_ip="4/h")
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "MAX_CALLS": 64}
        who = Visitor(ip=fresh())
        told = at_once(12, lambda index: flow.start(f"+141555501{index:02d}", who).reason, workers=6)
        assert (4, 8) == (told.count(Reason.OK), told.count(Reason.LIMIT_IP))
        assert (4,) == asked("start")

    def test_of_many_starts_for_one_number_one_is_sent(self, settings, redis_url):
        use(settings, redis_url)
        at_once(12, lambda _index: flow.start(support.NUMBER, Visitor(ip=fresh())), workers=6)
        assert (1,) == asked("start")
        assert 1 == used("sends_per_number", support.NUMBER)


class TestGivingBack:
    def test_a_refusal_takes_back_what_it_counted_beside(self, settings, redis_url):
        use(settings, redis_url, sends_per_ip="2/h", sends_per_session="1/h")
        address, session = fresh(), fresh()
        wanted = [*limits.buckets("sends_per_ip", address), *limits.buckets("sends_per_session", session)]
        assert charge(wanted) is None
        assert [Reason.LIMIT_SESSION] * 5 == [charge(wanted) for _ in range(5)]
        assert charge(limits.buckets("sends_per_ip", address)) is None
        assert Reason.LIMIT_IP == charge(limits.buckets("sends_per_ip", address))

    def test_one_by_a_number_takes_back_what_the_address_had_paid(self, settings, redis_url):
        use(settings, redis_url, sends_per_ip="2/h", sends_per_number="1/h")
        who = Visitor(ip=fresh())
        assert charge(limits.sends(support.NUMBER, who)) is None
        assert [Reason.WAIT] * 4 == [
            charge([*limits.joins(who), limits._gate(support.NUMBER)]) for _ in range(4)
        ]
        assert charge(limits.joins(who)) is None
        assert Reason.LIMIT_IP == charge(limits.joins(who))

    def test_one_by_a_wide_limit_takes_back_what_the_address_had_paid(self, settings, server):
        use(settings, server.url, sends_per_ip="3/h", sends_per_block_1000="1/h")
        who = Visitor(ip=fresh())
        told = [flow.start(f"+141555501{index:02d}", who).reason for index in range(6)]
        others = [
            flow.start(number, who).reason for number in ("+12125550113", "+14915550114", "+19165550115")
        ]
        assert [Reason.OK, *[Reason.LIMIT_BLOCK] * 5] == told
        assert [Reason.OK, Reason.OK, Reason.LIMIT_IP] == others

    def test_one_by_the_pumping_guard_does_so_too(self, settings, redis_url):
        configure(settings, LIMITS_STORAGE=redis_url, PUMPING_GUARD="enforce", LIMITS={"sends_per_ip": "2/h"})
        for index in range(10):
            support.make(number=f"+141555501{index:02d}", status=Status.FAILED, ended_at=BEGIN)
            with transaction.atomic():
                limits.count(guard.gates("+14155550199"), BEGIN)
        who = Visitor(ip=fresh())
        assert [Reason.BLOCK_CLOSED] * 3 == [flow.start("+14155550199", who).reason for _ in range(3)]
        assert [Reason.OK, Reason.OK] == [flow.start(f"+121255501{n}", who).reason for n in (13, 14)]

    def test_a_right_code_takes_back_its_check(self, settings, redis_url):
        use(settings, redis_url, fails_per_ip="1/h")
        who = Visitor(ip=fresh())
        for number in ("+12125550113", "+12125550114"):
            handle = support.begin(number, who)
            assert flow.check(handle, support.code(number), who).verified
        handle = support.begin("+12125550115", who)
        assert Reason.WRONG_CODE == guess_wrong(handle, visitor=who, number="+12125550115").reason
        assert Reason.LIMIT_FAILS_IP == guess_wrong(handle, visitor=who, number="+12125550115").reason

    def test_what_is_only_looked_at_is_not_counted(self, settings, redis_url):
        use(settings, redis_url, sends_per_ip="2/h")
        wanted = limits.buckets("sends_per_ip", fresh())
        for _ in range(9):
            with transaction.atomic():
                limits.demand(wanted, BEGIN)
        assert [None, None, Reason.LIMIT_IP] == [charge(wanted) for _ in range(3)]

    def test_decoys_are_told_the_same_end_of_the_window(self, settings, server, django_user_model):
        use(settings, server.url, sends_per_site="1/h")
        assert Reason.OK == flow.start("+12125550113", Visitor(ip=fresh())).reason
        for key in server.ask("KEYS", "*"):
            server.ask("EXPIRE", key, 600)
        numbers.link(django_user_model.objects.create_user("known"), "+12125550114")
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "SIGNUP": False}
        known, unknown = (flow.start(f"+121255501{n}", Visitor(ip=fresh())) for n in (14, 15))
        assert Reason.LIMIT_SITE == known.reason == unknown.reason
        assert abs(known.retry_at - unknown.retry_at) < timedelta(seconds=3)


class TestLoss:
    """Redis dies or forgets in the middle of an attack."""

    LIMIT = 6

    @pytest.fixture(params=["stopped", "flushed", "stopped and back, empty"])
    def lose(self, request, server):
        def act():
            if request.param == "flushed":
                server.ask("FLUSHALL")
                return
            server.stop()
            if request.param != "stopped":
                server.start()

        return act

    def test_i14_the_address_gets_at_most_twice_its_limit(self, settings, server, lose):
        use(settings, server.url, sends_per_ip=f"{self.LIMIT}/h")
        wanted = limits.buckets("sends_per_ip", fresh())
        told = [charge(wanted) for _ in range(self.LIMIT + 3)]
        lose()
        told += [charge(wanted) for _ in range(3 * self.LIMIT)]
        assert self.LIMIT <= told.count(None) <= 2 * self.LIMIT
        assert Reason.LIMIT_IP == told[-1]

    def test_i14_with_threads_too(self, settings, server, lose):
        use(settings, server.url, sends_per_ip=f"{self.LIMIT}/h")
        wanted = limits.buckets("sends_per_ip", fresh())
        half = at_once(self.LIMIT // 2, lambda _index: charge(wanted))
        lose()
        told = half + at_once(4 * self.LIMIT, lambda _index: charge(wanted), workers=6)
        assert self.LIMIT <= told.count(None) <= 2 * self.LIMIT

    def test_i14_sends_to_a_number_are_exact(self, settings, server, lose, clock):
        use(settings, server.url, sends_per_ip="100/h", sends_per_session="100/h")
        told = []
        for index in range(12):
            if index == 3:
                lose()
            told.append(flow.start(support.NUMBER, Visitor(ip=fresh())).reason)
            clock.shift(610 if index < 5 else 1)
            VerificationAttempt.objects.update(live_number=None)
        assert 5 == told.count(Reason.OK)
        assert (5,) == asked("start")

    def test_i14_guesses_of_a_number_are_exact(self, settings, server, lose, clock):
        use(settings, server.url, sends_per_number="100/h", sends_per_ip="100/h")
        told = []
        for index in range(6):
            if index == 2:
                lose()
            handle = support.begin(visitor=Visitor(ip=fresh()))
            for _ in range(3):
                told.append(guess_wrong(handle, visitor=Visitor(ip=fresh())).reason)
            clock.shift(601)
            VerificationAttempt.objects.update(live_number=None)
        assert (10,) == asked("check")
        assert {Reason.LIMIT_FAILS} == set(told[10:])

    def test_i14_the_wait_between_messages_holds(self, settings, server, lose, clock):
        use(settings, server.url)
        handle = support.begin(visitor=HERE)
        lose()
        clock.shift(29)
        assert Reason.WAIT == flow.advance(handle, HERE).reason
        assert (1, 0) == asked("start", "advance")

    def test_i14_it_costs_no_login(self, settings, server, lose):
        use(settings, server.url)
        handle = support.begin(visitor=HERE)
        lose()
        assert flow.check(handle, support.code(), HERE).verified

    def test_i14_the_hard_stop_holds(self, settings, server, lose):
        configure(settings, LIMITS_STORAGE=server.url, HARD_STOP=2, LIMITS={})
        handle = support.begin(visitor=HERE)
        guess_wrong(handle, 2, visitor=HERE)
        lose()
        assert Reason.LOCKED == flow.check(handle, support.code(), HERE).reason


def test_a_store_that_failed_is_left_alone_for_a_while_and_then_asked_again(settings, server, caplog):
    use(settings, server.url, sends_per_ip="5/h")
    wanted = limits.buckets("sends_per_ip", fresh())
    server.stop()
    assert [None] * 2 == [charge(wanted) for _ in range(2)]
    assert 1 == sum("does not answer" in record.getMessage() for record in caplog.records)
    assert 2 == Counter.objects.get(key=wanted[0].key).used
    server.start()
    assert charge(wanted) is None
    assert [] == server.ask("KEYS", "*")
    tally._stores._resting.clear()
    assert charge(wanted) is None
    assert 1 == len(server.ask("KEYS", "*"))


def test_a_store_that_hangs_is_given_up_within_a_second(settings):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        use(settings, f"redis://127.0.0.1:{deaf.getsockname()[1]}/0", sends_per_ip="5/h")
        began = perf_counter()
        assert charge(limits.buckets("sends_per_ip", fresh())) is None
        assert perf_counter() - began < 5
    assert 1 == rows()
