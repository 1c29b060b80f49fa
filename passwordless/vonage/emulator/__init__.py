"""A Verify server that runs anywhere: v1 and v2 as a WSGI application with an outbox, a clock and webhooks.

Nothing of it needs Django, and any Vonage SDK can be pointed at the stand-alone form.
"""

from .clock import Clock
from .courier import Delivery
from .faults import Dropped, Fault, Hung
from .journal import Call
from .outbox import Message
from .server import Emulator
from .standalone import Server, serve
from .switches import Switches

__all__ = [
    "Call",
    "Clock",
    "Delivery",
    "Dropped",
    "Emulator",
    "Fault",
    "Hung",
    "Message",
    "Server",
    "Switches",
    "serve",
]
