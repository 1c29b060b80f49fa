"""How the flow asks a gateway: outside of any transaction, timed, and with no exception left to forget."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from ..states import Reason
from ..vonage.dialect import NotAsked, Reply, Unavailable

logger = logging.getLogger("passwordless")

# What only the owner of the site can mend; the visitor sees no more than that it does not work now.
ALARMING = frozenset({Reason.CREDENTIALS, Reason.NO_CREDIT, Reason.FORBIDDEN, Reason.INVALID_REQUEST})


class Answer(NamedTuple):
    """A reply, whether the request may have reached the provider, and how long it took (milliseconds)."""

    reply: Reply
    sent: bool
    took: int
    asked: bool = True
    """False where nobody would have been served, and so everybody may be told."""

    @property
    def reason(self) -> Reason:
        """Return the reply's reason."""
        return self.reply.reason


def ask(verb: Callable[[], Reply]) -> Answer:
    """Call one verb of a gateway. No answer is an answer too: `Reason.UNAVAILABLE`."""
    started = monotonic()
    sent = asked = True
    try:
        reply = verb()
    except NotAsked as error:
        reply, sent, asked = Reply(reason=error.reason), False, False
    except Unavailable as error:
        reply, sent = Reply(reason=Reason.UNAVAILABLE), error.sent
    took = int((monotonic() - started) * 1000)
    if reply.reason in ALARMING:
        logger.error("Vonage does not serve this site: %s (%s)", reply.reason.value, reply.vendor)
    return Answer(reply, sent, took, asked)
