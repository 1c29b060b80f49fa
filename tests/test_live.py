"""Against the real Vonage, for who has an account: VONAGE_LIVE_KEY, VONAGE_LIVE_SECRET, VONAGE_LIVE_NUMBER.

Sends one message to that number (E.164), which is paid for; skipped without all three.
"""

import os

import pytest

from passwordless.states import Reason
from passwordless.vonage.client import Client
from passwordless.vonage.credentials import Credentials
from passwordless.vonage.dialect import Options, Order
from passwordless.vonage.v1 import V1
from passwordless.vonage.v2 import V2

KEY, SECRET, NUMBER = (os.environ.get(f"VONAGE_LIVE_{name}", "") for name in ("KEY", "SECRET", "NUMBER"))
pytestmark = pytest.mark.skipif(not (KEY and SECRET and NUMBER), reason="no account of Vonage's is named")


@pytest.fixture
def client():
    one = Client(Credentials(KEY, SECRET))
    yield one
    one.close()


@pytest.mark.parametrize("dialect", [V1, V2])
def test_a_wrong_code_is_wrong_and_an_unknown_request_is_gone(client, dialect):
    vonage = dialect(client, Options(brand="Live test"))
    started = vonage.start(Order(number=NUMBER, channels=("sms",)))
    assert started.reason in (Reason.OK, Reason.CONCURRENT)
    assert Reason.WRONG_CODE is vonage.check(started.request_id, "000000").reason
    unknown = "0" * 32 if dialect is V1 else "00000000-0000-4000-8000-000000000000"
    assert Reason.GONE is vonage.check(unknown, "000000").reason
