"""The events that no timeline shows."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..models import AttemptEvent
from .filters import EventPeriodFilter, KindFilter
from .masked import ReadOnly, named


@admin.register(AttemptEvent)
class EventAdmin(ReadOnly):
    """Who linked or unlinked a number, what was erased or exported, what the guard noticed."""

    list_display = fields = ("at", "kind", "reason", "detail", "by")
    list_filter = (EventPeriodFilter, KindFilter)
    list_select_related = ("staff",)
    sortable_by = ("at",)
    ordering = ("-at", "-pk")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this person may see the audit."""
        return request.user.has_perm("passwordless.view_verificationattempt")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AttemptEvent]:
        """Return the events without an attempt; the others are on its page."""
        return super().get_queryset(request).filter(attempt=None)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say which events these are."""
        told = {"title": _("Events that belong to no attempt"), **(extra_context or {})}
        return super().changelist_view(request, told)

    @admin.display(description=pgettext_lazy("staff", "by"))
    def by(self, event: AttemptEvent) -> str:
        """Return who of the staff it was, where that is known."""
        return named(event.staff)
