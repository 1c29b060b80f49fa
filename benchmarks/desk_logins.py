"""Logins on an empty database and on a full one."""

import gc
import time
from itertools import count

from .desk_figures import Line, counted, middle, timed

EMPTY, FULL = "empty", "full"


def use(name):
    """Make a database the default one: nothing that is measured names any other."""
    from django.db import connections

    chosen = connections[name]
    # Its own name too, or a query within a query would be taken for one of another database.
    chosen.alias = "default"
    connections["default"] = chosen


people = count(int(time.time() * 50) % 4_000_000)
"""Somebody new in each run, so that none has an account from the last one."""


def log_in():
    """Start and check, as the pages do; each time for another number from another address."""
    from passwordless import flow, gateway
    from passwordless.outcomes import Visitor

    index = next(people)
    mine = f"+1415{index + 5_560_000:07}"
    visitor = Visitor(ip=f"198.{18 + (index >> 16 & 1)}.{index >> 8 & 255}.{index & 255}")
    handle = flow.start(mine, visitor).handle
    if not flow.check(handle, gateway.emulator().messages(mine)[-1].code, visitor).verified:
        raise RuntimeError("a right code was refused")


def logins(rounds, bar):
    """Yield what a login costs on the full database beside the empty one, in turns."""
    statements = {}
    for name in (EMPTY, FULL):
        use(name)
        log_in()
        with counted() as seen:
            log_in()
        statements[name] = len(seen)
    times = {EMPTY: [], FULL: []}
    gc.disable()
    for index in range(rounds):
        for name in (EMPTY, FULL) if index % 2 else (FULL, EMPTY):
            use(name)
            times[name].append(timed(log_in))
        gc.collect()
    gc.enable()
    yield Line("login: statements", statements[FULL], "", statements[EMPTY])
    empty, full = (middle(times[name]) for name in (EMPTY, FULL))
    yield Line("login: on an empty table", empty.clock, " ms", cpu=empty.cpu)
    yield Line("login: full / empty", full.clock / empty.clock, " x", bar, cpu=full.cpu / empty.cpu)
