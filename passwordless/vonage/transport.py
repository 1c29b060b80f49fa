"""How bytes travel: connections that know which call they serve, so that it is certain whether a byte has
left, and that no piece is waited for longer than the call has time. Nothing of a request appears in a log.
"""

from __future__ import annotations

import logging
import socket
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import Any, cast

from requests import ConnectionError as RequestsConnectionError
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from .calls import calling, current

ANSWER_LIMIT = 256 * 1024
"""Bytes taken in for one answer, its head and whatever comes before it included."""


class _Incoming(RawIOBase):
    """What a socket receives. Its own timeout would begin anew with each byte that drips."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock, self._raw, self._taken = sock, sock.makefile("rb", buffering=0), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(current().left())
        # A chunk of minus one byte, or "100 Continue" without end, are counted by nobody else.
        if self._taken > ANSWER_LIMIT:
            raise ConnectionError("too long an answer")
        size = self._raw.readinto(buffer)
        self._taken += size or 0
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = BufferedReader(_Incoming(sock))

    def begin(self) -> None:
        super().begin()
        # http.client takes an interim answer (RFC 9110, 15.2) other than 100 for the last one: what follows it
        # would be the answer to the next call.
        if self.status < 200:
            self.will_close = True


class _Timed(HTTPConnection):
    response_class = _Answer

    @property
    def is_connected(self) -> bool:
        # What is left of a TLS record is not seen by select().
        return super().is_connected and not getattr(self.sock, "pending", int)()

    def connect(self) -> None:
        current().open(super().connect, self.close)

    def send(self, data: Any) -> None:
        # http.client opens late, inside its own send(): only after that does a byte count as sent.
        if self.sock is None:
            self.connect()
        cast(socket.socket, self.sock).settimeout(current().sending())
        super().send(data)


class _TimedSecure(_Timed, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Timed


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _TimedSecure


class Transport(HTTPAdapter):
    """Connections kept alive, at most `size`; no proxies, no cookies, no redirects, nothing sent twice."""

    def __init__(self, size: int) -> None:
        super().__init__(pool_connections=1, pool_maxsize=size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of connections that know their call."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send once; connect a second time only if it is certain that no byte has left."""
        try:
            return super().send(request, *args, **kwargs)
        except RequestsConnectionError:
            if not current().unsent:
                raise
        return super().send(request, *args, **kwargs)


def _quiet(record: logging.LogRecord) -> bool:
    return not calling()


# These print addresses, and with them request ids. The site's own use of urllib3 is not affected: the filter
# refuses only what is said while a thread works for a call of ours.
for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.response", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_quiet)
