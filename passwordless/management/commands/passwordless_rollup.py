"""Count what is over, so that the dashboard need not. For cron, as often as you like; before each prune."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.template.defaultfilters import pluralize
from django.utils import timezone

from ... import figures


class Command(BaseCommand):
    """Counts attempts by the hour and by the day, up to 24 hours ago."""

    help = "Count the attempts that can change no more, by the hour and by the day, for the dashboard."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --rebuild."""
        parser.add_argument(
            "--rebuild",
            action="store_true",
            help="count again every day of which all attempts still exist; pruned days stay as they are",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Count and say how much."""
        run = figures.rebuild if options["rebuild"] else figures.roll
        done = run(timezone.now())
        kept = " 1 day is left as it was, since attempts of it were pruned." if done.kept else ""
        self.stdout.write(
            f"Counted {done.asked:,} request{pluralize(done.asked)} for a code "
            f"on {done.days:,} day{pluralize(done.days)}, all until {done.until:%Y-%m-%d %H:%M} UTC; "
            f"younger ones are counted live. "
            f"{done.dropped:,} old hourly row{pluralize(done.dropped)} dropped.{kept}"
        )
