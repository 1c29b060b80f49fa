"""What is compared: the app, two floors, and other packages that log in with a code sent to a phone."""

from dataclasses import dataclass

PAGES = ("GET number", "POST number", "GET code", "POST code")
HOME = "GET home"
POSTS = ("POST number", "POST code")
STEPS = (*PAGES, HOME)


@dataclass(frozen=True)
class Subject:
    """One way to log in.

    `way` is a module of `ways`, `environment` a name of environments.PACKAGES or empty for the project's own,
    and `wire` says who is called: nobody, the `emulator` or the `plain` server, both on loopback.
    """

    name: str
    way: str
    environment: str = ""
    wire: str = ""


APP, BARE = Subject("app", "app"), Subject("bare", "bare")
LOOPBACK = Subject("app, loopback", "app", wire="emulator")
CALLING = Subject("bare + 2 calls", "bare", wire="plain")
ALLAUTH = Subject("allauth", "allauth", "allauth")
ALLAUTH_CALLING = Subject("allauth + 1 call", "allauth", "allauth", wire="plain")
DRF = Subject("drfpasswordless", "drf", "drf")
DRF_CALLING = Subject("drfpasswordless + 1 call", "drf", "drf", wire="plain")

OWN = (APP, BARE, LOOPBACK, CALLING)
PEERS = (ALLAUTH, ALLAUTH_CALLING, DRF, DRF_CALLING)
