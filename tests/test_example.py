"""The example project as somebody runs it: in a folder, an environment and a process of its own."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
import requests
from django.contrib.auth import get_user_model

from example_project import switches
from example_project.inbox import SHOWN
from example_project.switches import Fate
from passwordless import gateway
from passwordless.conf import DEFAULTS
from passwordless.vonage.dialect import Order
from passwordless.vonage.emulator import Clock, Emulator, serve
from tests import browsing, support
from tests.support import NUMBER

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = {
    "SECRET_KEY": "$-and-some-more-characters-than-the-fifty-that-the-check-wants",
    "ALLOWED_HOSTS": "example.com,www.example.com",
    "VONAGE_API_KEY": "abcdef01",
    "VONAGE_API_SECRET": "a-secret-0123456789",
    "VONAGE_SIGNATURE_SECRET": "s" * 32,
    "PASSWORDLESS_COUNTRIES": "US,CA",
}
VARIABLES = {
    *(
        "SECRET_KEY",
        "DEBUG",
        "ALLOWED_HOSTS",
        "DATABASE_URL",
        "CACHE_URL",
        "VONAGE_API_KEY",
        "VONAGE_API_SECRET",
    ),
    *("VONAGE_APPLICATION_ID", "VONAGE_PRIVATE_KEY", "VONAGE_SIGNATURE_SECRET", "VONAGE_BRAND_NAME"),
    *("VONAGE_VERIFY_VERSION", "VONAGE_API_HOST", "VONAGE_EMULATOR"),
}
SHOW = "import json; from django.conf import settings as s; print(json.dumps({n: getattr(s, n) for n in %r}))"
ASK = """
import django
django.setup()
from django.test import Client
answer = Client().get(%r, headers={"host": "localhost"})
print(answer.status_code)
print(answer.content.decode())
"""


class Site:
    """A copy of the example project, so that neither a .env nor a database of the checkout takes part."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(ROOT / "example_project", folder / "example_project")

    def environment(self, **variables):
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
            "DJANGO_SETTINGS_MODULE": "example_project.settings",
            **variables,
        }

    def command(self, *arguments):
        return [sys.executable, "-u", *arguments]

    def run(self, *arguments, **variables):
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def settings(self, *names, **variables):
        done = self.run("-c", SHOW % (names,), **variables)
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout)

    def get(self, path, **variables):
        done = self.run("-c", ASK % path, **variables)
        assert 0 == done.returncode, done.stderr
        status, _, body = done.stdout.partition("\n")
        return int(status), body


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


