"""What the messages and calls say, by channel and language."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from .languages import ENGLISH, Language, spoken

DEFAULT = "en-us"
"""The language of a text for which none was asked, or one that is not spoken here."""
PAYMENTS = {
    "sms": "Code {code} to pay {amount} euro to {brand}. Valid for {life}.",
    "voice": "To pay {amount} euro to {brand}, your code is: {spelled}. Once more: {spelled}.",
}
VARIABLE = re.compile(r"\$\{(code|brand|time-limit|time-limit-unit)\}")


@dataclass(frozen=True)
class Text:
    """A text and the tag of its language."""

    content: str
    locale: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a text has to tell. `seconds` is how long the code is valid; `amount` is that of a payment."""

    brand: str
    code: str
    seconds: float
    amount: str = ""

    @property
    def life(self) -> tuple[str, int]:
        """The validity in `seconds`, or in whole `minutes`, rounded down, from one minute on."""
        if self.seconds < 60:
            return "seconds", max(1, math.ceil(self.seconds))
        return "minutes", int(self.seconds // 60)


def render(channel: str, said: Said, *, locale: str = "", own: str = "", app_hash: str = "") -> Text:
    """Return the text of one message, or the transcript of one call.

    `own` is a site's own text for this channel and locale; `app_hash` is the last line that Android's SMS
    Retriever looks for.
    """
    language = spoken(locale)
    if own:
        text = Text(_filled(own, channel, said, language or ENGLISH), locale or DEFAULT)
    elif said.amount:
        text = Text(_worded(PAYMENTS[channel], said, ENGLISH), "en-gb")
    else:
        worded = _worded((language or ENGLISH).text(channel), said, language or ENGLISH)
        text = Text(worded, locale if language else DEFAULT)
    return Text(f"{text.content}\n{app_hash}", text.locale) if app_hash else text


def _worded(template: str, said: Said, language: Language) -> str:
    unit, number = said.life
    return template.format(
        brand=said.brand,
        code=said.code,
        spelled=_spelled(said.code),
        life=language.form(unit, number).format(n=number),
        amount=said.amount,
    )


def _filled(own: str, channel: str, said: Said, language: Language) -> str:
    unit, number = said.life
    values = {
        "code": _spelled(said.code) if channel == "voice" else said.code,
        "brand": said.brand,
        "time-limit": str(number),
        "time-limit-unit": language.form(unit, number).replace("{n}", "").strip(),
    }
    # All in one pass: nothing that was filled in is read as a variable again.
    return VARIABLE.sub(lambda found: values[found[1]], own)


def _spelled(code: str) -> str:
    return ", ".join(code)
