"""Verify v2: JSON in, HTTP codes and problem bodies out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from . import catalogue
from .answers import Answer, conflict, forbidden, invalid, made_to_order, not_allowed, not_found, problem
from .dialect import Asked, Desk, unauthorized, unblock_network
from .faults import Hung
from .numbers import international
from .order import Invalid, Order, Sender, read_order
from .outcomes import Outcome
from .verification import SILENT, Ending, Plan, Status, Step, Verdict, Verification

API = "v2"
HANG = 60.0
RETRY_AFTER = 30
CANCEL_AFTER = 30
SILENT_SECONDS = 60
HOPS = 2
UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
PATH = re.compile(rf"/v2/verify/(?P<id>{UUID})(?P<rest>/next_workflow|/silent-auth/redirect)?", re.ASCII)
VIRTUAL_OPERATOR = "+990"


def fail(status: int | None) -> Answer:
    """Return a failure to order, as a problem body; of v1's statuses it knows 15, a network not served."""
    if status == 15:
        return _unsupported()
    return made_to_order(status if status is not None and status >= 200 else 500)


def _throttled() -> Answer:
    wait = (("Retry-After", str(RETRY_AFTER)),)
    return problem(429, "Rate Limit Hit", "Please wait, then retry your request", headers=wait)


def _unsupported() -> Answer:
    return invalid({"name": "workflow[0]", "reason": "`to` Phone number is not in a supported network"})


AT_START: Mapping[Outcome, Callable[[], Answer]] = {
    Outcome.PROVIDER_ERROR: lambda: problem(500, "Internal Server Error"),
    Outcome.THROTTLED: _throttled,
    Outcome.LOW_CREDIT: lambda: problem(402, "Low balance", "The account has too little credit."),
    Outcome.UNSUPPORTED: _unsupported,
}
"""Outcomes that the answer to a start tells."""


