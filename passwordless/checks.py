"""What can be wrong with a site's settings, each under an id that stays, with a hint to paste."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from importlib.util import find_spec

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.core.exceptions import ImproperlyConfigured

from . import bounds, gateway, limits, phones, surroundings
from .conf import DEFAULTS, settings
from .states import Channel
from .vonage.hosts import is_loopback, origin
from .vonage.signature import MIN_SECRET


def of_settings() -> list[CheckMessage]:
    """Names, types, ranges and combinations of the settings dict."""
    if not _is_dict():
        return [Error("PASSWORDLESS must be a dict.", hint="PASSWORDLESS = {}", id="passwordless.E001")]
    names = list(_unknown())
    types = list(_types())
    return names + types if types else [*names, *_ranges(), *_message(), *_numbers(), *_limits(), *_host()]


def of_site() -> list[CheckMessage]:
    """What the app needs around itself."""
    return [*surroundings.missing(), *(_credentials() if _is_sound() else ())]


def of_production() -> list[CheckMessage]:
    """What is fine on a developer's machine and nowhere else."""
    return [*_production()] if _is_sound() else []


def _is_dict() -> bool:
    try:
        return settings.given is not None
    except ImproperlyConfigured:
        return False


def _is_sound() -> bool:
    """Return whether values can be compared at all; where not, `of_settings` tells why."""
    return _is_dict() and not any(_types())


