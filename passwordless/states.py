"""The vocabulary: where an attempt is, why, and which moves exist. What MOVES lacks cannot happen."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Status(TextChoices):
    """Where a verification attempt is. Nothing but VERIFIED lets anybody in."""

    STARTING = "starting", _("Sending")
    PENDING = "pending", _("Waiting for the code")
    CHECKING = "checking", _("Checking a code")
    VERIFIED = "verified", _("Verified")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Expired")
    CANCELLED = "cancelled", _("Cancelled")
    REFUSED = "refused", _("Refused")


MOVES: dict[Status, frozenset[Status]] = {
    Status.STARTING: frozenset({Status.PENDING, Status.REFUSED, Status.EXPIRED}),
    Status.PENDING: frozenset({Status.CHECKING, Status.FAILED, Status.CANCELLED, Status.EXPIRED}),
    Status.CHECKING: frozenset({Status.PENDING, Status.VERIFIED, Status.FAILED, Status.EXPIRED}),
}

LIVE = frozenset(MOVES)
"""The statuses that can still move."""

SOURCES: dict[Status, frozenset[Status]] = {
    target: frozenset(source for source, targets in MOVES.items() if target in targets) for target in Status
}
"""The same moves read backwards: from where a status may be reached."""


class Purpose(TextChoices):
    """What a right code is for. Decided by the browser that typed it, never by the attempt."""

    LOGIN = "login", pgettext_lazy("purpose", "Log in")
    CONFIRM = "confirm", pgettext_lazy("purpose", "Confirm")
    LINK = "link", pgettext_lazy("purpose", "Link a number")


class Channel(TextChoices):
    """How a code travels."""

    SMS = "sms", pgettext_lazy("channel", "Text message")
    VOICE = "voice", pgettext_lazy("channel", "Phone call")
    WHATSAPP = "whatsapp", pgettext_lazy("channel", "WhatsApp")


class Reason(TextChoices):
    """Why, for staff and the audit. Pages show only the Public outcome each belongs to."""

    OK = "ok", _("Fine")
    # What the provider said of a number, a code or a request.
    WRONG_CODE = "wrong_code", _("Wrong code")
    TOO_MANY_GUESSES = "too_many_guesses", _("Too many wrong codes")
    GONE = "gone", _("Unknown or finished at Vonage")
    CONCURRENT = "concurrent", _("Another request for this number is open at Vonage")
    NO_MORE_STEPS = "no_more_steps", _("No further channel is left")
    NO_CODE_STEP = "no_code_step", _("The current step takes no code")
    NOT_CANCELLABLE = "not_cancellable", _("Too early or too late to cancel")
    UNROUTABLE = "unroutable", _("The number cannot be reached")
    UNSUPPORTED_NETWORK = "unsupported_network", _("Network or country not served by Vonage")
    BLOCKED = "blocked", _("Blocked by Vonage's fraud rules")
    NOT_PERMITTED = "not_permitted", _("Trial account: number not on the allow list")
    LOST = "lost", _("Finished at Vonage, unknown to whom")
    # What the provider said of us.
    THROTTLED = "throttled", _("Too many requests to Vonage")
    INVALID_REQUEST = "invalid_request", _("Vonage refused our parameters")
    CREDENTIALS = "credentials", _("Vonage refused our credentials")
    FORBIDDEN = "forbidden", _("Our Vonage account may not do this")
    NO_CREDIT = "no_credit", _("Our Vonage credit is spent")
    PROVIDER_ERROR = "provider_error", _("Provider error")
    UNAVAILABLE = "unavailable", _("No answer from Vonage")
    # What we decided ourselves.
    SENDING = "sending", _("Still being sent")
    BUSY = "busy", _("A check is already running")
    RESERVED_GUESS = "reserved_guess", _("The last guess belongs to whoever asked first")
    EXPIRED = "expired", _("Out of time")
    REUSED = "reused", _("The code was used before")
    CANCELLED = "cancelled", _("Cancelled by the visitor")
    WAIT = "wait", _("Asked again too soon")
    LIMIT_NUMBER = "limit_number", _("Limit: sends to this number")
    LIMIT_CALLS = "limit_calls", _("Limit: calls to this number")
    LIMIT_SESSION = "limit_session", _("Limit: sends from this session")
    LIMIT_IP = "limit_ip", _("Limit: sends from this address")
    LIMIT_FAILS = "limit_fails", _("Limit: failed checks of this number")
    LIMIT_FAILS_IP = "limit_fails_ip", _("Limit: failed checks from this address")
    LIMIT_BLOCK = "limit_block", _("Limit: sends to this block of numbers")
    LIMIT_COUNTRY = "limit_country", _("Limit: sends to this country")
    LIMIT_SITE = "limit_site", _("Limit: sends of this site")
    LOCKED = "locked", _("Too many failed checks without a success")
    BLOCK_CLOSED = "block_closed", _("No code of this block of numbers comes back")
    CIRCUIT_OPEN = "circuit_open", _("Not asked: Vonage is failing")
    CROWDED = "crowded", _("Not asked: too many calls to Vonage at once")
    UNKNOWN_NUMBER = "unknown_number", _("No user has this number")
    INACTIVE_USER = "inactive_user", _("The user is not active")
    STAFF_USER = "staff_user", _("Staff do not log in by phone here")
    NOT_ALLOWED = "not_allowed", _("The site does not let this user in")


class Public(TextChoices):
    """All that a visitor may learn of an outcome: never which limit, never whether an account exists."""

    DONE = "done"
    WRONG = "wrong"
    EXPIRED = "expired"
    WAIT = "wait"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    NUMBER_REFUSED = "number_refused"


PUBLIC: dict[Reason, Public] = {
    Reason.OK: Public.DONE,
    Reason.WRONG_CODE: Public.WRONG,
    Reason.INACTIVE_USER: Public.WRONG,
    Reason.STAFF_USER: Public.WRONG,
    Reason.NOT_ALLOWED: Public.WRONG,
    Reason.UNKNOWN_NUMBER: Public.WRONG,
    Reason.TOO_MANY_GUESSES: Public.EXPIRED,
    Reason.RESERVED_GUESS: Public.EXPIRED,
    Reason.GONE: Public.EXPIRED,
    Reason.LOST: Public.EXPIRED,
    Reason.EXPIRED: Public.EXPIRED,
    Reason.REUSED: Public.EXPIRED,
    Reason.CANCELLED: Public.EXPIRED,
    Reason.NO_MORE_STEPS: Public.WAIT,
    Reason.NOT_CANCELLABLE: Public.WAIT,
    Reason.CONCURRENT: Public.WAIT,
    Reason.WAIT: Public.WAIT,
    Reason.LIMIT_NUMBER: Public.WAIT,
    Reason.LIMIT_CALLS: Public.WAIT,
    Reason.LIMIT_SESSION: Public.WAIT,
    Reason.LIMIT_IP: Public.WAIT,
    Reason.LIMIT_FAILS: Public.WAIT,
    Reason.LIMIT_FAILS_IP: Public.WAIT,
    Reason.LIMIT_BLOCK: Public.WAIT,
    Reason.LIMIT_COUNTRY: Public.WAIT,
    Reason.LIMIT_SITE: Public.WAIT,
    Reason.LOCKED: Public.WAIT,
    Reason.BLOCK_CLOSED: Public.WAIT,
    Reason.BUSY: Public.BUSY,
    Reason.SENDING: Public.BUSY,
    Reason.NO_CODE_STEP: Public.BUSY,
    Reason.UNROUTABLE: Public.NUMBER_REFUSED,
    Reason.UNSUPPORTED_NETWORK: Public.NUMBER_REFUSED,
    Reason.BLOCKED: Public.NUMBER_REFUSED,
    Reason.NOT_PERMITTED: Public.NUMBER_REFUSED,
    Reason.THROTTLED: Public.UNAVAILABLE,
    Reason.INVALID_REQUEST: Public.UNAVAILABLE,
    Reason.CREDENTIALS: Public.UNAVAILABLE,
    Reason.FORBIDDEN: Public.UNAVAILABLE,
    Reason.NO_CREDIT: Public.UNAVAILABLE,
    Reason.PROVIDER_ERROR: Public.UNAVAILABLE,
    Reason.UNAVAILABLE: Public.UNAVAILABLE,
    Reason.CIRCUIT_OPEN: Public.UNAVAILABLE,
    Reason.CROWDED: Public.UNAVAILABLE,
}


class EventKind(TextChoices):
    """What the timeline of an attempt is made of."""

    ASKED = "asked", _("Asked for a code")
    JOINED = "joined", _("Asked again while a code was on its way")
    SENT = "sent", _("Vonage accepted the request")
    REFUSED = "refused", _("Refused")
    UNANSWERED = "unanswered", _("Vonage did not answer")
    RECOVERED = "recovered", _("Recovered a request whose answer was lost")
    NEXT = "next", _("Next channel")
    GUESSED = "guessed", _("Wrong code")
    CHECK_FAILED = "check_failed", _("The check got no verdict")
    VERIFIED = "verified", _("Verified")
    CANCELLED = "cancelled", _("Cancelled")
    REPLAYED = "replayed", _("A used code was typed again")
    REPORTED = "reported", _("Vonage reported")
    NOTED = "noted", _("Over a limit, which is only recorded")
    HIDDEN = "hidden", _("Went on as if sent, since sign-up is closed")
    PUMPING = "pumping", _("A block of numbers looks like pumping")
    CONVERSION = "conversion", _("Few codes come back from a country")
    UNLOCKED = "unlocked", _("Unlocked")
    ERASED = "erased", _("Erased")
    LINKED = "linked", _("Number linked to a user")
    UNLINKED = "unlinked", _("Number unlinked from a user")
    LOOKED = "looked", _("Staff saw the full number")
    EXPORTED = "exported", _("Staff exported attempts")