class TestSettings:
    def test_a_fresh_clone_is_a_demo(self, site):
        shown = site.settings("DEBUG", "PASSWORDLESS", "SESSION_COOKIE_SECURE")
        assert {"DEBUG": True, "PASSWORDLESS": {}, "SESSION_COOKIE_SECURE": False} == shown

    def test_the_example_env_can_be_copied_as_it_is(self, site):
        shutil.copy(ROOT / ".env.example", site.folder / ".env")
        shown = site.settings("DEBUG", "PASSWORDLESS")
        assert {"DEBUG": True, "PASSWORDLESS": {"BRAND_NAME": "Example"}} == shown

    @pytest.mark.parametrize("given", [{"DATABASE_URL": "sqlite:///:memory:"}, {"DEBUG": "0"}])
    def test_a_site_without_debug_wants_a_secret_key(self, site, given):
        done = site.run("-c", SHOW % (("DEBUG",),), **given)
        assert 1 == done.returncode
        assert "Set SECRET_KEY" in done.stderr

    def test_an_empty_env_file_ends_the_demo(self, site):
        (site.folder / ".env").touch()
        assert "Set SECRET_KEY" in site.run("-c", SHOW % (("DEBUG",),)).stderr
        assert {"DEBUG": True} == site.settings("DEBUG", DEBUG="1")

    def test_production_is_secure_without_being_asked(self, site):
        names = (
            "DEBUG",
            "SESSION_COOKIE_SECURE",
            "CSRF_COOKIE_SECURE",
            "SECURE_SSL_REDIRECT",
            "ALLOWED_HOSTS",
        )
        shown = site.settings(*names, "SECRET_KEY", **PRODUCTION)
        assert [False, True, True, True] == [shown[name] for name in names[:4]]
        assert ["example.com", "www.example.com"] == shown["ALLOWED_HOSTS"]
        assert PRODUCTION["SECRET_KEY"] == shown["SECRET_KEY"]

    def test_variables_become_settings_in_the_type_of_the_default(self, site):
        given = {
            "VONAGE_VERIFY_VERSION": "1",
            "VONAGE_EMULATOR": "1",
            "VONAGE_API_SECRET": "$ecret,with=signs",
            "VONAGE_PRIVATE_KEY": r"-----BEGIN\nabc",
            "VONAGE_BRAND_NAME": "",
            "VONAGE_NUMBER": "+12125550100",
            "PASSWORDLESS_CHANNELS": "voice,sms",
            "PASSWORDLESS_RESEND_WAITS": "30,60",
            "PASSWORDLESS_COUNTRIES": "US,CA",
            "PASSWORDLESS_START_TIMEOUT": "7.5",
            "PASSWORDLESS_SIGNUP": "off",
            "PASSWORDLESS_LIMITS": "sends_per_number=5/h,10/d;calls_per_number=2/d",
            "PASSWORDLESS_LOCALES": "he=he-il;nl=nl-nl",
            "PASSWORDLESS_CHANELS": "sms",
        }
        expected = {
            "VERIFY_VERSION": 1,
            "EMULATOR": True,
            "API_SECRET": "$ecret,with=signs",
            "PRIVATE_KEY": r"-----BEGIN\nabc",
            "CHANNELS": ["voice", "sms"],
            "RESEND_WAITS": [30, 60],
            "COUNTRIES": ["US", "CA"],
            "START_TIMEOUT": 7.5,
            "SIGNUP": False,
            "LIMITS": {"sends_per_number": "5/h,10/d", "calls_per_number": "2/d"},
            "LOCALES": {"he": "he-il", "nl": "nl-nl"},
            "CHANELS": "sms",  # left to the check that asks "did you mean"
        }
        assert expected == site.settings("PASSWORDLESS", **given)["PASSWORDLESS"]

    def test_the_environment_beats_the_file(self, site):
        (site.folder / ".env").write_text('DEBUG=1\nVONAGE_BRAND_NAME="From the file"\nVONAGE_API_KEY=k\n')
        shown = site.settings("PASSWORDLESS", VONAGE_BRAND_NAME="From outside")["PASSWORDLESS"]
        assert {"BRAND_NAME": "From outside", "API_KEY": "k"} == shown

    def test_sqlite_is_ready_for_many_writers(self, site):
        options = site.settings("DATABASES")["DATABASES"]["default"]["OPTIONS"]
        assert ("IMMEDIATE", 20) == (options["transaction_mode"], options["timeout"])
        assert "journal_mode=WAL" in options["init_command"]

    def test_urls_name_the_database_and_the_cache(self, site):
        given = {"DATABASE_URL": "postgres://u:p@db:5432/name", "CACHE_URL": "redis://cache:6379/0"}
        shown = site.settings("DATABASES", "CACHES", SECRET_KEY="k", **given)
        database = shown["DATABASES"]["default"]
        assert ("django.db.backends.postgresql", "db") == (database["ENGINE"], database["HOST"])
        assert not database.get("OPTIONS")
        assert "redis://cache:6379/0" == shown["CACHES"]["default"]["LOCATION"]


class TestExampleFile:
    TEXT = (ROOT / ".env.example").read_text()

    def test_lists_every_variable(self):
        assert set() == VARIABLES - set(re.findall(r"^(\w+)=", self.TEXT, re.MULTILINE))

    def test_names_only_settings_that_exist(self):
        keys = re.findall(r"^(?:VONAGE|PASSWORDLESS)_(\w+)=", self.TEXT, re.MULTILINE)
        assert set() == set(keys) - set(DEFAULTS)

    def test_explains_each_variable(self):
        blocks = [block for block in self.TEXT.split("\n\n") if re.search(r"^\w+=", block, re.MULTILINE)]
        assert [] == [block for block in blocks if not block.startswith("#")]


