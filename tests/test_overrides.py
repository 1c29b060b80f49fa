"""What a site may make its own, each in a site that does so: base, one part, words, colours and addresses."""

from __future__ import annotations

import re
from pathlib import Path

import polib
import pytest
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.test import Client
from django.urls import clear_script_prefix, include, path, reverse, set_script_prefix
from django.utils import translation
from django.utils.translation import trans_real

import passwordless
from tests import support, urls

pytestmark = pytest.mark.django_db
TICKET = re.compile(r'name="ticket" value="(\w+)"')
LINKS = re.compile(r'(?:href|src|action)="(/[^"]*)"')
PACKAGE = Path(passwordless.__file__).parent
BLOCKS = ["title", "head", "brand", "content", "help", "aside"]
PARTS = sorted(file.name for file in (PACKAGE / "templates/passwordless/partials").glob("*.html"))


@pytest.fixture(autouse=True)
def still():
    with support.world():
        yield


@pytest.fixture
def templates(tmp_path, settings):
    """A folder of templates that come before ours."""
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]

    def write(name, text):
        file = tmp_path / "passwordless" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


class Journey:
    """A login with a slip on each page; every page is kept."""

    def __init__(self, client):
        self.client, self.pages = client, []

    def keep(self, answer):
        self.pages.append(answer.content.decode())
        return answer

    def ticket(self):
        return TICKET.search(self.pages[-1])[1]

    def go(self):
        """Return what came last: the answer to the right code."""
        login, code = reverse("passwordless:login"), reverse("passwordless:code")
        self.keep(self.client.get(login))
        self.keep(self.client.post(login, {"number": ""}))
        self.keep(self.client.post(login, {"number": support.NUMBER}, follow=True))
        for _ in range(2):
            self.keep(self.client.post(code, {"code": support.wrong(), "ticket": self.ticket()}))
        answer = self.client.post(code, {"code": support.code(), "ticket": self.ticket()})
        self.keep(self.client.get(reverse("passwordless:done")))
        return answer


@pytest.fixture
def journey():
    return Journey(Client())


def test_a_base_of_the_site_is_worn_by_every_page(templates, journey):
    blocks = "".join(f"{{% block {name} %}}{{% endblock %}}" for name in BLOCKS)
    errors = '{% include "passwordless/partials/error_summary.html" %}'
    templates("base.html", f"<title>shop</title>{errors}{blocks}")
    assert 302 == journey.go().status_code
    assert 6 == len(journey.pages)
    assert [] == [page for page in journey.pages if not page.startswith("<title>shop</title>")]
    assert [] == [page for page in journey.pages if "passwordless.css" in page]
    assert "Enter your mobile number." in journey.pages[1]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_can_be_filled_for_all_pages(templates, block):
    ours = (PACKAGE / "templates/passwordless/base.html").read_text()
    templates("ours.html", ours)
    templates(
        "base.html",
        f'{{% extends "passwordless/ours.html" %}}{{% block {block} %}}of the shop{{% endblock %}}',
    )
    page = render_to_string("passwordless/base.html")
    assert 1 == page.count("of the shop")


@pytest.mark.parametrize("part", PARTS)
def test_one_part_is_changed_wherever_it_stands(templates, journey, part):
    ours = (PACKAGE / "templates/passwordless/partials" / part).read_text()
    templates(f"partials/{part}", f"<!-- of the shop -->{ours}")
    assert 302 == journey.go().status_code
    assert any("<!-- of the shop -->" in page for page in journey.pages)


def test_a_button_of_the_site_is_on_every_page(templates, journey):
    templates("partials/button.html", '<input class="shop" type="submit" value="{{ label }}">')
    assert 302 == journey.go().status_code
    assert [] == [page for page in journey.pages if 'class="shop"' not in page or "<button" in page]
    assert 'value="Send code"' in journey.pages[0]


WORDS = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\nPlural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Sign in"
msgstr "Come in"

