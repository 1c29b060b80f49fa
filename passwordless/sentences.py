"""What people are told: of a number, of a code, of an outcome. No word of an account, of a limit or a lock."""

from __future__ import annotations

import math
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from . import codes, countries, phones
from .conf import settings
from .countries import isolated
from .outcomes import Outcome
from .states import PUBLIC, Public, Reason, Status

WRONG = _("That code isn't right. Check the latest message and try again.")
OUT_OF_DATE = _("This form is out of date. Use the latest message.")
NO_CODE = _("Enter the code from the message.")
STILL_SENDING = _("We are still sending your code. Wait a moment and try again.")
TOO_MANY_GUESSES = _("Too many wrong codes. Send a new code to continue.")
SENTENCES = {
    Public.EXPIRED: _("That code has expired. Send a new one."),
    Public.BUSY: _("We are still working on it. Wait a moment and try again."),
    Public.UNAVAILABLE: _("We have a problem on our side. Your number is fine. Try again in a minute."),
    Public.NUMBER_REFUSED: _("We can't send a code to that number."),
}
REFUSALS = {
    "empty": _("Enter your mobile number."),
    "unreadable": _("Enter a mobile number, like %(national)s or %(international)s."),
    "too_short": _("That number is too short for %(country)s. Enter one like %(national)s."),
    "too_long": _("That number is too long for %(country)s. Enter one like %(national)s."),
    "landline": _("That looks like a landline. Enter a mobile number."),
    "call": _("That looks like a landline. Choose a phone call, or enter a mobile number."),
    "country": _("We can't send codes to %(country)s yet."),
    "nowhere": _("We can't send codes to that country yet."),
    "type": SENTENCES[Public.NUMBER_REFUSED],
}


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
    if outcome.public is Public.UNAVAILABLE and outcome.reference:
        return _with_reference(outcome)
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


def refusal(refused: phones.NumberRefused, region: str) -> str:
    """Return why a number gets no code, in words that help to type another in `region` (ISO)."""
    # A number of no country, such as a satellite's, names none.
    code = "nowhere" if refused.code == "country" and not refused.region else refused.code
    country = refused.region or region
    national, international = phones.examples(country)
    return str(REFUSALS[code]) % {
        "national": isolated(national),
        "international": isolated(international),
        "country": countries.name(country),
    }


def slip(refused: codes.CodeRefused) -> str:
    """Return what is wrong with something that cannot be a code."""
    if refused.kind == "empty":
        return str(NO_CODE)
    if refused.kind == "letters":
        return str(_("The code is numbers only."))
    return ngettext(
        "The code has %(length)d numbers. You entered %(count)d.",
        "The code has %(length)d numbers. You entered %(count)d.",
        refused.count,
    ) % {"length": settings.CODE_LENGTH, "count": refused.count}


def wait(seconds: int, at: datetime) -> str:
    """Return when the next code may be asked for, in words that are true without a script too."""
    told = ngettext(
        "You can ask for it in %(seconds)s second (at %(at)s).",
        "You can ask for it in %(seconds)s seconds (at %(at)s).",
        seconds,
    )
    return told % {"seconds": seconds, "at": f"{timezone.localtime(at):%H:%M:%S %Z}"}


def arrival(minutes: int) -> str:
    """Return how long a message takes, and how long its code works."""
    told = ngettext(
        "It can take a minute to arrive. The code works for %(minutes)s minute.",
        "It can take a minute to arrive. The code works for %(minutes)s minutes.",
        minutes,
    )
    return told % {"minutes": minutes}


def _over(reason: Reason) -> Reason:
    return reason if PUBLIC[reason] in (Public.UNAVAILABLE, Public.NUMBER_REFUSED) else Reason.EXPIRED


def _with_reference(outcome: Outcome) -> str:
    told = _("%(sentence)s If you write to us about it, the reference is %(reference)s.")
    return str(told) % {
        "sentence": SENTENCES[Public.UNAVAILABLE],
        "reference": isolated(outcome.reference),
    }


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
    # Not every language puts a space between two sentences.
    return _("%(sentence)s %(tries)s") % {"sentence": WRONG, "tries": tries}
