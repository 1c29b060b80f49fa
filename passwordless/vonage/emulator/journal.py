"""What was asked of the emulator, in order, for tests that count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

CAPACITY = 10_000


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call; `verb` is start, check, advance, cancel, search, unblock, silent, templates or unknown."""

    method: str
    path: str
    verb: str
    at: datetime
    api: str
