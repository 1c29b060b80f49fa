"""What each figure means, as questions to the table of attempts. Rows are asked the same way when they are
rolled up and when they are read live, so that it makes no difference when somebody looks.

A request for a code is a row, or one more on the row of the limit that refused it (`repeats`). A row that is
overdue counts as expired, moved or not, as `VerificationAttempt.state` tells it. Decoys send nothing, so that
they are asked but never sent; what was sent before Vonage's refusal of it was hidden stays sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import (
    Case,
    Count,
    DurationField,
    Expression,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.functions import TruncDay, TruncHour

from ..models import AttemptQuerySet, Measure
from ..models.queries import check_patience
from ..states import LIVE, EventKind, Reason, Status

Name = TypeVar("Name")
Times = QuerySet[Any, tuple[Any, ...]]

READ = ("completed", "user_rejected")
"""Vonage's words for a message that somebody read: the right code came back, or three wrong ones or a no.

It has no word for a message that arrived and was left alone, which is why delivered means: at least so many.
"""
FAULTS = (
    Reason.THROTTLED,
    Reason.INVALID_REQUEST,
    Reason.CREDENTIALS,
    Reason.FORBIDDEN,
    Reason.NO_CREDIT,
    Reason.PROVIDER_ERROR,
    Reason.UNAVAILABLE,
)
"""Why a request fails that another provider, or our account in order, would have served."""
UNASKED = (Reason.CIRCUIT_OPEN, Reason.CROWDED)
"""Why Vonage was not even asked."""
NEVER = 2**31 - 1
"""In the place of milliseconds: the answer never came, or was a fault that no visitor may see."""

KEYS = ("country", "channels", "proved_by", "status", "reason")
COUNTS = ("asked", "sent", "messages", "delivered", "tried", "cost")

SENT = Q(sends__gt=0)
DECOY = Q(api="decoy", sends=0)
HIDDEN = Q(events__kind=EventKind.HIDDEN)
RIGHT = Q(status=Status.VERIFIED)
FINE = Q(reason__in=("", Reason.OK))
LET_IN = (Status.VERIFIED.value, Reason.OK.value)
EURO = Q(currency__in=("", "EUR"))
ANSWERED = Q(took__isnull=False) & ~Q(status=Status.REFUSED, reason__in=UNASKED)
EACH = Count("pk", distinct=True)
"""Attempts that a join with their events repeats."""

UNTOLD = When(reason="", then=Value(Reason.OK))
SUMS = {
    "asked_sum": Sum("repeats"),
    "sent_sum": Count("pk", filter=SENT),
    "messages_sum": Sum("sends"),
    "delivered_sum": Count("pk", filter=SENT & RIGHT),
    "tried_sum": Count("pk", filter=Q(guesses__gt=0)),
    "cost_sum": Sum("price", filter=EURO, default=0),
}
"""COUNTS, of the delivered only those that were verified."""


class _Cut:
    """Cuts what SQLite keeps as text. Django's truncation calls Python there for each row, half of the whole time."""

    length: int
    rest: str
    lhs: Any

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the beginning of the text, unless it is not of UTC."""
        if connection.timezone_name != "UTC":
            return super().as_sql(compiler, connection, **context)  # type: ignore[misc]
        column, params = compiler.compile(self.lhs)
        return f"SUBSTR({column}, 1, {self.length}) || '{self.rest}'", params


class Hour(_Cut, TruncHour):
    """The beginning of the hour."""

    length, rest = 13, ":00:00"


class Day(_Cut, TruncDay):
    """The beginning of the day."""

    length, rest = 10, " 00:00:00"


class WholeSeconds(Func):
    """A duration as a number of seconds, rounded down; a clock that went back makes no time negative."""

    output_field = IntegerField()
    template = "GREATEST(FLOOR((%(expressions)s) / 1000000), 0)"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return it of the microseconds that SQLite subtracts to."""
        return self.as_sql(compiler, connection, template="MAX((%(expressions)s) / 1000000, 0)", **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return it of an interval."""
        template = "GREATEST(FLOOR(EXTRACT(EPOCH FROM (%(expressions)s))), 0)::integer"
        return self.as_sql(compiler, connection, template=template, **context)


def cells(rows: AttemptQuerySet, now: datetime, **spans: Expression | F) -> QuerySet[Any, tuple[Any, ...]]:
    """Return, for each cell of `spans` and KEYS that has rows, these and COUNTS as they are at `now`.

    Of the delivered only those that were verified; `reports` has the others. A cell comes twice if some of it
    have not ended: only these can be late, and PostgreSQL sorts all rows to group them by a CASE of times.
    """
    ended = _grouped(
        rows.filter(ended_at__isnull=False), F("status"), Case(UNTOLD, default=F("reason")), spans
    )
    others = _keyed(rows.filter(ended_at__isnull=True), now, spans)
    counts: QuerySet[Any, tuple[Any, ...]] = ended.annotate(**SUMS).union(others.annotate(**SUMS), all=True)
    return counts


def bars(rows: AttemptQuerySet, **spans: Expression | F) -> QuerySet[Any, tuple[Any, ...]]:
    """Return, for each of `spans` that has rows, it, COUNTS as `cells` tells them, and the verified of the asked."""
    verified = Sum("repeats", filter=RIGHT & FINE, default=0)
    counts: QuerySet[Any, tuple[Any, ...]] = _spanned(rows, spans).annotate(**SUMS, verified_sum=verified)
    return counts


def reports(rows: AttemptQuerySet, now: datetime, **spans: Expression | F) -> QuerySet[Any, tuple[Any, ...]]:
    """Return, for each cell, how many were sent and not verified, and were read as Vonage reported.

    By themselves, and by a join: asked for row by row, PostgreSQL would read all events of all attempts.
    """
    counts: QuerySet[Any, tuple[Any, ...]] = _keyed(_read(rows), now, spans).annotate(delivered_sum=EACH)
    return counts


def bar_reports(rows: AttemptQuerySet, **spans: Expression | F) -> QuerySet[Any, tuple[Any, ...]]:
    """Return the same for each of `spans`, whatever the attempts differ in otherwise."""
    counts: QuerySet[Any, tuple[Any, ...]] = _spanned(_read(rows), spans).annotate(delivered_sum=EACH)
    return counts


def times(rows: AttemptQuerySet, now: datetime, **spans: Expression | F) -> tuple[Times, Times]:
    """Return how often each of both measures had which value, as `spans`, measure, value and count.

    Two questions: what is as dear as both together, PostgreSQL compiles first, which takes as long again.
    """
    verify = _times(_verified(rows), Measure.VERIFY, Count("pk"), spans)
    answers = _times(_answered(rows, now), Measure.ANSWER, Count("pk"), spans)
    return verify, answers.union(_times(_hidden(rows), Measure.ANSWER, EACH, spans), all=True)


def is_verified(status: str, reason: str) -> bool:
    """Return whether a cell holds what ended with a right code and a visitor who may be served."""
    return (status, reason) == LET_IN


def _spanned(rows: AttemptQuerySet, spans: dict[str, Any]) -> QuerySet[Any, tuple[Any, ...]]:
    """Return rows that are to be grouped by `spans` alone."""
    told: QuerySet[Any, tuple[Any, ...]] = rows.annotate(**spans).order_by().values_list(*spans)
    return told


def _read(rows: AttemptQuerySet) -> AttemptQuerySet:
    return rows.filter(SENT, ~RIGHT, events__kind=EventKind.REPORTED, events__vendor__in=READ)


def _keyed(rows: AttemptQuerySet, now: datetime, spans: dict[str, Any]) -> QuerySet[Any, tuple[Any, ...]]:
    """Return rows that are to be grouped by `spans` and KEYS."""
    late = _late(now)
    status = Case(When(late, then=Value(Status.EXPIRED)), default=F("status"))
    reason = Case(When(late, then=Value(Reason.EXPIRED)), UNTOLD, default=F("reason"))
    return _grouped(rows, status, reason, spans)


def _grouped(
    rows: AttemptQuerySet, status: F | Case, reason: Case, spans: dict[str, Any]
) -> QuerySet[Any, tuple[Any, ...]]:
    told = rows.annotate(stands=status, because=reason, **spans).order_by()
    keyed: QuerySet[Any, tuple[Any, ...]] = told.values_list(
        *spans, "country", "channels", "proved_by", "stands", "because"
    )
    return keyed


def _verified(rows: AttemptQuerySet) -> QuerySet[Any]:
    spent = ExpressionWrapper(F("ended_at") - F("created_at"), DurationField())
    right = rows.filter(RIGHT, FINE, ended_at__isnull=False)
    return right.annotate(size=WholeSeconds(spent))


def _answered(rows: AttemptQuerySet, now: datetime) -> QuerySet[Any]:
    """Return the starts that Vonage was asked for, in tens of milliseconds or NEVER."""
    gone = Q(status=Status.EXPIRED) | Q(status=Status.STARTING, reason=Reason.UNAVAILABLE) | _late(now)
    # What waits for a code has a time of sending; of what was lost before that, only the end is known.
    lost = gone & Q(sent_at__isnull=True) & ~Q(api="decoy")
    return rows.filter(~DECOY & (lost | ANSWERED)).annotate(size=_size(lost))


def _hidden(rows: AttemptQuerySet) -> QuerySet[Any]:
    """Return the starts whose failure is hidden: the row looks like a decoy and forgets it, the event knows."""
    fault = Q(events__reason__in=FAULTS)
    # In one filter, so that all is asked of one and the same event.
    return rows.filter(DECOY & HIDDEN & (fault | ANSWERED)).annotate(size=_size(fault))


def _size(never: Q) -> Case:
    tens = F("took") - F("took") % Value(10)
    return Case(When(never, then=Value(NEVER)), default=tens, output_field=IntegerField())


def _times(
    rows: QuerySet[Any], measure: Measure, number: Count, spans: dict[str, Any]
) -> QuerySet[Any, tuple[Any, ...]]:
    told = rows.annotate(measure=Value(measure.value), **spans).order_by()
    counted: Times = told.values_list(*spans, "measure", "size").annotate(times=number)
    return counted


def _late(now: datetime) -> Q:
    """Return what `AttemptQuerySet.overdue` does, for a CASE."""
    held = Q(status=Status.CHECKING, claimed_at__gte=now - check_patience())
    return Q(status__in=LIVE, expires_at__lte=now) & ~held


def within(rows: AttemptQuerySet, start: datetime, end: datetime) -> AttemptQuerySet:
    """Return the attempts asked for from `start` to before `end`."""
    return rows.filter(created_at__gte=start, created_at__lt=end)


def merged(counts: Iterable[tuple[Name, int]]) -> dict[Name, int]:
    """Return how often each came, from any number of (what, count)."""
    total: dict[Name, int] = {}
    for name, count in counts:
        total[name] = total.get(name, 0) + count
    return total
