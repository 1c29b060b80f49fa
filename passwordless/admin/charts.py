"""Charts that the server draws: SVG of our own, so that a page needs no script, no inline style, no library.

What lies along the page is in percent and what stands upright in pixels: a chart is as wide as there is room,
and its words stay as large as those around it. Coordinates are never localized, a German 2,5 would break them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language_bidi
from django.utils.translation import gettext_lazy as _

HEIGHT, TOP, BOTTOM = 216, 12, 188
"""Pixels: the height of a chart of columns, and between which of them its columns stand."""

STEP, BAR = 48, 16
"""Pixels: the height of a row of a chart of rows, and of the bar in it."""

MOST = 6
"""Labels below a chart of columns; half of them are hidden on narrow screens."""

ROUND = (1, 2, 4, 5, 10)
LEVELS = ("whole", "part")
"""The classes of the series, from the one behind to the one in front."""

Text = str | Promise


@dataclass(frozen=True)
class Series:
    """What is counted in each column, and what it is called."""

    name: Text
    values: Sequence[int]


@dataclass(frozen=True)
class Row:
    """One bar from the side: its length is `share` (0 to 1); `count` and `note` say it in words."""

    label: Text
    count: int
    share: float
    note: Text = ""


def columns(
    name: str, title: Text, told: Text, axis: Text, labels: Sequence[Text], series: Sequence[Series]
) -> SafeString:
    """Return a figure of one column a label; each series is a part of the one before it and stands in it.

    `name` makes ids; `told` says in a sentence what there is to see; `axis` says what the labels are.
    """
    top = ceiling(max((value for one in series for value in one.values), default=0))
    counted = [[one.values[place] for one in series] for place in range(len(labels))]
    drawn = [
        *_grid(top),
        *(_column(place, labels, values, series, top) for place, values in enumerate(counted)),
        *_ticks(labels),
    ]
    head = [axis, *(one.name for one in series)]
    lines = [[label, *map(count, values)] for label, values in zip(labels, counted, strict=True)]
    picture = _picture(name, title, told, HEIGHT, drawn)
    return _figure("columns", title, [_legend(series), picture], head, lines)


def rows(name: str, title: Text, told: Text, head: Sequence[Text], bars: Sequence[Row]) -> SafeString:
    """Return a figure of bars below each other, each with its words above it: a funnel, or a ranking.

    In languages that are read from the right the bars grow from there.
    """
    drawn = [part for place, row in enumerate(bars) for part in _row(place, row)]
    lines = [[row.label, count(row.count), row.note] for row in bars]
    picture = _picture(name, title, told, STEP * len(bars), drawn)
    return _figure("rows", title, [picture], head, lines)


def inline(share: float) -> SafeString:
    """Return a bar of `share` (0 to 1) for the cell of a table, which says the number beside it."""
    track = _element("rect", x="0", y="0", width="100%", height="8", rx="4", class_="pl-track")
    bar = _element("rect", **_across(share), y="0", height="8", rx="4", class_="pl-part")
    attributes = {"class_": "pl-inline", "height": "8", "aria_hidden": "true", "focusable": "false"}
    return _element("svg", track, bar if share > 0 else "", **attributes)


def count(value: int) -> str:
    """Return a count as the language of the page writes it."""
    return number_format(value, force_grouping=True)


def ceiling(most: int) -> int:
    """Return the round number, at least 1, at which an axis ends that has to hold `most`."""
    power = int("1" + "0" * (len(str(most)) - 1))
    return next(one * power for one in ROUND if one * power >= most)


def _column(
    place: int, labels: Sequence[Text], values: Sequence[int], series: Sequence[Series], top: int
) -> SafeString:
    """Return the bars of one label over a surface that shows their numbers to a mouse."""
    wide = 100 / len(labels)
    words = ", ".join(f"{one.name}: {count(value)}" for one, value in zip(series, values, strict=True))
    title = _element("title", f"{labels[place]} – {words}")
    surface = _element(
        "rect", x=_percent(place * wide), y=str(TOP), width=_percent(wide), height=str(BOTTOM - TOP),
        class_="pl-surface",
    )  # fmt: skip
    bars = [
        _element(
            "rect", x=_percent((place + 0.15) * wide), y=_number(_level(value, top)), width=_percent(0.7 * wide),
            height=_number(BOTTOM - _level(value, top)), class_=f"pl-{level}",
        )
        for level, value in zip(LEVELS, values, strict=False)
        if value > 0
    ]  # fmt: skip
    return _element("g", title, surface, *bars)


def _grid(top: int) -> Iterable[SafeString]:
    """Return the lines of nought, half and all, half only where it is a whole number."""
    for value in (0, top // 2, top) if top % 2 == 0 else (0, top):
        y = _number(_level(value, top))
        yield _element("line", x1="0", x2="100%", y1=y, y2=y, class_="pl-line")
        yield _element("text", count(value), x="-8", y=y, dy="4", text_anchor="end")


def _ticks(labels: Sequence[Text]) -> Iterable[SafeString]:
    every = max(-(-len(labels) // MOST), 1)
    for place in range(0, len(labels), every):
        x = _percent((place + 0.5) * 100 / len(labels))
        more = {"class_": "pl-more"} if place // every % 2 else {}
        yield _element("text", labels[place], x=x, y=str(HEIGHT - 6), text_anchor="middle", **more)


def _row(place: int, row: Row) -> Iterable[SafeString]:
    near, far = ("100%", "0") if get_language_bidi() else ("0", "100%")
    # Of a text that is told to run from the left, "start" is the left edge, whatever its script.
    begin, end = ("end", "start") if get_language_bidi() else ("start", "end")
    line, bar = str(place * STEP + 16), str(place * STEP + 24)
    yield _element("text", row.label, x=near, y=line, text_anchor=begin, class_="pl-label")
    words = f"{count(row.count)} · {row.note}" if row.note else count(row.count)
    yield _element("text", words, x=far, y=line, text_anchor=end, class_="pl-value")
    yield _element("rect", x="0", y=bar, width="100%", height=str(BAR), rx="4", class_="pl-track")
    if row.share > 0:
        yield _element("rect", **_across(row.share), y=bar, height=str(BAR), rx="4", class_="pl-part")


def _across(share: float) -> dict[str, str]:
    """Return where a bar of that share begins and how wide it is."""
    wide = min(max(share, 0.0), 1.0) * 100
    return {"x": _percent(100 - wide if get_language_bidi() else 0), "width": _percent(wide)}


def _level(value: int, top: int) -> float:
    return BOTTOM - (BOTTOM - TOP) * value / top


def _picture(name: str, title: Text, told: Text, height: int, drawn: Iterable[SafeString]) -> SafeString:
    attributes = {"class_": "pl-chart", "height": str(height), "role": "img", "direction": "ltr"}
    words = [_element("title", title, id=f"{name}-title"), _element("desc", told, id=f"{name}-told")]
    return _element("svg", *words, *drawn, aria_labelledby=f"{name}-title {name}-told", **attributes)


def _figure(
    kind: str, title: Text, parts: Sequence[SafeString], head: Sequence[Text], lines: Iterable[Sequence[Text]]
) -> SafeString:
    table = _table(title, head, lines)
    numbers = _element("details", _element("summary", _("The numbers as a table")), table)
    return _element(
        "figure", _element("figcaption", title), *parts, numbers, class_=f"pl-figure pl-figure-{kind}"
    )


def _legend(series: Sequence[Series]) -> SafeString:
    """Return what the shades mean; a screen reader has heard it from the picture."""
    marks = [
        _element("li", _element("span", class_=f"pl-key pl-key-{level}"), one.name)
        for level, one in zip(LEVELS, series, strict=False)
    ]
    return _element("ul", *marks, class_="pl-legend", aria_hidden="true")


def _table(title: Text, head: Sequence[Text], lines: Iterable[Sequence[Text]]) -> SafeString:
    heads = [_element("th", one, scope="col") for one in head]
    body = [
        _element("tr", _element("th", first, scope="row"), *(_element("td", one) for one in rest))
        for first, *rest in lines
    ]
    table = _element(
        "table", _element("thead", _element("tr", *heads)), _element("tbody", *body), class_="pl-table"
    )
    # Whoever has no mouse scrolls it by the keys, for which it must take the focus.
    return _element("div", table, class_="pl-scroll", role="region", tabindex="0", aria_label=title)


def _element(name: str, *content: Text, **attributes: Text) -> SafeString:
    """Return an element. Everything that is given is escaped, unless it is an element already.

    The names are ours. By hand: format_html takes four times as long, and a page has a thousand elements.
    """
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"' for key, value in attributes.items()
    )
    return SafeString(f"<{name}{words}>{''.join(map(_escaped, content))}</{name}>")


def _escaped(value: Text) -> str:
    return conditional_escape(value if isinstance(value, str) else str(value))


def _percent(value: float) -> str:
    return f"{_number(value)}%"


def _number(value: float) -> str:
    """Return a coordinate with a point, in any language."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
