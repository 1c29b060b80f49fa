"""Start: a code for a number. Whoever asks again joins what is live; whoever asks too often is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError
from django.utils import timezone

from .. import devices, gateway, guard, limits, people
from ..conf import settings
from ..models import VerificationAttempt, durable
from ..outcomes import Handle, Outcome, Visitor
from ..states import Channel, Purpose, Reason, Status
from ..vonage.dialect import Dialect
from .asker import Asker, blank, refused
from .meeting import meet
from .payment import note, pay
from .sending import send


def start(
    number: str,
    visitor: Visitor,
    purpose: Purpose = Purpose.LOGIN,
    held: Handle | None = None,
    first: str = "",
) -> Outcome:
    """Send a code to `number` (E.164), or join the attempt that is live for it.

    `held` is the handle that the browser already has, if any; `first` the channel that is preferred among
    those of the site. An outcome with a handle leads to the code page; without one, `reason` says why nothing
    was sent. Raises ImproperlyConfigured.
    """
    asker = Asker(number, devices.recognised(visitor, number), purpose, held, first)
    for _ in range(5):
        now = timezone.now()
        try:
            attempt, dialect = _insert(asker, now)
        except limits.Limited as refusal:
            return refused(asker, refusal, now)
        except guard.Pumped as pumped:
            guard.close(pumped.block, now)
            continue
        except IntegrityError:
            met = VerificationAttempt.objects.filter(live_number=number).first()
            outcome = meet(met, asker, now) if met else None
            if outcome is not None:
                return outcome
            continue
        return send(attempt, dialect, asker)
    return Outcome(Status.REFUSED, Reason.BUSY)


def _insert(asker: Asker, now: datetime) -> tuple[VerificationAttempt, Dialect]:
    """Write the attempt and pay for it, or neither. Raises Limited, or IntegrityError if one is live."""
    user = people.find(asker.number) if asker.purpose is Purpose.LOGIN else None
    verdict = people.judge(user) if asker.purpose is Purpose.LOGIN else Reason.OK
    dialect = gateway.dialect("" if verdict is Reason.OK else "decoy")
    if verdict is not Reason.OK:
        gateway.warm(VerificationAttempt.objects.durations)
    attempt = blank(asker, now)
    attempt.api = dialect.name
    attempt.reason = "" if verdict is Reason.OK else verdict
    # Of the real one, also for a decoy, which would else be told by its channels.
    channels = gateway.dialect().feasible(asker.channels)
    attempt.locale = message_language(dialect, attempt, channels)
    try:
        _write(attempt, channels, asker, now)
    except limits.Limited as refusal:
        quiet = [channel for channel in channels if channel != Channel.VOICE]
        if refusal.reason is not Reason.LIMIT_CALLS or not quiet:
            raise
        attempt.pk = None
        _write(attempt, quiet, asker, now)
    return attempt, dialect


def message_language(dialect: Dialect, attempt: VerificationAttempt, channels: Sequence[str]) -> str:
    """Return the tag of the language to ask Vonage for, or an empty one that lets it choose."""
    mapped: str = settings.LOCALES.get(attempt.language, "")
    return settings.LOCALE or mapped or dialect.locale(attempt.language, attempt.country, channels)


def _write(attempt: VerificationAttempt, channels: Sequence[str], asker: Asker, now: datetime) -> None:
    attempt.channels = ",".join(channels)
    with durable():
        attempt.insert()
        noted = pay(attempt, asker.visitor, now, calls=Channel.VOICE in attempt.plan, guarded=True)
        note(attempt, noted, asker.visitor, now)
