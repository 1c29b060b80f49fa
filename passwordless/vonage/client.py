"""The one way to Vonage: the SDK's HttpClient with a total deadline, nothing sent twice, nothing trusted from
the environment, nothing of a request kept or logged. Its sockets are opened in `transport`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit

from requests import PreparedRequest, RequestException, Response
from requests.adapters import BaseAdapter
from requests.exceptions import ConnectTimeout
from urllib3.exceptions import HTTPError as WireError
from urllib3.exceptions import ReadTimeoutError
from vonage_http_client import HttpClient

from .calls import Calls, current
from .credentials import Credentials
from .dialect import Unavailable
from .hosts import origin
from .transport import Transport

BODY_LIMIT = 64 * 1024
"""Bytes read of an answer; a real one has a few hundred."""

logger = logging.getLogger("passwordless.vonage")


class HttpError(Exception):
    """An answer that is not a 2xx: its status, its JSON object if it had one, Retry-After in seconds.

    `str()` tells the status only: bodies may name numbers and request ids.
    """

    def __init__(self, status: int, body: Mapping[str, Any], retry_after: int | None = None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return HttpError, (self.status, self.body, self.retry_after)


@dataclass(frozen=True)
class Answer:
    """A 2xx answer: its status, and its JSON object or None where it was empty."""

    status: int
    body: dict[str, Any] | None


class Client(HttpClient):
    """The SDK's client, hardened. Safe with threads and after fork; make one per process and keep it.

    `host` is a host name with an optional port, always reached over https, or `http://` and a loopback
    address, which is how a stand-alone emulator is used; anything else is a ValueError. Times are seconds:
    `connect_timeout` for one attempt to connect, `timeout` for a whole call that names no deadline.
    `adapter` answers in the place of the network.
    """

    def __init__(
        self,
        auth: Credentials,
        *,
        host: str = "api.nexmo.com",
        connect_timeout: float = 2.0,
        timeout: float = 8.0,
        max_calls: int = 8,
        adapter: BaseAdapter | None = None,
    ) -> None:
        self._origin = origin(host)
        super().__init__(auth, {"api_host": urlsplit(self._origin).netloc})
        self._connect_timeout, self._total_timeout, self._max_calls = connect_timeout, timeout, max_calls
        self._stand_in = adapter
        self.renew()
        _clients.add(self)

    def renew(self) -> None:
        """Begin with new connections and all places free, as a forked child must."""
        self._calls = Calls(self._max_calls)
        self._adapter = self._stand_in or Transport(self._max_calls)

    def close(self) -> None:
        """Close the connections kept alive; the next call opens new ones."""
        self._adapter.close()

    @property
    def last_request(self) -> None:
        """Nothing: a request holds a number or a code."""
        return

    @property
    def last_response(self) -> None:
        """Nothing: a response leads to its request."""
        return

    def make_request(
        self,
        request_type: str,
        host: str,
        request_path: str = "",
        params: dict[str, Any] | None = None,
        auth_type: str = "jwt",
        sent_data_type: str = "json",
        token: str | None = None,
        *,
        deadline: float | None = None,
    ) -> dict[str, Any] | None:
        """Return the JSON object of a 2xx answer, None if it was empty. `deadline` is in seconds from now.

        Raises HttpError for any other answer, Unavailable where none could be had or understood, and
        ValueError for a host that is not ours and for kinds of credentials that Verify does not take.
        """
        if host != self.api_host or token is not None:
            raise ValueError("credentials go to the configured host alone")
        return self.answer(
            request_type, request_path, params, auth=auth_type, form=sent_data_type, deadline=deadline
        ).body

    def answer(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None = None,
        *,
        auth: str = "jwt",
        form: str = "json",
        deadline: float | None = None,
    ) -> Answer:
        """Do what make_request does, and return the status as well."""
        request = self._prepare(method, path, params, auth, form)
        seconds = self._total_timeout if deadline is None else deadline
        if seconds <= 0:
            raise Unavailable("no time left", sent=False)
        try:
            answer = self._calls.run(lambda: self._exchange(request, seconds), seconds)
        except HttpError as error:
            logger.debug("%s %s: %d", method, _template(path), error.status)
            raise
        except Unavailable as error:
            logger.warning("%s %s: no verdict (sent: %s)", method, _template(path), error.sent)
            raise
        logger.debug("%s %s: %d", method, _template(path), answer.status)
        return answer

    def occupy(self, work: Callable[[], None]) -> None:
        """Do something else in the place of a call: for what must not differ from a call. Raises NotAsked."""
        self._calls.run(work, self._total_timeout)

    def download_file_stream(self, url: str, file_path: str) -> NoReturn:
        """Refuse: nothing of Verify is downloaded."""
        raise NotImplementedError("this client speaks Verify only")

    def _prepare(
        self, method: str, path: str, params: dict[str, Any] | None, auth: str, form: str
    ) -> PreparedRequest:
        # Without its slash a path would continue the name of the host.
        if not path.startswith("/"):
            raise ValueError("a path begins with a slash")
        headers = {
            "User-Agent": self.user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Authorization": self._authorization(auth),
        }
        # Without what prepare() does for cookies, hooks and odd addresses, which costs half of a call.
        request = PreparedRequest()
        request.prepare_method(method)
        request.prepare_headers(headers)
        content = {_field(form): params}
        request.prepare_body(content.get("data"), None, content.get("json"))
        query = f"?{urlencode(params)}" if params and "params" in content else ""
        request.url = self._origin + quote(path, safe="/%") + query
        return request

    def _authorization(self, kind: str) -> str:
        if kind == "jwt":
            return str(self.auth.create_jwt_auth_string(), "ascii")
        if kind == "basic":
            return str(self.auth.create_basic_auth_string())
        raise ValueError("Verify takes jwt or basic")

    def _exchange(self, request: PreparedRequest, seconds: float) -> Answer:
        # What went wrong names addresses and ids, so it is dropped here rather than chained.
        try:
            response = self._adapter.send(
                request, stream=True, timeout=(min(self._connect_timeout, seconds), seconds), verify=True
            )
        except (RequestException, WireError, HTTPException, OSError) as error:
            sent = not (isinstance(error, ConnectTimeout) or current().unsent)
        else:
            return _understood(response)
        raise Unavailable("no answer" if sent else "no connection", sent=sent)


def _understood(response: Response) -> Answer:
    status = response.status_code
    body = _body(response)
    if not 200 <= status < 300:
        raise HttpError(status, _object(body) or {}, _seconds(response.headers.get("Retry-After", "")))
    if body == b"" and (status == 204 or (status == 200 and _told_empty(response))):
        return Answer(status, None)
    if (content := _object(body)) is None:
        raise Unavailable("an answer that makes no sense", sent=True)
    return Answer(status, content)


def _told_empty(response: Response) -> bool:
    # An answer cut off amid its headers looks empty too, and an empty answer to a check is a yes.
    headers = response.headers
    return headers.get("Content-Length") == "0" or headers.get("Transfer-Encoding", "").lower() == "chunked"


def _body(response: Response) -> bytes | None:
    # Undecoded: identity was asked for, and a compressed body could be any size once opened.
    content = b""
    try:
        # Up to the empty read, which is where a body that is shorter than told is found out.
        while part := response.raw.read(BODY_LIMIT + 1, decode_content=False):
            content += part
            if len(content) > BODY_LIMIT:
                return None
    except ReadTimeoutError:
        raise Unavailable("no answer in time", sent=True) from None
    except (WireError, HTTPException, OSError):
        return None
    finally:
        response.close()
    return content


def _object(body: bytes | None) -> dict[str, Any] | None:
    try:
        content = json.loads((body or b"").decode())
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _seconds(header: str) -> int | None:
    return int(header) if _SECONDS.fullmatch(header) else None


def _template(path: str) -> str:
    return "/".join(part if part in _WORDS else "{id}" for part in path.split("/"))


def _field(form: str) -> str:
    try:
        return _FIELDS[form]
    except KeyError:
        raise ValueError("parameters travel as json, form or query_params") from None


def _renew_all() -> None:  # pragma: no cover - runs in a forked child only, which reports no coverage
    for client in list(_clients):
        client.renew()


_SECONDS = re.compile(r"[0-9]{1,6}")
_FIELDS = {"json": "json", "form": "data", "query_params": "params"}
_WORDS = frozenset(["", "v2", "verify", "json", "check", "control", "search", "next_workflow"])

# A forked child inherits sockets that its parent still uses, and places taken by threads that it has not.
_clients: weakref.WeakSet[Client] = weakref.WeakSet()
os.register_at_fork(after_in_child=_renew_all)
