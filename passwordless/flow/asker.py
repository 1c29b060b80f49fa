"""A request for a code as it comes in: who asks for what, the row it would get, and the row if it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import F

from .. import limits, phones
from ..conf import settings
from ..models import VerificationAttempt, tags
from ..outcomes import Handle, Outcome, Visitor
from ..states import Channel, Purpose, Status


@dataclass(frozen=True)
class Asker:
    """One request for a code: number (E.164), who asks, what for, and what their browser already holds."""

    number: str = field(repr=False)
    visitor: Visitor
    purpose: Purpose
    held: Handle | None = None
    first: str = ""
    """The channel that they would have first, if any."""

    @property
    def channels(self) -> list[str]:
        """Return the channels in the order in which they are to be tried. A landline takes no message."""
        if "fixed_line" in settings.NUMBER_TYPES and phones.is_landline(self.number):
            calls = [channel for channel in settings.CHANNELS if channel == Channel.VOICE]
            return calls or list(settings.CHANNELS)
        # A stable sort: whatever is the chosen one comes first, all else stays in the order of the site.
        return sorted(settings.CHANNELS, key=lambda channel: channel != self.first and self.first != "")


def start_patience() -> timedelta:
    """Return after how long a request without an answer may be asked again."""
    return timedelta(seconds=settings.START_TIMEOUT + 10)


def blank(asker: Asker, now: datetime) -> VerificationAttempt:
    """Return an attempt as it is before anything was written, paid or sent."""
    lifetime = timedelta(seconds=settings.ATTEMPT_LIFETIME)
    return VerificationAttempt(
        number=asker.number,
        number_tag=tags(asker.number)[0],
        live_number=asker.number,
        country=phones.region_of(asker.number),
        purpose=asker.purpose,
        ip=asker.visitor.ip,
        agent=asker.visitor.agent,
        language=asker.visitor.language,
        created_at=now,
        claimed_at=now,
        expires_at=now + lifetime,
        open_until=now + lifetime + start_patience(),
    )


def refused(asker: Asker, refusal: limits.Limited, now: datetime) -> Outcome:
    """Write one row a limit and window, and count on it what is refused after that."""
    again = VerificationAttempt.objects.filter(refusal=refusal.tag).update(repeats=F("repeats") + 1)
    if not again:
        row = blank(asker, now)
        row.channels = ",".join(asker.channels)
        VerificationAttempt.objects.refuse(row, refusal.reason, refusal.tag, now)
    return Outcome(Status.REFUSED, refusal.reason, refusal.retry_at)
