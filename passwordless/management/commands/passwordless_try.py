"""Send and check one code from the terminal: the quickest proof that the settings work."""

from __future__ import annotations

from getpass import getpass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import codes, flow, gateway, phones
from ...conf import settings
from ...outcomes import Handle, Outcome, Visitor
from ...states import Purpose, Reason, Status
from ..amounts import many


class Command(BaseCommand):
    """Asks for a code and checks what is typed. Logs nobody in and makes no user."""

    help = "Send a code to NUMBER and check it. Logs nobody in."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the number."""
        parser.add_argument("number", help="in any spelling; without + it is read in DEFAULT_REGION")

    def handle(self, *args: Any, **options: Any) -> None:
        """Start, ask, check."""
        try:
            number = phones.parse(options["number"])
        except phones.NumberRefused as refused:
            raise CommandError(f"That number gets no code: {refused.words}.") from None
        try:
            outcome = flow.start(number, Visitor(), Purpose.CONFIRM)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        if outcome.handle is None or outcome.reason is not Reason.OK:
            raise CommandError(_why(outcome))
        self.stdout.write(f"A code is on its way to {phones.mask(number)}.")
        self._show(number)
        self._check(outcome.handle)

    def _show(self, number: str) -> None:
        """Play the phone, where the emulator answers in this process and nobody else could read it."""
        emulator = gateway.emulator()
        for message in emulator.messages(number) if emulator else []:
            self.stdout.write(f"The emulator sent: {message.text}")

    def _check(self, handle: Handle) -> None:
        while True:
            try:
                code = codes.clean(getpass("Code: "), settings.CODE_LENGTH)
            except codes.CodeRefused:
                self.stderr.write(f"A code has {settings.CODE_LENGTH} digits.")
                continue
            except (EOFError, KeyboardInterrupt):
                raise CommandError(_left(flow.cancel(handle, Visitor()))) from None
            outcome = flow.check(handle, code, Visitor())
            if outcome.verified:
                self.stdout.write(self.style.SUCCESS("Right. The settings work."))
                return
            if not outcome.guesses_left:
                raise CommandError(_why(outcome))
            self.stderr.write(f"{_why(outcome)} {many(outcome.guesses_left, 'tr', 'y,ies')} left.")


def _left(outcome: Outcome) -> str:
    return "Cancelled." if outcome.status is Status.CANCELLED else f"Not cancelled: {_why(outcome)}"


def _why(outcome: Outcome) -> str:
    again = f" Again after {outcome.retry_at:%H:%M:%S} UTC." if outcome.retry_at else ""
    return f"{outcome.reason.label}.{again}"
