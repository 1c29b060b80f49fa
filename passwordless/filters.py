"""What the lists of the admin can be narrowed to, where a plain column would not do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .models import AttemptQuerySet
from .states import EventKind, Status

LOOSE = (
    EventKind.LINKED, EventKind.UNLINKED, EventKind.UNLOCKED, EventKind.ERASED, EventKind.PUMPING,
    EventKind.CONVERSION,
)  # fmt: skip
"""Events of no attempt."""


class PeriodFilter(admin.SimpleListFilter):
    """The last hour to the last quarter; by the index, where a date hierarchy would read the table."""

    title = _("period")
    parameter_name = "period"
    column = "created_at"
    periods = {
        "1h": (_("Last hour"), timedelta(hours=1)),
        "24h": (_("Last 24 hours"), timedelta(days=1)),
        "7d": (_("Last 7 days"), timedelta(days=7)),
        "30d": (_("Last 30 days"), timedelta(days=30)),
        "90d": (_("Last 90 days"), timedelta(days=90)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the periods."""
        return [(key, label) for key, (label, _length) in self.periods.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return what happened since then."""
        period = self.periods.get(self.value() or "")
        since = {f"{self.column}__gte": timezone.now() - period[1]} if period else {}
        return queryset.filter(**since)


class StatusFilter(admin.SimpleListFilter):
    """The status as the list shows it: what is overdue counts as expired, moved or not."""

    title = _("status")
    parameter_name = "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the statuses."""
        return list(Status.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the attempts that stand there now."""
        value, attempts = self.value(), cast(AttemptQuerySet, queryset)
        return attempts.standing(Status(value), timezone.now()) if value in Status.values else queryset


class EventPeriodFilter(PeriodFilter):
    """The same periods, of events."""

    column = "at"


class KindFilter(admin.SimpleListFilter):
    """Only the kinds that need no attempt."""

    title = _("what")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return those kinds."""
        return [(kind.value, kind.label) for kind in LOOSE]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the events of that kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset
