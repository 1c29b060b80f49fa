"""The two forms: they validate, act, and hold the outcome for the view."""

from __future__ import annotations

import math
from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from . import codes, flow, phones, session
from .conf import settings
from .outcomes import Handle, Outcome
from .states import PUBLIC, Public, Purpose, Reason, Status
from .visitor import visitor

WRONG = _("That code isn't right. Check the latest message and try again.")
OUT_OF_DATE = _("This form is out of date. Use the latest message.")
SENTENCES = {
    Public.EXPIRED: _("That code has expired. Send a new one."),
    Public.BUSY: _("We are still working on it. Wait a moment and try again."),
    Public.UNAVAILABLE: _("We have a problem on our side. Your number is fine. Try again in a minute."),
    Public.NUMBER_REFUSED: _("We can't send a code to that number."),
}
STILL_SENDING = _("We are still sending your code. Wait a moment and try again.")
TOO_MANY_GUESSES = _("Too many wrong codes. Send a new code to continue.")


def sentence(outcome: Outcome) -> str:
    """Return what a visitor is told of an outcome: one sentence for every limit, no word of an account."""
    if outcome.reason is Reason.TOO_MANY_GUESSES:
        return str(TOO_MANY_GUESSES)
    if outcome.reason is Reason.SENDING:
        return str(STILL_SENDING)
    if outcome.public is Public.WRONG:
        return _wrong(outcome.guesses_left)
    if outcome.public is Public.WAIT:
        return _wait(outcome)
    return str(SENTENCES[outcome.public])


def ended(status: Status, reason: Reason) -> str:
    """Return what a visitor is told who comes back to an attempt that is over."""
    over = reason if reason is Reason.TOO_MANY_GUESSES else _over(reason)
    return sentence(Outcome(status, over))


def seconds_left(outcome: Outcome) -> int:
    """Return how long to wait: exactly for our own cool-down, in whole minutes for every other limit."""
    if outcome.retry_at is None:
        return 3600 if outcome.reason is Reason.LOCKED else 60
    seconds = max((outcome.retry_at - timezone.now()).total_seconds(), 1)
    return math.ceil(seconds) if outcome.reason is Reason.WAIT else math.ceil(seconds / 60) * 60


def _over(reason: Reason) -> Reason:
    return reason if PUBLIC[reason] in (Public.UNAVAILABLE, Public.NUMBER_REFUSED) else Reason.EXPIRED


def _wait(outcome: Outcome) -> str:
    seconds = seconds_left(outcome)
    if outcome.reason is Reason.WAIT and seconds <= 120:
        return ngettext(
            "Wait %(count)d more second before asking again.",
            "Wait %(count)d more seconds before asking again.",
            seconds,
        ) % {"count": seconds}
    minutes = math.ceil(seconds / 60)
    return ngettext(
        "Too many tries. Try again in about %(count)d minute.",
        "Too many tries. Try again in about %(count)d minutes.",
        minutes,
    ) % {"count": minutes}


def _wrong(left: int | None) -> str:
    if left is None or left > 2:
        return str(WRONG)
    tries = ngettext("%(count)d try left.", "%(count)d tries left.", left) % {"count": left}
    return f"{WRONG} {tries}"


class PhoneForm(forms.Form):
    """Takes a number in any spelling and has a code sent to it."""

    number = forms.CharField(
        label=_("Mobile number"),
        help_text=_("We'll text you a code. Message and data rates may apply."),
        strip=False,
        error_messages={"required": _("Enter your mobile number.")},
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "dir": "ltr"}),
    )
    # A plain field: what cannot be a destination is dropped later and stops no code.
    next = forms.Field(required=False, widget=forms.HiddenInput)

    outcome: Outcome | None = None

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.tag = session.nonce(request)
        self.use_required_attribute = False

    @sensitive_variables()
    def clean_number(self) -> str:
        """Return the number as E.164, or say why it gets no code."""
        try:
            return phones.parse(self.cleaned_data["number"])
        except phones.NumberRefused as refused:
            raise ValidationError(_refusal(refused), code=refused.code) from None

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        """Ask for a code, unless the number was refused already."""
        if "number" in self.cleaned_data:
            self.outcome = flow.start(
                self.cleaned_data["number"],
                visitor(self.request, self.tag),
                Purpose.LOGIN,
                held=session.held(self.request),
            )
            if self.outcome.handle is None or self.outcome.reason not in (Reason.OK, Reason.SENDING):
                field = "number" if self.outcome.public is Public.NUMBER_REFUSED else None
                self.add_error(field, ValidationError(sentence(self.outcome), code=self.outcome.public))
        return self.cleaned_data


class CodeForm(forms.Form):
    """Takes the code for one attempt and finds out whom it lets in."""

    code = forms.CharField(
        strip=False,
        error_messages={"required": _("Enter the code from the message.")},
        widget=forms.TextInput(
            attrs={
                "inputmode": "numeric",
                "autocomplete": "one-time-code",
                "autocapitalize": "off",
                "spellcheck": "false",
                "dir": "ltr",
                "autofocus": True,
            }
        ),
    )
    ticket = forms.CharField(required=False, widget=forms.HiddenInput)

    outcome: Outcome | None = None
    user: Any = None

    def __init__(self, request: HttpRequest, handle: Handle, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.handle = handle
        self.use_required_attribute = False
        self.fields["code"].label = _("%(length)d-digit code") % {"length": settings.CODE_LENGTH}

    def refuse(self, message: str) -> None:
        """Show a message although nothing was submitted."""
        self.cleaned_data: dict[str, Any] = {}
        self.add_error(None, ValidationError(message))

    @sensitive_variables()
    def clean_code(self) -> str:
        """Return the digits. What cannot be a code costs no guess."""
        try:
            return codes.clean(self.cleaned_data["code"], settings.CODE_LENGTH)
        except codes.CodeRefused as refused:
            raise ValidationError(_slip(refused), code=refused.kind) from None

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        """Check the code, if the form belongs to the attempt that the session holds now."""
        if "code" not in self.cleaned_data:
            return self.cleaned_data
        if not session.fits(self.request, self.handle, self.cleaned_data.get("ticket", "")):
            raise ValidationError(OUT_OF_DATE, code="out_of_date")
        self.user = authenticate(self.request, attempt=self.handle, secret_code=self.cleaned_data["code"])
        self.outcome = self.handle.outcome
        if self.user is None and self.outcome is not None:
            self.add_error("code", ValidationError(sentence(self.outcome), code=self.outcome.public))
        return self.cleaned_data


def _refusal(refused: phones.NumberRefused) -> str:
    """Return why a number gets no code, in words that help to type another."""
    sentences = {
        "empty": _("Enter your mobile number."),
        "unreadable": _("Enter a mobile number, like %(example)s."),
        "too_short": _("That number is too short. Enter a mobile number, like %(example)s."),
        "too_long": _("That number is too long. Enter a mobile number, like %(example)s."),
        "landline": _("That looks like a landline. Enter a mobile number."),
        "country": _("We can't send codes to that country yet."),
        "type": _("We can't send a code to that number."),
    }
    return str(sentences[refused.code]) % {"example": phones.example(refused.region or None)}


def _slip(refused: codes.CodeRefused) -> str:
    if refused.kind == "empty":
        return str(_("Enter the code from the message."))
    if refused.kind == "letters":
        return str(_("The code is numbers only."))
    return ngettext(
        "The code has %(length)d numbers. You entered %(count)d.",
        "The code has %(length)d numbers. You entered %(count)d.",
        refused.count,
    ) % {"length": settings.CODE_LENGTH, "count": refused.count}
