"""Forget what is older than the settings allow. For cron, as often as you like, and beside logins at any time."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from ... import flow


class Command(BaseCommand):
    """Expires what is overdue, forgets what is old, drops what no longer counts."""

    help = "Expire overdue attempts, forget numbers and visitors and delete attempts by their age."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --dry-run."""
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune and say how much, and how long it took."""
        began = time.monotonic()
        done = flow.prune(timezone.now(), dry_run=options["dry_run"])
        would = "would be " if options["dry_run"] else ""
        self.stdout.write(
            f"{done.expired} attempts {would}expired, {done.deleted} {would}deleted; "
            f"{done.numbers} numbers and {done.visitors} visitors {would}forgotten; "
            f"{done.counters} counters and {done.receipts} receipts {would}dropped."
        )
        self.stdout.write(f"It took {time.monotonic() - began:.1f} s.")
