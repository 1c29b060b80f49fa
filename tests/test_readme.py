"""What README.md says, compared with the code it speaks of."""

import ast
import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import reverse
from vonage_verify import SmsChannel, Verify, VerifyRequest

from passwordless import devices, handles, limits
from passwordless.bounds import RANGES
from passwordless.conf import DEFAULTS
from passwordless.forms import CodeForm, PhoneForm
from passwordless.outcomes import Handle
from passwordless.vonage.emulator import Emulator, serve
from passwordless.vonage.emulator.outcomes import BY_LAST_DIGITS, FIXED_CODE

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
ENV = (ROOT / ".env.example").read_text()
EXAMPLE = ast.parse((ROOT / "example_project/settings.py").read_text())


def section(title, level=2):
    """Return what stands under a heading, down to the next one of any level."""
    found = re.search(
        rf"^{'#' * level} {re.escape(title)}\n(.*?)(?=^#+ |\Z)", README, re.MULTILINE | re.DOTALL
    )
    assert found, f"README has no section {title!r}"
    return found[1]


def table(title, level=2):
    """Return the first two columns of the table in a section; what is in backticks there is Python."""
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", section(title, level), re.MULTILINE)
    return [(name, ast.literal_eval(default)) for name, default in rows]


def blocks(language, text=README):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


class TestSettings:
    def test_are_those_of_the_code_with_their_defaults_in_their_order(self):
        assert list(DEFAULTS.items()) == table("Settings")

    def test_limits_too(self):
        assert list(limits.DEFAULTS.items()) == table("Limits", 3)

    @pytest.mark.parametrize(("title", "level"), [("Settings", 2), ("Limits", 3)])
    def test_each_is_explained(self, title, level):
        rows = re.findall(r"^\| `\w+` \| `.*?` \| (.*) \|$", section(title, level), re.MULTILINE)
        assert len(table(title, level)) == len(rows)
        assert all(re.search(r"\w", row) for row in rows)

    def test_each_that_is_named_in_capitals_elsewhere_exists(self):
        named = set(re.findall(r'"([A-Z][A-Z_]+)": ', README))
        assert set() == named - set(DEFAULTS)

    def test_units_are_those_that_are_read(self):
        named = re.search(r"Units are (.*?);", section("Limits", 3))[1]
        assert list(limits.UNITS) == re.findall(r"`(\w+)`", named)

    def test_waits_are_the_default(self):
        waits = re.search(r"waits ([\d, and]+) seconds", section("Limits", 3))[1]
        assert DEFAULTS["RESEND_WAITS"] == [int(number) for number in re.findall(r"\d+", waits)]

    def test_deadlines_are_the_default(self):
        told = re.search(
            r"\((\d+) s to start, (\d+) s to check; (\d+) s each try to connect\)", README
        ).groups()
        assert [DEFAULTS[f"{name}_TIMEOUT"] for name in ("START", "CHECK", "CONNECT")] == [
            float(n) for n in told
        ]

    def test_three_guesses_is_what_the_code_grants(self):
        assert "three guesses" in section("Security")
        assert (3, 3) == (DEFAULTS["MAX_GUESSES"], RANGES["MAX_GUESSES"][1])

    def test_failed_checks_are_the_default(self):
        assert "ten failed checks an hour and twenty a day per number" in section("Security")
        assert ((10, 3600), (20, 86400)) == limits.parse(limits.DEFAULTS["fails_per_number"])


class TestCommands:
    COOKIES = {devices.COOKIE, devices.COUNTRY_COOKIE, handles.COOKIE}
    NAMED = sorted(set(re.findall(r"\b(passwordless_[a-z]+|vonage_emulator)\b", README)) - COOKIES)

    @pytest.mark.parametrize("name", NAMED)
    def test_that_are_named_exist(self, name):
        assert "passwordless" == get_commands()[name]

    def test_are_all_in_the_table(self):
        ours = {name for name, app in get_commands().items() if app == "passwordless"}
        assert ours == set(re.findall(r"^\| `(\w+)", section("Commands"), re.MULTILINE))

    @pytest.mark.parametrize("line", re.findall(r"^\| `(?:passwordless|vonage)_.*", README, re.MULTILINE))
    def test_take_the_options_that_are_named(self, line):
        name = re.search(r"`(\w+)", line)[1]
        parser = load_command_class("passwordless", name).create_parser("manage.py", name)
        taken = {option for action in parser._actions for option in action.option_strings}
        assert set() == set(re.findall(r"--[a-z-]+", line)) - taken


