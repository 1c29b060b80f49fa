"""Connections that know their call."""

from requests import Request

from passwordless.vonage.calls import Calls
from passwordless.vonage.transport import Transport

from .wire import says, serving


def get(transport, wire):
    return Calls(1).run(lambda: transport.send(Request("GET", wire.url).prepare(), timeout=2).content, 2)


def test_connections_are_kept_up_to_the_size():
    with serving(says(b"fine")) as wire:
        transport = Transport(1)
        assert [b"fine"] * 3 == [get(transport, wire) for _ in range(3)]
        assert 1 == wire.connections
        transport.close()
