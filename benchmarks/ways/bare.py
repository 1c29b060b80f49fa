"""The floor: two plain views and forms, and `login()`."""

from .members import people, stored

__all__ = ["changes", "first", "forget", "log_in", "people", "stored"]


def changes(wire):
    """Return the settings of a site without the app."""
    return {"ROOT_URLCONF": "benchmarks.bare_urls", "BENCHMARK_PROVIDER": wire}


def first(browser):
    """Open the page that asks for the number."""
    browser.get("GET number", "/bare/")


def log_in(browser, number, wire):
    """Walk from the first page to the home page."""
    from ..floor import SENT

    path = "/calling/" if wire else "/bare/"
    browser.get("GET number", path)
    browser.post("POST number", path, number=number)
    browser.get("GET code", f"{path}code/")
    browser.post("POST code", f"{path}code/", code=SENT[number])
    browser.get("GET home", "/")


def forget():
    """Forget the codes that nobody sent."""
    from ..floor import SENT

    SENT.clear()
