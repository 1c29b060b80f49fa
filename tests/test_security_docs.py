"""docs/security.md promises what the tests show: no row without its tests, no such test without its row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.test_promises import NOT_OFFERED

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text()
ROW = re.compile(r"^\| ([A-J][1-9]\d?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
NAME = re.compile(r"test((?:_[a-j][1-9]\d?)+)_")
FIRST = {
    "A": [1, 2, 3, 4, 5, 8, 10, 11, 13],
    "B": [1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13, 17, 18, 19],
    "C": [1, 2, 3, 4],
    "D": [1, 2, 3, 4, 5, 6, 8, 9, 10, 11],
    "E": [1, 2, 3, 4, 5, 6],
    "F": [1, 4, 5, 6, 8, 9],
    "G": [1, 2, 3, 4, 5, 6],
    "H": [1, 2, 3, 4, 5, 6, 7, 11],
    "I": [*range(1, 10), 11, 12, 13, 14, 17],
    "J": [1, 2, 3, 4, 5, 6, 7, 8, 10, 14],
}
"""What must hold before a first release."""


def ids(name):
    """Return the promises that a test is named by."""
    found = NAME.match(name)
    return re.findall(r"[A-J]\d+", found[1].upper()) if found else []


def shown():
    """Return where each promise is tested."""
    places = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for case in ids(node.name):
                    places.setdefault(case, set()).add(str(path.relative_to(ROOT)))
    return places


def promised():
    return {case: set(re.findall(r"`(tests/[\w/]+\.py)`", tests)) for case, _what, tests in ROW.findall(TEXT)}


def test_each_promise_names_the_files_with_its_tests_and_no_other():
    assert shown() == promised()


def test_each_promise_is_in_the_table_once_and_in_words():
    cases = [case for case, _what, _tests in ROW.findall(TEXT)]
    assert len(set(cases)) == len(cases)
    assert all(len(what) > 20 for _case, what, _tests in ROW.findall(TEXT))
    assert all(f"`test_{case.lower()}_*`" in tests for case, _what, tests in ROW.findall(TEXT))


@pytest.mark.parametrize("section", FIRST)
def test_what_must_hold_is_promised_or_said_not_to_be_offered(section):
    cases = {f"{section}{number}" for number in FIRST[section]}
    assert cases <= promised().keys() | NOT_OFFERED.keys()


def test_what_is_not_offered_is_said_and_nothing_else():
    _, _, rest = TEXT.partition("## Not offered")
    listed = re.findall(r"^\| (?P<case>[^|]+) \| (?P<what>[^|]+) \|$", rest, re.MULTILINE)
    said = {case.strip(): what.strip() for case, what in listed if case.strip() not in ("Id", "---")}
    assert {case: what for case, (what, _paths) in NOT_OFFERED.items()} == said
    assert not promised().keys() & NOT_OFFERED.keys()


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("test_a1_the", ["A1"]),
        ("test_d1_d2_x", ["D1", "D2"]),
        ("test_e010_x", []),
        ("test_a_b", []),
        ("test_j14", []),
    ],
)
def test_ids_are_read_from_names(name, cases):
    assert cases == ids(name)
