"""Countries by name: complete in each language, in its order, and never one that gets no codes."""

import json
import re
import unicodedata

import phonenumbers
import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from passwordless import countries, phones
from tests.support import configure

LANGUAGES = {
    *("en", "es", "fr", "de", "it", "pt", "pt-br", "nl", "pl", "tr", "ar", "he", "hi", "id", "ja", "zh-hans"),
    *("zh-hant", "ru", "sv", "da", "nb", "fi", "cs", "uk", "ko", "vi", "th", "el", "ro", "hu"),
}
REGIONS = phonenumbers.SUPPORTED_REGIONS
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
NAMELESS = [
    "", "*", "de", "de,en;q=0.5", "es-419", "zh-hans", "sr-Latn", "x-us", "i-us", "en-u-nu-us", "de-x-at", "e-us",
    "engl-us", "de-1996", "ca-valencia", "us", "-us", "en_US", "en--US", "en-US;q=0", "en-US;q=2", "en-US;q=x",
    "en-US;", "en-US\x00", "en-US\r\nX: y", "<b>en-US</b>", "en-\u017fe", "de-ÄT", "\ud800", "\U0001f600",
    "de-AT" + "x" * 600,
]  # fmt: skip
each_language = pytest.mark.parametrize("language", sorted(LANGUAGES))


def rows(language):
    return json.loads((countries.FOLDER / f"{language}.json").read_text(encoding="utf-8"))


def listed_names(language):
    return [label.rpartition(" (")[0] for _country, label in countries.listed(language)]


class TestFiles:
    def test_there_is_one_for_each_language(self):
        assert LANGUAGES == {file.stem for file in countries.FOLDER.glob("*.json")}

    @each_language
    def test_each_names_the_countries_that_have_numbers(self, language):
        found = [country for country, _name in rows(language)]
        assert sorted(REGIONS) == sorted(found)
        assert {"AC", "TA", "XK"} <= set(found)

    @each_language
    def test_no_two_countries_share_a_name(self, language):
        names = [name.casefold() for _country, name in rows(language)]
        assert len(names) == len(set(names))

    @each_language
    def test_names_are_plain_text(self, language):
        names = [name for _country, name in rows(language)]
        assert [] == [name for name in names if name != name.strip() or not name]
        assert [] == [name for name in names if not unicodedata.is_normalized("NFC", name)]
        assert [] == [name for name in names if BIDI.search(name) or not name.isprintable()]
        assert [] == [name for name in names if re.fullmatch("[A-Z]{2}", name)]

    def test_the_folder_says_whose_names_they_are(self):
        notice = (countries.FOLDER / "LICENSE").read_text(encoding="utf-8")
        assert "SPDX-License-Identifier: Unicode-3.0" in notice


class TestServed:
    def test_all_that_have_numbers_unless_the_site_says_otherwise(self, settings):
        configure(settings, COUNTRIES=None)
        assert tuple(sorted(REGIONS)) == countries.served()

    @pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
    def test_what_the_site_says(self, settings, kind):
        configure(settings, COUNTRIES=kind(["US", "CA", "GB"]))
        assert ("CA", "GB", "US") == countries.served()

    def test_none_is_not_all(self, settings):
        configure(settings, COUNTRIES=[])
        assert () == countries.served()
        assert () == countries.listed("en")

    def test_no_country_without_numbers(self, settings):
        configure(settings, COUNTRIES=["US", "UK", "AQ", "us", "001"])
        assert ("US",) == countries.served()


