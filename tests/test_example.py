"""The example project as somebody runs it: in a folder, an environment and a process of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from passwordless.conf import DEFAULTS
from passwordless.vonage.emulator import Clock, Emulator, serve

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
        assert "Welcome to Acme &amp; Sons" in home
        assert 'href="/login/"' in home
        code_page = browser.fill(browser.page("/login/"), "/login/", number="(212) 555-0100")
        assert "/login/code/" == code_page.url.removeprefix(running)
        phone = browser.page("/phone/")
        assert "+12125550100" in phone
        code = re.findall(r'demo-code">(\d{6})<', phone)[-1]
        home = browser.fill(code_page.text, "/login/code/", code=code)
        assert running + "/" == home.url
        assert "+1 212-555-0100" in home.text
        assert "Log out" in home.text
        assert 'href="/login/"' in browser.fill(home.text, "/logout/").text

    def test_pages_bring_their_stylesheet_from_here(self, running):
        browser = Browser(running)
        sheets = re.findall(r'rel="stylesheet" href="([^"]+)"', browser.page("/login/"))
        assert ["/static/passwordless/passwordless.css", "/static/example_project/example.css"] == sheets
        assert all(browser.page(sheet) for sheet in sheets)

    def test_a_forged_form_gets_a_friendly_page(self, running):
        answer = Browser(running).post(running + "/login/", data={"number": "+12125550100"}, timeout=10)
        assert 403 == answer.status_code
        assert 'href="/login/"' in answer.text


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
