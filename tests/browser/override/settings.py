"""The demo in the dress of a shop: base, buttons, colours and words of its own, under a script name."""

from pathlib import Path

from tests.browser.settings import *  # noqa: F403
from tests.browser.settings import INSTALLED_APPS, PASSWORDLESS

INSTALLED_APPS = ["tests.browser.override", *INSTALLED_APPS]
ROOT_URLCONF = "tests.browser.override.urls"
WSGI_APPLICATION = "tests.browser.override.wsgi.application"
SCRIPT_NAME = "/shop"  # see wsgi.py; not forced, which the server of static files does not know
STATIC_URL = f"{SCRIPT_NAME}/static/"
LOCALE_PATHS = [Path(__file__).parent / "locale"]
# The address that the demo would name has no prefix.
PASSWORDLESS = {**PASSWORDLESS, "EMULATOR_WEBHOOK_URL": ""}
