"""A process in which one subject logs in, by its own packages and its own database: what lanes.py starts.

It reads one order a line, as JSON, and answers each with one line.
"""

import gc
import json
import os
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from time import process_time

from . import memory, people, site

# The collector passes at a certain number of objects. Who starts with others meets it elsewhere, so that no subject
# is told by a pass that happens to fall into its set-up or just behind it.
BALLAST = [[] for _ in range(int(os.environ.get("BENCHMARK_BALLAST", "0")))]
BEGAN = process_time()
NAMES = {"app": "", "bare": "", "allauth": "django-allauth", "drf": "drfpasswordless"}


class Lane:
    """One subject as it was told on the command line: its way, whom it calls, and its database."""

    def __init__(self, told):
        self.name, self.wire = told["way"], told["wire"]
        self.way = site.way(self.name)
        site.configure({"default": told["database"]}, name=self.name, wire=self.wire)
        from django.conf import settings
        from django.core.handlers.wsgi import WSGIHandler

        import_module(settings.ROOT_URLCONF)
        self.site = WSGIHandler()
        self.set_up = (process_time() - BEGAN) * 1000

    def prepare(self, logins, rows=0):
        """Make the tables, whoever will log in, and what years have left behind; watch the wire."""
        from . import wire

        people.tables()
        self.way.people(people.number(index) for index in range(logins))
        self.way.stored(rows)
        wire.watch(emulated=self.name == "app")
        gc.collect()
        gc.disable()

    def start(self):
        """Open the first page; return the CPU milliseconds of the set-up and of both."""
        self.way.first(self._browser(0))
        return {"set_up": self.set_up, "first_page": (process_time() - BEGAN) * 1000}

    def log_in(self, first, times=1):
        """Let so many people log in, each for the first time; return what each step took."""
        from .stopwatch import Stopwatch

        watches = [self._walk(first + index, Stopwatch()) for index in range(times)]
        self.way.forget()
        gc.collect()
        return [{"cpu": watch.cpu, "emulator": watch.emulator} for watch in watches]

    def count(self, index):
        """Return the statements and the calls of one login, step by step."""
        from .statements import Tally

        tally = self._walk(index, Tally())
        return {"statements": tally.statements, "calls": tally.calls}

    def sample(self, first, times):
        """Return where the CPU of that many logins went."""
        from .profiles import Sampler

        with Sampler() as sampler:
            for index in range(times):
                self._walk(first + index, sampler)
                gc.collect()
        return sampler.told()

    def session(self, index):
        """Return the key of a session in which somebody is logged in already."""
        from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
        from django.contrib.sessions.backends.db import SessionStore

        from .models import Member

        user, store = Member.objects.get(phone=people.number(index)), SessionStore()
        store[SESSION_KEY], store[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
        store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        store.create()
        return store.session_key

    def facts(self):
        """Return the peak of memory in megabytes, which release of the package this is, and of the database."""
        from django.db import connection

        database = ".".join(map(str, connection.get_database_version()))
        return {"memory": memory.peak(), "version": _version(NAMES[self.name]), "database": database}

    def _walk(self, index, around):
        self.way.log_in(self._browser(index, around), people.number(index), self.wire)
        return around

    def _browser(self, index, *around):
        from .browser import Browser

        return Browser(self.site, people.address(index), *around)


def _version(package):
    try:
        return version(package) if package else ""
    except PackageNotFoundError:
        return ""


def main():
    """Do what is ordered until nobody orders any more."""
    lane = Lane(json.loads(sys.argv[1]))
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(getattr(lane, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    main()
