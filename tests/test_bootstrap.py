"""The two commands on a machine with nothing installed: real processes in checkouts of their own, no network.

A wheel made by hand stands for Django and pytest, and `uv`, where it is there, is a script that unpacks it.
"""

from __future__ import annotations

import ast
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BASE = os.path.realpath(sys._base_executable)  # no environment, as on a fresh machine

SETUP_CFG = "[options]\ninstall_requires =\n    stand-in>=1\n[options.extras_require]\ntest =\nexample =\n"
TELL = "import json, sys; print(json.dumps([sys.prefix, *{}]))\n"
WHEEL = {
    "pytest.py": TELL.format("sys.argv[1:]"),
    "django/__init__.py": "",
    "django/core/__init__.py": "",
    "django/core/management.py": f"def execute_from_command_line(argv):\n    {TELL.format('argv[1:]')}",
    "stand_in-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: stand-in\nVersion: 1.0\n",
    "stand_in-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "stand_in-1.0.dist-info/RECORD": "",
}
FAKE_UV = """
import glob, os, subprocess, sys, time, zipfile
log, wheel, mood = os.environ["UV_LOG"], os.environ["UV_WHEEL"], os.environ.get("UV_MOOD")
verb = sys.argv[1]
with open(log, "a") as file:
    print(*sys.argv[1:], file=file)
if verb == "pip" and mood == "hang":
    time.sleep(60)
if verb == "pip" and mood == "offline":
    sys.exit("error: Failed to fetch: dns error: failed to lookup address")
if verb == "venv":
    python = sys.argv[sys.argv.index("--python") + 1]
    subprocess.run([python, "-m", "venv", "--without-pip", sys.argv[-1]], check=True)
if verb == "pip":
    python = sys.argv[sys.argv.index("--python") + 1]
    place, = glob.glob(os.path.join(os.path.dirname(python), "..", "lib", "python*", "site-packages"))
    zipfile.ZipFile(wheel).extractall(place)
"""


