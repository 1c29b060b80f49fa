"""The report in Markdown."""

from .bars import bars
from .figures import ALL, LOGIN, SUMS

NOTES = """\
CPU is that of the process, in milliseconds: the median of all logins; ratios are medians over logins of the
same turn. `login` is the pages before the home page: GET and POST of the number, GET and POST of the code; over
JSON there are the POSTs alone. Statements are counted without transaction control. The emulator in process works
on the app's account; *less emulator* takes that off, and over loopback it is a process of its own. `bare` is two
plain views and forms, and `login()`. Calls go to a server on loopback that answers at once."""
PROCESS_NOTES = """\
CPU milliseconds of a fresh process: `django.setup()` with the URLs, and until the first page of the login is
answered. Memory is the peak after one login, in megabytes."""


def markdown(report):
    """Return the whole report."""
    parts = ["# What a login costs", _about(report)]
    if "login" in report:
        parts += _logins(report["login"])
    if "growth" in report:
        parts += ["## A login on many rows", _growth(report["growth"])]
    if "serving" in report:
        parts += _serving(report["serving"])
    return "\n\n".join([*parts, "## Bars", _bars(report)])


def _about(report):
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return f"{report['date']}, {versions}, {report['machine']}."


def _logins(login):
    parts = [NOTES]
    for kind, told in login["logins"].items():
        subjects = told["subjects"]
        parts += [
            f"## A login, {kind} {told['database']}",
            "Statements:",
            _by_step(subjects, "statements", "d"),
            "CPU milliseconds:",
            _by_step(subjects, "cpu", ".2f"),
            "CPU, in bare floors:",
            _compared(told),
        ]
        parts += [f"{name}: not run, {reason}." for name, reason in told["not run"].items()]
    return [*parts, "## The process", PROCESS_NOTES, _process(login)]


def _by_step(subjects, figure, form):
    rows = [
        [f"**{line}**" if line in (LOGIN, ALL) else line]
        + [format(lines[line][figure], form) if line in lines else "" for lines in subjects.values()]
        for line in SUMS
    ]
    return _table(("step", *subjects), rows)


def _compared(told):
    rows = [
        (_named(name, told["versions"][name]), f"{lines[LOGIN]['ratio']:.2f}")
        for name, lines in told["subjects"].items()
    ]
    rows.insert(1, ("app, less emulator", f"{told['subjects']['app'][LOGIN]['ratio_without_emulator']:.2f}"))
    rows += [(f"*{pair}*", f"*{value:.2f}*") for pair, value in told["between"].items()]
    return _table(("login", "CPU / bare"), rows)


def _named(name, version):
    return f"{name} ({version})" if version else name


def _process(login):
    rows = [
        (
            name,
            *(
                f"{told[figure]['value']:.0f} ({told[figure]['ratio']:.2f} x)"
                for figure in ("set_up", "first_page", "memory")
            ),
        )
        for name, told in login["process"].items()
    ]
    table = _table(("", "set-up, ms", "until the first page, ms", "memory, MB"), rows)
    return f"{table}\n\nOne JWT: {login['token']:.2f} ms CPU."


def _growth(growth):
    head = ("", *(f"{rows:,} rows" for rows in growth["rows"]))
    rows = [
        (
            name,
            *(
                f"{one['cpu']:.2f} ms, {one['ratio']:.2f} x, {one['statements']} statements"
                for one in sizes.values()
            ),
        )
        for name, sizes in growth["subjects"].items()
    ]
    absent = [f"{name}: not run, {reason}." for name, reason in growth["not run"].items()]
    return "\n\n".join(
        [f"Login with home, {growth['database']}; ratios to the fewest rows.", _table(head, rows), *absent]
    )


def _serving(serving):
    about = (
        f"A provider that takes {serving['delay'] * 1000:.0f} ms, {serving['users']} people at a time, "
        f"{serving['seconds']} s each; application and driver share the cores:"
    )
    absent = [f"{name}: not run, {reason}." for name, reason in serving["not run"].items()]
    return [
        "## Serving", about, _busy(serving["busy"]),
        "A provider that never answers, while people ask for codes:", _hanging(serving["hanging"]),
        f"One provider call, JWT included: {serving['call']:.2f} ms CPU.", *absent,
    ]  # fmt: skip


def _busy(servers):
    head = (
        "", "logins/s", "calls/s", "refused", "page that calls, p50 / p99 ms", "login, p50 / p99 ms",
        "CPU ms a call: app", "driver",
    )  # fmt: skip
    rows = [
        (
            name, f"{told['logins_per_second']:.0f}", f"{told['calls_per_second']:.0f}", told["refused"],
            _quantiles(told["calling"]), _quantiles(told["login"]),
            f"{told['app_cpu']:.2f}", f"{told['driver_cpu']:.2f}",
        )
        for name, told in servers.items()
    ]  # fmt: skip
    return _table(head, rows)


def _hanging(servers):
    head = (
        "",
        "other page before, p50 / p99 ms",
        "other page, p50 / p99 ms",
        "codes asked for",
        "refused",
        "lost",
    )
    rows = [
        (
            name,
            _quantiles(told["quiet"]),
            _quantiles(told["other"]),
            told["asked"],
            told["refused"],
            told["lost"],
        )
        for name, told in servers.items()
    ]
    return _table(head, rows)


def _quantiles(told):
    return f"{told['p50']:.0f} / {told['p99']:.0f}"


def _bars(report):
    rows = [
        (
            bar.name,
            bar.sign,
            f"{bar.value:.2f}".removesuffix(".00") + bar.unit,
            "pass" if bar.kept else "**over**",
        )
        for bar in bars(report)
    ]
    return _table(("figure", "bar", "measured", ""), rows)


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
