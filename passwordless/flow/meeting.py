"""Meeting: what becomes of a request for a number that has an attempt already. One live attempt a number."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F

from .. import gateway, limits
from ..conf import settings
from ..models import VerificationAttempt, durable
from ..outcomes import Handle, Outcome
from ..states import LIVE, EventKind, Purpose, Reason, Status
from .asker import Asker, refused, start_patience
from .payment import note, pay
from .sending import event, send

MAX_JOINS_RECORDED = 20


def meet(met: VerificationAttempt, asker: Asker, now: datetime) -> Outcome | None:
    """Deal with the row that holds the number: join it, ask again, wait for it, or clear it away (None)."""
    status, _ = met.state(now)
    if met.decoy and asker.purpose is not Purpose.LOGIN:
        # Nothing is hidden from somebody who is signed in: a decoy must not keep their code from them.
        VerificationAttempt.objects.filter(pk=met.pk).update(live_number=None)
        return None
    if status is Status.EXPIRED and met.status != Status.EXPIRED:
        met.move(Status.EXPIRED, Reason.EXPIRED, now=now, ended_at=met.expires_at)
    if status not in (Status.STARTING, Status.PENDING, Status.CHECKING):
        if met.open_until > now:
            return Outcome(Status.REFUSED, Reason.CONCURRENT, met.open_until)
        VerificationAttempt.objects.closable(now).filter(pk=met.pk).update(live_number=None)
        return None
    if status is Status.STARTING and met.claimed_at is not None and met.claimed_at <= now - start_patience():
        return _retry(met, asker, now)
    return _join(met, asker, now)


def _retry(met: VerificationAttempt, asker: Asker, now: datetime) -> Outcome | None:
    """Ask once more for a request whose answer was lost, as its only claimant."""
    dialect = gateway.dialect(met.api)
    ends = now + timedelta(seconds=settings.ATTEMPT_LIFETIME) + start_patience()
    reason = met.reason if met.decoy else Reason.UNAVAILABLE
    unclaimed = VerificationAttempt.objects.filter(
        pk=met.pk, status=Status.STARTING, claimed_at=met.claimed_at
    )
    try:
        with durable():
            if not unclaimed.update(claimed_at=now, open_until=ends, reason=reason):
                return None
            note(met, pay(met, asker.visitor, now), asker.visitor, now)
    except limits.Limited as refusal:
        return refused(asker, refusal, now)
    met.reason = reason
    return send(met, dialect, asker)


def _join(met: VerificationAttempt, asker: Asker, now: datetime) -> Outcome | None:
    """Share it, unless it has ended by now (None)."""
    own = asker.held is not None and asker.held.key == met.key
    try:
        with durable():
            # The row first and the counters after it, as everywhere, so that nobody waits in a circle.
            live = VerificationAttempt.objects.filter(pk=met.pk, status__in=LIVE)
            if not own and not live.update(handles=F("handles") + 1):
                return None
            noted = limits.charge(limits.joins(asker.visitor), now)
    except limits.Limited as refusal:
        return refused(asker, refusal, now)
    note(met, noted, asker.visitor, now)
    if met.handles < MAX_JOINS_RECORDED:
        event(met, EventKind.JOINED, now, asker).save()
    known = bool(own and asker.held and asker.held.own) or bool(asker.visitor.device)
    handle = Handle(met.key, asker.purpose, own=known)
    sending = met.status == Status.STARTING
    return Outcome(Status(met.status), Reason.SENDING if sending else Reason.OK, handle=handle)
