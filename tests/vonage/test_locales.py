"""Which tag of Vonage goes with a page's language and a number's country."""

import json

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from vonage_verify.enums import Locale

from passwordless.vonage import locales
from passwordless.vonage.circuit import Circuit
from passwordless.vonage.decoy import Decoy
from passwordless.vonage.dialect import Options, Order
from passwordless.vonage.emulator.parameters import LANGUAGES
from passwordless.vonage.v1 import V1
from passwordless.vonage.v2 import V2
from tests.vonage.wire import client_of

VERSIONS = {"v1": locales.V1, "v2": locales.V2}
SMS = ("sms", "voice")
ID = "c11236f4-00bf-4b89-84ba-88b25df97315"

PAGES = [
    # language, country, in v1, in v2
    ("en", "US", "en-us", "en-us"),
    ("en", "GB", "en-gb", "en-gb"),
    ("en", "DE", "en-us", "en-us"),
    ("en", "", "en-us", "en-us"),
    ("es", "ES", "es-es", "es-es"),
    ("es", "MX", "es-mx", "es-mx"),
    ("es", "US", "es-us", "es-us"),
    ("es", "AR", "es-es", "es-es"),
    ("fr", "FR", "fr-fr", "fr-fr"),
    ("fr", "CA", "fr-ca", "fr-fr"),
    ("de", "AT", "de-de", "de-de"),
    ("it", "CH", "it-it", "it-it"),
    ("pt-br", "BR", "pt-br", "pt-br"),
    ("pt-br", "PT", "pt-br", "pt-br"),
    ("nl", "NL", "nl-nl", "nl-nl"),
    ("pl", "PL", "pl-pl", ""),
    ("tr", "TR", "tr-tr", ""),
    ("ar", "EG", "ar-xa", "ar-xa"),
    ("he", "IL", "", ""),
    ("hi", "IN", "hi-in", "hi-in"),
    ("id", "ID", "id-id", "id-id"),
    ("ja", "JP", "ja-jp", "ja-jp"),
    ("zh-hans", "CN", "zh-cn", "zh-cn"),
    # languages of other sites
    ("pt", "PT", "pt-pt", "pt-pt"),
    ("pt", "BR", "pt-br", "pt-br"),
    ("pt", "AO", "pt-pt", "pt-pt"),
    ("zh-hant", "TW", "zh-tw", ""),
    ("zh-hans", "TW", "zh-cn", "zh-cn"),
    ("zh-hant", "CN", "zh-tw", ""),
    ("zh-hant-hk", "HK", "zh-tw", ""),
    ("zh", "TW", "zh-tw", "zh-cn"),
    ("zh", "SG", "zh-cn", "zh-cn"),
    ("en-gb", "US", "en-gb", "en-gb"),
    ("en-au", "AU", "en-au", "en-us"),
    ("en", "IN", "en-in", "en-us"),
    ("es-ar", "MX", "es-mx", "es-mx"),
    ("nn", "NO", "nb-no", ""),
    ("cy", "GB", "cy-gb", ""),
    ("ru", "KZ", "ru-ru", "ru-ru"),
    ("PT_BR", "br", "pt-br", "pt-br"),
    ("uk", "UA", "", ""),
    ("xx", "US", "", ""),
    ("", "US", "", ""),
    ("-", "", "", ""),
]


def site(version):
    return {"v1": V1, "v2": V2}[version](client_of(application=version == "v2"), Options(brand="Example"))


@pytest.mark.parametrize(("language", "country", "v1", "v2"), PAGES)
def test_the_nearest_tag(language, country, v1, v2):
    told = [site(version).locale(language, country, SMS) for version in VERSIONS]
    assert [v1, v2] == told


@pytest.mark.parametrize("version", VERSIONS)
@given(language=st.text("aehnprstzbc-_019", max_size=12) | st.text(max_size=8), country=st.text(max_size=3))
def test_is_always_one_that_the_version_takes_or_none(version, language, country):
    assert locales.nearest(VERSIONS[version], language, country, SMS) in {"", *VERSIONS[version]}


def test_a_tag_counts_only_if_the_first_channel_speaks_it():
    known = {"zh-tw": frozenset({"sms", "whatsapp"})}
    plans = [["sms", "voice"], ["voice", "sms"], ["whatsapp"], []]
    assert ["zh-tw", "", "zh-tw", ""] == [locales.nearest(known, "zh-hant", "TW", plan) for plan in plans]


def test_nobody_is_sent_the_other_script_of_chinese():
    known = {"zh-cn": frozenset({"sms"})}
    assert ["", "zh-cn"] == [locales.nearest(known, page, "CN", SMS) for page in ("zh-hant", "zh-hans")]


def test_whatsapp_speaks_in_v2_only():
    assert ["", "de-de"] == [site(version).locale("de", "DE", ["whatsapp"]) for version in VERSIONS]


def test_v1_are_those_that_its_definition_lists():
    assert (39, LANGUAGES) == (len(locales.V1), set(locales.V1))


def test_v2_are_those_that_sdks_and_the_guide_name():
    assert {"ar-xa", "ja-jp", "nl-nl", "zh-cn", *(tag.value for tag in Locale)} == set(locales.V2)


def test_the_circuit_says_what_the_dialect_says():
    circuit = Circuit(site("v1"), breaker=None, durations=None)
    assert ["fr-ca", ""] == [circuit.locale("fr", "CA", SMS), circuit.locale("he", "IL", SMS)]


def test_the_decoy_writes_in_no_language():
    decoy = Decoy(client_of(), lambda steps: 300, breaker=None, durations=None)
    assert "" == decoy.locale("de", "DE", SMS)


@pytest.mark.parametrize(("language", "sent"), [("de", {"locale": "de-de"}), ("he", {})])
def test_where_there_is_none_the_field_is_left_out(language, sent):
    with responses.RequestsMock() as wire:
        wire.post("https://api.nexmo.com/v2/verify", status=202, json={"request_id": ID})
        v2 = site("v2")
        locale = v2.locale(language, "DE", SMS)
        v2.start(Order(number="+14155550101", channels=SMS, locale=locale))
        body = json.loads(wire.calls[0].request.body)
    assert sent == {name: value for name, value in body.items() if name == "locale"}
