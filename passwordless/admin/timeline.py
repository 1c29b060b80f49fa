"""The story of one attempt, line by line: what is written of it, and what follows from the row by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import prefetch_related_objects
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..models import AttemptEvent, VerificationAttempt
from ..states import Channel, EventKind, Reason, Status
from .masked import named

SIGNS = {
    EventKind.SENT: "→", EventKind.NEXT: "→", EventKind.REPORTED: "↩", EventKind.VERIFIED: "✔",
    EventKind.GUESSED: "✘", EventKind.REFUSED: "✘", EventKind.UNANSWERED: "✘", EventKind.CHECK_FAILED: "✘",
    EventKind.CANCELLED: "–", EventKind.LOOKED: "◉",
}  # fmt: skip
ENDINGS = {
    Status.VERIFIED: EventKind.VERIFIED,
    Status.REFUSED: EventKind.REFUSED,
    Status.CANCELLED: EventKind.CANCELLED,
}
"""Ends that an event tells of, where there is one."""

REPORTS = {
    "delivered": _("delivered"),
    "completed": _("completed: the right code was typed"),
    "failed": _("failed: the number cannot be reached"),
    "rejected": _("rejected by the network"),
    "user_rejected": _("rejected by the person, or too many wrong codes"),
    "expired": _("expired: no right code in time"),
    "blocked": _("blocked by Vonage's fraud rules"),
    "cancelled": _("cancelled"),
}
"""Vonage's words in webhooks of Verify v2; another is shown as it came."""


class Line(NamedTuple):
    """What happened at one moment. `gap` is the time since the line before, `day` the date if that had another."""

    at: datetime
    sign: str
    told: str
    tone: str = ""
    gap: str = ""
    day: str = ""

    @property
    def clock(self) -> str:
        """Return the time of day."""
        return f"{timezone.localtime(self.at):%H:%M:%S}"

    @property
    def exact(self) -> str:
        """Return date, time and zone."""
        return exact(self.at)


def lines(attempt: VerificationAttempt, now: datetime) -> list[Line]:
    """Return the story until `now`, in order."""
    events = attempt.timeline()
    prefetch_related_objects(events, "staff")
    told = [*map(_of, events), *_by_itself(attempt, now), *_end(attempt, events, now)]
    told.sort(key=lambda line: line.at)
    before = [None, *told[:-1]]
    return [_after(line, last) for line, last in zip(told, before, strict=True)]


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago a moment was, in minutes, hours or days.

    Not Django's `timesince` and a word for "ago": behind that word, many languages bend the unit.
    """
    minutes = (now - at) // timedelta(minutes=1)
    if minutes < 1:
        return str(_("just now"))
    if minutes < 60:
        return ngettext("%(count)d minute ago", "%(count)d minutes ago", minutes) % {"count": minutes}
    if minutes < 24 * 60:
        hours = minutes // 60
        return ngettext("%(count)d hour ago", "%(count)d hours ago", hours) % {"count": hours}
    days = minutes // (24 * 60)
    return ngettext("%(count)d day ago", "%(count)d days ago", days) % {"count": days}


def exact(at: datetime) -> str:
    """Return date, time to the second and zone, as staff read it."""
    local = timezone.localtime(at)
    return f"{date_format(local, 'DATE_FORMAT')}, {local:%H:%M:%S %Z}"


def _of(event: AttemptEvent) -> Line:
    kind = EventKind(event.kind)
    return Line(event.at, SIGNS.get(kind, "•"), _words(event), kind.value)


def _words(event: AttemptEvent) -> str:
    what, why = event.get_kind_display(), event.get_reason_display()
    facts = [
        event.get_channel_display(),
        why if event.reason not in ("", Reason.OK) and why != what else "",
        REPORTS.get(event.vendor, event.vendor) if event.kind == EventKind.REPORTED else event.vendor,
        _("%(count)s ms") % {"count": number_format(event.took, force_grouping=True)}
        if event.took is not None
        else "",
        event.ip or "",
        named(event.staff),
        event.detail,
    ]
    return _joined(what, *facts)


def _joined(what: object, *facts: object) -> str:
    told = ", ".join(str(fact) for fact in facts if fact)
    return f"{what} – {told}" if told else str(what)


def _by_itself(attempt: VerificationAttempt, now: datetime) -> list[Line]:
    """Return when Vonage went on to another channel without being asked: no event tells of it."""
    if not attempt.sends or attempt.step_at is None:
        return []
    last = attempt.current_step(min(now, attempt.ended_at or now))
    return [
        Line(
            at=attempt.step_at + attempt.step_length * (step - attempt.step),
            sign=SIGNS[EventKind.NEXT],
            told=_joined(EventKind.NEXT.label, Channel(attempt.plan[step]).label, _("by itself")),
            tone=EventKind.NEXT.value,
        )
        for step in range(attempt.step + 1, last + 1)
    ]


def _end(attempt: VerificationAttempt, events: list[AttemptEvent], now: datetime) -> list[Line]:
    """Return how it ended where no event says so, as with a limit, a webhook or the clock."""
    status, reason = attempt.state(now)
    at = attempt.ended_at or (attempt.expires_at if status is Status.EXPIRED else None)
    if at is None or any(event.kind == ENDINGS.get(status) for event in events):
        return []
    why = "" if reason is Reason.OK else reason.label
    return [Line(at, "◷" if status is Status.EXPIRED else "✘", _joined(status.label, why), status.value)]


def _after(line: Line, last: Line | None) -> Line:
    """Return a line with what it differs in from the one before."""
    day, gap = _day(line), _gap(line.at - (last or line).at)
    return line._replace(gap=gap, day="" if last and _day(last) == day else day)


def _day(line: Line) -> str:
    return date_format(timezone.localtime(line.at), "DATE_FORMAT")


def _gap(length: timedelta) -> str:
    """Return a difference in seconds; from two minutes on in words."""
    if length < timedelta(minutes=2):
        seconds = number_format(round(length.total_seconds(), 1), 1)
        return _("%(seconds)s s") % {"seconds": f"+{seconds}"}
    moment = timezone.now()
    return f"+{timesince(moment, moment + length, depth=1)}"
