"""What the lists of the admin can be narrowed to, where a plain column would not do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .. import countries, phones
from ..conf import settings
from ..models import AttemptQuerySet, Rollup, Span, VerificationAttempt
from ..states import Channel, EventKind, Purpose, Reason, Status
from . import related

LOOSE = (
    EventKind.LINKED, EventKind.UNLINKED, EventKind.UNLOCKED, EventKind.ERASED, EventKind.PUMPING,
    EventKind.CONVERSION, EventKind.EXPORTED, EventKind.LOOKED,
)  # fmt: skip
"""Events of no attempt."""

TROUBLE, UNUSUAL = ~Q(reason="") & ~Q(reason=Reason.OK), ~Q(purpose=Purpose.LOGIN)
"""What the partial indexes hold. SQLite takes one only where a question says in the same words that it fits."""

LATELY = timedelta(days=90)
NEWEST = 2000
"""Attempts whose countries are offered beside those of the rolled-up rows: a DISTINCT would read the table."""


class Choice(admin.SimpleListFilter):
    """A filter that takes the values it offers and no other, so that an address can hold nothing else."""

    template = "admin/passwordless/filter.html"
    usual: str | None = None
    """The value where the address names none."""

    def value(self) -> str | None:
        """Return the chosen value, or the usual one."""
        value = super().value()
        return value if value in {str(key) for key, _label in self.lookup_choices} else self.usual

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Return the values as links; none but the values where one of them is the usual one."""
        offered = super().choices(changelist)
        if self.usual is not None:
            next(offered)
        yield from offered


class PeriodFilter(Choice):
    """The last hour to the last quarter; by the index, where a date hierarchy would read the table.

    A week where nothing is said. Whoever searches, or comes by a link to related attempts, is looking for
    something of whatever age.
    """

    title = _("period")
    parameter_name = "period"
    column = "created_at"
    periods = {
        "1h": (_("Last hour"), timedelta(hours=1)),
        "24h": (_("Last 24 hours"), timedelta(days=1)),
        "7d": (_("Last 7 days"), timedelta(days=7)),
        "30d": (_("Last 30 days"), timedelta(days=30)),
        "90d": (_("Last 90 days"), timedelta(days=90)),
        "all": (_("All"), None),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the periods, and keep which of them is the usual one here."""
        sought = request.GET.get(SEARCH_VAR, "").strip() or related.PARAMETER in request.GET
        self.usual = "all" if sought else "7d"
        return [(key, label) for key, (label, _length) in self.periods.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return what happened since then."""
        _label, length = self.periods[self.value() or "all"]
        return queryset.filter(**{f"{self.column}__gte": timezone.now() - length}) if length else queryset


class EventPeriodFilter(PeriodFilter):
    """The same periods, of events."""

    column = "at"


class StatusFilter(Choice):
    """The status as the list shows it: what is overdue counts as expired, moved or not."""

    title = _("status")
    parameter_name = "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the statuses."""
        return list(Status.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the attempts that stand there now."""
        value, attempts = self.value(), cast(AttemptQuerySet, queryset)
        return attempts.standing(Status(value), timezone.now()) if value else queryset


class ReasonFilter(Choice):
    """The reason as the list shows it: what is overdue is out of time, moved or not."""

    title = _("reason")
    parameter_name = "reason__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the reasons."""
        return list(Reason.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the attempts that came to that."""
        value = self.value()
        if value is None:
            return queryset
        late = Q(pk__in=VerificationAttempt.objects.overdue(timezone.now()).values("pk"))
        if value == Reason.EXPIRED:
            return queryset.filter(Q(reason=value) | late)
        if value == Reason.OK:
            return queryset.filter(~late, reason__in=[value, ""])
        return queryset.filter(~late, TROUBLE, reason=value)


class CountryFilter(Choice):
    """The countries served; where all are, those of which there were attempts."""

    title = _("country")
    parameter_name = "country"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the countries by name. One that the address asks for is offered if there is such a country."""
        asked = {request.GET.get(self.parameter_name, "")} & phones.regions()
        codes = asked | (seen() if settings.COUNTRIES is None else set(countries.served()))
        return sorted(((code, countries.name(code)) for code in codes if code), key=lambda one: one[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the attempts of that country."""
        return queryset.filter(country=self.value()) if self.value() else queryset


class ChannelFilter(Choice):
    """The channel that is tried first: it is what the site, or the visitor, decided."""

    title = _("first channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the channels."""
        return list(Channel.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the attempts whose plan begins there; no channel's name is the beginning of another's."""
        return queryset.filter(channels__startswith=self.value()) if self.value() else queryset


class PurposeFilter(Choice):
    """What the code was for."""

    title = _("purpose")
    parameter_name = "purpose__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the purposes."""
        return list(Purpose.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the attempts for that."""
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(Q() if value == Purpose.LOGIN else UNUSUAL, purpose=value)


class NearFilter(Choice):
    """The attempts related to one, named by its id: neither number nor IP address stands in the address."""

    title = _("related")
    parameter_name = related.PARAMETER

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return what the address asks for, if an attempt has it; nothing is offered here otherwise."""
        self.near = related.read(request.GET.get(self.parameter_name, ""))
        return [(self.near.value, self.near.label)] if self.near else []

    def has_output(self) -> bool:
        """Return True if the address asks, be it for an attempt that is gone."""
        return self.parameter_name in self.used_parameters

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the related attempts."""
        return self.near.narrow(queryset) if self.near else queryset.none()


class KindFilter(Choice):
    """Only the kinds that need no attempt."""

    title = pgettext_lazy("event", "what")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return those kinds."""
        return [(kind.value, kind.label) for kind in LOOSE]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the events of that kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


def seen() -> set[str]:
    """Return the countries (ISO) of the rolled-up days of a quarter, and of the newest attempts."""
    days = Rollup.objects.filter(span=Span.DAY, start__gte=timezone.now() - LATELY)
    newest = VerificationAttempt.objects.order_by("-created_at").values_list("country", flat=True)[:NEWEST]
    return {*days.order_by().values_list("country", flat=True).distinct(), *newest}
