"""Advance: a new code or a call on the same request; never cancel and start again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from .. import devices, gateway, limits, people
from ..models import AttemptEvent, VerificationAttempt
from ..outcomes import Handle, Outcome, Visitor
from ..states import Channel, EventKind, Reason, Status
from ..vonage.dialect import Dialect
from .asking import Answer, ask
from .payment import note, pay, refuse
from .sending import LONGEST
from .start import start

CALL_AFTER = timedelta(seconds=60)


@dataclass(frozen=True)
class Step:
    """The next step of an attempt: its channel, and from when it may be asked for."""

    channel: Channel
    at: datetime


def next_step(attempt: VerificationAttempt, visitor: Visitor, now: datetime) -> Step | None:
    """Return the step that a visitor may ask for, or None if this request has no further one."""
    status, _ = attempt.state(now)
    following = attempt.current_step(now) + 1
    if status not in (Status.PENDING, Status.CHECKING) or following >= len(attempt.plan):
        return None
    channel = Channel(attempt.plan[following])
    who = devices.recognised(visitor, attempt.number)
    earliest = limits.wait(attempt.number, who, now) or now
    if channel is Channel.VOICE and attempt.sent_at is not None:
        earliest = max(earliest, attempt.sent_at + CALL_AFTER)
    return Step(channel, max(earliest, now))


def advance(handle: Handle, visitor: Visitor) -> Outcome:
    """Go to the next step now. An attempt that has ended is started anew for its number.

    Raises ImproperlyConfigured.
    """
    now = timezone.now()
    attempt = VerificationAttempt.objects.by_key(handle.key)
    if attempt is None or not attempt.number:
        return Outcome(Status.EXPIRED, Reason.GONE)
    status, _ = attempt.state(now)
    if status is Status.VERIFIED:
        return Outcome(Status.VERIFIED, Reason.REUSED)
    if status not in (Status.PENDING, Status.CHECKING):
        return start(attempt.number, visitor, handle.purpose, held=handle, first=attempt.plan[0])
    visitor = devices.recognised(visitor, attempt.number)
    step = next_step(attempt, visitor, now)
    if step is None:
        return Outcome(status, Reason.NO_MORE_STEPS, attempt.open_until)
    if step.at > now:
        return Outcome(status, Reason.WAIT, step.at)
    return _go(attempt, handle, visitor, step, now)


def _go(attempt: VerificationAttempt, handle: Handle, visitor: Visitor, step: Step, now: datetime) -> Outcome:
    """Pay, ask, and write down what that did to the life of the request."""
    dialect = gateway.dialect(attempt.api)
    try:
        with transaction.atomic(durable=True):
            noted = pay(attempt, visitor, now)
    except limits.Limited as refusal:
        refuse(attempt, refusal.reason, visitor, now)
        return Outcome(Status(attempt.status), refusal.reason, refusal.retry_at)
    # On its own: an event locks its attempt when it is committed, and nobody may hold counters then.
    note(attempt, noted, visitor, now)
    answer = ask(lambda: dialect.advance(attempt.request_id or ""))
    secret = answer.asked and people.are_secret(handle.purpose)
    if answer.reason is not Reason.OK and not secret:
        return _stayed(attempt, answer, visitor)
    _went(attempt, dialect, answer, visitor, step)
    return Outcome(Status.PENDING, Reason.OK, handle=handle)


def _went(
    attempt: VerificationAttempt, dialect: Dialect, answer: Answer, visitor: Visitor, step: Step
) -> None:
    now = timezone.now()
    index = attempt.current_step(now) + 1
    # Asked for at the very moment when Vonage went there by itself: no step beyond the last.
    index = min(index, len(attempt.plan) - 1)
    life = timedelta(seconds=dialect.step_seconds(len(attempt.plan)) * (len(attempt.plan) - index))
    with transaction.atomic(durable=True):
        VerificationAttempt.objects.filter(pk=attempt.pk, step__lt=index).update(
            step=index,
            step_at=now,
            sends=F("sends") + (0 if attempt.decoy or answer.reason is not Reason.OK else 1),
            expires_at=min(now + life, attempt.created_at + LONGEST),
            open_until=now + life,
        )
        kind = EventKind.NEXT if answer.reason is Reason.OK else EventKind.HIDDEN
        _record(attempt, kind, answer, visitor, now, channel=step.channel)


def _stayed(attempt: VerificationAttempt, answer: Answer, visitor: Visitor) -> Outcome:
    """Keep the attempt, unless Vonage no longer knows it, and give back a send that did not happen."""
    now = timezone.now()
    if answer.reason is Reason.GONE:
        # Not while a check runs: a code that was just found right makes the request unknown as well.
        attempt.move(
            Status.FAILED,
            Reason.GONE,
            now=now,
            only=Status.PENDING,
            live_number=None,
            vendor=answer.reply.vendor,
        )
    _record(attempt, EventKind.REFUSED, answer, visitor, now)
    if not answer.sent or answer.reason is not Reason.UNAVAILABLE:
        subject = limits.owner(attempt.number, visitor)
        with transaction.atomic(durable=True):
            limits.give_back(limits.buckets("sends_per_number", subject), now)
    retry_at = limits.wait(attempt.number, visitor, now)
    return Outcome(Status(attempt.status), answer.reason, retry_at, reference=attempt.reference)


def _record(
    attempt: VerificationAttempt,
    kind: EventKind,
    answer: Answer,
    visitor: Visitor,
    now: datetime,
    channel: str = "",
) -> None:
    AttemptEvent.objects.create(
        attempt=attempt, kind=kind, at=now, reason=answer.reason, vendor=answer.reply.vendor,
        took=answer.took, channel=channel, ip=visitor.ip, agent=visitor.agent, session=visitor.session[:16],
    )  # fmt: skip
