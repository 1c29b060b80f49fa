"""A site whose user model has a phone column of its own: one subclass with two methods is all it writes."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_site_with_its_own_user_model():
    """The cases run in a process of their own: a user model is chosen once a process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "--ds=tests.customuser.settings", "-n0", "-q",
            "tests/customuser/cases.py",
        ],
        cwd=ROOT, env=inherited, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "8 passed" in done.stdout
