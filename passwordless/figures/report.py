"""What is told of one period: figures, and the same for the period before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ..guard import LOW, SUSPICIOUS
from ..states import Channel, Reason, Status


@dataclass(frozen=True)
class Totals:
    """What the attempts asked for in one period came to."""

    asked: int
    """Requests for a code, those included that a limit refused."""
    sent: int
    """Attempts for which Vonage accepted at least one message."""
    messages: int
    """Messages and calls that Vonage accepted."""
    delivered: int
    """Sent attempts of which Vonage reported, or a right code showed, that a message was read; at least so many."""
    tried: int
    """Attempts for which somebody typed a code."""
    verified: int
    """Attempts that ended with a right code and a visitor who may be served."""
    median_seconds: float | None
    """From the request for a code to the right one; None if there was none."""
    cost: Decimal
    """Euro, as far as Vonage told prices."""

    @property
    def conversion(self) -> float | None:
        """Return the share of the sent that were verified, or None if nothing was sent."""
        return self.verified / self.sent if self.sent else None

    @property
    def cost_per_login(self) -> Decimal | None:
        """Return Euro for each verified one, or None if there was none."""
        return self.cost / self.verified if self.verified else None


@dataclass(frozen=True)
class Point:
    """One bar of the series: an hour, or a day of UTC, of which the period may hold a part."""

    start: datetime
    sent: int
    verified: int


@dataclass(frozen=True)
class CountryLine:
    """One country (ISO 3166-1, two letters; empty where the number tells none)."""

    country: str
    asked: int
    sent: int
    verified: int
    cost: Decimal

    @property
    def conversion(self) -> float | None:
        """Return the share of the sent that were verified, or None if nothing was sent."""
        return self.verified / self.sent if self.sent else None

    @property
    def low(self) -> bool:
        """Return whether so few codes come back that it looks like pumping."""
        return self.sent >= SUSPICIOUS and self.verified < LOW * self.sent


@dataclass(frozen=True)
class ChannelLine:
    """The attempts that began with one channel."""

    channel: Channel
    sent: int
    verified: int
    fell_back: int
    """Those of the verified whose right code came by another channel than the first."""


@dataclass(frozen=True)
class ReasonLine:
    """How many requests ended so; those that were verified and let in are not among them."""

    status: Status
    reason: Reason
    count: int


@dataclass(frozen=True)
class Health:
    """How Vonage served the requests for a code."""

    asked_of_provider: int
    errors: int
    """Requests that failed by a fault of the provider or of our account there, or whose answer was lost."""
    p95_ms: int | None
    """So many milliseconds, in tens, or less took 95 of 100 answers; None if there was none."""
    circuit_refusals: int
    """Requests with which Vonage was not troubled since it was failing, or since too many were under way."""
    last_webhook_at: datetime | None
    """Receipts of webhooks are kept for a day: None if there was none since."""


@dataclass(frozen=True)
class Freshness:
    """Up to when attempts were counted for good, and when that was done; None if never."""

    rolled_until: datetime | None
    ran_at: datetime | None


@dataclass(frozen=True)
class Report:
    """One period, `start` to `end`, and the same length from `before` to `start`; aware, UTC, on the hour."""

    period: str
    start: datetime
    end: datetime
    before: datetime
    current: Totals
    previous: Totals
    series: list[Point]
    countries: list[CountryLine]
    plans: list[ChannelLine]
    refusals: list[ReasonLine]
    health: Health
    fresh: Freshness
