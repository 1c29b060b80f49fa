"""What can be told of many values of which only is known how often each of them came."""

from __future__ import annotations

from collections.abc import Mapping


def median(counts: Mapping[int, int]) -> float | None:
    """Return the value in the middle, or the mean of the two that are; None if there is none."""
    total = sum(counts.values())
    if not total:
        return None
    return (_ranked(counts, (total + 1) // 2) + _ranked(counts, total // 2 + 1)) / 2


def percentile(counts: Mapping[int, int], share: int) -> int | None:
    """Return the smallest value that `share` of a hundred do not exceed; None if there is none."""
    total = sum(counts.values())
    return _ranked(counts, -(-total * share // 100)) if total else None


def _ranked(counts: Mapping[int, int], rank: int) -> int:
    """Return the value in that place, 1 being the smallest."""
    for value in sorted(counts):
        rank -= counts[value]
        if rank <= 0:
            return value
    raise ValueError("there are not so many")
