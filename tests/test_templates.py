"""The pages as HTML: whole without JavaScript, a site's to override, safe with what people type."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.template import engines
from django.template.loader import get_template
from django.urls import reverse

import passwordless
from passwordless import gateway

FOLDER = Path(passwordless.__file__).parent / "templates"
FILES = sorted(FOLDER.rglob("*.html"))
NAMES = [str(file.relative_to(FOLDER)) for file in FILES]
NUMBER = "+14155550171"
VOID = {"meta", "link", "input", "br", "img", "hr"}
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def emulator():
    for built in (gateway._built, gateway._clients, gateway._breakers):  # no circuit stays open
        built.clear()
    emulator = gateway.emulator()
    emulator.clear()
    return emulator


class Page(HTMLParser):
    """Elements of a page in order, each with what it is inside of; `errors` names what does not nest."""

    def __init__(self, answer):
        super().__init__()
        self.elements, self.open, self.errors = [], [], []
        self.text = answer.content.decode()
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), [name for name, _ in self.open]))
        if tag not in VOID:
            self.open.append((tag, attrs))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop()[0] != tag:
            self.errors.append(tag)

    def all(self, tag):
        return [attrs for name, attrs, _ in self.elements if name == tag]


def start(client, number=NUMBER):
    return client.post(reverse("passwordless:login"), {"number": number}, follow=True)


def login_page(client):
    return client.get(reverse("passwordless:login"))


def refused_login(client):
    return client.post(reverse("passwordless:login"), {"number": "call me"})


def code_page(client):
    return start(client)


def wrong_code(client):
    ticket = re.search(r'name="ticket" value="(\w+)"', start(client).content.decode())[1]
    return client.post(reverse("passwordless:code"), {"code": "000001", "ticket": ticket})


def ended(client):
    ticket = re.search(r'name="ticket" value="(\w+)"', start(client).content.decode())[1]
    for _ in range(3):
        answer = client.post(reverse("passwordless:code"), {"code": "000001", "ticket": ticket})
    return answer


def signed_in(client):
    client.force_login(User.objects.create_user("ann"), "django.contrib.auth.backends.ModelBackend")
    return client.get(reverse("passwordless:done"))


def out_of_date(client):
    client.handler.enforce_csrf_checks = True
    return client.post(reverse("passwordless:login"), {"number": NUMBER})


def lost(client):
    return client.get(reverse("passwordless:code"), follow=True)


def switch(client):
    client.force_login(User.objects.create_user("ben"), "django.contrib.auth.backends.ModelBackend")
    return client.get(reverse("passwordless:login"), {"switch": "1"})


PAGES = [login_page, refused_login, code_page, wrong_code, ended, signed_in, out_of_date, lost, switch]


@pytest.fixture(params=PAGES, ids=lambda page: page.__name__)
def page(request, client, settings):
    settings.CSRF_FAILURE_VIEW = "passwordless.views.csrf_failure"
    return Page(request.param(client))


class TestEveryPage:
    def test_nests(self, page):
        assert ([], []) == (page.errors, page.open)

    def test_has_one_title_one_heading_and_one_main(self, page):
        assert [1, 1, 1] == [len(page.all(tag)) for tag in ("title", "h1", "main")]

    def test_names_its_language_and_direction(self, page):
        [html] = page.all("html")
        assert ("en-us", "ltr") == (html["lang"], html["dir"])

    def test_is_kept_from_search_engines_and_tells_no_other_site(self, page):
        told = {meta.get("name"): meta.get("content") for meta in page.all("meta")}
        assert ("noindex", "same-origin") == (told["robots"], told["referrer"])

    def test_works_without_javascript(self, page):
        """One file of ours makes them nicer; without it each form is sent by a button that works."""
        assert [{"src": "/static/passwordless/passwordless.js", "defer": None}] == page.all("script")
        assert re.search(r"<script[^>]*></script>", page.text)
        assert len(page.all("form")) == len(page.all("button"))
        assert {"submit"} >= {button["type"] for button in page.all("button")}
        assert [] == [b for b in page.all("button") if {"disabled", "aria-disabled", "hidden"} & set(b)]
        assert [] == [name for _, attrs, _ in page.elements for name in attrs if name.startswith("on")]

    def test_loads_nothing_from_elsewhere(self, page):
        addresses = [
            attrs[name]
            for _, attrs, _ in page.elements
            for name in ("src", "href", "action")
            if name in attrs
        ]
        assert [] == [address for address in addresses if not address.startswith(("/", "#"))]
        assert "style" not in {name for _, attrs, _ in page.elements for name in attrs}

    def test_protects_each_form(self, page):
        forms = page.all("form")
        assert {"post"} >= {form["method"] for form in forms}
        assert len(forms) == sum(field.get("name") == "csrfmiddlewaretoken" for field in page.all("input"))

    def test_labels_each_field(self, page):
        fields = [field for field in page.all("input") if field["type"] not in ("hidden", "radio")]
        ids = {field["id"] for field in [*fields, *page.all("select")]}
        assert ids == {label["for"] for label in page.all("label") if "for" in label}

    def test_labels_each_radio_within_a_group_with_a_name(self, page):
        around = [inside for _, attrs, inside in page.elements if attrs.get("type") == "radio"]
        assert [] == [inside for inside in around if inside[-2:] != ["fieldset", "label"]]
        assert len(page.all("fieldset")) == len(page.all("legend"))
        assert len(around) == len([label for label in page.all("label") if "for" not in label])

    def test_names_each_id_once(self, page):
        ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
        assert len(ids) == len(set(ids))

    def test_points_only_at_what_is_there(self, page):
        ids = {attrs["id"] for _, attrs, _ in page.elements if "id" in attrs}
        pointers = ("aria-labelledby", "aria-describedby", "for")
        wanted = {
            one for _, attrs, _ in page.elements for name in pointers for one in attrs.get(name, "").split()
        }
        links = {a["href"][1:] for a in page.all("a") if a["href"].startswith("#")}
        assert set() == (wanted | links) - ids

    def test_never_guesses_a_choice_for_the_visitor(self, page):
        """But for what comes anyhow: the channel that the site tries first."""
        choices = [field for field in page.all("input") if field["type"] in ("checkbox", "radio")]
        assert {("radio", "channel")} >= {(field["type"], field["name"]) for field in choices}
        assert ["sms"] * bool(choices) == [field["value"] for field in choices if "checked" in field]


class TestFields:
    def test_the_number_is_what_telephones_fill_in(self, client):
        [field] = [field for field in Page(login_page(client)).all("input") if field.get("name") == "number"]
        assert ("tel", "tel", "ltr") == (field["type"], field["autocomplete"], field["dir"])

    def test_the_code_is_what_telephones_fill_in(self, client):
        [field] = [field for field in Page(code_page(client)).all("input") if field.get("name") == "code"]
        assert ("numeric", "one-time-code", "ltr") == (
            field["inputmode"],
            field["autocomplete"],
            field["dir"],
        )
        assert "maxlength" not in field  # a whole message may be pasted

    @pytest.mark.parametrize("page", [refused_login, wrong_code])
    def test_that_are_wrong_say_so_to_everybody(self, page, client):
        shown = Page(page(client))
        [field] = [field for field in shown.all("input") if field["type"] not in ("hidden", "radio")]
        assert "true" == field["aria-invalid"]
        assert f"{field['id']}_error" in field["aria-describedby"]
        assert f"#{field['id']}" in [link["href"] for link in shown.all("a")]
        assert {field["id"]} == {
            attrs["id"] for _, attrs, _ in shown.elements if attrs.get("aria-invalid") == "true"
        }
        assert "<title>Error: " in shown.text

    def test_a_number_is_read_from_left_to_right_in_any_script(self, client, settings):
        settings.LANGUAGE_CODE = "ar"
        [html] = Page(code_page(client)).all("html")
        assert "rtl" == html["dir"]
        assert '<bdi dir="ltr" class="pl-number">+1 415-555-0171</bdi>' in start(client).content.decode()


class TestHostileText:
    SCRIPT = "<script>alert(1)</script>"

    def test_in_the_number_is_escaped(self, client):
        text = client.post(reverse("passwordless:login"), {"number": self.SCRIPT}).content.decode()
        assert "alert(1)" in text
        assert self.SCRIPT not in text

    def test_in_next_is_dropped(self, client):
        text = client.get(reverse("passwordless:login"), {"next": f'/{self.SCRIPT}"'}).content.decode()
        assert self.SCRIPT not in text

    def test_in_the_brand_is_escaped(self, client, settings):
        settings.PASSWORDLESS = {"EMULATOR": True, "BRAND_NAME": "<b>&Co</b>"}
        text = login_page(client).content.decode()
        assert "&lt;b&gt;&amp;Co&lt;/b&gt;" in text
        assert "<b>" not in text

    @pytest.mark.parametrize("name", NAMES)
    def test_is_never_trusted(self, name):
        text = (FOLDER / name).read_text()
        assert [] == re.findall(r"\|\s*safe\b|autoescape off|mark_safe", text)


class TestFiles:
    @pytest.mark.parametrize("name", NAMES)
    def test_can_be_read(self, name):
        assert get_template(name).template.source

    def test_are_those_that_are_documented(self):
        pages = {"base", "login", "code", "signed_in", "switch", "csrf_failure", "unavailable"}
        ours = [Path(name) for name in NAMES if name.startswith("passwordless/")]
        assert pages == {path.stem for path in ours if path.parent.name != "partials"}
        assert {"admin/passwordless"} == {
            "/".join(name.split("/")[:2]) for name in set(NAMES) - {str(path) for path in ours}
        }

    @pytest.mark.parametrize(
        "name", [name for name in NAMES if not re.search("/partials/|base|search", name)]
    )
    def test_wear_the_base_of_their_place(self, name):
        text = (FOLDER / name).read_text()
        base = "admin/" if name.startswith("admin/") else "passwordless/base.html"
        # Parts of the admin's pages stand beside these, and have no blocks of their own.
        assert text.startswith(f'{{% extends "{base}') or (base == "admin/" and "{% block" not in text)

    @pytest.mark.parametrize("name", NAMES)
    def test_say_everything_in_words_that_can_be_translated(self, name):
        text = (FOLDER / name).read_text()
        text = re.sub(r"{% (blocktranslate).*?{% endblocktranslate %}", "", text, flags=re.DOTALL)
        # Not the tags of HTML at once: a condition in one of them may hold a >.
        text = re.sub(r"{% block bodyclass %}.*?{% endblock %}", " ", text)
        text = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", " ", text, flags=re.DOTALL)
        assert [] == re.findall(r'(?:aria-label|title|alt|placeholder|data-pl-\w+)="[^"]*[A-Za-z]{2}', text)
        text = re.sub(r"<[^>]*>", " ", text, flags=re.DOTALL)
        assert [] == re.findall(r"[A-Za-z]{2,}", unescape(text.replace("<!doctype html>", "")))

    @pytest.mark.parametrize(
        "name", ["base.html", "login.html", "partials/button.html", "partials/field.html"]
    )
    def test_of_a_site_come_first(self, name, tmp_path, settings, client):
        own = tmp_path / "passwordless" / name
        own.parent.mkdir(parents=True)
        own.write_text("the dress of this site")
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
        assert "the dress of this site" in login_page(client).content.decode()

    def test_need_no_context_processor(self, settings, client):
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": {}}]
        assert (200, 200) == (login_page(client).status_code, start(client).status_code)
        assert engines["django"].engine.context_processors == []


class TestWords:
    def test_offer_a_call_after_a_minute(self, client):
        text = re.sub(r"\s+", " ", code_page(client).content.decode())
        assert re.search(r"You can ask for it in 60 seconds \(at \d\d:\d\d:\d\d [A-Z]+\)\.", text)
        assert text.index("Call me instead</button>") < text.index("You can ask for it in")

    def test_tell_where_the_code_went_and_how_long_it_works(self, client, settings):
        settings.PASSWORDLESS = {"EMULATOR": True, "ATTEMPT_LIFETIME": 300, "CHANNELS": ["sms"]}
        text = re.sub(r"<[^>]+>|\s+", " ", code_page(client).content.decode())
        assert "We sent a text message to this number:" in text
        assert "The code works for 5 minutes." in text

    def test_warn_of_those_who_ask_for_the_code(self, client):
        assert "Never tell anybody the code." in code_page(client).content.decode()

    def test_of_an_ended_attempt_offer_a_new_code_and_no_field(self, client):
        page = Page(ended(client))
        assert "Too many wrong codes. Send a new code to continue." in page.text
        assert {"hidden"} == {field["type"] for field in page.all("input")}
        assert {reverse("passwordless:advance"), reverse("passwordless:cancel")} == {
            form.get("action") for form in page.all("form")
        }

    def test_are_told_in_the_number_of_the_language(self, client, settings):
        settings.PASSWORDLESS = {"EMULATOR": True, "ATTEMPT_LIFETIME": 60, "CHANNELS": ["sms"]}
        assert "The code works for 1 minute." in code_page(client).content.decode()
