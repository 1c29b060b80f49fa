"""What can be wrong with a site's settings, each under an id that stays, with a hint to paste."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.contrib.auth import get_backends
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from . import gateway, limits
from .conf import DEFAULTS, settings
from .states import Channel
from .vonage.hosts import is_loopback, origin

NUMBER_TYPES = {"mobile", "fixed_line_or_mobile", "fixed_line", "voip"}
BRAND = re.compile(r"[^/{}:$]{1,18}\Z")
SENDER = re.compile(r"([A-Za-z0-9]{3,11}|[0-9]{11,15})\Z")
REGION = re.compile(r"[A-Z]{2}\Z")
V1_SEQUENCES = {"sms", "voice", "sms sms", "voice voice", "sms voice", "sms sms voice", "sms voice voice"}
RANGES: dict[str, tuple[float, float]] = {
    "MAX_GUESSES": (1, 3),
    "ATTEMPT_LIFETIME": (60, 600),
    "CODE_LENGTH": (4, 10),
    "MAX_CALLS": (1, 1000),
    "CONNECT_TIMEOUT": (0.1, 60),
    "START_TIMEOUT": (0.1, 60),
    "CHECK_TIMEOUT": (0.1, 60),
    "TRUSTED_PROXY_COUNT": (0, 10),
    "RETENTION_DAYS": (1, 365),
}
TYPES: dict[str, type | tuple[type, ...]] = {
    **{key: str for key in DEFAULTS if isinstance(DEFAULTS[key], str)},
    **{key: bool for key in DEFAULTS if isinstance(DEFAULTS[key], bool)},
    **{key: (list, tuple) for key in DEFAULTS if isinstance(DEFAULTS[key], list)},
    **dict.fromkeys(RANGES, (int, float)),
    "VERIFY_VERSION": int,
    "LIMITS": dict,
    "EMULATOR": (bool, type(None)),
    "COUNTRIES": (list, tuple, set, frozenset, type(None)),
}


@register(Tags.security)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Names, types, ranges and combinations of the settings dict."""
    if not isinstance(getattr(django_settings, "PASSWORDLESS", {}), dict):
        return [Error("PASSWORDLESS must be a dict.", hint="PASSWORDLESS = {}", id="passwordless.E001")]
    names = list(_unknown())
    types = list(_types())
    return names + types if types else [*names, *_ranges(), *_message(), *_numbers(), *_limits(), *_host()]


