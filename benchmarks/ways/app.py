"""This app: with the emulator in the process, or over loopback with a server in the place of Vonage."""

import json
from datetime import timedelta
from urllib.parse import quote

from ..people import in_chunks, stranger
from . import members

WIDE = ("sends_per_block_1000", "sends_per_block_10000", "sends_per_country", "sends_per_site")
LIFTED = dict.fromkeys(WIDE, "1000000/h")
"""So many logins of one country are counted as ever, and granted."""


def changes(wire):
    """Return the settings of a site with the app."""
    place = {"EMULATOR": False, "API_HOST": wire} if wire else {"EMULATOR": True}
    return {
        "ROOT_URLCONF": "benchmarks.urls",
        "EXTRA_APPS": ["passwordless"],
        "AUTHENTICATION_BACKENDS": [
            "passwordless.backends.PhoneBackend",
            "django.contrib.auth.backends.ModelBackend",
        ],
        "PASSWORDLESS": {**place, "LIMITS": LIFTED},
    }


def people(numbers):
    """Make users and give them their numbers, which they have proved before."""
    from django.utils import timezone

    from passwordless.models import PhoneNumber

    from ..models import Member

    known, now = list(numbers), timezone.now()
    members.people(known)
    for chunk in in_chunks(known):
        users = Member.objects.filter(phone__in=chunk).only("pk", "phone")
        PhoneNumber.objects.bulk_create(
            PhoneNumber(user=one, number=one.phone, verified_at=now) for one in users
        )


def stored(rows):
    """Fill the tables with users who never come, ended attempts and running counters."""
    from django.utils import timezone

    people(stranger(index) for index in range(rows))
    now = timezone.now()
    for chunk in in_chunks(range(rows)):
        _attempts(chunk, now, rows)
        _counters(chunk, now)


def first(browser):
    """Open the page that asks for the number."""
    browser.get("GET number", "/login/")


def log_in(browser, number, wire):
    """Walk from the first page to the home page."""
    browser.get("GET number", "/login/")
    browser.post("POST number", "/login/", number=number)
    browser.get("GET code", "/login/code/")
    code = _sent(wire, number) if wire else _sent_in_process(number)
    browser.post("POST code", "/login/code/", code=code)
    browser.get("GET home", "/")


def forget():
    """Empty the outbox of the emulator in the process."""
    from passwordless import gateway

    if gateway.in_process():
        gateway.emulator().clear()


def _attempts(chunk, now, rows):
    from passwordless.models import VerificationAttempt, tags
    from passwordless.states import Reason, Status

    VerificationAttempt.objects.bulk_create(
        VerificationAttempt(
            number=stranger(index),
            number_tag=tags(stranger(index))[0],
            country="US",
            status=Status.VERIFIED,
            reason=Reason.OK,
            api="v2",
            request_id=f"{index:032x}",
            channels="sms,voice",
            ip=f"10.{index >> 16 & 255}.{index >> 8 & 255}.{index & 255}",
            created_at=now - timedelta(seconds=rows - index),
            expires_at=now,
            open_until=now,
            sends=1,
        )
        for index in chunk
    )


def _counters(chunk, now):
    from passwordless.models import Counter

    ends_at = now.timestamp() + 86400
    Counter.objects.bulk_create(Counter(key=f"{index:064x}", ends_at=ends_at) for index in chunk)


def _sent_in_process(number):
    from passwordless import gateway

    return gateway.emulator().messages(number)[-1].code


def _sent(wire, number):
    # Here, so that the app's start does not pay for what only its benchmark needs.
    from urllib.request import ProxyHandler, build_opener

    with build_opener(ProxyHandler({})).open(f"{wire}/_emulator/messages?to={quote(number)}") as answer:
        return json.load(answer)[-1]["code"]
