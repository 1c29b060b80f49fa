"""Check: a guess is paid before Vonage is asked, one at a time, and one right code lets one visitor in."""

from __future__ import annotations

from copy import copy
from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from .. import devices, gateway, limits, people
from ..conf import settings
from ..models import AttemptEvent, VerificationAttempt, durable
from ..outcomes import Handle, Outcome, Visitor
from ..states import Channel, EventKind, Purpose, Reason, Status
from ..tally import Bucket
from ..vonage.dialect import Dialect
from .asking import Answer, ask
from .payment import note, refuse
from .sharing import attempt_of, go_on

# The request is over at Vonage too, so that the number may be used again at once.
OVER = frozenset({Reason.TOO_MANY_GUESSES, Reason.GONE})


class Guess(NamedTuple):
    """One paid guess: whose, on which attempt, and its place in the count, which fences late verdicts."""

    attempt: VerificationAttempt
    handle: Handle
    visitor: Visitor
    number: int


@sensitive_variables()
def check(handle: Handle, code: str, visitor: Visitor) -> Outcome:
    """Ask Vonage whether `code` is right for the attempt of this handle, at most MAX_GUESSES times in all.

    Only an outcome with `verified` may let anybody in; for Purpose.LOGIN it carries the user.
    Raises ImproperlyConfigured.
    """
    for _ in range(3):
        now = timezone.now()
        attempt = attempt_of(handle)
        if attempt is None or not attempt.number:
            return Outcome(Status.EXPIRED, Reason.GONE)
        who = devices.recognised(visitor, attempt.number)
        closed = _closed(attempt, handle, who, now)
        if closed is not None:
            return closed
        # Before anything is paid: settings that fit no gateway must not leave a claim behind.
        dialect = gateway.dialect(attempt.api)
        try:
            guess = _pay(attempt, handle, who, now)
        except limits.Limited as refusal:
            refuse(attempt, refusal.reason, who, now)
            return Outcome(Status.REFUSED, refusal.reason, refusal.retry_at)
        if guess is not None:
            return _settle(guess, dialect, code)
    return Outcome(Status.CHECKING, Reason.BUSY)


def _closed(attempt: VerificationAttempt, handle: Handle, visitor: Visitor, now: datetime) -> Outcome | None:
    """Return the outcome of an attempt that takes no guess now, or None if it takes one."""
    status, reason = attempt.state(now)
    if status is Status.STARTING:
        return Outcome(status, Reason.SENDING)
    if status is Status.VERIFIED:
        return _replayed(attempt, handle, visitor, now)
    if status not in (Status.PENDING, Status.CHECKING):
        return Outcome(status, reason if reason is not Reason.OK else Reason.EXPIRED)
    if attempt.being_checked(now):
        return Outcome(status, Reason.BUSY)
    if attempt.guesses >= settings.MAX_GUESSES:
        return Outcome(Status.FAILED, Reason.TOO_MANY_GUESSES)
    return Outcome(status, Reason.RESERVED_GUESS) if attempt.guesses >= _allowed(handle, visitor) else None


def _pay(attempt: VerificationAttempt, handle: Handle, visitor: Visitor, now: datetime) -> Guess | None:
    """Claim the attempt and count the guess, or neither. Raises Limited; None if somebody else was faster.

    A stranger who joined may not burn the last guess of whoever asked first.
    """
    with durable():
        if not attempt.claim(now, limit=_allowed(handle, visitor)):
            return None
        note(attempt, limits.charge(limits.fails(attempt.number, visitor), now), visitor, now)
    return Guess(attempt, handle, visitor, attempt.guesses)


def _allowed(handle: Handle, visitor: Visitor) -> int:
    """Return how many guesses may be spent before theirs is refused: the last belongs to whoever asked first,
    or to a browser that logged in before.
    """
    guesses: int = settings.MAX_GUESSES
    return guesses if handle.own or visitor.device else guesses - 1


