"""The last line before a log: masks whatever looks like a number, on our own loggers, by default."""

from __future__ import annotations

import logging
import re

# A number in any spelling, or the digits of a code (4 to 10), or of a number without its plus.
NUMBER = re.compile(r"\+?(?<![\w.])\d[\d \-().]{6,}\d|(?<!\d)\d{4,}")


class MaskNumbers(logging.Filter):
    """Replaces digits that could be a phone number or a code, and control characters that could forge a line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask, and let the record pass."""
        text = record.getMessage()
        masked = NUMBER.sub("•••", text)
        if masked != text or not masked.isprintable():
            record.msg = "".join(one if one.isprintable() else "�" for one in masked)
            record.args = ()
        return True


def install() -> None:
    """Put the filter on our loggers, once."""
    for name in ("passwordless", "passwordless.vonage", "passwordless.vonage.emulator.courier"):
        logger = logging.getLogger(name)
        if not any(isinstance(one, MaskNumbers) for one in logger.filters):
            logger.addFilter(MaskNumbers())
