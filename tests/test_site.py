"""A new site in four edits: what `django-admin startproject` makes, and what README.md says to add."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_readme import README, blocks

ROOT = Path(__file__).resolve().parent.parent
NUMBER = "+14155550161"
BROWSER = """
import json, re, sys
import django
django.setup()
from django.test import Client
browser = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
"""
LOGIN = """
from django.contrib.auth.models import User
from passwordless import gateway

def fill(page, path, **fields):
    hidden = dict(re.findall(r'type="hidden" name="(\\w+)" value="([^"]*)"', page.content.decode()))
    return browser.post(path, {**hidden, **fields}, follow=True)

steps = [browser.get("/login/")]
steps.append(fill(steps[-1], "/login/", number="(415) 555-0161"))
code = gateway.emulator().messages(sys.argv[1])[-1].code
steps.append(fill(steps[-1], "/login/code/", code=code))
user = User.objects.get(phone_numbers__number=sys.argv[1])
told = {
    "pages": [(answer.status_code, answer.request["PATH_INFO"]) for answer in steps],
    "end": steps[-1].content.decode(),
    "logged_in": browser.session.get("_auth_user_id") == str(user.pk),
    "numbers": [row.number for row in user.phone_numbers.all()],
    "password": user.has_usable_password(),
}
steps.append(fill(steps[-1], "/logout/"))
told["out"] = [steps[-1].request["PATH_INFO"], "_auth_user_id" in browser.session]
print(json.dumps(told))
"""


class Site:
    """A project of its own, run by processes that know nothing of this one's settings."""

    def __init__(self, folder):
        self.folder = folder
        self.must("-m", "django", "startproject", "mysite", str(folder))

    def run(self, *arguments, **variables):
        place = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)])}
        return subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=self.folder,
            env={**place, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def must(self, *arguments, **variables):
        done = self.run(*arguments, **variables)
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    def manage(self, *arguments):
        return self.must("manage.py", *arguments)

    def browse(self, script, *arguments):
        """Run a script that finds a `browser` there, and return what it prints."""
        return self.must("-c", BROWSER + script, *arguments, DJANGO_SETTINGS_MODULE="mysite.settings")

    def append(self, name, text):
        with (self.folder / "mysite" / name).open("a") as file:
            file.write(f"\n{text}")


def edits():
    """Return the blocks of the five-minute section, by the file that their first line names."""
    section = README.partition("## Five minutes")[2].partition("\n## ")[0]
    return {
        found[1]: text for text in blocks("python", section) if (found := re.match(r"# (\w+\.py)\n", text))
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site after the edits, in the words of the README, and after migrate."""
    site = Site(tmp_path_factory.mktemp("mysite"))
    for name, text in edits().items():
        site.append(name, text)
    site.manage("migrate", "--verbosity=0")
    return site


def test_the_readme_tells_the_edits():
    assert {"settings.py", "urls.py"} == set(edits())
    assert "python manage.py migrate" in README
    counted = sum(len([line for line in text.splitlines() if "=" in line]) for text in edits().values())
    assert 3 == counted  # and migrate is the fourth


@pytest.mark.slow
class TestSite:
    def test_a_visitor_logs_in_and_out_again(self, site):
        told = json.loads(site.browse(LOGIN, NUMBER))
        assert [[200, "/login/"], [200, "/login/code/"], [200, "/login/done/"]] == told["pages"]
        assert "You are signed in" in told["end"]
        assert (True, [NUMBER], False) == (told["logged_in"], told["numbers"], told["password"])
        assert ["/login/", False] == told["out"]

    def test_has_no_errors(self, site):
        done = site.run("manage.py", "check")
        assert (0, []) == (done.returncode, re.findall(r"passwordless\.E\d+", done.stdout + done.stderr))

    def test_wants_no_migration(self, site):
        assert "No changes detected" in site.manage("makemigrations", "--check", "--dry-run")

    def test_check_deploy_names_what_is_missing(self, site):
        done = site.run("manage.py", "check", "--deploy")
        assert 1 == done.returncode
        assert {"E101", "E104"} <= set(re.findall(r"passwordless\.(E\d+)", done.stderr))

    def test_has_an_admin_that_lists_attempts(self, site):
        ask = """
from django.contrib.auth.models import User
browser.force_login(User.objects.create_superuser("root"), "django.contrib.auth.backends.ModelBackend")
print(browser.get("/admin/passwordless/verificationattempt/").status_code)
"""
        assert "200\n" == site.browse(ask)

    @pytest.mark.parametrize("path", ["/phone/", "/_emulator/messages", "/login/phone/"])
    def test_has_no_page_that_shows_codes(self, site, path):
        assert "404\n" == site.browse(f"print(browser.get({path!r}).status_code)")
