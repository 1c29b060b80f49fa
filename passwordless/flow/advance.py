"""Advance: a new code or a call on the same request; never cancel and start again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import F
from django.utils import timezone

from .. import devices, gateway, limits, people
from ..conf import settings
from ..models import AttemptEvent, VerificationAttempt, durable
from ..outcomes import Handle, Outcome, Visitor
from ..states import Channel, EventKind, Reason, Status
from ..vonage.dialect import Dialect
from .asker import start_patience
from .asking import Answer, ask
from .payment import note, pay, refuse
from .sending import LONGEST
from .sharing import attempt_of
from .start import start

CALL_AFTER = timedelta(seconds=60)


class Step(NamedTuple):
    """What can be asked for next: a step of this request, or a new one (None), and from when."""

    channel: Channel | None
    at: datetime


def next_step(attempt: VerificationAttempt, visitor: Visitor, now: datetime) -> Step:
    """Return what a visitor may ask for next."""
    status, _ = attempt.state(now)
    waiting, following = status in (Status.PENDING, Status.CHECKING), attempt.current_step(now) + 1
    if not waiting and not attempt.live_number:
        # Others may be using the number by now, and a wait would tell of them.
        return Step(None, now)
    who = devices.recognised(visitor, attempt.number)
    waited = limits.wait(attempt.number, who, now) or now
    if status is Status.STARTING and attempt.claimed_at is not None:
        # From then on, whoever asks again has it sent again.
        return Step(None, max(waited, attempt.claimed_at + start_patience()))
    if not waiting or following >= len(attempt.plan):
        # One open request a number: a new one has to wait until this is known to be over at Vonage.
        return Step(None, max(waited, attempt.open_until))
    if attempt.step_at is not None and settings.RESEND_WAITS:
        # A browser that logged in before waits by a gate of its own: whoever joins must not pass beside it.
        waited = max(waited, attempt.step_at + timedelta(seconds=settings.RESEND_WAITS[0]))
    channel = Channel(attempt.plan[following])
    if channel is Channel.VOICE and attempt.sent_at is not None:
        waited = max(waited, attempt.sent_at + CALL_AFTER)
    return Step(channel, waited)


def advance(handle: Handle, visitor: Visitor) -> Outcome:
    """Go to the next step now. An attempt that has ended is started anew for its number.

    Raises ImproperlyConfigured.
    """
    now = timezone.now()
    attempt = attempt_of(handle)
    if attempt is None or not attempt.number:
        return Outcome(Status.EXPIRED, Reason.GONE)
    status, _ = attempt.state(now)
    if status is Status.VERIFIED:
        return Outcome(Status.VERIFIED, Reason.REUSED)
    if status not in (Status.PENDING, Status.CHECKING):
        return start(attempt.number, visitor, handle.purpose, held=handle, first=attempt.plan[0])
    visitor = devices.recognised(visitor, attempt.number)
    step = next_step(attempt, visitor, now)
    if step.channel is None:
        return Outcome(status, Reason.NO_MORE_STEPS, step.at)
    if step.at > now:
        return Outcome(status, Reason.WAIT, step.at)
    return _go(attempt, handle, visitor, step.channel, now)


def _go(
    attempt: VerificationAttempt, handle: Handle, visitor: Visitor, channel: Channel, now: datetime
) -> Outcome:
    """Pay, ask, and write down what that did to the life of the request."""
    dialect = gateway.dialect(attempt.api)
    try:
        with durable():
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
    _went(_successor(attempt, handle), dialect, answer, visitor, channel)
    return Outcome(Status.PENDING, Reason.OK, handle=handle)


def _successor(attempt: VerificationAttempt, handle: Handle) -> VerificationAttempt:
    """Return the decoy that has taken its place while Vonage was asked, or the attempt as it was read before."""
    now = attempt_of(handle)
    return attempt if now is None or now.pk == attempt.pk else now


def _went(
    attempt: VerificationAttempt, dialect: Dialect, answer: Answer, visitor: Visitor, channel: Channel
) -> None:
    now = timezone.now()
    index = attempt.current_step(now) + 1
    # Asked for at the very moment when Vonage went there by itself: no step beyond the last.
    index = min(index, len(attempt.plan) - 1)
    life = timedelta(seconds=dialect.step_seconds(len(attempt.plan)) * (len(attempt.plan) - index))
    with durable():
        VerificationAttempt.objects.filter(pk=attempt.pk, step__lt=index).update(
            step=index,
            step_at=now,
            sends=F("sends") + (0 if attempt.decoy or answer.reason is not Reason.OK else 1),
            expires_at=min(now + life, attempt.created_at + LONGEST),
            open_until=now + life,
        )
        kind = EventKind.NEXT if answer.reason is Reason.OK else EventKind.HIDDEN
        _record(attempt, kind, answer, visitor, now, channel=channel)


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
        with durable():
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
