"""`python -m benchmarks [login|growth|serving|all]`: one run, one report."""

import argparse
import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from . import growth, login, plot, serving, site
from .bars import bars
from .tables import markdown

PARTS = ("login", "growth", "serving")


def positive(text):
    """Return a whole number from 1 on. Raises ValueError, which argparse words."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def sizes(text):
    """Return whole numbers that are separated by commas. Raises ValueError, which argparse words."""
    return [int(part) for part in text.replace("_", "").split(",")]


def arguments(words=None):
    """Return what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("part", nargs="?", choices=(*PARTS, "all"), default="login", help="what is measured (login)")
    add("--rounds", type=positive, default=100, help="logins of each kind (100)")
    add("--starts", type=positive, default=15, help="processes started of each kind (15)")
    add("--rows", type=sizes, default=[0, 100_000, 1_000_000], help="rows stored (0,100000,1000000)")
    add("--seconds", type=positive, default=12, help="of each load (12)")
    add("--users", type=positive, default=64, help="people who log in at a time (64)")
    several = "may be given several times; without it SQLite in WAL mode"
    add("--database", action="append", choices=site.DATABASES, help=several)
    add("--without-peers", action="store_true", help="the app and its floors alone: nothing is installed")
    add("--json", type=Path, metavar="FILE", help="write all figures and statements there too")
    add("--svg", type=Path, metavar="FILE", help="draw the ratios there")
    add("--check", action="store_true", help="end with 1 if a bar is broken")
    return parser.parse_args(words)


def main():
    """Measure, print, and return the exit code."""
    wanted = arguments()
    with tempfile.TemporaryDirectory(prefix="passwordless-benchmark-") as folder:
        report = measured(wanted, Path(folder))
    print(markdown(report))
    if wanted.json:
        wanted.json.write_text(json.dumps(report, indent=1) + "\n")
    if wanted.svg:
        wanted.svg.write_text(plot.drawn(report))
    return int(wanted.check and not all(bar.kept for bar in bars(report)))


def measured(wanted, folder):
    """Return the report: its parts, when, and on what."""
    kinds = list(dict.fromkeys(wanted.database or site.DATABASES[:1]))
    peers = not wanted.without_peers
    parts = {
        "login": lambda: login.measured(
            kinds, wanted.rounds, wanted.starts, login.subjects_of(peers), folder
        ),
        "growth": lambda: growth.measured(wanted.rows, wanted.rounds, folder, peers=peers, kind=kinds[0]),
        "serving": lambda: serving.measured(wanted.seconds, wanted.users, folder, peers=peers, kind=kinds[0]),
    }
    chosen = PARTS if wanted.part == "all" else (wanted.part,)
    report = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores",
        "versions": _versions(),
    }
    try:
        return report | {name: parts[name]() for name in chosen}
    except LookupError as missing:
        sys.exit(f"left out for want of {missing.args[0]}")


def _versions():
    import django

    return {"Python": platform.python_version(), "Django": django.get_version()}


if __name__ == "__main__":
    sys.exit(main())
