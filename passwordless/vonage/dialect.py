"""What the rest of the house knows of a provider: four verbs, what they take and what they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, Protocol

from ..states import Reason


class Unavailable(Exception):
    """No verdict could be had: no connection, no answer in time, or an answer that makes no sense.

    `sent` tells whether the request may have reached Vonage; if it is False, nothing was spent there.
    The message never holds a number, a code, a request id or a credential.
    """

    def __init__(self, message: str = "no answer", *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class NotAsked(Unavailable):
    """Nobody would have been served: the circuit is open, or too many calls are under way. Nothing was sent."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value, sent=False)
        self.reason = reason


class Options(NamedTuple):
    """What stays the same from one request to the next."""

    brand: str
    code_length: int = 6
    lifetime: int = 300
    """Seconds from the first message to the end of the last step."""
    sender: str = ""
    whatsapp_sender: str = ""
    template_id: str = ""
    fraud_check: bool = True


@dataclass(frozen=True, kw_only=True)
class Order:
    """One request to send a code."""

    number: str = field(repr=False)
    """E.164 with its plus sign."""
    channels: Sequence[str]
    """One to three of `sms`, `voice`, `whatsapp`, in the order in which they are tried."""
    reference: str = ""
    """Ours, up to 40 characters; comes back in webhooks where the provider has them."""
    locale: str = ""
    """A tag of the provider, such as `en-us`; empty lets it choose."""


class Reply(NamedTuple):
    """What the provider said, in our words. Only `Reason.OK` is a yes."""

    reason: Reason
    request_id: str = ""
    vendor: str = ""
    """The provider's own code for staff to look up, such as `v2 409` or `v1 10`."""
    price: Decimal | None = None
    currency: str = ""
    network: str = ""
    """The network code of a block, where told."""
    retry_after: int | None = None
    """Seconds, where the provider told."""


class Dialect(Protocol):
    """The contract of both versions of Verify, and of anything that stands in for them.

    Every verb answers with a Reply whatever the provider said, and raises Unavailable when it said
    nothing that can be understood. No verb is ever repeated after a byte of it was sent.
    """

    name: str

    def step_seconds(self, steps: int) -> int:
        """Return how many seconds each of that many steps lasts before the next begins by itself."""

    def feasible(self, channels: Sequence[str]) -> list[str]:
        """Return as many of the channels, from the first on, as can be had in this order."""

    def locale(self, language: str, country: str, channels: Sequence[str]) -> str:
        """Return the tag for Order.locale that comes nearest to a page's language (`pt-br`) and the country
        of the number (ISO 3166, or empty); empty where the first channel has none.
        """

    def start(self, order: Order) -> Reply:
        """Ask for a code to be sent. OK carries a request id; CONCURRENT may carry that of the open one."""

    def check(self, request_id: str, code: str) -> Reply:
        """Ask whether the code is right. OK means: right, for this very request, and now used up."""

    def advance(self, request_id: str) -> Reply:
        """Go to the next step now: a new message or a call on the same request."""

    def cancel(self, request_id: str) -> Reply:
        """End the request without a verdict."""
