"""Limits: what is counted, for whom, exactly how often, and until when."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import settings as rules
from hypothesis import strategies as st

from passwordless import flow, limits, numbers
from passwordless.models import Counter, VerificationAttempt
from passwordless.outcomes import Visitor
from passwordless.states import EventKind, Public, Reason, Status
from tests import support
from tests.support import BEGIN, NUMBER, OTHER, OWNER, STRANGER


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


def after(seconds):
    return BEGIN + timedelta(seconds=seconds)


def charge(wanted, now=BEGIN):
    with transaction.atomic():
        limits.charge(wanted, now)


def refused(wanted, now=BEGIN):
    """Return who refuses, or None."""
    try:
        charge(wanted, now)
    except limits.Limited as limited:
        return limited
    return None


def bucket(key="k", limit=2, window=60.0, reason=Reason.LIMIT_IP):
    return limits.Bucket(key, limit, window, reason)


def held(key="k"):
    return Counter.objects.get(key=key).used


def test_strangers_spend_no_calls_of_a_browser_that_logged_in_before():
    own = {bucket.key for bucket in limits.calls(NUMBER, Visitor(device="known"))}
    assert own.isdisjoint(bucket.key for bucket in limits.calls(NUMBER, STRANGER))


class TestRates:
    @rules(deadline=None)
    @given(
        st.lists(
            st.tuples(st.integers(0, 10**6), st.integers(1, 10**4), st.sampled_from(sorted(limits.UNITS))),
            min_size=1,
        )
    )
    def test_what_is_written_is_read(self, rates):
        text = ", ".join(f"{count}/{times if times > 1 else ''}{unit}" for count, times, unit in rates)
        assert tuple((count, times * limits.UNITS[unit]) for count, times, unit in rates) == limits.parse(
            text
        )

    @rules(deadline=None)
    @given(st.text(max_size=30))
    def test_anything_else_is_a_value_error(self, text):
        try:
            rates = limits.parse(text)
        except ValueError:
            return
        assert len(text.split(",")) == len(rates)
        assert all(count >= 0 and window > 0 for count, window in rates)

    @pytest.mark.parametrize(
        "text", ["", "5", "5/", "/h", "5/h,", "5/w", "-5/h", "5/-1h", "5h", "5/hh", "1.5/h", "5/h 10/d"]
    )
    def test_slips_are_refused_and_named(self, text):
        with pytest.raises(ValueError, match="is not a rate"):
            limits.parse(text)

    def test_a_window_of_nothing_is_no_window(self):
        with pytest.raises(ValueError, match="is not a rate"):
            limits.parse("5/0h")

    def test_none_is_no_limit(self):
        assert () == limits.parse(None)
        assert ((5, 3600), (10, 86400), (30, 600)) == limits.parse("5/h, 10/d,30 / 10min")

    def test_the_shipped_ones(self):
        assert limits.DEFAULTS == {
            "sends_per_number": "5/h, 10/d",
            "sends_per_session": "5/h",
            "sends_per_ip": "10/h, 30/d",
            "calls_per_number": "2/d",
            "fails_per_number": "10/h, 20/d",
            "fails_per_ip": "30/10min, 100/d",
            "sends_per_block_1000": "5/10min",
            "sends_per_block_10000": "20/h",
            "sends_per_country": "100/h",
            "sends_per_site": "300/h, 2000/d",
        }
        assert limits.DEFAULTS.keys() == limits.REASONS.keys()


class TestCharging:
    @pytest.mark.parametrize("name", limits.DEFAULTS)
    def test_each_limit_grants_what_it_says_and_no_more(self, name, settings):
        support.configure(settings, LIMITS=limits.DEFAULTS)
        first = limits.buckets(name, "somebody")[0]
        for _ in range(first.limit):
            charge([first])
        limited = refused([first])
        assert (limits.REASONS[name], after(first.window), first.limit) == (
            limited.reason, limited.retry_at, held(first.key),
        )  # fmt: skip

    def test_the_window_counts_from_the_first_and_ends(self):
        charge([bucket()], BEGIN)
        charge([bucket()], after(59))
        assert after(60) == refused([bucket()], after(59.9)).retry_at
        charge([bucket()], after(60))
        assert 1 == held()
        charge([bucket()], after(61))
        assert after(120) == refused([bucket()], after(62)).retry_at

    def test_the_day_holds_when_the_hour_is_over(self):
        for hour in range(2):
            for _ in range(5):
                charge(limits.buckets("sends_per_number", NUMBER), after(3600 * hour))
        limited = refused(limits.buckets("sends_per_number", NUMBER), after(7200))
        assert (86400, after(86400)) == (limited.bucket.window, limited.retry_at)

    def test_a_refused_request_spends_nothing_anywhere(self):
        charge([bucket("full", limit=1)])
        before = support.counters()
        assert "full" == refused([bucket("a"), bucket("full", limit=1), bucket("z")]).bucket.key
        assert before == support.counters()

    def test_the_one_that_stays_full_longest_refuses(self):
        both = [bucket("short", 1, 60, Reason.LIMIT_IP), bucket("long", 1, 600, Reason.LIMIT_NUMBER)]
        charge(both)
        assert (Reason.LIMIT_NUMBER, after(600)) == ((one := refused(both)).reason, one.retry_at)

    def test_a_limit_of_none_at_all_refuses_the_first(self):
        assert Reason.LIMIT_IP == refused([bucket(limit=0)]).reason

    def test_a_bucket_named_twice_is_charged_once(self):
        charge([bucket(), bucket()])
        assert 1 == held()

    def test_nothing_wanted_asks_no_database(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            limits.charge([], BEGIN)
            limits.give_back([], BEGIN)
        assert 0 == Counter.objects.count()

    def test_refusals_of_one_window_have_one_tag(self):
        charge([bucket(limit=1)])
        tags = {refused([bucket(limit=1)], after(seconds)).tag for seconds in (1, 30, 59)}
        assert 1 == len(tags)
        charge([bucket(limit=1)], after(61))
        assert refused([bucket(limit=1)], after(62)).tag not in tags

    def test_the_longest_tag_fits_its_column(self):
        first = limits.buckets("sends_per_number", NUMBER)[0]
        assert 80 >= len(limits.Limited(first, 9999999999.0).tag)

    def test_all_buckets_take_one_statement_however_many_rows_there_are(self):
        counts = []
        for size in (0, 500):
            Counter.objects.bulk_create(
                Counter(key=f"{size}.{row}", ends_at=BEGIN.timestamp()) for row in range(size)
            )
            with CaptureQueriesContext(connection) as caught:
                limits.charge(limits.joins(OWNER), BEGIN)
            counts.append(len(caught))
        assert [1, 1] == counts


class TestGivingBack:
    def test_one_is_taken_back(self):
        charge([bucket()])
        charge([bucket()])
        limits.give_back([bucket()], BEGIN)
        assert 1 == held()
        assert refused([bucket()]) is None

    def test_never_below_nothing(self):
        charge([bucket()])
        for _ in range(3):
            limits.give_back([bucket()], BEGIN)
        assert 0 == held()

    def test_a_window_that_has_ended_takes_nothing_back_and_none_begins(self):
        charge([bucket()])
        limits.give_back([bucket()], after(70))
        charge([bucket()], after(100))
        charge([bucket()], after(159))
        assert after(160) == refused([bucket()], after(159.5)).retry_at


class TestSubjects:
    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("198.51.100.1", "198.51.100.1", True),
            ("198.51.100.1", "198.51.100.2", False),
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
            (None, "", True),
            (None, "198.51.100.1", False),
            ("::ffff:198.51.100.1", "198.51.100.1", True),
            ("::ffff:198.51.100.1", "::ffff:198.51.100.2", False),
            ("::FFFF:C633:6401", "198.51.100.1", True),
            ("::ffff:198.51.100.1", "::1", False),
            ("::198.51.100.1", "198.51.100.1", False),
        ],
    )
    def test_what_counts_as_one_address(self, one, other, same):
        assert same is (limits.network(one) == limits.network(other))

    def test_an_address_in_the_clothes_of_ipv6_has_the_same_budget(self, settings):
        support.configure(settings, LIMITS={"sends_per_ip": "1/h"})
        charge(limits.joins(Visitor(ip="198.51.100.1")))
        assert Reason.LIMIT_IP == refused(limits.joins(Visitor(ip="::ffff:198.51.100.1"))).reason

    def test_a_missing_address_is_limited_too(self, settings):
        support.configure(settings, LIMITS={"sends_per_ip": "1/h"})
        charge(limits.joins(Visitor()))
        assert Reason.LIMIT_IP == refused(limits.joins(Visitor())).reason

    def test_a_missing_session_is_not_counted(self):
        reasons = {one.reason for one in limits.joins(Visitor(ip="198.51.100.1"))}
        assert {Reason.LIMIT_IP} == reasons

    def test_a_message_is_charged_to_number_address_session_and_waits(self):
        assert {
            Reason.LIMIT_NUMBER, Reason.LIMIT_IP, Reason.LIMIT_SESSION, Reason.WAIT,
        } == {one.reason for one in limits.sends(NUMBER, OWNER)}  # fmt: skip

    def test_a_join_is_charged_to_nothing_of_the_number(self):
        joins = {one.key for one in limits.joins(OWNER)}
        of_number = {one.key for one in limits.sends(NUMBER, OWNER)} - joins
        assert {Reason.LIMIT_IP, Reason.LIMIT_SESSION} == {one.reason for one in limits.joins(OWNER)}
        assert of_number.isdisjoint({one.key for one in limits.sends(OTHER, OWNER)})

    def test_keys_hold_no_number_no_address_and_no_session(self):
        charge([*limits.sends(NUMBER, OWNER), *limits.calls(NUMBER, OWNER), *limits.fails(NUMBER, OWNER)])
        keys = list(Counter.objects.values_list("key", flat=True))
        assert {limits.SEALED} == {len(key.partition(".")[0]) for key in keys}
        # What is counted of one subject lies side by side in the index.
        assert 3 == len({key.partition(".")[0] for key in keys})
        for secret in (NUMBER[1:], OWNER.ip, OWNER.session):
            assert not any(secret in key for key in keys)
        assert not any(NUMBER in str(counter) for counter in Counter.objects.all())

    def test_keys_depend_on_the_secret(self, settings):
        before = limits.buckets("sends_per_number", NUMBER)[0].key
        settings.SECRET_KEY = "another one of the tests"
        assert before != limits.buckets("sends_per_number", NUMBER)[0].key

    def test_counters_survive_a_new_secret_while_the_old_one_is_a_fallback(self, settings):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the old one of the tests", []
        for _ in range(5):
            charge(limits.buckets("sends_per_number", NUMBER))
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the new one of the tests", [settings.SECRET_KEY]
        assert Reason.LIMIT_NUMBER == getattr(
            refused(limits.buckets("sends_per_number", NUMBER)), "reason", None
        )


class TestWaits:
    def test_a_number_without_a_message_waits_for_nothing(self):
        assert limits.wait(NUMBER, OWNER, BEGIN) is None

    def test_the_waits_are_those_of_the_setting(self, settings):
        support.configure(settings, RESEND_WAITS=[40, 50], LIMITS=dict.fromkeys(limits.DEFAULTS))
        now, waits = BEGIN, []
        for _ in range(4):
            charge(limits.sends(NUMBER, OWNER), now)
            until = limits.wait(NUMBER, OWNER, now)
            assert Reason.WAIT == refused(limits.sends(NUMBER, OWNER), until - timedelta(seconds=1)).reason
            waits.append((until - now).total_seconds())
            now = until
        assert [40, 50, 50, 50] == waits

    def test_after_an_hour_they_begin_anew(self):
        for seconds in (0, 31, 3600):
            charge(limits.sends(NUMBER, OWNER), after(seconds))
        assert after(3630) == limits.wait(NUMBER, OWNER, after(3600))

    def test_one_number_does_not_wait_for_another(self):
        charge(limits.sends(NUMBER, OWNER))
        assert limits.wait(OTHER, OWNER, BEGIN) is None
        assert refused(limits.sends(OTHER, OWNER)) is None


class TestWide:
    """Blocks of numbers, country and site: charged in a second step, once the narrow ones have granted it."""

    NAMES = ("sends_per_block_1000", "sends_per_block_10000", "sends_per_country", "sends_per_site")

    def spent(self):
        subjects = (NUMBER[:-3], NUMBER[:-4], "US", "site")
        return [support.used(name, subject) for name, subject in zip(self.NAMES, subjects, strict=True)]

    @pytest.fixture
    def generous(self, settings):
        support.configure(settings, LIMITS=dict.fromkeys(self.NAMES, "100/h"))
        return settings

    def test_a_message_is_charged_to_each(self, generous):
        support.begin()
        assert [1, 1, 1, 1] == self.spent()

    @pytest.mark.parametrize(
        ("name", "reason", "neighbour", "elsewhere"),
        [
            ("sends_per_block_1000", Reason.LIMIT_BLOCK, "+14155550999", "+14155551000"),
            ("sends_per_block_10000", Reason.LIMIT_BLOCK, "+14155551000", "+14155560101"),
            ("sends_per_country", Reason.LIMIT_COUNTRY, "+12125550123", "+46701740605"),
            ("sends_per_site", Reason.LIMIT_SITE, "+46701740605", None),
        ],
    )
    def test_below_at_and_above(self, name, reason, neighbour, elsewhere, settings, clock):
        support.configure(settings, LIMITS={name: "2/10min"})
        for index, number in enumerate((NUMBER, OTHER)):
            assert Reason.OK == flow.start(number, Visitor(ip=f"203.0.113.{index}")).reason
        outcome = flow.start(neighbour, Visitor(ip="203.0.113.9"))
        assert (Status.REFUSED, reason, after(600), None, Public.WAIT) == (
            outcome.status, outcome.reason, outcome.retry_at, outcome.handle, outcome.public,
        )  # fmt: skip
        assert (2,) == support.asked("start")
        if elsewhere:
            assert Reason.OK == flow.start(elsewhere, Visitor(ip="203.0.113.9")).reason
        clock.shift(600)
        assert Reason.OK == flow.start(neighbour, Visitor(ip="203.0.113.9")).reason

    @pytest.mark.parametrize("name", NAMES)
    def test_refused_by_one_spends_nothing_narrow_nor_wide(self, name, settings):
        support.configure(settings, LIMITS={**dict.fromkeys(self.NAMES, "100/h"), name: "1/h"})
        support.begin()
        before = support.counters()
        assert flow.start(OTHER, OWNER).status is Status.REFUSED
        assert before == support.counters()
        assert Reason.OK != flow.start(OTHER, STRANGER).reason

    @pytest.mark.parametrize("narrow", ["sends_per_number", "sends_per_session", "sends_per_ip"])
    def test_what_a_narrow_limit_refuses_is_not_even_asked_of_the_wide(self, narrow, generous, clock):
        support.configure(generous, LIMITS={**dict.fromkeys(self.NAMES, "100/h"), narrow: "1/d"})
        assert flow.check(support.begin(), support.code(), OWNER).verified
        clock.shift(301)
        with CaptureQueriesContext(connection) as caught:
            assert flow.start(NUMBER, OWNER).status is Status.REFUSED
        keys = [one.key for one in [*limits.blocks(NUMBER), *limits.larger("US")]]
        assert [1, 1, 1, 1] == self.spent()
        assert not any(key in query["sql"] for query in caught for key in keys)

    def test_a_number_that_must_wait_spends_nothing_wide(self, generous):
        flow.check(support.begin(), support.code(), OWNER)
        assert Reason.WAIT == flow.start(NUMBER, STRANGER).reason
        assert [1, 1, 1, 1] == self.spent()

    def test_a_join_spends_nothing_wide(self, generous):
        support.begin()
        support.begin(visitor=STRANGER)
        assert [1, 1, 1, 1] == self.spent()

    def test_each_further_message_is_charged_too(self, generous, clock):
        handle = support.begin()
        clock.shift(61)
        assert Reason.OK == flow.advance(handle, OWNER).reason
        assert [2, 2, 2, 2] == self.spent()

    @pytest.mark.parametrize("name", NAMES)
    def test_a_further_message_is_refused_by_each_too(self, name, settings, clock):
        support.configure(settings, LIMITS={name: "1/h"})
        handle = support.begin()
        clock.shift(61)
        outcome = flow.advance(handle, OWNER)
        assert (Status.PENDING, limits.REASONS[name], after(3600)) == (
            outcome.status, outcome.reason, outcome.retry_at,
        )  # fmt: skip
        assert flow.check(handle, support.code(), OWNER).verified

    def test_checks_cost_nothing_wide(self, generous):
        support.guess_wrong(support.begin(), times=3)
        assert [1, 1, 1, 1] == self.spent()

    def test_numbers_of_no_country_share_one(self, generous):
        assert limits.larger("") == limits.larger("nowhere")
        assert limits.larger("") != limits.larger("US")

    @pytest.mark.parametrize("name", NAMES)
    def test_decoys_are_refused_with_the_others(self, name, settings):
        support.configure(settings, SIGNUP=False, LIMITS={name: "1/h"})
        numbers.link(get_user_model().objects.create_user("known"), OTHER)
        assert Reason.OK == flow.start(OTHER, STRANGER).reason
        outcome = flow.start(NUMBER, OWNER)
        assert (Status.REFUSED, limits.REASONS[name], after(3600), None) == (
            outcome.status, outcome.reason, outcome.retry_at, outcome.handle,
        )  # fmt: skip

    @pytest.mark.parametrize("name", ["sends_per_country", "sends_per_site"])
    def test_decoys_spend_nothing_of_country_and_site(self, name, settings):
        """Nothing was sent, and a stranger could empty the day of a site by numbers that nobody has."""
        support.configure(settings, SIGNUP=False, LIMITS={name: "1/h"})
        numbers.link(get_user_model().objects.create_user("known"), OTHER)
        for index in range(3):
            assert Reason.OK == flow.start(f"+141555502{index:02d}", OWNER).reason
        assert 0 == support.used(name, "US" if name == "sends_per_country" else "site")
        assert Reason.OK == flow.start(OTHER, STRANGER).reason

    def test_a_look_counts_nothing_and_refuses_where_a_charge_would(self):
        for used in (0, 1):
            with transaction.atomic():
                limits.demand([bucket()], BEGIN)
            assert used == held()
            charge([bucket()])
        with pytest.raises(limits.Limited) as limited:
            limits.demand([bucket(), bucket("another")], after(59))
        assert (Reason.LIMIT_IP, after(60), 2) == (limited.value.reason, limited.value.retry_at, held())
        limits.demand([bucket(), bucket("another")], after(60))

    def test_a_look_at_nothing_asks_no_database(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            limits.demand([], BEGIN)
        assert 0 == Counter.objects.count()

    def test_a_look_at_what_is_only_recorded_refuses_nobody(self, settings):
        support.configure(settings, LIMITS_ENFORCE=False)
        charge([bucket(limit=1)])
        limits.demand([bucket(limit=1)], BEGIN)
        assert 1 == held()


class TestRecordOnly:
    """LIMITS_ENFORCE=False: limits say what they would have refused; what guards a person still holds."""

    def noted(self, handle):
        events = support.attempt(handle).events.filter(kind=EventKind.NOTED)
        return sorted(events.values_list("reason", flat=True))

    @pytest.fixture
    def recording(self, settings):
        def to(**rates):
            support.configure(settings, LIMITS_ENFORCE=False, LIMITS=rates)

        return to

    @pytest.mark.parametrize(
        "name",
        ["sends_per_number", "sends_per_session", "sends_per_ip", "calls_per_number", "sends_per_block_1000",
         "sends_per_block_10000", "sends_per_country", "sends_per_site"],
    )  # fmt: skip
    def test_a_send_over_a_limit_goes_out_and_is_noted(self, name, recording, clock):
        recording(**{name: "1/h"})
        first = support.begin()
        clock.shift(301)
        second = support.begin()
        assert ([], [limits.REASONS[name]]) == (self.noted(first), self.noted(second))
        assert (2,) == support.asked("start")
        assert not VerificationAttempt.objects.filter(status=Status.REFUSED).exists()

    def test_who_it_was_is_noted(self, recording, clock):
        recording(sends_per_ip="0/h")
        event = support.attempt(support.begin()).events.get(kind=EventKind.NOTED)
        assert (OWNER.ip, BEGIN, Reason.LIMIT_IP) == (event.ip, event.at, event.reason)

    @pytest.mark.parametrize("name", ["fails_per_number", "fails_per_ip"])
    def test_a_check_over_a_limit_is_asked_and_noted(self, name, recording):
        recording(**{name: "1/h"})
        handle = support.begin()
        support.guess_wrong(handle, times=2)
        assert [limits.REASONS[name]] == self.noted(handle)
        assert flow.check(handle, support.code(), OWNER).verified

    def test_a_further_message_over_a_limit_goes_out_and_is_noted(self, recording, clock):
        recording(sends_per_number="1/h")
        handle = support.begin()
        clock.shift(61)
        assert Reason.OK == flow.advance(handle, OWNER).reason
        assert [Reason.LIMIT_NUMBER] == self.noted(handle)

    def test_joins_are_noted_but_not_without_end(self, recording):
        recording(sends_per_ip="1/h", sends_per_session=None)
        handle = support.begin()
        for _ in range(30):
            support.begin()
        assert [Reason.LIMIT_IP] == self.noted(handle)

    def test_a_decoy_over_a_limit_looks_as_ever(self, recording, settings):
        recording(sends_per_ip="0/h", sends_per_site="0/h")
        support.configure(settings, SIGNUP=False)
        assert Reason.LIMIT_IP in self.noted(support.begin())

    def test_the_wait_between_messages_holds(self, recording):
        recording()
        flow.check(support.begin(), support.code(), OWNER)
        outcome = flow.start(NUMBER, OWNER)
        assert (Reason.WAIT, after(30), (1,)) == (outcome.reason, outcome.retry_at, support.asked("start"))

    def test_the_lock_holds(self, recording, settings):
        recording()
        support.configure(settings, HARD_STOP=2)
        handle = support.begin()
        support.guess_wrong(handle, times=2)
        assert Reason.LOCKED == flow.check(handle, support.code(), OWNER).reason

    def test_three_guesses_are_three(self, recording):
        recording()
        handle = support.begin()
        support.guess_wrong(handle, times=3)
        assert Reason.TOO_MANY_GUESSES == flow.check(handle, support.code(), OWNER).reason

    def test_what_holds_is_counted_for_nobody_else(self, recording, settings):
        """A request that a firm limit refuses spends nothing, though the others only record."""
        recording(sends_per_ip="1/h")
        flow.check(support.begin(), support.code(), OWNER)
        before = support.counters()
        assert Reason.WAIT == flow.start(NUMBER, OWNER).reason
        assert before == support.counters()