@sensitive_variables()
def _settle(guess: Guess, dialect: Dialect, code: str) -> Outcome:
    attempt = guess.attempt
    answer = ask(lambda: dialect.check(attempt.request_id or "", code))
    now = timezone.now()
    if answer.reason is Reason.OK:
        return _right(guess, answer, now)
    if (
        answer.asked
        and people.are_secret(guess.handle.purpose)
        and answer.reason is not Reason.TOO_MANY_GUESSES
    ):
        return _not_right(guess, answer, now, told=Reason.WRONG_CODE)
    if answer.reason in OVER:
        return _over(guess, answer, now)
    if not answer.sent:
        return _refund(guess, answer, now)
    return _not_right(guess, answer, now)


def _right(guess: Guess, answer: Answer, now: datetime) -> Outcome:
    """Let exactly one visitor win, and only if the audit of it is written; find or make their user."""
    attempt, login = guess.attempt, guess.handle.purpose is Purpose.LOGIN
    before = copy(attempt)
    user = people.find(attempt.number) if login else None
    verdict = people.judge(user) if login else Reason.OK
    with durable():
        if not attempt.move(
            Status.VERIFIED, verdict, now=now, guess=guess.number, live_number=None,
            events=[*_starter(guess), _event(guess, EventKind.VERIFIED, verdict, answer, now)],
            **_winner(guess, answer, user, now),
        ):  # fmt: skip
            return Outcome(Status.FAILED, Reason.EXPIRED)
        if verdict is Reason.OK:
            mine = {attempt.number, limits.owner(attempt.number, guess.visitor)}
            limits.give_back(_spared(guess, now), now, clear=[limits.hard_stop(subject) for subject in mine])
            if user is not None:
                people.confirm(user, attempt.number)
        if login and user is None and verdict is Reason.OK:
            # Judged again: somebody may have been given the number at this very moment.
            user = people.find_or_create(attempt.number)
            verdict = people.judge(user)
            VerificationAttempt.objects.filter(pk=attempt.pk).update(user=user, reason=verdict)
        if verdict is not Reason.OK:
            go_on(before, guess.number, now)
        elif _others_must_not_know(guess):
            # Theirs alone: the guess that was right is none that the others know of.
            go_on(before, guess.number - 1, now)
    if verdict is not Reason.OK:
        return _turned_away(guess, verdict)
    return Outcome(Status.VERIFIED, Reason.OK, user=user, number=attempt.number)


def _others_must_not_know(guess: Guess) -> bool:
    # Whatever this one came in for: the others may have asked for a login.
    if not people.are_secret(Purpose.LOGIN):
        return False
    return VerificationAttempt.objects.filter(pk=guess.attempt.pk, handles__gt=1).exists()


def _turned_away(guess: Guess, verdict: Reason) -> Outcome:
    """Return what somebody is told whose code was right but who may not come in: what a wrong one would be."""
    left = settings.MAX_GUESSES - guess.number
    if left > 0:
        return Outcome(Status.REFUSED, verdict, guesses_left=left)
    return Outcome(Status.FAILED, Reason.TOO_MANY_GUESSES, reference=guess.attempt.reference)


def _winner(guess: Guess, answer: Answer, user: Any, now: datetime) -> dict[str, Any]:
    """Return what the row keeps of whoever won."""
    facts = {
        "user": user,
        "purpose": guess.handle.purpose,
        "ip": guess.visitor.ip,
        "agent": guess.visitor.agent,
        "vendor": answer.reply.vendor,
        "proved_by": guess.attempt.channel(now),
    }
    if answer.reply.price is not None:
        facts |= {"price": answer.reply.price, "currency": answer.reply.currency}
    return facts


def _starter(guess: Guess) -> list[AttemptEvent]:
    """Return who asked as an event, where the winner who takes their place on the row is another."""
    attempt, visitor = guess.attempt, guess.visitor
    if (attempt.ip, attempt.agent, attempt.purpose) == (visitor.ip, visitor.agent, guess.handle.purpose):
        return []
    return [
        AttemptEvent(
            attempt=attempt, kind=EventKind.ASKED, at=attempt.created_at, purpose=attempt.purpose,
            ip=attempt.ip, agent=attempt.agent,
        )
    ]  # fmt: skip


