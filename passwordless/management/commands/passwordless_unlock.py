"""Open what limits and locks have closed for one number."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import pluralize

from ... import flow, phones


class Command(BaseCommand):
    """Unlocks a number and its blocks, on record."""

    help = "Forget failed checks, sends and locks of NUMBER and open its blocks."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the number."""
        parser.add_argument("number", help="in any spelling; without + it is read in DEFAULT_REGION")

    def handle(self, *args: Any, **options: Any) -> None:
        """Unlock and say so."""
        try:
            number = phones.spell(options["number"])
        except phones.NumberRefused as refused:
            why = refused.code.replace("_", " ")
            raise CommandError(f"That is no number: it is {why}.") from None
        emptied = flow.unlock(number)
        counters = f"{emptied} counter{pluralize(emptied)}"
        self.stdout.write(f"{phones.mask(number)} is unlocked ({counters} emptied).")
