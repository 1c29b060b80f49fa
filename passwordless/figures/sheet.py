"""Where what was counted is put together, wherever it was counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from ..models import AttemptQuerySet
from .definitions import cells, is_verified, reports

PLACES = Decimal("1e-8")


class Key(NamedTuple):
    """What the attempts of one cell agree in."""

    country: str
    channels: str
    proved_by: str
    status: str
    reason: str

    @property
    def first(self) -> str:
        """Return the channel that was tried first."""
        return self.channels.partition(",")[0]

    @property
    def verified(self) -> bool:
        """Return whether they ended with a right code and a visitor who may be served."""
        return is_verified(self.status, self.reason)


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted of a cell, or of many."""

    asked: int = 0
    sent: int = 0
    messages: int = 0
    delivered: int = 0
    tried: int = 0
    cost: Decimal = Decimal(0)
    verified: int = 0

    @classmethod
    def of(cls, *numbers: Any) -> Counts:
        """Return what a database says, in the order of the fields; SQLite adds prices as floats."""
        asked, sent, messages, delivered, tried, cost, verified = numbers
        return cls(asked, sent, messages, delivered, tried, Decimal(cost).quantize(PLACES), verified)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.asked + other.asked,
            self.sent + other.sent,
            self.messages + other.messages,
            self.delivered + other.delivered,
            self.tried + other.tried,
            self.cost + other.cost,
            self.verified + other.verified,
        )


Line = tuple[tuple[Any, ...], Key, Counts]
"""The spans of a cell, its key, and what is counted of it."""


def counted(rows: AttemptQuerySet, now: datetime, **spans: Any) -> list[Line]:
    """Return the cells of `rows` as they are at `now` (aware)."""
    width = len(spans)
    found = [split(row, width) for row in cells(rows, now, **spans)]
    for *told, delivered in reports(rows, now, **spans):
        found.append((tuple(told[:width]), Key(*told[width:]), Counts(delivered=delivered)))
    sums = grouped(((span, key), counts) for span, key, counts in found)
    return [(span, key, counts) for (span, key), counts in sums.items()]


def split(row: tuple[Any, ...], spans: int) -> Line:
    """Return the first `spans` columns of a row of cells, then its key, then its counts."""
    key, numbers = Key(*row[spans : spans + len(Key._fields)]), row[spans + len(Key._fields) :]
    return row[:spans], key, Counts.of(*numbers, numbers[0] if key.verified else 0)


def total(counts: Iterable[Counts]) -> Counts:
    """Return the sum."""
    return sum(counts, Counts())


def grouped(cells: Iterable[tuple[Any, Counts]]) -> dict[Any, Counts]:
    """Return one sum for each name that occurs."""
    sums: dict[Any, Counts] = {}
    for name, counts in cells:
        sums[name] = sums[name] + counts if name in sums else counts
    return sums
