"""The running demo, and a person in front of it who sees pages, types and presses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import requests

from tests.services import free_port

ROOT = Path(__file__).resolve().parents[2]
# 555-0100 to 0199 are kept for fiction in every area; those of 212 have a fate of their own.
AREAS = (415, 206, 303, 312, 404, 503, 602, 617, 702, 713, 808, 916)
ATTEMPTS = "/admin/passwordless/verificationattempt/"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 320, "height": 568}


class Site:
    """The demo in a folder and a process of its own, so that nothing of the checkout takes part."""

    def __init__(self, folder):
        shutil.copytree(ROOT / "example_project", folder / "example_project")
        self.url, self.folder, self.fresh = "", folder, count()
        self.desk = Desk(self)

    def __enter__(self):
        port = str(free_port())
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
            "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
        }
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "tests.browser.serve", port],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.welcome = self.read_until("Stop it with")
        self.password = re.search(r"password (\S+)", self.welcome)[1]
        return self

    def read_until(self, sign):
        """Return what the process prints up to a line with the sign."""
        said = []
        for line in self.process.stdout:
            said.append(line)
            if sign in line:
                return "".join(said)
        raise AssertionError(f"the demo ended: {(self.folder / 'log').read_text()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=30)

    def move_clock(self, seconds):
        """Let time pass for the site and for its emulator, which are one process."""
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        self.read_until("moved")

    def number(self):
        """Return a number that nobody has used, in E.164."""
        area, line = divmod(next(self.fresh), 100)
        return f"+1{AREAS[area]}55501{line:02}"

    def british_number(self):
        """Return a mobile number of the United Kingdom that nobody has used, in E.164."""
        return f"+447400123{next(self.fresh):03}"

    def codes(self, number):
        """Return the codes that came for a number, newest last."""
        with requests.Session() as session:
            session.trust_env = False
            page = session.get(f"{self.url}/phone/", timeout=30).text
        articles = re.findall(r"<article.*?</article>", page, re.DOTALL)
        return [re.search(r'"demo-code"[^>]*>(\d+)<', one)[1] for one in articles if f">{number}<" in one]


class Person:
    """Somebody with a browser and a phone."""

    def __init__(self, page, site):
        self.page, self.site, self.number = page, site, site.number()

    def beside(self):
        """Return the same person in a second tab of the same browser."""
        other = Person(self.page.context.new_page(), self.site)
        other.number = self.number
        return other

    @property
    def national(self):
        """The number as it is typed at home."""
        return f"({self.number[2:5]}) {self.number[5:8]}-{self.number[8:]}"

    @property
    def shown(self):
        """The number as pages show it."""
        return f"+1 {self.number[2:5]}-{self.number[5:8]}-{self.number[8:]}"

    @property
    def path(self):
        return self.page.url.removeprefix(self.site.url)

    @property
    def heading(self):
        return self.page.locator("h1").inner_text()

    @property
    def text(self):
        return self.page.locator("main").inner_text()

    def see(self, path):
        self.page.goto(self.site.url + path)

    def press(self, name):
        """Press a button that leads to a page; return the HTTP status of that page."""
        with self.page.expect_navigation() as arrival:
            self.page.get_by_role("button", name=name, exact=True).click()
        return arrival.value.status

    def hit(self, key):
        """Press a key that leads to a page."""
        with self.page.expect_navigation():
            self.page.keyboard.press(key)

    def field(self, name):
        return self.page.locator(f"input[name={name}]:visible")

    def offers(self):
        """Return the words on the buttons, in order."""
        return self.page.locator("main button").all_inner_texts()

    def focused(self, selector):
        """Wait until that element has the focus, and return it."""
        element = self.page.locator(f"{selector}:focus")
        element.wait_for(state="attached")
        return element

    def ask(self):
        """Ask for a code, and be on the page that takes it."""
        self.see("/login/")
        self.field("number").fill(self.number)
        self.press("Send code")

    def give(self, code):
        self.field("code").fill(code)
        return self.press("Continue")

    def log_in(self):
        self.ask()
        self.give(self.code())

    def come_back(self, seconds):
        """Let time pass for the site, and open the page for the code again, whose countdown knows of it."""
        self.site.move_clock(seconds)
        self.see("/login/code/")

    def lose_cookies(self):
        """Forget all cookies, once no answer is on its way that would bring them back."""
        self.page.wait_for_load_state("networkidle")
        self.page.context.clear_cookies()

    def messages(self):
        """Look at the virtual phone in a tab of its own: what came for this number, newest last."""
        tab = self.page.context.new_page()
        tab.goto(f"{self.site.url}/phone/")
        mine = tab.locator("main article", has_text=self.number)
        for call in mine.locator("summary").all():
            call.click()
        seen = mine.all_inner_texts()
        tab.close()
        return seen

    def code(self):
        return self.site.codes(self.number)[-1]

    def wrong_code(self):
        return "".join(str(9 - int(digit)) for digit in self.code())


class Desk:
    """The administrator at the audit, without a browser."""

    def __init__(self, site):
        self.site, self.session = site, requests.Session()
        self.session.trust_env = False

    def get(self, path):
        return self.session.get(self.site.url + path, timeout=30).text

    def post(self, path, **fields):
        fields["csrfmiddlewaretoken"] = self.session.cookies["csrftoken"]
        return self.session.post(self.site.url + path, fields, timeout=30).text

    def attempts(self, number):
        """Return the rows of a number (E.164) as the list of attempts shows them, newest first."""
        if 'name="password"' in self.get(ATTEMPTS):
            self.post(f"/admin/login/?next={ATTEMPTS}", username="admin", password=self.site.password)
        _, _, table = self.post(ATTEMPTS, q=number).partition('id="result_list"')
        return re.findall(r"<tr>.*?</tr>", table.partition("<tbody>")[2], re.DOTALL)

    def story(self, number):
        """Return the kinds of the events of the newest attempt of a number, in order."""
        page = self.get(re.search(r'href="([^"?]+/change/)', self.attempts(number)[0])[1])
        return re.findall(r'<li class="pl-is-(\w+)">', page)


def complaint(person):
    """Return the one sentence of the summary, which has the focus, after holding it against the field."""
    person.focused(".pl-summary")
    link = person.page.locator(".pl-summary a")
    sentence, target = link.inner_text(), link.get_attribute("href")
    beside = person.page.locator(".pl-error")
    assert sentence == beside.inner_text().removeprefix("Error:").strip()
    assert person.page.title().startswith("Error: ")
    field = person.page.locator(target)
    assert "true" == field.get_attribute("aria-invalid")
    notes = person.page.locator(".pl-field", has=person.page.locator(target)).locator(".pl-hint, .pl-error")
    described = field.get_attribute("aria-describedby").split()
    assert sorted(described) == sorted(note.get_attribute("id") for note in notes.all())
    link.click()
    person.focused(target)
    return sentence


class Watch:
    """What a page must never do, noted from outside: complain, fail to load, or ask another host."""

    def __init__(self, context, site):
        self.site, self.seen = site, []
        context.on("console", self.on_console)
        context.on("weberror", lambda error: self.seen.append(f"script: {error.error}"))
        context.on("request", self.on_request)
        context.on("response", self.on_response)

    def on_console(self, message):
        # A page that answers 429 or 503 is an error to Chromium's console, and meant by us.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.seen.append(f"console: {message.text}")

    def on_request(self, request):
        if not request.url.startswith(f"{self.site.url}/"):
            self.seen.append(f"asked another host: {request.url}")

    def on_response(self, response):
        if response.status >= 400 and not response.request.is_navigation_request():
            self.seen.append(f"{response.status}: {response.url}")
