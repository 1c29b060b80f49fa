"""The one settings dict, `PASSWORDLESS`: every key, its default, one line why. Read at use only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

DEFAULTS: dict[str, Any] = {
    # Vonage: who we are and how we reach it.
    "API_KEY": "",  # account key; key and secret alone are enough (HTTP Basic)
    "API_SECRET": "",  # account secret
    "APPLICATION_ID": "",  # with PRIVATE_KEY: signs each call of Verify v2 with a JWT
    "PRIVATE_KEY": "",  # PEM text (literal \n accepted) or the path of a PEM file
    "SIGNATURE_SECRET": "",  # verifies that a webhook is Vonage's; a list while it is being changed
    "API_HOST": "api.nexmo.com",  # host[:port], https; http:// only for a loopback host
    "VERIFY_VERSION": 2,  # 2, or 1 for the legacy API
    "EMULATOR_WEBHOOK_URL": "",  # where the emulator in process sends its webhooks
    "EMULATOR": None,  # True: answer in process; None: only with DEBUG on and no credentials
    "MAX_CALLS": 8,  # calls to Vonage at once per process; half the threads is the advice
    "CONNECT_TIMEOUT": 2.0,  # seconds
    "START_TIMEOUT": 8.0,  # seconds in all, whatever drips
    "CHECK_TIMEOUT": 5.0,  # seconds in all, whatever drips
    # The message.
    "BRAND_NAME": "Example",  # in the message and on the pages; 1 to 18 characters
    "CHANNELS": ["sms", "voice"],  # tried in this order; one to three
    "CODE_LENGTH": 6,  # NIST SP 800-63B-4, 3.1.3.2: six digits at least
    "SENDER": "",  # sender of text messages: 3-11 letters and digits, or 11-15 digits
    "WHATSAPP_SENDER": "",  # number of the WhatsApp Business Account, digits
    "TEMPLATE_ID": "",  # a template of Verify v2
    "FRAUD_CHECK": True,  # False asks Vonage to skip its network block (if the account may)
    "LOCALE": "",  # language of all messages such as en-us; empty: that of the page, where Vonage has it
    "LOCALES": {},  # page language to message language, for those that Vonage has and we do not know
    # Numbers.
    "DEFAULT_REGION": "",  # ISO country in which a number without + is read; empty: the browser's, else US
    "COUNTRIES": None,  # ISO countries served; None: every geographic one
    "FAVOURITE_COUNTRIES": [],  # ISO countries that stand first in the select
    "NUMBER_TYPES": ["mobile", "fixed_line_or_mobile"],  # also: fixed_line, voip
    "RESERVED_NUMBERS": [],  # test numbers of the emulator, beside +1 212 555 0100 to 0199
    # The attempt.
    "ATTEMPT_LIFETIME": 300,  # seconds, shared out to the CHANNELS; NIST SP 800-63B-4, 3.1.3.2: 600 at most
    "MAX_GUESSES": 3,  # Vonage ends a request at the third wrong code
    "RESEND_WAITS": [30, 60, 120, 300],  # seconds before each further message to a number
    "LIMITS": {},  # see limits.DEFAULTS; per limit "5/h, 10/d", None switches one off
    "LIMITS_STORAGE": "",  # redis://...: counts of addresses, sessions, blocks, countries and the site
    "LIMITS_ENFORCE": True,  # False only records what LIMITS would refuse
    "HARD_STOP": 50,  # failed checks in a row that lock a number (NIST SP 800-63B-4, 3.2.2: 100 at most)
    "PUMPING_GUARD": "record",  # or enforce: close blocks of numbers from which no code comes back; None: off
    "TRUSTED_PROXY_COUNT": 0,  # proxies in front that append to X-Forwarded-For
    # Users.
    "SIGNUP": True,  # a number without a user gets one at its first verified login
    "ALLOW_STAFF": False,  # staff and superusers may log in by phone
    # Data life.
    "NUMBER_DAYS": 30,  # after these, an attempt keeps an HMAC of its number and the country
    "VISITOR_DAYS": 30,  # after these, address and user agent are forgotten
    "RETENTION_DAYS": 180,  # after these, passwordless_prune deletes the attempt
}


NOTHING: dict[str, Any] = {}


class Settings:
    """Attribute access to the settings dict, falling back on DEFAULTS. AttributeError for unknown keys."""

    @property
    def given(self) -> Mapping[str, Any]:
        """Return what the site wrote, unchecked."""
        given = getattr(django_settings, "PASSWORDLESS", NOTHING)
        # A dict is told at once; a login reads settings a hundred times.
        if type(given) is not dict and not isinstance(given, Mapping):
            raise ImproperlyConfigured("PASSWORDLESS must be a dict.")
        return given

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"{name!r} is not a setting of passwordless")
        return self.given.get(name, DEFAULTS[name])


settings = Settings()
