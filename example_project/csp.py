"""A strict content security policy (W3C CSP Level 3): nothing inline, nothing from another host."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

HEADER = "Content-Security-Policy"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Django's own pages for developers are styled inline.
FOR_DEVELOPERS = {404, 500}

Answer = Callable[[HttpRequest], HttpResponseBase]


def strict(get_response: Answer) -> Answer:
    """Put the policy on every answer that has none."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if not (settings.DEBUG and response.status_code in FOR_DEVELOPERS):
            response.headers.setdefault(HEADER, POLICY)
        return response

    return answer
