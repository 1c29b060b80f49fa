"""Attempts that have to do with one: of the same number or user, or from the same IP address around that time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet, TextChoices
from django.utils.translation import gettext_lazy as _

from ..models import VerificationAttempt, tags
from .paginator import capped, spoken

PARAMETER = "near"
VALUE = re.compile(r"(number|day|ip|user)\.([0-9]{1,18})\Z")
AROUND = timedelta(hours=24)
MOST = 1000
"""Related attempts that are counted."""


class Kind(TextChoices):
    """What relates them."""

    DAY = "day", _("Same number within 24 hours")
    NUMBER = "number", _("Same number, whenever")
    IP = "ip", _("Same IP address within 24 hours")
    USER = "user", _("Same user, whenever")


@dataclass(frozen=True)
class Near:
    """A question for the attempts near one."""

    attempt: VerificationAttempt
    kind: Kind

    @property
    def value(self) -> str:
        """Return what stands in an address: an attempt's id, since numbers and IP addresses are personal."""
        return f"{self.kind.value}.{self.attempt.pk}"

    @property
    def label(self) -> str:
        """Return the question in words."""
        return f"{self.kind.label} ({self.attempt.reference})"

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return those of `rows` that are related: the others, without the attempt itself."""
        rows = rows.exclude(pk=self.attempt.pk)
        if self.kind is Kind.USER:
            return rows.filter(user=self.attempt.user_id) if self.attempt.user_id else rows.none()
        if self.kind is not Kind.NUMBER:
            at = self.attempt.created_at
            rows = rows.filter(created_at__gte=at - AROUND, created_at__lte=at + AROUND)
        if self.kind is Kind.IP:
            return rows.filter(ip=self.attempt.ip) if self.attempt.ip else rows.none()
        return rows.filter(number_tag__in=_tags(self.attempt))

    @property
    def count(self) -> str:
        """Return how many there are, in words."""
        return spoken(capped(self.narrow(VerificationAttempt.objects.all()), MOST), MOST)


def read(value: str) -> Near | None:
    """Return the question that an address holds, or None if it holds none, or one for an attempt that is gone."""
    found = VALUE.match(value)
    attempt = VerificationAttempt.objects.filter(pk=found[2]).first() if found else None
    return Near(attempt, Kind(found[1])) if found and attempt else None


def questions(attempt: VerificationAttempt) -> list[Near]:
    """Return what can be asked of an attempt; visitor and number may be forgotten."""
    kinds = [Kind.DAY, Kind.NUMBER] if _tags(attempt) else []
    return [Near(attempt, kind) for kind in [*kinds, *([Kind.IP] if attempt.ip else [])]]


def _tags(attempt: VerificationAttempt) -> list[str]:
    """Return the tags under all keys while the number is known, and then the one that is left of it."""
    if attempt.number:
        return tags(attempt.number)
    return [attempt.number_tag] if attempt.number_tag else []
