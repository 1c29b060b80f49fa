"""The whole project in one command: migrate, make an administrator, serve, and say where everything is."""

import errno
import secrets
import sys
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser, SystemCheckError
from django.core.servers.basehttp import get_internal_wsgi_application, run

from example_project import inbox

HOST = "127.0.0.1"  # this machine only: the virtual phone shows every code
ADMIN = "admin"
# One visitor plays them all: the limits that part strangers from each other would stop the play.
UNLIMITED = dict.fromkeys(
    ["sends_per_ip", "sends_per_session", "sends_per_block_1000", "sends_per_block_10000", "fails_per_ip"]
)
LEGIBLE = "abcdefghjkmnpqrstuvwxyz23456789"

PORT_TAKEN = {
    errno.EADDRINUSE: "Port {port} is taken: choose another, for example --port {other}.",
    errno.EACCES: "Port {port} is not allowed to you: choose another, for example --port 8001.",
}


class Command(BaseCommand):
    help = "Serve the example site with everything it needs, on this machine only."
    requires_system_checks = []  # see refuse_errors

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=port_number, default=8000, help="TCP port (default: 8000)")

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        settings.PASSWORDLESS = staged(settings.PASSWORDLESS, f"http://{HOST}:{port}")
        refuse_errors()
        handler = StaticFilesHandler(get_internal_wsgi_application())
        try:
            run(HOST, port, handler, threading=True, on_bind=self.prepare)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno not in PORT_TAKEN:
                raise
            sentence = PORT_TAKEN[error.errno].format(port=port, other=port % 65535 + 1)
            raise CommandError(sentence) from error
        except KeyboardInterrupt:
            self.stdout.write("")
            sys.exit(0)

    def prepare(self, port: int) -> None:
        """Fill the database, now that the port is ours: a second demo must not change the password."""
        call_command("migrate", interactive=False, verbosity=0)
        password = renewed_password()
        self.stdout.write(self.welcome(f"http://{HOST}:{port}", password))
        self.stdout.flush()

    def welcome(self, site: str, password: str) -> str:
        places = {"Sign in": f"{site}/login/"}
        if inbox.in_use():
            places["Virtual phone"] = f"{site}/phone/   the codes arrive here; nothing is really sent"
        places["Admin"] = f"{site}/admin/   user {ADMIN}, password {password}"
        lines = [f"  {name:<14} {place}" for name, place in places.items()]
        title = self.style.SUCCESS(f"The demo is at {site}/")
        return "\n".join(["", title, "", *lines, "", "Stop it with Ctrl+C.", ""])


def staged(given: dict[str, Any], site: str) -> dict[str, Any]:
    """Return the settings of the play: the emulator reports to the site, signed, as Vonage would."""
    if not inbox.in_use():
        return given
    webhooks = {
        "EMULATOR_WEBHOOK_URL": f"{site}/webhooks/vonage/",
        "SIGNATURE_SECRET": secrets.token_hex(32),
    }
    return {**webhooks, **given, "LIMITS": {**UNLIMITED, **given.get("LIMITS", {})}}


def refuse_errors() -> None:
    """Run the system checks; raise SystemCheckError with the errors, and keep advice to a site to oneself."""
    errors = [str(found) for found in run_checks() if found.is_serious() and not found.is_silenced()]
    if errors:
        raise SystemCheckError("\n".join(errors))


def port_number(text: str) -> int:
    """Return the TCP port that `text` names, 1 to 65535."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


def renewed_password() -> str:
    """Give the administrator a new random password, and return it."""
    password = "".join(secrets.choice(LEGIBLE) for _ in range(14))
    # 70 random bits need no stretching, which costs a second here; logging in brings it to Django's strength.
    hasher = PBKDF2PasswordHasher()
    rights = {"is_staff": True, "is_superuser": True, "is_active": True}
    hashed = hasher.encode(password, hasher.salt(), iterations=1000)
    User.objects.update_or_create(username=ADMIN, defaults=rights | {"password": hashed})
    return password
