"""What passes to a provider: how many calls, and the CPU that the emulator in process takes for itself."""

from dataclasses import dataclass
from functools import wraps
from time import thread_time


@dataclass
class Wire:
    """Counts since the beginning; seconds of CPU."""

    calls: int = 0
    emulator: float = 0.0


WIRE = Wire()


def watch(*, emulated=True):
    """Watch the door of requests from now on, and that of the emulator where this app is."""
    from requests.adapters import HTTPAdapter

    HTTPAdapter.send = _counted(HTTPAdapter.send)
    if emulated:
        from passwordless.vonage.emulator import Emulator

        Emulator.__call__ = _timed(Emulator.__call__)


def _counted(function):
    @wraps(function)
    def call(*args, **kwargs):
        WIRE.calls += 1
        return function(*args, **kwargs)

    return call


def _timed(function):
    @wraps(function)
    def call(*args, **kwargs):
        WIRE.calls += 1
        began = thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            WIRE.emulator += thread_time() - began

    return call
