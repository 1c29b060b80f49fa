"""The emulator says it in the language that was asked for."""

from __future__ import annotations

import re

import pytest

from passwordless.vonage import v1, v2
from passwordless.vonage.client import Client
from passwordless.vonage.dialect import Options, Order
from passwordless.vonage.emulator import Emulator
from passwordless.vonage.emulator.languages import LANGUAGES
from passwordless.vonage.emulator.texts import Said, render
from passwordless.vonage.inprocess import WsgiAdapter
from tests.vonage.emulator_calls import NUMBER, V1, V2, emulator_at
from tests.vonage.wire import credentials

# The languages of our pages, and how Vonage would name them.
TAGS = {
    "en": "en-us",
    "es": "es-es",
    "fr": "fr-fr",
    "de": "de-de",
    "it": "it-it",
    "pt-br": "pt-br",
    "nl": "nl-nl",
    "pl": "pl-pl",
    "tr": "tr-tr",
    "ar": "ar-xa",
    "he": "he-il",
    "hi": "hi-in",
    "id": "id-id",
    "ja": "ja-jp",
    "zh-hans": "zh-cn",
}
every_page = pytest.mark.parametrize("page", TAGS)
CHANNELS = ("sms", "voice", "whatsapp")
SMS = {
    "en": "Example code: 123456. Valid for 3 minutes.",
    "es": "Código de Example: 123456. Válido durante 3 minutos.",
    "fr": "Code Example : 123456. Valable 3 minutes.",
    "de": "Example-Code: 123456. Gültig für 3 Minuten.",
    "it": "Codice Example: 123456. Valido per 3 minuti.",
    "pt-br": "Código Example: 123456. Válido por 3 minutos.",
    "nl": "Example-code: 123456. Geldig gedurende 3 minuten.",
    "pl": "Kod Example: 123456. Ważny przez 3 minuty.",
    "tr": "Example kodu: 123456. 3 dakika geçerlidir.",
    "ar": "رمز Example: 123456. صالح لمدة 3 دقائق.",
    "he": "קוד Example: 123456. בתוקף למשך 3 דקות.",
    "hi": "Example कोड: 123456. 3 मिनट के लिए मान्य है।",
    "id": "Kode Example: 123456. Berlaku selama 3 menit.",
    "ja": "Exampleのコード: 123456。有効期間は3分です。",
    "zh-hans": "Example验证码：123456。3分钟内有效。",
}


def said(channel, locale, seconds=180.0, **options):
    return render(channel, Said(brand="Example", code="123456", seconds=seconds), locale=locale, **options)


def life(locale, seconds):
    """Return what stands where an SMS tells how long the code is valid."""
    template = LANGUAGES[locale.partition("-")[0] if locale != "zh-cn" else locale].sms
    before, _, after = template.format(brand="Example", code="123456", life="|").partition("|")
    return said("sms", locale, seconds).content.removeprefix(before).removesuffix(after)


@every_page
def test_v2_by_locale(page):
    emulator = emulator_at()
    V2(emulator).open(channels=["sms"], locale=TAGS[page], code="123456")
    [message] = emulator.messages(NUMBER)
    assert (SMS[page], TAGS[page]) == (message.text, message.locale)


@pytest.mark.parametrize("page", [page for page in TAGS if page != "he"])
def test_v1_by_lg(page):
    emulator = emulator_at()
    V1(emulator).open(lg=TAGS[page], pin_code="123456", pin_expiry=180)
    [message] = emulator.messages(NUMBER)
    assert (SMS[page], TAGS[page]) == (message.text, message.locale)


@every_page
def test_every_channel_has_a_text_of_its_own_with_the_code_and_the_brand(page):
    texts = [said(channel, TAGS[page]).content for channel in CHANNELS]
    assert 3 == len(set(texts))
    assert all("Example" in text and "{" not in text for text in texts)
    assert ["123456", "1, 2, 3, 4, 5, 6", "*123456*"] == [
        found[0] for found in map(re.search, (r"\d{6}", r"(?:\d, ){5}\d", r"\*\d+\*"), texts)
    ]


def test_no_two_languages_say_the_same():
    assert len(TAGS) == len({said("voice", tag).content for tag in TAGS.values()})


@every_page
def test_rcs_and_mail_say_what_an_sms_says(page):
    sms, rcs, mail = (said(channel, TAGS[page]) for channel in ("sms", "rcs", "email"))
    assert sms == rcs == mail


@pytest.mark.parametrize("locale", ["uk-ua", "zh-tw", "yue-cn", "", "eng"])
def test_any_other_is_answered_in_english(locale):
    text = said("sms", locale)
    assert (SMS["en"], "en-us") == (text.content, text.locale)


