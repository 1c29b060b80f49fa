"""The timeline of an attempt, and the few events that belong to none."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..states import Channel, EventKind, Purpose, Reason

MAX_REPEATED = 5
"""Events of a kind that a browser can add to an attempt by bringing the same form again and again."""


class AttemptEvent(models.Model):
    """One line of the timeline: what happened, when, and what is known of whoever did it."""

    attempt = models.ForeignKey("VerificationAttempt", models.CASCADE, null=True, related_name="events")
    kind = models.CharField(pgettext_lazy("event", "what"), max_length=12, choices=EventKind)
    at = models.DateTimeField(pgettext_lazy("event", "when"))
    reason = models.CharField(_("reason"), max_length=20, choices=Reason, blank=True)
    vendor = models.CharField(_("Vonage's code"), max_length=20, blank=True)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True, default="")
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose, blank=True)
    took = models.PositiveIntegerField(_("milliseconds"), null=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True)
    agent = models.CharField(_("user agent"), max_length=200, blank=True)
    session = models.CharField(_("session tag"), max_length=16, blank=True)
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=pgettext_lazy("staff", "by"),
        db_index=False,
    )
    # The first digits of a closed block: beside the last three of an attempt they would be a whole number.
    block = models.CharField(max_length=16, blank=True, editable=False)
    detail = models.CharField(_("detail"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        default_permissions = ()
        ordering = ("at", "pk")
        indexes = (
            models.Index(
                fields=["-at", "-id"], name="passwordless_event_loose", condition=Q(attempt__isnull=True)
            ),
            models.Index(fields=["staff"], name="passwordless_event_staff", condition=Q(staff__isnull=False)),
        )

    def __str__(self) -> str:
        return self.get_kind_display()
