"""Sending: asks for the code to be sent, outside of any transaction, and moves the attempt by what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from .. import limits, people, seals
from ..conf import settings
from ..models import AttemptEvent, VerificationAttempt, durable
from ..outcomes import Handle, Outcome
from ..states import PUBLIC, Channel, EventKind, Public, Reason, Status
from ..vonage.dialect import Dialect, Order, Reply
from .asker import Asker
from .asking import Answer, ask

REFERENCE, SEALED = "passwordless.reference", 20
LONGEST = timedelta(seconds=600)
"""NIST SP 800-63B-4, 3.1.3.2."""


def reference(attempt: VerificationAttempt) -> str:
    """Return what travels with the request and back in webhooks: our key, signed, 40 characters at most."""
    return f"{attempt.key}.{seals.seal(REFERENCE, attempt.key)[:SEALED]}"


def is_reference(given: str, attempt: VerificationAttempt) -> bool:
    """Return whether that is the reference of this attempt, under any key that is still known."""
    key, _, seal = given.partition(".")
    return key == attempt.key and seals.fits(seal, REFERENCE, attempt.key, SEALED)


def send(attempt: VerificationAttempt, dialect: Dialect, asker: Asker) -> Outcome:
    """Ask for a code to be sent, and say what the visitor is to be told."""
    order = Order(
        number=attempt.number, channels=attempt.plan, reference=reference(attempt), locale=attempt.locale
    )
    answer = ask(lambda: dialect.start(order))
    now = timezone.now()
    if answer.reason is Reason.OK or _adoptable(attempt, answer):
        try:
            return _accepted(attempt, dialect, answer, asker, now)
        except IntegrityError:
            # An id that another row has: whatever this answers, it is not our request.
            answer = Answer(Reply(reason=Reason.UNAVAILABLE), sent=True, took=answer.took)
    if answer.asked and people.are_secret(asker.purpose):
        return _hidden(attempt, dialect, answer, asker, now)
    # A request that was lost before may still be open, whatever became of asking for it again.
    if attempt.reason == Reason.UNAVAILABLE or (answer.reason is Reason.UNAVAILABLE and answer.sent):
        return _lost(attempt, answer, asker, now)
    return _turned_down(attempt, answer, asker, now)


def _accepted(
    attempt: VerificationAttempt, dialect: Dialect, answer: Answer, asker: Asker, now: datetime
) -> Outcome:
    """Wait for the code from now on. What the row tells by itself needs no event; what is unusual has one."""
    adopted = answer.reason is Reason.CONCURRENT
    moved = attempt.move(
        Status.PENDING,
        Reason(attempt.reason) if attempt.decoy else Reason.OK,
        now=now,
        only=Status.STARTING,
        events=[event(attempt, EventKind.RECOVERED, now, asker, answer)] if adopted else [],
        request_id=answer.reply.request_id or None,
        vendor=answer.reply.vendor,
        sends=attempt.sends + (0 if attempt.decoy else 1),
        **_life(attempt, dialect, answer, now),
    )
    if not moved:
        return Outcome(Status.EXPIRED, Reason.EXPIRED)
    return Outcome(Status.PENDING, Reason.OK, handle=Handle(attempt.key, asker.purpose))


def _life(attempt: VerificationAttempt, dialect: Dialect, answer: Answer, now: datetime) -> dict[str, Any]:
    """Return when what was sent now ends: at Vonage after the last step, for us ten minutes from the start."""
    steps = len(attempt.plan)
    ends = now + timedelta(seconds=dialect.step_seconds(steps) * steps)
    longest = min(now + timedelta(seconds=settings.ATTEMPT_LIFETIME), attempt.created_at + LONGEST)
    return {
        "sent_at": now,
        "step_at": now,
        "took": answer.took,
        "expires_at": min(ends, longest),
        "open_until": ends,
    }


def _adoptable(attempt: VerificationAttempt, answer: Answer) -> bool:
    """Only our own lost request is taken over: ours was lost before, and no row of ours has that id."""
    if answer.reason is not Reason.CONCURRENT or not answer.reply.request_id:
        return False
    known = VerificationAttempt.objects.filter(request_id=answer.reply.request_id)
    return attempt.reason == Reason.UNAVAILABLE and not known.exists()


def _hidden(
    attempt: VerificationAttempt, dialect: Dialect, answer: Answer, asker: Asker, now: datetime
) -> Outcome:
    """Go on as a decoy: where only known numbers are asked for, a failure would tell that this one is known."""
    attempt.move(
        Status.PENDING,
        answer.reason,
        now=now,
        only=Status.STARTING,
        events=[event(attempt, EventKind.HIDDEN, now, asker, answer)],
        api="decoy",
        vendor=answer.reply.vendor,
        **_life(attempt, dialect, answer, now),
    )
    return Outcome(Status.PENDING, Reason.OK, handle=Handle(attempt.key, asker.purpose))


def _lost(attempt: VerificationAttempt, answer: Answer, asker: Asker, now: datetime) -> Outcome:
    """Leave the row STARTING: the message may be on its way, and the next start will ask again."""
    VerificationAttempt.objects.filter(pk=attempt.pk, status=Status.STARTING).update(
        reason=Reason.UNAVAILABLE
    )
    event(attempt, EventKind.UNANSWERED, now, asker, answer).save()
    if not answer.sent:
        subject = limits.owner(attempt.number, asker.visitor)
        with durable():
            limits.give_back(limits.buckets("sends_per_number", subject), now)
    handle = Handle(attempt.key, asker.purpose)
    return Outcome(Status.STARTING, answer.reason, handle=handle, reference=attempt.reference)


def _turned_down(attempt: VerificationAttempt, answer: Answer, asker: Asker, now: datetime) -> Outcome:
    """End the attempt. No message went out, so what belongs to the number's owner is given back."""
    calls = limits.calls(attempt.number, asker.visitor) if Channel.VOICE in attempt.plan else []
    with durable():
        moved = attempt.move(
            Status.REFUSED,
            answer.reason,
            now=now,
            events=[event(attempt, EventKind.REFUSED, now, asker, answer)],
            vendor=answer.reply.vendor,
            network=answer.reply.network[:10],
            live_number=None,
            took=answer.took,
        )
        if moved:
            subject = limits.owner(attempt.number, asker.visitor)
            limits.give_back([*limits.buckets("sends_per_number", subject), *calls], now)
    return Outcome(Status.REFUSED, answer.reason, _patience_of(answer, now), reference=attempt.reference)


def _patience_of(answer: Answer, now: datetime) -> datetime | None:
    if PUBLIC[answer.reason] is not Public.WAIT and answer.reply.retry_after is None:
        return None
    return now + timedelta(seconds=answer.reply.retry_after or settings.ATTEMPT_LIFETIME)


def event(
    attempt: VerificationAttempt, kind: EventKind, at: datetime, asker: Asker, answer: Answer | None = None
) -> AttemptEvent:
    """Return a line of the timeline about whoever asks, with what the provider answered."""
    who = asker.visitor
    told = {"reason": answer.reason, "vendor": answer.reply.vendor, "took": answer.took} if answer else {}
    return AttemptEvent(
        attempt=attempt, kind=kind, at=at, purpose=asker.purpose, ip=who.ip, agent=who.agent,
        session=who.session[:16], **told,
    )  # fmt: skip
