"""What setup.cfg promises: the right Djangos, every file in the wheel, and a version the changelog knows."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import bootstrap

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "passwordless"


@pytest.fixture(scope="module")
def setup_cfg():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def lines(text):
    return [line for line in text.split("\n") if line]


def requirement(setup_cfg, name):
    needed = [Requirement(line) for line in lines(setup_cfg["options"]["install_requires"])]
    return next(one for one in needed if one.name == name)


@pytest.mark.parametrize("version", ["5.2.19", "5.2.30", "6.0.10", "6.0.11", "6.1.3", "6.1.4"])
def test_djangos_with_the_security_fixes_are_admitted(setup_cfg, version):
    assert version in requirement(setup_cfg, "Django").specifier


@pytest.mark.parametrize("version", ["4.2.30", "5.1.9", "5.2.18", "6.0", "6.0.9", "6.1", "6.1.2"])
def test_djangos_without_them_are_refused(setup_cfg, version):
    assert version not in requirement(setup_cfg, "Django").specifier


@pytest.mark.parametrize(("version", "admitted"), [("3.10", False), ("3.11", True), ("3.13", True)])
def test_pythons(setup_cfg, version, admitted):
    assert admitted is (version in SpecifierSet(setup_cfg["options"]["python_requires"]))


def test_classifiers_and_the_matrix_name_the_same_versions(setup_cfg):
    classifiers = lines(setup_cfg["metadata"]["classifiers"])
    matrix = (ROOT / "tox.ini").read_text()
    pythons = {one.rpartition(" ")[2] for one in classifiers if re.search(r"Python :: 3\.\d+$", one)}
    djangos = {one.rpartition(" ")[2] for one in classifiers if re.search(r"Django :: \d", one)}
    assert {"3.11", "3.12", "3.13"} == pythons
    assert djangos == set(re.findall(r"Django~=(\d+\.\d+)", matrix))
    assert {"py311-django52", "py{312,313}-django{52,60,61}"} <= set(matrix.split())


def test_requirements_are_written_so_that_every_installer_reads_them(setup_cfg):
    needed = bootstrap.requirements(*setup_cfg["options.extras_require"])
    assert len(needed) > 15
    assert needed == [line for line in needed if Requirement(line).name]


def test_the_demo_and_the_tests_install_what_they_import(setup_cfg):
    names = {Requirement(line).name.lower() for line in bootstrap.requirements(*bootstrap.EXTRAS)}
    assert {"django", "vonage", "phonenumbers", "pyjwt", "cryptography", "limits"} <= names
    assert {"pytest", "pytest-django", "pytest-xdist", "hypothesis", "responses"} <= names
    assert {"django-environ", "gunicorn"} <= names


def test_every_file_of_the_package_is_in_the_wheel(setup_cfg):
    patterns = lines(setup_cfg["options.package_data"]["passwordless"])
    covered = {path for pattern in patterns for path in PACKAGE.glob(pattern.replace("**", "**/*"))}
    data = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert PACKAGE / "py.typed" in data
    assert [] == sorted(data - covered)


def test_the_package_has_no_folder_of_code_that_is_no_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [] == sorted(folder for folder in folders if not (folder / "__init__.py").exists())


def test_the_changelog_knows_the_version(setup_cfg):
    version = Version(setup_cfg["metadata"]["version"])
    titles = re.findall(r"^## \[?(\S+?)\]?(?:$| )", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert "Unreleased" == titles[0]
    assert str(version) in titles or titles == ["Unreleased"]


def test_the_licences_are_those_named(setup_cfg):
    ours, names_of_countries = setup_cfg["metadata"]["license_files"].split()
    assert "MIT AND Unicode-3.0" == setup_cfg["metadata"]["license_expression"]
    assert (ROOT / ours).read_text().startswith("MIT License\n")
    assert "UNICODE LICENSE V3" in (ROOT / names_of_countries).read_text()
