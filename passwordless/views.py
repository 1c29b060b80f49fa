"""The pages: each view is a door to one verb of the flow. Only here is anybody logged in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.contrib.auth import login
from django.contrib.auth import views as auth_views
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.generic import FormView, TemplateView, View

from . import devices, flow, gateway, handles, phones, redirects, sentences
from .alone import alone
from .conf import settings
from .forms import CodeForm, PhoneForm
from .models import VerificationAttempt
from .outcomes import Handle, Outcome, Visitor
from .sentences import ended, seconds_left, sentence
from .states import LIVE, Public, Purpose, Status
from .visitor import visitor

# Generic for the type checker only.
if TYPE_CHECKING:
    _FormView = FormView[PhoneForm]
else:
    _FormView = FormView

HTTP_STATUS = {Public.WAIT: 429, Public.BUSY: 429, Public.UNAVAILABLE: 503}
logger = logging.getLogger("passwordless")

FRAMES = "Content-Security-Policy"
UNCACHED = "max-age=0, no-cache, no-store, must-revalidate, private"
"""What never_cache writes, without its date, which costs more than all the rest of it."""

GRACE = timedelta(seconds=5)
"""What has passed between the message and the page does not make a minute less of it."""


class Page(View):
    """What all doors have in common."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        """Return the view, wrapped once and not at each request, as a decorated method would be."""
        view = _protected(super().as_view(**initkwargs))
        return alone(sensitive_variables()(sensitive_post_parameters("number", "code")(view)))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, and let nobody keep or frame the answer."""
        response = self._answer(request, *args, **kwargs)
        response.headers["Cache-Control"] = UNCACHED
        response.headers["X-Frame-Options"] = "DENY"
        response.headers.setdefault("Referrer-Policy", "same-origin")
        if not any("csp" in name.lower() for name in django_settings.MIDDLEWARE):
            response.headers.setdefault(FRAMES, "frame-ancestors 'none'; base-uri 'none'; object-src 'none'")
        return response

    def _answer(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer where that is possible: with one emulator for all, working settings and a database."""
        meant = str(request.method).lower() in self.http_method_names
        try:
            gateway.refuse_multiprocess(request.META)
            return (meant and self.turn_away()) or super().dispatch(request, *args, **kwargs)
        except (ImproperlyConfigured, OperationalError, InterfaceError) as error:
            if django_settings.DEBUG:
                raise
            # What was asked stays paid; a claim without a verdict is taken over after a while.
            # Not the words of a database, which may repeat a statement with its values.
            told = error if isinstance(error, ImproperlyConfigured) else "the database does not answer"
            logger.error("Nobody can log in: %s (%s)", told, type(error).__name__)
            return _unavailable()

    def turn_away(self) -> HttpResponseBase | None:
        """Return where a visitor goes who has no business here, or None."""
        return None


class LoginView(Page, _FormView):
    """Asks for the number."""

    http_method_names = ["get", "head", "post", "options"]
    form_class = PhoneForm
    template_name = "passwordless/login.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, unless somebody is logged in already: they go on, or are asked to leave first."""
        if not request.user.is_authenticated:
            return super().get(request, *args, **kwargs)
        if "switch" in request.GET:
            return render(request, "passwordless/switch.html", {"brand": settings.BRAND_NAME})
        return HttpResponseRedirect(redirects.after_login(request, request.GET.get("next", "")))

    def get_form_kwargs(self) -> dict[str, Any]:
        """Let the form know who asks."""
        return {**super().get_form_kwargs(), "request": self.request}

    def get_initial(self) -> dict[str, Any]:
        """Carry `next` through the form: by a GET a browser is given nothing to hold."""
        return {"next": redirects.safe(self.request, self.request.GET.get("next", ""))}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the brand, and whether a handle was lost on the way here."""
        lost = "lost" in self.request.GET and self.request.method != "POST"
        return super().get_context_data(brand=settings.BRAND_NAME, lost=lost, **kwargs)

    def form_valid(self, form: PhoneForm) -> HttpResponse:
        """Hold the handle and go to the code page."""
        assert form.outcome is not None and form.outcome.handle is not None  # noqa: PT018, S101
        wanted = redirects.safe(self.request, form.cleaned_data["next"] or "")
        response = HttpResponseRedirect(reverse("passwordless:code"))
        handles.keep(response, form.outcome.handle, tag=form.tag, next_url=wanted)
        if form.chosen_country:
            devices.note_country(response, form.chosen_country)
        return response

    def form_invalid(self, form: PhoneForm) -> HttpResponse:
        """Show what is wrong, with the status that belongs to it."""
        return _with_status(super().form_invalid(form), form.outcome)


class HandlePage(Page):
    """A page for whoever has asked for a code in this browser."""

    handle: Handle

    def turn_away(self) -> HttpResponseBase | None:
        """Without a handle, start at the beginning."""
        handle = handles.held(self.request)
        if handle is None or handle.purpose is not Purpose.LOGIN:
            return HttpResponseRedirect(f"{reverse('passwordless:login')}?lost=1")
        self.handle = handle
        return None

    def code_page(self, form: CodeForm, outcome: Outcome | None = None) -> HttpResponseBase:
        """Show the code page as things stand now, with the status that belongs to the outcome."""
        attempt = flow.attempt_of(self.handle)
        if attempt is None or not attempt.number:
            return HttpResponseRedirect(reverse("passwordless:login"))
        # Whoever only joined is shown what an expired attempt looks like, or a decoy, and not that its owner is in.
        if attempt.status == Status.VERIFIED and self.request.user.is_authenticated:
            return HttpResponseRedirect(reverse("passwordless:login"))
        now = timezone.now()
        status, reason = attempt.state(now)
        if status not in LIVE and outcome is None:
            form.refuse(ended(status, reason))
        context = {"form": form, **_standing(attempt, visitor(self.request), now)}
        return _with_status(render(self.request, "passwordless/code.html", context), outcome)

    def fresh_form(self) -> CodeForm:
        """Return an empty form for the attempt that the browser holds."""
        ticket = handles.ticket(self.request, self.handle)
        return CodeForm(self.request, self.handle, initial={"ticket": ticket})


class CodeView(HandlePage):
    """Asks for the code."""

    http_method_names = ["get", "head", "post", "options"]

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form, or how the attempt ended and what can be done about it."""
        return self.code_page(self.fresh_form())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Log in whoever the code lets in, and let go of the attempt."""
        form = CodeForm(request, self.handle, request.POST)
        if not form.is_valid() or form.user is None:
            return self.code_page(_emptied(form, handles.ticket(request, self.handle)), form.outcome)
        if request.user.is_authenticated:
            # Django changes the key for newcomers and for other users only.
            request.session.cycle_key()
        login(request, form.user)
        response = HttpResponseRedirect(redirects.after_login(request, handles.next_url(request)))
        handles.forget(response)
        if form.outcome is not None:
            devices.remember(response, form.outcome.number)
        return response


class DeedView(HandlePage):
    """A deed of the code page: done by POST alone, and whoever comes here by a link is led back to it."""

    http_method_names = ["get", "head", "post"]

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Lead back: the answer to an early press stands under this address, and may be asked for again."""
        return HttpResponseRedirect(reverse("passwordless:code"))


class AdvanceView(DeedView):
    """Sends another code, or calls."""

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Go to the next step, or say why not yet."""
        if not handles.fits(request, self.handle, request.POST.get("ticket", "")):
            return HttpResponseRedirect(reverse("passwordless:code"))
        tag = handles.nonce(request)
        outcome = flow.advance(self.handle, visitor(request, tag))
        if outcome.handle is None:
            form = self.fresh_form()
            form.refuse(sentence(outcome))
            return self.code_page(form, outcome)
        response = HttpResponseRedirect(reverse("passwordless:code"))
        if outcome.handle != self.handle:
            handles.keep(response, outcome.handle, tag=tag, next_url=handles.next_url(request))
        return response


class CancelView(DeedView):
    """Gives up, or goes back for another number."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Let go of the attempt."""
        response = HttpResponseRedirect(self._destination())
        if handles.fits(request, self.handle, request.POST.get("ticket", "")):
            flow.cancel(self.handle, visitor(request))
            handles.let_go(request, response)
        return response

    def _destination(self) -> str:
        if self.request.POST.get("to") != "login":
            return redirects.after_cancel()
        wanted = handles.next_url(self.request)
        query = f"?{urlencode({'next': wanted})}" if wanted else ""
        return reverse("passwordless:login") + query


class DoneView(Page, TemplateView):
    """Where a login ends on a site that has not said where."""

    http_method_names = ["get", "head", "options"]
    template_name = "passwordless/signed_in.html"

    def turn_away(self) -> HttpResponseBase | None:
        """Send whoever is not logged in to our own login page, whatever LOGIN_URL says."""
        if self.request.user.is_authenticated:
            return None
        return redirect_to_login(self.request.get_full_path(), reverse("passwordless:login"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the brand."""
        return super().get_context_data(brand=settings.BRAND_NAME, **kwargs)


@method_decorator(alone, name="dispatch")
class LogoutView(auth_views.LogoutView):
    """Django's, by POST only; lands on our login page if the site has not said where."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Leave nothing that somebody else could go on with."""
        response = super().post(request, *args, **kwargs)
        handles.forget(response)
        return response

    def get_default_redirect_url(self) -> str:
        """Return LOGOUT_REDIRECT_URL or our login page."""
        return redirects.after_cancel()


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Tell whoever was away too long how to go on. For CSRF_FAILURE_VIEW.

    Whoever has signed in meanwhile, in another tab, has what the form was for.
    """
    match = request.resolver_match
    entering = match is not None and match.view_name in ("passwordless:login", "passwordless:code")
    if entering and request.user.is_authenticated:
        return HttpResponseRedirect(redirects.after_login(request, ""))
    return render(request, "passwordless/csrf_failure.html", {"brand": settings.BRAND_NAME}, status=403)


def _protected(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Return the view behind a check for forged requests, which is done once where the site's middleware does it."""
    checked = csrf_protect(view)

    @wraps(view)
    def choose(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        done = getattr(request, "csrf_processing_done", False)
        return (view if done else checked)(request, *args, **kwargs)

    return choose


def _unavailable() -> HttpResponse:
    """Return a page that needs no database: neither session nor user."""
    page = render_to_string("passwordless/unavailable.html", {"brand": settings.BRAND_NAME})
    return HttpResponse(page, status=503, headers={"Retry-After": "60"})


def _standing(attempt: VerificationAttempt, who: Visitor, now: datetime) -> dict[str, Any]:
    """Return what the code page shows of an attempt as it is now."""
    status, _ = attempt.state(now)
    step = flow.next_step(attempt, who, now)
    seconds = max(round((step.at - now).total_seconds()), 0)
    minutes = max(int((attempt.code_until(now) - now + GRACE).total_seconds() / 60), 1)
    return {
        "brand": settings.BRAND_NAME,
        "number": phones.display(attempt.number),
        "channel": attempt.channel(now).value,
        "sending": status is Status.STARTING,
        "ended": status not in LIVE,
        "arrival": sentences.arrival(minutes),
        "next_channel": step.channel.value if step.channel else "",
        "wait": {"seconds": seconds, "told": sentences.wait(seconds, step.at)} if seconds else None,
        "code_length": settings.CODE_LENGTH,
    }  # fmt: skip


def _emptied(form: CodeForm, ticket: str) -> CodeForm:
    """Return the form without the code that was typed, which is never shown again."""
    form.data = {"code": "", "ticket": ticket}
    return form


def _with_status(response: HttpResponse, outcome: Outcome | None) -> HttpResponse:
    if outcome is not None and outcome.public in HTTP_STATUS:
        response.status_code = HTTP_STATUS[outcome.public]
        response.headers["Retry-After"] = str(seconds_left(outcome))
    return response
