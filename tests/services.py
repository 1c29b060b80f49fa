"""Throw-away PostgreSQL and Redis on loopback, started when asked for, shared by all processes of a run.

The first process of a run owns the folder they live in and tells its children of it by the environment.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

HOME = "PASSWORDLESS_TEST_HOME"
START_DEADLINE = 60.0  # seconds; a loaded machine takes 10


class ServiceError(Exception):
    """A server that is installed does not start."""


def home() -> Path:
    """Return the folder of this run, made by the first process that asks and removed when that one ends."""
    if HOME not in os.environ:
        made = tempfile.mkdtemp(prefix="passwordless-tests-")
        Path(made).chmod(0o711)  # the servers run as somebody else, in folders of their own inside
        os.environ[HOME] = made
        atexit.register(remove, Path(made), os.getpid())
    return Path(os.environ[HOME])


def remove(folder: Path, owner: int) -> None:
    if os.getpid() != owner:  # a forked child leaves through the same door
        return
    for record in folder.glob("*.json"):
        stop(json.loads(record.read_text())["pid"])
    shutil.rmtree(folder, ignore_errors=True)


def stop(pid: int) -> None:
    """Stop one server of ours: both end at once and cleanly on SIGINT, and neither outlives 10 seconds."""
    for number, patience in ((signal.SIGINT, 10.0), (signal.SIGKILL, 2.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            if gone(pid, patience):
                return


def gone(pid: int, patience: float) -> bool:
    """Tell whether a process ends within `patience` seconds, be it a child of ours or of a worker."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def program(name: str) -> str | None:
    """Return the path of a server's program, on PATH or where Debian keeps PostgreSQL's."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return shutil.which(name) or (str(debian[-1]) if debian else None)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def servant() -> dict[str, str]:
    """Return who runs the servers: PostgreSQL refuses root, so root hands over to postgres or nobody."""
    if os.geteuid() != 0:
        return {}
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return {"user": "postgres" if "postgres" in names else "nobody"}


def folder_of(service: str) -> Path:
    folder = home() / service
    folder.mkdir(mode=0o700)
    if who := servant():
        shutil.chown(folder, **who)
    return folder


def launch(service: str, command: list[str], port: int, ready: Callable[[], bool]) -> dict[str, int]:
    """Start a server detached from the worker that happened to need it, and wait until it answers."""
    log = home() / f"{service}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
            **servant(),
        )
    deadline = time.monotonic() + START_DEADLINE
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process.pid)
            raise ServiceError(f"{service} does not start:\n{log.read_text()}")
        time.sleep(0.05)
    process.returncode = 0  # it is the owner's to stop, and outlives this object without a warning
    return {"pid": process.pid, "port": port}


def start_postgresql() -> dict[str, int]:
    folder, port = folder_of("postgresql"), free_port()
    data = folder / "data"
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
    initdb = [program("initdb"), "-D", data, *options]
    done = subprocess.run(initdb, capture_output=True, text=True, cwd="/", **servant())
    if done.returncode:
        raise ServiceError(f"initdb fails:\n{done.stdout}{done.stderr}")
    swift = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"]
    options = [word for option in [*swift, "listen_addresses=127.0.0.1"] for word in ("-c", option)]
    command = [program("postgres"), "-D", str(data), "-p", str(port), "-k", str(folder), *options]
    return launch("postgresql", command, port, lambda: postmaster_ready(data / "postmaster.pid"))


def postmaster_ready(path: Path) -> bool:
    try:
        return path.read_text().split("\n")[7].strip() == "ready"
    except (FileNotFoundError, IndexError):
        return False


def start_redis() -> dict[str, int]:
    folder, port = folder_of("redis"), free_port()
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
    command = [program("redis-server"), *(str(word) for k, v in options.items() for word in (f"--{k}", v))]
    return launch("redis", command, port, lambda: answers_ping(port))


def answers_ping(port: int) -> bool:
    try:
        with closing(socket.create_connection(("127.0.0.1", port), timeout=1)) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


STARTERS = {"postgresql": start_postgresql, "redis": start_redis}


@functools.cache
def port_of(service: str) -> int:
    """Return the loopback port of this run's server, started now if no process of the run has done so."""
    record = home() / f"{service}.json"
    with (home() / f"{service}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            record.write_text(json.dumps(STARTERS[service]()))
    return int(json.loads(record.read_text())["port"])


def postgresql() -> dict[str, object]:
    """Return the entry for DATABASES."""
    place = {"HOST": "127.0.0.1", "PORT": port_of("postgresql"), "USER": "postgres", "NAME": "postgres"}
    return {"ENGINE": "django.db.backends.postgresql", **place, "TEST": {"NAME": "test_passwordless"}}


def redis_url() -> str:
    return f"redis://127.0.0.1:{port_of('redis')}/0"


def chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


def missing() -> dict[str, str]:
    """Return what this machine lacks, by marker, and why, in a form that tells what to install."""
    lacks = {
        "postgresql": "initdb and postgres (Debian: postgresql)" if not program("initdb") else "",
        "redis": "redis-server (Debian: redis-server)" if not program("redis-server") else "",
        "browser": "Chromium (Debian: chromium)" if not chromium() else "",
        "gettext": "xgettext (Debian: gettext)" if not shutil.which("xgettext") else "",
    }
    if not importlib.util.find_spec("playwright"):
        lacks["browser"] = "the extra `browser` (playwright)"
    return {marker: what for marker, what in lacks.items() if what}
