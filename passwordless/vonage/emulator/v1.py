"""Verify v1: form fields in, HTTP 200 and a status string out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from .answers import Answer, made_to_order, not_allowed, not_found
from .clock import moment
from .dialect import Asked, Desk, unblock_network
from .faults import Hung
from .numbers import international, national
from .outcomes import BLOCKED_NETWORK, Outcome
from .parameters import CALL, PIN_EXPIRY, PSD2_RULES, REQUEST_RULES, SMS, WORKFLOWS, Rule
from .verification import Plan, Status, Step, Verdict, Verification

API = "v1"
CANCEL_AFTER = 30
HANG = 60.0
CURRENCY = "EUR"
PRICE, MESSAGE_PRICE = Decimal("0.05"), Decimal("0.04675")

TEXTS = {
    "1": "Throttled",
    "2": "Your request is incomplete and missing the mandatory parameter",
    "3": "Invalid value for param",
    "4": "Bad credentials",
    "5": "Internal Error",
    "6": "The request was not found or it has been verified already.",
    "7": "The network you are trying to verify has been blocked due to possible fraudulent activity",
    "8": "The account of this api_key has been barred.",
    "9": "Partner quota exceeded",
    "10": "Concurrent verifications to the same number are not allowed",
    "15": "The destination number is not in a supported network",
    "16": "The code provided does not match the expected value",
    "17": "The wrong code was provided too many times. Request terminated",
    "18": "Too many request_ids provided",
    "19": "The command cannot be carried out now.",
    "20": "This account does not support the parameter: pin_code.",
    "29": "Non-Permitted Destination",
    "101": "No response found",
}
TOO_EARLY = "A verification request can't be cancelled within the first 30 seconds."
TOO_LATE = "The verification request can't be cancelled now: a second message or call has been made."
NO_EVENTS = "No more events are left to execute for the request"

AT_START: Mapping[Outcome, tuple[str, Mapping[str, str]]] = {
    Outcome.PROVIDER_ERROR: ("5", {}),
    Outcome.THROTTLED: ("1", {}),
    Outcome.LOW_CREDIT: ("9", {}),
    Outcome.UNSUPPORTED: ("15", {}),
    Outcome.BLOCKED: ("7", {"network": BLOCKED_NETWORK}),
}
"""Outcomes that the answer to a start tells."""


def says(status: str, text: str = "", **extra: object) -> Answer:
    """Return an error of v1: a status from its table in an HTTP 200."""
    return Answer(body={**extra, "status": status, "error_text": text or TEXTS.get(status, "Error")})


def fail(status: int | None) -> Answer:
    """Return a failure to order: a v1 status below 200, an HTTP code from there on."""
    if status is None or status < 200:
        return says(str(5 if status is None else status))
    return made_to_order(status)


@dataclass(frozen=True, kw_only=True)
class V1:
    """One call in the dialect of v1."""

    desk: Desk
    fields: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", self.desk.incoming.fields)

    def asked(self) -> Asked:
        """Return what was asked for, ready to be carried out."""
        routes: Mapping[str, Callable[[], Asked]] = {
            "/verify/json": lambda: self._starting(self.request),
            "/verify/psd2/json": lambda: self._starting(self.payment),
            "/verify/check/json": lambda: self._about("check", self.check),
            "/verify/search/json": lambda: self._about("search", self.search),
            "/verify/control/json": self._controlling,
            "/verify/network-unblock": lambda: Asked(verb="unblock", act=lambda: unblock_network(self.desk)),
        }
        route = routes.get(self.desk.incoming.path)
        return Asked(verb="unknown", act=not_found) if route is None else route()

    def completed(self, verification: Verification) -> Answer:
        """Return the success of a check."""
        number = self.desk.store.switches.price_as_number
        spent = MESSAGE_PRICE * len(verification.stages)
        prices = {"price": PRICE, "estimated_price_messages_sent": spent}
        told = {name: float(price) if number else f"{price:.8f}" for name, price in prices.items()}
        return Answer(
            body={
                "request_id": verification.id,
                "status": "0",
                "event_id": self.desk.store.identifier(),
                "currency": CURRENCY,
                **told,
            }
        )

    # The calls, each refused without credentials.

    def request(self) -> Answer:
        """Start a verification of a number."""
        return self._start("brand", REQUEST_RULES)

    def payment(self) -> Answer:
        """Start a verification of a payment (PSD2)."""
        return self._start("payee", PSD2_RULES)

    def check(self) -> Answer:
        """Judge a code."""
        verification, code = self._open_one(), self.fields.get("code")
        if verification is None or code is None:
            return self._missing("request_id", "code") or says("6", request_id=self._id)
        if not 4 <= len(code) <= 10:
            return says("3", f"{TEXTS['3']}: code")
        answers = {Verdict.WRONG: "16", Verdict.LAST_WRONG: "17"}
        verdict = verification.guess(code, self.desk.now)
        if verdict is Verdict.RIGHT:
            return self.completed(verification)
        return says(answers[verdict], request_id=verification.id)

    def search(self) -> Answer:
        """Tell what became of one request, or of up to ten."""
        several = self.desk.incoming.lists.get("request_ids", [])
        if not several:
            found = self._found(self._id)
            return self._missing("request_id") or (says("101") if found is None else Answer(body=found))
        if len(several) > 10:
            return says("18")
        found_all = [found for found in map(self._found, several) if found is not None]
        return Answer(body={"verification_requests": found_all}) if found_all else says("101")

    def cancel(self) -> Answer:
        """End a request: from 30 s after its start, before its second event."""
        verification = self._open_one()
        if verification is None:
            return says("6")
        if len(verification.stages) > 1:
            return says("19", TOO_LATE)
        if self.desk.now < verification.created + CANCEL_AFTER:
            return says("19", TOO_EARLY)
        verification.finish(Status.CANCELLED, self.desk.now)
        return Answer(body={"status": "0", "command": "cancel"})

    def advance(self) -> Answer:
        """Begin the next event at once."""
        verification = self._open_one()
        if verification is None:
            return says("6")
        if not verification.has_next:
            return says("19", NO_EVENTS)
        verification.move(self.desk.now)
        return Answer(body={"status": "0", "command": "trigger_next_event"})

    def unknown_command(self) -> Answer:
        """Refuse a cmd that is none."""
        return self._missing("request_id", "cmd") or says("3", f"{TEXTS['3']}: cmd")

    # What the calls are made of.

    @property
    def _id(self) -> str:
        return self.fields.get("request_id", "")

    def _controlling(self) -> Asked:
        commands = {"cancel": ("cancel", self.cancel), "trigger_next_event": ("advance", self.advance)}
        return self._about(*commands.get(self.fields.get("cmd", ""), ("unknown", self.unknown_command)))

    def _starting(self, act: Callable[[], Answer]) -> Asked:
        return Asked(verb="start", act=lambda: self._admit(act), to=self._number() or "")

    def _about(self, verb: str, act: Callable[[], Answer]) -> Asked:
        verification = self.desk.verification(API, self._id)
        to = verification.plan.number if verification else ""
        return Asked(verb=verb, act=lambda: self._admit(act), to=to, verification=verification)

    def _admit(self, act: Callable[[], Answer]) -> Answer:
        if self.desk.incoming.method not in ("GET", "POST"):
            return not_allowed()
        if not any(self._credentials()) and not self.desk.incoming.authorization:
            return says("2", "Missing api_key")
        return act() if self.desk.access.pair(*self._credentials()) else says("4")

    def _credentials(self) -> tuple[str, str]:
        header = self.desk.incoming.authorization
        given = self.desk.access.basic(header) if header else None
        return given or (self.fields.get("api_key", ""), self.fields.get("api_secret", ""))

    def _number(self) -> str | None:
        number, country = self.fields.get("number", ""), self.fields.get("country", "")
        return national(number, country.upper()) if country else international(number)

    def _missing(self, *names: str) -> Answer | None:
        for name in names:
            if name not in self.fields:
                return says("2", f"{TEXTS['2']}: {name}")
        return None

    def _wrong(self, rules: Mapping[str, Rule]) -> Answer | None:
        for name, rule in rules.items():
            if name in self.fields and not rule(self.fields[name]):
                return says("3", f"{TEXTS['3']}: {name}")
        return None

    def _start(self, name: str, rules: Mapping[str, Rule]) -> Answer:
        mandatory = ("number", name, "amount") if "amount" in rules else ("number", name)
        refused = self._missing(*mandatory) or self._wrong(rules)
        if refused is not None:
            return refused
        if "pin_code" in rules and "pin_code" in self.fields and not self.desk.store.switches.pin_code:
            return says("20")
        number = self._number()
        return says("3", f"{TEXTS['3']}: number") if number is None else self._begin(number, name)

    def _begin(self, number: str, name: str) -> Answer:
        store, now = self.desk.store, self.desk.now
        outcome = store.outcome(number, now)
        if outcome is Outcome.TIMEOUT:
            raise Hung(HANG, processed=False)
        if outcome in AT_START:
            status, extra = AT_START[outcome]
            return says(status, **extra)
        holder = store.holder(API, [number], now)
        if holder is None:
            holder = store.open(self._plan(number, name, outcome), store.identifier().replace("-", ""), now)
            if outcome is not Outcome.CONCURRENT:
                return Answer(body={"request_id": holder.id, "status": "0"})
        return says("10", request_id=holder.id)

    def _plan(self, number: str, name: str, outcome: Outcome) -> Plan:
        length = int(self.fields.get("code_length", 4))
        key, _ = self._credentials()
        payment = name == "payee"
        own_code = "" if payment else self.fields.get("pin_code", "")
        return Plan(
            api=API,
            account=key,
            brand=self.fields[name],
            steps=self._steps(number, outcome),
            code_length=length,
            fixed_code=own_code or self.desk.store.reserved.code(number, length),
            code_life=self._pin_expiry,
            sender=self.fields.get("sender_id", "verify"),
            amount=self.fields["amount"] if payment else "",
            locale=self.fields.get("lg", ""),
        )

    def _steps(self, number: str, outcome: Outcome) -> tuple[Step, ...]:
        events = WORKFLOWS[self.fields.get("workflow_id", "1")]
        wait = self.fields.get("next_event_wait")
        waits = [self._pin_expiry] if len(events) == 1 else [int(wait or own) for _, own in events]
        return tuple(
            Step(channel=channel, to=number, seconds=seconds, outcome=outcome)
            for (channel, _), seconds in zip(events, waits, strict=True)
        )

    @property
    def _pin_expiry(self) -> int:
        expiry = int(self.fields.get("pin_expiry", PIN_EXPIRY))
        if "pin_expiry" not in self.fields or "next_event_wait" not in self.fields:
            return expiry
        wait = int(self.fields["next_event_wait"])
        return expiry if expiry % wait == 0 else wait

    def _open_one(self) -> Verification | None:
        return self.desk.store.find_open(API, self._id, self.desk.now)

    def _found(self, request_id: str) -> dict[str, object] | None:
        verification = self.desk.verification(API, request_id)
        if verification is None or self._hidden(verification):
            return None
        return _described(verification)

    def _hidden(self, verification: Verification) -> bool:
        delay = self.desk.store.switches.search_delay
        return verification.ended is not None and self.desk.now < verification.ended + delay


def _date(seconds: float | None) -> str:
    return "" if seconds is None else f"{moment(seconds):%Y-%m-%d %H:%M:%S}"


def _described(verification: Verification) -> dict[str, object]:
    plan, stages = verification.plan, verification.stages
    won = verification.status is Status.COMPLETED
    return {
        "request_id": verification.id,
        "account_id": plan.account,
        "number": plan.number.removeprefix("+"),
        "sender_id": plan.sender,
        "date_submitted": _date(verification.created),
        "date_finalized": _date(verification.ended),
        "first_event_date": _date(stages[0].began),
        "last_event_date": _date(stages[-1].began),
        "price": f"{PRICE:.8f}" if won else "0",
        "currency": CURRENCY,
        "estimated_price_messages_sent": f"{MESSAGE_PRICE * len(stages):.8f}",
        "status": str(verification.status),
        "checks": [_check(guess.at, guess.code, guess.right) for guess in verification.guesses],
        "events": [_event(verification.id, i, stage.channel) for i, stage in enumerate(stages)],
    }


def _check(at: float, code: str, right: bool) -> dict[str, str]:
    status = "VALID" if right else "INVALID"
    return {"date_received": _date(at), "code": code, "status": status, "ip_address": ""}


def _event(request_id: str, index: int, channel: str) -> dict[str, str]:
    return {"id": f"{request_id[:31]}{index}", "type": {SMS: "sms", CALL: "tts"}[channel]}
