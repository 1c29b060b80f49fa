"""Count what is over, so that the dashboard need not. For cron, as often as you like; before each prune."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from ... import figures
from ..amounts import many


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
            f"Counted {many(done.asked, 'request')} for a code on {many(done.days, 'day')}, "
            f"all until {done.until:%Y-%m-%d %H:%M} UTC; "
            f"younger ones are counted live. {many(done.dropped, 'old hourly row')} dropped.{kept}"
        )
