"""Cancel: the visitor lets go. Vonage is asked only when nobody else waits for the same code."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from .. import gateway, people
from ..models import AttemptEvent, VerificationAttempt
from ..outcomes import Handle, Outcome, Visitor
from ..states import EventKind, Reason, Status
from .asking import Answer, ask
from .sharing import attempt_of

GRACE = timedelta(seconds=30)


def cancel(handle: Handle, visitor: Visitor) -> Outcome:
    """Let go of the attempt; the caller forgets the handle whatever comes of it.

    The row is CANCELLED only if Vonage agrees. Otherwise it stays live and can be joined again until it ends.
    """
    now = timezone.now()
    attempt = attempt_of(handle)
    if attempt is None:
        return Outcome(Status.EXPIRED, Reason.GONE)
    status, reason = attempt.state(now)
    if status is not Status.PENDING:
        return Outcome(status, reason)
    if attempt.repeats_itself(EventKind.CANCELLED):
        return Outcome(Status.PENDING, Reason.CANCELLED)
    # A guest leaves, but cannot take the message away from whoever asked for it; nor they from their guests.
    if attempt.handles > 1 or not handle.own:
        _record(attempt, Reason.CANCELLED, visitor, None)
        return Outcome(Status.PENDING, Reason.CANCELLED)
    if not _cancellable(attempt, now):
        _record(attempt, Reason.NOT_CANCELLABLE, visitor, None)
        return Outcome(Status.PENDING, Reason.NOT_CANCELLABLE)
    return _ask(attempt, handle, visitor)


def _cancellable(attempt: VerificationAttempt, now: datetime) -> bool:
    """Return what Vonage's rule says (v1): from 30 seconds after the start until the second step.

    Kept by us for every attempt, because what is nowhere at Vonage must not be told apart by it.
    """
    early = attempt.sent_at is None or now - attempt.sent_at < GRACE
    return not early and attempt.current_step(now) == 0


def _ask(attempt: VerificationAttempt, handle: Handle, visitor: Visitor) -> Outcome:
    dialect = gateway.dialect(attempt.api)
    answer = ask(lambda: dialect.cancel(attempt.request_id or ""))
    now = timezone.now()
    # Where nobody may learn which numbers are real, a failure at Vonage ends the attempt like a yes.
    if answer.reason is Reason.OK or (answer.asked and people.are_secret(handle.purpose)):
        attempt.move(
            Status.CANCELLED, Reason.CANCELLED, now=now, live_number=None,
            events=[_event(attempt, Reason.CANCELLED, visitor, answer)],
        )  # fmt: skip
        return Outcome(Status.CANCELLED, Reason.CANCELLED)
    _record(attempt, answer.reason, visitor, answer)
    return Outcome(Status(attempt.status), answer.reason)


def _record(attempt: VerificationAttempt, reason: Reason, visitor: Visitor, answer: Answer | None) -> None:
    _event(attempt, reason, visitor, answer).save()


def _event(
    attempt: VerificationAttempt, reason: Reason, visitor: Visitor, answer: Answer | None
) -> AttemptEvent:
    return AttemptEvent(
        attempt=attempt, kind=EventKind.CANCELLED, at=timezone.now(), reason=reason, ip=visitor.ip,
        agent=visitor.agent, vendor=answer.reply.vendor if answer else "",
        took=answer.took if answer else None,
    )  # fmt: skip