def _spared(guess: Guess, now: datetime) -> list[Bucket]:
    """Return what a right code makes good: the check was no failure, and no call was made if none was due."""
    attempt = guess.attempt
    if attempt.one_code and Channel.VOICE in attempt.plan:
        # With one code for all steps it stays right while somebody else asks for a call.
        attempt.refresh_from_db(fields=["step", "step_at", "open_until"])
    dialled = Channel.VOICE in attempt.plan[: attempt.current_step(now) + 1]
    spare = Channel.VOICE in attempt.plan and not dialled
    return [
        *limits.fails(attempt.number, guess.visitor),
        *(limits.calls(attempt.number, guess.visitor) if spare else []),
    ]


def _not_right(guess: Guess, answer: Answer, now: datetime, told: Reason | None = None) -> Outcome:
    """Keep the guess paid. After the last one the attempt is dead, even for the right code.

    `told` is the reason that the visitor gets; a request that is gone goes on as a decoy then.
    """
    attempt, told = guess.attempt, told or answer.reason
    wrong = answer.reason is Reason.WRONG_CODE
    decoyed: dict[str, Any] = (
        {"api": "decoy"} if told is not answer.reason and answer.reason is Reason.GONE else {}
    )
    kind = EventKind.GUESSED if wrong else EventKind.CHECK_FAILED
    events = [_event(guess, kind, answer.reason, answer, now)]
    left = settings.MAX_GUESSES - guess.number
    if left > 0:
        standing = answer.reason if decoyed else _standing(attempt)
        attempt.move(Status.PENDING, standing, now=now, guess=guess.number, events=events, **decoyed)
        return Outcome(Status.PENDING, told, guesses_left=left, reference=attempt.reference)
    # A real request is over at Vonage by now; a decoy, which is nowhere, must look like one, and so must a
    # real one that Vonage never answered where nobody may learn which is which.
    alike = attempt.decoy or people.are_secret(guess.handle.purpose)
    over: dict[str, Any] = {"live_number": None} if alike else {}
    attempt.move(Status.FAILED, Reason.TOO_MANY_GUESSES, now=now, guess=guess.number, events=events, **over)
    final = Reason.TOO_MANY_GUESSES if told is Reason.WRONG_CODE else told
    return Outcome(Status.FAILED, final, reference=attempt.reference)


def _over(guess: Guess, answer: Answer, now: datetime) -> Outcome:
    events = [_event(guess, EventKind.GUESSED, answer.reason, answer, now)]
    guess.attempt.move(
        Status.FAILED, answer.reason, now=now, guess=guess.number, events=events, live_number=None,
        vendor=answer.reply.vendor,
    )  # fmt: skip
    return Outcome(Status.FAILED, answer.reason)


def _refund(guess: Guess, answer: Answer, now: datetime) -> Outcome:
    """Give back a guess of which no byte left this machine."""
    attempt = guess.attempt
    with durable():
        moved = attempt.move(
            Status.PENDING, _standing(attempt), now=now, guess=guess.number,
            events=[_event(guess, EventKind.CHECK_FAILED, answer.reason, answer, now)],
            guesses=guess.number - 1,
        )  # fmt: skip
        if moved:
            limits.give_back(limits.fails(attempt.number, guess.visitor), now)
    return Outcome(Status.PENDING, answer.reason, reference=attempt.reference)


def _standing(attempt: VerificationAttempt) -> Reason:
    """Return the reason that a waiting attempt keeps: a decoy remembers why it is one."""
    return Reason(attempt.reason) if attempt.decoy else Reason.OK


def _replayed(attempt: VerificationAttempt, handle: Handle, visitor: Visitor, now: datetime) -> Outcome:
    """Refuse a code that was used, without asking Vonage; what repeats is written a few times only."""
    if not attempt.repeats_itself(EventKind.REPLAYED):
        AttemptEvent.objects.create(
            attempt=attempt, kind=EventKind.REPLAYED, at=now, reason=Reason.REUSED, purpose=handle.purpose,
            ip=visitor.ip, agent=visitor.agent,
        )  # fmt: skip
    return Outcome(Status.VERIFIED, Reason.REUSED)


def _event(guess: Guess, kind: EventKind, reason: Reason, answer: Answer, now: datetime) -> AttemptEvent:
    return AttemptEvent(
        attempt=guess.attempt, kind=kind, at=now, reason=reason, vendor=answer.reply.vendor, took=answer.took,
        purpose=guess.handle.purpose, ip=guess.visitor.ip, agent=guess.visitor.agent,
    )  # fmt: skip
