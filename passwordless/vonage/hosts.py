"""Where calls may go: https to anywhere, plain http to this machine. Read by checks too: no SDK here."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

HOST = re.compile(r"(?:[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")


def origin(host: str) -> str:
    """Return the address that calls go to, `https://HOST[:PORT]` or `http://` and a loopback address.

    Raises ValueError for anything else.
    """
    scheme, given, rest = host.rpartition("://")
    if not HOST.fullmatch(rest) or (given and not (scheme == "http" and _names_this_machine(rest))):
        raise ValueError("the host must be HOST[:PORT], or http:// and a loopback address with its port")
    _ = urlsplit(f"//{rest}").port  # raises ValueError beyond 65535
    return f"{scheme or 'https'}://{rest}"


def is_loopback(host: str) -> bool:
    """Return whether `host` is `http://` and an address of this machine, which only an emulator is."""
    try:
        return origin(host).startswith("http://")
    except ValueError:
        return False


def _names_this_machine(netloc: str) -> bool:
    name = urlsplit(f"//{netloc}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
