"""The demo without its dress: the pages as a site has them that overrides nothing."""

from tests.browser.settings import *  # noqa: F403
from tests.browser.settings import INSTALLED_APPS

INSTALLED_APPS = ["passwordless", *(app for app in INSTALLED_APPS if app != "passwordless")]
