"""Cancel: the visitor lets go. Vonage is asked only when nobody else waits for the same code."""

from __future__ import annotations

from django.db.models import F
from django.utils import timezone

from .. import gateway
from ..models import AttemptEvent, VerificationAttempt
from ..outcomes import Handle, Outcome, Visitor
from ..states import EventKind, Reason, Status
from .asking import Answer, ask


def cancel(handle: Handle, visitor: Visitor) -> Outcome:
    """Let go of the attempt; the caller forgets the handle whatever comes of it.

    The row is CANCELLED only if Vonage agrees, which it does not in the first 30 seconds (v1) or late.
    Otherwise it stays live and can be joined again until it ends.
    """
    now = timezone.now()
    attempt = VerificationAttempt.objects.filter(key=handle.key).first()
    if attempt is None:
        return Outcome(Status.EXPIRED, Reason.GONE)
    status, reason = attempt.state(now)
    if status is not Status.PENDING:
        return Outcome(status, reason)
    if _others_hold(attempt):
        _record(attempt, Reason.CANCELLED, visitor, None)
        return Outcome(Status.PENDING, Reason.CANCELLED)
    return _ask(attempt, visitor)


def _others_hold(attempt: VerificationAttempt) -> bool:
    return bool(
        VerificationAttempt.objects.filter(pk=attempt.pk, handles__gt=1).update(handles=F("handles") - 1)
    )


def _ask(attempt: VerificationAttempt, visitor: Visitor) -> Outcome:
    dialect = gateway.dialect(attempt.api)
    answer = ask(lambda: dialect.cancel(attempt.request_id or ""))
    now = timezone.now()
    if answer.reason is Reason.OK:
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