@pytest.mark.parametrize(("locale", "like"), [("en-gb", "en"), ("es-mx", "es"), ("pt-pt", "pt-br")])
def test_countries_share_a_language(locale, like):
    text = said("sms", locale)
    assert (SMS[like], locale) == (text.content, text.locale)


@pytest.mark.parametrize(
    ("locale", "told"),
    [
        ("en-us", {60: "1 minute", 120: "2 minutes", 1: "1 second", 59: "59 seconds", 179: "2 minutes"}),
        ("es-es", {60: "1 minuto", 900: "15 minutos", 1: "1 segundo", 30: "30 segundos"}),
        ("fr-fr", {60: "1 minute", 120: "2 minutes", 1: "1 seconde", 30: "30 secondes"}),
        ("de-de", {60: "1 Minute", 300: "5 Minuten", 1: "1 Sekunde", 30: "30 Sekunden"}),
        ("it-it", {60: "1 minuto", 300: "5 minuti", 1: "1 secondo", 30: "30 secondi"}),
        ("pt-br", {60: "1 minuto", 300: "5 minutos", 1: "1 segundo", 30: "30 segundos"}),
        ("nl-nl", {60: "1 minuut", 300: "5 minuten", 1: "1 seconde", 30: "30 seconden"}),
        ("tr-tr", {60: "1 dakika", 300: "5 dakika", 30: "30 saniye"}),
        ("he-il", {60: "דקה אחת", 300: "5 דקות", 1: "שנייה אחת", 30: "30 שניות"}),
        ("hi-in", {60: "1 मिनट", 300: "5 मिनट", 30: "30 सेकंड"}),
        ("id-id", {60: "1 menit", 300: "5 menit", 30: "30 detik"}),
        ("ja-jp", {60: "1分", 300: "5分", 30: "30秒"}),
        ("zh-cn", {60: "1分钟", 300: "5分钟", 30: "30秒"}),
    ],
)
def test_plurals(locale, told):
    assert told == {seconds: life(locale, seconds) for seconds in told}


def test_plurals_of_polish():
    forms = {1: "minutę", 2: "minuty", 4: "minuty", 5: "minut", 12: "minut", 14: "minut", 15: "minut"}
    forms |= {21: "minut", 22: "minuty", 24: "minuty", 25: "minut", 60: "minut"}
    assert {n: f"{n} {form}" for n, form in forms.items()} == {n: life("pl-pl", n * 60) for n in forms}
    assert ["1 sekundę", "33 sekundy", "45 sekund"] == [life("pl-pl", n) for n in (1, 33, 45)]


def test_plurals_of_arabic():
    told = {1: "دقيقة واحدة", 2: "دقيقتين", 3: "3 دقائق", 10: "10 دقائق", 11: "11 دقيقة", 60: "60 دقيقة"}
    assert told == {n: life("ar-xa", n * 60) for n in told}
    assert "15 ثانية" == life("ar-xa", 15)


@every_page
def test_every_number_is_told(page):
    """Arabic and Hebrew say one, and Arabic two, without a digit."""
    numbers = {
        seconds: seconds if seconds < 60 else seconds // 60
        for seconds in (*range(1, 60), *range(60, 3601, 60))
    }
    words = {"ar": {1, 2}, "he": {1}}.get(page, set())
    mute = {number for seconds, number in numbers.items() if str(number) not in life(TAGS[page], seconds)}
    assert words == mute


def test_a_payment_is_told_in_english():
    emulator = emulator_at()
    fields = {"number": NUMBER.lstrip("+"), "payee": "Example", "amount": "9.50", "lg": "de-de"}
    assert "0" == V1(emulator).ask("/verify/psd2/json", **fields)["status"]
    [message] = emulator.messages(NUMBER)
    assert "9.50 euro" in message.text
    assert "en-gb" == message.locale


def test_braces_and_variables_in_a_brand_are_no_placeholders():
    text = render("sms", Said(brand="{code}${code}", code="123456", seconds=60), locale="de-de").content
    assert "{code}${code}-Code: 123456. Gültig für 1 Minute." == text


@pytest.mark.parametrize("dialect", [v1.V1, v2.V2])
@pytest.mark.parametrize(("page", "country", "word"), [("de", "AT", "Gültig"), ("he", "IL", "Valid")])
def test_from_page_to_message(dialect, page, country, word):
    emulator = Emulator()
    client = Client(credentials(), adapter=WsgiAdapter(emulator))
    ours = dialect(client, Options(brand="Example"))
    locale = ours.locale(page, country, ["sms"])
    ours.start(Order(number=NUMBER, channels=["sms"], locale=locale))
    assert [True] == [word in message.text for message in emulator.messages(NUMBER)]
