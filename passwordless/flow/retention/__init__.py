"""What is forgotten, and when. Runs beside logins, in small bites, and may be killed at any point."""

from .erasure import erase
from .pruning import Pruned, prune

__all__ = ["Pruned", "erase", "prune"]
