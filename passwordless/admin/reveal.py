"""One full number, on demand: by a POST that is written down, and shown in its answer alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from ..models import VerificationAttempt
from . import record

if TYPE_CHECKING:
    from .audit import AttemptAdmin


def may(request: HttpRequest) -> bool:
    """Return whether this person may see full numbers."""
    return request.user.has_perm("passwordless.view_full_number")


@require_POST
@sensitive_variables()
def view(request: HttpRequest, pk: int, model_admin: AttemptAdmin) -> HttpResponse:
    """Write down who looks, then show the number. One that is forgotten cannot be seen: nothing is written."""
    if not (model_admin.has_view_permission(request) and may(request)):
        raise PermissionDenied
    attempt = VerificationAttempt.objects.filter(pk=pk).first()
    if attempt is None:
        raise Http404
    if attempt.number:
        record.looked(attempt, request.user)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Full number"),
        "opts": model_admin.opts,
        "attempt": attempt,
    }
    return TemplateResponse(request, "admin/passwordless/number.html", context)
