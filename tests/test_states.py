"""The vocabulary hangs together: nothing without a label, a public side or a place in the machine."""

import re

import pytest

from passwordless.models import AttemptEvent, VerificationAttempt
from passwordless.outcomes import Outcome
from passwordless.states import (
    LIVE,
    MOVES,
    PUBLIC,
    SOURCES,
    Channel,
    EventKind,
    Public,
    Purpose,
    Reason,
    Status,
)

ENDS = {Status.VERIFIED, Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.REFUSED}
SHOWN = [Status, Reason, Purpose, Channel, EventKind]


class TestMoves:
    def test_lead_only_from_status_to_status(self):
        ends = {status for targets in MOVES.values() for status in targets}
        assert set() == (set(MOVES) | ends) - set(Status)

    def test_what_has_ended_stays_so(self):
        assert set() == ENDS & set(MOVES)
        assert ENDS == set(Status) - LIVE

    def test_every_status_but_the_first_can_be_reached(self):
        reached, frontier = {Status.STARTING}, [Status.STARTING]
        while frontier:
            fresh = MOVES.get(frontier.pop(), frozenset()) - reached
            reached |= fresh
            frontier += fresh
        assert set(Status) == reached

    def test_only_a_check_that_runs_can_verify(self):
        assert {Status.CHECKING} == SOURCES[Status.VERIFIED]

    def test_a_refusal_comes_before_anything_was_sent(self):
        assert {Status.STARTING} == SOURCES[Status.REFUSED]

    def test_a_running_check_cannot_be_cancelled_from_outside(self):
        assert {Status.PENDING} == SOURCES[Status.CANCELLED]

    def test_whatever_lives_can_run_out_of_time(self):
        assert LIVE == SOURCES[Status.EXPIRED]

    def test_nothing_moves_to_where_it_is_or_back_to_the_start(self):
        assert [] == [status for status, targets in MOVES.items() if status in targets]
        assert frozenset() == SOURCES[Status.STARTING]

    @pytest.mark.parametrize("target", Status)
    @pytest.mark.parametrize("source", Status)
    def test_backwards_they_read_the_same(self, source, target):
        assert (target in MOVES.get(source, ())) is (source in SOURCES[target])


class TestPublic:
    @pytest.mark.parametrize("reason", Reason)
    def test_every_reason_has_its_public_side(self, reason):
        assert isinstance(PUBLIC[reason], Public)

    def test_there_are_no_others(self):
        assert set(Reason) == set(PUBLIC)
        assert set(Public) == set(PUBLIC.values())

    def test_only_fine_is_done(self):
        assert [Reason.OK] == [reason for reason, public in PUBLIC.items() if public is Public.DONE]

    def test_what_is_true_of_an_account_looks_like_a_wrong_code(self):
        of_accounts = (Reason.UNKNOWN_NUMBER, Reason.INACTIVE_USER, Reason.STAFF_USER, Reason.NOT_ALLOWED)
        assert {Public.WRONG} == {PUBLIC[reason] for reason in of_accounts}

    def test_all_limits_look_alike(self):
        limits = [reason for reason in Reason if reason.value.startswith("limit_")]
        assert 6 <= len(limits)
        assert {Public.WAIT} == {PUBLIC[reason] for reason in limits}

    def test_our_troubles_at_vonage_look_alike(self):
        ours = (
            Reason.CREDENTIALS,
            Reason.NO_CREDIT,
            Reason.FORBIDDEN,
            Reason.PROVIDER_ERROR,
            Reason.THROTTLED,
        )
        assert {Public.UNAVAILABLE} == {PUBLIC[reason] for reason in ours}

    @pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.OK])
    def test_no_other_reason_lets_anybody_in(self, reason):
        assert not Outcome(Status.VERIFIED, reason).verified

    @pytest.mark.parametrize("status", [status for status in Status if status is not Status.VERIFIED])
    def test_no_other_status_lets_anybody_in(self, status):
        assert not Outcome(status, Reason.OK).verified

    def test_both_together_do(self):
        assert Outcome(Status.VERIFIED, Reason.OK).verified


class TestWords:
    @pytest.mark.parametrize("member", [member for kind in SHOWN for member in kind])
    def test_are_people_s_words(self, member):
        assert re.match(r"[A-Z].*[^.]\Z", str(member.label))
        assert "_" not in member.label

    @pytest.mark.parametrize("kind", SHOWN)
    def test_are_told_apart(self, kind):
        assert len(kind) == len({str(label) for label in kind.labels})

    @pytest.mark.parametrize(
        ("field", "kind"),
        [
            (VerificationAttempt._meta.get_field("status"), Status),
            (VerificationAttempt._meta.get_field("reason"), Reason),
            (VerificationAttempt._meta.get_field("purpose"), Purpose),
            (AttemptEvent._meta.get_field("kind"), EventKind),
            (AttemptEvent._meta.get_field("reason"), Reason),
            (AttemptEvent._meta.get_field("channel"), Channel),
            (AttemptEvent._meta.get_field("purpose"), Purpose),
        ],
        ids=str,
    )
    def test_fit_their_columns(self, field, kind):
        assert field.max_length >= max(len(value) for value in kind.values)
        assert kind.values == [value for value, _ in field.choices if value]

    def test_all_channels_together_fit_their_column(self):
        longest = sorted(Channel.values, key=len)[-1]
        assert VerificationAttempt._meta.get_field("channels").max_length >= len(",".join([longest] * 3))
