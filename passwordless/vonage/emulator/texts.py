"""What the messages and calls say, by channel."""

from __future__ import annotations

import math


def duration(seconds: float) -> str:
    """Return a validity in seconds as words: whole minutes, rounded down, from one minute on."""
    if seconds < 60:
        return f"{max(1, math.ceil(seconds))} seconds"
    minutes = int(seconds // 60)
    return f"{minutes} minute" if minutes == 1 else f"{minutes} minutes"


TEXTS = {
    "sms": "{brand} code: {code}. Valid for {life}.",
    "voice": "Hello. Your {brand} code is: {spelled}. Once more: {spelled}.",
    "whatsapp": "*{code}* is your {brand} code. Valid for {life}.",
    "rcs": "{brand} code: {code}. Valid for {life}.",
    "email": "Your {brand} code is {code}. Valid for {life}.",
    "payment sms": "Code {code} to pay {amount} euro to {brand}. Valid for {life}.",
    "payment voice": "To pay {amount} euro to {brand}, your code is: {spelled}. Once more: {spelled}.",
}


def render(
    channel: str, *, brand: str, code: str, seconds: float, amount: str = "", app_hash: str = ""
) -> str:
    """Return the text of one message, or the transcript of one call.

    `seconds` is how long the code is valid; `amount` makes it the text of a payment (PSD2);
    `app_hash` is the last line that Android's SMS Retriever looks for.
    """
    template = TEXTS[f"payment {channel}" if amount else channel]
    spelled, life = ", ".join(code), duration(seconds)
    text = template.format(brand=brand, code=code, spelled=spelled, life=life, amount=amount)
    return f"{text}\n{app_hash}" if app_hash else text
