"""The select of countries as HTML: every served country, favourites first, exactly one of them chosen."""

from __future__ import annotations

import re

import hypothesis
import pytest
from django.utils import translation
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from passwordless import countries, widgets
from passwordless.widgets import CountrySelect
from tests.support import configure

OPTION = re.compile(r'<option value="([A-Z]{2})"( selected)?>([^<]*)</option>')
BETWEEN = 'AU">Australia (+61)</option><option value="GB'
GROUP = re.compile(r'<optgroup label="([^"]*)">(.*?)</optgroup>', re.DOTALL)


@pytest.fixture(autouse=True)
def three(settings):
    configure(settings, COUNTRIES=["US", "GB", "AU"])


def render(value="US", **attrs):
    return CountrySelect().render("country", value, attrs)


def values(markup):
    return [value for value, _, _ in OPTION.findall(markup)]


def chosen(markup):
    return [value for value, selected, _ in OPTION.findall(markup) if selected]


def test_it_is_a_native_select_of_the_served_countries():
    assert (
        '<select name="country" id="id_country">'
        '<option value="AU">Australia (+61)</option>'
        '<option value="GB">United Kingdom (+44)</option>'
        '<option value="US" selected>United States (+1)</option></select>'
    ) == render(id="id_country")


def test_without_favourites_there_are_no_groups():
    assert "optgroup" not in render()


def test_favourites_stand_first_in_the_order_of_the_site_and_in_the_whole_list_too(settings):
    configure(settings, FAVOURITE_COUNTRIES=["US", "AU", "FR", "US"])
    groups = dict(GROUP.findall(render()))
    assert ["Often used", "All countries"] == list(groups)
    assert ["US", "AU"] == values(groups["Often used"])
    assert ["AU", "GB", "US"] == values(groups["All countries"])


@pytest.mark.parametrize("favourites", [[], ["GB"], ["US", "GB"], ["GB", "GB"]])
@pytest.mark.parametrize("value", ["US", "GB", "AU"])
def test_exactly_one_option_is_chosen(settings, favourites, value):
    configure(settings, FAVOURITE_COUNTRIES=favourites)
    markup = render(value)
    assert [value] == chosen(markup)
    assert markup.index(f'value="{value}" selected') == markup.index(f'value="{value}"')


@pytest.mark.parametrize(
    "value", ["", None, "FR", "us", "U", '"', "US selected", 7, "<option value=", BETWEEN]
)
def test_what_is_not_offered_chooses_nothing(value):
    assert [] == chosen(render(value))
    assert render("") == render(value)


@given(st.text(max_size=40))
@hypothesis.settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_gets_into_the_markup(value):
    offered = value in ("US", "GB", "AU")
    assert (render("") == render(value)) != offered


def test_a_number_is_a_value_though_it_equals_true():
    told = [render(**{"data-x": one}).partition("<option")[0] for one in (True, 1, False, 0)]
    marks = [' data-x=""', ' data-x="1"', "", ' data-x="0"']
    assert [f'<select name="country"{mark}>' for mark in marks] == told


def test_attributes_are_escaped():
    assert ' data-x="&quot;&gt;&lt;b&gt;"' in render(**{"data-x": '"><b>'})


def test_names_are_escaped(settings):
    configure(settings, COUNTRIES=["BA"])
    assert '<option value="BA">Bosnia &amp; Herzegovina (+387)</option>' in render("")


def test_it_is_in_the_language_of_the_page(settings):
    configure(settings, FAVOURITE_COUNTRIES=["GB"])
    with translation.override("de"):
        assert "Vereinigtes Königreich (+44)" in render()
    with translation.override("ar"):
        assert "(\u2066+44\u2069)" in render()
    assert "United Kingdom (+44)" in render()


def test_what_was_chosen_before_is_not_kept_for_the_next_visitor():
    """The options are made once for all; only the mark differs."""
    render("GB")
    assert ["US"] == chosen(render("US"))
    assert [] == chosen(render(""))
    assert widgets._options.cache_info().hits > 0


def test_all_countries_are_there_where_the_site_names_none(settings):
    configure(settings, COUNTRIES=None)
    markup = render("AU")
    assert sorted(countries.served()) == sorted(values(markup))
    assert ["AU"] == chosen(markup)
