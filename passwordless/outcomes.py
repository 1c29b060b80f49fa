"""What crosses between the flow and its callers: who asks, for which attempt, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .states import PUBLIC, Public, Purpose, Reason, Status


@dataclass(frozen=True)
class Visitor:
    """Who asks: address, user agent and the tag of their browser, as far as they are known."""

    ip: str | None = None
    agent: str = ""
    session: str = ""
    cookie: str = field(default="", repr=False)
    """The device cookie as the browser sent it, unverified."""
    language: str = ""
    """Tag of the page's language, such as pt-br."""
    device: str = ""
    """The id of a browser that logged in with this very number before, once that is verified."""


@dataclass
class Handle:
    """A browser's claim on an attempt. The repr is masked: receivers of user_login_failed see it.

    `outcome` is what the last check of this handle came to; the backend leaves it there for its caller.
    """

    key: str = field(repr=False)
    purpose: Purpose = Purpose.LOGIN
    own: bool = True
    """Whether this browser started the attempt, or only joined it."""
    outcome: Outcome | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Outcome:
    """What one call of a verb came to. Only `status is VERIFIED` together with `reason is OK` is a yes."""

    status: Status
    reason: Reason
    retry_at: datetime | None = None
    """When asking again may help (aware, UTC), where that is known and may be told."""
    handle: Handle | None = None
    user: Any = None
    guesses_left: int | None = None
    number: str = field(default="", repr=False)
    """The number (E.164) that a right code proved."""
    reference: str = field(default="", repr=False)

    @property
    def verified(self) -> bool:
        """Return whether the code was right and whoever typed it may be served."""
        return self.status is Status.VERIFIED and self.reason is Reason.OK

    @property
    def public(self) -> Public:
        """Return all that a visitor may learn."""
        return PUBLIC[self.reason]
