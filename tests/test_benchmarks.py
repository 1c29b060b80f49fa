"""The benchmark runs, reports every figure, and counts no more than is allowed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.bars import Bar
from benchmarks.figures import SUMS

ROOT = Path(__file__).resolve().parent.parent
SMALLEST = ["--rounds", "1", "--starts", "1", "--database", "sqlite-wal"]


@pytest.mark.slow
def test_one_round_reports_every_figure_and_keeps_the_bars_that_no_machine_moves(tmp_path):
    command = [sys.executable, "-W", "error", "-m", "benchmarks", *SMALLEST, "--json", tmp_path / "report"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert (0, "") == (done.returncode, done.stderr)
    assert "## A login, sqlite-wal" in done.stdout
    report = json.loads((tmp_path / "report").read_text())
    logins = report["logins"]["sqlite-wal"]
    assert {"app", "bare", "app, loopback", "bare + 2 calls"} == set(logins)
    assert all(set(SUMS) == set(lines) for lines in logins.values())
    assert all(0 < line["cpu"] for lines in logins.values() for line in lines.values())
    assert all(report["start_up"][kind] > 0 for kind in ("app", "bare", "ratio"))
    app = logins["app"]
    assert 22 >= app["POST number"]["statements"] + app["POST code"]["statements"]
    assert 28 >= app["login + home"]["statements"]
    for name in ("app", "app, loopback", "bare + 2 calls"):
        assert [1, 1, 2] == [logins[name][line]["calls"] for line in ("POST number", "POST code", "login")]
    assert 0 == logins["bare"]["login"]["calls"]


def test_bars():
    assert Bar("statements", 20, 20).kept
    assert not Bar("statements", 20, 21).kept
    assert not Bar("one JWT", 1, 1, " ms", strict=True).kept
    assert "< 1 ms" == Bar("one JWT", 1, 0.3, " ms", strict=True).sign
    assert "≤ 2 x" == Bar("CPU", 2.0, 1.9, " x").sign