class TestNames:
    @pytest.mark.parametrize("name", ["login", "code", "advance", "cancel", "done", "logout"])
    def test_of_urls_are_told_and_exist(self, name):
        assert re.search(rf"`(?:passwordless)?:{name}`", section("Templates", 3))
        assert reverse(f"passwordless:{name}")

    def test_of_form_fields_are_those_of_the_forms(self, rf):
        request = rf.get("/")
        fields = {*PhoneForm(request).fields, *CodeForm(request, Handle("key")).fields}
        told = re.search(r"Form fields are (.*?);", section("Templates", 3), re.DOTALL)[1]
        assert fields == set(re.findall(r"`(\w+)`", told))

    @pytest.mark.parametrize("path", sorted(set(re.findall(r"`(passwordless(?:\.\w+)+)`", README))))
    def test_of_python_can_be_imported(self, path):
        module, _, name = path.rpartition(".")
        assert hasattr(__import__(module, fromlist=[name]), name)

    @pytest.mark.parametrize("path", sorted(set(re.findall(r"(?:\]\(|src=\")(?!https?:)([\w./-]+)", README))))
    def test_of_files_lead_somewhere(self, path):
        assert (ROOT / path).exists()

    def test_of_settings_in_the_environment_are_in_the_example_file(self):
        named = set(re.findall(r"\b(VONAGE_[A-Z_]+)\b", README))
        assert set() == named - set(re.findall(r"^(\w+)=", ENV, re.MULTILINE))


class TestSnippets:
    @pytest.mark.parametrize("text", blocks("python"))
    def test_are_python(self, text):
        assert ast.parse(text).body

    def test_the_sdk_can_be_pointed_at_the_emulator_as_shown(self):
        [text] = [block for block in blocks("python") if "ToEmulator" in block]
        emulator = Emulator()
        server = serve(emulator)
        try:
            names = {}
            exec(text.replace("127.0.0.1:8002", f"127.0.0.1:{server.port}"), names)  # noqa: S102 - as a reader does
            order = VerifyRequest(brand="Acme", workflow=[SmsChannel(to="14155550151")])
            with names["client"]._session:
                started = Verify(names["client"]).start_verification(order)
        finally:
            server.shutdown()
        assert [started.request_id] == [message.request_id for message in emulator.messages("+14155550151")]


class TestReservedNumbers:
    def test_are_those_that_the_emulator_plays(self):
        told = re.findall(r"^\| (\d\d) \|", section("The emulator"), re.MULTILINE)
        assert list(BY_LAST_DIGITS) == told

    def test_have_the_code_that_is_told(self):
        assert f"always have the same code, {FIXED_CODE[: DEFAULTS['CODE_LENGTH']]}" in section(
            "The emulator"
        )


class TestExampleEnvironment:
    def read_by_the_settings(self):
        """Return the names that the example settings ask for one by one, and those of VONAGE_X."""
        names = set()
        for node in ast.walk(EXAMPLE):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] in ("env", "GIVEN"):
                names |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VONAGE":
                names |= {
                    f"VONAGE_{key.value}" for key in ast.walk(node.value) if isinstance(key, ast.Constant)
                }
        return names

    def test_lists_exactly_what_is_read(self):
        listed = {
            name for name in re.findall(r"^(\w+)=", ENV, re.MULTILINE) if not name.startswith("PASSWORDLESS_")
        }
        assert self.read_by_the_settings() == listed

    def test_what_it_adds_are_settings_of_ours(self):
        added = set(re.findall(r"^PASSWORDLESS_(\w+)=", ENV, re.MULTILINE))
        assert added
        assert set() == added - set(DEFAULTS)

    def test_each_setting_about_vonage_has_one_variable_only(self):
        added = set(re.findall(r"^(?:PASSWORDLESS|VONAGE)_(\w+)=", ENV, re.MULTILINE))
        assert len(added) == len(re.findall(r"^(?:PASSWORDLESS|VONAGE)_\w+=", ENV, re.MULTILINE))

    def test_holds_no_secret(self):
        given = dict(re.findall(r"^(\w*(?:KEY|SECRET|ID|SIGNATURE\w*))=(.*)$", ENV, re.MULTILINE))
        assert given
        assert {""} == {value.strip() for value in given.values()}
