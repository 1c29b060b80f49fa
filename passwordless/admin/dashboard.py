"""The dashboard: what the attempts of a period came to, on one page that an address names and nobody scripts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from .. import countries, figures, guard
from ..conf import settings
from ..figures import CountryLine, Report, Totals
from ..flow import unlock_block
from ..models import AttemptEvent, VerificationAttempt
from ..states import Reason
from . import blocks, charts, reveal
from .charts import count
from .timeline import ago

if TYPE_CHECKING:
    from .audit import AttemptAdmin

PERIODS = {
    "24h": gettext_lazy("Last 24 hours"),
    "7d": gettext_lazy("Last 7 days"),
    "30d": gettext_lazy("Last 30 days"),
    "90d": gettext_lazy("Last 90 days"),
}
USUAL = "7d"
STALE = timedelta(days=2)
"""After so long without a count of what is over, the page advises to count it from cron."""

COUNTRIES = 10
"""Lines of countries shown at once; the others fold away."""

NOTHING = "–"


@dataclass(frozen=True)
class Card:
    """One figure: what it is now, what it was in the period before, and by how much it changed.

    `tone` is better, worse or even; `change` says the same in figures.
    """

    label: str
    value: str
    change: str
    before: str
    tone: str = "even"
    note: str = ""

    @property
    def way(self) -> str:
        """Return an arrow in the direction of the change."""
        return {"+": "▲", "−": "▼"}.get(self.change[:1], "")


def view(request: HttpRequest, model_admin: AttemptAdmin) -> HttpResponse:
    """Show the figures of a period (?period=24h, 7d, 30d or 90d); a POST opens a closed block of numbers.

    Raises PermissionDenied for who may not see attempts, or for a POST of who may not unlock numbers.
    """
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    asked = request.GET.get("period", USUAL)
    period = asked if asked in PERIODS else USUAL
    if request.method == "POST":
        return _unlock(request, model_admin, period)
    now = timezone.now()
    report = figures.read(period, now)
    context = _frame(model_admin, request, _("Dashboard")) | _told(report, now)
    context |= blocks.told(report.start, now)
    context |= {"periods": PERIODS, "period": period, "label": PERIODS[period]}
    return TemplateResponse(request, "admin/passwordless/dashboard.html", context)


def _unlock(request: HttpRequest, model_admin: AttemptAdmin, period: str) -> HttpResponse:
    """Ask once more, then open the block, on record. Only what is on the list can be asked for."""
    if not model_admin.has_unlock_permission(request):
        raise PermissionDenied
    chosen = next(
        (one for one in guard.closed(timezone.now()) if str(one.event) == request.POST.get("block")), None
    )
    if chosen and "confirmed" not in request.POST:
        context = _frame(model_admin, request, _("Unlock a block of numbers"))
        context |= {"chosen": chosen, "words": blocks.words(chosen.size, chosen.country), "period": period}
        return TemplateResponse(request, "admin/passwordless/dashboard_unlock.html", context)
    if chosen and unlock_block(AttemptEvent.objects.get(pk=chosen.event), request.user):
        messages.success(request, _("The block is unlocked."))
    else:
        messages.info(request, _("That block is open already."))
    return HttpResponseRedirect(f"{request.path}?{urlencode({'period': period})}")


def _frame(model_admin: AttemptAdmin, request: HttpRequest, title: str) -> dict[str, Any]:
    """Return what every page of it needs; what the numbers of a block begin with is part of full numbers."""
    may = {"seen": reveal.may(request), "unlocks": model_admin.has_unlock_permission(request)}
    site = model_admin.admin_site
    return {**site.each_context(request), **may, "title": title, "opts": model_admin.model._meta}


def _told(report: Report, now: datetime) -> dict[str, Any]:
    """Return the parts of the page that the report fills."""
    lines = sorted(report.countries, key=lambda line: (not line.low, -line.sent, -line.asked, line.country))
    shown = [_country(line, report) for line in lines]
    quiet = not report.current.asked and not report.previous.asked
    return {
        "report": report,
        # Only a page without figures asks whether there ever were any.
        "never": quiet and not VerificationAttempt.objects.exists(),
        "cards": _cards(report.current, report.previous),
        "goes_on": len(settings.CHANNELS) > 1,
        "funnel": _funnel(report.current),
        "series": _series(report),
        "countries": shown[:COUNTRIES],
        "more_countries": shown[COUNTRIES:],
        "pumped": sum(line.low for line in lines),
        "low_share": _percent(guard.LOW, 0),
        "low_sends": count(guard.SUSPICIOUS),
        "plans": _plans(report),
        "refusals": _refusals(report),
        "health": _health(report, now),
        "stale": report.fresh.ran_at is not None and report.fresh.ran_at < now - STALE,
    }


def _cards(now: Totals, before: Totals) -> list[Card]:
    return [
        _counted(pgettext("count", "Sent"), now.sent, before.sent, note=_messages(now)),
        _counted(pgettext("count", "Verified"), now.verified, before.verified, good=1),
        _conversion(now, before),
        _median(now, before),
        _cost(now, before),
    ]


def _messages(now: Totals) -> str:
    told = ngettext("%(count)s message or call", "%(count)s messages and calls", now.messages)
    return told % {"count": count(now.messages)}


def _counted(label: str, now: int, before: int, note: str = "", good: int = 0) -> Card:
    return Card(label, count(now), _growth(now, before), count(before), _tone(now, before, good), note)


def _conversion(now: Totals, before: Totals) -> Card:
    change, tone = "", "even"
    if now.conversion is not None and before.conversion is not None:
        points = round((now.conversion - before.conversion) * 100, 1)
        change, tone = _("%(points)s points") % {"points": _signed(points, 1)}, _tone(points, 0, 1)
    return Card(
        _("Conversion"), _percent(now.conversion), change, _percent(before.conversion), tone,
        _("Verified out of sent"),
    )  # fmt: skip


def _median(now: Totals, before: Totals) -> Card:
    change, tone = "", "even"
    if now.median_seconds is not None and before.median_seconds is not None:
        more = now.median_seconds - before.median_seconds
        change, tone = _("%(seconds)s s") % {"seconds": _signed(more, _places(more))}, _tone(more, 0, -1)
    note = _("Half of the logins took less")
    return Card(
        _("Time to verify"), _seconds(now.median_seconds), change, _seconds(before.median_seconds), tone, note
    )


def _cost(now: Totals, before: Totals) -> Card:
    if not now.cost:
        return Card(_("Cost"), NOTHING, "", _euro(before.cost))
    each = _("%(cost)s per login") % {"cost": _euro(now.cost_per_login, 4)} if now.verified else ""
    return Card(_("Cost"), _euro(now.cost), _growth(now.cost, before.cost), _euro(before.cost), note=each)


def _growth(now: int | Decimal, before: int | Decimal) -> str:
    """Return by how much of itself a figure grew, or nothing where it grew from nothing."""
    if not before:
        return ""
    grown = _signed(round(float(now / before - 1) * 100, 1), 1)
    # Before the whole: Turkish writes the percent sign first.
    return grown[:1] + _percent_words(grown[1:])


def _tone(now: float, before: float, good: int) -> str:
    """Return whether a change is for the better: more if `good` is 1, less if it is -1."""
    way = ((now > before) - (now < before)) * good
    return {1: "better", -1: "worse"}.get(way, "even")


def _funnel(totals: Totals) -> SafeString:
    steps = {
        _("Asked for a code"): totals.asked,
        _("Sent"): totals.sent,
        _("Delivered"): totals.delivered,
        _("Code typed"): totals.tried,
        _("Verified"): totals.verified,
    }
    whole = totals.asked or 1
    rows = [
        charts.Row(label, number, number / whole, _percent(number / whole)) for label, number in steps.items()
    ]
    told = "; ".join(f"{row.label}: {count(row.count)} ({row.note})" for row in rows)
    head = [_("Step"), _("Count"), _("Out of all asked for")]
    return charts.rows("pl-funnel", _("From asking to verified"), told, head, rows)


def _series(report: Report) -> SafeString:
    hourly = report.period == "24h"
    axis = _("Hour") if hourly else _("Day (UTC)")
    # An hour as the clock of the site has it; days are counted from midnight UTC to midnight UTC.
    labels = [
        date_format(timezone.localtime(point.start), "H:i")
        if hourly
        else date_format(point.start.astimezone(UTC), "j M")
        for point in report.series
    ]
    series = [
        charts.Series(pgettext("count", "Sent"), [point.sent for point in report.series]),
        charts.Series(pgettext("count", "Verified"), [point.verified for point in report.series]),
    ]
    sums = [count(sum(one.values)) for one in series]
    told = _("%(sent)s sent, %(verified)s of them verified.") % {"sent": sums[0], "verified": sums[1]}
    title = _("Sent and verified by hour") if hourly else _("Sent and verified by day")
    return charts.columns("pl-series", title, told, axis, labels, series)


def _country(line: CountryLine, report: Report) -> dict[str, Any]:
    return {
        "name": countries.name(line.country) if line.country else _("Unknown"),
        "code": line.country,
        "sent": count(line.sent),
        "verified": count(line.verified),
        "conversion": _percent(line.conversion),
        "bar": charts.inline(line.conversion or 0),
        "cost": _euro(line.cost),
        "low": line.low,
        "url": _list(period=report.period, country=line.country) if line.country else "",
    }


def _plans(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "channel": line.channel.label,
            "sent": count(line.sent),
            "verified": count(line.verified),
            "conversion": _percent(line.verified / line.sent if line.sent else None),
            "fell_back": count(line.fell_back),
            "url": _list(period=report.period, channel=line.channel.value),
        }
        for line in report.plans
    ]


def _refusals(report: Report) -> list[dict[str, Any]]:
    most = max((line.count for line in report.refusals), default=1)
    return [
        {
            "reason": line.reason.label if line.reason != Reason.OK else NOTHING,
            "status": line.status.label,
            "count": count(line.count),
            "bar": charts.inline(line.count / most),
            "url": _list(
                period=report.period, status__exact=line.status.value, reason__exact=line.reason.value
            ),
        }
        for line in report.refusals
    ]


def _health(report: Report, now: datetime) -> dict[str, Any]:
    health = report.health
    share = health.errors / health.asked_of_provider if health.asked_of_provider else None
    return {
        "asked": count(health.asked_of_provider),
        "errors": count(health.errors),
        "share": _percent(share),
        "p95": NOTHING if health.p95_ms is None else _("%(count)s ms") % {"count": count(health.p95_ms)},
        "circuit": count(health.circuit_refusals),
        "webhook": health.last_webhook_at,
        "ago": ago(health.last_webhook_at, now) if health.last_webhook_at else "",
    }


def _list(**query: str) -> str:
    """Return the address of the list of attempts that agree in this."""
    return f"{reverse('admin:passwordless_verificationattempt_changelist')}?{urlencode(query)}"


def _percent(share: float | None, places: int = 1) -> str:
    if share is None:
        return NOTHING
    return _percent_words(number_format(round(share * 100, places), 0 if share in (0, 1) else places))


def _percent_words(number: str) -> str:
    # Translators: a percentage; some languages put a space before the sign.
    return _("%(number)s%%") % {"number": number}


def _euro(amount: Decimal | None, places: int = 2) -> str:
    """Return an amount; where Vonage told no price yet, none, and not that it was for free."""
    if not amount:
        return NOTHING
    # Translators: an amount of money; some languages put the sign behind it.
    return _("€%(amount)s") % {"amount": number_format(round(amount, places), places, force_grouping=True)}


def _seconds(value: float | None) -> str:
    if value is None:
        return NOTHING
    return _("%(seconds)s s") % {"seconds": number_format(value, _places(value))}


def _places(value: float) -> int:
    """Return how many decimals a median needs: that of an even number of logins may lie between two seconds."""
    return 0 if value == int(value) else 1


def _signed(value: float, places: int) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return f"{sign}{number_format(abs(value), places, force_grouping=True)}"
