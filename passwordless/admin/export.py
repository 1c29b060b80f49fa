"""Attempts as a file, CSV or JSON lines, streamed row by row: written down, and by POST alone."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, ORDER_VAR, PAGE_VAR
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..models import VerificationAttempt
from ..states import Status
from . import paginator, record, reveal

if TYPE_CHECKING:
    from .audit import AttemptAdmin

CHUNK = 1000
"""Attempts that are in memory at once."""

BLOCK = 1 << 15
"""Characters that are sent at once."""

FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
UNRELATED = ("format", PAGE_VAR, ORDER_VAR, ALL_VAR, ERROR_FLAG)
"""Parameters of an address that narrow nothing."""

FORMULA = re.compile('(^|[;,\t|"\r\n])([^\\S\t\r\n]*[=+\\-@＝＋－＠]|(?=[\t\r\n]))')
"""What makes a spreadsheet run a cell, at its beginning or after what another spreadsheet parts cells by.

Every E.164 number begins so, and visitors write the user agents.
"""

COLUMNS = (
    "asked_at", "reference", "request_id", "number", "country", "purpose", "channels_planned",
    "channels_used", "proved_by", "status", "reason", "vonage_code", "sends", "guesses", "repeats",
    "seconds_to_verify", "price", "currency", "network", "user", "ip", "user_agent", "page_language",
    "message_language", "ended_at",
)  # fmt: skip

Record = dict[str, Any]


def may(request: HttpRequest) -> bool:
    """Return whether this person may export attempts."""
    return request.user.has_perm("passwordless.export_attempts")


def view(request: HttpRequest, model_admin: AttemptAdmin) -> HttpResponseBase:
    """Say what would be exported, and on a POST give the file. A link gives no attempt away."""
    if not (model_admin.has_view_permission(request) and may(request)):
        raise PermissionDenied
    changelist = _changelist(request, model_admin)
    if request.method == "POST":
        kind = "jsonl" if request.GET.get("format") == "jsonl" else "csv"
        return download(request, changelist.queryset, kind, _filters(changelist))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Export attempts"),
        "opts": model_admin.opts,
        "cl": changelist,
        "chosen": [(spec.title, label) for spec, label in _chosen(changelist)],
        "full": reveal.may(request),
        "csv": changelist.get_query_string({"format": "csv"}),
        "jsonl": changelist.get_query_string({"format": "jsonl"}),
    }
    return TemplateResponse(request, "admin/passwordless/export.html", context)


def download(
    request: HttpRequest, rows: QuerySet[VerificationAttempt], kind: str, told: str
) -> StreamingHttpResponse:
    """Write the export down, then return the file. `kind` is csv or jsonl, `told` says which attempts they are."""
    full, now = reveal.may(request), timezone.now()
    count = paginator.spoken(paginator.capped(rows, paginator.MOST), paginator.MOST)
    numbers = "full numbers" if full else "masked"
    record.exported(f"{kind}, {count} attempts, {numbers}; {told}", request.user)
    records = (_record(attempt, now, full=full) for attempt in _newest_first(rows))
    return StreamingHttpResponse(
        _blocks(WRITERS[kind](records)),
        content_type=FORMATS[kind],
        headers={"Content-Disposition": f'attachment; filename="attempts-{now:%Y-%m-%d}.{kind}"'},
    )


def seconds(attempt: VerificationAttempt) -> int | None:
    """Return how many whole seconds passed from the first request to the right code, if there was one.

    Rounded down, and no less than none, as the figures of the dashboard count them.
    """
    if attempt.status != Status.VERIFIED or attempt.ended_at is None:
        return None
    return max((attempt.ended_at - attempt.created_at) // timedelta(seconds=1), 0)


def _changelist(request: HttpRequest, model_admin: AttemptAdmin) -> Any:
    """Return the list as the address narrows it, so that the file holds what the list shows."""
    narrowed, query = copy(request), request.GET.copy()
    for name in UNRELATED:
        query.pop(name, None)
    narrowed.GET = query  # type: ignore[assignment]
    try:
        return model_admin.get_changelist_instance(narrowed)
    except IncorrectLookupParameters as error:
        raise BadRequest from error


def _chosen(changelist: Any) -> list[tuple[Any, str]]:
    """Return the filters that are set, each with what it is set to in words."""
    return [
        (spec, str(label))
        for spec in changelist.filter_specs
        for key, label in spec.lookup_choices
        if str(key) == spec.value()
    ]


def _filters(changelist: Any) -> str:
    """Return the filters for the record. What was searched for is left out, be it but the tag of a number."""
    told = [f"{spec.parameter_name}={spec.value()}" for spec, _label in _chosen(changelist)]
    return " ".join([*told, *(["search"] if changelist.query.strip() else [])])


def _newest_first(rows: QuerySet[VerificationAttempt]) -> Iterator[VerificationAttempt]:
    """Yield the attempts in chunks, each a question of its own.

    An open cursor would keep writers off SQLite, and not every database reads one without holding all of it.
    """
    rows = rows.select_related(None).order_by("-created_at", "-pk")
    chunk = list(rows[:CHUNK])
    yield from chunk
    while len(chunk) == CHUNK:
        last = chunk[-1]
        older = Q(created_at__lt=last.created_at) | Q(pk__lt=last.pk)
        chunk = list(rows.filter(older, created_at__lte=last.created_at)[:CHUNK])
        yield from chunk


def _record(attempt: VerificationAttempt, now: datetime, *, full: bool) -> Record:
    """Return the facts of an attempt under names that no language changes. Times are UTC."""
    status, reason = attempt.state(now)
    facts = (
        _iso(attempt.created_at), attempt.reference, attempt.request_id,
        attempt.number if full and attempt.number else attempt.masked,
        attempt.country, attempt.purpose, attempt.channels, ",".join(attempt.channels_used(now)),
        attempt.proved_by, status.value, reason.value, attempt.vendor, attempt.sends, attempt.guesses,
        attempt.repeats, seconds(attempt),
        None if attempt.price is None else f"{attempt.price.normalize():f}",
        attempt.currency, attempt.network, attempt.user_id, attempt.ip, attempt.agent, attempt.language,
        attempt.locale, _iso(attempt.ended_at),
    )  # fmt: skip
    return dict(zip(COLUMNS, facts, strict=True))


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines together: a server writes to the network for each piece that it is given."""
    block, size = [], 0
    for line in lines:
        block.append(line)
        size += len(line)
        if size >= BLOCK:
            yield "".join(block)
            block, size = [], 0
    yield "".join(block)


def _csv(records: Iterable[Record]) -> Iterator[str]:
    yield _line(list(COLUMNS))
    for one in records:
        yield _line([_harmless(value) for value in one.values()])


def _line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()


def _harmless(value: Any) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe in front makes it text."""
    text = "" if value is None else str(value)
    return FORMULA.sub(r"\1'\2", text)


def _jsonl(records: Iterable[Record]) -> Iterator[str]:
    for one in records:
        yield json.dumps(one) + "\n"


WRITERS: dict[str, Callable[[Iterable[Record]], Iterator[str]]] = {"csv": _csv, "jsonl": _jsonl}
