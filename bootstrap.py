"""Makes `.venv` beside this file and runs manage.py in it, from where nothing is installed yet.

A stamp, written last, says what the environment holds; whatever does not fit its stamp is repaired.
"""

from __future__ import annotations

import configparser
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STALE = ROOT / ".venv.stale"
STAMP = VENV / "passwordless.stamp"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
EXTRAS = ("test", "example")
COMMANDS = ("demo", "test")
QUIET = {
    "UV_PYTHON_DOWNLOADS": "never",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_USER": "0",
}

# What the installers say on failing, and what a person can do about it: the first that matches is told.
FAILURES = {
    r"No space left on device": "The disk is full: .venv needs about 250 MB.",
    r"(?i)connection (error|refused|reset)|NewConnection|name resolution|resolve host|dns error|timed out"
    r"|error sending request|failed to fetch|network is unreachable|proxy ?error|retries exceeded": (
        "The package registry cannot be reached: connect to the network, or tell pip of yours, then repeat."
    ),
    r"No module named '?(pip|ensurepip|venv)|ensurepip is not available|no such option: --python": (
        "This Python cannot make environments: install uv, or apt install python3-venv, then repeat."
    ),
}


def enter(argv: list[str]) -> None:
    """Return inside an environment that has Django, or replace this process by one that is."""
    command = argv[1] if len(argv) > 1 else ""
    rebuilt = command in COMMANDS and make(argv)
    if command == "test":
        os.chdir(ROOT)
        run_instead("-m", "pytest", *argv[2:])
    lacking = command in COMMANDS or (len(stamp()) > 1 and importlib.util.find_spec("django") is None)
    if rebuilt or (lacking and not inside()):
        run_instead(str(ROOT / "manage.py"), *argv[1:])


def inside() -> bool:
    return os.path.realpath(sys.prefix) == os.path.realpath(VENV)


def run_instead(*arguments: str) -> NoReturn:
    """Go on as the environment's interpreter with these arguments."""
    os.environ["VIRTUAL_ENV"] = str(VENV)
    for misleading in ("PYTHONHOME", "__PYVENV_LAUNCHER__"):
        os.environ.pop(misleading, None)
    sys.stdout.flush()
    if os.name == "nt":  # there, exec would give the prompt back at once
        sys.exit(subprocess.call([PYTHON, *arguments]))
    os.execv(PYTHON, [str(PYTHON), *arguments])


def make(argv: list[str]) -> bool:
    """Bring `.venv` to what setup.cfg asks for; return whether there was anything to do.

    Exits with one sentence where that is impossible.
    """
    needed = requirements(*EXTRAS)
    digest = hashlib.sha256("\n".join(needed).encode()).hexdigest()
    wanted = [str(sys.implementation.cache_tag), str(ROOT), digest]
    if stamp()[1:] == wanted:
        return False
    if owner() == "joined" and not inside():
        run_instead(str(ROOT / "manage.py"), *argv[1:])
    if not os.access(ROOT, os.W_OK):
        sys.exit(f"{ROOT} is read-only: copy the project to a folder of your own, then repeat.")
    try:
        with locked():
            if stamp()[1:] != wanted:
                build(needed, wanted)
    except KeyboardInterrupt:
        sys.exit("Interrupted; the next run repairs .venv.")
    except OSError as error:
        sys.exit(f".venv cannot be made: {error}.")
    return True


def requirements(*extras: str) -> list[str]:
    """Return the PEP 508 lines that setup.cfg has for the app and for these extras."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    texts = [parser["options"]["install_requires"]]
    texts += [parser["options.extras_require"][name] for name in extras]
    return [line for text in texts for line in text.split("\n") if line]


def stamp() -> list[str]:
    """Return whose the environment is, its Python, place and hash of packages; [] where it is unusable."""
    try:
        return STAMP.read_text(encoding="utf-8").split("\n") if PYTHON.exists() else []
    except OSError:
        return []


def owner() -> str:
    """Return "made" for what may be replaced, "joined" for somebody's own, only ever installed into."""
    if STAMP.exists():
        return "joined" if stamp()[:1] == ["joined"] else "made"
    if (VENV / "pyvenv.cfg").exists():
        return "joined" if PYTHON.exists() else "made"  # without its interpreter it is of use to nobody
    if VENV.exists() and any(VENV.iterdir()):
        sys.exit(f"{VENV} is not a virtual environment: move it away, then repeat.")
    return "made"


@contextmanager
def locked() -> Iterator[None]:
    """Hold off a second set-up: SQLite's lock works on every system and dies with its holder."""
    import sqlite3

    connection = sqlite3.connect(ROOT / ".venv.lock", timeout=900, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    except sqlite3.Error as error:
        sys.exit(f"Another set-up has been holding .venv.lock for too long: {error}.")
    finally:
        connection.close()


def build(needed: list[str], wanted: list[str]) -> None:
    """Make or repair the environment, install into it, and stamp it last."""
    print("Setting up .venv (only once, about half a minute) ...", file=sys.stderr, flush=True)
    began, whose = time.monotonic(), owner()
    if whose == "made" and stamp()[1:3] != wanted[:2]:
        discard()
        VENV.mkdir()
    STAMP.write_text(whose, encoding="utf-8")
    install(needed)
    STAMP.write_text("\n".join([whose, *wanted]), encoding="utf-8")
    print(f"Ready after {time.monotonic() - began:.0f} s.", file=sys.stderr, flush=True)


def discard() -> None:
    """Remove the environment; renamed first, so that a removal cut short leaves nothing that looks whole."""
    shutil.rmtree(STALE, ignore_errors=True)
    if VENV.exists():
        VENV.rename(STALE)
        shutil.rmtree(STALE)


def install(needed: list[str]) -> None:
    """Try each way this machine offers to make the environment and fill it. Exits when none works."""
    said = []
    for plan in plans(needed):
        for command in plan:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=os.environ | QUIET
            )
            said.append(done.stdout + done.stderr)
            if done.returncode:
                break
        else:
            return
    for pattern, sentence in FAILURES.items():
        if re.search(pattern, "".join(said)):
            sys.exit(sentence)
    sys.exit(f"{said[-1].strip()}\nThe set-up failed for the reason above.")


def plans(needed: list[str]) -> Iterator[list[list[str]]]:
    """Yield the ways to install: uv, venv and pip, and pip from outside for a Python without ensurepip."""
    # Shims on PATH may name another version than the one that runs: only absolute paths are passed.
    base, python, fresh = getattr(sys, "_base_executable", sys.executable), str(PYTHON), not PYTHON.exists()
    if uv := shutil.which("uv"):
        make_it = [uv, "venv", "--quiet", "--allow-existing", "--python", base, str(VENV)]
        fill = [uv, "pip", "install", "--quiet", "--python", python, *needed]
        yield [[uv, "--version"], *([make_it] * fresh), fill]
    pip = ["pip", "install", "--quiet", "--retries", "2", *needed]
    yield [*([[base, "-m", "venv", str(VENV)]] * fresh), [python, "-m", *pip]]
    pip[1:1] = ["--python", python]
    yield [*([[base, "-m", "venv", "--without-pip", str(VENV)]] * fresh), [base, "-m", *pip]]
