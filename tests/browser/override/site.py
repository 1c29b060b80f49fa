"""Runs a site that is the demo but for its settings."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.browser.people import ROOT, Person, Site
from tests.services import free_port


class OtherSite(Site):
    """A demo with a settings module of its own, below a path (empty, or with a leading slash)."""

    def __init__(self, folder, settings, path=""):
        super().__init__(folder)
        self.settings, self.below = settings, path

    def __enter__(self):
        port = str(free_port())
        self.url = f"http://127.0.0.1:{port}{self.below}"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
            "DJANGO_SETTINGS_MODULE": self.settings,
        }
        command = [sys.executable, "-u", "-m", "tests.browser.serve", port]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.read_until("Stop it with")
        return self


class Member(Person):
    """Somebody who finds the pages of passwordless under the prefix of the shop."""

    def see(self, path):
        super().see(f"/members{path}" if path.startswith("/login/") else path)
