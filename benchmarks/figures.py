"""From measured times to figures: medians by step, sums, and ratios that pair what ran in the same turn."""

from statistics import median

from .subjects import HOME, PAGES, STEPS

LOGIN, ALL = "login", "login + home"
SUMS = {**{step: (step,) for step in PAGES}, LOGIN: PAGES, HOME: (HOME,), ALL: STEPS}
"""Each line of a table and the steps it adds up."""


def figures(taken, counted, floor):
    """Return {line: figures} of one subject: `taken` and `floor` are logins, CPU in milliseconds.

    A line has no ratio where the subject or the floor has no such step.
    """
    return {
        line: _line(steps, taken, counted, floor)
        for line, steps in SUMS.items()
        if any(step in taken[0]["cpu"] for step in steps)
    }


def _line(steps, taken, counted, floor):
    cpu, emulator = _sums(taken, "cpu", steps), _sums(taken, "emulator", steps)
    own = [whole - part for whole, part in zip(cpu, emulator, strict=True)]
    bare = _sums(floor, "cpu", steps)
    return {
        "statements": sum(len(counted["statements"].get(step, ())) for step in steps),
        "calls": sum(counted["calls"].get(step, 0) for step in steps),
        "cpu": median(cpu),
        "cpu_without_emulator": median(own),
        "ratio": ratio(cpu, bare),
        "ratio_without_emulator": ratio(own, bare),
    }


def sums(taken, steps=STEPS):
    """Return the CPU milliseconds of these steps, login by login."""
    return _sums(taken, "cpu", steps)


def ratio(some, others):
    """Return the median of the ratios of what belongs together."""
    return median(one / other for one, other in zip(some, others, strict=True))


def _sums(taken, kind, steps):
    return [sum(login[kind].get(step, 0) for step in steps) for login in taken]
