"""The pages in each of their languages: nothing left in English, and room for the longest words."""

from __future__ import annotations

import re
from pathlib import Path

import polib
import pytest
from django.utils import translation

import passwordless
from example_project.settings import LANGUAGES
from passwordless.vonage import locales
from tests.browser.looks import LENGTHENED, NARROW_SIDE, faults, resize
from tests.browser.people import NARROW
from tests.browser.states import STATES, ask

pytestmark = pytest.mark.browser

CATALOGUES = Path(passwordless.__file__).parent / "locale"
TAGS = [tag for tag, _ in LANGUAGES if tag != "en"]
OURS = [name for name in STATES if not re.match("home|phone", name)]
QUICK = ["number_refused", "code_wrong"]
SECONDS = (1, 2, 5, 11, 21)
PLACE = re.compile(r"%\\?\(\w+\\?\)[sd]|\\?\{\w+\\?\}")
# All that is read or read out, but for what stands in the demo's own English.
WORDS = """() => {
    const said = [document.title], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT);
    while (walker.nextNode()) {
        const one = walker.currentNode;
        if (one.closest("[lang=en]:not(html), .pl-brand, aside, form.demo-language")) continue;
        for (const name of ["aria-label", "alt", "title", "placeholder", "label", "data-pl-text", "data-pl-done"])
            if (one.hasAttribute(name)) said.push(one.getAttribute(name));
        for (const part of one.childNodes) if (part.nodeType === Node.TEXT_NODE) said.push(part.data);
    }
    return said.map(text => text.replace(/\\s+/g, " ").trim()).filter(Boolean);
}"""
CATEGORIES = """([language, counts]) => counts.map(one => new Intl.PluralRules(language).select(one))"""
LATIN = re.compile(r"[A-Za-z]{2,}")
# What has no other name, a zone of time, a place for words of the script, and what is isolated: a reference.
NAMES = re.compile(r"Example|Cookie|WhatsApp|SMS|UTC|\{\w+\}|\u2066.*?\u2069")
OTHER_SCRIPTS = [tag for tag in TAGS if tag in ("ar", "he", "hi", "ja", "zh-hans")]
of_each = pytest.mark.parametrize("tag", TAGS)


def catalogue(tag):
    return polib.pofile(CATALOGUES / translation.to_locale(tag) / "LC_MESSAGES" / "django.po")


def english(tag):
    """Return a pattern for all that the pages say in English and in this language in other words."""
    left = [
        text
        for entry in catalogue(tag)
        for text in (entry.msgid, entry.msgid_plural)
        if LATIN.search(PLACE.sub("", text))
        and entry.msgid not in (entry.msgstr, *entry.msgstr_plural.values())
    ]
    return re.compile("|".join(f"(?:{PLACE.sub('.+', re.escape(text))})" for text in left))


def check(visit, tag, name):
    """Hold the words of a state against the catalogue, and see whether they have room on a small screen."""
    person = visit(locale=tag, viewport=NARROW)
    STATES[name](person)
    assert tag == person.page.locator("html").get_attribute("lang")
    texts, pattern = person.page.evaluate(WORDS), english(tag)
    assert [] == [text for text in texts if pattern.fullmatch(text)]
    if tag in OTHER_SCRIPTS:
        assert [] == [text for text in texts if LATIN.search(NAMES.sub("", text))]
    assert [] == faults(person.page)
    resize(person.page, NARROW_SIDE)
    assert [] == faults(person.page)


@of_each
@pytest.mark.parametrize("name", QUICK)
def test_26_no_english_is_left_and_all_words_have_room(visit, tag, name):
    check(visit, tag, name)


@pytest.mark.slow
@of_each
@pytest.mark.parametrize("name", [name for name in OURS if name not in QUICK])
def test_26_no_english_is_left_and_all_words_have_room_in_any_state(visit, tag, name):
    check(visit, tag, name)


def test_26_english_would_be_found(person):
    STATES["code_wrong"](person)
    pattern = english("de")
    assert {"Enter the code", "Continue", "Cancel"} <= {
        text for text in person.page.evaluate(WORDS) if pattern.fullmatch(text)
    }


@pytest.mark.parametrize("tag", [tag for tag, _ in LANGUAGES])
def test_26_the_message_is_in_the_language_of_the_page_where_vonage_has_it(visit, tag):
    person = visit(locale=tag)
    ask(person)
    text = person.page.locator("aside article", has_text=person.number).locator(".demo-text")
    known = locales.nearest(locales.V2, tag, "US", ["sms"])
    # Without a tag Vonage chooses by the number, which is American.
    expected = (known or "en-us").partition("-")[0]
    assert expected == text.get_attribute("lang").partition("-")[0]
    assert ("rtl" if expected in ("ar", "he") else "ltr") == text.get_attribute("dir")


@of_each
def test_26_plural_forms_are_those_of_the_browser(person, tag):
    """Gettext's formula for a language must part counts where Unicode's rules part them."""
    categories = person.page.evaluate(CATEGORIES, [tag, SECONDS])
    for entry in [one for one in catalogue(tag) if one.msgid_plural]:
        with translation.override(tag):
            told = [translation.ngettext(entry.msgid, entry.msgid_plural, count) for count in SECONDS]
        assert len(set(categories)) >= len(set(told))
        assert len(set(categories)) == len(set(zip(categories, told, strict=True)))
        assert not {entry.msgid, entry.msgid_plural} & set(told)


@pytest.mark.parametrize("name", OURS)
def test_26_words_that_are_longer_by_almost_half_have_room(visit, name):
    person = visit(viewport=NARROW)
    STATES[name](person)
    person.page.evaluate(LENGTHENED)
    assert [] == faults(person.page)
    resize(person.page, NARROW_SIDE)
    assert [] == faults(person.page)