def _unknown() -> Iterator[CheckMessage]:
    for name in settings.given:
        if name not in DEFAULTS:
            close = difflib.get_close_matches(str(name).upper(), DEFAULTS, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else "See the settings table of the README."
            yield Error(f"PASSWORDLESS has no key {name!r}.", hint=hint, id="passwordless.E002")


def _types() -> Iterator[CheckMessage]:
    for name, expected in bounds.TYPES.items():
        value = getattr(settings, name)
        odd = isinstance(value, bool) and bool not in (
            expected if isinstance(expected, tuple) else (expected,)
        )
        if odd or not isinstance(value, expected):
            hint = (
                bounds.SERVED if name == "COUNTRIES" else f'PASSWORDLESS = {{"{name}": {DEFAULTS[name]!r}}}'
            )
            yield Error(f"PASSWORDLESS[{name!r}] has the wrong type.", hint=hint, id="passwordless.E003")


def _ranges() -> Iterator[CheckMessage]:
    for name, (low, high) in bounds.RANGES.items():
        if not low <= getattr(settings, name) <= high:
            hint = f'PASSWORDLESS = {{"{name}": {DEFAULTS[name]!r}}}'
            message = f"PASSWORDLESS[{name!r}] must be from {low} to {high}."
            yield Error(message, hint=hint, id="passwordless.E004")
    for name, choices in bounds.CHOICES.items():
        if getattr(settings, name) not in choices:
            hint = f'PASSWORDLESS = {{"{name}": {DEFAULTS[name]!r}}}'
            message = (
                f"PASSWORDLESS[{name!r}] must be {', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}."
            )
            yield Error(message, hint=hint, id="passwordless.E004")


def _message() -> Iterator[CheckMessage]:
    """Brand, sender and channels, as Vonage takes them."""
    if not bounds.BRAND.match(settings.BRAND_NAME):
        yield Error(
            "PASSWORDLESS['BRAND_NAME'] must have 1 to 18 characters, none of them / { } : $.",
            hint='PASSWORDLESS = {"BRAND_NAME": "Example"}',
            id="passwordless.E005",
        )
    if settings.SENDER and not bounds.SENDER.match(settings.SENDER):
        yield Error(
            "PASSWORDLESS['SENDER'] must be 3 to 11 letters and digits, or 11 to 15 digits.",
            hint='PASSWORDLESS = {"SENDER": "Example"}',
            id="passwordless.E005",
        )
    if settings.SENDER and settings.VERIFY_VERSION == 1 and not bounds.V1_SENDER.match(settings.SENDER):
        yield Error(
            "Verify v1 takes a sender of at most 11 letters and digits.",
            hint='PASSWORDLESS = {"SENDER": "Example"}',
            id="passwordless.E005",
        )
    tags = [*([settings.LOCALE] if settings.LOCALE else []), *settings.LOCALES.values()]
    if not all(isinstance(tag, str) and bounds.LOCALE.match(tag) for tag in tags):
        yield Error(
            "PASSWORDLESS['LOCALE'] and the values of ['LOCALES'] must be language tags of Vonage.",
            hint='PASSWORDLESS = {"LOCALES": {"pl": "pl-pl"}}',
            id="passwordless.E005",
        )
    yield from _channels()
    if settings.VERIFY_VERSION == 1 and settings.CODE_LENGTH not in (4, 6):
        yield Error(
            "Verify v1 sends codes of 4 or 6 digits only.",
            hint='PASSWORDLESS = {"CODE_LENGTH": 6}',
            id="passwordless.E004",
        )


def _channels() -> Iterator[CheckMessage]:
    channels = list(settings.CHANNELS)
    if not 1 <= len(channels) <= 3 or not all(one in Channel.values for one in channels):
        yield Error(
            f"PASSWORDLESS['CHANNELS'] must be one to three of {', '.join(Channel.values)}.",
            hint='PASSWORDLESS = {"CHANNELS": ["sms", "voice"]}',
            id="passwordless.E006",
        )
    elif settings.VERIFY_VERSION == 1 and " ".join(channels) not in bounds.V1_SEQUENCES:
        yield Error(
            "Verify v1 has no workflow with this sequence of channels.",
            hint='PASSWORDLESS = {"CHANNELS": ["sms", "voice"]}',
            id="passwordless.E006",
        )
    if Channel.WHATSAPP in channels and not bounds.SENDER.match(settings.WHATSAPP_SENDER):
        yield Error(
            "WhatsApp needs the number of your WhatsApp Business Account.",
            hint='PASSWORDLESS = {"WHATSAPP_SENDER": "12125550100"}',
            id="passwordless.E006",
        )


def _numbers() -> Iterator[CheckMessage]:
    home = [settings.DEFAULT_REGION] if settings.DEFAULT_REGION else []
    regions = [*home, *(settings.COUNTRIES or []), *settings.FAVOURITE_COUNTRIES]
    if not all(isinstance(region, str) and bounds.REGION.match(region) for region in regions):
        yield Error(
            "PASSWORDLESS['COUNTRIES'], ['FAVOURITE_COUNTRIES'] and ['DEFAULT_REGION'] take ISO countries"
            " in capitals.",
            hint=bounds.SERVED,
            id="passwordless.E007",
        )
    else:
        yield from _regions(set(regions))
    if settings.COUNTRIES is not None and not settings.COUNTRIES:
        yield Error(
            "PASSWORDLESS['COUNTRIES'] is empty: nobody can log in.",
            hint='PASSWORDLESS = {"COUNTRIES": ["US"]}',
            id="passwordless.E007",
        )
    if not all(one in bounds.NUMBER_TYPES for one in settings.NUMBER_TYPES):
        yield Error(
            f"PASSWORDLESS['NUMBER_TYPES'] must be from {', '.join(bounds.NUMBER_TYPES)}.",
            hint='PASSWORDLESS = {"NUMBER_TYPES": ["mobile", "fixed_line_or_mobile"]}',
            id="passwordless.E007",
        )


def _regions(named: set[str]) -> Iterator[CheckMessage]:
    """What is no country would let nobody in; the list of them is loaded only for who names another than ours."""
    unknown = named - phones.regions() if named - {phones.FALLBACK} else set()
    for region in sorted(unknown):
        message = f"PASSWORDLESS: no country {region!r} has numbers."
        hint = f"Did you mean {bounds.MEANT[region]!r}?" if region in bounds.MEANT else bounds.SERVED
        yield Error(message, hint=hint, id="passwordless.E007")


def _limits() -> Iterator[CheckMessage]:
    for name, rates in settings.LIMITS.items():
        if name not in limits.DEFAULTS:
            close = difflib.get_close_matches(str(name), limits.DEFAULTS, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(limits.DEFAULTS)}."
            yield Error(f"There is no limit {name!r}.", hint=hint, id="passwordless.E008")
            continue
        try:
            limits.parse(rates)
        except (ValueError, AttributeError, TypeError):
            hint = f'PASSWORDLESS = {{"LIMITS": {{"{name}": "{limits.DEFAULTS[name]}"}}}}'
            yield Error(f"The limit {name!r} cannot be read.", hint=hint, id="passwordless.E008")
    if settings.LIMITS_STORAGE and not bounds.STORAGE.match(settings.LIMITS_STORAGE):
        yield Error(
            "PASSWORDLESS['LIMITS_STORAGE'] must be the address of a Redis server.",
            hint='PASSWORDLESS = {"LIMITS_STORAGE": "redis://127.0.0.1:6379/0"}',
            id="passwordless.E008",
        )
    elif settings.LIMITS_STORAGE.startswith("redis") and find_spec("redis") is None:
        yield Error(
            "PASSWORDLESS['LIMITS_STORAGE'] needs the client library of Redis.",
            hint="pip install django-passwordless-vonage[redis]",
            id="passwordless.E008",
        )
    waits = settings.RESEND_WAITS
    if not waits or not all(isinstance(wait, int) and wait >= 30 for wait in waits):
        yield Error(
            "PASSWORDLESS['RESEND_WAITS'] must be seconds, none below 30.",
            hint=f'PASSWORDLESS = {{"RESEND_WAITS": {DEFAULTS["RESEND_WAITS"]}}}',
            id="passwordless.E004",
        )


def _host() -> Iterator[CheckMessage]:
    try:
        origin(settings.API_HOST)
    except ValueError as error:
        yield Error(
            f"PASSWORDLESS['API_HOST']: {error}",
            hint='PASSWORDLESS = {"API_HOST": "api.nexmo.com"}',
            id="passwordless.E009",
        )


def _credentials() -> Iterator[CheckMessage]:
    given = [settings.API_KEY, settings.API_SECRET, settings.APPLICATION_ID, settings.PRIVATE_KEY]
    emulated = gateway.in_process() or is_loopback(settings.API_HOST)
    if not any(given) and not emulated:
        yield Caution(
            "PASSWORDLESS has no Vonage credentials: nobody can log in.",
            hint='PASSWORDLESS = {"API_KEY": "...", "API_SECRET": "..."} or {"EMULATOR": True}',
            id="passwordless.W001",
        )
    if any(given) and (fault := _fault()):
        yield Error(
            f"The Vonage credentials cannot be used. {fault}",
            hint='PASSWORDLESS = {"API_KEY": "...", "API_SECRET": "..."}, '
            'or {"APPLICATION_ID": "...", "PRIVATE_KEY": "/path/to/private.key"}, or all four',
            id="passwordless.E012",
        )
    if not all(isinstance(one, str) and len(one.encode()) >= MIN_SECRET for one in gateway.secrets()):
        yield Error(
            f"PASSWORDLESS['SIGNATURE_SECRET'] needs {MIN_SECRET} bytes of text: webhooks are refused.",
            hint="Set a longer one in the Vonage dashboard, then here (RFC 7518, 3.2).",
            id="passwordless.E013",
        )
    if settings.CODE_LENGTH < 6:
        yield Caution(
            "Codes of fewer than six digits are too easy to guess (NIST SP 800-63B-4, 3.1.3.2).",
            hint='PASSWORDLESS = {"CODE_LENGTH": 6}',
            id="passwordless.W002",
        )
    if settings.COUNTRIES is None and not emulated:
        yield Caution(
            "Codes are sent to every country: name those you serve, or pay for messages to those you do not.",
            hint='PASSWORDLESS = {"COUNTRIES": ["US", "CA"]}',
            id="passwordless.W003",
        )


def _fault() -> str:
    """Return what is wrong with what is given. An emulator takes anybody, but half a pair is a slip anywhere."""
    pairs = (settings.API_KEY, settings.API_SECRET), (settings.APPLICATION_ID, settings.PRIVATE_KEY)
    if any(bool(name) != bool(secret) for name, secret in pairs):
        return "Each pair is given whole or not at all."
    try:
        gateway.credentials()
    except ImproperlyConfigured as error:
        return str(error)
    return ""


def _production() -> Iterator[CheckMessage]:
    if gateway.in_process() or is_loopback(settings.API_HOST):
        yield Error(
            "The emulator is in use: it sends nothing, and anybody may read its codes.",
            hint='PASSWORDLESS = {"EMULATOR": False, "API_KEY": "...", "API_SECRET": "..."}',
            id="passwordless.E101",
        )
    elif not gateway.has_credentials():
        yield Error(
            "PASSWORDLESS has no Vonage credentials.",
            hint='PASSWORDLESS = {"API_KEY": "...", "API_SECRET": "..."}',
            id="passwordless.E102",
        )
    if settings.CODE_LENGTH < 6:
        yield Error(
            "Codes need six digits at least (NIST SP 800-63B-4, 3.1.3.2).",
            hint='PASSWORDLESS = {"CODE_LENGTH": 6}',
            id="passwordless.E103",
        )
    if settings.COUNTRIES is None:
        yield Error(
            "Name the countries you serve: messages to all of them are an invitation to toll fraud.",
            hint='PASSWORDLESS = {"COUNTRIES": ["US", "CA"]}',
            id="passwordless.E104",
        )
