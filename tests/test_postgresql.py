"""The races once more, on PostgreSQL, in a run of its own: a process has one database under test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.postgresql
@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("TEST_DATABASE") == "postgresql", reason="this whole run is on PostgreSQL")
def test_races_hold_on_postgresql():
    command = [sys.executable, "-m", "pytest", "-m", "races", "-n", "0", "-q", "--no-header"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment | {"TEST_DATABASE": "postgresql"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
