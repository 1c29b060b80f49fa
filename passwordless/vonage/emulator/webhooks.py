"""What the emulator tells by webhook, as Vonage does for v2, and single webhooks made to order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import notices
from .access import Access
from .courier import Address, Courier, Delivery, Parcel
from .outcomes import Outcome
from .switches import Switches
from .tokens import Flaw, require_secret, token_for
from .verification import SILENT, Plan, Stage, Verification

DELAYS = (1.0, 5.0, 15.0)
"""Seconds before the second try, the third, and every one after that."""


class Webhooks:
    """Collects what happens to the requests and sends it; `tell` and `flush` need the emulator's lock.

    Raises ValueError when the address is none, or the secret is missing or too short.
    """

    def __init__(
        self,
        *,
        url: str,
        secret: str | None,
        delays: Sequence[float],
        switches: Switches,
        access: Access,
        settle: Callable[[], bool],
    ) -> None:
        if secret is None:
            raise ValueError("a webhook address needs a signature secret")
        require_secret(secret)
        self._secret, self._switches, self._access = secret, switches, access
        self._courier = Courier(Address.parse(url), delays, settle)
        self._batch: list[Parcel] = []
        self._stirred = False

    def tell(self, verification: Verification, stage: Stage | None) -> None:
        """Hear of a stage that began or ended, or with None that the request is over."""
        if not verification.plan.webhooks:
            return
        self._stirred = True
        body = self._body(verification, stage)
        if body is not None:
            copies = 2 if self._switches.webhook_duplicates else 1
            self._batch += [self._parcel(body, verification.plan) for _ in range(copies)]

    def flush(self) -> None:
        """Hand on what was heard."""
        if not self._stirred:
            return
        batch, self._batch, self._stirred = self._batch, [], False
        if self._switches.webhook_reordering:
            batch.reverse()
        self._courier.post(batch, self._switches.webhook_lag)

    def craft(
        self, event: Mapping[str, Any], flaw: Flaw, claims: Mapping[str, object], plan: Plan | None
    ) -> list[int | None]:
        """Send a body of the caller's choice once (a duplicate twice) and return the HTTP statuses.

        `plan` is that of the request it speaks of, `claims` come on top of the usual ones.
        """
        body = json.dumps(event).encode()
        token = token_for(body, self._secret, self._account(plan) | dict(claims), flaw)
        times = 2 if flaw is Flaw.DUPLICATE else 1
        return [self._courier.send(Parcel(body, lambda tries: token)) for _ in range(times)]

    def deliveries(self) -> list[Delivery]:
        """Return the webhooks that were tried, in the order of their first try."""
        return self._courier.deliveries()

    def drain(self, seconds: float) -> bool:
        """Wait until nothing is under way; False after so many seconds."""
        return self._courier.drain(seconds)

    def clear(self) -> None:
        """Forget what waits and what was sent."""
        self._batch.clear()
        self._courier.clear()

    def after_fork(self) -> None:
        """Begin anew in a child process, where the thread is gone and a lock may be held for ever."""
        self._batch = []
        self._courier = self._courier.renewed()

    def _body(self, verification: Verification, stage: Stage | None) -> dict[str, Any] | None:
        if stage is None:
            return notices.summary(verification, price_as_number=self._switches.webhook_price_as_number)
        if stage.ended is None:
            return self._pending(verification, stage)
        told = self._switches.channel_events or stage.channel == SILENT
        return notices.event(verification, stage) if told else None

    def _pending(self, verification: Verification, stage: Stage) -> dict[str, Any] | None:
        if stage.channel != SILENT or verification.step.outcome is Outcome.LOST:
            return None
        return notices.pending(verification, stage, as_list=self._switches.webhook_action_as_list)

    def _parcel(self, told: Mapping[str, Any], plan: Plan) -> Parcel:
        body, account = json.dumps(told).encode(), self._account(plan)
        ahead = self._switches.webhook_clock_ahead
        return Parcel(body, lambda tries: token_for(body, self._secret, account, self._flaw(tries), ahead))

    def _flaw(self, tries: int) -> Flaw:
        if self._switches.webhook_unsigned and not tries:
            return Flaw.UNSIGNED
        return Flaw.WRONG_HASH if self._switches.webhook_wrong_hash else Flaw.NONE

    def _account(self, plan: Plan | None) -> dict[str, object]:
        """Return who the webhook is for, as far as that is known; a JWT does not name the account."""
        application = plan.application if plan else ""
        caller = plan.account if plan and not application else ""
        named = {
            "api_key": self._access.api_key or caller,
            "application_id": application or self._access.application_id,
        }
        return {name: value for name, value in named.items() if value}
