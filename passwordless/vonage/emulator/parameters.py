"""What v1 takes in the fields of its forms: workflows, languages, and a rule for each field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

PIN_EXPIRY = 300
SMS, CALL = "sms", "voice"
WORKFLOWS: Mapping[str, tuple[tuple[str, int], ...]] = {
    "1": ((SMS, 125), (CALL, 180), (CALL, 300)),
    "2": ((SMS, 125), (SMS, 180), (CALL, 300)),
    "3": ((CALL, 150), (CALL, 150)),
    "4": ((SMS, 120), (SMS, 180)),
    "5": ((SMS, 120), (CALL, 180)),
    "6": ((SMS, PIN_EXPIRY),),
    "7": ((CALL, PIN_EXPIRY),),
}
"""Channel of each event and the seconds after it; a lone event lasts as long as its code."""


def _tags(text: str) -> frozenset[str]:
    return frozenset(text.split())


LANGUAGES = _tags(
    "ar-xa cs-cz cy-cy cy-gb da-dk de-de el-gr en-au en-gb en-in en-us es-es es-mx es-us fi-fi fil-ph fr-ca "
    "fr-fr hi-in hu-hu id-id is-is it-it ja-jp ko-kr nb-no nl-nl pl-pl pt-br pt-pt ro-ro ru-ru sv-se th-th "
    "tr-tr vi-vn yue-cn zh-cn zh-tw"
)
PSD2_LANGUAGES = _tags(
    "en-gb bg-bg cs-cz da-dk de-de ee-et el-gr es-es fi-fi fr-fr ga-ie hu-hu it-it lv-lv lt-lt mt-mt nl-nl "
    "pl-pl sk-sk sl-si sv-se"
)

Rule = Callable[[str], bool]


def _matches(pattern: str) -> Rule:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None


def _between(low: int, high: int) -> Rule:
    return lambda value: value.isascii() and value.isdigit() and len(value) < 9 and low <= int(value) <= high


def _at_most(length: int) -> Rule:
    return lambda value: len(value) <= length


def _amount(value: str) -> bool:
    try:
        return 0 < Decimal(value) < 10**9
    except InvalidOperation:
        return False


COMMON_RULES: dict[str, Rule] = {
    "country": _matches("[A-Za-z]{2}"),
    "code_length": {"4", "6"}.__contains__,
    "pin_expiry": _between(60, 3600),
    "next_event_wait": _between(60, 900),
    "workflow_id": WORKFLOWS.__contains__,
}
REQUEST_RULES: Mapping[str, Rule] = COMMON_RULES | {
    "brand": _at_most(18),
    "sender_id": _matches("[A-Za-z0-9]{1,11}"),
    "lg": LANGUAGES.__contains__,
    "pin_code": _matches("[A-Za-z0-9-]{4,10}"),
}
PSD2_RULES: Mapping[str, Rule] = COMMON_RULES | {
    "payee": _at_most(18),
    "amount": _amount,
    "lg": PSD2_LANGUAGES.__contains__,
}
