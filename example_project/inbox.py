"""What came to the virtual phone: the messages and calls of the emulator, newest last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from urllib.request import ProxyHandler, build_opener

from django.conf import settings as django_settings

from passwordless.conf import settings
from passwordless.gateway import emulator
from passwordless.vonage.emulator import Emulator
from passwordless.vonage.hosts import is_loopback

from . import switches

TIMEOUT = 2  # seconds
SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class Received:
    """One message or call: `to` in E.164, `at` aware, `locale` a language tag or empty."""

    to: str
    channel: str
    text: str
    code: str
    request_id: str
    at: datetime
    locale: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.request_id}-{self.channel}-{self.at:%H%M%S%f}"

    @property
    def spans(self) -> list[tuple[str, bool]]:
        """Its text in parts, each with whether it is bold: WhatsApp has that between two asterisks."""
        parts = self.text.split("*") if self.channel == "whatsapp" else [self.text]
        return [(part, index % 2 == 1) for index, part in enumerate(parts)]

    @property
    def language(self) -> str:
        """The language tag of its text; the emulator speaks English where nobody asked for anything else."""
        return self.locale or "en"

    @property
    def direction(self) -> str:
        """Return how its text runs: ltr or rtl."""
        base = self.language.partition("-")[0].lower()
        return "rtl" if base in django_settings.LANGUAGES_BIDI else "ltr"


def in_use() -> bool:
    """Return whether an emulator answers in place of Vonage: in this process, or alone on this machine."""
    return emulator() is not None or is_loopback(settings.API_HOST)


def messages() -> list[Received]:
    """Return what has arrived. Raises OSError where the emulator of its own process is silent."""
    here = emulator()
    return fetched()[-SHOWN:] if here is None else arrived(here)


def arrived(here: Emulator) -> list[Received]:
    """Return what has arrived from an emulator in this process, as its switches let it."""
    reception, now = switches.reception(here), here.clock.now()
    sent = [read(asdict(message), message.sent_at) for message in here.messages()]
    found = [replace(one, at=at) for one in sent if (at := reception.arrival(one.at)) is not None]
    return sorted((one for one in found if one.at.timestamp() <= now), key=lambda one: one.at)[-SHOWN:]


def fetched() -> list[Received]:
    """Return what an emulator in a process of its own sent. Raises OSError where it is silent."""
    url = f"{settings.API_HOST}/_emulator/messages"
    with build_opener(ProxyHandler({})).open(url, timeout=TIMEOUT) as answer:
        return [read(message, datetime.fromisoformat(message["sent_at"])) for message in json.load(answer)]


def read(message: Mapping[str, Any], at: datetime) -> Received:
    """Return a message as the emulator tells it; an older one tells no locale."""
    return Received(
        to=message["to"],
        channel=message["channel"],
        text=message["text"],
        code=message["code"],
        request_id=message["request_id"],
        at=at,
        locale=message.get("locale") or "",
    )
