"""The site that is measured: Django's own defaults, as startproject writes them, with and without the app."""

from contextlib import closing
from pathlib import Path

DATABASES = ("sqlite-wal", "sqlite-default", "postgresql")
WAL = {
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    "timeout": 20,
}
CONTRIB = ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")
MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
CONTEXT = (
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
)
IN_PROCESS = {"EMULATOR": True}


def apps(with_app):
    """Return INSTALLED_APPS."""
    names = [f"django.contrib.{name}" for name in CONTRIB]
    return [*names, "benchmarks", *(["passwordless"] if with_app else [])]


def backends(with_app):
    """Return AUTHENTICATION_BACKENDS."""
    own = ["passwordless.backends.PhoneBackend"] if with_app else []
    return [*own, "django.contrib.auth.backends.ModelBackend"]


def configure(databases, *, with_app=True, provider=""):
    """Be that site from now on; `provider` is the address that the second floor calls."""
    import django
    from django.conf import settings

    installed = apps(with_app)
    options = {"context_processors": list(CONTEXT)}
    engine = {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
    settings.configure(
        SECRET_KEY="of the benchmark, which keeps nothing",
        ALLOWED_HOSTS=["site.example"],
        INSTALLED_APPS=installed,
        # Tables are made from the models: nothing here is ever upgraded.
        MIGRATION_MODULES={name.rpartition(".")[2]: None for name in installed},
        MIDDLEWARE=list(MIDDLEWARE),
        TEMPLATES=[{**engine, "OPTIONS": options}],
        DATABASES=databases,
        AUTH_USER_MODEL="benchmarks.Member",
        AUTHENTICATION_BACKENDS=backends(with_app),
        ROOT_URLCONF="benchmarks.urls" if with_app else "benchmarks.bare_urls",
        PASSWORDLESS=IN_PROCESS,
        LOGIN_REDIRECT_URL="/",
        STATIC_URL="static/",
        USE_TZ=True,
        BENCHMARK_PROVIDER=provider,
    )
    django.setup()


def sqlite(file, options):
    """Return an entry of DATABASES. The connection is kept, since opening it would flatter every ratio."""
    engine = "django.db.backends.sqlite3"
    return {"ENGINE": engine, "NAME": str(file), "OPTIONS": options, "CONN_MAX_AGE": None}


def postgresql(folder):
    """Return an entry of DATABASES on a server that this run starts. Raises ServiceError, LookupError."""
    import psycopg

    from tests import services

    if "postgresql" in services.missing():
        raise LookupError(services.missing()["postgresql"])
    entry, name = services.postgresql(), f"benchmark_{folder.name.lower()}"
    where = {key.lower(): entry[key] for key in ("HOST", "PORT", "USER")}
    with closing(psycopg.connect(**where, dbname=entry["NAME"], autocommit=True)) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    return {**entry, "NAME": name, "CONN_MAX_AGE": None}


def database(name, folder):
    """Return the entry of DATABASES for one of the names above, new and empty. Raises as postgresql does."""
    kinds = {
        "sqlite-wal": lambda: sqlite(folder / "wal.sqlite3", WAL),
        "sqlite-default": lambda: sqlite(folder / "default.sqlite3", {}),
        "postgresql": lambda: postgresql(Path(folder)),
    }
    return kinds[name]()
