"""Searches for a number by those who see masks: so many an hour, or they could try out whose mask it is."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils import timezone

from .. import limits, sentences
from ..models import together
from ..outcomes import Outcome
from ..states import Reason, Status
from . import reveal

MOST, HOUR = 60, 3600
"""A mask leaves hundreds of numbers at least, and an answer tells of one of them whether it asked for a code."""


def refusal(request: HttpRequest) -> str:
    """Count a search for a number, and return how long to wait if it was one too many, or an empty string.

    Whoever may see full numbers may search for as many as they like. Counted in the database, whatever
    LIMITS_STORAGE and LIMITS_ENFORCE say.
    """
    if reveal.may(request):
        return ""
    bucket = limits.bucket("searches", str(request.user.pk), MOST, HOUR, Reason.WAIT, firm=True)
    try:
        with together():
            limits.charge([bucket], timezone.now())
    except limits.Limited as limited:
        return sentences.sentence(Outcome(Status.REFUSED, limited.reason, limited.retry_at))
    return ""
