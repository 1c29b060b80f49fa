"""Figures of the audit desk: how long, how much work, how many statements, and within which bar."""

import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Line:
    """One figure; `bar` is what it may be at most (at least, if `least`), None where there is none.

    `cpu` is the same in time that this process and its server were at work, which a busy machine moves less.
    """

    name: str
    value: float
    unit: str = ""
    bar: float | None = None
    least: bool = False
    cpu: float | None = None

    @property
    def kept(self):
        """Whether the bar is met, as far as there is one."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.least else self.value <= self.bar

    @property
    def cells(self):
        """How a table shows it."""
        bar = "" if self.bar is None else f"{'≥' if self.least else '≤'} {self.bar:,g}{self.unit}"
        word = "" if self.bar is None else "pass" if self.kept else "**over**"
        cpu = "" if self.cpu is None else shown(self.cpu) + self.unit
        return self.name, shown(self.value) + self.unit, cpu, bar, word


def shown(value):
    """Return a figure as people read it."""
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"


@dataclass(frozen=True)
class Took:
    """Milliseconds by the clock, and those in which this process or its server worked for it."""

    clock: float
    cpu: float


def timed(deed):
    """Return how long something takes."""
    began, worked = time.perf_counter(), work()
    deed()
    return Took((time.perf_counter() - began) * 1000, (work() - worked) * 1000)


def work():
    """Return the seconds of CPU of this process, and of the server's that answers it, if that is on this machine."""
    from django.db import connection

    if connection.vendor != "postgresql" or connection.connection is None:
        return time.process_time()
    told = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    server = int(told.read_text().split()[0]) / 1e9 if told.exists() else 0.0
    return time.process_time() + server


def middle(took):
    """Return the medians of both."""
    return Took(median(one.clock for one in took), median(one.cpu for one in took))


@contextmanager
def counted():
    """Give the statements that are made, with the milliseconds of each."""
    from django.db import connection

    seen = []

    def note(execute, sql, params, many, context):
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            seen.append((sql, (time.perf_counter() - began) * 1000))

    with connection.execute_wrapper(note):
        yield seen


def markdown(lines):
    """Return the table."""
    head = ["| figure | measured | CPU | bar | |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *(f"| {' | '.join(line.cells)} |" for line in lines)])
