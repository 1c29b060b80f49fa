"""What may be spent, and whether it was kept to."""

from collections.abc import Callable
from dataclasses import dataclass

from .figures import ALL, LOGIN
from .subjects import PAGES, POSTS


@dataclass(frozen=True)
class Bar:
    """A figure and its limit; `strict` means below it."""

    name: str
    limit: float
    value: float
    unit: str = ""
    strict: bool = False

    @property
    def kept(self):
        """Whether the figure is within the limit."""
        return self.value < self.limit if self.strict else self.value <= self.limit

    @property
    def sign(self):
        """How the limit is written."""
        return f"{'<' if self.strict else '≤'} {self.limit:g}{self.unit}"


def bars(report):
    """Return all bars, first those of each database."""
    found = [bar for database, subjects in report["logins"].items() for bar in _of_login(database, subjects)]
    return [
        *found,
        Bar("start-up, with the app / without", 1.2, report["start_up"]["ratio"], " x"),
        Bar("one JWT, CPU", 1, report["token"], " ms", strict=True),
    ]


def _of_login(database, subjects):
    app, most = subjects["app"], _most(subjects["app"])
    figures = [
        ("statements of the two POSTs", 22, sum(app[step]["statements"] for step in POSTS), "", False),
        ("statements of the login with home", 28, app[ALL]["statements"], "", False),
        ("provider calls, most of a step", 1, most("calls"), "", False),
        ("CPU of the login / bare floor (aim 1.6)", 2.0, app[LOGIN]["ratio"], " x", False),
        ("CPU without the emulator, most of a page", 20, most("cpu_without_emulator"), " ms", True),
    ]
    return [
        Bar(f"{database}: {name}", limit, value, unit, strict) for name, limit, value, unit, strict in figures
    ]


def _most(lines) -> Callable[[str], float]:
    return lambda figure: max(lines[page][figure] for page in PAGES)
