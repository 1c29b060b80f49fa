"""A prune of a full table, alone and beside logins."""

import json
import subprocess
import sys
from datetime import timedelta
from statistics import mean

from . import desk
from .desk_figures import Line, middle, timed
from .desk_logins import FULL, log_in, use

PURGED = 1_000_000
FOREVER = 100_000  # days


def forgetting():
    """Yield how fast numbers and visitors are forgotten, and what a prune takes that finds nothing."""
    from django.utils import timezone

    from passwordless import flow

    now, done = timezone.now(), []
    for key, field in (("NUMBER_DAYS", "numbers"), ("VISITOR_DAYS", "visitors")):
        limit(**{"RETENTION_DAYS": FOREVER, "NUMBER_DAYS": FOREVER, "VISITOR_DAYS": FOREVER, key: 20})
        took = timed(lambda: done.append(flow.prune(now)))
        count = getattr(done[-1], field)
        yield Line(
            f"prune: {field} forgotten", count / took.clock * 1000, " rows/s", cpu=count / took.cpu * 1000
        )
    limit(RETENTION_DAYS=FOREVER, NUMBER_DAYS=20, VISITOR_DAYS=20)
    took = timed(lambda: flow.prune(now))
    yield Line("prune: nothing to do", took.clock, " ms", cpu=took.cpu)


def purge(bars):
    """Yield how fast a million attempts are deleted with their events, and how long the longest batch held."""
    done = purged(days_of(PURGED))
    seconds, cpu = done["clock"] / 1000, done["cpu"] / 1000
    yield Line("purge: attempts", done["attempts"])
    both = done["rows"]
    yield Line("purge: attempts and events", both / seconds, " rows/s", *bar(bars, 200_000), cpu=both / cpu)
    alone = done["attempts"]
    yield Line("purge: attempts alone", alone / seconds, " rows/s", cpu=alone / cpu)
    yield Line("purge: longest batch", done["longest"], " ms", 100 if bars else None, cpu=done["longest_cpu"])
    yield Line("purge: median batch", done["median"], " ms", cpu=done["median_cpu"])


def bar(bars, least):
    """Return the bar of a speed."""
    return (least, True) if bars else (None, True)


def days_of(most):
    """Return an age in days above which so many attempts are, or a fifth of all."""
    from django.utils import timezone

    from passwordless.models import VerificationAttempt

    old = VerificationAttempt.objects.order_by("created_at").values_list("created_at", flat=True)
    edge = old[min(most, old.count() // 5)]
    return (timezone.now() - edge) / timedelta(days=1)


def purged(days):
    """Delete what is older and return what that was; milliseconds of the longest batch."""
    from django.utils import timezone

    from passwordless import flow
    from passwordless.flow.retention import deletion
    from passwordless.models import AttemptEvent

    limit(RETENTION_DAYS=days, NUMBER_DAYS=FOREVER, VISITOR_DAYS=FOREVER)
    batches, original, events = [], deletion._delete_oldest, AttemptEvent.objects.count()
    done = []

    def watched(some):
        found = []
        batches.append(timed(lambda: found.append(original(some))))
        return found[0]

    deletion._delete_oldest = watched
    try:
        took = timed(lambda: done.append(flow.prune(timezone.now())))
    finally:
        deletion._delete_oldest = original
    attempts, usual = done[0].deleted, middle(batches)
    return {
        "attempts": attempts, "rows": attempts + events - AttemptEvent.objects.count(),
        "clock": took.clock, "cpu": took.cpu, "longest": max(one.clock for one in batches),
        "longest_cpu": max(one.cpu for one in batches), "median": usual.clock, "median_cpu": usual.cpu,
    }  # fmt: skip


def beside(entry, rounds, bar):
    """Yield what a login costs while another process purges as much again."""
    use(FULL)
    quiet = [timed(log_in) for _ in range(rounds)]
    busy = []
    task = json.dumps({"entry": entry, "days": days_of(PURGED)})
    command = [sys.executable, "-m", "benchmarks.size", "--purge", task]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
        while process.poll() is None:
            busy.append(timed(log_in))
        done = json.loads(process.stdout.read())
    before, during = middle(quiet), middle(busy)
    yield Line("purge beside logins", done["rows"] / done["clock"] * 1000, " rows/s")
    yield Line("purge beside logins: logins meanwhile", len(busy))
    ratio = during.clock / before.clock
    yield Line("login: during the purge / before", ratio, " x", bar, cpu=during.cpu / before.cpu)
    # Of all, since a purge that rests leaves the median to the logins that met no bite.
    whole = mean(one.clock for one in busy) / mean(one.clock for one in quiet)
    yield Line("login: mean during the purge / before", whole, " x", bar)
    yield Line("login: slowest during the purge", max(one.clock for one in busy), " ms")


def purge_apart(task):
    """Purge in this process, when told to, and print what was done."""
    desk.configure({"default": task["entry"]})
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(purged(task["days"])))
    return 0


def limit(**days):
    """Set how long things are kept."""
    from django.conf import settings

    settings.PASSWORDLESS = {**settings.PASSWORDLESS, **days}