msgid "Enter your mobile number."
msgstr "We need your number to let you in."
"""


@pytest.fixture
def words(tmp_path, settings):
    """Words of the site for some of ours."""
    folder = tmp_path / "locale" / "en" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    polib.pofile(WORDS.strip()).save_as_mofile(str(folder / "django.mo"))
    settings.LOCALE_PATHS = [str(tmp_path / "locale")]
    forget_languages()
    yield
    forget_languages()


def forget_languages():
    trans_real._translations.clear()
    trans_real._default = None
    trans_real._active = trans_real.Local()


def test_words_of_the_site_come_before_ours(words, journey):
    assert 302 == journey.go().status_code
    assert '<h1 class="pl-title">Come in</h1>' in journey.pages[0]
    assert "<title>Come in – Example</title>" in journey.pages[0]
    assert 2 == journey.pages[1].count("We need your number to let you in.")
    assert "Enter the code" in journey.pages[2]


def test_without_them_they_are_ours(journey):
    journey.go()
    assert '<h1 class="pl-title">Sign in</h1>' in journey.pages[0]


def test_a_sheet_of_the_site_comes_after_ours(templates, journey):
    """What comes later in the page wins: the site's colours need not be marked as important."""
    ours = (PACKAGE / "templates/passwordless/base.html").read_text()
    templates("ours.html", ours)
    head = '{% load static %}<link rel="stylesheet" href="{% static \'shop.css\' %}">'
    templates(
        "base.html", f'{{% extends "passwordless/ours.html" %}}{{% block head %}}{head}{{% endblock %}}'
    )
    journey.go()
    sheets = [re.findall(r'stylesheet" href="([^"]+)"', page) for page in journey.pages]
    assert [["/static/passwordless/passwordless.css", "/static/shop.css"]] * 6 == sheets


def test_every_colour_is_a_property_that_a_site_can_set():
    sheet = Path(finders.find("passwordless/passwordless.css")).read_text()
    rules = re.sub(r":root \{.*?\}", "", sheet, flags=re.DOTALL)
    assert [] == re.findall(r"#[0-9a-f]{3,8}\b|rgba?\(", rules)
    used = set(re.findall(r"var\((--pl-[\w-]+)\)", sheet))
    assert used == set(re.findall(r"^ +(--pl-[\w-]+):", sheet, flags=re.MULTILINE))


class Prefixed:
    """Addresses of a site that keeps its logins below a prefix."""

    def __init__(self, prefix):
        self.urlpatterns = [
            path("", urls.home, name="home"),
            path("private/", urls.private),
            path(prefix, include("passwordless.urls")),
        ]


@pytest.fixture
def mounted(settings):
    """Mount the app below a prefix, and the site below a script name as FORCE_SCRIPT_NAME or a server says."""

    def mount(prefix, script=None):
        settings.ROOT_URLCONF = Prefixed(prefix)
        settings.FORCE_SCRIPT_NAME = script
        set_script_prefix(script or "/")

    yield mount
    clear_script_prefix()


class Below(Client):
    """A client behind a web server that takes the script name off each path."""

    def __init__(self, script, **defaults):
        super().__init__(**defaults)
        self.script = script

    def generic(self, method, path, *args, **extra):
        assert path.startswith(self.script)
        return super().generic(method, path.removeprefix(self.script), *args, **extra)


@pytest.mark.parametrize("prefix", ["", "accounts/", "a/b-c/", "über-uns/"])
@pytest.mark.parametrize("script", ["", "/shop", "/a/b"])
def test_a_login_works_below_any_prefix_and_script_name(mounted, prefix, script, settings):
    mounted(prefix, script or None)
    settings.LOGIN_REDIRECT_URL = "home"
    journey = Journey(Below(script))
    assert f"{script}/" == journey.go()["Location"]
    root = reverse("passwordless:login").removesuffix("login/")
    assert root.startswith(f"{script}/")
    links = {link for page in journey.pages for link in LINKS.findall(page)}
    assert {reverse(f"passwordless:{name}") for name in ("code", "advance", "cancel", "logout")} <= links
    assert [] == [link for link in links if not link.startswith((root, "/static/"))]


def test_below_a_script_name_whoever_wanted_a_page_gets_it(mounted):
    mounted("accounts/", "/shop")
    client = Below("/shop")
    login, code = reverse("passwordless:login"), reverse("passwordless:code")
    page = client.post(login, {"number": support.NUMBER, "next": "/shop/private/?of=me"}, follow=False)
    assert code == page["Location"]
    ticket = TICKET.search(client.get(code).content.decode())[1]
    answer = client.post(code, {"code": support.code(), "ticket": ticket})
    assert "/shop/private/?of=me" == answer["Location"]


@pytest.mark.parametrize("wanted", ["/shop/accounts/login/", "/shop/accounts/logout/", "//evil.example/"])
def test_below_a_script_name_no_login_leads_back_into_itself(mounted, wanted, settings):
    mounted("accounts/", "/shop")
    settings.LOGIN_REDIRECT_URL = "home"
    client = Below("/shop")
    client.post(reverse("passwordless:login"), {"number": support.NUMBER, "next": wanted})
    ticket = TICKET.search(client.get(reverse("passwordless:code")).content.decode())[1]
    answer = client.post(reverse("passwordless:code"), {"code": support.code(), "ticket": ticket})
    assert "/shop/" == answer["Location"]


def test_a_language_of_the_site_reaches_its_own_base(templates):
    templates("base.html", "{% load i18n %}{% translate 'Sign in' %}{% block content %}{% endblock %}")
    with translation.override("de"):
        assert render_to_string("passwordless/base.html").startswith("Anmelden")
