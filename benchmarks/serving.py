"""The app behind real servers: how many logins two processes carry, and what a hanging provider does to others."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import quantiles

from . import environments, site, tokens
from .environments import NotRunError
from .lanes import ROOT, lane
from .servers import served
from .subjects import APP

DELAY = 0.3  # seconds that the provider takes
WARM = 3  # seconds before anything is counted
PEOPLE = 12_000
LOOKS = 40  # other pages a second


def measured(seconds, users, folder, *, peers=True, kind="sqlite-wal"):
    """Return the report; each load runs for so many seconds."""
    database = site.database(kind, folder, "serving")
    with lane(APP, database, {}) as one:
        one.ask("prepare", logins=PEOPLE)
        session = one.ask("session", index=PEOPLE - 1)
    run = Run(database, seconds, session)
    report = {
        "seconds": seconds, "users": users, "delay": DELAY, "busy": {}, "hanging": {}, "not run": {},
        "call": run.call(),
    }  # fmt: skip
    for name, commands in servers(peers).items():
        try:
            report["busy"][f"{name} busy"] = run.busy(commands("busy"), users)
            report["hanging"][name] = run.hanging(commands("hanging"), users)
        except NotRunError as reason:
            report["not run"][name] = str(reason)
    return report


def servers(peers):
    """Return how each server is started, by its name: a function of the kind of load."""
    threads = {"busy": 64, "hanging": 16}
    found = {"gunicorn": lambda load: (gunicorn(threads[load]), {})}
    if peers:
        found["uvicorn"] = lambda load: (uvicorn(), {"PYTHONPATH": environments.packages("uvicorn")})
    return found


def gunicorn(threads):
    """Return the words that start it; connections near the threads, or one worker takes them all.

    What there are more of them than threads is the number that are kept for the next request.
    """
    words = ["gunicorn", "benchmarks.serve:wsgi", "--workers", "2", "--threads", str(threads)]
    return [
        *words,
        "--worker-connections",
        str(threads + 32),
        "--log-level",
        "warning",
        "--bind",
        "127.0.0.1:{port}",
    ]


def uvicorn():
    """Return the words that start it."""
    words = [
        "uvicorn",
        "benchmarks.serve:asgi",
        "--workers",
        "2",
        "--no-access-log",
        "--log-level",
        "warning",
    ]
    return [*words, "--host", "127.0.0.1", "--port", "{port}"]


class Run:
    """One database, and people who have not logged in yet."""

    def __init__(self, database, seconds, session):
        self.database, self.seconds, self.session, self.first = database, seconds, session, 0
        self.key = tokens.key()

    def call(self):
        """Return the CPU milliseconds of one call in a process that does nothing else."""
        with served("slow") as wire:
            command = [sys.executable, "-m", f"{__package__}.serve"]
            environment = self._environment(wire, {})
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=60
            )
        return float(done.stdout)

    def busy(self, command, users):
        """Return what happens when so many log in at a time and the provider takes its time."""
        with served("slow", str(DELAY)) as wire, self._server(command, wire, MAX_CALLS=48) as server:
            told = self._load(server, users=users)
        calls = len(told["calling"])
        return {
            "logins_per_second": len(told["login"]) / self.seconds,
            "calls_per_second": calls / self.seconds,
            "refused": told["refused"] + told["lost"],
            "calling": _quantiles(told["calling"]),
            "login": _quantiles(told["login"]),
            "app_cpu": told["app_cpu"] * 1000 / max(calls, 1),
            "driver_cpu": told["driver_cpu"] * 1000 / max(calls, 1),
        }

    def hanging(self, command, users):
        """Return how others fare while the provider answers nobody, and how they fared before."""
        with served("slow", "inf") as wire, self._server(command, wire, MAX_CALLS=8) as server:
            quiet = self._load(server, users=0, look=LOOKS)
            told = self._load(server, users=users, look=LOOKS)
        return {
            "quiet": _quantiles(quiet["other"]),
            "other": _quantiles(told["other"]),
            "asked": told["asked"],
            "refused": told["refused"],
            "lost": told["lost"],
        }

    def _load(self, server, users, look=0):
        told = {
            "port": server.port, "users": users, "look": look, "warm": WARM, "seconds": self.seconds,
            "first": self.first, "session": self.session,
        }  # fmt: skip
        command = [sys.executable, "-m", f"{__package__}.load", json.dumps(told)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            began = server.cpu()
            process.stdout.readline()
            spent = server.cpu() - began
            found = json.loads(process.stdout.read())
        self.first = found["next"]
        return {**found, "app_cpu": spent}

    @contextmanager
    def _server(self, started, wire, **settings):
        words, environment = started
        with ExitStack() as stack:
            port = _free_port()
            command = [sys.executable, "-m", *(word.format(port=port) for word in words)]
            process = stack.enter_context(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env={**self._environment(wire, settings), **environment},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            stack.callback(process.send_signal, signal.SIGTERM)
            server = Server(process, port)
            server.wait()
            yield server

    def _environment(self, wire, settings):
        identity = {"APPLICATION_ID": "00000000-0000-4000-8000-000000000000", "PRIVATE_KEY": self.key}
        told = {"database": self.database, "wire": wire, "settings": {**identity, **settings}}
        return {**environments.variables(), "BENCHMARK_SITE": json.dumps(told)}


class Server:
    """A server that was started, and the processes that it started."""

    def __init__(self, process, port):
        self._process, self.port = process, port

    def wait(self, limit=30):
        """Return when it answers. Raises NotRunError."""
        until = time.monotonic() + limit
        while self._process.poll() is None and time.monotonic() < until:
            if self._answers():
                return
            time.sleep(0.1)
        raise NotRunError("the server did not start")

    def _answers(self):
        door = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            door.request("GET", "/login/", headers={"Host": "site.example"})
            return door.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            door.close()

    def cpu(self):
        """Return the seconds of CPU that it and its workers have taken."""
        return sum(_cpu(pid) for pid in _family(self._process.pid))


def _family(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = children.read_text().split() if children.exists() else []
    return [pid, *(one for child in found for one in _family(int(child)))]


def _cpu(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        raise NotRunError("the CPU of its processes is not to be had here") from None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _quantiles(times):
    """Return p50 and p99 in milliseconds; without a measurement, infinity."""
    if len(times) < 2:
        return {"p50": float("inf"), "p99": float("inf")}
    cuts = quantiles(times, n=100)
    return {"p50": cuts[49], "p99": cuts[98]}
