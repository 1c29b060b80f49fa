"""`python -m benchmarks.size`: the audit desk, a login and a purge on a table of many attempts.

Without DATABASE_URL (PostgreSQL) or --file (SQLite) the database is made and thrown away. With --filled it is one
that `benchmarks.rows` filled before, and its rows are purged.
"""

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from . import desk, rows
from .desk_figures import markdown
from .desk_logins import EMPTY, FULL, logins, use
from .desk_pages import pages, rolled
from .desk_purge import beside, forgetting, purge, purge_apart

PARTS = ("login", "pages", "purge")


def arguments(words=None):
    """Return what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.size", description=__doc__)
    parser.add_argument("--count", type=int, default=200_000, help="attempts stored (200000)")
    parser.add_argument("--database", choices=desk.KINDS, default="sqlite")
    parser.add_argument("--rounds", type=int, default=100, help="logins on each database (100)")
    parser.add_argument("--filled", action="store_true", help="the rows are there already")
    parser.add_argument("--file", type=Path, help="of SQLite")
    parser.add_argument("--only", action="append", choices=PARTS, help="may be given several times (all)")
    parser.add_argument("--check", action="store_true", help="end with 1 if a bar is broken")
    parser.add_argument("--purge", metavar="JSON", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main():
    """Measure, print, and return the exit code."""
    wanted = arguments()
    if wanted.purge:
        return purge_apart(json.loads(wanted.purge))
    with tempfile.TemporaryDirectory(prefix="passwordless-size-") as folder, ExitStack() as stack:
        databases = entries(wanted, Path(folder))
        desk.configure({"default": databases[FULL], **databases})
        from django.db import connections

        stack.callback(connections.close_all)
        report = measured(wanted, databases)
    print(markdown(report))
    return int(wanted.check and not all(line.kept for line in report))


def entries(wanted, folder):
    """Return both entries of DATABASES."""
    made = {}
    for name in (EMPTY, FULL):
        (folder / name).mkdir()
        # Names of a server's databases are its own: an empty one stands beside the full one.
        made[name] = desk.entry(wanted.database, folder / name, wanted.file if name == FULL else None)
    if wanted.database == "postgresql" and made[EMPTY] == made[FULL]:
        made[EMPTY] = desk.beside(made[FULL], f"{made[FULL]['NAME']}_empty")
    return made


def measured(wanted, databases):
    """Return all lines, and tell each as soon as it is known."""
    prepare(wanted)
    lines = []
    for line in parts(wanted, databases, strict=wanted.database == "postgresql"):
        print(" ".join(line.cells), file=sys.stderr, flush=True)
        lines.append(line)
    return lines


def parts(wanted, databases, *, strict):
    """Yield the lines of what is wanted; `strict` knows the bars of PostgreSQL."""
    chosen = wanted.only or PARTS
    if "login" in chosen:
        yield from logins(wanted.rounds, 1.1 if strict else None)
    use(FULL)
    if "pages" in chosen:
        yield from rolled()
        yield from pages(300, 300 if strict else 1000)
    if "purge" in chosen:
        yield from forgetting()
        yield from purge(strict)
        yield from beside(databases[FULL], wanted.rounds, 1.5 if strict else None)


def prepare(wanted):
    """Make tables and rows."""
    use(EMPTY)
    desk.tables()
    use(FULL)
    if not wanted.filled:
        desk.tables()
        rows.fill(wanted.count)
    from passwordless.models import VerificationAttempt

    print(f"{VerificationAttempt.objects.count():,} attempts, {wanted.database}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
