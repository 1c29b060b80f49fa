"""The demo as everybody runs it, with room for many tests and under a policy that forbids everything inline."""

from example_project.settings import *  # noqa: F403
from example_project.settings import MIDDLEWARE, PASSWORDLESS

MIDDLEWARE = [*MIDDLEWARE, "tests.browser.policy.strict"]
# All tests come from one address and share one block of numbers.
SHARED = [
    "sends_per_ip",
    "fails_per_ip",
    "sends_per_block_1000",
    "sends_per_block_10000",
    "sends_per_country",
    "sends_per_site",
]
PASSWORDLESS = {**PASSWORDLESS, "LIMITS": dict.fromkeys(SHARED)}
