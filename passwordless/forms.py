"""The two forms: they validate, act, and hold the outcome for the view."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from django import forms
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from . import codes, cookies, countries, devices, flow, handles, phones, sentences
from .conf import settings
from .outcomes import Handle, Outcome
from .states import Channel, Public, Purpose, Reason
from .visitor import visitor
from .widgets import Carried, CountrySelect, Line

HINTS = {
    Channel.SMS: _("We'll text you a code. Message and data rates may apply."),
    Channel.VOICE: _("We'll call you and read out a code. Charges may apply."),
    Channel.WHATSAPP: _("We'll send you a code on WhatsApp. Data rates may apply."),
}
CHOICE = _("We'll send you a code. Message and data rates may apply.")


class Offer(forms.Field):
    """A choice. Whatever is not offered counts as nothing said, on the page that is shown again too."""

    offered: Collection[str] = ()

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what was chosen, or what would have been."""
        return data if data in self.offered else initial


class PhoneForm(forms.Form):
    """Takes a number in any spelling and has a code sent to it.

    `country` and `channel` are asked for where there is more than one. Whatever else they hold counts as
    nothing said: a form that somebody else wrote must not fail for it.
    """

    country = Offer(
        label=_("Country"), required=False, widget=CountrySelect(attrs={"autocomplete": "tel-country-code"})
    )
    number = forms.CharField(
        label=_("Mobile number"),
        strip=False,
        error_messages={"required": sentences.REFUSALS["empty"]},
        widget=Line(attrs={"type": "tel", "autocomplete": "tel", "dir": "ltr"}),
    )
    channel = Offer(label=_("How should we send the code?"), required=False)
    # A plain field: what cannot be a destination is dropped later and stops no code.
    next = forms.Field(required=False, widget=Carried)

    outcome: Outcome | None = None

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.tag = handles.nonce(request)
        self.use_required_attribute = False
        self._offer_countries()
        self._offer_channels()

    @sensitive_variables()
    def clean_number(self) -> str:
        """Return the number as E.164, or say why it gets no code."""
        region = self.chosen_country or self.region
        channel = self._said("channel", settings.CHANNELS) or settings.CHANNELS[0]
        try:
            return phones.parse(self.cleaned_data["number"], region, channel)
        except phones.NumberRefused as refused:
            raise ValidationError(sentences.refusal(refused, region), code=refused.code) from None

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        """Ask for a code, unless the number was refused already."""
        if "number" in self.cleaned_data:
            self.outcome = flow.start(
                self.cleaned_data["number"],
                visitor(self.request, self.tag),
                Purpose.LOGIN,
                held=handles.held(self.request),
                first=self._said("channel", settings.CHANNELS),
            )
            if self.outcome.handle is None or self.outcome.reason not in (Reason.OK, Reason.SENDING):
                field = "number" if self.outcome.public is Public.NUMBER_REFUSED else None
                told = sentences.sentence(self.outcome)
                self.add_error(field, ValidationError(told, code=self.outcome.public))
        return self.cleaned_data

    @property
    def chosen_country(self) -> str:
        """Return the country (ISO) that was chosen, if one was."""
        return self._said("country", countries.served())

    @cached_property
    def region(self) -> str:
        """Return the country (ISO) that is most likely meant: used last, the site's, the browser's, any."""
        served = countries.served()
        guesses = (
            cookies.read(self.request, devices.COUNTRY_COOKIE),
            settings.DEFAULT_REGION,
            countries.preferred(self.request.headers.get("Accept-Language", "")),
            phones.FALLBACK,
        )
        return next((guess for guess in guesses if guess in served), next(iter(served), phones.FALLBACK))

    def _said(self, name: str, choices: Collection[str]) -> str:
        given = self.data.get(self.add_prefix(name), "")
        return given if given in choices else ""

    def _offer_countries(self) -> None:
        served = countries.served()
        self.initial.setdefault("country", self.region)
        cast(Offer, self.fields["country"]).offered = served
        if len(served) == 1:
            del self.fields["country"]
            self.fields["number"].label = _("Mobile number (%(country)s)") % {
                "country": countries.name(served[0])
            }

    def _offer_channels(self) -> None:
        offered = [Channel(name) for name in dict.fromkeys(settings.CHANNELS)]
        self.initial.setdefault("channel", offered[0])
        self.fields["number"].help_text = HINTS[offered[0]] if len(offered) == 1 else CHOICE
        self.channels = [(channel.value, channel.label) for channel in offered]
        cast(Offer, self.fields["channel"]).offered = offered
        if len(offered) == 1:
            del self.fields["channel"]


class CodeForm(forms.Form):
    """Takes the code for one attempt and finds out whom it lets in."""

    code = forms.CharField(
        strip=False,
        error_messages={"required": sentences.NO_CODE},
        widget=Line(
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
    ticket = forms.CharField(required=False, widget=Carried)

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
            raise ValidationError(sentences.slip(refused), code=refused.kind) from None

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        """Check the code, if the form belongs to the attempt that the browser holds now."""
        if "code" not in self.cleaned_data:
            return self.cleaned_data
        if not handles.fits(self.request, self.handle, self.cleaned_data.get("ticket", "")):
            raise ValidationError(sentences.OUT_OF_DATE, code="out_of_date")
        self.user = authenticate(self.request, attempt=self.handle, secret_code=self.cleaned_data["code"])
        self.outcome = self.handle.outcome
        if self.user is None and self.outcome is not None:
            self.add_error(
                "code", ValidationError(sentences.sentence(self.outcome), code=self.outcome.public)
            )
        return self.cleaned_data
