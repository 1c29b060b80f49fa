"""A whole login, beside floors and other packages: statements, CPU, memory and the time to start."""

from contextlib import ExitStack
from pathlib import Path
from statistics import median

from . import site
from .environments import NotRunError
from .figures import figures, ratio, sums
from .lanes import lane, take_turns
from .servers import served
from .subjects import APP, BARE, OWN, PAGES, PEERS
from .tokens import token_cost

WARM = 12
"""Logins before any is timed."""
PARTS = 4
"""Processes of each kind, one after the other: how objects come to lie makes one of them a tenth slower."""
BALLAST = 1_500
"""Objects that each turn of starts holds more than the one before."""
BETWEEN = ((APP.name, "allauth"), ("app, loopback", "bare + 2 calls"), ("app, loopback", "allauth + 1 call"))
"""Pairs that are told beside the floor."""


def measured(databases, rounds, starts, subjects, folder):
    """Return the report of all subjects on these kinds of database."""
    with ExitStack() as stack:
        wires = {kind: stack.enter_context(served(kind)) for kind in ("emulator", "plain")}
        logins = {kind: _on(kind, rounds, subjects, wires, folder) for kind in databases}
        return {
            "logins": logins,
            "process": _process(starts, subjects, wires, folder),
            "token": token_cost(),
        }


def subjects_of(peers):
    """Return who is compared."""
    return (*OWN, *PEERS) if peers else OWN


def _on(kind, rounds, subjects, wires, folder):
    taken, absent = {}, {}
    for part in range(PARTS):
        with ExitStack() as stack:
            lanes = _lanes(kind, rounds, subjects, wires, f"{folder}/{part}", stack, absent)
            counted = {name: one.ask("count", index=WARM) for name, one in lanes.items()}
            facts = {name: one.ask("facts") for name, one in lanes.items()}
            for name, logins in take_turns(lanes, -(-rounds // PARTS), first=WARM + 1).items():
                taken.setdefault(name, []).extend(logins)
    return {
        "database": facts[BARE.name]["database"],
        "versions": {name: told["version"] for name, told in facts.items()},
        "not run": absent,
        "subjects": {name: figures(taken[name], counted[name], taken[BARE.name]) for name in facts},
        "between": {
            f"{one} / {other}": ratio(sums(taken[one], PAGES), sums(taken[other], PAGES))
            for one, other in BETWEEN
            if one in taken and other in taken
        },
        "statements": {name: one["statements"] for name, one in counted.items()},
    }


def _lanes(kind, rounds, subjects, wires, folder, stack, absent):
    """Return the lanes that run, warm; why others do not is noted in `absent`."""
    Path(folder).mkdir()
    lanes = {}
    for subject in subjects:
        try:
            database = site.database(kind, folder, f"login-{subjects.index(subject)}")
            one = stack.enter_context(lane(subject, database, wires))
            one.ask("prepare", logins=WARM + 1 + rounds)
            one.ask("log_in", first=0, times=WARM)
            lanes[subject.name] = one
        except NotRunError as reason:
            absent[subject.name] = str(reason)
    return lanes


def _process(starts, subjects, wires, folder):
    """Return what fresh processes take until they have answered once, started in turns; the first turn fills."""
    databases = {one.name: site.database("sqlite-wal", folder, f"start-{one.way}") for one in subjects}
    told, absent = {}, set()
    for turn in range(starts + 1):
        for subject in subjects:
            if subject.wire or subject.name in absent:
                continue
            try:
                found = _start(subject, databases[subject.name], wires, turn, starts)
            except NotRunError:
                absent.add(subject.name)
                continue
            if turn:
                told.setdefault(subject.name, []).append(found)
    return {name: _of_process(found, told[BARE.name]) for name, found in told.items() if name not in absent}


def _start(subject, database, wires, turn, starts):
    with lane(subject, database, wires, ballast=turn * BALLAST) as one:
        if turn == 0:
            one.ask("prepare", logins=starts + 1)
        found = one.ask("start")
        one.ask("log_in", first=turn, times=1)
        return {**found, **one.ask("facts")}


def _of_process(found, floor):
    told = {}
    for figure in ("set_up", "first_page", "memory"):
        mine, theirs = [one[figure] for one in found], [one[figure] for one in floor]
        told[figure] = {"value": median(mine), "ratio": ratio(mine, theirs)}
    return told
