"""The report in Markdown."""

from .bars import bars
from .figures import ALL, LOGIN, SUMS

HEAD = (
    "step", "SQL: app", "bare", "calls: app", "CPU ms: app", "less emulator", "app, loopback", "bare",
    "bare + 2 calls", "app / bare", "less emulator / bare", "loopback / bare + 2 calls",
)  # fmt: skip
NOTES = """\
CPU is that of the process, in milliseconds: the median of all rounds; ratios are medians over the pairs of a
round. `login` is four pages: GET and POST of the number, GET and POST of the code. Statements are counted
without transaction control. The emulator in process works on the app's account; *less emulator* takes that
off, and over loopback it is a process of its own. `bare` is two plain views and forms, and `login()`."""


def markdown(report):
    """Return the whole report."""
    parts = ["# What a login costs", _about(report), NOTES]
    parts += [f"## A login, {name}\n\n{_login(lines)}" for name, lines in report["logins"].items()]
    parts += ["## The process\n\n" + _process(report), "## Bars\n\n" + _bars(report)]
    return "\n\n".join(parts)


def _about(report):
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return f"{report['date']}, {report['rounds']} rounds, {versions}, {report['machine']}."


def _login(lines):
    app, bare, loopback = lines["app"], lines["bare"], lines["app, loopback"]
    calling = lines["bare + 2 calls"]
    rows = [
        (
            f"**{step}**" if step in (LOGIN, ALL) else step,
            app[step]["statements"], bare[step]["statements"], app[step]["calls"],
            *(f"{cpu:.2f}" for cpu in (
                app[step]["cpu"], app[step]["cpu_without_emulator"], loopback[step]["cpu"], bare[step]["cpu"],
                calling[step]["cpu"],
            )),
            f"{app[step]['ratio']:.2f}", f"{app[step]['ratio_without_emulator']:.2f}",
            f"{loopback[step]['cpu'] / calling[step]['cpu']:.2f}",
        )
        for step in SUMS
    ]  # fmt: skip
    return _table(HEAD, rows)


def _process(report):
    start, memory = report["start_up"], report["memory"]
    rows = [
        ("start-up, CPU ms", f"{start['app']:.0f}", f"{start['bare']:.0f}", f"{start['ratio']:.2f}"),
        ("peak memory after one login, MB", *_memory(memory["app"], memory["bare"])),
        ("one JWT, CPU ms", f"{report['token']:.2f}", "", ""),
    ]
    return _table(("", "app", "bare", "ratio"), rows)


def _memory(app, bare):
    return (f"{app:.0f}", f"{bare:.0f}", f"{app / bare:.2f}") if app and bare else ("?", "?", "")


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