class TestName:
    @pytest.mark.parametrize(
        ("language", "expected"),
        [
            ("en", "Germany"),
            ("de", "Deutschland"),
            ("fr", "Allemagne"),
            ("pt-br", "Alemanha"),
            ("ar", "ألمانيا"),
            ("zh-hans", "德国"),
            ("zh-hant", "德國"),
        ],
    )
    def test_is_in_the_language(self, language, expected):
        assert expected == countries.name("DE", language)

    @pytest.mark.parametrize(
        ("language", "expected"),
        [
            ("de-at", "Vereinigte Staaten"),
            ("DE-AT", "Vereinigte Staaten"),
            ("es-419", "Estados Unidos"),
            ("zh-hant-tw", "美國"),
            ("zh-tw", "美國"),
            ("zh-hk", "美國"),
            ("zh-cn", "美国"),
            ("zh", "美国"),
            ("no", "USA"),
            ("fa", "United States"),
            ("xx", "United States"),
            ("xx-de", "United States"),
            ("-", "United States"),
        ],
    )
    def test_falls_back_on_the_base_then_on_english(self, language, expected):
        assert expected == countries.name("US", language)

    def test_portuguese_of_portugal_has_its_own(self):
        assert "Chéquia" == countries.name("CZ", "pt")
        assert "Tchéquia" == countries.name("CZ", "pt-br")

    @pytest.mark.parametrize(
        "language", ["../territories/de", "/etc/passwd", "de\x00", "de/", "..", "LICENSE"]
    )
    def test_opens_no_file_but_those_of_languages(self, language):
        assert "Germany" == countries.name("DE", language)

    def test_without_a_language_it_is_the_active_one(self):
        with translation.override("sv"):
            assert "Tyskland" == countries.name("DE")

    def test_without_any_it_is_english(self):
        with translation.override(None):
            assert "Germany" == countries.name("DE")

    @pytest.mark.parametrize("country", ["ZZ", "gb", "001", "", "United Kingdom"])
    def test_an_unknown_country_is_its_code(self, country):
        assert country == countries.name(country, "de")

    @given(st.text(max_size=40))
    def test_any_tag_gives_a_name(self, language):
        assert countries.name("DE", language)

    def test_reads_a_file_once(self, monkeypatch, tmp_path):
        countries.name("DE", "de")
        monkeypatch.setattr(countries, "FOLDER", tmp_path)
        assert "Deutschland" == countries.name("DE", "de")


class TestCallingCode:
    @pytest.mark.parametrize(
        ("country", "expected"), [("GB", "44"), ("US", "1"), ("JM", "1"), ("XK", "383"), ("ZZ", ""), ("", "")]
    )
    def test_is_digits(self, country, expected):
        assert expected == countries.calling_code(country)

    @pytest.mark.parametrize("country", sorted(REGIONS))
    def test_is_the_one_of_libphonenumber(self, country):
        assert str(phonenumbers.country_code_for_region(country)) == countries.calling_code(country)


class TestListed:
    def test_labels_have_name_and_code(self, settings):
        configure(settings, COUNTRIES=["US", "GB", "AC"])
        expected = (
            ("AC", "Ascension Island (+247)"),
            ("GB", "United Kingdom (+44)"),
            ("US", "United States (+1)"),
        )
        assert expected == countries.listed("en")

    @pytest.mark.parametrize(
        ("language", "expected"),
        [
            ("sv", ["Egypten", "Sverige", "Zambia", "Åland", "Österrike", "Östtimor"]),
            ("da", ["Egypten", "Sverige", "Timor-Leste", "Zambia", "Østrig", "Åland"]),
            ("de", ["Ägypten", "Ålandinseln", "Österreich", "Sambia", "Schweden", "Timor-Leste"]),
            ("es", ["Austria", "Egipto", "Islas Aland", "Suecia", "Timor-Leste", "Zambia"]),
        ],
    )
    def test_stand_in_the_order_of_the_language(self, settings, language, expected):
        configure(settings, COUNTRIES=["AT", "AX", "EG", "SE", "TL", "ZM"])
        assert expected == listed_names(language)

    def test_accents_do_not_move_a_name_to_the_end(self, settings):
        configure(settings, COUNTRIES=["BR", "BE", "BZ", "AT", "ES", "SV", "EE"])
        names = ["Austria", "Bélgica", "Belice", "Brasil", "El Salvador", "España", "Estonia"]
        assert names == listed_names("es")

    def test_are_those_served_and_follow_the_setting(self, settings):
        configure(settings, COUNTRIES=["FR"])
        assert (("FR", "Frankreich (+33)"),) == countries.listed("de")
        configure(settings, COUNTRIES=["IT"])
        assert (("IT", "Italien (+39)"),) == countries.listed("de")

    def test_are_in_the_active_language(self, settings):
        configure(settings, COUNTRIES=["FR"])
        with translation.override("it"):
            assert (("FR", "Francia (+33)"),) == countries.listed()

    @each_language
    def test_leave_nobody_out(self, settings, language):
        configure(settings, COUNTRIES=None)
        assert [country for country, _name in rows(language)] == [
            one for one, _ in countries.listed(language)
        ]

    def test_are_made_once_for_a_language_and_its_countries(self, settings):
        configure(settings, COUNTRIES=None)
        assert countries.listed("de") is countries.listed("de-at")

    def test_a_country_newer_than_the_names_stands_at_the_end(self, settings, monkeypatch, request):
        monkeypatch.setattr(phonenumbers, "SUPPORTED_REGIONS", {"QA", "QQ", "ZW"})
        phones.regions.cache_clear()
        request.addfinalizer(phones.regions.cache_clear)
        configure(settings, COUNTRIES=None)
        assert ["QA", "ZW", "QQ"] == [country for country, _label in countries.listed("en")]

    @pytest.mark.parametrize(
        ("language", "expected"),
        [
            ("he", "בריטניה (\u2066+44\u2069)"),
            ("ar", "المملكة المتحدة (\u2066+44\u2069)"),
            ("AR-eg", "المملكة المتحدة (\u2066+44\u2069)"),
            ("fa", "United Kingdom (\u2066+44\u2069)"),
        ],
    )
    def test_codes_are_isolated_where_text_runs_from_the_right(self, settings, language, expected):
        configure(settings, COUNTRIES=["GB"])
        assert (("GB", expected),) == countries.listed(language)

    @pytest.mark.parametrize("language", sorted(LANGUAGES - {"ar", "he"}))
    def test_labels_of_other_languages_hide_nothing(self, settings, language):
        configure(settings, COUNTRIES=None)
        assert [] == [label for _country, label in countries.listed(language) if not label.isprintable()]


