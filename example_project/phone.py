"""The virtual phone: every message and call that the emulator sent, newest last.

It shows everybody's codes to everybody, so it exists only where the emulator answers in place of Vonage.
"""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.request import ProxyHandler, build_opener

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from passwordless.conf import settings
from passwordless.gateway import emulator
from passwordless.vonage.hosts import is_loopback

TIMEOUT = 2  # seconds


@never_cache
def phone(request: HttpRequest) -> HttpResponse:
    """Show the messages; 404 where no emulator is in use."""
    if not in_use():
        raise Http404("The virtual phone belongs to the emulator.")
    try:
        inbox, silent = messages(), False
    except OSError:
        inbox, silent = [], True
    context = {"brand": settings.BRAND_NAME, "inbox": inbox, "silent": silent}
    return render(request, "example_project/phone.html", context)


def context(request: HttpRequest) -> dict[str, Any]:
    """Tell the templates whether there is a virtual phone to show."""
    return {"virtual_phone": in_use()}


def in_use() -> bool:
    """Return whether an emulator answers in place of Vonage: in this process, or alone on this machine."""
    return emulator() is not None or is_loopback(settings.API_HOST)


def messages() -> list[dict[str, Any]]:
    """Return what was sent, newest last. Raises OSError where the emulator of its own process is silent."""
    if (here := emulator()) is not None:
        return [asdict(message) for message in here.messages()]
    url = f"{settings.API_HOST}/_emulator/messages"
    with build_opener(ProxyHandler({})).open(url, timeout=TIMEOUT) as answer:
        sent = json.load(answer)
    return [{**message, "sent_at": datetime.fromisoformat(message["sent_at"])} for message in sent]
