"""The benchmark runs, reports every figure, and counts no more than is allowed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from http.client import HTTPConnection
from math import inf
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit
from uuid import UUID
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as command
from benchmarks import environments, lanes, people, plot, subjects, tables
from benchmarks.bars import Bar, bars
from benchmarks.figures import SUMS, figures
from benchmarks.load import Visitor
from benchmarks.servers import served

ROOT = Path(__file__).resolve().parent.parent
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
STAYING = b"HTTP/1.1 302 Found\r\nSet-Cookie: a=1; Path=/\r\nContent-Length: 0\r\n\r\n"


def run(tmp_path, *words):
    """Run the command with warnings as errors and return (what it printed, its report)."""
    words = [sys.executable, "-W", "error", "-m", "benchmarks", *words, "--json", tmp_path / "report"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert 0 == done.returncode, done.stderr
    return done.stdout, json.loads((tmp_path / "report").read_text())


# Whole runs, as small as they can be.


@pytest.mark.slow
def test_logins_report_every_figure_and_keep_the_bars_that_no_machine_moves(tmp_path):
    svg = tmp_path / "plot.svg"
    printed, report = run(tmp_path, "--without-peers", "--rounds", "2", "--starts", "1", "--svg", svg)
    assert "## A login, sqlite-wal" in printed
    told = report["login"]["logins"]["sqlite-wal"]
    assert ({}, {"app", "bare", "app, loopback", "bare + 2 calls"}) == (
        told["not run"],
        set(told["subjects"]),
    )
    assert all(set(SUMS) == set(lines) for lines in told["subjects"].values())
    assert all(0 < line["cpu"] for lines in told["subjects"].values() for line in lines.values())
    app = told["subjects"]["app"]
    assert 16 >= app["POST number"]["statements"] + app["POST code"]["statements"]
    assert 20 >= app["login + home"]["statements"]
    calls = {name: [lines[line]["calls"] for line in SUMS] for name, lines in told["subjects"].items()}
    assert [0, 1, 0, 1, 2, 0, 2] == calls["app"] == calls["app, loopback"] == calls["bare + 2 calls"]
    assert {0} == set(calls["bare"])
    process = report["login"]["process"]
    assert {"app", "bare"} == set(process)
    assert all(0 < told["value"] for figures in process.values() for told in figures.values())
    ElementTree.parse(svg)  # noqa: S314 - written by ourselves


@pytest.mark.slow
def test_growth_logs_in_beside_rows_and_says_the_same_statements(tmp_path):
    _, report = run(tmp_path, "growth", "--without-peers", "--rounds", "2", "--rows", "0,300")
    sizes = report["growth"]["subjects"]["app"]
    assert {"0", "300"} == set(sizes)
    assert sizes["0"]["statements"] == sizes["300"]["statements"] > 0


@pytest.mark.slow
def test_serving_counts_logins_and_watches_others_while_the_provider_hangs(tmp_path):
    _, report = run(tmp_path, "serving", "--without-peers", "--seconds", "5", "--users", "4")
    busy = report["serving"]["busy"]["gunicorn busy"]
    assert 0 < busy["calls_per_second"]
    assert 300 <= busy["calling"]["p50"]
    assert 0 < busy["app_cpu"]
    hanging = report["serving"]["hanging"]["gunicorn"]
    assert inf > hanging["other"]["p99"] > 0
    assert 0 < report["serving"]["call"]


@pytest.mark.slow
def test_other_packages_run_or_it_is_said_why_not(tmp_path):
    printed, report = run(tmp_path, "--rounds", "1", "--starts", "1")
    told = report["login"]["logins"]["sqlite-wal"]
    assert {one.name for one in subjects.PEERS} == {one.name for one in subjects.PEERS} & (
        set(told["subjects"]) | set(told["not run"])
    )
    assert all(f"{name}: not run, {reason}." in printed for name, reason in told["not run"].items())
    for name in set(told["subjects"]) - {one.name for one in subjects.OWN}:
        assert 0 < told["subjects"][name]["login"]["statements"]
        assert int(name.endswith("call")) == told["subjects"][name]["login"]["calls"]


# What was asked for.


def test_the_command_measures_logins_unless_told_otherwise():
    assert "login" == command.arguments([]).part
    assert "all" == command.arguments(["all"]).part
    assert [0, 1000, 20000] == command.arguments(["--rows", "0,1_000,20000"]).rows


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--rows", "many"], ["everything"]])
def test_the_command_refuses_what_cannot_be_measured(words, capsys):
    with pytest.raises(SystemExit):
        command.arguments(words)
    assert "usage" in capsys.readouterr().err


def test_everybody_who_logs_in_has_a_number_and_an_address_of_their_own():
    assert 5000 == len({people.number(index) for index in range(5000)})
    assert 5000 == len({people.address(index) for index in range(5000)})
    assert len({people.number(index)[:-3] for index in range(100)}) > 90


# Figures.


def login(scale, **steps):
    return {
        "cpu": {step: scale * cost for step, cost in steps.items()},
        "emulator": dict.fromkeys(steps, scale),
    }


def test_ratios_pair_what_ran_in_the_same_turn():
    steps = {"GET number": 2.0, "POST number": 4.0, "GET home": 1.0}
    # The medians of each alone would tell 3: the machine was slow for some logins and not for others.
    mine, theirs = ([login(scale, **steps) for scale in scales] for scales in ((2, 12, 9), (1, 10, 3)))
    counted = {"statements": {"POST number": ["SELECT 1"]}, "calls": {"POST number": 1}}
    found = figures(mine, counted, theirs)
    assert (2, 54, 1, 1) == tuple(found["login"][key] for key in ("ratio", "cpu", "statements", "calls"))
    assert 54 - 18 == found["login"]["cpu_without_emulator"]
    assert "GET code" not in found
    assert (0, 0) == (found["GET home"]["statements"], found["GET home"]["calls"])


def test_lanes_take_turns_and_everybody_goes_first_once():
    order = []

    class Fake:
        def __init__(self, name):
            self.name = name

        def ask(self, do, first, times):
            order.append((self.name, first, times))
            return [self.name] * times

    taken = lanes.take_turns({"a": Fake("a"), "b": Fake("b")}, 6, first=10)
    assert [("a", 10, 4), ("b", 10, 4), ("b", 14, 2), ("a", 14, 2)] == order
    assert {"a": ["a"] * 6, "b": ["b"] * 6} == taken


def test_a_lane_that_ends_is_left_out_in_neutral_words(tmp_path):
    """Neither a place of this machine nor the words of the error are repeated."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "none" / "db.sqlite3")}
    with lanes.lane(subjects.BARE, database, {}) as one, pytest.raises(environments.NotRunError) as refusal:
        one.ask("prepare", logins=1)
    assert "it ended with django.db.utils.OperationalError" == str(refusal.value)


