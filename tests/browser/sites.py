"""Demos that are configured as people configure theirs: by a file `.env`."""

from __future__ import annotations

from contextlib import contextmanager

from tests.browser.people import Site


@contextmanager
def configured(folder, **settings):
    """Run a demo whose `.env` holds these settings."""
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    with Site(folder) as site:
        yield site
