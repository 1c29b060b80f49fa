"""Connections that know their call."""

import threading
from concurrent.futures import ThreadPoolExecutor

from requests import Request

from passwordless.vonage.calls import Calls
from passwordless.vonage.transport import Transport

from .wire import says, serving


def get(transport, wire):
    return Calls(1).run(lambda: transport.send(Request("GET", wire.url).prepare(), timeout=5).content, 5)


def test_connections_are_kept_up_to_the_size():
    both = threading.Barrier(2)
    fine = says(b"fine")

    def together(sock, wire):
        both.wait(5)
        return fine(sock, wire)

    with serving(together, together, fine) as wire, ThreadPoolExecutor(2) as pool:
        transport = Transport(1)
        assert [b"fine"] * 2 == list(pool.map(lambda _: get(transport, wire), range(2)))
        assert wire.closed.wait(5)
        assert [b"fine"] * 2 == [get(transport, wire) for _ in range(2)]
        assert 2 == wire.connections
        transport.close()
