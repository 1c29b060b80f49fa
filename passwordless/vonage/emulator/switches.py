"""Points that Vonage does not document or grants by account; the defaults are the likelier reading."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Switches:
    """How this emulator behaves where two behaviours are possible."""

    wrong_codes: int = 3
    """Which wrong code ends the request (v1 status 17, v2 HTTP 410)."""
    v2_cancel_rule: bool = False
    """Let v2 cancel only from 30 s after the start and before the second step, as v1 does."""
    reuse_code: bool = False
    """v2: one code for all channels instead of one for each."""
    price_as_number: bool = False
    """v1: prices as JSON numbers instead of strings."""
    problem_type: bool = True
    """v2: problem bodies have a `type`."""
    search_delay: float = 0
    """v1: seconds until search knows that a request is over (101 until then); up to 60 at Vonage."""
    lock_after_cancel: float = 0
    """v2: seconds for which a cancelled request still holds its number; about 12 at Vonage."""
    pin_code: bool = True
    """v1: the account may choose its own codes (status 20 otherwise)."""
    skip_fraud_check: bool = True
    """v2: the account may send `fraud_check: false` (HTTP 403 otherwise)."""
    network_unblock: bool = True
    """The account may unblock a network (HTTP 403 otherwise)."""
