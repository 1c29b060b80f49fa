"""The only way in, for pages, webhooks, staff and commands. Start, check, advance and cancel answer with an Outcome
for this one call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .advance import advance, next_step
from .cancel import cancel
from .check import check
from .hear import hear
from .sharing import attempt_of
from .start import start
from .unlock import unlock, unlock_block

if TYPE_CHECKING:
    from .retention import erase, prune

__all__ = [
    "advance",
    "attempt_of",
    "cancel",
    "check",
    "erase",
    "hear",
    "next_step",
    "prune",
    "start",
    "unlock",
    "unlock_block",
]


def __getattr__(name: str) -> Any:
    """Load what only commands need when one asks for it: a worker forgets nobody."""
    if name not in ("erase", "prune"):
        raise AttributeError(name)
    from . import retention

    return getattr(retention, name)
