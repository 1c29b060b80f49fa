"""Which webhooks were heard already: each signed token counts once."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, models

from .home import together


class Receipt(models.Model):
    """The id (`jti`) of a token that was accepted."""

    token_id = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"receipt {self.pk}"

    @classmethod
    def take(cls, token_id: str, now: datetime) -> bool:
        """Return whether this token is new, and remember it; of many at once exactly one is."""
        # No look before the insert: two readers that both want to write then are a deadlock on SQLite.
        try:
            with together():
                cls.objects.create(token_id=token_id, at=now)
        except IntegrityError:
            return False
        return True
