"""The emulator on a socket: HTTP/1.1 with connections kept, one thread each, on loopback only."""

from __future__ import annotations

import io
import ipaddress
import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import unquote_to_bytes

from .answers import problem
from .control import Control
from .faults import LONGEST, Dropped, Hung
from .incoming import LIMIT
from .server import WIRE, Emulator

IDLE = 60
"""Seconds for which a silent connection is kept."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "emulator"
    disable_nagle_algorithm = True
    timeout = IDLE
    server: Server

    def setup(self) -> None:
        """Let shutdown know of this connection."""
        super().setup()
        self.server.connected(self.connection)

    def finish(self) -> None:
        """Let shutdown forget this connection."""
        try:
            super().finish()
        finally:
            self.server.disconnected(self.connection)

    def handle(self) -> None:
        """Answer calls until the caller goes away; one that hangs up early is no error."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Stay quiet: paths hold request ids, and v1 queries hold numbers and codes."""

    def answer(self) -> None:
        """Pass one call on and bring its answer, or the trouble made to order, onto the wire."""
        if "Transfer-Encoding" in self.headers:
            return self._refuse(411, "Length Required")
        body = self._body()
        if body is None:
            return self._refuse(413, "Content Too Large")
        if len(body) < int(self.headers.get("Content-Length", "0")):
            # The caller went away in the middle: nothing of it is carried out.
            self.close_connection = True
            return None
        wire: dict[str, Any] = {}
        try:
            head, content = self._call(body, wire)
        except Dropped:
            self.close_connection = True
        except Hung as hung:
            self.server.stopping.wait(hung.seconds)
            self.close_connection = True
        else:
            self._write(head, content, wire)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0").strip()
        if not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > LIMIT:
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status: int, title: str) -> None:
        # The body was not read, so the connection cannot carry another call.
        self.close_connection = True
        refusal = problem(status, title)
        self._write(self._head(refusal.line, refusal.all_headers()), refusal.content, {})

    def _call(self, body: bytes, wire: dict[str, Any]) -> tuple[bytes, bytes]:
        started: list[bytes] = []

        def start_response(
            line: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            started.append(self._head(line, headers))
            return started.append

        content = b"".join(self.server.application(self._environ(body, wire), start_response))
        return started[0], b"" if self.command == "HEAD" else content

    def _head(self, line: str, headers: list[tuple[str, str]]) -> bytes:
        closing = [("Connection", "close")] if self.close_connection else []
        every = [("Date", self.date_time_string()), ("Server", "emulator"), *closing, *headers]
        lines = [f"HTTP/1.1 {line}", *(f"{name}: {value}" for name, value in every), "", ""]
        return "\r\n".join(lines).encode("latin-1", "replace")

    def _environ(self, body: bytes, wire: dict[str, Any]) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        host, port = self.server.server_address[:2]
        return {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_AUTHORIZATION": self.headers.get("Authorization", ""),
            "HTTP_HOST": self.headers.get("Host", f"{host!s}:{port}"),
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            WIRE: wire,
        } | self._origin()

    def _origin(self) -> dict[str, str]:
        origin = self.headers.get("Origin")
        return {} if origin is None else {"HTTP_ORIGIN": origin}

    def _write(self, head: bytes, content: bytes, wire: dict[str, Any]) -> None:
        if not wire:
            self.wfile.write(head + content)
        elif wire["part"] == "headers":
            self._drip(head + content, wire["seconds"])
        else:
            self.wfile.write(head)
            self._drip(content, wire["seconds"])

    def _drip(self, data: bytes, pause: float) -> None:
        pause = min(pause, LONGEST / max(1, len(data)))
        for index in range(len(data)):
            if self.server.stopping.wait(pause):
                self.close_connection = True
                return
            self.wfile.write(data[index : index + 1])


for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
    setattr(Handler, f"do_{method}", Handler.answer)


class Server(ThreadingHTTPServer):
    """An emulator on a port of this machine."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_port = False
    request_queue_size = 128

    def __init__(self, emulator: Emulator, port: int = 0, host: str = "127.0.0.1") -> None:
        """Bind to the port (0 for any that is free).

        Raises ValueError when `host` is not a loopback address, OSError when the port is taken.
        """
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError("the emulator listens on a loopback address only")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.emulator = emulator
        self.application = Control(emulator)
        self.stopping = Event()
        self._connections: set[socket.socket] = set()
        self._guard = Lock()
        self._thread: Thread | None = None
        super().__init__((host, port), Handler)

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Where it is reached, without a slash at the end."""
        host = str(self.server_address[0])
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def server_bind(self) -> None:
        """Bind without asking the resolver for a name of this machine, which can take seconds."""
        TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)

    def begin(self) -> None:
        """Serve from a thread of its own until shutdown."""
        self._thread = Thread(target=self.serve_forever, args=(0.05,), name="emulator", daemon=True)
        self._thread.start()

    def shutdown(self) -> None:
        """Stop listening, cut every connection and end every hang; calling it again does nothing."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        if self._thread is not None:
            super().shutdown()
            self._thread.join()
        self.server_close()
        with self._guard:
            for connection in self._connections:
                _cut(connection)

    def connected(self, connection: socket.socket) -> None:
        """Remember an open connection."""
        with self._guard:
            self._connections.add(connection)
            if self.stopping.is_set():
                _cut(connection)

    def disconnected(self, connection: socket.socket) -> None:
        """Forget a connection that was closed."""
        with self._guard:
            self._connections.discard(connection)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def serve(emulator: Emulator, port: int = 0, host: str = "127.0.0.1") -> Server:
    """Return a server that runs already, on that loopback address; end it with `shutdown()`.

    Raises ValueError when `host` is not a loopback address, OSError when the port is taken.
    """
    server = Server(emulator, port, host)
    server.begin()
    return server
