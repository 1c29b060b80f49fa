"""The only way in: start, check, advance, cancel. Each verb answers with an Outcome for this one call."""

from .advance import advance, next_step
from .cancel import cancel
from .check import check
from .retention import prune
from .start import start

__all__ = ["advance", "cancel", "check", "next_step", "prune", "start"]
