"""Verify v2: JSON, real HTTP codes, a workflow of channels. Vonage's words stop here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError, field_validator
from vonage_verify import SmsChannel, VerifyRequest, VoiceChannel, WhatsappChannel

from ..states import Reason
from . import locales
from .client import Answer, Client, HttpError
from .dialect import Options, Order, Reply, Unavailable

Number = Annotated[str, Field(pattern=r"^[1-9][0-9]{6,14}$")]
"""E.164 without its plus sign, ASCII digits only."""

Sender = Annotated[str, Field(pattern=r"^(?:[A-Za-z0-9]{3,11}|[0-9]{3,15})$")]
"""A name of 3 to 11 letters and digits, or a number of any length that E.164 allows."""


class Sms(SmsChannel):
    """A text message; the sender may be a number of any legal length."""

    model_config = ConfigDict(hide_input_in_errors=True)

    to: Number
    from_: Sender | None = Field(None, serialization_alias="from")

    @field_validator("from_")
    @classmethod
    def check_valid_from_field(cls, value: str | None) -> str | None:
        """Leave the judgement to the pattern of Sender."""
        return value


class Whatsapp(WhatsappChannel):
    """A WhatsApp message; the sender may be a number of any legal length."""

    model_config = ConfigDict(hide_input_in_errors=True)

    to: Number
    from_: Sender = Field(serialization_alias="from")

    @field_validator("from_")
    @classmethod
    def check_valid_sender(cls, value: str) -> str:
        """Leave the judgement to the pattern of Sender."""
        return value


class Voice(VoiceChannel):
    """A phone call."""

    model_config = ConfigDict(hide_input_in_errors=True)

    to: Number


class Start(VerifyRequest):
    """What starts a request, as wide as the API takes it (portal definition 1.0.1)."""

    model_config = ConfigDict(hide_input_in_errors=True)

    brand: str = Field(min_length=1, max_length=18, pattern=r"^[^/{}:$]*$")
    workflow: list[Sms | Voice | Whatsapp] = Field(min_length=1, max_length=3)
    locale: str | None = Field(None, min_length=2, max_length=35)
    client_ref: str | None = Field(None, min_length=1, max_length=40)
    template_id: str | None = Field(None, min_length=1, max_length=64)
    fraud_check: bool | None = None


ANY = {
    401: Reason.CREDENTIALS,
    402: Reason.NO_CREDIT,
    403: Reason.FORBIDDEN,
    422: Reason.INVALID_REQUEST,
    429: Reason.THROTTLED,
}
START = ANY | {409: Reason.CONCURRENT}
CHECK = ANY | {
    400: Reason.WRONG_CODE,
    # Unknown, finished or verified already: who verified it is not told, so this is no yes.
    404: Reason.GONE,
    409: Reason.NO_CODE_STEP,
    410: Reason.TOO_MANY_GUESSES,
}
ADVANCE = ANY | {404: Reason.GONE, 409: Reason.NO_MORE_STEPS}
CANCEL = ANY | {404: Reason.GONE, 409: Reason.NOT_CANCELLABLE}
"""What an HTTP status means, verb by verb; what is absent is a provider error."""

DONE = ("completed", "complete")


class V2:
    """Verify v2 as a Dialect. Timeouts are total deadlines in seconds; advance and cancel have that of check.

    Raises ValueError at construction for options that Vonage would refuse. Sends a token where the
    credentials have an application, else key and secret (then no webhooks come).
    """

    name = "v2"

    def __init__(
        self, client: Client, options: Options, start_timeout: float = 8.0, check_timeout: float = 5.0
    ) -> None:
        self._client, self._options = client, options
        self._start_timeout, self._check_timeout = start_timeout, check_timeout
        self._auth = "basic" if client.auth.application_id is None else "jwt"
        self._start(Order(number="+12125550100", channels=("sms",)))
        if options.whatsapp_sender:
            self._start(Order(number="+12125550100", channels=("whatsapp",)))

    def step_seconds(self, steps: int) -> int:
        """Return the channel_timeout: an equal share of the lifetime, within Vonage's 15 to 900 seconds."""
        return min(900, max(15, self._options.lifetime // steps))

    def feasible(self, channels: Sequence[str]) -> list[str]:
        """Return all of them."""
        return list(channels)

    def locale(self, language: str, country: str, channels: Sequence[str]) -> str:
        """Return the nearest tag that v2 is known to take, or nothing."""
        return locales.nearest(locales.V2, language, country, channels)

    def start(self, order: Order) -> Reply:
        """Ask for a code to be sent; an order that cannot be put into words is refused unsent."""
        try:
            body = self._start(order).model_dump(mode="json", by_alias=True, exclude_none=True)
        except (ValidationError, KeyError):
            return Reply(reason=Reason.INVALID_REQUEST)
        try:
            return _started(self._answer("POST", "/v2/verify", body, self._start_timeout))
        except HttpError as error:
            return _refused_start(error)

    def check(self, request_id: str, code: str) -> Reply:
        """Ask whether the code is right."""
        return self._ask_of(_CHECK, request_id, {"code": code})

    def advance(self, request_id: str) -> Reply:
        """Go to the next channel now."""
        return self._ask_of(_ADVANCE, request_id)

    def cancel(self, request_id: str) -> Reply:
        """End the request."""
        return self._ask_of(_CANCEL, request_id)

    def _ask_of(self, verb: _Verb, request_id: str, body: dict[str, Any] | None = None) -> Reply:
        # It becomes a part of the path, so "../../v1/calls" would be a call that we pay for.
        if not _ID.fullmatch(request_id):
            return Reply(reason=Reason.GONE)
        path = f"/v2/verify/{request_id}{verb.tail}"
        try:
            answer = self._answer(verb.method, path, body, self._check_timeout)
        except HttpError as error:
            return _refused(error, verb.table)
        return verb.read(answer, request_id)

    def _answer(self, method: str, path: str, body: dict[str, Any] | None, deadline: float) -> Answer:
        return self._client.answer(method, path, body, auth=self._auth, deadline=deadline)

    def _start(self, order: Order) -> Start:
        options, number = self._options, order.number.removeprefix("+")
        return Start(
            brand=options.brand,
            workflow=[CHANNELS[channel](number, options) for channel in order.channels],
            locale=order.locale or None,
            channel_timeout=self.step_seconds(max(1, len(order.channels))),
            client_ref=order.reference or None,
            code_length=options.code_length,
            template_id=options.template_id or None,
            fraud_check=None if options.fraud_check else False,
        )


CHANNELS: dict[str, Callable[[str, Options], Sms | Voice | Whatsapp]] = {
    "sms": lambda to, options: Sms(to=to, from_=options.sender.removeprefix("+") or None),
    "voice": lambda to, options: Voice(to=to),
    "whatsapp": lambda to, options: Whatsapp(to=to, from_=options.whatsapp_sender.removeprefix("+")),
}


def _started(answer: Answer) -> Reply:
    if not (request_id := _id(answer.body)):
        raise Unavailable("accepted, but under no id", sent=True)
    return Reply(reason=Reason.OK, request_id=request_id, vendor=f"v2 {answer.status}")


def _checked(answer: Answer, request_id: str) -> Reply:
    # An answer that does not say so is no yes: a proxy in between can answer with nothing as well.
    body = answer.body or {}
    named = str(body.get("request_id", request_id))
    if answer.status != 200 or body.get("status") not in DONE or named.lower() != request_id.lower():
        raise Unavailable("no verdict on this code", sent=True)
    return Reply(reason=Reason.OK, request_id=request_id, vendor=f"v2 {answer.status}")


def _accepted(answer: Answer, request_id: str) -> Reply:
    return Reply(reason=Reason.OK, request_id=request_id, vendor=f"v2 {answer.status}")


@dataclass(frozen=True)
class _Verb:
    method: str
    tail: str
    table: Mapping[int, Reason]
    read: Callable[[Answer, str], Reply]


_CHECK = _Verb("POST", "", CHECK, _checked)
_ADVANCE = _Verb("POST", "/next_workflow", ADVANCE, _accepted)
_CANCEL = _Verb("DELETE", "", CANCEL, _accepted)


def _refused_start(error: HttpError) -> Reply:
    unroutable = error.status == 422 and any(_ADDRESS.fullmatch(name) for name in _blamed(error.body))
    table = START | {422: Reason.UNROUTABLE} if unroutable else START
    return _refused(error, table, _id(error.body) if error.status == 409 else "")


def _refused(error: HttpError, table: Mapping[int, Reason], request_id: str = "") -> Reply:
    return Reply(
        reason=table.get(error.status, Reason.PROVIDER_ERROR),
        request_id=request_id,
        vendor=f"v2 {error.status}",
        retry_after=error.retry_after,
    )


def _blamed(body: Mapping[str, Any]) -> Iterable[str]:
    blamed = body.get("invalid_parameters")
    if isinstance(blamed, dict):
        return [*blamed, str(blamed.get("name"))]
    entries = blamed if isinstance(blamed, list) else []
    return [str(entry.get("name")) for entry in entries if isinstance(entry, dict)]


def _id(body: Mapping[str, Any] | None) -> str:
    request_id = str((body or {}).get("request_id"))
    return request_id if _ID.fullmatch(request_id) else ""


_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ADDRESS = re.compile(r"to|workflow(?:\[[0-9]+\])?(?:\.to)?")
