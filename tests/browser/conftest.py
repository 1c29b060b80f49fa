"""One demo and one Chromium for all tests of a worker; for each test a profile that knows nothing."""

from pathlib import Path

import pytest

from tests.browser.people import WIDE, Person, Site, Watch

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PATIENCE = 20_000
"""Milliseconds: a machine that does many things at once is slow, and not wrong."""

QUICK = ("test_01_", "test_04_", "test_11_")
"""Of the thirty checks, those that run without --slow: the way through, the fields, the script."""


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and not item.name.startswith(QUICK):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The running demo."""
    with Site(tmp_path_factory.mktemp("demo")) as site:
        yield site


# No longer than this folder's tests: while Playwright runs, Django takes the thread for asynchronous.
@pytest.fixture(scope="package")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(params=[True, False], ids=["with_javascript", "without_javascript"])
def javascript(request):
    """Whether scripts run. Asked for by tests of what must not depend on it."""
    return request.param


@pytest.fixture
def visit(request, browser, site):
    """Open a profile with options of Playwright's; at the end, its pages must have behaved."""
    scripts = request.getfixturevalue("javascript") if "javascript" in request.fixturenames else True
    opened = []

    def visit(**options):
        options = {"viewport": WIDE, "java_script_enabled": scripts, **options}
        context = browser.new_context(service_workers="block", **options)
        context.set_default_timeout(PATIENCE)
        opened.append((context, Watch(context, site)))
        return Person(context.new_page(), site)

    yield visit
    for context, _ in opened:
        context.close()
    assert [] == [trouble for _, watch in opened for trouble in watch.seen]


@pytest.fixture
def person(visit):
    """Somebody at a desk."""
    return visit()
