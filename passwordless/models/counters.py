"""How often something happened in a window. Apart from attempts, so that no purge or erasure resets it."""

from django.db import models


class Counter(models.Model):
    """One bucket: `key` is an HMAC of its subject and its name, `ends_at` the end of its window (Unix time)."""

    # Nothing refers to a counter, and a login writes a dozen: a number of its own would be one index more.
    key = models.CharField(max_length=64, primary_key=True)
    used = models.PositiveIntegerField(default=1)
    ends_at = models.FloatField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.key[:8]}: {self.used}"
