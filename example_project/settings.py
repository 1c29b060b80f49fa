"""A site that logs people in by phone, configured by the environment or by a file `.env` beside manage.py.

A fresh clone (no `.env`, no SECRET_KEY or DATABASE_URL) is a demo: DEBUG, SQLite and the emulator.
"""

import os
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from passwordless.conf import DEFAULTS

BASE_DIR = Path(__file__).resolve().parent.parent
ENV_FILE = BASE_DIR / ".env"
FRESH = not (ENV_FILE.exists() or os.environ.get("SECRET_KEY") or os.environ.get("DATABASE_URL"))

environ.Env.read_env(ENV_FILE)
# A variable that is there and empty counts as not set, so that .env.example can be copied as it is.
GIVEN = {name: value for name, value in os.environ.items() if value.strip()}
env = environ.Env()
env.ENVIRON = GIVEN

DEBUG = env.bool("DEBUG", default=FRESH)
HTTPS = env.bool("HTTPS", default=not DEBUG)
# Not by `env`, which takes a leading dollar sign for the name of another variable.
SECRET_KEY = GIVEN.get("SECRET_KEY", "for development, where everybody may know it" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured("Set SECRET_KEY in the environment or in .env (or DEBUG=1 at home).")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])

INSTALLED_APPS = [
    "example_project",  # before passwordless, because it overrides one of its templates
    "passwordless",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "example_project.csp.strict",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "example_project.phone.context",
            ]
        },
    }
]

# Logging in
AUTHENTICATION_BACKENDS = ["passwordless.backends.PhoneBackend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "passwordless:login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
CSRF_FAILURE_VIEW = "passwordless.views.csrf_failure"

VONAGE = {
    *("API_KEY", "API_SECRET", "APPLICATION_ID", "PRIVATE_KEY", "SIGNATURE_SECRET", "API_HOST"),
    *("VERIFY_VERSION", "EMULATOR", "BRAND_NAME"),
}
# The two settings whose default, None, does not tell their type.
UNTOLD = {"EMULATOR": bool, "COUNTRIES": list}


def read(key: str, text: str) -> Any:
    """Return the value of a setting of passwordless in the type of its default; commas divide lists."""
    default = DEFAULTS.get(key, "")
    if isinstance(default, dict):
        return environ.Env.parse_value(text, {"value": str})  # name=5/h,10/d;other=2/d
    if isinstance(default, list) and default:
        return environ.Env.parse_value(text, [type(default[0])])
    return environ.Env.parse_value(text, UNTOLD.get(key, type(default)))


def passwordless(given: dict[str, str]) -> dict[str, Any]:
    """Return what VONAGE_X and PASSWORDLESS_X say of X; the app's check finds misspelled ones."""
    texts = {key: given[f"VONAGE_{key}"] for key in VONAGE if f"VONAGE_{key}" in given}
    texts |= {
        name.removeprefix("PASSWORDLESS_"): text
        for name, text in given.items()
        if name.startswith("PASSWORDLESS_")
    }
    return {key: read(key, text) for key, text in sorted(texts.items())}


PASSWORDLESS = passwordless(GIVEN)

# Data
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        "timeout": 20,
    }
CACHES = {"default": env.cache_url("CACHE_URL", default="locmemcache://")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# HTTPS: secure unless somebody says otherwise
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 30 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Words, files, logs
LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", "English"),
    ("es", "Español"),
    ("fr", "Français"),
    ("de", "Deutsch"),
    ("it", "Italiano"),
    ("pt-br", "Português (Brasil)"),
    ("nl", "Nederlands"),
    ("pl", "Polski"),
    ("tr", "Türkçe"),
    ("ar", "العربية"),
    ("he", "עברית"),
    ("hi", "हिन्दी"),
    ("id", "Bahasa Indonesia"),
    ("ja", "日本語"),
    ("zh-hans", "简体中文"),
]
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = HTTPS
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"  # `manage.py collectstatic` fills it, the web server serves it
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        # The virtual phone asks every two seconds.
        "not_the_phone": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: "GET /phone/ " not in record.getMessage(),
        }
    },
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "propagate": True},  # once, by the root
        "django.server": {"filters": ["not_the_phone"], "propagate": True},
    },
}
