"""The ratios of a report as an SVG: bars on a plain ground, read in light and in dark alike."""

from math import isfinite
from xml.sax.saxutils import escape

from .figures import LOGIN

WIDTH, LABEL, BAR, LINE = 720, 230, 400, 24
HEAD = 46
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600}.ours{fill:#0969da}.other{fill:#8c959f}"
    "rect.ground{fill:#ffffff}@media(prefers-color-scheme:dark){text{fill:#e6edf3}rect.ground{fill:#0d1117}}"
)


def drawn(report):
    """Return the SVG, with the date and the machine in it."""
    top, parts = 30, [_text(16, 22, f"{report['date']}, {_about(report)}", "")]
    for title, rows in sections(report):
        parts += _section(title, rows, top)
        top += HEAD + LINE * len(rows)
    size = f'width="{WIDTH}" height="{top + 16}" viewBox="0 0 {WIDTH} {top + 16}"'
    inside = "\n".join(parts)
    ground = '<rect class="ground" width="100%" height="100%"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Benchmark of a login">\n'
        f"<style>{STYLE}</style>\n{ground}\n{inside}\n</svg>\n"
    )


def sections(report):
    """Return (title, [(label, value, unit, whether it is this app)]) for each part that was run."""
    found = []
    if "login" in report:
        for kind, told in report["login"]["logins"].items():
            rows = [(name, lines[LOGIN]["ratio"], "x") for name, lines in told["subjects"].items()]
            found.append((f"CPU of a login, in bare Django floors ({kind})", rows))
        for figure, title in {"set_up": "CPU of setting Django up", "memory": "Peak of memory"}.items():
            rows = [(name, told[figure]["ratio"], "x") for name, told in report["login"]["process"].items()]
            found.append((f"{title}, in bare Django floors", rows))
    if "growth" in report:
        rows = [
            (f"{name}, {int(size):,} rows", told["ratio"], "x")
            for name, sizes in report["growth"]["subjects"].items()
            for size, told in sizes.items()
        ]
        found.append(("CPU of a login on stored rows, in logins on the fewest", rows))
    if "serving" in report:
        rows = [
            (f"app, {name}", told["calls_per_second"], "/s")
            for name, told in report["serving"]["busy"].items()
        ]
        found.append(("Provider calls a second, the provider taking 300 ms", rows))
    return found


def _section(title, rows, top):
    most = max((value for _, value, _ in rows if isfinite(value)), default=0) or 1
    parts = [_text(16, top + 24, title, "t")]
    for index, (label, value, unit) in enumerate(rows):
        y = top + HEAD + LINE * index
        kind = "ours" if label.startswith("app") else "other"
        width = BAR * min(value, most) / most
        parts += [
            _text(16, y, label, ""),
            f'<rect class="{kind}" x="{LABEL}" y="{y - 13}" width="{width:.1f}" height="16" rx="2"/>',
            _text(LABEL + width + 8, y, f"{value:.2f} {unit}", ""),
        ]
    return parts


def _about(report):
    return ", ".join(
        [*(f"{name} {version}" for name, version in report["versions"].items()), report["machine"]]
    )


def _text(x, y, words, kind):
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y}"{style}>{escape(words)}</text>'
