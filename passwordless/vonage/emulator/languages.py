"""What is said in each language that the emulator speaks; any other is answered in English."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Plural = Callable[[int], int]
"""Which of the forms of a noun goes with a number."""


def _always(number: int) -> int:
    return 0


def _one_or_more(number: int) -> int:
    return 0 if number == 1 else 1


def _polish(number: int) -> int:
    if number == 1:
        return 0
    return 1 if number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14) else 2


def _arabic(number: int) -> int:
    if number in (1, 2):
        return number - 1
    return 2 if 3 <= number % 100 <= 10 else 3


@dataclass(frozen=True, kw_only=True)
class Language:
    """Texts with `{brand}`, `{code}`, `{spelled}` and `{life}`; the forms of the units with `{n}`."""

    sms: str
    voice: str
    whatsapp: str
    minutes: tuple[str, ...]
    seconds: tuple[str, ...]
    plural: Plural = _one_or_more

    def text(self, channel: str) -> str:
        """Return the text of a channel; RCS and mail say what an SMS says."""
        return {"voice": self.voice, "whatsapp": self.whatsapp}.get(channel, self.sms)

    def form(self, unit: str, number: int) -> str:
        """Return the form of `minutes` or `seconds` that goes with a number."""
        forms = self.minutes if unit == "minutes" else self.seconds
        return forms[self.plural(number)]


ENGLISH = Language(
    sms="{brand} code: {code}. Valid for {life}.",
    voice="Hello. Your {brand} code is: {spelled}. Once more: {spelled}.",
    whatsapp="*{code}* is your {brand} code. Valid for {life}.",
    minutes=("{n} minute", "{n} minutes"),
    seconds=("{n} second", "{n} seconds"),
)
LANGUAGES: Mapping[str, Language] = {
    "en": ENGLISH,
    "es": Language(
        sms="Código de {brand}: {code}. Válido durante {life}.",
        voice="Hola. Su código de {brand} es: {spelled}. Lo repetimos: {spelled}.",
        whatsapp="*{code}* es su código de {brand}. Válido durante {life}.",
        minutes=("{n} minuto", "{n} minutos"),
        seconds=("{n} segundo", "{n} segundos"),
    ),
    "fr": Language(
        sms="Code {brand} : {code}. Valable {life}.",
        voice="Bonjour. Votre code {brand} est : {spelled}. Je répète : {spelled}.",
        whatsapp="*{code}* est votre code {brand}. Valable {life}.",
        minutes=("{n} minute", "{n} minutes"),
        seconds=("{n} seconde", "{n} secondes"),
    ),
    "de": Language(
        sms="{brand}-Code: {code}. Gültig für {life}.",
        voice="Hallo. Ihr {brand}-Code lautet: {spelled}. Noch einmal: {spelled}.",
        whatsapp="*{code}* ist Ihr {brand}-Code. Gültig für {life}.",
        minutes=("{n} Minute", "{n} Minuten"),
        seconds=("{n} Sekunde", "{n} Sekunden"),
    ),
    "it": Language(
        sms="Codice {brand}: {code}. Valido per {life}.",
        voice="Salve. Il suo codice {brand} è: {spelled}. Ripeto: {spelled}.",
        whatsapp="*{code}* è il suo codice {brand}. Valido per {life}.",
        minutes=("{n} minuto", "{n} minuti"),
        seconds=("{n} secondo", "{n} secondi"),
    ),
    "pt": Language(
        sms="Código {brand}: {code}. Válido por {life}.",
        voice="Olá. Seu código {brand} é: {spelled}. Repetindo: {spelled}.",
        whatsapp="*{code}* é seu código {brand}. Válido por {life}.",
        minutes=("{n} minuto", "{n} minutos"),
        seconds=("{n} segundo", "{n} segundos"),
    ),
    "nl": Language(
        sms="{brand}-code: {code}. Geldig gedurende {life}.",
        voice="Hallo. Uw {brand}-code is: {spelled}. Nogmaals: {spelled}.",
        whatsapp="*{code}* is uw {brand}-code. Geldig gedurende {life}.",
        minutes=("{n} minuut", "{n} minuten"),
        seconds=("{n} seconde", "{n} seconden"),
    ),
    "pl": Language(
        sms="Kod {brand}: {code}. Ważny przez {life}.",
        voice="Dzień dobry. Twój kod {brand} to: {spelled}. Powtarzam: {spelled}.",
        whatsapp="*{code}* to Twój kod {brand}. Ważny przez {life}.",
        minutes=("{n} minutę", "{n} minuty", "{n} minut"),
        seconds=("{n} sekundę", "{n} sekundy", "{n} sekund"),
        plural=_polish,
    ),
    "tr": Language(
        sms="{brand} kodu: {code}. {life} geçerlidir.",
        voice="Merhaba. {brand} kodunuz: {spelled}. Tekrar ediyorum: {spelled}.",
        whatsapp="*{code}*, {brand} kodunuz. {life} geçerlidir.",
        minutes=("{n} dakika",),
        seconds=("{n} saniye",),
        plural=_always,
    ),
    "ar": Language(
        sms="رمز {brand}: {code}. صالح لمدة {life}.",
        voice="مرحبًا. رمز {brand} الخاص بك هو: {spelled}. مرة أخرى: {spelled}.",
        whatsapp="*{code}* هو رمز {brand} الخاص بك. صالح لمدة {life}.",
        minutes=("دقيقة واحدة", "دقيقتين", "{n} دقائق", "{n} دقيقة"),
        seconds=("ثانية واحدة", "ثانيتين", "{n} ثوانٍ", "{n} ثانية"),
        plural=_arabic,
    ),
    "he": Language(
        sms="קוד {brand}: {code}. בתוקף למשך {life}.",
        voice="שלום. הקוד שלך עבור {brand} הוא: {spelled}. שוב: {spelled}.",
        whatsapp="*{code}* הוא הקוד שלך עבור {brand}. בתוקף למשך {life}.",
        minutes=("דקה אחת", "{n} דקות"),
        seconds=("שנייה אחת", "{n} שניות"),
    ),
    "hi": Language(
        sms="{brand} कोड: {code}. {life} के लिए मान्य है।",
        voice="नमस्ते। आपका {brand} कोड है: {spelled}. फिर से: {spelled}.",
        whatsapp="*{code}* आपका {brand} कोड है। {life} के लिए मान्य है।",
        minutes=("{n} मिनट",),
        seconds=("{n} सेकंड",),
        plural=_always,
    ),
    "id": Language(
        sms="Kode {brand}: {code}. Berlaku selama {life}.",
        voice="Halo. Kode {brand} Anda adalah: {spelled}. Sekali lagi: {spelled}.",
        whatsapp="*{code}* adalah kode {brand} Anda. Berlaku selama {life}.",
        minutes=("{n} menit",),
        seconds=("{n} detik",),
        plural=_always,
    ),
    "ja": Language(
        sms="{brand}のコード: {code}。有効期間は{life}です。",
        voice="こんにちは。{brand}のコードは {spelled} です。もう一度お伝えします。{spelled} です。",
        whatsapp="*{code}* は{brand}のコードです。有効期間は{life}です。",
        minutes=("{n}分",),
        seconds=("{n}秒",),
        plural=_always,
    ),
    "zh-cn": Language(
        sms="{brand}验证码：{code}。{life}内有效。",
        voice="您好。您的{brand}验证码是：{spelled}。再说一遍：{spelled}。",
        whatsapp="*{code}* 是您的{brand}验证码。{life}内有效。",
        minutes=("{n}分钟",),
        seconds=("{n}秒",),
        plural=_always,
    ),
}
"""By tag, or by its first part where all countries share the text."""


def spoken(locale: str) -> Language | None:
    """Return the language of a tag such as `de-de`, or None for one that the emulator does not speak."""
    return LANGUAGES.get(locale) or LANGUAGES.get(locale.partition("-")[0])
