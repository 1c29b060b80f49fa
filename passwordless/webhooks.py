"""Vonage calling: verify, read, hand on, answer. Nothing is believed, and little is read, before the signature."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.log import log_response
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from . import flow, gateway
from .alone import alone
from .conf import settings
from .vonage import notice, signature

BODY_LIMIT = 64 * 1024
BEARER = "Bearer "

logger = logging.getLogger("passwordless")


@method_decorator([csrf_exempt, alone], name="dispatch")
class VonageWebhook(View):
    """`POST /webhooks/vonage/`: reports of Verify v2, signed with the account's signature secret.

    204 once it is written down, 401 for what is not Vonage's, 503 for what came unsigned, which makes
    Vonage send it again with its signature, 413, 415 and 400 for what cannot be a notice.
    """

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Answer one report."""
        token = request.headers.get("Authorization", "")
        if not token:
            return _come_again_signed(request)
        if request.headers.get("Content-Encoding"):
            return HttpResponse(status=415)
        body = _body(request)
        if body is None:
            return HttpResponse(status=413)
        try:
            token_id = _vouched(token, body)
            report = notice.read(body)
        except signature.Forged as error:
            logger.warning("A webhook was refused: %s", error)
            return HttpResponse(status=401)
        except notice.Unreadable as error:
            logger.warning("A webhook cannot be read: %s", error)
            return HttpResponse(status=400)
        flow.hear(report, token_id)
        return HttpResponse(status=204)


def receiver() -> signature.Receiver:
    """Return who we are to Vonage; without a secret nothing can be signed for us."""
    return signature.Receiver(gateway.secrets(), settings.API_KEY, settings.APPLICATION_ID)


def _come_again_signed(request: HttpRequest) -> HttpResponse:
    """Answer 503, as a warning: Django would mail each to ADMINS, and anybody may call unsigned."""
    response = HttpResponse(status=503)
    log_response(
        "A webhook came unsigned", response=response, request=request, logger=logger, level="warning"
    )
    return response


def _vouched(token: str, body: bytes) -> str:
    if not token.startswith(BEARER):
        raise signature.Forged("no bearer token")
    return signature.verify(token.removeprefix(BEARER), body, receiver(), timezone.now().timestamp())


def _body(request: HttpRequest) -> bytes | None:
    """Return the raw body, or None if it is too long or breaks off; what a chunked one claims is not trusted."""
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_LIMIT:
            return None
    except ValueError:
        return None
    try:
        body = request.read(BODY_LIMIT + 1)
    except UnreadablePostError:
        return None
    return body if len(body) <= BODY_LIMIT else None
