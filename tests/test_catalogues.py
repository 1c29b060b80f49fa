"""The catalogues: complete, true to the strings of the code, and compiled from what is in them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest
from django.utils import translation
from django.utils.translation import ngettext

import passwordless

PACKAGE = Path(passwordless.__file__).parent
FOLDERS = {path.name: path for path in sorted((PACKAGE / "locale").iterdir()) if path.is_dir()}
LANGUAGES = ("ar", "de", "es", "fr", "he", "hi", "id", "it", "ja", "nl", "pl", "pt_BR", "tr", "zh_Hans")
PLACES = re.compile(r"%\(\w+\)[sd]|%%|\{\w+\}")
BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
of_each = pytest.mark.parametrize("language", LANGUAGES)


def catalogue(language):
    return polib.pofile(FOLDERS[language] / "LC_MESSAGES" / "django.po")


def identity(entry):
    return (entry.msgctxt or "", entry.msgid, entry.msgid_plural)


def forms(entry):
    """Return the translations of an entry: one, or one for each plural form."""
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


@pytest.fixture(scope="session")
def spoken(tmp_path_factory):
    """Return what the code says today, as xgettext finds it."""
    copy = tmp_path_factory.mktemp("spoken") / "passwordless"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("locale", "__pycache__"))
    (copy / "locale").mkdir()
    # -P: the package has a module `numbers`, which is not the one that Python means.
    command = [sys.executable, "-P", "-m", "django", "makemessages", "-l", "de", "--no-location", "-v", "0"]
    bare = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(command, cwd=copy, env=bare, check=True, capture_output=True)
    return {identity(entry) for entry in polib.pofile(copy / "locale/de/LC_MESSAGES/django.po")}


def test_there_is_one_for_each_language_of_the_pages():
    assert list(LANGUAGES) == sorted(FOLDERS)


@pytest.mark.gettext
@of_each
def test_each_has_what_the_code_says_and_nothing_else(language, spoken):
    kept = {identity(entry) for entry in catalogue(language)}
    assert (set(), set()) == (spoken - kept, kept - spoken)


@of_each
def test_each_is_complete(language):
    unfinished = [
        entry.msgid for entry in catalogue(language) if entry.obsolete or entry.fuzzy or not all(forms(entry))
    ]
    assert [] == unfinished


@of_each
def test_each_has_every_plural_form_of_its_language(language):
    count = int(re.search(r"nplurals=(\d)", catalogue(language).metadata["Plural-Forms"])[1])
    plural = [entry for entry in catalogue(language) if entry.msgid_plural]
    assert {tuple(range(count))} == {tuple(sorted(entry.msgstr_plural)) for entry in plural}


@of_each
def test_places_for_values_are_those_of_the_original(language):
    """A form for one or two may say the number in words; no form may have a place of its own."""
    wrong = []
    for entry in catalogue(language):
        places = set(PLACES.findall(f"{entry.msgid}{entry.msgid_plural}"))
        found = [set(PLACES.findall(form)) for form in forms(entry)]
        exact = found if not entry.msgid_plural else found[-1:]
        if not all(one <= places for one in found) or any(one != places for one in exact):
            wrong.append(entry.msgid)
    assert [] == wrong


@of_each
def test_no_translation_turns_the_direction_of_what_follows(language):
    assert [] == [entry.msgid for entry in catalogue(language) if BIDI.search("".join(forms(entry)))]


@of_each
def test_what_is_compiled_is_what_is_written(language):
    compiled = polib.mofile(FOLDERS[language] / "LC_MESSAGES" / "django.mo")
    written = {identity(entry): forms(entry) for entry in catalogue(language)}
    assert written == {identity(entry): forms(entry) for entry in compiled}


@of_each
def test_numbers_have_their_plural(language):
    singular, plural = "%(count)d try left.", "%(count)d tries left."
    with translation.override(language.replace("_", "-").lower()):
        told = [ngettext(singular, plural, count) % {"count": count} for count in (1, 2, 5, 11, 21)]
    assert not {singular % {"count": 1}, plural % {"count": 5}} & set(told)
    assert ["5", "11", "21"] == [re.search(r"\d+", one)[0] for one in told[2:]]
