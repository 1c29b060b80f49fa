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
    template_writing: bool = True
    """v2: the account may write templates (HTTP 403 otherwise)."""
    webhook_always: bool = False
    """Webhooks also for requests by key and secret; Vonage sends them only for those by JWT."""
    channel_events: bool = True
    """A webhook at the end of every message or call too, as documented; silent_auth always has its own."""
    webhook_lag: float = 0.1
    """Seconds from what happened to its webhook, so that the answer to the call comes first."""
    webhook_duplicates: bool = False
    """Every webhook is sent twice, each time with a token of its own."""
    webhook_reordering: bool = False
    """Webhooks of one moment go out newest first: the summary before its events."""
    webhook_unsigned: bool = False
    """The first try of a webhook has no token; refused, it comes again with one."""
    webhook_wrong_hash: bool = False
    """The token vouches for another body."""
    webhook_clock_ahead: float = 0
    """Seconds by which the clock that dates the tokens is ahead (negative: behind)."""
    webhook_price_as_number: bool = False
    """The price of a summary as a JSON number instead of a string."""
    webhook_action_as_list: bool = True
    """`action` of silent_auth as a list with one object, as the specification has it, or as the object."""
