"""What each setting may be: types, ranges, choices, and the shapes that Vonage takes. Data for the checks."""

from __future__ import annotations

import re
from typing import Any

from .conf import DEFAULTS

NUMBER_TYPES = ("fixed_line", "fixed_line_or_mobile", "mobile", "voip")
BRAND = re.compile(r"[^/{}:$]{1,18}\Z")
SENDER = re.compile(r"([A-Za-z0-9]{3,11}|[0-9]{11,15})\Z")
V1_SENDER = re.compile(r"[A-Za-z0-9]{3,11}\Z")
LOCALE = re.compile(r"[A-Za-z0-9]{2,8}(-[A-Za-z0-9]{1,8}){0,3}\Z")
STORAGE = re.compile(r"(rediss?|redis\+(sentinel|cluster|unix)|memory)://")
REGION = re.compile(r"[A-Z]{2}\Z")
SERVED = 'PASSWORDLESS = {"COUNTRIES": ["US", "CA"], "DEFAULT_REGION": "US"}'
# What the European Union calls two of them, and languages that are taken for countries.
MEANT = {"UK": "GB", "EL": "GR", "EN": "GB", "DA": "DK", "JA": "JP", "KO": "KR"}
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
    "NUMBER_DAYS": (1, 365),
    "VISITOR_DAYS": (1, 365),
    "RETENTION_DAYS": (2, 365),  # younger than a day is not rolled up yet
    "HARD_STOP": (1, 100),
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "VERIFY_VERSION": (1, 2),
    "PUMPING_GUARD": ("record", "enforce", None),
}
TYPES: dict[str, type | tuple[type, ...]] = {
    **{key: str for key in DEFAULTS if isinstance(DEFAULTS[key], str)},
    **{key: bool for key in DEFAULTS if isinstance(DEFAULTS[key], bool)},
    **{key: (list, tuple) for key in DEFAULTS if isinstance(DEFAULTS[key], list)},
    **dict.fromkeys(RANGES, int),
    **dict.fromkeys(("CONNECT_TIMEOUT", "START_TIMEOUT", "CHECK_TIMEOUT"), (int, float)),
    "VERIFY_VERSION": int,
    "SIGNATURE_SECRET": (str, list, tuple),
    "PUMPING_GUARD": (str, type(None)),
    "LIMITS": dict,
    "LOCALES": dict,
    "EMULATOR": (bool, type(None)),
    "COUNTRIES": (list, tuple, set, frozenset, type(None)),
}
