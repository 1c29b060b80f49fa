"""The interleaved run: everybody logs in once a round, so that a noisy machine is noisy for all of them."""

import gc
from contextlib import contextmanager
from time import process_time

from .browser import Browser
from .people import NUMBERS, fill, forget_counters
from .statements import Tally
from .wire import WIRE

WARM_UP = 3


class Stopwatch:
    """CPU milliseconds of this process by step, one of each a round, and the emulator's part of them."""

    def __init__(self):
        self.cpu, self.emulator = {}, {}

    @contextmanager
    def __call__(self, step):
        """Measure for as long as the step lasts."""
        emulated, began = WIRE.emulator, process_time()
        yield
        took = process_time() - began
        self.cpu.setdefault(step, []).append(took * 1000)
        self.emulator.setdefault(step, []).append((WIRE.emulator - emulated) * 1000)


class Run:
    """All subjects on all databases."""

    def __init__(self, site, databases, subjects):
        self.site, self.lanes = site, [(name, subject) for name in databases for subject in subjects]
        self.watches = {self._key(lane): Stopwatch() for lane in self.lanes}
        self.tallies = {}
        self._logins = 0

    def prepare(self):
        """Fill the databases, warm everything up, then count statements and calls once."""
        for name in dict.fromkeys(name for name, _ in self.lanes):
            use(name)
            fill()
        for _ in range(WARM_UP):
            self._round(lambda lane: Stopwatch())
        self._round(lambda lane: self.tallies.setdefault(self._key(lane), Tally()))

    def measure(self, rounds):
        """Let everybody log in that many times, each round beginning with another."""
        gc.collect()
        gc.disable()
        try:
            for index in range(rounds):
                self._round(lambda lane: self.watches[self._key(lane)], index)
                gc.collect()
        finally:
            gc.enable()

    def _round(self, around, first=0):
        turn = first % len(self.lanes)
        for lane in self.lanes[turn:] + self.lanes[:turn]:
            self._log_in(lane, around(lane))

    def _log_in(self, lane, around):
        name, subject = lane
        use(name)
        forget_counters()
        subject.enter()
        self._logins += 1
        browser = Browser(self.site, f"203.0.113.{self._logins % 250 + 1}", around)
        subject.log_in(browser, NUMBERS[self._logins % len(NUMBERS)])

    @staticmethod
    def _key(lane):
        return lane[0], lane[1].name


def use(name):
    """Make a database the default one: nothing that is measured names any other."""
    from django.db import connections

    connections["default"] = connections[name]
