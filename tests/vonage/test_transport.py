"""Connections that know their call."""

import threading

import pytest
from requests import Request

from passwordless.vonage.calls import Calls
from passwordless.vonage.dialect import Unavailable
from passwordless.vonage.transport import Transport

from .wire import says, serving


def get(transport, wire):
    return transport.send(Request("GET", wire.url).prepare(), timeout=2).content


def test_a_late_deadline_does_not_end_a_connection_given_back():
    """Its next user would lose a call that was well on its way."""
    over = threading.Event()
    with serving(says(b"fine")) as wire:
        transport = Transport(2)

        def work():
            get(transport, wire)
            over.wait(5)

        with pytest.raises(Unavailable):
            Calls(1).run(work, 0.5)
        assert b"fine" == get(transport, wire)
        over.set()
        assert (1, 2) == (wire.connections, len(wire.requests))
        transport.close()


def test_connections_are_kept_up_to_the_size():
    with serving(says(b"fine")) as wire:
        transport = Transport(1)
        assert [b"fine"] * 3 == [get(transport, wire) for _ in range(3)]
        assert 1 == wire.connections
        transport.close()
