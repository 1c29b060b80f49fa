"""Attempts as a file: what the list shows, row by row, harmless in a spreadsheet, and never without a record."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from passwordless.admin.export import CHUNK, COLUMNS
from passwordless.models import AttemptEvent, VerificationAttempt, tags
from passwordless.states import EventKind, Reason, Status

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBER = "+14155550123"
LIST = reverse("admin:passwordless_verificationattempt_changelist")
EXPORT = reverse("admin:passwordless_verificationattempt_export")
BACKEND = "django.contrib.auth.backends.ModelBackend"
SEES, EXPORTS, READS = "view_verificationattempt", "export_attempts", "view_full_number"


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def clerk(client):
    """Somebody who exports, and sees the last digits only."""
    return staff(client, SEES, EXPORTS)


def staff(client, *codenames):
    user, _ = User.objects.get_or_create(username="clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user, BACKEND)
    return client


def blank(number=NUMBER, *, ago=timedelta(0), **values):
    created = NOW - ago
    ends = created + timedelta(seconds=300)
    told = {
        "status": Status.REFUSED, "reason": Reason.LIMIT_IP, "country": "US", "channels": "sms,voice",
        "created_at": created, "expires_at": ends, "open_until": ends, **values,
    }  # fmt: skip
    return VerificationAttempt(number=number, number_tag=tags(number)[0], **told)


def attempt(number=NUMBER, **values):
    row = blank(number, **values)
    row.save()
    return row


def text(answer):
    assert 200 == answer.status_code
    return b"".join(answer.streaming_content).decode()


def table(client, **query):
    return list(csv.DictReader(io.StringIO(text(client.post(address(**query))), newline="")))


def lines(client, **query):
    return [json.loads(line) for line in text(client.post(address(format="jsonl", **query))).splitlines()]


def address(**query):
    return f"{EXPORT}?{'&'.join(f'{name}={value}' for name, value in query.items())}"


def recorded():
    found = AttemptEvent.objects.filter(kind=EventKind.EXPORTED).order_by("pk")
    return [(event.staff.username, event.detail, event.attempt) for event in found]


def chosen(client, action, *rows, **extra):
    return client.post(LIST, {"action": action, "_selected_action": [row.pk for row in rows], **extra})


class TestFile:
    def test_tells_all_of_an_attempt(self, clerk):
        user = User.objects.create_user("ann")
        row = attempt(
            status=Status.VERIFIED, reason=Reason.OK, ended_at=NOW + timedelta(seconds=8), sends=1, guesses=2,
            sent_at=NOW, step_at=NOW, proved_by="sms", price=Decimal("0.05000000"), currency="EUR", user=user,
            ip="198.51.100.7", agent="Browser 1.0", language="de", locale="de-de", request_id="a" * 32,
            vendor="0", network="310012",
        )  # fmt: skip
        told = {
            "asked_at": "2026-11-23T12:00:00+00:00", "reference": row.key[:8], "request_id": "a" * 32,
            "number": "••• 123", "country": "US", "purpose": "login", "channels_planned": "sms,voice",
            "channels_used": "sms", "proved_by": "sms", "status": "verified", "reason": "ok",
            "vonage_code": "0", "sends": 1, "guesses": 2, "repeats": 1, "seconds_to_verify": 8,
            "price": "0.05", "currency": "EUR", "network": "310012", "user": user.pk, "ip": "198.51.100.7",
            "user_agent": "Browser 1.0", "page_language": "de", "message_language": "de-de",
            "ended_at": "2026-11-23T12:00:08+00:00",
        }  # fmt: skip
        assert [told] == lines(clerk)
        assert [{name: str(value) for name, value in told.items()}] == table(clerk)

    @pytest.mark.parametrize(("took", "told"), [(8.999999, 8), (8.5, 8), (8, 8), (0.4, 0), (-3, 0)])
    def test_tells_whole_seconds_as_list_and_dashboard_do(self, client, took, told):
        client.force_login(User.objects.create_superuser("root"), BACKEND)
        ended = NOW + timedelta(seconds=took)
        attempt(status=Status.VERIFIED, reason=Reason.OK, ended_at=ended, sends=1, sent_at=NOW, step_at=NOW)
        assert [told] == [one["seconds_to_verify"] for one in lines(client)]
        listed = client.get(LIST).content.decode()
        assert [str(told)] == re.findall(r'<td class="field-seconds">([^<]*)</td>', listed)
        dashboard = client.get(reverse("admin:passwordless_dashboard"), {"period": "24h"}).content.decode()
        [card] = re.findall(r"<dt>Time to verify</dt>\s*<dd[^>]*><bdi>([^<]*)</bdi>", dashboard)
        assert f"{told} s" == card

    def test_is_the_same_in_every_language(self, clerk):
        attempt(price=Decimal("1.5"))
        clerk.cookies.load({"django_language": "de"})
        [told] = table(clerk)
        assert ("refused", "limit_ip", "1.5") == (told["status"], told["reason"], told["price"])

    def test_tells_what_is_overdue_as_expired(self, clerk):
        attempt(status=Status.PENDING, reason="", ago=timedelta(minutes=6))
        assert [("expired", "expired")] == [(one["status"], one["reason"]) for one in lines(clerk)]

    def test_is_a_download_that_nobody_keeps(self, clerk):
        answers = [clerk.post(address(format=kind)) for kind in ("csv", "jsonl", "x")]
        assert [
            ("text/csv; charset=utf-8", 'attachment; filename="attempts-2026-11-23.csv"'),
            ("application/x-ndjson", 'attachment; filename="attempts-2026-11-23.jsonl"'),
            ("text/csv; charset=utf-8", 'attachment; filename="attempts-2026-11-23.csv"'),
        ] == [(answer["Content-Type"], answer["Content-Disposition"]) for answer in answers]
        assert all("no-store" in answer["Cache-Control"] for answer in answers)

    def test_of_nothing_is_a_header_alone(self, clerk):
        assert ",".join(COLUMNS) + "\r\n" == text(clerk.post(EXPORT))
        assert [] == lines(clerk)

    def test_begins_with_the_newest(self, clerk):
        made = [attempt(ago=timedelta(hours=hours)) for hours in (3, 1, 2)]
        wanted = [made[1].reference, made[2].reference, made[0].reference]
        assert wanted == [one["reference"] for one in table(clerk)]


class TestNumbers:
    def test_j7_are_masked(self, clerk):
        attempt()
        told = text(clerk.post(EXPORT)) + text(clerk.post(address(format="jsonl")))
        assert "••• 123" in told
        assert "4155550123" not in told

    def test_are_whole_for_those_who_may_see_them(self, client):
        staff(client, SEES, EXPORTS, READS)
        attempt()
        attempt("")
        assert [{NUMBER, "•••"}, {f"'{NUMBER}", "•••"}] == [
            {one["number"] for one in found} for found in (lines(client), table(client))
        ]


class TestFormulas:
    STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]

    @pytest.mark.parametrize("start", STARTS)
    def test_j7_are_text_in_a_spreadsheet(self, clerk, start):
        attempt(agent=f"{start}1+1", vendor=f"{start}2", locale=f"{start}3", network=f"{start}4")
        [told] = table(clerk)
        assert [f"'{start}1+1", f"'{start}2", f"'{start}3", f"'{start}4"] == [
            told[name] for name in ("user_agent", "vonage_code", "message_language", "network")
        ]

    @pytest.mark.parametrize("between", [";", ",", "\t", "|", '"', "; "])
    def test_j7_are_text_where_another_spreadsheet_parts_cells(self, clerk, between):
        attempt(agent=f"Mozilla/5.0 (X11{between}=1+1")
        [told] = table(clerk)
        assert f"Mozilla/5.0 (X11{between.rstrip(' ')}'{between[1:]}=1+1" == told["user_agent"]

    def test_are_left_alone_where_nothing_runs_them(self, clerk):
        attempt(agent="=1+1")
        assert ["=1+1"] == [one["user_agent"] for one in lines(clerk)]


class TestAnyText(TestCase):
    @settings(deadline=None, max_examples=50)
    @example(agent="\n@")
    @example(agent=";\n =1")
    @given(agent=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
    def test_comes_back_whole_and_runs_nothing(self, agent):
        VerificationAttempt.objects.all().delete()
        attempt(agent=agent)
        clerk = staff(self.client, SEES, EXPORTS)
        [told] = table(clerk)
        assert agent.replace("'", "") == told["user_agent"].replace("'", "")
        cells = re.split(r'[;,\t|"\r\n]', told["user_agent"])
        assert not [cell for cell in cells if cell.lstrip().startswith(tuple("=+-@＝＋－＠"))]
        assert [agent] == [one["user_agent"] for one in lines(clerk)]


class TestWhich:
    @pytest.fixture
    def rows(self):
        return {
            "new": attempt(),
            "old": attempt(ago=timedelta(days=8)),
            "german": attempt("+4915110408901", country="DE"),
            "failed": attempt("+14155550124", status=Status.FAILED),
        }

    @pytest.mark.parametrize(
        ("query", "wanted"),
        [
            ({}, {"new", "german", "failed"}),
            ({"period": "all"}, {"new", "old", "german", "failed"}),
            ({"country": "DE"}, {"german"}),
            ({"status__exact": "failed", "period": "24h"}, {"failed"}),
            ({"q": tags(NUMBER)[0]}, {"new", "old"}),
            ({"p": "7", "o": "1", "all": "", "e": "1"}, {"new", "german", "failed"}),
        ],
    )
    def test_are_those_that_the_list_shows(self, clerk, rows, query, wanted):
        names = {row.reference: name for name, row in rows.items()}
        assert wanted == {names[one["reference"]] for one in table(clerk, **query)}
        assert wanted == {names[one["reference"]] for one in lines(clerk, **query)}

    def test_are_those_that_were_selected(self, clerk, rows):
        for action in ("export_csv", "export_jsonl"):
            told = text(chosen(clerk, action, rows["new"], rows["german"]))
            assert ["german", "new"] == sorted(name for name, row in rows.items() if row.reference in told)

    def test_are_all_of_the_list_where_all_are_selected(self, clerk, rows):
        told = text(chosen(clerk, "export_csv", rows["new"], select_across="1", index="0"))
        assert ["failed", "german", "new"] == sorted(
            name for name, row in rows.items() if row.reference in told
        )

    @pytest.mark.parametrize("query", [{"number__startswith": "%2B1"}, {"user__username": "x"}])
    def test_are_asked_for_by_no_other_question(self, clerk, rows, query):
        assert 400 == clerk.post(address(**query)).status_code
        assert [] == recorded()


class TestStream:
    def test_comes_in_chunks(self, clerk):
        """So that neither the database nor the server holds more than one of them."""
        many = [
            blank(f"+1415555{number:04}", ago=timedelta(seconds=number // 7))
            for number in range(2 * CHUNK + 5)
        ]
        VerificationAttempt.objects.bulk_create(many)
        answer = clerk.post(EXPORT)
        stream = iter(answer.streaming_content)
        with CaptureQueriesContext(connection) as first:
            begun = next(stream)
        with CaptureQueriesContext(connection) as rest:
            body = b"".join([begun, *stream]).decode()
        assert (1, 2) == (len(first), len(rest))
        assert all(f"LIMIT {CHUNK}" in one["sql"] for one in [*first, *rest])
        told = [one["reference"] for one in csv.DictReader(io.StringIO(body, newline=""))]
        newest = VerificationAttempt.objects.order_by("-created_at", "-pk")
        assert [row.reference for row in newest] == told

    def test_asks_for_no_user(self, clerk):
        attempt(user=User.objects.create_user("ann"))
        answer = clerk.post(EXPORT)
        with CaptureQueriesContext(connection) as asked:
            text(answer)
        assert [False] == ["auth_user" in one["sql"] for one in asked]


class TestRecord:
    def test_j7_says_who_took_what(self, clerk):
        attempt()
        attempt()
        text(clerk.post(address(status__exact="refused", country="US")))
        told = "csv, 2 attempts, masked; period=7d country=US status__exact=refused"
        assert [("clerk", told, None)] == recorded()

    def test_says_that_numbers_were_whole(self, client):
        staff(client, SEES, EXPORTS, READS)
        lines(client, period="all")
        assert [("clerk", "jsonl, 0 attempts, full numbers; period=all", None)] == recorded()

    def test_says_that_some_were_selected(self, clerk):
        row = attempt()
        chosen(clerk, "export_csv", row)
        chosen(clerk, "export_jsonl", row)
        assert [f"{kind}, 1 attempts, masked; selected" for kind in ("csv", "jsonl")] == [
            detail for _staff, detail, _attempt in recorded()
        ]

    def test_says_how_many_as_far_as_they_are_counted(self, clerk):
        VerificationAttempt.objects.bulk_create([blank() for _ in range(10_001)])
        clerk.post(EXPORT)
        assert "csv, 10,000+ attempts, masked; period=7d" == recorded()[0][1]

    @pytest.mark.parametrize("term", [tags(NUMBER)[0], "aaaaaaaa", NUMBER, NUMBER[1:]])
    def test_does_not_say_what_was_searched_for(self, clerk, term):
        clerk.post(EXPORT, query_params={"q": term})
        assert "csv, 0 attempts, masked; period=all search" == recorded()[0][1]

    def test_is_written_before_anything_is_sent(self, clerk):
        attempt()
        clerk.post(EXPORT)
        assert 1 == len(recorded())

    def test_is_seen_by_those_who_see_the_audit(self, clerk):
        clerk.post(EXPORT)
        events = clerk.get(reverse("admin:passwordless_attemptevent_changelist"), {"kind": "exported"})
        assert "csv, 0 attempts, masked; period=7d" in events.content.decode()


class TestPage:
    def test_says_what_would_be_exported(self, clerk):
        attempt()
        html = clerk.get(address(status__exact="refused")).content.decode()
        told = (
            "1 attempt goes into the file.",
            "Period: Last 7 days",
            "Status: Refused",
            "Numbers are masked.",
        )
        assert [] == [one for one in told if one not in html]

    def test_says_that_numbers_would_be_whole(self, client):
        staff(client, SEES, EXPORTS, READS)
        assert "Numbers are written in full." in client.get(EXPORT).content.decode()

    def test_leads_to_both_files(self, clerk):
        html = clerk.get(address(country="US", p="3")).content.decode()
        assert 'method="post" action="?country=US&amp;format=csv"' in html
        assert 'formaction="?country=US&amp;format=jsonl"' in html

    @pytest.mark.parametrize("method", ["get", "head", "options", "put", "delete"])
    @pytest.mark.parametrize("query", [{}, {"format": "csv"}, {"format": "jsonl"}])
    def test_gives_no_attempt_away_without_a_post(self, clerk, method, query):
        row = attempt()
        answer = getattr(clerk, method)(address(**query))
        assert not answer.streaming
        assert row.reference not in answer.content.decode()
        assert [] == recorded()

    def test_takes_no_form_of_another_site(self, clerk):
        clerk.handler.enforce_csrf_checks = True
        assert 403 == clerk.post(EXPORT).status_code
        assert [] == recorded()

    def test_runs_no_action_by_a_link(self, clerk):
        row = attempt()
        clerk.get(LIST, {"action": "export_csv", "_selected_action": row.pk})
        assert [] == recorded()

    @pytest.mark.parametrize("rights", [(SEES,), (EXPORTS,), (SEES, READS), ()])
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_j7_is_for_those_who_may(self, client, rights, method):
        staff(client, *rights)
        assert 403 == getattr(client, method)(EXPORT).status_code
        assert [] == recorded()

    @pytest.mark.parametrize("action", ["export_csv", "export_jsonl"])
    def test_actions_are_for_those_who_may(self, client, action):
        row = attempt()
        assert not chosen(staff(client, SEES), action, row).streaming
        assert [] == recorded()

    def test_is_offered_to_those_who_may(self, client):
        shown = [
            EXPORT in staff(client, *rights).get(LIST).content.decode()
            for rights in ((SEES,), (SEES, EXPORTS))
        ]
        assert [False, True] == shown
