"""The audit, which nobody can change, and the numbers of users, which staff may link and unlink."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from . import flow, phones
from . import numbers as links
from .filters import EventPeriodFilter, KindFilter, PeriodFilter, StatusFilter
from .models import AttemptEvent, PhoneNumber, VerificationAttempt, tags
from .states import EventKind, Status

# Generic for the type checker only.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _ModelForm = forms.ModelForm[PhoneNumber]
else:
    _ModelAdmin = admin.ModelAdmin
    _ModelForm = forms.ModelForm

SYMBOLS = {
    Status.VERIFIED: "✔",
    Status.FAILED: "✘",
    Status.REFUSED: "✘",
    Status.EXPIRED: "◷",
    Status.CANCELLED: "–",
}
TAGS = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{64})*\Z")
MOST = 200
"""Attempts whose numbers are unlocked at once at most: somebody is to have read them."""


class Masked(_ModelAdmin):
    """No number in a page, a URL or a log: a search is posted, and goes on to an address that holds an HMAC.

    No question about a column but those of the filters: `?number__startswith=` would undo the mask.
    """

    askable: frozenset[str] = frozenset()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Turn a search into the address of what it finds."""
        term = request.POST.get(SEARCH_VAR, request.GET.get(SEARCH_VAR, "")).strip()
        searched = SEARCH_VAR in request.POST or _spelled(term)
        if searched and self.has_view_permission(request):
            return HttpResponseRedirect(self.found(request, term))
        page: HttpResponse = super().changelist_view(request, extra_context)
        return page

    def found(self, request: HttpRequest, term: str) -> str:
        """Return the address of what was searched for: a number in any spelling, or something else."""
        query = request.GET.copy()
        number = _spelled(term)
        query[SEARCH_VAR] = ".".join(tags(number)) if number else term
        query.pop("p", None)
        return f"?{query.urlencode()}"

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Return whether a filter of ours asks that."""
        return lookup.partition("__")[0] in self.askable


class ReadOnly(Masked):
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
    list_filter = (PeriodFilter, StatusFilter, "reason", "purpose")
    askable = frozenset({"period", "status", "reason", "purpose"})
    search_fields = ("number",)
    search_help_text = _("Full phone number with country code, or request id. Exact matches only.")
    list_select_related = ("user",)
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-created_at", "-pk")
    actions = ("unlock",)
    fields = (
        "created_at", "masked_number", "country", "purpose", "state", "why", "vendor", "repeats", "planned",
        "tried", "sends", "guesses", "seconds", "cost", "user", "ip", "agent", "api", "request_id", "network",
        "expires_at",
        "ended_at", "timeline",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[VerificationAttempt], search_term: str
    ) -> tuple[QuerySet[VerificationAttempt], bool]:
        """Find by the tags of a number, or by a request id; both exact, both by an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if TAGS.match(term):
            return queryset.filter(number_tag__in=term.split(".")), False
        return queryset.filter(request_id=term), False

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may open what limits and locks have closed."""
        return request.user.has_perm("passwordless.unlock_number")

    @admin.action(description=_("Unlock the numbers of the selected attempts"), permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[VerificationAttempt]) -> HttpResponse | None:
        """Ask once more, then unlock each number, on record."""
        if queryset.count() > MOST:
            self.message_user(request, _("Select fewer attempts."), messages.ERROR)
            return None
        numbers = sorted({number for number in queryset.values_list("number", flat=True) if number})
        if "confirmed" not in request.POST:
            return self._confirmation(request, queryset, numbers)
        for number in numbers:
            flow.unlock(number, staff=request.user)
        told = ngettext("%(count)d number is unlocked.", "%(count)d numbers are unlocked.", len(numbers))
        self.message_user(request, told % {"count": len(numbers)})
        return None

    def _confirmation(
        self, request: HttpRequest, queryset: QuerySet[VerificationAttempt], numbers: list[str]
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Unlock numbers"),
            "opts": self.model._meta,
            "selected": queryset.values_list("pk", flat=True),
            "numbers": [phones.mask(number) for number in numbers],
        }
        return TemplateResponse(request, "admin/passwordless/unlock.html", context)

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


@admin.register(AttemptEvent)
class EventAdmin(ReadOnly):
    """What no timeline shows: who linked or unlinked a number, what was erased, what the guard noticed."""

    list_display = fields = ("at", "kind", "reason", "detail", "staff")
    list_filter = (EventPeriodFilter, KindFilter)
    askable = frozenset({"period", "kind"})
    list_select_related = ("staff",)
    list_per_page = 50
    show_full_result_count = False
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


def _spelled(term: str) -> str:
    try:
        return phones.spell(term)
    except phones.NumberRefused:
        return ""


class PhoneNumberForm(_ModelForm):
    """Takes a number in any spelling; stored as typed it would never be found at login."""

    number = forms.CharField(label=_("number"), max_length=phones.MAX_LENGTH)

    def clean_number(self) -> str:
        """Return the number as E.164, or say why it gets no code."""
        try:
            return phones.parse(self.cleaned_data["number"])
        except phones.NumberRefused as refused:
            message = _("This number gets no code (%(code)s).")
            raise forms.ValidationError(message, code=refused.code, params={"code": refused.code}) from None


@admin.register(PhoneNumber)
class PhoneNumberAdmin(Masked):
    """Links and unlinks numbers. Each of both is written down; a number is never edited into another."""

    form = PhoneNumberForm
    list_display = ("masked", "user", "verified_at")
    raw_id_fields = ("user",)
    readonly_fields = ("masked", "verified_at")
    list_select_related = ("user",)
    search_fields = ("number",)
    show_full_result_count = False

    def get_fields(self, request: HttpRequest, obj: PhoneNumber | None = None) -> Any:
        """Ask for a number to link it; show one that is linked by its last digits."""
        return ["user", "number"] if obj is None else ["user", "masked", "verified_at"]

    def has_change_permission(self, request: HttpRequest, obj: PhoneNumber | None = None) -> bool:
        """Return False: unlink and link again, so that both are on record."""
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PhoneNumber], search_term: str
    ) -> tuple[QuerySet[PhoneNumber], bool]:
        """Find nothing more: a number that was found has a page of its own."""
        return (queryset.none() if search_term.strip() else queryset), False

    def found(self, request: HttpRequest, term: str) -> str:
        """Return the address of the number's page, if somebody has it."""
        row = PhoneNumber.objects.filter(number=_spelled(term) or "-").first()
        return (
            reverse("admin:passwordless_phonenumber_change", args=[row.pk]) if row else f"?{SEARCH_VAR}=none"
        )

    def save_model(self, request: HttpRequest, obj: PhoneNumber, form: Any, change: bool) -> None:
        """Link, and write down who did it."""
        super().save_model(request, obj, form, change)
        links.note(EventKind.LINKED, obj, staff=request.user)

    def delete_model(self, request: HttpRequest, obj: PhoneNumber) -> None:
        """Unlink, and write down who did it."""
        links.unlink(obj, staff=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PhoneNumber]) -> None:
        """Unlink one by one, so that each is written down."""
        for number in queryset:
            self.delete_model(request, number)
