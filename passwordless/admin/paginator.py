"""Pages of a long list, without a count of the whole table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.functional import cached_property

# Generic for the type checker only.
if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

MOST = 10_000
"""Rows that are counted, and that pages lead to: nobody turns two hundred pages, and a count reads each row."""


class CappedPaginator(_Paginator):
    """Counts up to MOST, then says "10,000+". In the order of the list, so that its index serves the count."""

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, MOST at most."""
        return min(self._counted, MOST)

    @cached_property
    def _counted(self) -> int:
        return capped(self.object_list, MOST)  # type: ignore[arg-type]

    @property
    def told(self) -> str:
        """Return the count as people read it."""
        return spoken(self._counted, MOST)


def capped(rows: QuerySet[Any], most: int) -> int:
    """Return how many rows there are, or `most` + 1 if there are more: it reads no further."""
    return rows[: most + 1].count()


def spoken(count: int, most: int) -> str:
    """Return a count from `capped` as people read it, such as 12 or 10,000+."""
    number = number_format(min(count, most), force_grouping=True)
    return f"{number}+" if count > most else number
