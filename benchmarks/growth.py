"""The millionth login beside the first: each subject on databases of several sizes, in one interleaved run."""

from contextlib import ExitStack
from statistics import median

from . import site
from .environments import NotRunError
from .figures import ratio, sums
from .lanes import lane, take_turns
from .subjects import ALLAUTH, APP, BARE, DRF, STEPS

WARM = 4


def measured(sizes, rounds, folder, *, peers=True, kind="sqlite-wal"):
    """Return statements and CPU milliseconds of a login by subject and by rows stored (`sizes`, the least first)."""
    subjects = (APP, BARE, *((ALLAUTH, DRF) if peers else ()))
    found, absent = {}, {}
    for subject in subjects:
        try:
            found[subject.name] = _of(subject, sorted(sizes), rounds, folder, kind)
        except NotRunError as reason:
            absent[subject.name] = str(reason)
    return {"database": kind, "rows": sorted(sizes), "subjects": found, "not run": absent}


def _of(subject, sizes, rounds, folder, kind):
    """Measure one subject: its sizes are what is compared, so they take turns."""
    with ExitStack() as stack:
        lanes = {}
        for size in sizes:
            database = site.database(kind, folder, f"growth-{subject.way}-{size}")
            one = lanes[size] = stack.enter_context(lane(subject, database, {}))
            one.ask("prepare", logins=WARM + 1 + rounds, rows=size)
            one.ask("log_in", first=0, times=WARM)
        counted = {size: one.ask("count", index=WARM)["statements"] for size, one in lanes.items()}
        taken = take_turns(lanes, rounds, first=WARM + 1)
    least = sums(taken[sizes[0]], STEPS)
    return {
        str(size): {
            "statements": sum(map(len, counted[size].values())),
            "cpu": median(sums(taken[size], STEPS)),
            "ratio": ratio(sums(taken[size], STEPS), least),
        }
        for size in sizes
    }
