"""Forget what is older than the settings allow. For cron, as often as you like, and beside logins at any time."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from ... import flow
from ..amounts import many


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
            f"{many(done.expired, 'attempt')} {would}expired, {done.deleted:,} {would}deleted; "
            f"{many(done.numbers, 'number')} and {many(done.visitors, 'visitor')} {would}forgotten; "
            f"{many(done.counters, 'counter')} and {many(done.receipts, 'receipt')} {would}dropped."
        )
        self.stdout.write(f"It took {time.monotonic() - began:.1f} s.")