@dataclass(frozen=True, kw_only=True)
class V2:
    """One call in the dialect of v2."""

    desk: Desk

    def asked(self) -> Asked:
        """Return what was asked for, ready to be carried out."""
        incoming = self.desk.incoming
        if incoming.path in ("/v2/verify", "/v2/verify/"):
            return self._call("start", "POST", self.start, to=self._number())
        if incoming.path == "/v2/verify/network-unblock":
            return Asked(verb="unblock", act=lambda: unblock_network(self.desk))
        if incoming.path.startswith(catalogue.ROOT):
            return Asked(verb="templates", act=self._templates)
        found = PATH.fullmatch(incoming.path)
        return Asked(verb="unknown", act=not_found) if found is None else self._about(found)

    def completed(self, verification: Verification) -> Answer:
        """Return the success of a check."""
        return Answer(body={"request_id": verification.id, "status": "completed"})

    def start(self) -> Answer:
        """Start a verification."""
        order = read_order(self.desk.incoming.json)
        if isinstance(order, Invalid):
            return invalid(*order.faults)
        if isinstance(order, Sender):
            return problem(422, "Invalid sender", "The `from` parameter is invalid.")
        if order.skip_fraud_check and not self.desk.store.switches.skip_fraud_check:
            return forbidden()
        if self.desk.templates.texts(order.template_id, order.locale) is None:
            return invalid({"name": "template_id", "reason": "Template is unknown"})
        return self._begin(order)

    def check(self, request_id: str) -> Answer:
        """Judge a code."""
        given = self.desk.incoming.json
        code = given.get("code") if isinstance(given, dict) else None
        if not isinstance(code, str) or not 4 <= len(code) <= 10:
            return invalid({"name": "code", "reason": "`code` must be 4 to 10 characters"})
        verification = self._open_one(request_id)
        if verification is None:
            return self._gone(request_id)
        return self._judged(verification, verification.guess(code, self.desk.now))

    def cancel(self, request_id: str) -> Answer:
        """End a request."""
        verification = self._open_one(request_id)
        if verification is None:
            return self._gone(request_id)
        early = self.desk.now < verification.created + CANCEL_AFTER
        if self.desk.store.switches.v2_cancel_rule and (early or verification.position > 0):
            return conflict("The request cannot be cancelled now.")
        verification.finish(Status.CANCELLED, self.desk.now)
        return Answer(status=204)

    def advance(self, request_id: str) -> Answer:
        """Begin the next step at once."""
        verification = self._open_one(request_id)
        if verification is None:
            return self._gone(request_id)
        if not verification.has_next:
            return conflict("There are no more events left to trigger.", slug="no-events")
        verification.move(self.desk.now)
        return Answer()

    def silent(self, request_id: str) -> Answer:
        """Send the phone on, and at the end of the chain tell it the code."""
        verification = self._open_one(request_id)
        if verification is None or verification.step.channel != SILENT:
            return self._gone(request_id)
        hop = next((n for n in range(HOPS) if f"hop={n + 1}" == self.desk.incoming.query), -1) + 1
        if hop < HOPS:
            path = f"{self.desk.incoming.base}{self.desk.incoming.path}?hop={hop + 1}"
            return Answer(status=302, headers=(("Location", path),))
        return self._recognised(verification)

    # What the calls are made of.

    def _call(self, verb: str, method: str, act: Callable[[], Answer], to: str = "") -> Asked:
        return Asked(verb=verb, act=lambda: self._admit(method, act), to=to)

    def _about(self, found: re.Match[str]) -> Asked:
        request_id = found["id"].lower()
        routes = {
            ("POST", None): ("check", self.check),
            ("DELETE", None): ("cancel", self.cancel),
            ("POST", "/next_workflow"): ("advance", self.advance),
            ("GET", "/silent-auth/redirect"): ("silent", self.silent),
        }
        route = routes.get((self.desk.incoming.method, found["rest"]))
        if route is None:
            return Asked(verb="unknown", act=not_allowed)
        return self._routed(request_id, *route)

    def _routed(self, request_id: str, verb: str, act: Callable[[str], Answer]) -> Asked:
        verification = self.desk.verification(API, request_id)
        to = verification.plan.number if verification else ""
        # The phone that opens a check_url has no credentials.
        carry_out = (
            (lambda: act(request_id))
            if verb == "silent"
            else (lambda: self._admit(self.desk.incoming.method, lambda: act(request_id)))
        )
        return Asked(verb=verb, act=carry_out, to=to, verification=verification)

    def _templates(self) -> Answer:
        return unauthorized() if self._account is None else catalogue.Catalogue(desk=self.desk).answer()

    def _admit(self, method: str, act: Callable[[], Answer]) -> Answer:
        if self.desk.incoming.method != method:
            return not_allowed()
        return unauthorized() if self._account is None else act()

    @property
    def _account(self) -> str | None:
        return self.desk.access.account(self.desk.incoming.authorization)

    def _number(self) -> str:
        given: Any = self.desk.incoming.json
        try:
            return international(given["workflow"][0]["to"]) or ""
        except (TypeError, KeyError, IndexError, AttributeError):
            return ""

    def _open_one(self, request_id: str) -> Verification | None:
        return self.desk.store.find_open(API, request_id, self.desk.now)

    @staticmethod
    def _gone(request_id: str) -> Answer:
        return not_found(f"Request '{request_id}' was not found or it has been verified already.")

    def _judged(self, verification: Verification, verdict: Verdict) -> Answer:
        answers: Mapping[Verdict, Callable[[], Answer]] = {
            Verdict.RIGHT: lambda: self.completed(verification),
            Verdict.WRONG: lambda: problem(
                400, "Invalid Code", "The code you provided does not match the expected value."
            ),
            Verdict.LAST_WRONG: lambda: problem(
                410,
                "Invalid Code",
                "An incorrect code has been provided too many times. Workflow terminated.",
                slug="expired",
            ),
            Verdict.NO_CODE_STEP: lambda: conflict(
                "The current Verify workflow step does not support a code.", slug="no-code"
            ),
        }
        return answers[verdict]()

    def _begin(self, order: Order) -> Answer:
        store, now = self.desk.store, self.desk.now
        steps = tuple(self._step(order, index) for index in range(len(order.channels)))
        first = steps[0].outcome
        if first is Outcome.TIMEOUT:
            raise Hung(HANG, processed=False)
        if first in AT_START:
            return AT_START[first]()
        holder = store.holder(API, [step.to for step in steps], now)
        if holder is None:
            holder = store.open(self._plan(order, steps), store.identifier(), now)
            if first is not Outcome.CONCURRENT:
                return self._accepted(holder)
        detail = "Concurrent verifications to the same number are not allowed"
        return conflict(detail, slug="concurrent", request_id=holder.id)

    def _step(self, order: Order, index: int) -> Step:
        channel = order.channels[index]
        outcome = self.desk.store.outcome(channel.to, self.desk.now)
        if outcome is Outcome.BLOCKED and order.skip_fraud_check:
            outcome = Outcome.WORKS
        return Step(
            channel=channel.name,
            to=channel.to,
            seconds=SILENT_SECONDS if channel.name == SILENT else order.channel_timeout,
            outcome=outcome,
            app_hash=channel.app_hash,
            redirect_url=channel.redirect_url,
        )

    def _plan(self, order: Order, steps: tuple[Step, ...]) -> Plan:
        application = self.desk.access.application(self.desk.incoming.authorization)
        heard = bool(application) or self.desk.store.switches.webhook_always
        return Plan(
            api=API,
            account=self._account or "",
            brand=order.brand,
            steps=steps,
            code_length=order.code_length,
            fixed_code=order.code or self.desk.store.reserved.code(steps[0].to, order.code_length),
            one_code=self.desk.store.switches.reuse_code or order.reuse_code,
            channel_timeout=order.channel_timeout,
            client_ref=order.client_ref,
            locale=order.locale,
            texts=self.desk.templates.texts(order.template_id, order.locale) or {},
            application=application,
            base=self.desk.incoming.base,
            # A reserved "concurrent" request is somebody else's: only that one hears of it.
            webhooks=heard and steps[0].outcome is not Outcome.CONCURRENT,
        )

    def _accepted(self, verification: Verification) -> Answer:
        body = {"request_id": verification.id}
        if verification.open and verification.step.channel == SILENT:
            body["check_url"] = verification.check_url
        return Answer(status=202, body=body)

    def _recognised(self, verification: Verification) -> Answer:
        if self._rejected(verification):
            return self._not_recognised(verification)
        verification.silent_code = verification.silent_code or self.desk.store.silent_code()
        told = {"request_id": verification.id, "code": verification.silent_code}
        return self._landing(verification.step, told) or Answer(body=told)

    def _not_recognised(self, verification: Verification) -> Answer:
        landing = self._landing(verification.step, {"request_id": verification.id})
        failed = verification.step.to.endswith("99")
        verification.end_step(self.desk.now, Ending.FAILED if failed else Ending.USER_REJECTED)
        return landing or forbidden()

    @staticmethod
    def _landing(step: Step, told: Mapping[str, str]) -> Answer | None:
        if not step.redirect_url:
            return None
        return Answer(status=302, headers=(("Location", f"{step.redirect_url}#{urlencode(told)}"),))

    @staticmethod
    def _rejected(verification: Verification) -> bool:
        to = verification.step.to
        return to.startswith(VIRTUAL_OPERATOR) and (to.endswith("99") or int(to[-1]) % 2 == 1)