class TestChecks:
    def test_production_is_clean(self, site):
        done = site.run("-m", "django", "check", "--deploy", **PRODUCTION)
        assert 0 == done.returncode, done.stderr
        assert [] == re.findall(r"(?:example|security)\.[EW]\d+", done.stdout + done.stderr)

    @pytest.mark.parametrize(
        "mistake",
        [{"VONAGE_EMULATOR": "1"}, {"VONAGE_API_HOST": "http://127.0.0.1:8002"}],
        ids=["in", "beside"],
    )
    def test_the_virtual_phone_stays_out_of_production(self, site, mistake):
        done = site.run("-m", "django", "check", "--deploy", **{**PRODUCTION, **mistake})
        assert 1 == done.returncode
        assert "example.E001" in done.stderr

    def test_a_fresh_clone_has_no_errors(self, site):
        done = site.run("-m", "django", "check")
        assert 0 == done.returncode, done.stderr
        assert "example.E001" not in done.stdout + done.stderr


class TestVirtualPhone:
    VONAGE = {"DEBUG": "1", "VONAGE_API_KEY": "abcdef01", "VONAGE_API_SECRET": "a-secret"}

    def test_does_not_exist_where_vonage_answers(self, site):
        assert 404 == site.get("/phone/", **self.VONAGE)[0]

    def test_no_page_offers_it_there(self, site):
        status, body = site.get("/", **self.VONAGE)
        assert 200 == status
        assert "/phone/" not in body

    def test_is_empty_before_the_first_message(self, site):
        status, body = site.get("/phone/")
        assert 200 == status
        assert "No messages yet" in body

    def test_shows_what_an_emulator_of_its_own_process_sent(self, site):
        emulator = Emulator(clock=Clock())
        server = serve(emulator)
        try:
            order = {"brand": "Acme", "workflow": [{"channel": "sms", "to": "14155550101"}]}
            sent = requests.post(
                f"{server.url}/v2/verify", json=order, auth=("abcdef01", "secret"), timeout=5
            )
            assert 202 == sent.status_code
            status, body = site.get("/phone/", VONAGE_API_HOST=server.url)
        finally:
            server.shutdown()
        assert 200 == status
        assert emulator.messages()[0].code in body
        assert "+14155550101" in body

    def test_says_so_when_that_one_is_silent(self, site):
        status, body = site.get("/phone/", VONAGE_API_HOST="http://127.0.0.1:9")
        assert 200 == status
        assert "does not answer" in body


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """The URL of the demo, served by `runserver`."""
    site = Site(tmp_path_factory.mktemp("running"))
    environment = {"VONAGE_BRAND_NAME": "Acme & Sons", "PYTHONWARNINGS": "error"}
    migrated = site.run("-m", "django", "migrate", "--verbosity=0", **environment)
    assert 0 == migrated.returncode, migrated.stderr
    server = subprocess.Popen(
        site.command("-m", "django", "runserver", "--noreload", "127.0.0.1:0"),
        cwd=site.folder,
        env=site.environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with server:
        lines = iter(server.stdout.readline, "")
        yield next(found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:[1-9]\d*", line)))
        server.terminate()


class Browser(requests.Session):
    """Somebody without JavaScript: gets pages, and posts the forms that stand in them."""

    def __init__(self, url):
        super().__init__()
        self.url, self.trust_env = url, False

    def page(self, path):
        answer = self.get(self.url + path, timeout=10)
        assert 200 == answer.status_code
        return answer.text

    def fill(self, page, path, **fields):
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        return self.post(self.url + path, data={**hidden, **fields}, timeout=10)


class TestRunning:
    def test_a_visitor_logs_in_with_the_virtual_phone_and_out_again(self, running):
        browser = Browser(running)
        home = browser.page("/")
        assert "Welcome to <bdi>Acme &amp; Sons</bdi>" in home
        assert 'href="/login/"' in home
        code_page = browser.fill(browser.page("/login/"), "/login/", number="(212) 555-0100")
        assert "/login/code/" == code_page.url.removeprefix(running)
        phone = browser.page("/phone/")
        assert "+12125550100" in phone
        code = re.findall(r'class="demo-code"[^>]*>(\d{6})<', phone)[-1]
        home = browser.fill(code_page.text, "/login/code/", code=code)
        assert running + "/" == home.url
        assert "+1 212-555-0100" in home.text
        assert "Sign out" in home.text
        assert 'href="/login/"' in browser.fill(home.text, "/logout/").text

    def test_pages_bring_their_stylesheet_from_here(self, running):
        browser = Browser(running)
        sheets = re.findall(r'rel="stylesheet" href="([^"]+)"', browser.page("/login/"))
        ours = [f"/static/example_project/{name}.css" for name in ("example", "beside")]
        assert ["/static/passwordless/passwordless.css", *ours] == sheets
        assert all(browser.page(sheet) for sheet in sheets)

    def test_a_forged_form_gets_a_friendly_page(self, running):
        answer = Browser(running).post(running + "/login/", data={"number": "+12125550100"}, timeout=10)
        assert 403 == answer.status_code
        assert 'href="/login/"' in answer.text


@pytest.fixture
def clock(db):
    with support.world() as clock:
        switches.choose(support.emulator(), Fate.ARRIVE, 2)
        switches.bind(support.emulator(), "")
        yield clock
        switches.bind(support.emulator(), "")


@pytest.fixture
def visitor(clock, settings, monkeypatch):
    """A visitor of the example project, in this process: its pages, its middleware, the emulator of the tests."""
    monkeypatch.setenv("SECRET_KEY", "of a test")
    given = importlib.import_module("example_project.settings")
    # By its folder: as an installed app it would leave its check to all other tests.
    templates = {**given.TEMPLATES[0], "DIRS": [ROOT / "example_project/templates"]}
    settings.TEMPLATES = [templates]
    for name in (
        "MIDDLEWARE",
        "LANGUAGES",
        "LANGUAGE_CODE",
        "TIME_ZONE",
        "CSRF_FAILURE_VIEW",
        "LOGIN_REDIRECT_URL",
    ):
        setattr(settings, name, getattr(given, name))
    settings.ROOT_URLCONF = given.ROOT_URLCONF
    support.configure(settings, BRAND_NAME="Acme")
    return Visitor()


class Visitor(browsing.Browser):
    """Somebody at the demo, who has the virtual phone at hand."""

    def see(self, path):
        answer = self.get(path)
        assert 200 == answer.status_code
        return answer.content.decode()

    def phone(self):
        """Return the messages on the phone, oldest first, as HTML."""
        return re.findall(r"<article.*?</article>", self.see("/phone/"), re.DOTALL)

    def set(self, back="/phone/", **fields):
        self.get("/phone/")
        form = {"fate": "arrive", "text": "plain", **fields}
        return self.fill(f"/phone/switches/?next={back}", **form)

    def speak(self, language, back="/login/"):
        self.get(back)
        return self.fill(f"/language/?next={back}", language=language)


def send(channel="sms", number=NUMBER, locale=""):
    """Have the emulator send one message, or call."""
    order = Order(number=number, channels=(channel,), locale=locale)
    assert "ok" == gateway.dialect("v2").start(order).reason


def without_emulator(settings):
    support.configure(settings, EMULATOR=False, API_KEY="abcdef01", API_SECRET="a-secret")


def chosen(page):
    """Return what the switches say happens to the next messages."""
    return re.search(r"<span data-fate>(.*?)</span>", page)[1]


class TestPhone:
    def test_a_text_message_tells_sender_time_number_and_code(self, visitor):
        send()
        [message] = visitor.phone()
        code = support.code()
        assert "Text message from <bdi>Acme</bdi>" in message
        assert "12:00:00 UTC</time>" in message
        assert NUMBER in message
        assert f">{code}</b>" in message
        assert f'lang="en-us" dir="ltr">Acme code: {code}. Valid for 5 minutes.</p>' in message
        assert re.search(r"<button [^>]*data-copy hidden>Copy code", message)

    def test_a_call_waits_to_be_answered(self, visitor):
        send("voice")
        [message] = visitor.phone()
        hidden = re.search(r"<summary>.*Answer.*</summary>(.*)</details>", message, re.DOTALL)[1]
        assert "Hello. Your Acme code is" in hidden
        assert support.code() in hidden
        assert "<details open" not in message

    def test_whatsapp_has_what_stands_between_asterisks_in_bold(self, visitor, settings):
        support.configure(settings, WHATSAPP_SENDER="12125550100")
        send("whatsapp")
        [message] = visitor.phone()
        assert f"<strong>{support.code()}</strong> is your Acme code." in message
        assert "demo-whatsapp" in message

    @pytest.mark.parametrize(("locale", "told"), [("ar-xa", ("ar-xa", "rtl")), ("es-mx", ("es-mx", "ltr"))])
    def test_the_language_of_a_text_is_told_to_who_reads_it_aloud(self, visitor, locale, told):
        send(locale=locale)
        [message] = visitor.phone()
        assert told == re.search(r'"demo-text" lang="(.*?)" dir="(.*?)"', message).groups()

    def test_what_a_message_says_is_never_markup(self, visitor, settings):
        support.configure(settings, BRAND_NAME="<i>&'")
        send()
        [message] = visitor.phone()
        assert "<i>" not in message
        assert 2 == message.count("&lt;i&gt;&amp;&#x27;")

    def test_the_newest_is_the_last_and_the_oldest_are_left_out(self, visitor):
        numbers = [f"+1415555{n:04d}" for n in range(100, 101 + SHOWN)]
        for number in numbers:
            send(number=number)
        shown = [re.search(r"\+1415555\d{4}", message)[0] for message in visitor.phone()]
        assert numbers[1:] == shown

    def test_new_messages_are_announced_by_a_log(self, visitor):
        assert 'role="log" aria-live="polite"' in visitor.see("/phone/")

    @pytest.mark.parametrize("path", ["/phone/", "/", "/login/"])
    def test_says_always_that_nothing_is_sent(self, visitor, path):
        assert "Demo: no message is really sent." in visitor.see(path)

    def test_stands_beside_the_flow_with_its_messages_and_switches(self, visitor):
        send()
        page = visitor.see("/login/")
        aside = re.search(r"<aside.*?</aside>", page, re.DOTALL)[0]
        assert f">{support.code()}</b>" in aside
        assert "arrive" == chosen(aside)

    def test_does_not_stand_beside_itself(self, visitor):
        assert "<aside" not in visitor.see("/phone/")

    def test_an_emulator_of_its_own_is_asked_by_the_phone_alone_and_has_no_switches(self, visitor, settings):
        support.configure(settings, EMULATOR=False, API_HOST="http://127.0.0.1:9")
        assert "does not answer" in visitor.see("/phone/")
        assert "See the messages</a>" in visitor.see("/")
        assert "/phone/switches/" not in visitor.see("/") + visitor.see("/phone/")

    def test_is_not_there_where_vonage_answers(self, visitor, settings):
        without_emulator(settings)
        assert 404 == visitor.get("/phone/").status_code
        assert "/phone/" not in visitor.see("/")


class TestSwitches:
    def test_at_first_messages_arrive(self, visitor):
        visitor.ask()
        assert "arrive" == chosen(visitor.see("/phone/"))
        assert 1 == len(visitor.phone())

    def test_a_lost_message_never_comes(self, visitor, clock):
        visitor.set(fate="lost")
        assert "get lost" == chosen(visitor.see("/phone/"))
        assert 302 == visitor.ask().status_code
        assert [] == visitor.phone()
        clock.shift(60)
        visitor.set(fate="arrive")
        assert [] == visitor.phone()
        visitor.advance()
        assert 1 == len(visitor.phone())

    def test_a_late_message_comes_after_twenty_seconds(self, visitor, clock):
        visitor.set(fate="late")
        visitor.ask()
        clock.shift(19.9)
        assert [] == visitor.phone()
        clock.shift(0.1)
        [message] = visitor.phone()
        assert "12:00:20 UTC" in message

    def test_what_was_sent_before_still_comes(self, visitor, clock):
        visitor.ask()
        clock.shift(1)
        visitor.set(fate="lost")
        assert 1 == len(visitor.phone())

    @pytest.mark.parametrize("version", [1, 2])
    @pytest.mark.parametrize("fate", ["down", "busy"])
    def test_trouble_at_vonage_is_a_friendly_page_until_it_is_over(self, visitor, settings, version, fate):
        support.configure(settings, VERIFY_VERSION=version)
        visitor.set(fate=fate)
        assert 503 == visitor.ask().status_code
        assert "Your number is fine." in unescape(visitor.page.content.decode())
        assert [] == visitor.phone()
        visitor.set(fate="arrive")
        assert 302 == visitor.ask(support.OTHER).status_code
        assert 1 == len(visitor.phone())

    def test_trouble_while_sending_lets_codes_be_typed(self, visitor):
        visitor.ask()
        visitor.set(fate="down")
        assert "/" == visitor.type(support.code()).headers["Location"]

    @pytest.mark.parametrize("version", [1, 2])
    def test_a_network_that_is_not_served_gets_nothing(self, visitor, settings, version):
        support.configure(settings, VERIFY_VERSION=version)
        visitor.set(fate="network")
        assert 302 != visitor.ask().status_code
        assert [] == visitor.phone()

    def test_a_text_bound_to_the_site_ends_as_browsers_want_it(self, visitor):
        visitor.set(text="bound")
        visitor.ask()
        [message] = support.emulator().messages()
        assert f"Acme: {message.code}\n\n@testserver #{message.code}" == message.text
        assert message.text in visitor.phone()[0]
        assert '<option value="bound" selected>' in visitor.see("/phone/")

    def test_a_text_can_be_bound_again_and_let_go(self, visitor):
        for text in ("bound", "bound", "plain"):
            visitor.set(text=text)
        visitor.ask()
        assert "@testserver" not in support.emulator().messages()[0].text
        assert '<option value="plain" selected>' in visitor.see("/phone/")

    def test_version_1_has_no_such_texts(self, visitor, settings):
        support.configure(settings, VERIFY_VERSION=1)
        assert 'name="text"' not in visitor.see("/phone/")
        assert 302 == visitor.set(fate="late", text="bound").status_code
        assert "arrive 20 seconds late" == chosen(visitor.see("/phone/"))
        assert [] == support.emulator().templates.all()

    @pytest.mark.parametrize("fields", [{"fate": "explode"}, {"fate": ""}, {"text": "other"}])
    def test_what_is_no_switch_changes_nothing(self, visitor, fields):
        visitor.set(fate="lost")
        assert 400 == visitor.set(**fields).status_code
        assert "get lost" == chosen(visitor.see("/phone/"))

    def test_lead_back_to_where_they_stood(self, visitor):
        assert "/login/?next=%2F" == visitor.set(back="/login/%3Fnext=%252F").headers["Location"]

    @pytest.mark.parametrize(
        "back", ["https://example.com/", "//example.com", "/\\example.com", "javascript:alert(1)", ""]
    )
    def test_lead_to_no_other_site(self, visitor, back):
        assert "/phone/" == visitor.set(back=back).headers["Location"]

    def test_want_a_token(self, visitor):
        assert 403 == visitor.post("/phone/switches/", {"fate": "lost"}).status_code
        assert "arrive" == chosen(visitor.see("/phone/"))

    def test_want_a_post(self, visitor):
        assert 405 == visitor.get("/phone/switches/?fate=lost").status_code

    def test_are_not_there_where_vonage_answers(self, visitor, settings):
        visitor.get("/phone/")
        without_emulator(settings)
        assert 404 == visitor.fill("/phone/switches/", fate="lost").status_code
        assert "data-fate" not in visitor.see("/")


class TestLanguages:
    OFFERED = [
        "en",
        "es",
        "fr",
        "de",
        "it",
        "pt-br",
        "nl",
        "pl",
        "tr",
        "ar",
        "he",
        "hi",
        "id",
        "ja",
        "zh-hans",
    ]

    def test_are_offered_by_their_own_names(self, visitor):
        found = re.findall(r'<option value="([\w-]+)" lang="\1"(?: selected)?>([^<]+)<', visitor.see("/"))
        assert self.OFFERED == [code for code, _ in found]
        assert {"العربية", "日本語", "Polski"} <= {name for _, name in found}

    @pytest.mark.parametrize(("language", "direction"), [("ar", "rtl"), ("he", "rtl"), ("pt-br", "ltr")])
    def test_can_be_changed_without_leaving_the_page(self, visitor, language, direction):
        assert "/login/" == visitor.speak(language).headers["Location"]
        page = visitor.see("/login/")
        assert f'<html lang="{language}" dir="{direction}">' in page
        assert f'<option value="{language}" lang="{language}" selected>' in page

    def test_follow_the_browser_at_first(self, visitor):
        page = visitor.get("/", headers={"accept-language": "de-AT,de;q=0.9"}).content.decode()
        assert '<html lang="de" dir="ltr">' in page

    def test_what_the_demo_says_itself_stays_english_and_says_so(self, visitor):
        visitor.speak("ar")
        for path, element in (("/", "<div class"), ("/phone/", "<div class"), ("/login/", "<aside class")):
            assert re.search(rf'{element}="demo-\w+"[^>]* lang="en" dir="ltr">', visitor.see(path))

    def test_query_and_all_the_page_is_kept(self, visitor):
        page = visitor.see("/login/?next=/phone/%3Fa%3D1")
        action = unescape(re.search(r'action="(/language/[^"]*)"', page)[1])
        token = visitor.hidden()["csrfmiddlewaretoken"]
        answer = visitor.post(action, {"csrfmiddlewaretoken": token, "language": "nl"})
        assert "/login/?next=/phone/%3Fa%3D1" == answer.headers["Location"]

    def test_a_form_that_came_back_keeps_its_page(self, visitor):
        visitor.get("/login/")
        visitor.fill("/login/", number="call me")
        assert 'action="/language/?next=%2Flogin%2F"' in visitor.page.content.decode()

    def test_a_page_that_answers_posts_only_leads_to_the_one_before(self, visitor):
        visitor.ask()
        assert 429 == visitor.advance().status_code
        action = re.search(r'action="(/language/[^"]*)"', visitor.page.content.decode())[1]
        assert "/language/?next=%2Flogin%2Fcode%2F" == action

    def test_lead_to_no_other_site(self, visitor):
        visitor.get("/")
        answer = visitor.fill("/language/?next=https://example.com/", language="nl")
        assert "/" == answer.headers["Location"]

    def test_want_a_token(self, visitor):
        assert 403 == visitor.post("/language/", {"language": "ar"}).status_code
        assert 'lang="en"' in visitor.see("/")[:100]


class TestHome:
    def test_asks_strangers_in(self, visitor, django_assert_num_queries):
        with django_assert_num_queries(0):
            page = visitor.see("/")
        assert "Welcome to <bdi>Acme</bdi>" in page
        assert re.search(r'href="/login/">Sign in</a>', page)
        assert "+1 212 555 0100" in page

    def test_tells_number_and_last_sign_in_with_three_statements(self, visitor, django_assert_num_queries):
        visitor.log_in()
        with django_assert_num_queries(3):  # session, user, number
            page = visitor.see("/")
        assert "+1 415-555-0101" in page
        assert "2026-11-23, 12:00 UTC</time>" in page

    def test_lets_out_by_post(self, visitor):
        visitor.log_in()
        visitor.get("/")
        visitor.fill("/logout/")
        assert "Sign out" not in visitor.see("/")

    def test_somebody_without_a_number_is_called_by_name(self, visitor):
        visitor.client.force_login(
            get_user_model().objects.create_user("ann"), "django.contrib.auth.backends.ModelBackend"
        )
        assert "<strong>ann</strong>" in visitor.see("/")


class TestPolicy:
    @pytest.mark.parametrize("path", ["/", "/phone/", "/login/", "/admin/login/"])
    def test_lets_pages_load_nothing_from_elsewhere_and_nothing_inline(self, visitor, path):
        visitor.see(path)
        policy = visitor.page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "unsafe" not in policy

    def test_spares_the_pages_that_django_shows_developers(self, visitor, settings):
        settings.DEBUG = True
        assert "Content-Security-Policy" not in visitor.get("/nowhere/").headers
        settings.DEBUG = False
        assert "Content-Security-Policy" in visitor.get("/nowhere/").headers


class TestTemplates:
    FILES = (
        *ROOT.glob("passwordless/templates/**/*.html"),
        *ROOT.glob("example_project/templates/**/*.html"),
    )

    @pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
    def test_need_nothing_inline_and_no_other_host(self, file):
        text = file.read_text()
        assert [] == re.findall(
            r"<style|\bstyle=\"[^\"]*:|<script(?! src)|\bon\w+=|https?://|placeholder=", text
        )

    def test_stylesheet_is_small(self):
        assert 6144 >= (ROOT / "passwordless/static/passwordless/passwordless.css").stat().st_size
