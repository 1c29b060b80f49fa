"""Rolling up: once and for all, a day at a time, killed or doubled without harm, beside logins."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from passwordless import figures, flow
from passwordless.models import AttemptEvent, Rollup, RollupMark, RollupTime, VerificationAttempt
from tests.support import configure
from tests.test_figures import DAY, HOUR, NOW, people, recounted

pytestmark = pytest.mark.django_db

HORIZON = NOW.replace(minute=0, second=0, microsecond=0) - DAY


class Killed(Exception):
    """Raised in the middle of a run."""


class At:
    """Does a deed just before the statement that holds all these words is run for the n-th time."""

    def __init__(self, deed, *words, nth=1):
        self.deed, self.words, self.left = deed, words, nth

    def __call__(self, execute, sql, params, many, context):
        if self.left and all(word in sql for word in self.words):
            self.left -= 1
            if not self.left:
                self.deed()
        return execute(sql, params, many, context)

    def __enter__(self):
        self.wrapper = connection.execute_wrapper(self)
        self.wrapper.__enter__()

    def __exit__(self, *error):
        self.wrapper.__exit__(*error)
        assert error[0] or not self.left, "it did not come to that"


def kill():
    raise Killed


def cells():
    """Return all that was counted, without the keys of the rows."""
    columns = [field.name for field in Rollup._meta.fields if field.name != "id"]
    spans = ["span", "start", "measure", "value", "count"]
    return sorted(Rollup.objects.values_list(*columns)), sorted(RollupTime.objects.values_list(*spans))


def asked(rows):
    return sum(rows.values_list("asked", flat=True))


def run(*arguments, now=NOW):
    out = StringIO()
    with time_machine.travel(now, tick=False):
        call_command("passwordless_rollup", *arguments, stdout=out)
    return out.getvalue()


class TestRolling:
    def test_counts_whole_hours_that_ended_a_day_ago_and_no_more(self):
        people(1, 5)
        assert HORIZON == figures.roll(NOW).until
        old = VerificationAttempt.objects.filter(created_at__lt=HORIZON)
        hours = Rollup.objects.filter(span="h")
        assert sum(old.values_list("repeats", flat=True)) == asked(hours)
        assert HORIZON > hours.latest("start").start

    def test_days_are_the_sums_of_their_hours_once_they_are_whole(self):
        people(1, 5)
        figures.roll(NOW)
        midnight = HORIZON.replace(hour=0)
        hours = Rollup.objects.filter(span="h", start__lt=midnight)
        days = Rollup.objects.filter(span="d")
        assert asked(hours) == asked(days)
        assert {midnight - DAY} == set(days.filter(start__gte=midnight - DAY).values_list("start", flat=True))

    def test_twice_changes_nothing(self):
        people(1, 5)
        figures.roll(NOW)
        before = cells()
        again = figures.roll(NOW)
        assert (before, 0, 0) == (cells(), again.days, again.asked)

    def test_now_and_then_comes_to_the_same_as_once(self):
        people(1, 5)
        for back in (100, 99, 71, 50, 50, 13, 12, 1, 0):
            figures.roll(NOW - back * HOUR)
        by_and_by = cells()
        for model in (Rollup, RollupTime, RollupMark):
            model.objects.all().delete()
        figures.roll(NOW)
        assert by_and_by == cells()

    def test_a_site_that_never_sent_anything_has_a_mark(self):
        assert (HORIZON, 0) == (figures.roll(NOW).until, figures.roll(NOW).asked)
        assert ([], []) == cells()

    def test_attempts_of_the_last_hours_only_wait(self):
        people(1, 0.5)
        assert 0 == figures.roll(NOW).asked
        assert 0 < figures.roll(NOW + 2 * DAY).asked

    def test_a_mark_of_the_future_is_left_there(self):
        people(1, 5)
        figures.roll(NOW + DAY)
        assert (0, HORIZON + DAY) == (figures.roll(NOW).asked, RollupMark.objects.get().until)

    def test_days_on_which_nobody_asks_are_passed_over(self, django_assert_max_num_queries):
        people(1, 3)
        VerificationAttempt.objects.filter(created_at__lt=NOW - DAY).update(created_at=NOW - 150 * DAY)
        figures.roll(NOW - 149.5 * DAY)
        with django_assert_max_num_queries(60):
            figures.roll(NOW)
        assert recounted("90d") == figures.read("90d", NOW)
        assert {1} == set(RollupMark.objects.values_list("pk", flat=True))

    def test_prices_are_added_to_the_last_place(self):
        people(1, 2)
        VerificationAttempt.objects.update(price=Decimal("0.10000001"), currency="EUR")
        figures.roll(NOW + 3 * DAY)
        rows = Rollup.objects.filter(span="h").values_list("cost", flat=True)
        assert VerificationAttempt.objects.count() * Decimal("0.10000001") == sum(rows)

    def test_hours_are_dropped_in_the_end_and_days_never(self):
        people(1, 3)
        figures.roll(NOW)
        days = Rollup.objects.filter(span="d").count()
        later = figures.roll(NOW + 200 * DAY)
        assert 0 < later.dropped
        assert not Rollup.objects.filter(span="h").exists()
        assert not RollupTime.objects.filter(span="h").exists()
        assert days <= Rollup.objects.filter(span="d").count()

    def test_hours_are_kept_while_the_longest_period_needs_them(self, settings):
        configure(settings, RETENTION_DAYS=1)
        people(1, 183)
        figures.roll(NOW)
        assert recounted("90d") == figures.read("90d", NOW)

    def test_hours_are_kept_while_attempts_are(self, settings):
        configure(settings, RETENTION_DAYS=365)
        people(1, 3)
        assert 0 == figures.roll(NOW + 300 * DAY).dropped


class TestAccidents:
    @pytest.mark.parametrize("nth", [1, 2, 3])
    @pytest.mark.parametrize(
        "words",
        [
            ("UPDATE", "passwordless_rollupmark"),
            ("INSERT", "passwordless_rollup"),
            ("INSERT", "passwordless_rolluptime"),
            ("FROM", "passwordless_verificationattempt", "GROUP BY"),
        ],
    )
    def test_killed_in_the_middle_it_goes_on_from_the_mark(self, words, nth):
        people(1, 6)
        with pytest.raises(Killed), At(kill, *words, nth=nth):
            figures.roll(NOW)
        assert recounted("7d") == figures.read("7d", NOW)
        figures.roll(NOW)
        interrupted = cells()
        for model in (Rollup, RollupTime, RollupMark):
            model.objects.all().delete()
        figures.roll(NOW)
        assert cells() == interrupted

    @pytest.mark.parametrize("nth", [1, 4])
    def test_two_at_once_count_each_day_once(self, nth):
        people(1, 6)
        told = []
        with At(lambda: told.append(figures.roll(NOW)), "verificationattempt", "GROUP BY", nth=nth):
            told.append(figures.roll(NOW))
        assert asked(Rollup.objects.filter(span="h")) == sum(done.asked for done in told)

    @pytest.mark.parametrize("run", [figures.roll, figures.rebuild])
    @pytest.mark.parametrize("nth", [1, 4])
    def test_two_at_once_come_to_the_same_as_one(self, run, nth):
        people(1, 6)
        figures.roll(NOW - 3 * DAY)
        with At(lambda: figures.roll(NOW), "verificationattempt", "GROUP BY", nth=nth):
            run(NOW)
        doubled = cells()
        for model in (Rollup, RollupTime, RollupMark):
            model.objects.all().delete()
        figures.roll(NOW)
        assert cells() == doubled

    @pytest.mark.parametrize("run", [figures.roll, figures.rebuild])
    def test_each_transaction_writes_before_it_reads(self, run):
        """A transaction that reads first cannot wait for its turn on SQLite: it fails instead."""
        people(1, 4)
        figures.roll(NOW - 2 * DAY)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            run(NOW)
        told = [query["sql"] for query in captured.captured_queries]
        first = {told[at + 1].split(" SET")[0] for at, sql in enumerate(told) if sql.startswith("SAVEPOINT")}
        assert {'UPDATE "passwordless_rollupmark"'} == first

    def test_attempts_are_never_read_inside_of_a_transaction(self):
        people(1, 4)
        inside = []

        def look():
            inside.append(len(connection.savepoint_ids))

        outside = len(connection.savepoint_ids)
        with At(look, "passwordless_verificationattempt", "GROUP BY", nth=3):
            figures.roll(NOW)
        assert [outside] == inside


class TestRebuilding:
    def test_mends_what_was_counted_wrong(self):
        people(1, 5)
        figures.roll(NOW)
        right = cells()
        Rollup.objects.update(asked=1000, sent=0)
        RollupTime.objects.all().delete()
        figures.rebuild(NOW)
        # The first day stays: less is found of it than stands there, as if it had been pruned.
        first = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - 5 * DAY
        assert [row for row in right[0] if row[1] >= first + DAY] == [
            row for row in cells()[0] if row[1] >= first + DAY
        ]

    def test_changes_nothing_where_all_was_right(self):
        people(1, 5)
        figures.roll(NOW)
        before = cells()
        done = figures.rebuild(NOW)
        assert (before, 0) == (cells(), done.kept)
        assert 5 == done.days

    def test_counts_what_nobody_has_counted(self):
        people(1, 5)
        figures.roll(NOW)
        before = cells()
        Rollup.objects.all().delete()
        RollupTime.objects.all().delete()
        figures.rebuild(NOW)
        assert before == cells()

    def test_without_a_roll_up_it_is_one(self):
        people(1, 5)
        figures.rebuild(NOW)
        before = cells()
        figures.roll(NOW)
        assert before == cells()

    def test_goes_on_to_the_present(self):
        people(1, 5)
        figures.roll(NOW - 2 * DAY)
        assert HORIZON == figures.rebuild(NOW).until

    @pytest.mark.parametrize(
        ("days", "since"),
        [(2, timedelta(0)), (3, timedelta(0)), (3, 200 * DAY)],
        ids=["two", "three", "later"],
    )
    def test_leaves_alone_what_was_pruned(self, settings, days, since):
        people(1, 6)
        figures.roll(NOW)
        before = figures.read("7d", NOW)
        days_before = sorted(
            Rollup.objects.filter(span="d").values_list("start", "asked", "country", "reason")
        )
        configure(settings, RETENTION_DAYS=days)
        assert 0 < flow.prune(NOW).deleted
        configure(settings, RETENTION_DAYS=1)
        figures.roll(NOW + since)
        done = figures.rebuild(NOW + since)
        after = Rollup.objects.filter(span="d", start__lte=max(day for day, *_ in days_before))
        assert days_before == sorted(after.values_list("start", "asked", "country", "reason"))
        assert 1 == done.kept
        if not since:
            assert before == figures.read("7d", NOW)

    def test_leaves_all_alone_where_nothing_is_left(self):
        people(1, 5)
        figures.roll(NOW)
        before = cells()
        AttemptEvent.objects.all().delete()
        VerificationAttempt.objects.all().delete()
        figures.rebuild(NOW)
        assert before == cells()


class TestCommand:
    def test_says_what_it_did(self):
        people(1, 5)
        first, again = run(), run()
        counted = asked(Rollup.objects.filter(span="h"))
        until = "all until 2026-11-22 12:00 UTC; younger ones are counted live."
        assert (
            f"Counted {counted} requests for a code on 5 days, {until} 0 old hourly rows dropped.\n" == first
        )
        assert f"Counted 0 requests for a code on 0 days, {until} 0 old hourly rows dropped.\n" == again

    def test_says_one_as_people_do(self):
        people(1, 2)
        first = VerificationAttempt.objects.earliest("created_at")
        VerificationAttempt.objects.exclude(pk=first.pk).delete()
        VerificationAttempt.objects.update(repeats=1)
        assert "Counted 1 request for a code on 1 day, all until" in run()

    def test_notes_when_it_ran(self):
        run()
        run(now=NOW + timedelta(minutes=5))
        fresh = figures.read("7d", NOW).fresh
        assert (HORIZON, NOW + timedelta(minutes=5)) == (fresh.rolled_until, fresh.ran_at)

    def test_rebuilds(self, settings):
        people(1, 5)
        run()
        before = cells()
        Rollup.objects.filter(span="d").delete()
        assert "for a code on 5 days" in run("--rebuild")
        assert before == cells()

    def test_says_which_day_it_left_alone(self, settings):
        people(1, 6)
        run()
        configure(settings, RETENTION_DAYS=3)
        flow.prune(NOW)
        assert "1 day is left as it was, since attempts of it were pruned." in run("--rebuild")
