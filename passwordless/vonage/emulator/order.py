"""The body of a v2 start, held against the documented rules of every field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .numbers import international
from .verification import SILENT

VIRTUAL_OPERATOR = "+990"
CHANNELS = frozenset({"sms", "voice", "whatsapp", "rcs", "email", SILENT})
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+", re.ASCII)
SENDERS = {
    "sms": re.compile(r"[A-Za-z0-9]{3,11}|[0-9]{11,15}", re.ASCII),
    "whatsapp": re.compile(r"\+?[0-9]{7,15}", re.ASCII),
}

Rule = Callable[[Any], bool]


@dataclass(frozen=True)
class Channel:
    """One step as asked for; `to` is E.164 with plus, or an e-mail address."""

    name: str
    to: str
    app_hash: str = ""
    redirect_url: str = ""


@dataclass(frozen=True)
class Order:
    """A valid start. `channel_timeout` is in seconds."""

    brand: str
    channels: tuple[Channel, ...]
    channel_timeout: int
    code_length: int
    code: str
    skip_fraud_check: bool
    reuse_code: bool
    client_ref: str = ""
    locale: str = ""
    template_id: str = ""


@dataclass(frozen=True)
class Invalid:
    """What is wrong, as `invalid_parameters` has it."""

    faults: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Sender:
    """The sender of a channel is wrong, which has an answer of its own."""


def _matches(pattern: str) -> Rule:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _between(low: int, high: int) -> Rule:
    return lambda value: type(value) is int and low <= value <= high


def _brand(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 18 and not set(value) & set("/{}:$")


RULES: Mapping[str, tuple[Rule, str]] = {
    "brand": (_brand, "Brand is required, 1 to 18 characters without / { } : $"),
    "locale": (_matches("[a-z]{2,3}(-[a-z0-9]{2,4})?"), "Locale must be a lower-case tag such as en-us"),
    "channel_timeout": (_between(15, 900), "Channel timeout must be 15 to 900"),
    "client_ref": (lambda v: isinstance(v, str) and 1 <= len(v) <= 40, "Must be 1 to 40 characters"),
    "code_length": (_between(4, 10), "Code length must be 4 to 10"),
    "code": (_matches("[a-zA-Z0-9]{4,10}"), "Code must be 4 to 10 letters and digits"),
    "fraud_check": (lambda v: isinstance(v, bool), "Must be true or false"),
    "template_id": (
        _matches("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        "Template id must be a UUID",
    ),
    "workflow": (lambda v: isinstance(v, list) and 1 <= len(v) <= 3, "Workflow must have 1 to 3 channels"),
}
CHANNEL_RULES: Mapping[str, tuple[Rule, str]] = {
    "app_hash": (_matches("[^\r\n]{11}"), "`app_hash` must be 11 characters"),
    "entity_id": (_matches("[0-9]{1,20}"), "`entity_id` must be 1 to 20 digits"),
    "content_id": (_matches("[0-9]{1,20}"), "`content_id` must be 1 to 20 digits"),
    "mode": (lambda v: v in ("otp_code", "zero_tap"), "`mode` must be otp_code or zero_tap"),
    "reuse_code": (lambda v: isinstance(v, bool), "`reuse_code` must be true or false"),
    "redirect_url": (_matches("https?://[!-~]{1,2000}"), "`redirect_url` must be an address"),
    "sandbox": (lambda v: v is not True, "`sandbox` is no longer served"),
}
MANDATORY = ("brand", "workflow")


def read_order(body: object) -> Order | Invalid | Sender:
    """Return the order that a JSON body holds, or what is wrong with it."""
    if not isinstance(body, dict):
        return Invalid(({"name": "body", "reason": "A JSON object is required"},))
    faults = [
        {"name": name, "reason": reason}
        for name, (rule, reason) in RULES.items()
        if (name in body or name in MANDATORY) and not rule(body.get(name))
    ]
    workflow = body.get("workflow")
    faults += _workflow_faults(workflow) if isinstance(workflow, list) else []
    if faults:
        return Invalid(tuple(faults))
    return _order(body) if all(map(_sender_fits, body["workflow"])) else Sender()


def _workflow_faults(workflow: list[Any]) -> list[dict[str, str]]:
    faults = []
    for index, channel in enumerate(workflow[:3]):
        reason = _channel_fault(channel, index)
        if reason:
            faults.append({"name": f"workflow[{index}]", "reason": reason})
    return faults + _virtual_operator_faults(workflow)


def _channel_fault(channel: Any, index: int) -> str:
    if not isinstance(channel, dict) or not _known(channel.get("channel")):
        return "`channel` is not supported"
    if not _recipient(channel):
        return (
            "`to` Email address is invalid"
            if channel["channel"] == "email"
            else "`to` Phone number is invalid"
        )
    if channel["channel"] == SILENT and index:
        return "`silent_auth` must be the first channel"
    if channel["channel"] == "whatsapp" and "from" not in channel:
        return "`from` is required"
    wrong = (
        reason
        for name, (rule, reason) in CHANNEL_RULES.items()
        if not rule(channel.get(name)) and name in channel
    )
    return next(wrong, "")


def _known(name: object) -> bool:
    return isinstance(name, str) and name in CHANNELS


def _virtual_operator_faults(workflow: list[Any]) -> list[dict[str, str]]:
    first = workflow[0] if workflow else None
    if len(workflow) < 2 or not isinstance(first, dict) or first.get("channel") != SILENT:
        return []
    if not _recipient(first).startswith(VIRTUAL_OPERATOR):
        return []
    reason = "`silent_auth` must be the only channel when virtual operator is used"
    others = range(1, min(len(workflow), 3))
    return [{"name": "workflow[0]", "reason": reason}] + [
        {"name": f"workflow[{index}]", "reason": "`to` Phone number is invalid"} for index in others
    ]


def _recipient(channel: dict[str, Any]) -> str:
    to = channel.get("to")
    if not isinstance(to, str):
        return ""
    if channel["channel"] == "email":
        return to if EMAIL.fullmatch(to) else ""
    return international(to) or ""


def _sender_fits(channel: dict[str, Any]) -> bool:
    pattern = SENDERS.get(channel["channel"])
    if pattern is None or "from" not in channel:
        return True
    sender = channel["from"]
    return isinstance(sender, str) and pattern.fullmatch(sender) is not None


def _order(body: dict[str, Any]) -> Order:
    code = body.get("code", "")
    return Order(
        brand=body["brand"],
        channels=tuple(map(_channel, body["workflow"])),
        channel_timeout=body.get("channel_timeout", 180),
        code_length=len(code) or body.get("code_length", 4),
        code=code,
        skip_fraud_check=body.get("fraud_check") is False,
        reuse_code=any(channel.get("reuse_code") is True for channel in body["workflow"]),
        client_ref=body.get("client_ref", ""),
        locale=body.get("locale", ""),
        template_id=body.get("template_id", ""),
    )


def _channel(channel: dict[str, Any]) -> Channel:
    return Channel(
        name=channel["channel"],
        to=_recipient(channel),
        app_hash=channel.get("app_hash", ""),
        redirect_url=channel.get("redirect_url", ""),
    )
