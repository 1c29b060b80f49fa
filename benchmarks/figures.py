"""From measured times to figures: medians by step, sums, and ratios that pair what ran in the same round."""

from statistics import median

from .subjects import HOME, PAGES, STEPS

LOGIN, ALL = "login", "login + home"
SUMS = {**{step: (step,) for step in PAGES}, LOGIN: PAGES, HOME: (HOME,), ALL: STEPS}
"""Each line of a table and the steps it adds up."""


def figures(run):
    """Return {database: {subject: {line: figures}}}; CPU in milliseconds."""
    found = {}
    for (database, subject), watch in run.watches.items():
        floor, tally = run.watches[database, "bare"], run.tallies[database, subject]
        lines = {line: _line(steps, watch, floor, tally) for line, steps in SUMS.items()}
        found.setdefault(database, {})[subject] = lines
    return found


def statements(run):
    """Return the text of all statements of the app, {database: {step: [...]}}."""
    return {database: tally.statements for (database, name), tally in run.tallies.items() if name == "app"}


def _line(steps, watch, floor, tally):
    cpu, emulator = _sums(watch.cpu, steps), _sums(watch.emulator, steps)
    own = [whole - part for whole, part in zip(cpu, emulator, strict=True)]
    bare = _sums(floor.cpu, steps)
    return {
        "statements": sum(len(tally.statements[step]) for step in steps),
        "calls": sum(tally.calls[step] for step in steps),
        "cpu": median(cpu),
        "cpu_without_emulator": median(own),
        "ratio": _ratio(cpu, bare),
        "ratio_without_emulator": _ratio(own, bare),
    }


def _sums(times, steps):
    return [sum(round_) for round_ in zip(*(times[step] for step in steps), strict=True)]


def _ratio(some, others):
    return median(one / other for one, other in zip(some, others, strict=True))
