"""Start: one live attempt a number. Whoever asks again joins it; whoever asks too often is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from .. import gateway, limits, people, phones
from ..conf import settings
from ..models import AttemptEvent, VerificationAttempt
from ..outcomes import Handle, Outcome, Visitor
from ..states import PUBLIC, Channel, EventKind, Public, Purpose, Reason, Status
from ..vonage.dialect import Dialect, Order
from .asking import Answer, ask

MAX_JOINS_RECORDED = 20


@dataclass(frozen=True)
class Asker:
    """One request for a code: number (E.164), who asks, what for, and what their session already holds."""

    number: str
    visitor: Visitor
    purpose: Purpose
    held: Handle | None = None


def start(
    number: str, visitor: Visitor, purpose: Purpose = Purpose.LOGIN, held: Handle | None = None
) -> Outcome:
    """Send a code to `number` (E.164), or join the attempt that is live for it.

    `held` is the handle that the session already has, if any. An outcome with a handle leads to the code
    page; without one, `reason` says why nothing was sent. Raises ImproperlyConfigured.
    """
    asker = Asker(number, visitor, purpose, held)
    for _ in range(3):
        now = timezone.now()
        try:
            attempt, dialect = _insert(asker, now)
        except limits.Limited as refusal:
            return _refused(asker, refusal, now)
        except IntegrityError:
            met = VerificationAttempt.objects.filter(live_number=number).first()
            outcome = _meet(met, asker, now) if met else None
            if outcome is not None:
                return outcome
            continue
        return _send(attempt, dialect, asker)
    return Outcome(Status.REFUSED, Reason.BUSY)


def patience() -> timedelta:
    """Return after how long a request without an answer may be asked again."""
    return timedelta(seconds=settings.START_TIMEOUT + 10)


def _insert(asker: Asker, now: datetime) -> tuple[VerificationAttempt, Dialect]:
    """Write the attempt and pay for it, or neither. Raises Limited, or IntegrityError if one is live."""
    user = people.find(asker.number) if asker.purpose is Purpose.LOGIN else None
    verdict = people.judge(user) if asker.purpose is Purpose.LOGIN else Reason.OK
    dialect = gateway.dialect("" if verdict is Reason.OK else "decoy")
    attempt = _new(asker, now)
    attempt.api = dialect.name
    attempt.reason = "" if verdict is Reason.OK else verdict
    channels = list(settings.CHANNELS)
    try:
        _write(attempt, channels, asker, now)
    except limits.Limited as refusal:
        quiet = [channel for channel in channels if channel != Channel.VOICE]
        if refusal.reason is not Reason.LIMIT_CALLS or not quiet:
            raise
        attempt.pk = None
        _write(attempt, quiet, asker, now)
    return attempt, dialect


def _new(asker: Asker, now: datetime) -> VerificationAttempt:
    lifetime = timedelta(seconds=settings.ATTEMPT_LIFETIME)
    return VerificationAttempt(
        number=asker.number,
        live_number=asker.number,
        country=phones.region_of(asker.number),
        purpose=asker.purpose,
        ip=asker.visitor.ip,
        agent=asker.visitor.agent,
        created_at=now,
        claimed_at=now,
        expires_at=now + lifetime,
        open_until=now + lifetime + patience(),
    )


def _write(attempt: VerificationAttempt, channels: list[str], asker: Asker, now: datetime) -> None:
    attempt.channels = ",".join(channels)
    with transaction.atomic(durable=True):
        attempt.save(force_insert=True)
        limits.charge(charges(attempt, asker.visitor), now)


def charges(attempt: VerificationAttempt, visitor: Visitor) -> list[limits.Bucket]:
    """Return what starting this attempt costs. Vonage dials by itself, so a planned call is paid at once."""
    calls = limits.calls(attempt.number) if Channel.VOICE in attempt.plan else []
    return [*limits.sends(attempt.number, visitor), *calls]


def reference(attempt: VerificationAttempt) -> str:
    """Return what travels with the request and back in webhooks: our key, signed, 40 characters at most."""
    seal = salted_hmac("passwordless.reference", attempt.key, algorithm="sha256").hexdigest()[:20]
    return f"{attempt.key}.{seal}"


def _send(attempt: VerificationAttempt, dialect: Dialect, asker: Asker) -> Outcome:
    order = Order(
        number=attempt.number, channels=attempt.plan, reference=reference(attempt), locale=settings.LOCALE
    )
    answer = ask(lambda: dialect.start(order))
    now = timezone.now()
    if answer.reason is Reason.OK or _adoptable(attempt, answer):
        return _accepted(attempt, dialect, answer, asker, now)
    if answer.reason is Reason.UNAVAILABLE and answer.sent:
        return _lost(attempt, answer, asker, now)
    return _turned_down(attempt, answer, asker, now)


def _accepted(
    attempt: VerificationAttempt, dialect: Dialect, answer: Answer, asker: Asker, now: datetime
) -> Outcome:
    """Wait for the code from now on. What the row tells by itself needs no event; what is unusual has one."""
    steps = len(attempt.plan)
    ends = now + timedelta(seconds=dialect.step_seconds(steps) * steps)
    adopted = answer.reason is Reason.CONCURRENT
    moved = attempt.move(
        Status.PENDING,
        Reason(attempt.reason) if attempt.decoy else Reason.OK,
        now=now,
        events=[_event(attempt, EventKind.RECOVERED, now, asker, answer)] if adopted else [],
        request_id=answer.reply.request_id or None,
        vendor=answer.reply.vendor,
        sends=attempt.sends + 1,
        sent_at=now,
        step_at=now,
        took=answer.took,
        expires_at=min(ends, attempt.created_at + timedelta(seconds=600)),
        open_until=ends,
    )
    if not moved:
        return Outcome(Status.EXPIRED, Reason.EXPIRED)
    return Outcome(Status.PENDING, Reason.OK, handle=Handle(attempt.key, asker.purpose))


def _adoptable(attempt: VerificationAttempt, answer: Answer) -> bool:
    """Only our own lost request is taken over: ours was lost before, and no row of ours has that id."""
    if answer.reason is not Reason.CONCURRENT or not answer.reply.request_id:
        return False
    known = VerificationAttempt.objects.filter(request_id=answer.reply.request_id)
    return attempt.reason == Reason.UNAVAILABLE and not known.exists()


def _lost(attempt: VerificationAttempt, answer: Answer, asker: Asker, now: datetime) -> Outcome:
    """Leave the row STARTING: the message may be on its way, and the next start will ask again."""
    VerificationAttempt.objects.filter(pk=attempt.pk, status=Status.STARTING).update(
        reason=Reason.UNAVAILABLE
    )
    _event(attempt, EventKind.UNANSWERED, now, asker, answer).save()
    return Outcome(Status.STARTING, Reason.UNAVAILABLE, reference=attempt.key)


def _turned_down(attempt: VerificationAttempt, answer: Answer, asker: Asker, now: datetime) -> Outcome:
    """End the attempt. No message went out, so what belongs to the number's owner is given back."""
    calls = limits.calls(attempt.number) if Channel.VOICE in attempt.plan else []
    with transaction.atomic(durable=True):
        attempt.move(
            Status.REFUSED,
            answer.reason,
            now=now,
            events=[_event(attempt, EventKind.REFUSED, now, asker, answer)],
            vendor=answer.reply.vendor,
            live_number=None,
            took=answer.took,
        )
        limits.give_back([*limits.buckets("sends_per_number", attempt.number), *calls], now)
    return Outcome(Status.REFUSED, answer.reason, _patience_of(answer, now), reference=attempt.key)


