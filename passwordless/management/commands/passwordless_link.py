"""Give users their numbers: one, or a file of them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import numbers, phones
from ...models import together


class Command(BaseCommand):
    """Links numbers to users who exist; both are named in the output without the number."""

    help = "Give a user a number: USER NUMBER, or --csv FILE with one 'user,number' a line."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the pair, --csv and --replace."""
        parser.add_argument("user", nargs="?", help="username")
        parser.add_argument(
            "number", nargs="?", help="in any spelling; without + it is read in DEFAULT_REGION"
        )
        parser.add_argument("--csv", type=Path, metavar="FILE", help="lines of user,number; all or none")
        parser.add_argument("--replace", action="store_true", help="take away the user's other numbers")

    def handle(self, *args: Any, **options: Any) -> None:
        """Link all, or none."""
        wanted = [_meant(name, text) for name, text in _pairs(options)]
        with together():
            done = [_link(name, user, number, replace=options["replace"]) for name, user, number in wanted]
        self.stdout.write("\n".join(done))


def _meant(name: str, text: str) -> tuple[str, Any, str]:
    """Return whom and which number a line means. Looked up before anything is written."""
    model = get_user_model()
    try:
        return name, model._default_manager.get_by_natural_key(name), phones.parse(text)
    except model.DoesNotExist:
        raise CommandError(f"There is no user {name!r}.") from None
    except phones.NumberRefused as refused:
        raise CommandError(f"The number for {name!r} is refused: {refused.words}.") from None


def _link(name: str, user: Any, number: str, *, replace: bool) -> str:
    try:
        numbers.link(user, number, replace=replace)
    except numbers.Taken:
        raise CommandError(f"The number for {name!r} belongs to another user.") from None
    return f"{name}: {phones.mask(number)}"


def _pairs(options: dict[str, Any]) -> list[tuple[str, str]]:
    if options["csv"] is None:
        if not (options["user"] and options["number"]):
            raise CommandError("Say USER NUMBER, or --csv FILE.")
        return [(options["user"], options["number"])]
    try:
        with options["csv"].open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{options['csv']} cannot be read: {error}") from None
    for line, row in rows:
        if len(row) != 2:
            raise CommandError(f"Line {line} of {options['csv']} is not user,number.")
    return [(row[0].strip(), row[1].strip()) for _line, row in rows]
