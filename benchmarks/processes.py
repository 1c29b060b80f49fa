"""What only a fresh process can tell: the CPU of starting up, and the memory in use after one login."""

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from statistics import median
from time import process_time

from . import site

PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def start_up(pairs):
    """Return CPU milliseconds with the app and without, started in turns, and the median of the ratios."""
    _child("start", "app")
    _child("start", "bare")
    took = [(_child("start", "app"), _child("start", "bare")) for _ in range(pairs)]
    return {
        "app": median(one for one, _ in took),
        "bare": median(other for _, other in took),
        "ratio": median(one / other for one, other in took),
    }


def memory(folder):
    """Return peak megabytes of a process in which one person has logged in, with the app and without."""
    file = str(Path(folder) / "memory.sqlite3")
    _child("fill", file)
    return {name: _child("remember", name, file) for name in ("app", "bare")}


def _child(*words):
    command = [sys.executable, "-m", __name__, *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def _start(kind):
    """Do what a server does before its first request. Python's own start is not in the figure."""
    began = process_time()
    site.configure({}, with_app=kind == "app")
    from django.conf import settings

    import_module(settings.ROOT_URLCONF)
    return (process_time() - began) * 1000


def _fill(file):
    site.configure({"default": site.sqlite(file, site.WAL)})
    from .people import fill

    fill()
    return 0


def _remember(kind, file):
    site.configure({"default": site.sqlite(file, site.WAL)}, with_app=kind == "app")
    from django.core.handlers.wsgi import WSGIHandler

    from .browser import Browser
    from .people import NUMBERS
    from .subjects import in_process

    in_process()[kind].log_in(Browser(WSGIHandler()), NUMBERS[0])
    return peak()


def peak():
    """Return the peak of this process in megabytes, or None where the system does not tell."""
    status = Path("/proc/self/status")
    found = PEAK.search(status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else None


if __name__ == "__main__":
    print(json.dumps({"start": _start, "fill": _fill, "remember": _remember}[sys.argv[1]](*sys.argv[2:])))
