"""Charts of our own: what is drawn is what was given, nothing given is markup, and no language moves a point."""

import re
from html.parser import HTMLParser

import pytest
from django.utils import translation
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from hypothesis import given
from hypothesis import strategies as st

from passwordless.admin import charts
from passwordless.admin.charts import Row, Series

OURS = {
    *("figure", "figcaption", "svg", "title", "desc", "g", "rect", "line", "text", "ul", "li", "span"),
    *("details", "summary", "div", "table", "thead", "tbody", "tr", "th", "td"),
}
GEOMETRY = {"x", "y", "x1", "x2", "y1", "y2", "dy", "width", "height", "rx"}
POINT = re.compile(r"-?\d+(\.\d{1,2})?%?\Z")
LANGUAGES = ["en", "de", "fr", "ar", "fa", "hi"]
HOSTILE = "<script>alert('1')</script> & \" onload=\"x"
words = st.text(max_size=30)
counts = st.integers(0, 10**9)


class Reader(HTMLParser):
    """Reads a chart as a browser does: elements with their attributes, and what stands in each."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.open = [], []
        self.feed(html)
        self.close()
        assert [] == self.open, "an element is left open"

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", **dict(attrs)}
        self.elements.append(element)
        self.open.append(element)

    def handle_endtag(self, tag):
        assert tag == self.open.pop()["tag"]

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag, kind=None):
        found = (element for element in self.elements if element["tag"] == tag)
        return [element for element in found if kind is None or kind == element.get("class")]

    def rows(self):
        """Return the data table line by line."""
        table = []
        for element in self.elements:
            if element["tag"] == "tr":
                table.append([])
            elif element["tag"] in ("th", "td"):
                table[-1].append(element["text"])
        return table


def columns(values=((3, 2), (0, 0), (10, 10)), labels=None, title="By day", told="13 sent", axis="Day"):
    labels = labels or [f"d{place}" for place in range(len(values))]
    series = [
        Series("Sent", [sent for sent, _verified in values]),
        Series("Verified", [verified for _sent, verified in values]),
    ]
    return charts.columns("c", title, told, axis, labels, series)


def rows(*bars, title="Funnel"):
    return charts.rows("r", title, "told", ["Step", "Count", "Share"], bars)


class TestColumns:
    def test_are_as_high_as_their_numbers(self):
        chart = Reader(columns([(10, 5), (5, 0), (0, 0)]))
        tall = charts.BOTTOM - charts.TOP
        heights = [
            [float(bar["height"]) for bar in chart.all("rect", f"pl-{level}")] for level in charts.LEVELS
        ]
        assert [[tall, tall / 2], [tall / 2]] == heights

    def test_stand_on_the_ground(self):
        chart = Reader(columns([(7, 3), (2, 1)]))
        bars = chart.all("rect", "pl-whole") + chart.all("rect", "pl-part")
        assert {charts.BOTTOM} == {round(float(bar["y"]) + float(bar["height"]), 1) for bar in bars}

    def test_stand_side_by_side_within_the_width(self):
        chart = Reader(columns([(1, 1)] * 90))
        spans = [(float(bar["x"][:-1]), float(bar["width"][:-1])) for bar in chart.all("rect", "pl-whole")]
        ends = [0, *(x + wide for x, wide in spans)]
        assert 90 == sum(x > end for (x, _wide), end in zip(spans, ends[:-1], strict=True))
        assert 100 > ends[-1]

    def test_the_part_stands_in_the_whole(self):
        chart = Reader(columns([(4, 3), (9, 9)]))
        places = [
            [(bar["x"], bar["width"]) for bar in chart.all("rect", f"pl-{one}")] for one in charts.LEVELS
        ]
        assert places[0] == places[1]

    def test_tell_their_numbers_to_a_mouse_and_in_a_table(self):
        chart = Reader(columns([(1200, 900), (0, 0)]))
        assert ["By day", "d0 – Sent: 1,200, Verified: 900", "d1 – Sent: 0, Verified: 0"] == [
            one["text"] for one in chart.all("title")
        ]
        assert [["Day", "Sent", "Verified"], ["d0", "1,200", "900"], ["d1", "0", "0"]] == chart.rows()

    @pytest.mark.parametrize(("count", "shown"), [(1, 1), (6, 6), (7, 4), (24, 6), (30, 6), (31, 6), (91, 6)])
    def test_have_no_more_labels_than_there_is_room_for(self, count, shown):
        chart = Reader(columns([(1, 1)] * count))
        labels = [one for one in chart.all("text") if one.get("text-anchor") == "middle"]
        assert shown == len(labels)
        assert shown // 2 == sum(one.get("class") == "pl-more" for one in labels)

    def test_the_axis_has_whole_numbers_only(self):
        odd, even = (Reader(columns([(most, 0)])) for most in (1, 7))
        assert [["0", "1"], ["0", "5", "10"]] == [
            [one["text"] for one in chart.all("text") if one.get("text-anchor") == "end"]
            for chart in (odd, even)
        ]

    def test_nothing_at_all_is_an_empty_chart(self):
        assert [] == Reader(columns([(0, 0)])).all("rect", "pl-part")
        assert [] == Reader(columns([], labels=[])).all("rect")

    @given(counts)
    def test_the_axis_ends_at_a_round_number_that_is_not_far_off(self, most):
        top = charts.ceiling(most)
        assert max(most, 1) <= top <= max(2.5 * most, 1)
        assert re.fullmatch(r"(1|2|4|5)0*", str(top))


class TestRows:
    def test_are_as_long_as_their_share(self):
        bars = Reader(rows(Row("a", 8, 1.0), Row("b", 2, 0.25), Row("c", 0, 0.0))).all("rect", "pl-part")
        assert [("0%", "100%"), ("0%", "25%")] == [(bar["x"], bar["width"]) for bar in bars]

    @pytest.mark.parametrize("share", [1.5, 40.0, float("inf")])
    def test_never_leave_their_track(self, share):
        [bar] = Reader(rows(Row("a", 8, share))).all("rect", "pl-part")
        assert "100%" == bar["width"]

    def test_say_count_and_note_and_again_in_a_table(self):
        chart = Reader(rows(Row("Sent", 1234, 0.5, "50%"), Row("Rest", 0, 0)))
        assert ["Sent", "1,234 · 50%", "Rest", "0"] == [one["text"] for one in chart.all("text")]
        assert [["Step", "Count", "Share"], ["Sent", "1,234", "50%"], ["Rest", "0", ""]] == chart.rows()

    def test_grow_from_the_right_where_one_reads_from_there(self):
        with translation.override("ar"):
            chart = Reader(rows(Row("a", 1, 0.25)))
            inline = Reader(charts.inline(0.25))
        [bar], [label, value] = chart.all("rect", "pl-part"), chart.all("text")
        assert ("75%", "25%") == (bar["x"], bar["width"])
        assert ("100%", "end", "0", "start") == (
            label["x"],
            label["text-anchor"],
            value["x"],
            value["text-anchor"],
        )
        assert "75%" == inline.all("rect", "pl-part")[0]["x"]

    def test_a_bar_in_a_table_is_silent_beside_its_number(self):
        [picture] = Reader(charts.inline(0.5)).all("svg")
        assert ("true", "false") == (picture["aria-hidden"], picture["focusable"])
        assert [] == Reader(charts.inline(0)).all("rect", "pl-part")


CHARTS = {"columns": columns(), "rows": rows(Row("a", 1234, 1 / 3, "33%")), "inline": charts.inline(1 / 3)}
FIGURES = pytest.mark.parametrize("name", ["columns", "rows"])


class TestEveryChart:
    @FIGURES
    def test_is_a_picture_with_a_name_a_description_and_its_numbers(self, name):
        chart = Reader(CHARTS[name])
        [picture], [caption], [told] = chart.all("svg"), chart.all("figcaption"), chart.all("desc")
        ids = {element["id"]: element["text"] for element in chart.elements if "id" in element}
        named = [ids[one] for one in picture["aria-labelledby"].split()]
        assert ("img", [caption["text"], told["text"]]) == (picture["role"], named)
        assert ["figure", "details", "table"] == [
            one["tag"] for one in chart.elements if one["tag"] in ("figure", "details", "table")
        ]

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_has_points_that_a_browser_reads_in_any_language(self, language, settings):
        settings.USE_THOUSAND_SEPARATOR = True
        with translation.override(language):
            html = (
                columns([(1234567, 7654), (3, 1), (2, 2)]) + rows(Row("a", 9, 1 / 3)) + charts.inline(2 / 3)
            )
        for element in Reader(html).elements:
            points = {key: value for key, value in element.items() if key in GEOMETRY}
            assert {} == {key: value for key, value in points.items() if not POINT.match(value)}

    def test_counts_are_written_as_the_language_has_them(self):
        with translation.override("de"):
            assert "1.234.567" in columns([(1234567, 0)])
            assert "1.234" in rows(Row("a", 1234, 1))

    @pytest.mark.parametrize("name", CHARTS)
    def test_brings_no_style_no_script_and_nothing_from_elsewhere(self, name):
        html = CHARTS[name]
        assert [] == re.findall(r"style|<script|http|href|url\(| on\w+=", html)

    @given(words, words, words, st.lists(words, min_size=1, max_size=4), words)
    def test_holds_what_it_is_given_as_words_only(self, title, told, axis, labels, name):
        series = [Series(name, [1] * len(labels)), Series(HOSTILE, [0] * len(labels))]
        chart = Reader(charts.columns("c", title, told, axis, labels, series))
        assert set() == {element["tag"] for element in chart.elements} - OURS
        assert {clean(title), clean(told)} == {chart.all(tag)[0]["text"] for tag in ("figcaption", "desc")}
        assert [[clean(label), "1", "0"] for label in labels] == chart.rows()[1:]
        assert clean(HOSTILE) == chart.rows()[0][2]

    @given(words, words, words, words)
    def test_of_rows_too(self, title, head, label, note):
        chart = Reader(charts.rows("r", title, head, [head, HOSTILE, note], [Row(label, 1, 1, note)]))
        assert set() == {element["tag"] for element in chart.elements} - OURS
        assert [[clean(head), clean(HOSTILE), clean(note)], [clean(label), "1", clean(note)]] == chart.rows()

    def test_a_safe_string_is_the_callers_word(self):
        assert "<b>bold</b>" in rows(Row(mark_safe("<b>bold</b>"), 1, 1))
        assert isinstance(columns(), SafeString)


def clean(text):
    """Return a text as an HTML parser hands it on, which mends line ends and forbidden characters."""
    return Reader(f"<p>{escape(text)}</p>").all("p")[0]["text"]
