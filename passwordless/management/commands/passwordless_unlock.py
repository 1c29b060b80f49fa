"""Open what limits and locks have closed for one number."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import flow, phones
from ..amounts import many


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
            raise CommandError(f"That is no number: {refused.words}.") from None
        emptied = many(flow.unlock(number), "counter")
        self.stdout.write(f"{phones.mask(number)} is unlocked ({emptied} emptied).")