class TestFavourites:
    def test_stand_in_the_order_of_the_site(self, settings):
        configure(settings, COUNTRIES=None, FAVOURITE_COUNTRIES=["US", "AT", "GB"])
        expected = (("US", "Vereinigte Staaten (+1)"), ("AT", "Österreich (+43)"))
        assert (*expected, ("GB", "Vereinigtes Königreich (+44)")) == countries.favourites("de")

    def test_are_in_the_whole_list_too(self, settings):
        configure(settings, COUNTRIES=None, FAVOURITE_COUNTRIES=["US", "AT"])
        assert set(countries.favourites("fr")) < set(countries.listed("fr"))

    def test_are_served(self, settings):
        configure(settings, COUNTRIES=["AT", "CH"], FAVOURITE_COUNTRIES=["US", "CH", "ZZ"])
        assert (("CH", "Suisse (+41)"),) == countries.favourites("fr")

    def test_stand_there_once(self, settings):
        configure(settings, COUNTRIES=None, FAVOURITE_COUNTRIES=["CH", "AT", "CH"])
        assert ["CH", "AT"] == [country for country, _label in countries.favourites("en")]

    def test_a_site_need_not_have_any(self, settings):
        configure(settings, COUNTRIES=None)
        assert () == countries.favourites("en")


class TestPreferred:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("de-AT,de;q=0.9", "AT"),
            ("de,de-AT;q=0.9", "AT"),
            ("en-US;q=0.5, fr-CA;q=0.8", "CA"),
            ("EN-gb", "GB"),
            ("zh-Hant-HK", "HK"),
            ("zh-cmn-Hans-SG", "SG"),
            ("en-GB-oxendict", "GB"),
            ("de-DE-u-co-phonebk", "DE"),
            ("es-419,es-MX;q=0.9", "MX"),
            ("xx-ZZ, en-EU;q=0.9, sq-XK;q=0.1", "XK"),
        ],
    )
    def test_is_the_region_of_the_best_tag(self, settings, header, expected):
        configure(settings, COUNTRIES=None)
        assert expected == countries.preferred(header)

    @pytest.mark.parametrize("header", NAMELESS)
    def test_others_name_none(self, settings, header):
        configure(settings, COUNTRIES=None)
        assert "" == countries.preferred(header)

    def test_countries_not_served_are_passed_over(self, settings):
        configure(settings, COUNTRIES=["CH", "FR"])
        assert "CH" == countries.preferred("de-AT, de-DE;q=0.9, de-CH;q=0.8, fr-FR;q=0.7")
        assert "" == countries.preferred("de-AT, en-US;q=0.9")

    def test_what_stands_after_the_first_500_characters_is_not_read(self, settings):
        configure(settings, COUNTRIES=["CH"])
        assert "" == countries.preferred("de-at," * 100 + "de-ch")
        assert "CH" == countries.preferred("de-ch," + "de-at," * 200_000)

    @given(st.text() | st.text(alphabet="abdehtuxATUS419-;,q=.0 *\t"))
    def test_any_header_gives_a_served_country_or_none(self, header):
        assert countries.preferred(header) in {"", *countries.served()}

    @given(
        st.sampled_from(["de", "zh-Hant", "zh-cmn-Hans", "ast"]), st.sampled_from(sorted(REGIONS)),
        st.sampled_from(["", "-1996", "-x-private", "-u-nu-arab"]),
    )  # fmt: skip
    def test_any_region_is_found(self, before, region, after):
        assert region == countries.preferred(f"{before}-{region}{after}")
