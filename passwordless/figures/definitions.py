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
from django.db.models.functions import Cast, TruncDay, TruncHour

from ..models import AttemptQuerySet, Measure
from ..models.attempts import patience
from ..states import LIVE, EventKind, Reason, Status

Name = TypeVar("Name")

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
HARMLESS = (*(reason for reason in Reason if reason not in FAULTS), "")
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
EURO = Q(currency__in=("", "EUR"))


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

    Of the delivered only those that were verified; `reports` has the others.
    """
    counts: QuerySet[Any, tuple[Any, ...]] = _keyed(rows, now, spans).annotate(
        asked_sum=Sum("repeats"),
        sent_sum=Count("pk", filter=SENT),
        messages_sum=Sum("sends"),
        delivered_sum=Count("pk", filter=SENT & RIGHT),
        tried_sum=Count("pk", filter=Q(guesses__gt=0)),
        cost_sum=Sum("price", filter=EURO, default=0),
    )
    return counts


def reports(rows: AttemptQuerySet, now: datetime, **spans: Expression | F) -> QuerySet[Any, tuple[Any, ...]]:
    """Return, for each cell, how many were sent and not verified, and were read as Vonage reported.

    By themselves, and by a join: asked for row by row, PostgreSQL would read all events of all attempts.
    """
    read = rows.filter(SENT, ~RIGHT, events__kind=EventKind.REPORTED, events__vendor__in=READ)
    counts: QuerySet[Any, tuple[Any, ...]] = _keyed(read, now, spans).annotate(
        delivered_sum=Count("pk", distinct=True)
    )
    return counts


def times(rows: AttemptQuerySet, now: datetime, **spans: Expression | F) -> QuerySet[Any, tuple[Any, ...]]:
    """Return, for each of `spans`, how often each of both measures had which value: spans, measure, value, count."""
    verify = _times(_verified(rows), Measure.VERIFY, spans)
    answers = [_times(heap, Measure.ANSWER, spans) for heap in _answered(rows, now)]
    both: QuerySet[Any, tuple[Any, ...]] = verify.union(*answers, all=True)
    return both


def is_verified(status: str, reason: str) -> bool:
    """Return whether a cell holds what ended with a right code and a visitor who may be served."""
    return status == Status.VERIFIED and reason == Reason.OK


def _keyed(rows: AttemptQuerySet, now: datetime, spans: dict[str, Any]) -> QuerySet[Any, tuple[Any, ...]]:
    """Return rows that are to be grouped by `spans` and KEYS."""
    late = _late(now)
    status = Case(When(late, then=Value(Status.EXPIRED)), default=F("status"))
    reason = Case(
        When(late, then=Value(Reason.EXPIRED)), When(reason="", then=Value(Reason.OK)), default=F("reason")
    )
    told = rows.annotate(stands=status, because=reason, **spans).order_by()
    keyed: QuerySet[Any, tuple[Any, ...]] = told.values_list(
        *spans, "country", "channels", "proved_by", "stands", "because"
    )
    return keyed


def _verified(rows: AttemptQuerySet) -> QuerySet[Any]:
    spent = ExpressionWrapper(F("ended_at") - F("created_at"), DurationField())
    right = rows.filter(RIGHT, reason__in=("", Reason.OK), ended_at__isnull=False)
    return right.annotate(size=WholeSeconds(spent))


def _answered(rows: AttemptQuerySet, now: datetime) -> list[QuerySet[Any]]:
    """Return the starts that Vonage was asked for, in tens of milliseconds or NEVER, in three heaps.

    Where a failure is hidden, the row looks like a decoy and forgets it in the end: the event knows.
    """
    gone = Q(status=Status.EXPIRED) | Q(status=Status.STARTING, reason=Reason.UNAVAILABLE) | _late(now)
    # What waits for a code has a time of sending; of what was lost before that, only the end is known.
    lost = gone & Q(sent_at__isnull=True) & ~Q(api="decoy")
    told = Q(took__isnull=False) & ~Q(status=Status.REFUSED, reason__in=UNASKED)
    never, tens = Value(NEVER), F("took") - F("took") % Value(10)
    size = Case(When(lost, then=never), default=tens, output_field=IntegerField())
    return [
        rows.filter(~DECOY & (lost | told)).annotate(size=size),
        rows.filter(DECOY & HIDDEN, events__reason__in=FAULTS).annotate(size=Cast(never, IntegerField())),
        rows.filter(DECOY & HIDDEN & told, events__reason__in=HARMLESS).annotate(size=tens),
    ]


def _times(rows: QuerySet[Any], measure: Measure, spans: dict[str, Any]) -> QuerySet[Any, tuple[Any, ...]]:
    told = rows.annotate(measure=Value(measure.value), **spans).order_by()
    counted: QuerySet[Any, tuple[Any, ...]] = told.values_list(*spans, "measure", "size").annotate(
        times=Count("pk", distinct=True)
    )
    return counted


def _late(now: datetime) -> Q:
    """Return what `AttemptQuerySet.overdue` does, for a CASE."""
    held = Q(status=Status.CHECKING, claimed_at__gte=now - patience())
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
