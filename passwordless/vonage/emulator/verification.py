"""One request to verify a number: its steps, its codes, and how time moves it on.

Nothing here waits: a request is brought up to date whenever it is looked at.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .clock import moment
from .outbox import Message
from .outcomes import Outcome
from .texts import Said, render

SILENT = "silent_auth"
NETWORK_CHANNELS = {"sms", "voice", "rcs"}
"""A block of a network stops these; silent_auth, WhatsApp and e-mail do not pass through it."""
DELAY = 20.0


class Status(StrEnum):
    """Where a request stands, in the words of v1's search."""

    OPEN = "IN PROGRESS"
    COMPLETED = "SUCCESS"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


class Ending(StrEnum):
    """How a step or a request ended, in the words of the webhooks."""

    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"
    USER_REJECTED = "user_rejected"


ENDINGS = {
    Status.COMPLETED: Ending.COMPLETED,
    Status.FAILED: Ending.FAILED,
    Status.EXPIRED: Ending.EXPIRED,
    Status.CANCELLED: Ending.CANCELLED,
}


class Verdict(StrEnum):
    """What a check comes to."""

    RIGHT = "right"
    WRONG = "wrong"
    LAST_WRONG = "last wrong"
    NO_CODE_STEP = "no code step"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One message, call or silent check, and how many seconds it has before the next begins."""

    channel: str
    to: str
    seconds: float
    outcome: Outcome = Outcome.WORKS
    app_hash: str = ""
    redirect_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What was asked for."""

    api: str
    account: str
    brand: str
    steps: tuple[Step, ...]
    code_length: int
    fixed_code: str = ""
    code_life: float | None = None
    """Seconds from the making of a code to its end; None lets each code live as long as its step."""
    one_code: bool = False
    sender: str = ""
    amount: str = ""
    channel_timeout: int = 0
    """Seconds, as asked for."""
    client_ref: str = ""
    locale: str = ""
    """The tag of the language that the texts are asked in; empty for none."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """The site's own text of each channel that has one."""
    application: str = ""
    """Id of the application whose JWT asked; empty for a key and secret."""
    base: str = ""
    """Scheme, host and port by which the caller reached the emulator."""
    webhooks: bool = False

    @property
    def number(self) -> str:
        """The number by which the request is known, E.164 with plus."""
        return self.steps[0].to


@dataclass(frozen=True)
class Guess:
    """One check, as search tells it."""

    at: float
    code: str
    right: bool


@dataclass
class Stage:
    """One step as it ran."""

    channel: str
    began: float
    ended: float | None = None
    ending: Ending | None = None


Tell = Callable[["Verification", Stage | None], None]
"""Hears of a stage that began or ended, and with None that the request is over."""


def keep_quiet(verification: Verification, stage: Stage | None) -> None:
    """Tell nobody."""


