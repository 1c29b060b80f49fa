"""What the attempts of a period came to. The only room that counts them; pages and commands ask it."""

from .periods import PERIODS, Period
from .reading import read
from .report import ChannelLine, CountryLine, Freshness, Health, Point, ReasonLine, Report, Totals
from .rolling import Rolled, rebuild, roll

__all__ = [
    "PERIODS",
    "ChannelLine",
    "CountryLine",
    "Freshness",
    "Health",
    "Period",
    "Point",
    "ReasonLine",
    "Report",
    "Rolled",
    "Totals",
    "read",
    "rebuild",
    "roll",
]
