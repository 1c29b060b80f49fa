"""The servers that the tests start for themselves: they answer, are shared, and do not outlive the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import services

ROOT = Path(__file__).resolve().parent.parent


def run(code):
    """Run code in a process that owns a run of its own; return the words it printed."""
    environment = {name: value for name, value in os.environ.items() if name != services.HOME}
    command = [sys.executable, "-c", f"from tests import services\n{code}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert "" == done.stderr
    return done.stdout.split()


def listening(port):
    return services.answers_ping(int(port))


@pytest.mark.redis
def test_redis_answers_the_whole_run_and_ends_with_it():
    ask = "port = services.port_of('redis'); print(services.home(), port, services.answers_ping(port))"
    folder, port, answered = run(ask)
    assert "True" == answered
    assert not listening(port)
    assert not Path(folder).exists()


@pytest.mark.redis
def test_processes_of_a_run_share_one_server():
    # One write a child: print() may part the number from its newline, and the others' come between.
    child = "import os; from tests import services; os.write(1, b'%d\\n' % services.port_of('redis'))"
    ports = run(
        "import subprocess, sys\nservices.home()\n"
        f"started = [subprocess.Popen([sys.executable, '-c', {child!r}]) for _ in range(3)]\n"
        "[process.wait() for process in started]\n"
    )
    assert 3 == len(ports)
    assert 1 == len(set(ports))


@pytest.mark.redis
def test_redis_fixture_names_a_server_that_answers(redis_url):
    port = int(redis_url.removeprefix("redis://127.0.0.1:").removesuffix("/0"))
    assert services.answers_ping(port)


@pytest.mark.postgresql
def test_postgresql_answers_without_root_and_ends_with_the_run():
    folder, version, pid = run(
        "import json, psycopg\n"
        "place = services.postgresql()\n"
        "with psycopg.connect(host=place['HOST'], port=place['PORT'], user=place['USER']) as connection:\n"
        "    version = connection.info.server_version\n"
        "record = json.loads((services.home() / 'postgresql.json').read_text())\n"
        "print(services.home(), version, record['pid'])\n"
    )
    assert int(version) > 120000
    assert services.gone(int(pid), patience=5)
    assert not Path(folder).exists()


def test_a_server_that_cannot_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv(services.HOME, str(tmp_path))
    command = ["/bin/sh", "-c", "echo the reason; exit 1"]
    with pytest.raises(services.ServiceError, match="the reason"):
        services.launch("broken", command, port=0, ready=lambda: False)


def test_forked_children_do_not_tear_the_run_down(tmp_path):
    (tmp_path / "kept").touch()
    services.remove(tmp_path, owner=os.getpid() + 1)
    assert (tmp_path / "kept").exists()


def test_removal_survives_a_server_that_is_gone_already(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "redis.json").write_text(json.dumps({"pid": ended.pid, "port": 1}))
    services.remove(tmp_path, owner=os.getpid())
    assert not tmp_path.exists()


@pytest.fixture
def suite(tmp_path):
    """Run two tests under the project's own conftest, one of them for a browser that is not there."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\nMISSING['browser'] = 'a browser'\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser: needs one\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n@pytest.mark.browser\ndef test_page(): pass\n\ndef test_other(): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:django", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run_suite(*options):
        done = subprocess.run(
            [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        return done.returncode, done.stdout

    return run_suite


def test_a_missing_service_skips_and_is_said_loudly(suite):
    code, output = suite()
    assert 0 == code
    assert "1 passed, 1 skipped" in output
    assert "!! TESTS LEFT OUT !!" in output
    assert "1 left out for want of a browser" in output


def test_a_missing_service_fails_where_services_are_required(suite):
    code, output = suite("--require-services")
    assert 1 == code
    assert "1 passed, 1 error" in output
    assert "TESTS LEFT OUT" not in output
