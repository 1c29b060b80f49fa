"""Hear: what Vonage reports by webhook goes into the audit. It can end an open attempt; it opens nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from .. import people
from ..models import AttemptEvent, Receipt, VerificationAttempt, durable
from ..states import EventKind, Purpose, Reason, Status
from ..vonage.notice import Notice
from .sending import is_reference

MAX_REPORTS_RECORDED = 20
ENDS = {Reason.EXPIRED: Status.EXPIRED, Reason.CANCELLED: Status.CANCELLED}


def hear(notice: Notice, token_id: str) -> bool:
    """Write down what a signed notice reports, once per token, and end the attempt if it is over at Vonage.

    Returns whether it was news about an attempt of ours. Whatever order the notices come in, the row only
    moves forward.
    """
    now = timezone.now()
    with durable():
        if not Receipt.take(token_id, now):
            return False
        attempt = _find(notice)
        if attempt is None:
            return False
        news = _record(attempt, notice, now)
        # Also when it is told again: the row may have been at a check when it was told first.
        _end(attempt, notice, now)
    return news


def _find(notice: Notice) -> VerificationAttempt | None:
    """Return the row it is about: by our signed reference, which may come before we know the request id."""
    key, _, _seal = notice.reference.partition(".")
    # Locked, where the database can, so that two reports at once do not write the same fact twice.
    rows = VerificationAttempt.objects.select_for_update()
    attempt = rows.filter(key=key).first() if key else None
    if attempt is None:
        return rows.filter(request_id=notice.request_id).first()
    known = attempt.request_id
    return attempt if is_reference(notice.reference, attempt) and known in (None, notice.request_id) else None


def _record(attempt: VerificationAttempt, notice: Notice, now: datetime) -> bool:
    """Write what is new as events, and price and network onto the row; tell whether there was anything."""
    before = attempt.events.filter(kind=EventKind.REPORTED)
    known = {(event.channel, event.vendor) for event in before[:MAX_REPORTS_RECORDED]}
    fresh = [fact for fact in dict.fromkeys(_facts(notice)) if fact not in known]
    fresh = fresh[: MAX_REPORTS_RECORDED - len(known)]
    AttemptEvent.objects.bulk_create(
        AttemptEvent(attempt=attempt, kind=EventKind.REPORTED, at=now, channel=channel, vendor=word)
        for channel, word in fresh
    )
    values = _values(notice)
    if values:
        VerificationAttempt.objects.filter(pk=attempt.pk).update(**values)
    return bool(fresh or values)


def _facts(notice: Notice) -> list[tuple[str, str]]:
    steps = [(step.channel, step.status) for step in notice.steps if step.status != "unused"]
    return [fact for fact in [*steps, (notice.channel, notice.status)] if fact[1]]


def _values(notice: Notice) -> dict[str, Any]:
    price = {} if notice.price is None else {"price": notice.price, "currency": "EUR"}
    networks = [step.network for step in notice.steps if step.network]
    return price | ({"network": networks[0]} if networks else {})


def _end(attempt: VerificationAttempt, notice: Notice, now: datetime) -> None:
    """End a waiting attempt. One that is being checked is left to its checker, who will hear it from Vonage."""
    if notice.ending is None:
        return
    if people.are_secret(Purpose(attempt.purpose)):
        _hide(attempt, notice.ending, now)
    else:
        status = ENDS.get(notice.ending, Status.FAILED)
        attempt.move(status, notice.ending, now=now, only=Status.PENDING, live_number=None)
    VerificationAttempt.objects.ended().filter(pk=attempt.pk).update(live_number=None)


def _hide(attempt: VerificationAttempt, reason: Reason, now: datetime) -> None:
    """Let it go on as a decoy: where only known numbers are asked for, an end would tell that this one is known."""
    waiting = VerificationAttempt.objects.filter(pk=attempt.pk, status=Status.PENDING).exclude(api="decoy")
    if waiting.update(api="decoy", reason=reason):
        AttemptEvent.objects.create(attempt=attempt, kind=EventKind.HIDDEN, at=now, reason=reason)
