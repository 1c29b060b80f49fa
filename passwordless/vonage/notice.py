"""What a webhook of Verify v2 says, in our words. It says nothing about who sits at the browser."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from ..states import Reason

# What Vonage's words mean for an attempt that is still open; a word that is not here changes nothing.
ENDINGS: dict[str, Reason] = {
    "failed": Reason.UNROUTABLE,
    "rejected": Reason.UNROUTABLE,
    "user_rejected": Reason.TOO_MANY_GUESSES,
    "expired": Reason.EXPIRED,
    "blocked": Reason.BLOCKED,
    "cancelled": Reason.CANCELLED,
    "completed": Reason.LOST,
}
CHANNELS = frozenset({"sms", "voice", "whatsapp"})
# What any database can be asked for, some of which refuse NUL and half a surrogate pair.
REQUEST_ID = re.compile(r"[!-~]{1,36}\Z")
REFERENCE = re.compile(r"[!-~]{1,40}\Z")
PLACES = Decimal("1e-8")
WORD = re.compile(r"[a-z_]{1,20}\Z")
NETWORK = re.compile(r"\[([0-9A-Za-z]{1,10})\]")


class Unreadable(ValueError):
    """Not a notice of Verify v2."""


class Step(NamedTuple):
    """What became of one channel."""

    channel: str
    status: str
    network: str = ""


class Notice(NamedTuple):
    """One webhook: an event of a channel, or the summary at the end of a request."""

    request_id: str
    reference: str
    status: str
    summary: bool
    channel: str = ""
    steps: tuple[Step, ...] = ()
    price: Decimal | None = None

    @property
    def ending(self) -> Reason | None:
        """Return the reason for which this ends the request, or None if it does not."""
        return ENDINGS.get(self.status) if self.summary or self.status == "blocked" else None


def read(body: bytes) -> Notice:
    """Return what a body says. Raises Unreadable; keys that are not known are passed over."""
    try:
        content = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise Unreadable("not JSON") from None
    if not isinstance(content, dict) or content.get("type") not in ("event", "summary"):
        raise Unreadable("neither an event nor a summary")
    request_id, status = content.get("request_id"), content.get("status")
    if not isinstance(request_id, str) or not REQUEST_ID.match(request_id):
        raise Unreadable("no request id")
    reference = content.get("client_ref")
    return Notice(
        request_id=request_id,
        reference=reference if isinstance(reference, str) and REFERENCE.match(reference) else "",
        status=_word(status),
        summary=content["type"] == "summary",
        channel=_channel(content.get("channel")),
        steps=_steps(content.get("workflow")),
        price=_price(content.get("price")),
    )


def _word(value: object) -> str:
    return value if isinstance(value, str) and WORD.match(value) else ""


def _channel(value: object) -> str:
    return value if isinstance(value, str) and value in CHANNELS else ""


def _steps(value: object) -> tuple[Step, ...]:
    entries = value if isinstance(value, list) else []
    return tuple(_step(entry) for entry in entries[:10] if isinstance(entry, dict))


def _step(entry: Mapping[str, Any]) -> Step:
    reason = entry.get("reason")
    told = NETWORK.search(reason[:300]) if isinstance(reason, str) else None
    return Step(_channel(entry.get("channel")), _word(entry.get("status")), told.group(1) if told else "")


def _price(value: object) -> Decimal | None:
    """Return a price written as a number or as a string; nonsense is no price."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if len(str(value)) > 40:
        return None
    try:
        price = Decimal(str(value))
        return price.quantize(PLACES) if price.is_finite() and 0 <= price < 1000 else None
    except InvalidOperation:
        return None
