"""The only way in: start, check, advance, cancel. Each of these answers with an Outcome for this one call."""

from .advance import advance, next_step
from .cancel import cancel
from .check import check
from .hear import hear
from .retention import erase, prune
from .start import start
from .unlock import unlock

__all__ = ["advance", "cancel", "check", "erase", "hear", "next_step", "prune", "start", "unlock"]
