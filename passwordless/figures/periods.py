"""The periods that figures are told of, and where their edges lie: on the hour of UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """So long, told by bars of an hour or of a day."""

    length: timedelta
    bar: timedelta


PERIODS = {
    "24h": Period(DAY, HOUR),
    "7d": Period(7 * DAY, DAY),
    "30d": Period(30 * DAY, DAY),
    "90d": Period(90 * DAY, DAY),
}
LONGEST = 2 * max(period.length for period in PERIODS.values())
"""How far back the longest one looks, with the period before it."""


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour of UTC that holds `moment` (aware)."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """Return the beginning of the day of UTC that holds `moment` (aware)."""
    return hour_of(moment).replace(hour=0)


def end_of(now: datetime) -> datetime:
    """Return the end of the hour that holds `now` (aware): there every period ends."""
    return hour_of(now) + HOUR