@register(Tags.security)
def check_site(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """What the app needs around itself."""
    return [*_backend(), *_middleware(), *_credentials()]


@register(Tags.security, deploy=True)
def check_production(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """What is fine on a developer's machine and nowhere else."""
    return [*_production()]


def _unknown() -> Iterator[CheckMessage]:
    for name in settings.given:
        if name not in DEFAULTS:
            close = difflib.get_close_matches(str(name).upper(), DEFAULTS, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else "See the settings table of the README."
            yield Error(f"PASSWORDLESS has no key {name!r}.", hint=hint, id="passwordless.E002")


def _types() -> Iterator[CheckMessage]:
    for name, expected in TYPES.items():
        value = getattr(settings, name)
        odd = isinstance(value, bool) and bool not in (
            expected if isinstance(expected, tuple) else (expected,)
        )
        if odd or not isinstance(value, expected):
            hint = f'PASSWORDLESS = {{"{name}": {DEFAULTS[name]!r}}}'
            yield Error(f"PASSWORDLESS[{name!r}] has the wrong type.", hint=hint, id="passwordless.E003")


def _ranges() -> Iterator[CheckMessage]:
    for name, (low, high) in RANGES.items():
        if not low <= getattr(settings, name) <= high:
            hint = f'PASSWORDLESS = {{"{name}": {DEFAULTS[name]!r}}}'
            message = f"PASSWORDLESS[{name!r}] must be from {low} to {high}."
            yield Error(message, hint=hint, id="passwordless.E004")
    if settings.VERIFY_VERSION not in (1, 2):
        yield Error(
            "PASSWORDLESS['VERIFY_VERSION'] must be 1 or 2.",
            hint='PASSWORDLESS = {"VERIFY_VERSION": 2}',
            id="passwordless.E004",
        )


def _message() -> Iterator[CheckMessage]:
    """Brand, sender and channels, as Vonage takes them."""
    if not BRAND.match(settings.BRAND_NAME):
        yield Error(
            "PASSWORDLESS['BRAND_NAME'] must have 1 to 18 characters, none of them / { } : $.",
            hint='PASSWORDLESS = {"BRAND_NAME": "Example"}',
            id="passwordless.E005",
        )
    if settings.SENDER and not SENDER.match(settings.SENDER):
        yield Error(
            "PASSWORDLESS['SENDER'] must be 3 to 11 letters and digits, or 11 to 15 digits.",
            hint='PASSWORDLESS = {"SENDER": "Example"}',
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
    if not 1 <= len(channels) <= 3 or not set(channels) <= set(Channel.values):
        yield Error(
            f"PASSWORDLESS['CHANNELS'] must be one to three of {', '.join(Channel.values)}.",
            hint='PASSWORDLESS = {"CHANNELS": ["sms", "voice"]}',
            id="passwordless.E006",
        )
    elif settings.VERIFY_VERSION == 1 and " ".join(channels) not in V1_SEQUENCES:
        yield Error(
            "Verify v1 has no workflow with this sequence of channels.",
            hint='PASSWORDLESS = {"CHANNELS": ["sms", "voice"]}',
            id="passwordless.E006",
        )
    if Channel.WHATSAPP in channels and not settings.WHATSAPP_SENDER:
        yield Error(
            "WhatsApp needs the number of your WhatsApp Business Account.",
            hint='PASSWORDLESS = {"WHATSAPP_SENDER": "12125550100"}',
            id="passwordless.E006",
        )


def _numbers() -> Iterator[CheckMessage]:
    regions = [settings.DEFAULT_REGION, *(settings.COUNTRIES or [])]
    if not all(isinstance(region, str) and REGION.match(region) for region in regions):
        yield Error(
            "PASSWORDLESS['COUNTRIES'] and ['DEFAULT_REGION'] take ISO countries in capitals.",
            hint='PASSWORDLESS = {"COUNTRIES": ["US", "CA"], "DEFAULT_REGION": "US"}',
            id="passwordless.E007",
        )
    if settings.COUNTRIES is not None and not settings.COUNTRIES:
        yield Error(
            "PASSWORDLESS['COUNTRIES'] is empty: nobody can log in.",
            hint='PASSWORDLESS = {"COUNTRIES": ["US"]}',
            id="passwordless.E007",
        )
    if not set(settings.NUMBER_TYPES) <= NUMBER_TYPES:
        yield Error(
            f"PASSWORDLESS['NUMBER_TYPES'] must be from {', '.join(sorted(NUMBER_TYPES))}.",
            hint='PASSWORDLESS = {"NUMBER_TYPES": ["mobile", "fixed_line_or_mobile"]}',
            id="passwordless.E007",
        )


def _limits() -> Iterator[CheckMessage]:
    for name, rates in settings.LIMITS.items():
        if name not in limits.DEFAULTS:
            close = difflib.get_close_matches(str(name), limits.DEFAULTS, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(limits.DEFAULTS)}."
            yield Error(f"There is no limit {name!r}.", hint=hint, id="passwordless.E008")
            continue
        try:
            limits.parse(rates)
        except (ValueError, AttributeError):
            hint = f'PASSWORDLESS = {{"LIMITS": {{"{name}": "{limits.DEFAULTS[name]}"}}}}'
            yield Error(f"The limit {name!r} cannot be read.", hint=hint, id="passwordless.E008")
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


def _backend() -> Iterator[CheckMessage]:
    """Exactly one phone backend: with two, each guess would be asked twice."""
    phone = [backend for backend in get_backends() if hasattr(backend, "find_user")]
    if len(phone) != 1:
        yield Error(
            f"AUTHENTICATION_BACKENDS names {len(phone)} phone backends; it must name one.",
            hint='AUTHENTICATION_BACKENDS = ["passwordless.backends.PhoneBackend", '
            '"django.contrib.auth.backends.ModelBackend"]',
            id="passwordless.E010",
        )


def _middleware() -> Iterator[CheckMessage]:
    needed = {
        "django.contrib.sessions.middleware.SessionMiddleware": "sessions",
        "django.contrib.auth.middleware.AuthenticationMiddleware": "logins",
    }
    present = [import_string(path) for path in django_settings.MIDDLEWARE]
    for path, what in needed.items():
        wanted = import_string(path)
        if not any(isinstance(one, type) and issubclass(one, wanted) for one in present):
            yield Error(
                f"Without {path} there are no {what}.",
                hint=f'MIDDLEWARE += ["{path}"]',
                id="passwordless.E011",
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
    if any(given):
        try:
            gateway.credentials()
        except ImproperlyConfigured as error:
            yield Error(
                f"The Vonage credentials cannot be used. {error}",
                hint='PASSWORDLESS = {"API_KEY": "...", "API_SECRET": "..."}, '
                'or {"APPLICATION_ID": "...", "PRIVATE_KEY": "/path/to/private.key"}, or all four',
                id="passwordless.E012",
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
