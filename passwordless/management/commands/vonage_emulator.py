"""A doorway to the stand-alone emulator."""

from __future__ import annotations

import os
import signal
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...vonage.emulator import Emulator, Server, Switches

SECRET = "VONAGE_SIGNATURE_SECRET"  # noqa: S105 - the name of a variable


class Command(BaseCommand):
    """Serve a Verify emulator, v1 and v2, on this machine until Ctrl-C or SIGTERM."""

    help = "Serve an emulator of Vonage Verify, v1 and v2, on this machine."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a port, and a loopback address."""
        parser.add_argument("--port", type=int, default=8002, help="default 8002; 0 takes any free one")
        parser.add_argument("--host", default="127.0.0.1", help="a loopback address, default 127.0.0.1")
        parser.add_argument("--webhook-url", help="where the webhooks of v2 go; none are sent without")
        parser.add_argument("--signature-secret", help=f"what signs the webhooks, default ${SECRET}")
        parser.add_argument("--api-key", help="the one account that may ask; webhooks name it")
        parser.add_argument(
            "--webhook-always",
            action="store_true",
            help="webhooks also for requests by key and secret, not only for those by JWT",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until told to stop. Raises CommandError when the address cannot be had."""
        server = self._bound(self._emulator(options), options["host"], options["port"])
        former = signal.signal(signal.SIGTERM, _stop)
        try:
            self._introduce(server.url, options.get("webhook_url"))
            server.serve_forever()
        except KeyboardInterrupt:
            self.stdout.write("Emulator ended.")
        finally:
            signal.signal(signal.SIGTERM, former)
            server.shutdown()

    def _introduce(self, url: str, webhook_url: str | None) -> None:
        self.stdout.write(f"Emulator of Vonage Verify on {url} (Ctrl-C ends it)")
        self.stdout.write(f"VONAGE_API_HOST={url}")
        self.stdout.write(f"Messages: {url}/_emulator/messages")
        if webhook_url:
            self.stdout.write(f"Webhooks: to {webhook_url}")
        self.stdout.flush()

    def _emulator(self, options: dict[str, Any]) -> Emulator:
        url = options.get("webhook_url")
        secret = options.get("signature_secret") or os.environ.get(SECRET) or None
        try:
            return Emulator(
                api_key=options.get("api_key"),
                switches=Switches(webhook_always=bool(options.get("webhook_always"))),
                webhook_url=url,
                signature_secret=secret if url else None,
            )
        except ValueError as error:
            raise CommandError(f"Webhooks cannot be sent: {error}.") from error

    def _bound(self, emulator: Emulator, host: str, port: int) -> Server:
        try:
            return Server(emulator, port, host)
        except OSError as error:
            message = f"Port {port} of {host} cannot be used. Try --port {port + 1}."
            raise CommandError(message) from error
        except (ValueError, OverflowError) as error:
            raise CommandError("--host must be a loopback address, --port 0 to 65535.") from error


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
