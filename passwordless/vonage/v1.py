"""Verify v1: forms, HTTP 200 for everything, a number for each outcome. Vonage's words stop here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError
from vonage_verify_legacy import VerifyRequest

from ..states import Reason
from . import locales
from .client import Client, HttpError
from .dialect import Options, Order, Reply, Unavailable

WORKFLOWS: dict[tuple[str, ...], int] = {
    ("sms", "voice", "voice"): 1,
    ("sms", "sms", "voice"): 2,
    ("voice", "voice"): 3,
    ("sms", "sms"): 4,
    ("sms", "voice"): 5,
    ("sms",): 6,
    ("voice",): 7,
}
"""The sequences that v1 knows; no others can be had."""


class Start(VerifyRequest):
    """What starts a request, as wide as the API takes it (definition 1.2.4)."""

    model_config = ConfigDict(hide_input_in_errors=True)

    number: Annotated[str, Field(pattern=r"^[1-9][0-9]{6,14}$")]
    brand: str = Field(min_length=1, max_length=18)
    sender_id: str | None = Field(None, pattern=r"^[A-Za-z0-9]{1,11}$")
    lg: str | None = Field(None, min_length=2, max_length=35)


ANY = {
    0: Reason.OK,
    1: Reason.THROTTLED,
    2: Reason.INVALID_REQUEST,
    3: Reason.INVALID_REQUEST,
    4: Reason.CREDENTIALS,
    5: Reason.PROVIDER_ERROR,
}
START = ANY | {
    6: Reason.UNROUTABLE,
    7: Reason.BLOCKED,
    8: Reason.FORBIDDEN,
    9: Reason.NO_CREDIT,
    10: Reason.CONCURRENT,
    15: Reason.UNSUPPORTED_NETWORK,
    20: Reason.FORBIDDEN,
    29: Reason.NOT_PERMITTED,
}
CHECK = ANY | {6: Reason.GONE, 16: Reason.WRONG_CODE, 17: Reason.TOO_MANY_GUESSES}
ADVANCE = ANY | {6: Reason.GONE, 8: Reason.FORBIDDEN, 19: Reason.NO_MORE_STEPS}
CANCEL = ADVANCE | {19: Reason.NOT_CANCELLABLE}
"""What a status means, verb by verb; what is absent is a provider error."""

HTTP = {
    401: Reason.CREDENTIALS,
    402: Reason.NO_CREDIT,
    403: Reason.FORBIDDEN,
    429: Reason.THROTTLED,
}
"""What an HTTP status means: not v1 itself speaks then, but what stands in front of it."""


class V1:
    """Verify v1 as a Dialect. Timeouts are total deadlines in seconds; advance and cancel have that of check.

    Raises ValueError at construction for options that v1 does not take (codes of 4 or 6 digits only) and for
    credentials without key and secret (v1 takes no tokens).
    """

    name = "v1"

    def __init__(
        self, client: Client, options: Options, start_timeout: float = 8.0, check_timeout: float = 5.0
    ) -> None:
        if client.auth.api_key is None:
            raise ValueError("Verify v1 needs an API key and its secret")
        self._client, self._options = client, options
        self._start_timeout, self._check_timeout = start_timeout, check_timeout
        self._start(Order(number="+12125550100", channels=("sms",)))

    def step_seconds(self, steps: int) -> int:
        """Return the wait before the next event: an equal share of the lifetime within Vonage's 60 to 900
        seconds. A single step lasts as long as its code, 60 to 3600.
        """
        return min(900 if steps > 1 else 3600, max(60, self._options.lifetime // steps))

    def feasible(self, channels: Sequence[str]) -> list[str]:
        """Return the longest beginning that v1 has a workflow for."""
        beginnings = (tuple(channels[:end]) for end in range(len(channels), 0, -1))
        return list(next((beginning for beginning in beginnings if beginning in WORKFLOWS), channels))

    def locale(self, language: str, country: str, channels: Sequence[str]) -> str:
        """Return the nearest tag that v1 is known to take, or nothing."""
        return locales.nearest(locales.V1, language, country, channels)

    def start(self, order: Order) -> Reply:
        """Ask for a code to be sent; an order that v1 has no words for is refused unsent."""
        try:
            body = self._start(order).model_dump(mode="json", by_alias=True, exclude_none=True)
        except (ValidationError, KeyError):
            return Reply(reason=Reason.INVALID_REQUEST)
        reply = self._ask("/verify/json", body, START, self._start_timeout)
        if reply.reason is Reason.OK and not reply.request_id:
            raise Unavailable("accepted, but under no id", sent=True)
        return reply

    def check(self, request_id: str, code: str) -> Reply:
        """Ask whether the code is right."""
        return self._ask_of(request_id, "/verify/check/json", {"code": code}, CHECK)

    def advance(self, request_id: str) -> Reply:
        """Start the next event now."""
        return self._ask_of(request_id, "/verify/control/json", {"cmd": "trigger_next_event"}, ADVANCE)

    def cancel(self, request_id: str) -> Reply:
        """End the request, which v1 allows from 30 seconds after its start until its second event."""
        return self._ask_of(request_id, "/verify/control/json", {"cmd": "cancel"}, CANCEL)

    def _ask_of(self, request_id: str, path: str, body: dict[str, Any], table: Mapping[int, Reason]) -> Reply:
        if not _ID.fullmatch(request_id):
            return Reply(reason=Reason.GONE)
        return self._ask(path, {"request_id": request_id, **body}, table, self._check_timeout, request_id)

    def _ask(
        self, path: str, body: dict[str, Any], table: Mapping[int, Reason], deadline: float, of: str = ""
    ) -> Reply:
        try:
            answer = self._client.answer("POST", path, body, auth="basic", form="form", deadline=deadline)
        except HttpError as error:
            return _refused(error)
        return _read(answer.body or {}, table, of)

    def _start(self, order: Order) -> Start:
        options, steps = self._options, len(order.channels)
        workflow, wait = WORKFLOWS[tuple(order.channels)], self.step_seconds(max(1, steps))
        return Start(
            number=order.number.removeprefix("+"),
            brand=options.brand,
            code_length=options.code_length,
            workflow_id=workflow,
            # A whole multiple keeps one code for all events, so that no message makes another one stale.
            pin_expiry=steps * wait,
            next_event_wait=wait if steps > 1 else None,
            sender_id=options.sender.removeprefix("+") or None,
            lg=order.locale or None,
        )


def _read(body: Mapping[str, Any], table: Mapping[int, Reason], of: str) -> Reply:
    status, request_id = _status(body), _matching(body, "request_id", _ID)
    reason = table.get(status, Reason.PROVIDER_ERROR)
    if of and reason is Reason.OK and str(body.get("request_id", of)) != of:
        raise Unavailable("a verdict on another request", sent=True)
    return Reply(
        reason=reason,
        request_id=of or request_id,
        vendor=f"v1 {status}",
        price=_price(body),
        currency=_matching(body, "currency", _CURRENCY),
        network=_matching(body, "network", _NETWORK),
    )


def _refused(error: HttpError) -> Reply:
    return Reply(
        reason=HTTP.get(error.status, Reason.PROVIDER_ERROR),
        vendor=f"v1 http {error.status}",
        retry_after=error.retry_after,
    )


def _status(body: Mapping[str, Any]) -> int:
    status = str(body.get("status"))
    if not _STATUS.fullmatch(status):
        raise Unavailable("an answer without a status", sent=True)
    return int(status)


def _price(body: Mapping[str, Any]) -> Decimal | None:
    """Return what a verification cost: its fee and the messages, as far as told."""
    told = [_matching(body, key, _PRICE) for key in ("price", "estimated_price_messages_sent")]
    return sum((Decimal(price) for price in told if price), Decimal()) if any(told) else None


def _matching(body: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    value = body.get(key)
    plain = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return str(value) if plain and pattern.fullmatch(str(value)) else ""


_ID = re.compile(r"[0-9a-zA-Z]{1,32}")
_STATUS = re.compile(r"[0-9]{1,4}")
_PRICE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,12})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_NETWORK = re.compile(r"[0-9A-Za-z]{1,16}")
