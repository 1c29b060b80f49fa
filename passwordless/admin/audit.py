"""The audit: what happened to each attempt and why. Nobody can change it."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db import connections
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import get_language_info, ngettext
from django.utils.translation import gettext_lazy as _

from .. import countries, flow, phones
from ..conf import settings
from ..models import VerificationAttempt
from ..states import Channel, Status
from . import export, filters, related, reveal
from . import timeline as story
from .masked import ReadOnly, linked, named, sees_users

SYMBOLS = {
    Status.VERIFIED: "✔",
    Status.FAILED: "✘",
    Status.REFUSED: "✘",
    Status.EXPIRED: "◷",
    Status.CANCELLED: "–",
}
TAGS = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{64})*\Z")
REQUEST_ID = re.compile(r"(?=.*[A-Za-z])[0-9A-Za-z-]{20,36}\Z")
"""Longer than a number, and with a letter: 32 or 36 hexadecimal characters at Vonage."""

REFERENCE = re.compile(r"(?=.*[a-z])[a-hjkmnp-z2-9]{8}\Z")
MOST = 200
"""Attempts whose numbers are unlocked at once at most: somebody is to have read them."""


@admin.register(VerificationAttempt)
class AttemptAdmin(ReadOnly):
    """What happened to each attempt, and why."""

    list_display = (
        # On a phone the first four are seen, and the others beside them.
        "asked", "masked_number", "state", "why", "place", "purpose", "tried", "tries", "seconds", "cost",
        "person", "quoted",
    )  # fmt: skip
    list_filter = (
        filters.NearFilter, filters.PeriodFilter, filters.CountryFilter, filters.StatusFilter,
        filters.ReasonFilter, filters.ChannelFilter, filters.PurposeFilter,
    )  # fmt: skip
    search_fields = ("number",)
    search_help_text = _(
        "Full phone number with country code, request id, or the reference of an error page. "
        "Exact matches only, of any period."
    )
    list_select_related = ("user",)
    sortable_by = ("asked",)
    ordering = ("-created_at", "-pk")
    actions = ("unlock", "export_csv", "export_jsonl")
    fieldsets = (
        (None, {"fields": ("story", "near")}),
        (_("What came of it"), {"fields": (
            "state", "why", "vendor", "purpose", "times_asked", "planned", "tried", "proved", "sends", "tries",
            "seconds", "cost",
        )}),
        (_("Who asked"), {"fields": (
            "masked_number", "place", "owner", "ip", "agent", "page_language", "message_language",
        )}),
        (_("At Vonage"), {"fields": ("quoted", "request_id", "api", "network", "took")}),
        (_("Times"), {"fields": ("created_at", "sent_at", "expires_at", "ended_at")}),
    )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        """Return the pages of the desk before Django's own, the last of which takes any path."""
        views = (
            ("dashboard/", _dashboard, "passwordless_dashboard"),
            ("export/", export.view, "passwordless_verificationattempt_export"),
            ("<int:pk>/number/", reveal.view, "passwordless_verificationattempt_number"),
        )
        ours = [
            path(route, self.admin_site.admin_view(partial(view, model_admin=self)), name=name)
            for route, view, name in views
        ]
        return [*ours, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[VerificationAttempt]:
        """Return the attempts with their users."""
        return super().get_queryset(request).select_related("user")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the parts of a page, the user in them as a mere name for who may see no users."""
        parts = super().get_fieldsets(request, obj)
        if sees_users(request):
            return parts
        return [
            (title, {"fields": ["person" if name == "owner" else name for name in part["fields"]]})
            for title, part in parts
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Say how long attempts are kept."""
        days = settings.RETENTION_DAYS
        kept = ngettext(
            "Attempts older than %(days)d day are removed by manage.py passwordless_prune.",
            "Attempts older than %(days)d days are removed by manage.py passwordless_prune.",
            days,
        )
        told = {"kept": kept % {"days": days}, "may_export": export.may(request), **(extra_context or {})}
        return super().changelist_view(request, told)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Offer the full number to those who may see it."""
        told = {"may_reveal": reveal.may(request), **(extra_context or {})}
        page: HttpResponse = super().change_view(request, object_id, form_url, told)
        return page

    def printable(self, term: str) -> str:
        """Return a request id or a reference as it is: neither is anybody's number."""
        known = REQUEST_ID.match(term) or REFERENCE.match(term.lower())
        return term if known else super().printable(term)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[VerificationAttempt], search_term: str
    ) -> tuple[QuerySet[VerificationAttempt], bool]:
        """Find by the tags of a number, a request id or a reference; all exact, all by an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if TAGS.match(term):
            return queryset.filter(number_tag__in=term.split(".")), False
        if REFERENCE.match(term.lower()):
            return _quoted(queryset, term.lower()), False
        return queryset.filter(request_id=term), False

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may open what limits and locks have closed."""
        return request.user.has_perm("passwordless.unlock_number")

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may take attempts away in a file."""
        return export.may(request)

    @admin.action(description=_("Unlock the numbers of the selected attempts"), permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[VerificationAttempt]) -> HttpResponse | None:
        """Ask once more, then unlock each number, on record."""
        chosen = list(queryset.values_list("pk", "number")[: MOST + 1])
        if len(chosen) > MOST:
            self.message_user(request, _("Select fewer attempts."), messages.ERROR)
            return None
        numbers = sorted({number for _pk, number in chosen if number})
        if "confirmed" not in request.POST:
            return self._confirmation(request, [pk for pk, _number in chosen], numbers)
        for number in numbers:
            flow.unlock(number, staff=request.user)
        told = ngettext("%(count)d number is unlocked.", "%(count)d numbers are unlocked.", len(numbers))
        self.message_user(request, told % {"count": len(numbers)})
        return None

    def _confirmation(self, request: HttpRequest, selected: list[int], numbers: list[str]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Unlock numbers"),
            "opts": self.opts,
            "selected": selected,
            "numbers": [phones.mask(number) for number in numbers],
            # This very page as it was before the button: nobody can write another address into that.
            "back": f"?{request.GET.urlencode()}",
        }
        return TemplateResponse(request, "admin/passwordless/unlock.html", context)

    @admin.action(description=_("Export the selected attempts as CSV"), permissions=["export"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[VerificationAttempt]) -> HttpResponseBase:
        """Return them as a file, on record."""
        return export.download(request, queryset, "csv", "selected")

    @admin.action(description=_("Export the selected attempts as JSON lines"), permissions=["export"])
    def export_jsonl(self, request: HttpRequest, queryset: QuerySet[VerificationAttempt]) -> HttpResponseBase:
        """Return them as a file, on record."""
        return export.download(request, queryset, "jsonl", "selected")

    @admin.display(description=_("asked"), ordering="created_at")
    def asked(self, attempt: VerificationAttempt) -> str:
        """Return how long ago it was, with the exact time as a title."""
        at = attempt.created_at
        told = '<time datetime="{}" title="{}">{}</time>'
        return format_html(told, at.isoformat(), story.exact(at), story.ago(at, timezone.now()))

    @admin.display(description=_("number"))
    def masked_number(self, attempt: VerificationAttempt) -> str:
        """Return the last three digits."""
        return attempt.masked

    @admin.display(description=_("country"))
    def place(self, attempt: VerificationAttempt) -> str:
        """Return the country's code with its name as a title."""
        if not attempt.country:
            return ""
        return format_html('<span title="{}">{}</span>', countries.name(attempt.country), attempt.country)

    @admin.display(description=_("status"))
    def state(self, attempt: VerificationAttempt) -> str:
        """Return the status as it is now, in words and with a sign; never by colour alone."""
        status, _reason = attempt.state(timezone.now())
        told = '<span class="pl-is-{}"><span aria-hidden="true">{}</span>\u00a0{}</span>'
        return format_html(told, status.value, SYMBOLS.get(status, "…"), status.label)

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
        return ", ".join(str(Channel(name).label) for name in attempt.plan)

    @admin.display(description=_("channel of the right code"))
    def proved(self, attempt: VerificationAttempt) -> str:
        """Return the channel by which the right code had come."""
        return attempt.get_proved_by_display()

    @admin.display(description=_("times asked"))
    def times_asked(self, attempt: VerificationAttempt) -> int:
        """Return how often it was asked for: refusals by one limit in one window share a row."""
        return attempt.repeats

    @admin.display(description=_("tries"))
    def tries(self, attempt: VerificationAttempt) -> int:
        """Return how many codes were typed."""
        return attempt.guesses

    @admin.display(description=_("seconds"))
    def seconds(self, attempt: VerificationAttempt) -> str:
        """Return how long it took from the first request to the right code."""
        taken = export.seconds(attempt)
        return "" if taken is None else str(taken)

    @admin.display(description=_("price"))
    def cost(self, attempt: VerificationAttempt) -> str:
        """Return what Vonage said it costs."""
        if attempt.price is None:
            return ""
        return f"{number_format(attempt.price.normalize())} {attempt.currency}"

    @admin.display(description=_("user"))
    def person(self, attempt: VerificationAttempt) -> str:
        """Return who logged in."""
        return named(attempt.user)

    @admin.display(description=_("user"))
    def owner(self, attempt: VerificationAttempt) -> str:
        """Return who logged in, as a link to their page, and one to their other attempts."""
        if attempt.user is None:
            return ""
        questions = [related.Near(attempt, related.Kind.USER)]
        theirs = render_to_string("admin/passwordless/related.html", {"questions": questions})
        return format_html("{}{}", linked(attempt.user), theirs)

    @admin.display(description=_("reference"))
    def quoted(self, attempt: VerificationAttempt) -> str:
        """Return what a visitor may quote of it."""
        return format_html("<code>{}</code>", attempt.reference)

    @admin.display(description=_("language of the page"))
    def page_language(self, attempt: VerificationAttempt) -> str:
        """Return the language in which the code was asked for."""
        return _language(attempt.language)

    @admin.display(description=_("language of the message"))
    def message_language(self, attempt: VerificationAttempt) -> str:
        """Return the language in which Vonage was asked to write or speak."""
        return _language(attempt.locale)

    @admin.display(description=_("timeline"))
    def story(self, attempt: VerificationAttempt) -> str:
        """Return what happened, in order, with the time from each line to the next."""
        lines = story.lines(attempt, timezone.now())
        return render_to_string("admin/passwordless/timeline.html", {"lines": lines})

    @admin.display(description=_("related attempts"))
    def near(self, attempt: VerificationAttempt) -> str:
        """Return how many attempts have to do with this one, as links to their lists."""
        questions = related.questions(attempt)
        return render_to_string("admin/passwordless/related.html", {"questions": questions})


def _dashboard(request: HttpRequest, model_admin: AttemptAdmin) -> HttpResponse:
    """Show the dashboard, whose figures and charts no worker loads that never shows one."""
    from . import dashboard

    return dashboard.view(request, model_admin)


def _quoted(rows: QuerySet[VerificationAttempt], reference: str) -> QuerySet[VerificationAttempt]:
    """Return those whose key begins so. SQLite's LIKE, blind to case, passes its index by: a range does not."""
    found = rows.filter(key__startswith=reference)
    if connections[rows.db].vendor == "sqlite":
        found = found.filter(key__gte=reference, key__lt=f"{reference}~")
    return found


def _language(tag: str) -> str:
    """Return the name of a language beside its tag (RFC 5646), such as German (de)."""
    try:
        return f"{get_language_info(tag)['name_translated']} ({tag})" if tag else ""
    except KeyError:
        return tag
