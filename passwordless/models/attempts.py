"""Attempts. Statuses are written in this room alone: each move is one conditional UPDATE."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connections, models, router, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import conf, phones, signals
from ..states import LIVE, SOURCES, Channel, EventKind, Purpose, Reason, Status
from . import statements, turns
from .events import MAX_REPEATED, AttemptEvent
from .keys import REFERENCE, new_key, successors
from .queries import AttemptQuerySet, check_patience

CLAIMABLE = (
    "{id} = %s AND {guesses} = %s AND {expires_at} > %s"
    " AND ({status} = %s OR ({status} = %s AND {claimed_at} < %s))"
)


class VerificationAttempt(models.Model):
    """One try to prove the possession of a number, from the first message to its end.

    What is true of one visitor (address, agent, purpose) is that of the starter until somebody wins,
    and then the winner's; everybody else's is on the events.
    """

    key = models.CharField(max_length=22, unique=True, default=new_key, editable=False)
    # Emptied after NUMBER_DAYS; the tag finds the row for who knows the number, and may stand in a URL.
    number = models.CharField(_("number"), max_length=16, blank=True)
    number_tag = models.CharField(max_length=64, blank=True, editable=False)
    # Emptied when the request is over at Vonage, which allows one open request a number; where nobody may
    # learn which numbers are known, also when Vonage did not say so.
    # Unique (see Meta) over a nullable column: some databases skip conditional constraints without a word.
    live_number = models.CharField(max_length=16, null=True, editable=False)  # noqa: DJ001
    country = models.CharField(_("country"), max_length=2, blank=True)
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose, default=Purpose.LOGIN)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.STARTING)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason, blank=True)
    vendor = models.CharField(_("Vonage's code"), max_length=20, blank=True)
    # Of the page on which the code was asked for, and of the message as Vonage was asked for it.
    language = models.CharField(_("language of the page"), max_length=35, blank=True)
    locale = models.CharField(_("language of the message"), max_length=35, blank=True)

    api = models.CharField(_("API"), max_length=5, blank=True)
    request_id = models.CharField(_("request id"), max_length=36, null=True)  # noqa: DJ001
    channels = models.CharField(_("channels planned"), max_length=40)
    proved_by = models.CharField(_("channel of the right code"), max_length=10, choices=Channel, blank=True)
    step = models.PositiveSmallIntegerField(default=0)
    sends = models.PositiveSmallIntegerField(_("sends"), default=0)
    guesses = models.PositiveSmallIntegerField(_("guesses"), default=0)
    handles = models.PositiveIntegerField(default=1)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=8, null=True)
    currency = models.CharField(max_length=3, blank=True)

    network = models.CharField(_("blocked network"), max_length=10, blank=True)

    # Refusals by one limit in one window share a row and count here.
    refusal = models.CharField(max_length=80, null=True, editable=False)  # noqa: DJ001
    repeats = models.PositiveIntegerField(default=1)

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="verification_attempts",
        verbose_name=_("user"),
    )
    ip = models.GenericIPAddressField(_("IP address"), null=True)
    agent = models.CharField(_("user agent"), max_length=200, blank=True)

    took = models.PositiveIntegerField(_("milliseconds until Vonage answered"), null=True)
    created_at = models.DateTimeField(_("asked at"))
    sent_at = models.DateTimeField(_("sent at"), null=True)
    step_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(_("expires at"))
    open_until = models.DateTimeField()
    ended_at = models.DateTimeField(_("ended at"), null=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        verbose_name = _("verification attempt")
        verbose_name_plural = _("verification attempts")
        default_permissions = ("view",)
        permissions = (
            ("unlock_number", _("Can unlock numbers")),
            ("view_full_number", _("Can see full numbers")),
            ("export_attempts", _("Can export attempts")),
        )
        # Not unique=True, which on PostgreSQL makes a second index of each, for questions that nobody asks.
        constraints = (
            models.UniqueConstraint(fields=["live_number"], name="passwordless_attempt_one_live"),
            models.UniqueConstraint(fields=["request_id"], name="passwordless_attempt_request"),
            models.UniqueConstraint(fields=["refusal"], name="passwordless_attempt_refusal"),
        )
        indexes = (
            models.Index(fields=["number", "-created_at"], name="passwordless_attempt_number"),
            models.Index(fields=["-created_at", "-id"], name="passwordless_attempt_created"),
            models.Index(fields=["number_tag"], name="passwordless_attempt_tag"),
            models.Index(fields=["ip", "-created_at"], name="passwordless_attempt_ip"),
            # Not by status: a column that changes with each move would be written in here each time.
            models.Index(fields=["expires_at"], name="passwordless_attempt_open", condition=Q(ended_at=None)),
            models.Index(fields=["country", "-created_at", "-id"], name="passwordless_attempt_country"),
            # What is rare and looked for, in the words of the filters, or SQLite passes it by.
            models.Index(
                fields=["reason", "-created_at", "-id", "country"], name="passwordless_attempt_trouble",
                condition=~Q(reason="") & ~Q(reason=Reason.OK),
            ),
            models.Index(
                fields=["purpose", "-created_at", "-id"], name="passwordless_attempt_purpose",
                condition=~Q(purpose=Purpose.LOGIN),
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        status, _reason = self.state(timezone.now())
        return f"{self.masked}, {status.label}"

    @property
    def masked(self) -> str:
        """Return the number as staff and logs may see it."""
        return phones.mask(self.number)

    @property
    def reference(self) -> str:
        """Return what a visitor may quote of this attempt: the beginning of its key, which opens nothing."""
        return self.key[:REFERENCE]

    @property
    def plan(self) -> list[str]:
        """Return the channels in the order in which they are tried."""
        return self.channels.split(",")

    @property
    def decoy(self) -> bool:
        """Return whether nothing is sent for this attempt, though the visitor cannot tell."""
        return self.api == "decoy"

    @property
    def one_code(self) -> bool:
        """Return whether all steps share one code, as with v1, or with a decoy that stands for it."""
        return self.api == "v1" or (self.decoy and conf.settings.VERIFY_VERSION == 1)

    def successor(self, guesses: int, now: datetime) -> VerificationAttempt:
        """Return a decoy, not written yet, that goes on where this row stands after so many guesses."""
        decoy, over = copy(self), guesses >= conf.settings.MAX_GUESSES
        values = {
            "pk": None, "_state": models.base.ModelState(), "key": successors(self.key)[0], "api": "decoy",
            "status": Status.FAILED if over else Status.PENDING, "ended_at": now if over else None,
            "reason": Reason.TOO_MANY_GUESSES if over else Reason.REUSED, "vendor": "", "request_id": None,
            "live_number": None, "claimed_at": None, "price": None, "currency": "", "network": "",
            "sends": 0, "guesses": guesses, "handles": max(self.handles - 1, 1),
        }  # fmt: skip
        decoy._set(values)
        return decoy

    def state(self, now: datetime) -> tuple[Status, Reason]:
        """Return status and reason as they are at `now`: what is overdue counts as expired, moved or not."""
        if self.status in LIVE and self.expires_at <= now and not self.being_checked(now):
            return Status.EXPIRED, Reason.EXPIRED
        return Status(self.status), Reason(self.reason or Reason.OK)

    def repeats_itself(self, kind: EventKind) -> bool:
        """Return whether this happened so often that it is not written down again."""
        return self.events.filter(kind=kind).count() >= MAX_REPEATED

    def being_checked(self, now: datetime) -> bool:
        """Return whether a checker holds this attempt who is not to be taken for dead yet."""
        claimed = self.claimed_at is not None and self.claimed_at >= now - check_patience()
        return self.status == Status.CHECKING and claimed

    @property
    def step_length(self) -> timedelta:
        """Return how long each step lasts from the current one on, one second at least."""
        began, steps = self.step_at or self.created_at, len(self.plan) - self.step
        return max((self.open_until - began) / steps, timedelta(seconds=1))

    def current_step(self, now: datetime) -> int:
        """Return the index of the step that runs at `now`; Vonage goes to the next one by itself."""
        if self.step_at is None:
            return self.step
        passed = (now - self.step_at) // self.step_length
        return min(self.step + max(passed, 0), len(self.plan) - 1)

    def code_until(self, now: datetime) -> datetime:
        """Return until when the last code sent is good: with v2 each step has its own, with v1 all share one."""
        if self.one_code or self.step_at is None:
            return self.expires_at
        return min(
            self.step_at + self.step_length * (self.current_step(now) - self.step + 1), self.expires_at
        )

    def channel(self, now: datetime) -> Channel:
        """Return the channel by which the last code travels at `now`."""
        return Channel(self.plan[self.current_step(now)])

    def channels_used(self, now: datetime) -> list[Channel]:
        """Return the channels tried until `now`, or until the end."""
        if not self.sends:
            return []
        last = self.current_step(min(now, self.ended_at or now))
        return [Channel(name) for name in self.plan[: last + 1]]

    def timeline(self) -> list[AttemptEvent]:
        """Return what happened, in order. The row tells of asking and sending, unless an event tells more."""
        events = list(self.events.order_by("at", "pk"))
        if not any(event.kind == EventKind.ASKED for event in events):
            asked = AttemptEvent(kind=EventKind.ASKED, at=self.created_at, ip=self.ip, agent=self.agent)
            events.insert(0, asked)
        if self.sent_at is not None:
            sent = AttemptEvent(kind=EventKind.SENT, at=self.sent_at, took=self.took, channel=self.plan[0])
            events.append(sent)
        return sorted(events, key=lambda event: event.at)

    def insert(self) -> None:
        """Write a new row. Raises IntegrityError where its number has a live one."""
        statements.insert_one(self, using=router.db_for_write(VerificationAttempt))

    def claim(self, now: datetime, *, limit: int) -> bool:
        """Pay for one guess and become the only checker; tell whether that was granted.

        One conditional UPDATE: it asks again whether the count of guesses, which every claim raises, is the
        one that was read. A checker that died is overtaken after check_patience(); since it then holds an older
        count, its late verdict is void.
        """
        if self.guesses >= limit:
            return False
        values = {"status": Status.CHECKING, "guesses": self.guesses + 1, "claimed_at": now}
        given = [
            ("id", self.pk),
            ("guesses", self.guesses),
            ("expires_at", now),
            ("status", Status.PENDING),
            ("status", Status.CHECKING),
            ("claimed_at", now - check_patience()),
        ]
        if not self._update(values, CLAIMABLE, given):
            return False
        self._set(values)
        return True

    def move(
        self,
        to: Status,
        reason: Reason,
        *,
        now: datetime,
        events: Iterable[AttemptEvent] = (),
        guess: int | None = None,
        only: Status | None = None,
        **values: Any,
    ) -> bool:
        """Move the row to another status if MOVES allows it from where it really is; tell whether it did.

        `guess` fences: whoever holds a claim moves only while the guess count is still theirs; `only` narrows
        the move to one source. The events are written in the same transaction, and the signal goes out on its commit.
        """
        if to not in LIVE:
            values.setdefault("ended_at", now)
        values = {"status": to, "reason": reason, **values}
        legal = [*_legal(to, only, claimed=guess is not None)]
        where = f"{{id}} = %s AND {{status}} IN ({', '.join(['%s'] * len(legal))})"
        given = [("id", self.pk), *(("status", source) for source in legal)]
        if guess is not None:
            where, given = f"{where} AND {{guesses}} = %s", [*given, ("guesses", guess)]
        using, told = router.db_for_write(VerificationAttempt), list(events)
        if not legal:
            return False
        # One statement is a transaction by itself, where it stands in nobody else's. With events it may be a part
        # of one of ours, which fails as a whole: there a savepoint would be two statements for nothing.
        alone = not told and not connections[using].in_atomic_block
        with turns.Turn(using) if alone else turns.atomic(using, savepoint=not told):
            if not self._update(values, where, given):
                return False
            statements.insert(told, using=using)
        self._set(values)
        transaction.on_commit(lambda: self._tell(to, reason), using=using)
        return True

    def _update(self, values: dict[str, Any], where: str, given: statements.Given) -> bool:
        using = router.db_for_write(VerificationAttempt)
        return statements.update(VerificationAttempt, values, where, given, using=using) == 1

    def _set(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    def _tell(self, status: Status, reason: Reason) -> None:
        signals.attempt_moved.send_robust(VerificationAttempt, attempt=self, status=status, reason=reason)


def _legal(to: Status, only: Status | None, *, claimed: bool) -> list[Status]:
    """Return from where a move may be made, in a fixed order, so that its statement is the same each time."""
    sources = set(SOURCES[to])
    if claimed:
        sources &= {Status.CHECKING}
    if only is not None:
        sources &= {only}
    return sorted(sources)
