"""The only way in, for pages, webhooks, staff and commands. Start, check, advance and cancel answer with an Outcome
for this one call.
"""

from .advance import advance, next_step
from .cancel import cancel
from .check import check
from .hear import hear
from .retention import erase, prune
from .start import start
from .unlock import unlock, unlock_block

__all__ = [
    "advance",
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