class Checkout:
    """The files of the project that the two commands start from, in a folder with a blank in its name."""

    def __init__(self, folder):
        self.root, self.bin, self.log = folder / "a checkout", folder / "bin", folder / "uv.log"
        self.wheels = folder / "wheels"
        for made in (self.root, self.bin, self.wheels):
            made.mkdir()
        for name in ("manage.py", "bootstrap.py"):
            shutil.copy(ROOT / name, self.root)
        (self.root / "setup.cfg").write_text(SETUP_CFG)
        self.wheel = self.wheels / "stand_in-1.0-py3-none-any.whl"
        with zipfile.ZipFile(self.wheel, "w") as archive:
            for name, text in WHEEL.items():
                archive.writestr(name, text)

    def install_uv(self):
        script = self.bin / "uv.py"
        script.write_text(FAKE_UV)
        (self.bin / "uv").write_text(f'#!/bin/sh\nexec "{BASE}" "{script}" "$@"\n')
        (self.bin / "uv").chmod(0o755)

    @property
    def venv(self):
        return self.root / ".venv"

    @property
    def stamp(self):
        return self.venv / "passwordless.stamp"

    def environment(self, **extra):
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        uv = {"UV_LOG": str(self.log), "UV_WHEEL": str(self.wheel)}
        return {"PATH": str(self.bin), "HOME": str(self.bin)} | pip | uv | extra

    def start(self, *arguments, python=BASE, cwd="/", user=None, **extra):
        return subprocess.Popen(
            [python, str(self.root / "manage.py"), *arguments],
            cwd=cwd,
            user=user,
            env=self.environment(**extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, **options):
        """Run manage.py to its end; return its exit code, standard output and standard error."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def told(self, *arguments, **options):
        """Run manage.py, which must succeed; return where it ran and with which arguments."""
        code, out, err = self.run(*arguments, **options)
        assert 0 == code, err
        return ast.literal_eval(out)

    def asked_of_uv(self):
        """Return the verbs that uv heard since the last time."""
        words = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.split()[0] for line in words]


@pytest.fixture
def bare(tmp_path):
    """A checkout on a machine without uv."""
    return Checkout(tmp_path)


@pytest.fixture
def checkout(bare):
    bare.install_uv()
    return bare


@pytest.fixture
def ready(checkout):
    checkout.told("test")
    checkout.asked_of_uv()
    return checkout


# The two commands


def test_test_runs_pytest_with_what_follows_on_the_line(checkout):
    line = ["-k", "one or two", "-x", "--require-services", "-h"]
    assert [str(checkout.venv), *line] == checkout.told("test", *line)
    assert ["--version", "venv", "pip"] == checkout.asked_of_uv()


def test_demo_runs_manage_py_inside_the_environment(checkout):
    assert [str(checkout.venv), "demo", "--port", "8001"] == checkout.told("demo", "--port", "8001")


def test_setting_up_takes_one_friendly_line(checkout):
    _, _, err = checkout.run("test")
    first, second = err.splitlines()
    assert "Setting up .venv" in first
    assert second.startswith("Ready after ")


def test_a_ready_environment_asks_no_installer_and_says_nothing(ready):
    code, _, err = ready.run("test")
    assert (0, "") == (code, err)
    assert [] == ready.asked_of_uv()


def test_the_environments_own_python_goes_straight_on(ready):
    assert [str(ready.venv), "demo"] == ready.told("demo", python=str(ready.venv / "bin/python"))
    assert [] == ready.asked_of_uv()


def test_an_active_environment_of_another_project_is_left_alone(checkout, tmp_path):
    other = tmp_path / "other"
    subprocess.run([BASE, "-m", "venv", "--without-pip", other], check=True)
    before = sorted(other.rglob("*"))
    ran = checkout.told("test", python=str(other / "bin/python"), VIRTUAL_ENV=str(other))
    assert [str(checkout.venv)] == ran
    assert before == sorted(other.rglob("*"))


# Everything else is Django's


def test_other_commands_make_no_environment(checkout):
    code, _, err = checkout.run("migrate")
    assert 1 == code
    assert "No module named 'django'" in err
    assert not checkout.venv.exists()


def test_other_commands_use_a_ready_environment_where_django_is_lacking(ready):
    assert [str(ready.venv), "migrate", "--plan"] == ready.told("migrate", "--plan")


# Repairs


def test_changed_requirements_are_installed_over(ready):
    kept = ready.venv / "kept"
    kept.touch()
    (ready.root / "setup.cfg").write_text(SETUP_CFG.replace("stand-in>=1", "stand-in>=0.9"))
    ready.told("test")
    assert ["--version", "pip"] == ready.asked_of_uv()
    assert kept.exists()


def test_a_moved_checkout_is_set_up_anew(ready):
    ready.root = ready.root.rename(ready.root.with_name("moved"))
    assert [str(ready.venv)] == ready.told("test")
    assert ["--version", "venv", "pip"] == ready.asked_of_uv()


def test_another_python_gets_an_environment_of_its_own(ready):
    lines = ready.stamp.read_text().split("\n")
    ready.stamp.write_text("\n".join([lines[0], "cpython-399", *lines[2:]]))
    ready.told("test")
    assert ["--version", "venv", "pip"] == ready.asked_of_uv()


def test_an_interrupted_set_up_is_repaired(checkout):
    process = checkout.start("test", UV_MOOD="hang")
    deadline = time.monotonic() + 30
    while not (checkout.log.exists() and "pip" in checkout.log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert 1 == process.returncode
    assert "Interrupted; the next run repairs .venv." == err.splitlines()[-1]
    checkout.asked_of_uv()
    checkout.told("test")
    assert ["--version", "venv", "pip"] == checkout.asked_of_uv()


def test_an_environment_whose_python_is_gone_is_made_anew(ready):
    ready.stamp.unlink()
    for link in (ready.venv / "bin").glob("python*"):
        link.unlink()
    ready.told("test")
    assert ["--version", "venv", "pip"] == ready.asked_of_uv()


def test_an_environment_of_somebody_else_is_installed_into_and_kept(checkout):
    subprocess.run([BASE, "-m", "venv", "--without-pip", checkout.venv], check=True)
    (checkout.venv / "theirs").touch()
    assert [str(checkout.venv)] == checkout.told("test")
    assert ["--version", "pip"] == checkout.asked_of_uv()
    (checkout.root / "setup.cfg").write_text(SETUP_CFG.replace("stand-in>=1", "stand-in>=0.9"))
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    checkout.told("test")
    assert ["--version", "pip"] == checkout.asked_of_uv()
    assert (checkout.venv / "theirs").exists()


def test_a_folder_that_is_no_environment_is_never_touched(checkout):
    checkout.venv.mkdir()
    (checkout.venv / "diary").write_text("mine")
    code, _, err = checkout.run("test")
    assert 1 == code
    assert f"{checkout.venv} is not a virtual environment: move it away, then repeat.\n" == err
    assert "mine" == (checkout.venv / "diary").read_text()


def test_two_at_once_set_up_once(checkout):
    both = [checkout.start("test") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [0, 0] == [process.returncode for process in both], outputs
    assert ["--version", "venv", "pip"] == checkout.asked_of_uv()


# Without uv, and where nothing works


@pytest.mark.slow
def test_without_uv_the_interpreters_own_venv_and_pip_do(bare):
    assert [str(bare.venv)] == bare.told("test")


@pytest.mark.slow
def test_a_shim_of_uv_with_nothing_behind_it_counts_as_none(bare):
    (bare.bin / "uv").write_text("#!/bin/sh\necho uv: command not found >&2\nexit 127\n")
    (bare.bin / "uv").chmod(0o755)
    assert [str(bare.venv)] == bare.told("test")


@pytest.fixture
def lacking(tmp_path):
    """Make modules of the standard library, or pip, as absent as Debian's packages leave them."""

    def lack(*modules):
        folder = tmp_path / "lacking"
        folder.mkdir()
        for name in modules:
            (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{name}'\")\n")
        return {"PYTHONPATH": str(folder)}

    return lack


@pytest.mark.slow
def test_without_ensurepip_a_pip_outside_fills_the_environment(bare, lacking):
    if subprocess.run([BASE, "-m", "pip", "--version"], capture_output=True).returncode:
        pytest.skip("this interpreter has no pip outside of environments")
    assert [str(bare.venv)] == bare.told("test", **lacking("ensurepip"))


@pytest.mark.slow
@pytest.mark.slow
def test_without_ensurepip_and_pip_one_sentence_says_what_to_install(bare, lacking):
    code, _, err = bare.run("test", **lacking("ensurepip", "pip"))
    assert 1 == code
    assert (
        "This Python cannot make environments: install uv, or apt install python3-venv, then repeat."
        == err.splitlines()[-1]
    )
    assert 2 == len(err.splitlines())


@pytest.mark.slow
def test_an_unreachable_registry_is_one_sentence(checkout):
    checkout.wheel.unlink()
    code, _, err = checkout.run("test", UV_MOOD="offline")
    assert 1 == code
    assert "The package registry cannot be reached" in err.splitlines()[-1]
    assert 2 == len(err.splitlines())


@pytest.mark.slow
def test_any_other_failure_shows_what_the_installer_said(bare):
    bare.wheel.unlink()
    code, _, err = bare.run("test")
    assert 1 == code
    assert "stand-in" in err
    assert "The set-up failed for the reason above." == err.splitlines()[-1]


@pytest.fixture
def nobody():
    """Whom and which Python to run as, so that read-only means read-only: root may write everywhere."""
    if os.geteuid() != 0:
        return {}
    python = shutil.which("python3", path="/usr/bin:/bin")
    new_enough = "import sys; sys.exit(sys.version_info < (3, 11))"
    if not python or subprocess.run([python, "-c", new_enough]).returncode:
        pytest.skip("root writes everywhere, and there is no Python for nobody to run")
    return {"user": pwd.getpwnam("nobody").pw_uid, "python": python}


def test_a_read_only_checkout_is_one_sentence(nobody):
    with tempfile.TemporaryDirectory() as folder:
        checkout = Checkout(Path(folder))
        Path(folder).chmod(0o755)
        checkout.root.chmod(0o555)
        code, _, err = checkout.run("test", **nobody)
    assert 1 == code
    assert f"{checkout.root} is read-only: copy the project to a folder of your own, then repeat.\n" == err


def test_an_old_python_is_told_so_before_anything_newer_is_read(bare):
    (bare.root / "bootstrap.py").write_text("match this: not Python 3.6\n")
    pretend = (
        "import runpy, sys; sys.version_info = (3, 10, 4); runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    done = subprocess.run(
        [BASE, "-c", pretend, bare.root / "manage.py"], capture_output=True, text=True, timeout=30
    )
    assert 1 == done.returncode
    assert f"Python 3.11 or newer is needed; {BASE} is 3.10.\n" == done.stderr


def test_old_pythons_can_read_manage_py():
    tree = ast.parse((ROOT / "manage.py").read_text(), feature_version=(3, 7))
    newer = (ast.AnnAssign, ast.JoinedStr, ast.NamedExpr, ast.Match)
    assert [] == [node for node in ast.walk(tree) if isinstance(node, newer)]
    assert [] == [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
