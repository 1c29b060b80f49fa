"""Forget one person everywhere, at their request (GDPR, Art. 17)."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import flow, phones
from ..amounts import many


class Command(BaseCommand):
    """Erases a number from attempts, events and users. Limits are not reset: they know no number."""

    help = "Forget NUMBER in every attempt and unlink it. Limits are not reset."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the number."""
        parser.add_argument("number", help="in any spelling; without + it is read in DEFAULT_REGION")

    def handle(self, *args: Any, **options: Any) -> None:
        """Erase and say how much."""
        try:
            number = phones.spell(options["number"])
        except phones.NumberRefused as refused:
            raise CommandError(f"That is no number: {refused.words}.") from None
        self.stdout.write(f"Unlinked, and erased from {many(flow.erase(number), 'attempt')}.")
