"""`python -m benchmarks`: one run, one report."""

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from . import processes, site, tokens
from .bars import bars
from .figures import figures, statements
from .servers import served
from .subjects import subjects
from .tables import markdown


def positive(text):
    """Return a whole number from 1 on. Raises ValueError, which argparse words."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def arguments(words=None):
    """Return what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=100, help="logins of each kind (100)")
    parser.add_argument("--starts", type=positive, default=15, help="processes started of each kind (15)")
    parser.add_argument(
        "--database",
        action="append",
        choices=site.DATABASES,
        help="may be given several times; without it both kinds of SQLite",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all figures and statements there too"
    )
    parser.add_argument("--check", action="store_true", help="end with 1 if a bar is broken")
    return parser.parse_args(words)


def main():
    """Measure, print, and return the exit code."""
    wanted = arguments()
    with tempfile.TemporaryDirectory(prefix="passwordless-benchmark-") as folder:
        report = measured(wanted, Path(folder))
    print(markdown(report))
    if wanted.json:
        wanted.json.write_text(json.dumps(report, indent=1) + "\n")
    return int(wanted.check and not all(bar.kept for bar in bars(report)))


def measured(wanted, folder):
    """Return the report."""
    databases = _databases(wanted.database or site.DATABASES[:2], folder)
    run = _run(databases, wanted.rounds)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "rounds": wanted.rounds,
        "versions": _versions(databases),
        "machine": f"{os.cpu_count()} cores",
        "logins": figures(run),
        "statements": statements(run),
        "start_up": processes.start_up(wanted.starts),
        "memory": processes.memory(folder),
        "token": tokens.token_cost(),
    }


def _run(databases, rounds):
    with ExitStack() as stack:
        emulator, provider = (stack.enter_context(served(kind)) for kind in ("emulator", "plain"))
        first = next(iter(databases.values()))
        site.configure({"default": first, **databases}, provider=provider)
        from django.core.handlers.wsgi import WSGIHandler
        from django.db import connections

        from . import rounds as interleaved
        from . import wire

        wire.watch()
        run = interleaved.Run(WSGIHandler(), databases, subjects(emulator))
        stack.callback(connections.close_all)
        run.prepare()
        run.measure(rounds)
    return run


def _databases(names, folder):
    found = {}
    for name in dict.fromkeys(names):
        try:
            found[name] = site.database(name, folder)
        except LookupError as missing:
            sys.exit(f"{name} is left out for want of {missing.args[0]}")
    return found


def _versions(databases):
    import django

    versions = {"Python": platform.python_version(), "Django": django.get_version()}
    versions |= {"SQLite": sqlite3.sqlite_version}
    if "postgresql" in databases:
        from django.db import connections

        with connections["postgresql"].cursor() as cursor:
            cursor.execute("SHOW server_version")
            versions["PostgreSQL"] = cursor.fetchone()[0].split()[0]
        connections["postgresql"].close()
    return versions


if __name__ == "__main__":
    sys.exit(main())
