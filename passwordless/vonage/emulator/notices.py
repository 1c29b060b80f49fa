"""The bodies of the webhooks: an event for a step, a summary for a request. None holds a number or a code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .clock import moment, stamp
from .outcomes import BLOCKED_NETWORK
from .verification import Ending, Stage, Verification

FEE, MESSAGE_FEE = Decimal("0.05"), Decimal("0.04675")
"""Euro for a success, and for each message, call or silent check."""
UNUSED = "unused"
BLOCK = f"The network [{BLOCKED_NETWORK}] is blocked because of possible fraud."


def pending(verification: Verification, stage: Stage, *, as_list: bool) -> dict[str, Any]:
    """Return the event that sends a phone to the address of its silent check."""
    action = {"type": "check", "check_url": verification.check_url}
    told = {"status": "action_pending", "action": [action] if as_list else action}
    return _about(verification, stage) | told


def event(verification: Verification, stage: Stage) -> dict[str, Any]:
    """Return the event of a step that has ended."""
    return _about(verification, stage) | {"status": stage.ending, "finalized_at": _at(stage.ended)}


def summary(verification: Verification, *, price_as_number: bool) -> dict[str, Any]:
    """Return the summary of a request that is over; one that was blocked tells no price."""
    told: dict[str, Any] = {
        "request_id": verification.id,
        "submitted_at": _at(verification.created),
        "status": verification.ending,
        "type": "summary",
        "workflow": [_step(verification, index) for index in range(len(verification.plan.steps))],
        "finalized_at": _at(verification.ended),
    }
    if verification.ending is not Ending.BLOCKED:
        price = _price(verification)
        told["channel_timeout"] = verification.plan.channel_timeout
        told["price"] = float(price) if price_as_number else f"{price:.9f}"
    return told | _reference(verification)


def _about(verification: Verification, stage: Stage) -> dict[str, Any]:
    return {
        "request_id": verification.id,
        "triggered_at": _at(stage.began),
        "type": "event",
        "channel": stage.channel,
    } | _reference(verification)


def _reference(verification: Verification) -> dict[str, str]:
    reference = verification.plan.client_ref
    return {"client_ref": reference} if reference else {}


def _step(verification: Verification, index: int) -> dict[str, Any]:
    if index >= len(verification.stages):
        return {"channel": verification.plan.steps[index].channel, "status": UNUSED}
    stage = verification.stages[index]
    told = {"channel": stage.channel, "initiated_at": _at(stage.began), "status": stage.ending}
    return told | ({"reason": BLOCK} if stage.ending is Ending.BLOCKED else {})


def _price(verification: Verification) -> Decimal:
    won = verification.ending is Ending.COMPLETED
    return MESSAGE_FEE * len(verification.stages) + (FEE if won else 0)


def _at(seconds: float | None) -> str:
    return "" if seconds is None else stamp(moment(seconds))
