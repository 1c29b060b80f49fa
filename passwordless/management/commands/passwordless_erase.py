"""Forget one person everywhere, at their request (GDPR, Art. 17)."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import pluralize

from ... import flow, phones


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
            why = refused.code.replace("_", " ")
            raise CommandError(f"That is no number: it is {why}.") from None
        count = flow.erase(number)
        self.stdout.write(f"Unlinked, and erased from {count:,} attempt{pluralize(count)}.")
