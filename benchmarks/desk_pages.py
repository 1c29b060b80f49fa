"""The pages of the desk, as a superuser loads them."""

import sys
import time

from .desk_figures import Line, counted, middle, timed

LOOKS = 7
"""How often each page is asked for; the first time, which fills caches, is not counted."""

STATEMENTS = 12
PERIODS = ("24h", "7d", "30d", "90d")


def rolled():
    """Yield how long counting takes; twice, since it runs every night."""
    from django.core.management import call_command, get_commands

    if "passwordless_rollup" in get_commands():
        for time_ in ("first", "again"):
            took = timed(lambda: call_command("passwordless_rollup", verbosity=0, stdout=sys.stderr))
            yield Line(f"roll-up: {time_}", took.clock / 1000, " s", cpu=took.cpu / 1000)


def pages(quick, dashboard):
    """Yield time and statements of each page, for a superuser."""
    from django.contrib.auth import get_user_model
    from django.test import Client
    from django.urls import NoReverseMatch, reverse

    staff = get_user_model().objects.create_superuser(f"staff of {time.time_ns()}", password="!")
    client = Client()
    client.force_login(staff, "django.contrib.auth.backends.ModelBackend")
    listed = reverse("admin:passwordless_verificationattempt_changelist")
    for name, look in looks(client, listed).items():
        yield from page(name, look, quick)
    try:
        board = reverse("admin:passwordless_dashboard")
    except NoReverseMatch:
        return
    for period in PERIODS:
        address = f"{board}?period={period}"
        yield from page(f"dashboard, {period}", lambda there=address: client.get(there), dashboard)


def looks(client, listed):
    """Return {page: how it is asked for}."""
    from django.urls import reverse

    from passwordless.models import VerificationAttempt

    young = VerificationAttempt.objects.filter(status="verified", request_id__isnull=False).order_by("-pk")
    row, last = young[100], min(VerificationAttempt.objects.count() // 50, 200)
    queries = {
        "default": "", "all": "period=all", "status": "period=all&status__exact=failed",
        "overdue too": "period=all&status__exact=expired", "reason": "period=90d&reason__exact=throttled",
        "country": "period=90d&country=NG", "channel": "period=90d&channel=voice",
        # What is rare or not there at all, over all time: nothing ends the search early.
        "waiting": "period=all&status__exact=pending", "being checked": "period=all&status__exact=checking",
        "no such country": "period=all&country=NZ", "no such purpose": "period=all&purpose__exact=link",
        "no such reason": "period=all&reason__exact=locked",
        "country and reason": "period=all&country=FR&reason__exact=limit_ip",
        "country and status": "period=all&country=NG&status__exact=failed",
        "last page": f"period=all&p={last}",
    }  # fmt: skip
    made = {
        f"list, {name}": lambda query=query: client.get(f"{listed}?{query}")
        for name, query in queries.items()
    }
    detail = reverse("admin:passwordless_verificationattempt_change", args=[row.pk])
    terms = {"number": row.number, "request id": row.request_id, "reference": row.reference}
    searches = {
        f"search, {name}": lambda term=term: client.post(listed, {"q": term}, follow=True)
        for name, term in terms.items()
    }
    return {**made, **searches, "detail": lambda: client.get(detail)}


def page(name, look, bar):
    """Yield how long one page takes, and how many statements it makes."""
    with counted() as seen:
        answer = look()
    if answer.status_code != 200:
        raise RuntimeError(f"{name}: {answer.status_code} {answer.headers.get('Location', '')}")
    longest = max(seen, key=lambda line: line[1], default=("", 0))
    took = middle([timed(look) for _ in range(LOOKS - 1)])
    if took.clock > bar:
        print(f"{name}: {longest[1]:.0f} ms in {longest[0]}", file=sys.stderr)
    yield Line(name, took.clock, " ms", bar, cpu=took.cpu)
    yield Line(f"{name}: statements", len(seen), "", STATEMENTS)
