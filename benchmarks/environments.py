"""The environments of the other packages: one each, made once, outside of the repository.

Versions are pinned. Django and requests are those of the project's own environment, so that only the package differs.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

PACKAGES = {
    "allauth": ("django-allauth==65.21.1",),
    "drf": ("drfpasswordless==1.5.9", "djangorestframework==3.18.3"),
    "uvicorn": ("uvicorn==0.54.0", "httptools==0.9.0", "uvloop==0.23.0"),
}
SHARED = ("Django", "requests")
DRIVERS = ("psycopg", "psycopg-binary")
LIMIT = 300  # seconds


class NotRunError(Exception):
    """Says in a few neutral words why something was left out."""


def python(name):
    """Return the interpreter of an environment, made now if there is none. Raises NotRunError."""
    if not name:
        return sys.executable
    wanted = requirements(name)
    place = folder() / f"{name}-{_stamp(wanted)}"
    if not (place / "ready").exists():
        _make(place, wanted)
        (place / "ready").touch()
    return str(place / "bin" / "python")


def packages(name):
    """Return where an environment keeps its packages, for the project's own interpreter. Raises NotRunError."""
    found = next(Path(python(name)).parent.parent.glob("lib/python*/site-packages"))
    return str(found)


def requirements(name):
    """Return what is installed there."""
    own = [f"{shared}=={version(shared)}" for shared in SHARED]
    return [*PACKAGES[name], *own, *_drivers()]


def folder():
    """Return where the environments are kept: the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "django-passwordless-vonage" / "benchmarks"


def variables():
    """Return the environment variables of what is started: all keep their bytecode, in the same place.

    A process that compiles its packages anew, as a shell may demand, would tell how large they are.
    """
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder() / "bytecode")}


def _drivers():
    try:
        return [f"{name}=={version(name)}" for name in DRIVERS]
    except ModuleNotFoundError:
        return []


def _stamp(wanted):
    told = "\n".join([*wanted, sys.version])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _make(place, wanted):
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    uv, interpreter = shutil.which("uv"), str(place / "bin" / "python")
    base = str(Path(sys.executable).resolve())
    if uv:
        _run([uv, "venv", "--quiet", "--python", base, str(place)])
        _run([uv, "pip", "install", "--quiet", "--python", interpreter, *wanted])
    else:
        _run([base, "-m", "venv", str(place)])
        _run([interpreter, "-m", "pip", "install", "--quiet", *wanted])


def _run(command):
    try:
        done = subprocess.run(command, stdout=sys.stderr, timeout=LIMIT)
    except (OSError, subprocess.TimeoutExpired):
        raise NotRunError("its environment could not be made in time") from None
    if done.returncode:
        raise NotRunError("it could not be installed beside this Django")
