"""What both dialects share: a call that was understood, and the tools to carry it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .access import Access
from .answers import Answer, forbidden, not_allowed, problem
from .clock import moment
from .incoming import Incoming
from .store import Store
from .templates import Templates
from .verification import Status, Verification

DEFAULT_UNBLOCK = 3600
LONGEST_UNBLOCK = 86400


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One call as a dialect understands it; `act` carries it out."""

    verb: str
    act: Callable[[], Answer]
    to: str = ""
    verification: Verification | None = None

    @property
    def completed(self) -> bool:
        """Whether the request it speaks of was verified before."""
        return self.verification is not None and self.verification.status is Status.COMPLETED


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a dialect works with for one call."""

    store: Store
    access: Access
    incoming: Incoming
    now: float
    templates: Templates

    def verification(self, api: str, request_id: str) -> Verification | None:
        """Return the request of that id as it stands now."""
        return self.store.find(api, request_id, self.now)


def unblock_network(desk: Desk) -> Answer:
    """Lift the block of a network for 0 to 86,400 seconds (3,600 unless told)."""
    if desk.incoming.method != "POST":
        return not_allowed()
    if desk.access.account(desk.incoming.authorization) is None:
        return unauthorized()
    given = desk.incoming.json
    given = given if isinstance(given, dict) else {}
    network, seconds = given.get("network"), given.get("unblock_duration", DEFAULT_UNBLOCK)
    if not isinstance(network, str) or not network:
        return _invalid("Network not found.", "network", "A network code is required.")
    if type(seconds) is not int or not 0 <= seconds <= LONGEST_UNBLOCK:
        return _invalid("Invalid unblock_duration parameter", "unblock_duration", "Must be 0 to 86400.")
    return _unblock(desk, network, seconds)


def unauthorized() -> Answer:
    """Return 401."""
    return problem(401, "Unauthorized", "You did not provide correct credentials.")


def _unblock(desk: Desk, network: str, seconds: int) -> Answer:
    if not desk.store.switches.network_unblock:
        return forbidden()
    if not desk.store.unblock(network, seconds, desk.now):
        detail = "The network you provided does not have an active block."
        return problem(404, "Not Found", detail, slug="bad-request")
    until = moment(desk.now + seconds).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Answer(status=202, body={"network": network, "unblocked_until": until})


def _invalid(title: str, name: str, reason: str) -> Answer:
    # The slug is spelled as Vonage spells it.
    faults = [{"name": name, "reason": reason}]
    return problem(422, title, reason, slug="invalid-paramater", invalid_parameters=faults)