def _patience_of(answer: Answer, now: datetime) -> datetime | None:
    if PUBLIC[answer.reason] is not Public.WAIT and answer.reply.retry_after is None:
        return None
    return now + timedelta(seconds=answer.reply.retry_after or settings.ATTEMPT_LIFETIME)


def _meet(met: VerificationAttempt, asker: Asker, now: datetime) -> Outcome | None:
    """Deal with the row that holds the number: join it, ask again, wait for it, or clear it away (None)."""
    status, _ = met.state(now)
    if status is Status.EXPIRED and met.status != Status.EXPIRED:
        met.move(Status.EXPIRED, Reason.EXPIRED, now=now, ended_at=met.expires_at)
    if status not in (Status.STARTING, Status.PENDING, Status.CHECKING):
        if met.open_until > now:
            return Outcome(Status.REFUSED, Reason.CONCURRENT, met.open_until)
        VerificationAttempt.objects.closable(now).filter(pk=met.pk).update(live_number=None)
        return None
    if status is Status.STARTING and met.claimed_at is not None and met.claimed_at <= now - patience():
        return _retry(met, asker, now)
    return _join(met, asker, now)


def _retry(met: VerificationAttempt, asker: Asker, now: datetime) -> Outcome | None:
    """Ask once more for a request whose answer was lost, as its only claimant."""
    unclaimed = VerificationAttempt.objects.filter(
        pk=met.pk, status=Status.STARTING, claimed_at=met.claimed_at
    )
    try:
        with transaction.atomic(durable=True):
            if not unclaimed.update(claimed_at=now, reason=Reason.UNAVAILABLE):
                return None
            limits.charge(limits.sends(met.number, asker.visitor), now)
    except limits.Limited as refusal:
        return _refused(asker, refusal, now)
    met.reason = Reason.UNAVAILABLE
    return _send(met, gateway.dialect(met.api), asker)


def _join(met: VerificationAttempt, asker: Asker, now: datetime) -> Outcome:
    own = asker.held is not None and asker.held.key == met.key
    try:
        with transaction.atomic(durable=True):
            limits.charge(limits.joins(asker.visitor), now)
            if not own:
                VerificationAttempt.objects.filter(pk=met.pk).update(handles=F("handles") + 1)
    except limits.Limited as refusal:
        return _refused(asker, refusal, now)
    if met.handles < MAX_JOINS_RECORDED:
        _event(met, EventKind.JOINED, now, asker).save()
    handle = Handle(met.key, asker.purpose, own=bool(own and asker.held and asker.held.own))
    sending = met.status == Status.STARTING
    return Outcome(Status(met.status), Reason.SENDING if sending else Reason.OK, handle=handle)


def _refused(asker: Asker, refusal: limits.Limited, now: datetime) -> Outcome:
    """Write one row a limit and window, and count on it what is refused after that."""
    again = VerificationAttempt.objects.filter(refusal=refusal.tag).update(repeats=F("repeats") + 1)
    if not again:
        row = _new(asker, now)
        row.status, row.reason, row.refusal, row.live_number = (
            Status.REFUSED,
            refusal.reason,
            refusal.tag,
            None,
        )
        row.ended_at, row.channels = now, ",".join(settings.CHANNELS)
        VerificationAttempt.objects.bulk_create([row], ignore_conflicts=True)
    return Outcome(Status.REFUSED, refusal.reason, refusal.retry_at)


def _event(
    attempt: VerificationAttempt, kind: EventKind, at: datetime, asker: Asker, answer: Answer | None = None
) -> AttemptEvent:
    who = asker.visitor
    told = {"reason": answer.reason, "vendor": answer.reply.vendor, "took": answer.took} if answer else {}
    return AttemptEvent(
        attempt=attempt, kind=kind, at=at, purpose=asker.purpose, ip=who.ip, agent=who.agent,
        session=who.session[:16], **told,
    )  # fmt: skip
