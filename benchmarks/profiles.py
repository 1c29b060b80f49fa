"""`python -m benchmarks.profiles`: where the CPU of a login goes, by our lines and by what they lead to."""

import argparse
import signal
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from time import process_time

ROOT = str(Path(__file__).resolve().parent.parent / "passwordless") + "/"
TICK = 0.001  # seconds of CPU; a kernel may round it up to its own tick
TOP = 60
WARM = 20
AREAS = {
    "/django/template/": "templates",
    "/django/db/backends/": "database: execute, fetch, commit",
    "/django/db/": "database: building statements and objects",
    "/django/contrib/sessions/": "sessions",
    "/django/middleware/csrf": "csrf",
    "/django/forms/": "forms",
    "/phonenumbers/": "phonenumbers",
    "/requests/": "requests",
    "/urllib3/": "requests",
    "/passwordless/vonage/": "passwordless.vonage",
    "/passwordless/": "passwordless",
    "/allauth/": "allauth",
    "/django/": "django, the rest",
}


class Sampler:
    """Looks at the stack at every tick of this process's CPU. Threads count where their caller waits."""

    def __init__(self):
        self.lines, self.areas, self.steps, self.cpu = Counter(), Counter(), Counter(), 0.0
        self._step = ""

    def __enter__(self):
        # The timer runs on between the steps: those that are short would never see it ring.
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, TICK, TICK)
        return self

    def __exit__(self, *error):
        signal.setitimer(signal.ITIMER_PROF, 0)

    @contextmanager
    def __call__(self, step):
        """Look for as long as the step lasts."""
        began, self._step = process_time(), step
        yield
        self._step = ""
        self.cpu += process_time() - began

    def told(self):
        """Return what was seen, in a form that JSON takes."""
        lines = [[*place, area, seen] for (place, area), seen in self.lines.items()]
        return {"cpu": self.cpu, "steps": self.steps, "areas": self.areas, "lines": lines}

    def _look(self, _number, frame):
        if not self._step:
            return
        stack = list(_frames(frame))
        area = next((_area(name) for name, _, _ in stack if _area(name)), "the rest")
        ours = next((place for place in stack if place[0].startswith(ROOT)), ("none of ours", 0, self._step))
        self.areas[area] += 1
        self.steps[self._step] += 1
        self.lines[ours, area] += 1


def main():
    """Sample the app and the floor in turns, and print both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiles", description=__doc__)
    parser.add_argument("--logins", type=int, default=600, help="logins of each kind (600)")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="passwordless-profile-") as folder:
        for name, told in sampled(wanted.logins, folder).items():
            print(described(name, told, wanted.logins))


def sampled(logins, folder):
    """Return {name: what was seen} of that many whole logins of the app and of the floor."""
    from . import site
    from .lanes import lane
    from .subjects import APP, BARE

    found = {}
    for subject in (APP, BARE):
        with lane(subject, site.database("sqlite-wal", folder, subject.way), {}) as one:
            one.ask("prepare", logins=WARM + logins)
            one.ask("log_in", first=0, times=WARM)
            found[subject.name] = one.ask("sample", first=WARM, times=logins)
    return found


def described(name, told, logins):
    """Return the tables of one subject: CPU microseconds a login."""
    looks = max(sum(told["areas"].values()), 1)
    tick = told["cpu"] * 1e6 / logins / looks
    text = [f"== {name}: {told['cpu'] * 1e3 / logins:.2f} ms CPU a login, {looks} looks =="]
    for kind in ("steps", "areas"):
        text += ["", f"by {kind}, us a login", *_ordered(told[kind], tick)]
    return (
        "\n".join([*text, "", "by the innermost line of the app, us a login", *_places(told["lines"], tick)])
        + "\n"
    )


def _ordered(counted, tick):
    return [f"{seen * tick:7.0f}  {name}" for name, seen in Counter(counted).most_common()]


def _places(lines, tick):
    found, areas = Counter(), {}
    for file, line, function, area, seen in lines:
        place = f"{file.removeprefix(ROOT)}:{line} {function}"
        found[place] += seen
        areas.setdefault(place, Counter())[area] += seen
    return [
        f"{seen * tick:7.0f}  {place:52} "
        + ", ".join(f"{area} {some * tick:.0f}" for area, some in areas[place].most_common(3))
        for place, seen in found.most_common(TOP)
    ]


def _frames(frame):
    while frame:
        yield frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name
        frame = frame.f_back


def _area(name):
    return next((area for part, area in AREAS.items() if part in name), "")


if __name__ == "__main__":
    sys.exit(main())
