"""The least that logs somebody in with a code: two forms, two POSTs, a session and `login()`. No limit, no
audit, no guard; this is what the app is compared with, and nothing that anybody should serve.
"""

from django import forms
from django.contrib.auth import login
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.crypto import get_random_string

from .models import Member

BACKEND = "django.contrib.auth.backends.ModelBackend"
SENT = {}
"""The last code of each number, which nobody sends."""


class NumberForm(forms.Form):
    """Takes E.164 only."""

    number = forms.RegexField(r"^\+[1-9][0-9]{6,14}$")


class CodeForm(forms.Form):
    """Takes six digits."""

    code = forms.RegexField(r"^[0-9]{6}$")


def number(request, provider=""):
    """Ask for the number and draw a code; with a provider, tell it."""
    form = NumberForm(request.POST or None)
    if not form.is_valid():
        return render(request, "benchmarks/form.html", {"form": form, "title": "Send code"})
    wanted, code = form.cleaned_data["number"], get_random_string(6, "0123456789")
    tell(provider, {"to": wanted, "code": code})
    request.session["number"], request.session["code"] = wanted, code
    SENT[wanted] = code
    return HttpResponseRedirect("code/")


def code(request, provider=""):
    """Ask for the code and log in whoever has it; with a provider, ask it."""
    if "code" not in request.session:
        return HttpResponseRedirect("../")
    form = CodeForm(request.POST or None)
    if not form.is_valid() or form.cleaned_data["code"] != request.session["code"]:
        return render(request, "benchmarks/form.html", {"form": form, "title": "Continue"})
    tell(provider, {"code": form.cleaned_data["code"]})
    login(request, Member.objects.get(phone=request.session["number"]), backend=BACKEND)
    return HttpResponseRedirect("/")


def home(request):
    """Greet, which loads session and user."""
    return HttpResponse(f"home of {request.user}")


def tell(provider, what):
    """Make one plain call, if there is anybody to call."""
    if provider:
        # Here, so that a floor that calls nobody does not pay for it at its start.
        import requests

        requests.post(provider, json=what, timeout=5).raise_for_status()
