"""The smallest site with the app in it, on a SQLite file, or with TEST_DATABASE=postgresql on PostgreSQL."""

import os

from tests import services

# Django's default SQLite options, and a file rather than memory, so that threads and real commits count.
DATABASES = {
    "default": services.postgresql()
    if os.environ.get("TEST_DATABASE") == "postgresql"
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": services.home() / "db.sqlite3"}
    | {"TEST": {"NAME": str(services.home() / "test.sqlite3")}}
}
SECRET_KEY = "of the tests, which keep nothing"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "passwordless",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
CONTEXT = ["request", "static"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
TEMPLATES[0]["OPTIONS"] = {
    "context_processors": [f"django.template.context_processors.{name}" for name in CONTEXT]
    + ["django.contrib.auth.context_processors.auth", "django.contrib.messages.context_processors.messages"]
}
AUTHENTICATION_BACKENDS = ["passwordless.backends.PhoneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Neighbours share a block, and all tests share a country and a site: those limits have tests of their own.
WIDE = dict.fromkeys(["sends_per_block_1000", "sends_per_block_10000", "sends_per_country", "sends_per_site"])
PASSWORDLESS = {"EMULATOR": True, "BRAND_NAME": "Example", "PUMPING_GUARD": None, "LIMITS": WIDE}
ROOT_URLCONF, LOGIN_URL, USE_TZ = "tests.urls", "passwordless:login", True
# Absolute: Django puts the script name of whoever asks first before a relative one, for the life of the process.
STATIC_URL = "/static/"