def test_a_package_that_cannot_be_installed_is_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(environments.PACKAGES, "none", (str(tmp_path / "none.whl"),))
    monkeypatch.setattr(environments, "SHARED", ())
    monkeypatch.setattr(environments, "DRIVERS", ())
    with pytest.raises(environments.NotRunError, match=r"\Ait could not be installed beside this Django\Z"):
        environments.python("none")
    assert [] == list(tmp_path.rglob("ready"))


def test_versions_of_other_packages_are_pinned_and_django_is_ours():
    for name in environments.PACKAGES:
        wanted = environments.requirements(name)
        assert all("==" in one for one in wanted)
        assert any(one.startswith("Django==") for one in wanted)
    assert sys.executable == environments.python("")


def test_everybody_keeps_bytecode_whatever_the_shell_says(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    started = environments.variables()
    assert "PYTHONDONTWRITEBYTECODE" not in started
    assert started["PYTHONPYCACHEPREFIX"].startswith(str(tmp_path))


# Bars.


def test_bars():
    assert Bar("statements", 20, 20).kept
    assert not Bar("statements", 20, 21).kept
    assert not Bar("one JWT", 1, 1, " ms", strict=True).kept
    assert "< 1 ms" == Bar("one JWT", 1, 0.3, " ms", strict=True).sign
    assert "≤ 2 x" == Bar("CPU", 2.0, 1.9, " x").sign
    assert Bar("calls a second", 150, 150, least=True).kept
    assert not Bar("calls a second", 150, 149, least=True).kept
    assert "≥ 150" == Bar("calls a second", 150, 1, least=True).sign


def lines(ratio):
    line = {"statements": 3, "calls": 1, "cpu": 5.0, "cpu_without_emulator": 4.0}
    return {name: {**line, "ratio": ratio, "ratio_without_emulator": ratio} for name in SUMS}


def report():
    process = {"value": 100.0, "ratio": 1.1}
    of_process = {"set_up": process, "first_page": process, "memory": process}
    told = {
        "database": "3.40",
        "versions": {"app": "", "bare": "", "allauth": "1.2.3"},
        "not run": {"drfpasswordless": "it ended with ImportError"},
        "subjects": {"app": lines(1.5), "bare": lines(1.0), "allauth": lines(3.0)},
        "between": {"app / allauth": 0.5},
    }
    quantiles = {"p50": 310.0, "p99": inf}
    return {
        "date": "2026-11-23", "machine": "2 cores", "versions": {"Python": "3.11 <&>"},
        "login": {"logins": {"sqlite-wal": told}, "process": {"app": of_process, "bare": of_process}, "token": 0.3},
        "growth": {
            "database": "sqlite-wal", "rows": [0, 1000], "not run": {"allauth": "it ended with KeyError"},
            "subjects": {"app": {
                "0": {"statements": 26, "cpu": 15.0, "ratio": 1.0},
                "1000": {"statements": 27, "cpu": 16.0, "ratio": 1.3},
            }},
        },
        "serving": {
            "seconds": 5, "users": 4, "delay": 0.3, "call": 1.2, "not run": {"uvicorn": "it has no workers"},
            "busy": {"gunicorn busy": {
                "logins_per_second": 80.0, "calls_per_second": 160.0, "refused": 0, "calling": quantiles,
                "login": quantiles, "app_cpu": 5.0, "driver_cpu": 0.5,
            }},
            "hanging": {"gunicorn": {
                "quiet": quantiles, "other": {"p50": 5.0, "p99": 50.0}, "asked": 9, "refused": 8, "lost": 0,
            }},
        },
    }  # fmt: skip


def test_each_part_has_its_bars():
    kept = {bar.name: bar.kept for bar in bars(report())}
    assert kept["sqlite-wal: CPU of the login / allauth"]
    assert not kept["CPU of a login on 1,000 attempts / on 0"]
    assert not kept["statements more than at first"]
    assert kept["gunicorn busy: provider calls a second"]
    assert not kept["gunicorn busy: p99 of a page that calls"]
    assert kept["gunicorn, provider hangs: p99 of other pages"]
    assert [] == bars({})


def test_the_table_tells_all_and_who_did_not_run():
    told = tables.markdown(report())
    assert "2026-11-23, Python 3.11 <&>, 2 cores." in told
    assert "## A login, sqlite-wal 3.40" in told
    assert "| allauth (1.2.3) | 3.00 |" in told
    assert "drfpasswordless: not run, it ended with ImportError." in told
    assert "allauth: not run, it ended with KeyError." in told
    assert "uvicorn: not run, it has no workers." in told
    assert "| app | 15.00 ms, 1.00 x, 26 statements | 16.00 ms, 1.30 x, 27 statements |" in told
    assert "| gunicorn busy | 80 | 160 | 0 | 310 / inf | 310 / inf | 5.00 | 0.50 |" in told


def test_the_plot_is_xml_and_its_bars_are_as_long_as_the_figures():
    drawn = ElementTree.fromstring(plot.drawn(report()))  # noqa: S314 - written by ourselves
    space = "{http://www.w3.org/2000/svg}"
    said = [one.text for one in drawn.iter(f"{space}text")]
    assert "2026-11-23, Python 3.11 <&>, 2 cores" == said[0]
    assert "1.50 x" in said
    widths = [float(one.get("width")) for one in drawn.iter(f"{space}rect") if one.get("class") != "ground"]
    assert [200.0, 133.3, 400.0] == widths[:3]
    assert {"ours", "other", "ground"} == {one.get("class") for one in drawn.iter(f"{space}rect")}


# Servers and visitors.


def test_the_slow_provider_takes_its_time_and_any_code():
    with served("slow", "0.2") as address:
        door = HTTPConnection(urlsplit(address).netloc, timeout=10)
        began = monotonic()
        request_id = post(door, "/v2/verify", 202)["request_id"]
        assert monotonic() - began >= 0.2
        assert UUID(request_id)
        told = post(door, f"/v2/verify/{request_id}", 200)
        assert {"request_id": request_id, "status": "completed"} == told
        door.close()


def post(door, path, status):
    door.request("POST", path, body=b"{}", headers={"Content-Type": "application/json"})
    answer = door.getresponse()
    assert status == answer.status
    return json.loads(answer.read())


def test_a_visitor_keeps_the_cookies_and_comes_back_where_the_server_hung_up():
    asked = []

    async def answer(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            asked.append(head.decode())
            closing = head.startswith(b"GET /bye")
            writer.write(CLOSING if closing else STAYING)
            if closing:
                break
        writer.close()

    async def visit():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        visitor = Visitor(server.sockets[0].getsockname()[1], 3)
        seen = [await visitor.get("/"), await visitor.get("/bye"), await visitor.get("/bye")]
        visitor.close()
        server.close()
        return seen

    assert [302, 200, 200] == asyncio.run(visit())
    assert ["", "a=1", "a=1"] == [head.partition("Cookie: ")[2].partition("\r\n")[0] for head in asked]
    assert f"X-Forwarded-For: {people.address(3)}\r\n" in asked[0]
