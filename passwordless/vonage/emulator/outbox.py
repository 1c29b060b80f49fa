"""Where the messages and calls go instead of to telephones."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime

CAPACITY = 5000


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message or call that was sent.

    `to` is E.164 with its plus sign (or an e-mail address), `channel` is `sms`, `voice`, `whatsapp`,
    `rcs` or `email`, `sent_at` an aware datetime in UTC, and `locale` the tag of the text's language.
    """

    to: str
    channel: str
    text: str
    code: str
    request_id: str
    sent_at: datetime
    locale: str = "en-us"


class Outbox:
    """The last messages, the oldest dropped first."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque(maxlen=CAPACITY)

    def add(self, message: Message) -> None:
        """Keep a message; one with a later `sent_at` is on its way until then."""
        self._messages.append(message)

    def arrived(self, now: datetime, to: str | None = None) -> list[Message]:
        """Return what has arrived by then, newest last, for one number or for all."""
        found = [m for m in self._messages if m.sent_at <= now and to in (None, m.to)]
        return sorted(found, key=lambda message: message.sent_at)

    def clear(self, now: datetime, to: str | None = None) -> None:
        """Forget what has arrived by then, for one number or for all."""
        gone = {id(message) for message in self.arrived(now, to)}
        kept = [m for m in self._messages if id(m) not in gone]
        self._messages = deque(kept, maxlen=CAPACITY)
