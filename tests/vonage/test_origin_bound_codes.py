"""docs/origin-bound-codes.md: its calls are made as they stand there, and lead to such a message."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from pathlib import Path

import pytest
import requests

from passwordless import gateway
from passwordless.conf import DEFAULTS
from passwordless.vonage.emulator import Clock, Emulator, serve
from tests.vonage.emulator_calls import NUMBER, T0, V2

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "origin-bound-codes.md").read_text()
QUOTED = re.compile(r"('[^']*')")
GIVEN = "8f35a1a7-0000-4000-8000-000000000000"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


class Shell:
    """Runs assignments and curl, as much of both as the page uses."""

    def __init__(self, **names):
        self.names, self.answers = names, []

    def run(self, block):
        for line in block.replace("\\\n", " ").splitlines():
            # As in a shell: nothing is filled in between single quotes.
            parts = [part if part.startswith("'") else self._filled(part) for part in QUOTED.split(line)]
            words = shlex.split("".join(parts))
            if words[0] == "curl":
                self.answers.append(self._curl(words[1:]))
            else:
                name, _, value = words[0].partition("=")
                self.names.setdefault(name, value)

    def _filled(self, text):
        return re.sub(r"\$(\w+)", lambda found: self.names[found[1]], text)

    @staticmethod
    def _curl(words):
        curl = argparse.ArgumentParser()
        for option in ("-u", "-H", "-d", "url"):
            curl.add_argument(option)
        given = curl.parse_args(words)
        name, _, value = (given.H or "Accept: */*").partition(": ")
        return requests.request(
            "POST" if given.d else "GET",
            given.url,
            auth=tuple(given.u.split(":")),
            headers={name: value},
            data=given.d.encode() if given.d else None,
            timeout=5,
        )


@pytest.fixture
def served():
    emulator = Emulator(clock=Clock(fixed=T0))
    server = serve(emulator)
    yield emulator, f"http://127.0.0.1:{server.port}"
    server.shutdown()


@pytest.fixture
def shell(served):
    """Run all calls of the page; what the reader sees in an answer is put in where the page puts its own."""
    _emulator, url = served
    shell = Shell(API=url, ACCOUNT="any:any")
    for block in blocks("sh"):
        if "$TEMPLATE_ID" in block:
            shell.names["TEMPLATE_ID"] = shell.answers[0].json()["template_id"]
        shell.run(block.replace("$VONAGE_API_KEY:$VONAGE_API_SECRET", "any:any"))
    return shell


def test_the_calls_are_answered(shell):
    *_others, listed = shell.answers
    assert [201, 201, 201, 200] == [answer.status_code for answer in shell.answers]
    assert ["en-us", "de-de"] == [
        fragment["locale"] for fragment in listed.json()["_embedded"]["template_fragments"]
    ]


@pytest.mark.parametrize(
    ("locale", "first"),
    [
        ("en-us", "Your Example code is 123456. Valid for 3 minutes."),
        ("de-de", "Ihr Example-Code ist 123456. Gültig für 3 Minuten."),
    ],
)
def test_the_message_ends_in_the_line_for_the_browser(served, shell, locale, first):
    emulator, _url = served
    template = shell.names["TEMPLATE_ID"]
    V2(emulator).open(channels=["sms"], template_id=template, locale=locale, code="123456")
    [message] = emulator.messages(NUMBER)
    assert [first, "", "@example.com #123456"] == message.text.split("\n")


def test_the_message_is_the_one_that_is_shown(served, shell):
    emulator, _url = served
    V2(emulator).open(channels=["sms"], template_id=shell.names["TEMPLATE_ID"], code="123456")
    [shown] = blocks("text")
    assert shown == emulator.messages(NUMBER)[0].text + "\n"


def test_the_same_calls_go_to_vonage_and_to_the_emulator():
    addresses = re.findall(r"^API=(.*)$", PAGE, re.MULTILINE)
    assert ["https://api.nexmo.com", "http://127.0.0.1:8002"] == addresses
    assert all('"$API/v2/verify/templates' in block for block in blocks("sh") if "curl" in block)


def test_the_setting_exists():
    setting, _python = blocks("python")
    given = ast.literal_eval(setting.partition("=")[2].strip())
    assert {"TEMPLATE_ID": GIVEN} == given
    assert set(given) <= set(DEFAULTS)


def test_the_template_in_process_is_made_as_shown(settings):
    settings.PASSWORDLESS = {**settings.PASSWORDLESS, "EMULATOR": True, "RESERVED_NUMBERS": [NUMBER]}
    gateway.emulator().templates.clear()
    _setting, text = blocks("python")
    names = {}
    exec(text, names)  # noqa: S102 - as a reader does
    emulator = names["emulator"]()
    V2(emulator).open(channels=["sms"], template_id=GIVEN, code="123456")
    assert "Your Example code is 123456.\n\n@example.com #123456" == emulator.messages(NUMBER)[-1].text
