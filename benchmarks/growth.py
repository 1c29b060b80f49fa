"""`python -m benchmarks.growth`: what the millionth login costs beside the first, in one interleaved run."""

import argparse
import gc
import json
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from . import site
from .people import fill
from .rounds import use
from .statements import Tally

BAR = 1.2
EMPTY, FULL = "empty", "full"
CHUNK = 50_000
WARM = 10_000


def main():
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="attempts and counters stored (1000000)")
    parser.add_argument("--rounds", type=int, default=200, help="logins on each database (200)")
    parser.add_argument("--check", action="store_true", help="end with 1 if a bar is broken")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="passwordless-growth-") as folder:
        report = measured(wanted.rows, wanted.rounds, Path(folder))
    print(json.dumps(report, indent=1))
    return int(wanted.check and not report["kept"])


def measured(rows, rounds, folder):
    """Return statements and CPU milliseconds of a start with its check, on an empty database and on a full one."""
    for name in (EMPTY, FULL):
        (folder / name).mkdir()
    databases = {name: site.database("sqlite-wal", folder / name) for name in (EMPTY, FULL)}
    site.configure({"default": databases[EMPTY], **databases})
    lift_the_wide_limits()
    for name in (EMPTY, FULL):
        use(name)
        fill()
        known(rounds)
    stored(rows)
    tallies = {name: counted(name) for name in (EMPTY, FULL)}
    times = {EMPTY: [], FULL: []}
    gc.disable()
    for index in range(rounds):
        for name in (EMPTY, FULL) if index % 2 else (FULL, EMPTY):
            times[name].append(timed(name, index))
        gc.collect()
    ratio = statistics.median(times[FULL]) / statistics.median(times[EMPTY])
    same = tallies[EMPTY] == tallies[FULL]
    return {
        "rows": rows,
        "statements": tallies,
        "cpu milliseconds": {name: round(statistics.median(each), 2) for name, each in times.items()},
        "ratio": round(ratio, 3),
        "bar": BAR,
        "kept": same and ratio <= BAR,
    }


def known(rounds):
    """Make those who will log in, so that each login is that of somebody who came before."""
    from passwordless.models import PhoneNumber

    from .models import Member

    numbers = [number(index) for index in (*range(rounds), WARM)]
    Member.objects.bulk_create(Member(username=f"growth{one}", phone=one, password="!") for one in numbers)
    saved = Member.objects.filter(username__startswith="growth")
    PhoneNumber.objects.bulk_create(PhoneNumber(user=each, number=each.phone) for each in saved)


def number(index):
    """Return a number that no other login of this run has."""
    return f"+1415{index + 5_560_000:07}"


def stored(rows):
    """Fill the database in use with ended attempts and running counters."""
    from django.utils import timezone

    from passwordless.models import Counter, VerificationAttempt, tags
    from passwordless.states import Reason, Status

    now = timezone.now()
    for begin in range(0, rows, CHUNK):
        chunk = range(begin, min(begin + CHUNK, rows))
        VerificationAttempt.objects.bulk_create(
            VerificationAttempt(
                number=f"+1312{index % 10_000_000:07}",
                number_tag=tags(f"+1312{index % 10_000_000:07}")[0],
                country="US",
                status=Status.VERIFIED,
                reason=Reason.OK,
                api="v2",
                request_id=f"{index:032x}",
                channels="sms,voice",
                ip=f"10.{index >> 16 & 255}.{index >> 8 & 255}.{index & 255}",
                created_at=now - timedelta(seconds=rows - index),
                expires_at=now,
                open_until=now,
                sends=1,
            )
            for index in chunk
        )
        Counter.objects.bulk_create(
            Counter(key=f"{index:064x}", ends_at=now.timestamp() + 86400) for index in chunk
        )


def lift_the_wide_limits():
    """Let so many logins of one country through: they are counted as ever, and granted."""
    from django.conf import settings

    wide = ["sends_per_block_1000", "sends_per_block_10000", "sends_per_country", "sends_per_site"]
    settings.PASSWORDLESS = {**settings.PASSWORDLESS, "LIMITS": dict.fromkeys(wide, "1000000/h")}


def counted(name):
    """Return how many statements a login makes on this database."""
    use(name)
    tally = Tally()
    with tally("login"):
        login(WARM)
    return len(tally.statements["login"])


def timed(name, index):
    """Return the CPU milliseconds of one login on this database."""
    use(name)
    began = time.process_time()
    login(index)
    return (time.process_time() - began) * 1000


def login(index):
    """Start and check, as the pages do; each time for another number from another address."""
    from passwordless import flow, gateway
    from passwordless.outcomes import Visitor

    mine = number(index)
    visitor = Visitor(ip=f"198.51.{index >> 8 & 255}.{index & 255}")
    handle = flow.start(mine, visitor).handle
    code = gateway.emulator().messages(mine)[-1].code
    if not flow.check(handle, code, visitor).verified:
        raise RuntimeError("a right code was refused")


if __name__ == "__main__":
    sys.exit(main())
