"""The sites that are measured: Django's own defaults, as startproject writes them, and what each way adds."""

from contextlib import closing
from importlib import import_module
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


def way(name):
    """Return one of the ways to log in."""
    return import_module(f"{__package__}.ways.{name}")


def configure(databases, *, name="app", wire="", **more):
    """Be the site of that way from now on; `wire` is the address that it calls, `more` are further settings."""
    import django
    from django.conf import settings

    settings.configure(**settings_of(databases, {**way(name).changes(wire), **more}))
    django.setup()


def settings_of(databases, changes):
    """Return all settings: Django's defaults with these changes."""
    extra = changes.pop("EXTRA_APPS", [])
    installed = [*(f"django.contrib.{one}" for one in CONTRIB), "benchmarks", *extra]
    engine = {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
    return {
        "SECRET_KEY": "of the benchmark, which keeps nothing",
        "ALLOWED_HOSTS": ["site.example"],
        "INSTALLED_APPS": installed,
        # Tables are made from the models: nothing here is ever upgraded.
        "MIGRATION_MODULES": {one.rpartition(".")[2]: None for one in installed},
        "MIDDLEWARE": [*MIDDLEWARE, *changes.pop("EXTRA_MIDDLEWARE", [])],
        "TEMPLATES": [{**engine, "OPTIONS": {"context_processors": list(CONTEXT)}}],
        "DATABASES": databases,
        "AUTH_USER_MODEL": "benchmarks.Member",
        "LOGIN_REDIRECT_URL": "/",
        "STATIC_URL": "static/",
        "USE_TZ": True,
        "BENCHMARK_PROVIDER": "",
        **changes,
    }


def sqlite(file, options):
    """Return an entry of DATABASES. The connection is kept, since opening it would flatter every ratio."""
    engine = "django.db.backends.sqlite3"
    return {"ENGINE": engine, "NAME": str(file), "OPTIONS": options, "CONN_MAX_AGE": None}


def postgresql(name):
    """Return an entry of DATABASES on a server that this run starts. Raises ServiceError, LookupError."""
    import psycopg

    from tests import services

    if "postgresql" in services.missing():
        raise LookupError(services.missing()["postgresql"])
    entry = services.postgresql()
    where = {key.lower(): entry[key] for key in ("HOST", "PORT", "USER")}
    with closing(psycopg.connect(**where, dbname=entry["NAME"], autocommit=True)) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    return {**entry, "NAME": name, "CONN_MAX_AGE": None}


def database(kind, folder, name="site"):
    """Return the entry of DATABASES for one of the kinds above, new and empty. Raises as postgresql does."""
    folder = Path(folder)
    kinds = {
        "sqlite-wal": lambda: sqlite(folder / f"{name}-wal.sqlite3", WAL),
        "sqlite-default": lambda: sqlite(folder / f"{name}-default.sqlite3", {}),
        "postgresql": lambda: postgresql(f"{folder.name}-{name}".lower()),
    }
    return kinds[kind]()
