"""The processes that are compared, and their turns: nobody works while another is measured."""

import json
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from . import environments
from .environments import NotRunError

ROOT = Path(__file__).resolve().parent.parent
TURN = 4
"""Logins in a row: enough to be warm again after the others, few enough that a noisy second hits all."""


class Lane:
    """The other end of a process of lane.py."""

    def __init__(self, subject, process, said):
        self.subject, self._process, self._said = subject, process, said

    def ask(self, do, **what):
        """Order something and return the answer. Raises NotRunError if the process ends instead."""
        try:
            self._process.stdin.write(json.dumps({"do": do, **what}) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            raise NotRunError(self._reason()) from None

    def _reason(self):
        """Return the name of the error only: its words may hold places of this machine."""
        self._process.wait()
        self._said.seek(0)
        lines = self._said.read().strip().splitlines() or ["without a word"]
        return f"it ended with {lines[-1].partition(':')[0]}"


@contextmanager
def lane(subject, database, wires, ballast=0):
    """Give a lane that ends with the block. `wires` are the addresses of whom it may call, by kind, and
    `ballast` the objects that it holds before it begins.

    Raises NotRunError if its environment cannot be made.
    """
    told = {"way": subject.way, "wire": wires.get(subject.wire, ""), "database": database}
    command = [environments.python(subject.environment), "-m", f"{__package__}.lane", json.dumps(told)]
    environment = {**environments.variables(), "BENCHMARK_BALLAST": str(ballast)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment}
    with (
        TemporaryFile("w+") as said,
        subprocess.Popen(command, cwd=ROOT, text=True, stderr=said, **pipes) as process,
    ):
        try:
            yield Lane(subject, process, said)
        finally:
            with suppress(OSError):  # it may be gone
                process.stdin.close()


def take_turns(lanes, logins, first):
    """Let each lane log in so many people; return {name: [what each login took]}, in the order of time."""
    taken = {name: [] for name in lanes}
    names = list(lanes)
    for turn, done in enumerate(range(0, logins, TURN)):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            times = min(TURN, logins - done)
            taken[name] += lanes[name].ask("log_in", first=first + done, times=times)
    return taken
