"""Questions about attempts, by name."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from .. import conf
from ..states import LIVE, Reason, Status
from .keys import tags
from .statements import Select

if TYPE_CHECKING:
    from .attempts import VerificationAttempt


def check_patience() -> timedelta:
    """Return after how long a checker that has not come back is taken for dead."""
    return timedelta(seconds=conf.settings.CHECK_TIMEOUT + 10)


class AttemptQuerySet(models.QuerySet["VerificationAttempt"]):
    """Questions about attempts, by name."""

    def by_key(self, key: str) -> VerificationAttempt | None:
        """Return the one that a handle or a reference names, or None."""
        return _by_key(self.model).one(key, self.db)

    def durations(self) -> list[float]:
        """Return how many seconds Vonage took to answer the last requests."""
        real = self.exclude(api="decoy").filter(took__isnull=False).order_by("-created_at")
        return [(took or 0) / 1000 for took in real.values_list("took", flat=True)[:20]]

    def overdue(self, now: datetime) -> AttemptQuerySet:
        """Return those whose time has passed but whose row has not been moved yet.

        One that is being checked right now is its checker's: the code came in time.
        """
        late = self.filter(status__in=LIVE, ended_at__isnull=True, expires_at__lte=now)
        return late.exclude(status=Status.CHECKING, claimed_at__gte=now - check_patience())

    def standing(self, status: Status, now: datetime) -> AttemptQuerySet:
        """Return those that are in `status` at `now`, as `VerificationAttempt.state` tells it."""
        late = self.model._default_manager.overdue(now).values("pk")
        if status not in LIVE:
            return self.filter(Q(status=status) | Q(pk__in=late if status is Status.EXPIRED else ()))
        # By itself, or SQLite reads all rows in the order of the list: what is live is in a small index.
        live = self.model._default_manager.filter(status=status, ended_at__isnull=True)
        return self.filter(pk__in=live.exclude(pk__in=late).values("pk"))

    def doomed(self, now: datetime, moment: datetime) -> AttemptQuerySet:
        """Return those from before `moment` that a prune at `now` deletes, moved and closed first or not."""
        closed = Q(live_number__isnull=True) | Q(open_until__lte=now)
        return self.filter(closed, created_at__lt=moment).exclude(status__in=LIVE, expires_at__gt=now)

    def refuse(self, attempt: VerificationAttempt, reason: Reason, tag: str, now: datetime) -> None:
        """Write `attempt` as refused, unless the same limit has a row in this window."""
        attempt.status, attempt.reason, attempt.refusal = Status.REFUSED, reason, tag
        attempt.ended_at, attempt.live_number = now, None
        self.bulk_create([attempt], ignore_conflicts=True)

    def closable(self, now: datetime) -> AttemptQuerySet:
        """Return ended ones that still hold their number although the request is over at Vonage."""
        return self.ended().filter(live_number__isnull=False, open_until__lte=now)

    def ended(self) -> AttemptQuerySet:
        """Return those that can move no more."""
        return self.exclude(status__in=LIVE)

    def of(self, number: str) -> AttemptQuerySet:
        """Return those for `number` (E.164), the ones included whose number was forgotten."""
        return self.filter(Q(number=number) | Q(number_tag__in=tags(number)))


@cache
def _by_key(model: type[VerificationAttempt]) -> Select[VerificationAttempt]:
    return Select(lambda key: model._default_manager.filter(key=key))
