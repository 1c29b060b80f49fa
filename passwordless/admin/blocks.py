"""Blocks of numbers on the dashboard: which are closed, and which would have been, were the guard to close any."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from .. import countries, guard
from ..conf import settings
from ..models import AttemptEvent
from ..states import EventKind
from .charts import count

HELD = timedelta(seconds=2 * guard.LONGEST)
"""How far back something may have been closed that is closed still."""

MOST = 2000
"""Notes that are read, the newest first."""


def told(since: datetime, now: datetime) -> dict[str, Any]:
    """Return the blocks that are closed, and those only noted since then."""
    enforced = settings.PUMPING_GUARD == "enforce"
    notes = [] if enforced else _notes(min(since, now - HELD))
    left_open = [note for note in notes if note.detail.endswith(guard.NOTED)]
    # A guard that is told to close no more opens nothing: what was closed has to be asked for, if any was.
    shut = enforced or len(left_open) < len(notes) or len(notes) == MOST
    noted = _by_block([note for note in left_open if note.at >= since])
    return {
        "blocks": [_closed(one) for one in (guard.closed(now) if shut else ())],
        "enforced": enforced,
        "noted": noted[: guard.LISTED],
        "noted_told": count(len(noted)) + "+" * (len(notes) == MOST),
    }


def words(size: int, country: str) -> str:
    """Return what everybody of the staff may know of a block, in words."""
    about = {"size": count(size), "country": countries.name(country) if country else ""}
    if not country:
        return _("A block of %(size)s numbers") % about
    return _("A block of %(size)s numbers in %(country)s") % about


def _closed(block: guard.Block) -> dict[str, Any]:
    return {"block": block, "words": words(block.size, block.country)}


def _notes(since: datetime) -> list[AttemptEvent]:
    """Return what the guard wrote, the newest first. Not grouped: SQLite would pass the index by for that."""
    events = AttemptEvent.objects.filter(attempt=None, kind=EventKind.PUMPING, at__gte=since)
    return list(events.order_by("-at", "-pk").only("block", "country", "detail", "at")[:MOST])


def _by_block(notes: list[AttemptEvent]) -> list[dict[str, Any]]:
    """Return each block once, with how often it was noted, and when last."""
    names = [(note.block, note.country, note.detail) for note in notes]
    times, newest = Counter(names), dict(zip(reversed(names), reversed(notes), strict=True))
    # In the order of their first sight, which is that of the newest note of each.
    return [_line(newest[name], times[name]) for name in times]


def _line(note: AttemptEvent, times: int) -> dict[str, Any]:
    """Return a block in words; of one whose digits went with its numbers, only what was written is left."""
    told = (
        words(guard.size_of(note), note.country)
        if note.block
        else note.detail.removesuffix(f", {guard.NOTED}")
    )
    return {"words": told, "digits": note.block.rstrip(guard.ANY), "times": times, "last": note.at}
