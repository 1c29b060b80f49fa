"""Photographs the key states: `SCREENSHOTS=folder python -m tests.browser.shots`. No test looks at them, people do."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests import services
from tests.browser.conftest import ARGUMENTS
from tests.browser.people import NARROW, WIDE, Person, Site
from tests.browser.sites import configured
from tests.browser.states import PLAIN, PLAIN_STATES, STATES

DARK, ARABIC = {"color_scheme": "dark"}, {"locale": "ar"}
SHOTS = {
    "number": ("number", {}),
    "number-dark-narrow": ("number", DARK | {"viewport": NARROW}),
    "number-refused": ("number_refused", {}),
    "number-unavailable-arabic": ("number_unavailable", ARABIC),
    "code": ("code", {}),
    "code-dark": ("code", DARK),
    "code-wrong-narrow": ("code_wrong", {"viewport": NARROW}),
    "code-wrong-arabic": ("code_wrong", ARABIC),
    "code-out-of-tries-dark-narrow": ("code_out_of_tries", DARK | {"viewport": NARROW}),
    "code-called": ("code_called", {}),
    "done-dark-arabic": ("done", DARK | ARABIC),
    "unavailable": ("unavailable", {}),
}
"""By the name of the file, a state and what Playwright's browser is told of the visitor."""


def site_of(state, stack):
    """Return a running site that has the state."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return stack.enter_context(configured(folder, **PLAIN) if state in PLAIN_STATES else Site(folder))


def photograph(browser, sites, state, options):
    """Return a state as a PNG."""
    context = browser.new_context(**{"viewport": WIDE, **options})
    person = Person(context.new_page(), sites[state in PLAIN_STATES])
    (STATES | PLAIN_STATES)[state](person)
    picture = person.page.screenshot(full_page=True)
    context.close()
    return picture


def main(folder):
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        sites = {state in PLAIN_STATES: site_of(state, stack) for state in ("number", "unavailable")}
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=services.chromium(), args=ARGUMENTS)
        for name, (state, options) in SHOTS.items():
            (folder / f"{name}.png").write_bytes(photograph(browser, sites, state, options))
        browser.close()


if __name__ == "__main__":
    main(Path(os.environ["SCREENSHOTS"]))
