"""What attempts came to, counted by the hour and by the day, so that a dashboard reads no table of attempts."""

from __future__ import annotations

from django.db import models

from ..states import Reason, Status


class Span(models.TextChoices):
    """How long the time is that a row counts. Both begin on the clock of UTC."""

    HOUR = "h"
    DAY = "d"


class Measure(models.TextChoices):
    """What a distribution is of."""

    VERIFY = "verify"  # whole seconds from the request for a code to the right one
    ANSWER = "answer"  # milliseconds, in tens, until Vonage answered; 2**31 - 1: never


class Rollup(models.Model):
    """The attempts asked for in one span that agree in country, plan, channel of success, status and reason."""

    span = models.CharField(max_length=1, choices=Span)
    start = models.DateTimeField()
    country = models.CharField(max_length=2, blank=True)
    channels = models.CharField(max_length=40)
    proved_by = models.CharField(max_length=10, blank=True)
    status = models.CharField(max_length=10, choices=Status)
    reason = models.CharField(max_length=20, choices=Reason, blank=True)

    asked = models.PositiveIntegerField()
    """Requests for a code, those included that a limit refused without a row of their own."""
    sent = models.PositiveIntegerField()
    """Attempts for which Vonage accepted at least one message."""
    messages = models.PositiveIntegerField()
    delivered = models.PositiveIntegerField()
    """Sent attempts that were verified, or of which Vonage reported that the message was read."""
    tried = models.PositiveIntegerField()
    """Attempts for which somebody typed a code."""
    cost = models.DecimalField(max_digits=16, decimal_places=8)
    """Euro."""

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["span", "start", "country", "channels", "proved_by", "status", "reason"],
                name="passwordless_rollup_cell",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_span_display()} {self.start:%Y-%m-%d %H:%M} {self.country}"


class RollupTime(models.Model):
    """How often something took so long in one span: from such counts comes a median over any period."""

    span = models.CharField(max_length=1, choices=Span)
    start = models.DateTimeField()
    measure = models.CharField(max_length=6, choices=Measure)
    value = models.PositiveIntegerField()
    count = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["span", "start", "measure", "value"], name="passwordless_rolluptime_cell"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_span_display()} {self.start:%Y-%m-%d %H:%M} {self.measure}"


class RollupMark(models.Model):
    """Up to when the spans are counted for good. One row."""

    until = models.DateTimeField()
    ran_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"until {self.until:%Y-%m-%d %H:%M}"
