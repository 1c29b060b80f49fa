"""How bytes travel: connections that know which call they serve, so that it is certain whether a byte has
left and a call can be ended from outside. Nothing of a request appears in a log.
"""

from __future__ import annotations

import logging
import socket
from typing import Any, cast

from requests import ConnectionError as RequestsConnectionError
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from .calls import calling, current


class _Tracked(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        call = current()
        call.connecting()
        sock = super()._new_conn()
        call.opened(sock)
        return sock

    def send(self, data: Any) -> None:
        # http.client opens late, inside its own send(): only after that does a byte count as sent.
        if self.sock is None:
            self.connect()
        current().sending(cast(socket.socket, self.sock))
        super().send(data)


class _TrackedSecure(_Tracked, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Tracked

    def _put_conn(self, conn: Any) -> None:
        # Before the next call can take it: a late deadline of this one must not shut it then.
        current().let_go()
        super()._put_conn(conn)


class _SecurePool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TrackedSecure


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
# refuses only what is said in a thread of ours.
for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.response", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_quiet)
