"""Offers the servers of `services` to the tests, and says loudly which tests went without."""

from __future__ import annotations

import pytest

from tests import services

MISSING = services.missing()
LEFT_OUT = "left out for want of "
SLOW = "left out for want of patience: --slow runs them"


def pytest_addoption(parser):
    parser.addoption(
        "--require-services",
        action="store_true",
        help="fail, where the default is to skip, tests whose PostgreSQL, Redis or browser is not there",
    )

    parser.addoption(
        "--slow",
        action="store_true",
        help="run also what takes minutes: servers that are killed, sampled times, whole set-ups",
    )


def pytest_configure(config):
    services.home()  # before any worker starts, so that all share it


def pytest_runtest_setup(item):
    if item.get_closest_marker("slow") and not item.config.getoption("--slow"):
        pytest.skip(SLOW)
    for marker, what in MISSING.items():
        if item.get_closest_marker(marker):
            refuse = pytest.fail if item.config.getoption("--require-services") else pytest.skip
            refuse(LEFT_OUT + what)


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)]
    told = [*(LEFT_OUT + what for what in MISSING.values()), SLOW]
    lines = {line: sum(reason.endswith(line) for reason in reasons) for line in told}
    if any(lines.values()):
        terminalreporter.section("TESTS LEFT OUT", sep="!", red=True, bold=True)
    for line, count in lines.items():
        if count:
            terminalreporter.write_line(f"{count} {line}", red=True, bold=True)


@pytest.fixture(scope="session")
def redis_url():
    """A Redis of this run; tests that use it carry @pytest.mark.redis and keep to keys of their own."""
    return services.redis_url()


@pytest.fixture(scope="session")
def chromium():
    """The path of the Chromium to drive; tests that use it carry @pytest.mark.browser."""
    return services.chromium()
