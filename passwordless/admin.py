"""The audit, which nobody can change, and the numbers of users, which staff may link and unlink."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from . import numbers, phones
from .models import AttemptEvent, PhoneNumber, VerificationAttempt
from .states import EventKind, Status

# Generic for the type checker only.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin

SYMBOLS = {
    Status.VERIFIED: "✔",
    Status.FAILED: "✘",
    Status.REFUSED: "✘",
    Status.EXPIRED: "◷",
    Status.CANCELLED: "–",
}


class PeriodFilter(admin.SimpleListFilter):
    """The last hour to the last year; by the index, where a date hierarchy would read the table."""

    title = _("period")
    parameter_name = "period"
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
        """Return what was asked for since then."""
        period = self.periods.get(self.value() or "")
        return queryset.filter(created_at__gte=timezone.now() - period[1]) if period else queryset


class ReadOnly(_ModelAdmin):
    """Looks only: add, change and delete are refused to everybody, superusers and forged POSTs included."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False


@admin.register(VerificationAttempt)
class AttemptAdmin(ReadOnly):
    """What happened to each attempt, and why."""

    list_display = (
        "created_at", "masked_number", "country", "state", "why", "tried", "sends", "guesses",
        "seconds", "cost", "ip", "user", "request_id",
    )  # fmt: skip
    list_filter = (PeriodFilter, "status", "reason", "purpose")
    search_fields = ("number",)
    search_help_text = _("Full phone number with country code, or request id. Exact matches only.")
    list_select_related = ("user",)
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-created_at", "-pk")
    fields = (
        "created_at", "masked_number", "country", "purpose", "state", "why", "vendor", "repeats", "planned",
        "tried", "sends", "guesses", "seconds", "cost", "user", "ip", "agent", "api", "request_id", "expires_at",
        "ended_at", "timeline",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[VerificationAttempt], search_term: str
    ) -> tuple[QuerySet[VerificationAttempt], bool]:
        """Find by a number in any spelling, or by a request id; both exact, both by an index."""
        if not search_term.strip():
            return queryset, False
        try:
            return queryset.filter(number=phones.parse(search_term)), False
        except phones.NumberRefused:
            return queryset.filter(request_id=search_term.strip()), False

    @admin.display(description=_("number"))
    def masked_number(self, attempt: VerificationAttempt) -> str:
        """Return the last three digits."""
        return attempt.masked

    @admin.display(description=_("status"), ordering="status")
    def state(self, attempt: VerificationAttempt) -> str:
        """Return the status as it is now, in words and with a sign; never by colour alone."""
        status, _reason = attempt.state(timezone.now())
        return f"{SYMBOLS.get(status, '…')} {status.label}"

    @admin.display(description=_("reason"))
    def why(self, attempt: VerificationAttempt) -> str:
        """Return the reason in words."""
        _status, reason = attempt.state(timezone.now())
        return str(reason.label) if reason != "ok" else ""

    @admin.display(description=_("channels"))
    def tried(self, attempt: VerificationAttempt) -> str:
        """Return the channels used so far."""
        return ", ".join(str(channel.label) for channel in attempt.channels_used(timezone.now()))

    @admin.display(description=_("channels planned"))
    def planned(self, attempt: VerificationAttempt) -> str:
        """Return the sequence that Vonage was asked for."""
        return attempt.channels.replace(",", ", ")

    @admin.display(description=_("seconds to verify"))
    def seconds(self, attempt: VerificationAttempt) -> str:
        """Return how long it took from the first request to the right code."""
        if attempt.status != Status.VERIFIED or attempt.ended_at is None:
            return ""
        return f"{(attempt.ended_at - attempt.created_at).total_seconds():.0f}"

    @admin.display(description=_("price"))
    def cost(self, attempt: VerificationAttempt) -> str:
        """Return what Vonage said it costs."""
        return "" if attempt.price is None else f"{attempt.price.normalize():f} {attempt.currency}"

    @admin.display(description=_("timeline"))
    def timeline(self, attempt: VerificationAttempt) -> SafeString:
        """Return what happened, in order, with the time from each event to the next."""
        rows, before = [], attempt.created_at
        for event in attempt.timeline():
            rows.append((_clock(event), f"{(event.at - before).total_seconds():+.1f} s", _words(event)))
            before = event.at
        return format_html("<ol>{}</ol>", format_html_join("", "<li>{} ({}) {}</li>", rows))


def _clock(event: AttemptEvent) -> str:
    return timezone.localtime(event.at).strftime("%H:%M:%S")


def _words(event: AttemptEvent) -> str:
    facts = [
        event.get_channel_display(),
        event.get_reason_display() if event.reason not in ("", "ok") else "",
        event.vendor,
        f"{event.took} ms" if event.took is not None else "",
        event.ip or "",
    ]
    told = ", ".join(str(fact) for fact in facts if fact)
    return f"{event.get_kind_display()} – {told}" if told else str(event.get_kind_display())


@admin.register(PhoneNumber)
class PhoneNumberAdmin(_ModelAdmin):
    """Links and unlinks numbers. Each of both is written down; a number is never edited into another."""

    list_display = ("masked", "user", "verified_at")
    autocomplete_fields = ()
    raw_id_fields = ("user",)
    readonly_fields = ("verified_at",)
    list_select_related = ("user",)
    search_fields = ("number",)
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: PhoneNumber | None = None) -> bool:
        """Return False: unlink and link again, so that both are on record."""
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PhoneNumber], search_term: str
    ) -> tuple[QuerySet[PhoneNumber], bool]:
        """Find by a number in any spelling."""
        try:
            return queryset.filter(
                number=phones.parse(search_term)
            ) if search_term.strip() else queryset, False
        except phones.NumberRefused:
            return queryset.none(), False

    def save_model(self, request: HttpRequest, obj: PhoneNumber, form: Any, change: bool) -> None:
        """Link, and write down who did it."""
        super().save_model(request, obj, form, change)
        numbers.note(EventKind.LINKED, obj, staff=request.user)

    def delete_model(self, request: HttpRequest, obj: PhoneNumber) -> None:
        """Unlink, and write down who did it."""
        numbers.unlink(obj, staff=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PhoneNumber]) -> None:
        """Unlink one by one, so that each is written down."""
        for number in queryset:
            self.delete_model(request, number)