@dataclass
class Verification:
    """One request and all that happened to it. Times are Unix seconds by the emulator's clock."""

    id: str
    plan: Plan
    created: float
    draw: Callable[[int], str]
    post: Callable[[Message], None]
    wrong_limit: int
    tell: Tell = keep_quiet
    position: int = -1
    began: float = 0.0
    code: str = ""
    code_until: float = 0.0
    silent_code: str = ""
    wrong: int = 0
    status: Status = Status.OPEN
    ended: float | None = None
    ending: Ending | None = None
    guesses: list[Guess] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether it still waits for a code."""
        return self.status is Status.OPEN

    @property
    def step(self) -> Step:
        """The step that runs now."""
        return self.plan.steps[self.position]

    @property
    def check_url(self) -> str:
        """Where the phone goes for silent authentication."""
        return f"{self.plan.base}/v2/verify/{self.id}/silent-auth/redirect"

    @property
    def has_next(self) -> bool:
        """Whether another step can begin."""
        return self.position + 1 < len(self.plan.steps)

    def settle(self, now: float) -> None:
        """Let happen what was due by then, each thing at its own time."""
        while self.open and (due := self.began + self.step.seconds) <= now:
            self.move(due)

    def move(self, at: float, ending: Ending = Ending.EXPIRED) -> None:
        """Begin the next step at that time, or end as expired when there is none.

        `ending` is what became of the step before.
        """
        if not self.has_next:
            return self.finish(Status.EXPIRED, at)
        self._close(at, ending)
        self.position, self.began = self.position + 1, at
        self._renew(at)
        self.stages.append(Stage(self.step.channel, at))
        self.tell(self, self.stages[-1])
        return self._carry_out(at)

    def end_step(self, at: float, ending: Ending = Ending.FAILED) -> None:
        """Go on after a step that failed; without a next one the request has failed."""
        self.move(at, ending) if self.has_next else self.finish(Status.FAILED, at, ending)

    def finish(self, status: Status, at: float, ending: Ending | None = None) -> None:
        """End the request; `ending` where the status alone does not tell how."""
        self.status, self.ended = status, at
        self.ending = ending or ENDINGS[status]
        self._close(at, self.ending)
        self.tell(self, None)

    def guess(self, code: str, now: float) -> Verdict:
        """Judge a code; the right one and the last wrong one end the request."""
        if self.step.channel == SILENT:
            return self._guess_silently(code, now)
        right = now < self.code_until and same(code, self.code)
        self.guesses.append(Guess(now, code, right))
        return self._accept(now) if right else self._count(now)

    def _guess_silently(self, code: str, now: float) -> Verdict:
        right = bool(self.silent_code) and same(code, self.silent_code)
        return self._accept(now) if right else Verdict.NO_CODE_STEP

    def _accept(self, now: float) -> Verdict:
        self.finish(Status.COMPLETED, now)
        return Verdict.RIGHT

    def _count(self, now: float) -> Verdict:
        self.wrong += 1
        if self.wrong < self.wrong_limit:
            return Verdict.WRONG
        self.finish(Status.FAILED, now, Ending.USER_REJECTED)
        return Verdict.LAST_WRONG

    def _close(self, at: float, ending: Ending) -> None:
        if not self.stages:
            return
        stage = self.stages[-1]
        undelivered = ending is Ending.EXPIRED and not self._delivers(self.step)
        stage.ended, stage.ending = at, Ending.FAILED if undelivered else ending
        self.tell(self, stage)

    def _renew(self, at: float) -> None:
        plan = self.plan
        alive = bool(self.code) and (plan.one_code if plan.code_life is None else at < self.code_until)
        if not alive:
            self.code = plan.fixed_code or self.draw(plan.code_length)
            # v1 counts wrong codes by generated code; v2 by request.
            self.wrong = self.wrong if plan.code_life is None else 0
        if plan.code_life is None:
            self.code_until = at + self.step.seconds
        elif not alive:
            self.code_until = at + plan.code_life

    def _carry_out(self, at: float) -> None:
        step = self.step
        if step.outcome is Outcome.BLOCKED and step.channel in NETWORK_CHANNELS:
            return self.finish(Status.FAILED, at, Ending.BLOCKED)
        if step.channel == SILENT:
            return self.end_step(at) if step.outcome is Outcome.LOST else None
        if self._delivers(step):
            self.post(self._message(step, at + DELAY * (step.outcome is Outcome.DELAYED)))
        return self.finish(Status.EXPIRED, at) if step.outcome is Outcome.EXPIRES else None

    @staticmethod
    def _delivers(step: Step) -> bool:
        if step.outcome is Outcome.SMS_LOST:
            return step.channel != "sms"
        # Somebody else's open request is what "concurrent" means: nothing of it reaches this outbox.
        return step.outcome not in (Outcome.LOST, Outcome.CONCURRENT)

    def _message(self, step: Step, at: float) -> Message:
        plan = self.plan
        life = self.code_until - self.began
        said = Said(brand=plan.brand, code=self.code, seconds=life, amount=plan.amount)
        own = plan.texts.get(step.channel, "")
        text = render(step.channel, said, locale=plan.locale, own=own, app_hash=step.app_hash)
        return Message(
            to=step.to,
            channel=step.channel,
            text=text.content,
            locale=text.locale,
            code=self.code,
            request_id=self.id,
            sent_at=moment(at),
        )


def same(given: str, expected: str) -> bool:
    """Compare two codes in constant time; any text may be given."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
