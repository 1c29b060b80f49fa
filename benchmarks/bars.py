"""What may be spent, and whether it was kept to."""

from dataclasses import dataclass

from .figures import ALL, LOGIN
from .subjects import PAGES, POSTS


@dataclass(frozen=True)
class Bar:
    """A figure and its limit; `strict` means below it, `least` that the limit is the least allowed."""

    name: str
    limit: float
    value: float
    unit: str = ""
    strict: bool = False
    least: bool = False

    @property
    def kept(self):
        """Whether the figure is within the limit."""
        if self.least:
            return self.value >= self.limit
        return self.value < self.limit if self.strict else self.value <= self.limit

    @property
    def sign(self):
        """How the limit is written."""
        return f"{'≥' if self.least else '<' if self.strict else '≤'} {self.limit:g}{self.unit}"


def bars(report):
    """Return the bars of all parts that were run."""
    found = []
    if "login" in report:
        found += _of_logins(report["login"])
    if "growth" in report:
        found += _of_growth(report["growth"])
    if "serving" in report:
        found += _of_serving(report["serving"])
    return found


def _of_logins(login):
    found = [bar for kind, told in login["logins"].items() for bar in _of_login(kind, told)]
    set_up = login["process"]["app"]["set_up"]["ratio"]
    return [
        *found,
        Bar("set-up of Django, with the app / without", 1.2, set_up, " x"),
        Bar("one JWT, CPU", 1, login["token"], " ms", strict=True),
    ]


def _of_login(kind, told):
    app = told["subjects"]["app"]
    posts = sum(app[step]["statements"] for step in POSTS)
    found = [
        Bar("statements of the two POSTs", 22, posts),
        Bar("statements of the login with home", 28, app[ALL]["statements"]),
        Bar("provider calls, most of a step", 1, max(app[page]["calls"] for page in PAGES)),
        Bar("CPU of the login / bare floor (aim 1.6)", 2.0, app[LOGIN]["ratio"], " x"),
        Bar("CPU without the emulator, most of a page", 20, _most_cpu(app), " ms", strict=True),
    ]
    if (beside := told["between"].get("app / allauth")) is not None:
        found.append(Bar("CPU of the login / allauth", 1, beside, " x", strict=True))
    return [Bar(f"{kind}: {bar.name}", bar.limit, bar.value, bar.unit, bar.strict) for bar in found]


def _most_cpu(app):
    return max(app[page]["cpu_without_emulator"] for page in PAGES)


def _of_growth(growth):
    sizes = growth["subjects"]["app"]
    least, most = (sizes[str(rows)] for rows in (growth["rows"][0], growth["rows"][-1]))
    more = most["statements"] - least["statements"]
    return [
        Bar(
            f"CPU of a login on {growth['rows'][-1]:,} attempts / on {growth['rows'][0]:,}",
            1.2,
            most["ratio"],
            " x",
        ),
        Bar("statements more than at first", 0, more),
    ]


def _of_serving(serving):
    found = []
    for name, told in serving["busy"].items():
        if name.startswith("gunicorn"):
            found += [
                Bar(f"{name}: provider calls a second", 150, told["calls_per_second"], least=True),
                Bar(f"{name}: p99 of a page that calls", 600, told["calling"]["p99"], " ms", strict=True),
            ]
    for name, told in serving["hanging"].items():
        if name.startswith("gunicorn"):
            found.append(
                Bar(
                    f"{name}, provider hangs: p99 of other pages",
                    100,
                    told["other"]["p99"],
                    " ms",
                    strict=True,
                )
            )
    return [*found, Bar("CPU of one provider call, JWT included", 2, serving["call"], " ms")]
