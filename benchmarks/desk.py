"""The site whose audit desk is measured: Django's own users and admin, the app, and one database or several."""

import os
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .site import CONTEXT, CONTRIB, MIDDLEWARE, WAL

KINDS = ("postgresql", "sqlite")
WIDE = ("sends_per_block_1000", "sends_per_block_10000", "sends_per_country", "sends_per_site")


def configure(databases, *, contrib=CONTRIB):
    """Be that site from now on."""
    import django
    from django.conf import settings

    installed = [*(f"django.contrib.{name}" for name in contrib), "passwordless"]
    engine = {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
    settings.configure(
        SECRET_KEY="of the benchmark, which keeps nothing",
        ALLOWED_HOSTS=["testserver"],
        INSTALLED_APPS=installed,
        # Tables are made from the models: nothing here is ever upgraded.
        MIGRATION_MODULES={name.rpartition(".")[2]: None for name in installed},
        MIDDLEWARE=list(MIDDLEWARE),
        TEMPLATES=[{**engine, "OPTIONS": {"context_processors": list(CONTEXT)}}],
        DATABASES=databases,
        AUTHENTICATION_BACKENDS=[
            "passwordless.backends.PhoneBackend", "django.contrib.auth.backends.ModelBackend"
        ],
        ROOT_URLCONF="benchmarks.desk_urls",
        # So many logins of one country: they are counted as ever, and granted.
        PASSWORDLESS={"EMULATOR": True, "LIMITS": dict.fromkeys(WIDE, "1000000/h")},
        STATIC_URL="static/",
        USE_TZ=True,
    )  # fmt: skip
    django.setup()


def tables():
    """Make the tables in the database that is the default one now."""
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)


def entry(kind, folder, file=None):
    """Return the entry of DATABASES: the one that DATABASE_URL or `file` names, or a new and empty one.

    Raises LookupError where PostgreSQL is not installed.
    """
    if kind == "sqlite":
        return sqlite(file or Path(folder) / "desk.sqlite3")
    url = os.environ.get("DATABASE_URL", "")
    return named(url) if url else postgresql(folder.name.lower())


def sqlite(file):
    """Return an entry of DATABASES."""
    engine = "django.db.backends.sqlite3"
    return {"ENGINE": engine, "NAME": str(file), "OPTIONS": WAL, "CONN_MAX_AGE": None}


def named(url):
    """Return an entry of DATABASES for a URL of PostgreSQL."""
    parts = urlsplit(url)
    who = {"USER": unquote(parts.username or ""), "PASSWORD": unquote(parts.password or "")}
    place = {"HOST": parts.hostname or "", "PORT": parts.port or "", "NAME": parts.path[1:]}
    return {"ENGINE": "django.db.backends.postgresql", **place, **who, "CONN_MAX_AGE": None}


def postgresql(name):
    """Return an entry of DATABASES on a server that this run starts. Raises ServiceError, LookupError."""
    from tests import services

    if "postgresql" in services.missing():
        raise LookupError(services.missing()["postgresql"])
    return beside(services.postgresql(), name)


def beside(entry, name):
    """Return an entry of DATABASES for a new database on the server of another; one of that name is dropped."""
    import psycopg

    where = {key.lower(): entry[key] for key in ("HOST", "PORT", "USER")}
    where["password"] = entry.get("PASSWORD")
    with closing(psycopg.connect(**where, dbname=entry["NAME"], autocommit=True)) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    return {**entry, "NAME": name, "CONN_MAX_AGE": None}
