"""What answers at the wire when nothing is to leave the process: a WSGI application in place of the socket.
Everything above it, the client included, runs as it does in production.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from requests import ConnectionError as RequestsConnectionError
from requests import PreparedRequest, ReadTimeout, Response
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.exceptions import ConnectTimeout
from urllib3 import HTTPHeaderDict, HTTPResponse

WSGIApplication = Callable[..., Iterable[bytes]]


class WsgiAdapter(BaseAdapter):
    """Hands requests to a WSGI application (PEP 3333) in this process and brings its answers back.

    It runs in the thread that asks, and no deadline ends it: whoever names one trusts it to answer at once.

    An application that raises ConnectionAbortedError stands for a dropped connection: lost after the request
    was sent, or before, if the exception has a false attribute `processed`. TimeoutError stands for an answer
    that never comes, which only a request that was sent can wait for.
    """

    def __init__(self, application: WSGIApplication) -> None:
        super().__init__()
        self._application = application
        self._builder = HTTPAdapter()

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Return the answer of the application. Raises what requests raises for a lost one."""
        try:
            raw = _run(self._application, _environ(request))
        except ConnectionAbortedError as error:
            failure = RequestsConnectionError if getattr(error, "processed", True) else ConnectTimeout
            raise failure("connection dropped") from None
        except TimeoutError:
            raise ReadTimeout("no answer") from None
        return self._builder.build_response(request, raw)

    def close(self) -> None:
        """Do nothing: there is no connection."""


def _run(application: WSGIApplication, environ: dict[str, Any]) -> HTTPResponse:
    head: list[Any] = ["500 No answer", []]
    body = BytesIO()

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        head[:] = [status, headers]
        return body.write

    parts = application(environ, start_response)
    with ExitStack() as stack:
        if close := getattr(parts, "close", None):
            stack.callback(close)
        body.writelines(parts)
    return _raw(head[0], head[1], body)


def _raw(status: str, headers: list[tuple[str, str]], body: BytesIO) -> HTTPResponse:
    code, _, reason = status.partition(" ")
    body.seek(0)
    return HTTPResponse(
        body=body, headers=HTTPHeaderDict(headers), status=int(code), reason=reason, preload_content=False
    )


def _environ(request: PreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url or "")
    body = request.body or b""
    content = body.encode() if isinstance(body, str) else body
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname or "",
        "SERVER_PORT": str(url.port or {"http": 80}.get(url.scheme, 443)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": BytesIO(content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **_headers(request),
        "CONTENT_LENGTH": str(len(content)),
    }


def _headers(request: PreparedRequest) -> dict[str, str]:
    named = {name.upper().replace("-", "_"): str(value) for name, value in request.headers.items()}
    content_type = named.pop("CONTENT_TYPE", "")
    named.pop("CONTENT_LENGTH", None)
    return {"CONTENT_TYPE": content_type} | {f"HTTP_{name}": value for name, value in named.items()}
