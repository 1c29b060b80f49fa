"""What the steps of a login took."""

from contextlib import contextmanager
from time import process_time

from .wire import WIRE


class Stopwatch:
    """CPU milliseconds of this process by step, and the emulator's part of them."""

    def __init__(self):
        self.cpu, self.emulator = {}, {}

    @contextmanager
    def __call__(self, step):
        """Measure for as long as the step lasts."""
        emulated, began = WIRE.emulator, process_time()
        yield
        self.cpu[step] = (process_time() - began) * 1000
        self.emulator[step] = (WIRE.emulator - emulated) * 1000
