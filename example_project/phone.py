"""The virtual phone: every message and call that the emulator sent, newest last, and its switches.

It shows everybody's codes to everybody, so it exists only where the emulator answers in place of Vonage.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from passwordless.conf import settings
from passwordless.gateway import emulator

from . import inbox, switches
from .switches import SwitchForm

NOT_HERE = "The virtual phone belongs to the emulator."
# A page that answers a POST can be asked for again only where a GET shows it too.
SHOWN_BY_GET = {"passwordless:login", "passwordless:code"}


@never_cache
def phone(request: HttpRequest) -> HttpResponse:
    """Show the messages; 404 where no emulator is in use."""
    if not inbox.in_use():
        raise Http404(NOT_HERE)
    try:
        found, silent = inbox.messages(), False
    except OSError:
        found, silent = [], True
    context = {"brand": settings.BRAND_NAME, "inbox": found, "silent": silent}
    return render(request, "example_project/phone.html", context)


@never_cache
@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    """Choose what happens to the next messages; 404 where no emulator is in this process."""
    here = emulator()
    if here is None:
        raise Http404(NOT_HERE)
    form = SwitchForm(request.POST, version=settings.VERIFY_VERSION)
    if not form.is_valid():
        return HttpResponseBadRequest("There is no such switch.", content_type="text/plain")
    switches.choose(here, form.cleaned_data["fate"], settings.VERIFY_VERSION)
    switches.bind(here, _host(request) if form.cleaned_data.get("text") == "bound" else "")
    return HttpResponseRedirect(_wanted(request))


def context(request: HttpRequest) -> dict[str, Any]:
    """Tell the templates whether there is a phone to show; what is on it is looked up by those that show it."""
    here = emulator()
    return {
        "virtual_phone": inbox.in_use(),
        "inbox": None if here is None else lambda: inbox.arrived(here),
        "switches": None if here is None else lambda: switches.form_of(here, settings.VERIFY_VERSION),
        "way_back": lambda: _way_back(request),
    }


def _way_back(request: HttpRequest) -> str:
    """Return the address that shows this page again, or the one before it if this answers a POST only."""
    match = request.resolver_match
    if request.method != "POST" or (match and match.view_name in SHOWN_BY_GET):
        return request.get_full_path()
    return reverse("passwordless:code")


def _wanted(request: HttpRequest) -> str:
    """Return where the form stood, as long as that is a page of ours."""
    wanted = request.GET.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if ours else reverse("phone")


def _host(request: HttpRequest) -> str:
    """Return the name of this site as browsers compare it: without the port."""
    return urlsplit(f"//{request.get_host()}").hostname or ""
