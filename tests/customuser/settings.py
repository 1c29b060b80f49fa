"""The site of the tests with another user model and without the admin."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as APPS

INSTALLED_APPS = [app for app in APPS if app != "django.contrib.admin"] + ["tests.customuser"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "customuser.Person"
AUTHENTICATION_BACKENDS = ["tests.customuser.backends.PersonBackend"]
ROOT_URLCONF = "tests.customuser.urls"
