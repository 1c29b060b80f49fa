"""One dict of settings: defaults that are safe, names that exist, read at use."""

import inspect
import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.views.debug import SafeExceptionReporterFilter

from passwordless import conf, limits
from passwordless.conf import DEFAULTS
from passwordless.conf import settings as ours

SHIPPED = {
    "CODE_LENGTH": 6,
    "ATTEMPT_LIFETIME": 300,
    "MAX_GUESSES": 3,
    "RESEND_WAITS": [30, 60, 120, 300],
    "CHANNELS": ["sms", "voice"],
    "NUMBER_TYPES": ["mobile", "fixed_line_or_mobile"],
    "COUNTRIES": None,
    "DEFAULT_REGION": "",
    "FAVOURITE_COUNTRIES": [],
    "LOCALES": {},
    "CONNECT_TIMEOUT": 2.0,
    "START_TIMEOUT": 8.0,
    "CHECK_TIMEOUT": 5.0,
    "MAX_CALLS": 8,
    "VERIFY_VERSION": 2,
    "FRAUD_CHECK": True,
    "ALLOW_STAFF": False,
    "SIGNUP": True,
    "EMULATOR": None,
    "TRUSTED_PROXY_COUNT": 0,
    "LIMITS_STORAGE": "",
    "LIMITS_ENFORCE": True,
    "HARD_STOP": 50,
    "PUMPING_GUARD": "record",
    "EMULATOR_WEBHOOK_URL": "",
    "NUMBER_DAYS": 30,
    "VISITOR_DAYS": 30,
    "RETENTION_DAYS": 180,
}
SHIPPED_LIMITS = {
    "sends_per_number": ((5, 3600), (10, 86400)),
    "sends_per_session": ((5, 3600),),
    "sends_per_ip": ((10, 3600), (30, 86400)),
    "calls_per_number": ((2, 86400),),
    "fails_per_number": ((10, 3600), (20, 86400)),
    "fails_per_ip": ((30, 600), (100, 86400)),
    "sends_per_block_1000": ((5, 600),),
    "sends_per_block_10000": ((20, 3600),),
    "sends_per_country": ((100, 3600),),
    "sends_per_site": ((300, 3600), (2000, 86400)),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_defaults_are_the_safe_ones(name):
    assert SHIPPED[name] == DEFAULTS[name]


def test_default_limits_are_the_promised_ones():
    assert SHIPPED_LIMITS == {name: limits.parse(rates) for name, rates in limits.DEFAULTS.items()}


@pytest.mark.parametrize("name", DEFAULTS)
def test_each_default_says_why_in_its_line(name):
    line = re.search(rf'^    "{name}": .*$', inspect.getsource(conf), re.MULTILINE)[0]
    assert re.search(r"  # \S", line)


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_site_that_says_nothing_gets_the_default(name, settings):
    del settings.PASSWORDLESS
    assert DEFAULTS[name] == getattr(ours, name)


def test_what_a_site_says_is_read_at_use(settings):
    settings.PASSWORDLESS = {"BRAND_NAME": "One"}
    first = ours.BRAND_NAME
    settings.PASSWORDLESS = {"BRAND_NAME": "Two"}
    assert ("One", "Two") == (first, ours.BRAND_NAME)


def test_saying_one_thing_leaves_the_others_alone(settings):
    settings.PASSWORDLESS = {"SIGNUP": False}
    assert (False, 6) == (ours.SIGNUP, ours.CODE_LENGTH)


@pytest.mark.parametrize("value", [None, 0, "", False, []])
def test_a_value_that_is_empty_is_still_what_the_site_said(settings, value):
    settings.PASSWORDLESS = {"CHANNELS": value}
    assert value == ours.CHANNELS


@pytest.mark.parametrize("name", ["CHANELS", "channels", "_private", "copy", ""])
def test_unknown_names_raise(name):
    with pytest.raises(AttributeError, match="not a setting of passwordless"):
        getattr(ours, name)


def test_a_key_that_is_unknown_is_never_read(settings):
    settings.PASSWORDLESS = {"CHANELS": ["sms"]}
    with pytest.raises(AttributeError):
        ours.CHANELS  # noqa: B018 - the look-up is the test


@pytest.mark.parametrize("value", [None, [], "API_KEY", 1, True])
def test_it_must_be_a_dict(settings, value):
    settings.PASSWORDLESS = value
    with pytest.raises(ImproperlyConfigured, match="must be a dict"):
        ours.CHANNELS  # noqa: B018 - the look-up is the test


def test_secrets_have_names_that_django_hides_in_its_reports(settings):
    names = ("API_KEY", "API_SECRET", "PRIVATE_KEY", "SIGNATURE_SECRET")
    settings.PASSWORDLESS = dict.fromkeys(names, "do-not-show")
    assert "do-not-show" not in str(SafeExceptionReporterFilter().get_safe_settings())
