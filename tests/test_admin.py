"""The audit as staff see it: everything to be known, nothing to be changed, no number in full."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import urlencode

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from passwordless import flow, gateway, guard, limits, numbers
from passwordless.admin.audit import MOST
from passwordless.admin.filters import LOOSE
from passwordless.models import AttemptEvent, Counter, PhoneNumber, Rollup, Span, VerificationAttempt, tags
from passwordless.outcomes import Handle, Visitor
from passwordless.states import EventKind, Reason, Status

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBER = "+14155550123"
LIST = reverse("admin:passwordless_verificationattempt_changelist")
NUMBERS = reverse("admin:passwordless_phonenumber_changelist")
EVENTS = reverse("admin:passwordless_attemptevent_changelist")
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def now():
    with timezone.override("UTC"), time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def emulator():
    for built in (gateway._built, gateway._clients, gateway._breakers):  # no circuit stays open
        built.clear()
    emulator = gateway.emulator()
    emulator.clear()
    return emulator


@pytest.fixture
def root(client):
    """The client of a superuser, who may do all that Django knows of."""
    client.force_login(User.objects.create_superuser("root"), "django.contrib.auth.backends.ModelBackend")
    return client


def staff(client, *codenames):
    """Log in somebody of the staff with these permissions."""
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def attempt(number=NUMBER, *, ago=timedelta(0), **values):
    """Write an attempt that ended as told, or else was refused."""
    created = NOW - ago
    told = {
        "status": Status.REFUSED,
        "reason": Reason.LIMIT_IP,
        "country": "US",
        "channels": "sms,voice",
        "created_at": created,
        "expires_at": created + timedelta(seconds=300),
        "open_until": created + timedelta(seconds=300),
        **values,
    }
    return VerificationAttempt.objects.create(number=number, number_tag=tags(number)[0], **told)


def login(number, emulator, now):
    """Play a whole login, eight seconds long, with one wrong code; return the attempt and the codes."""
    handle = flow.start(number, Visitor(ip="198.51.100.7", agent="Browser 1.0", session="tag")).handle
    code = emulator.messages(number)[-1].code
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    now.shift(1)
    flow.check(handle, wrong, Visitor(ip="198.51.100.7", agent="Browser 1.0"))
    now.shift(7)
    flow.check(handle, code, Visitor(ip="198.51.100.7", agent="Browser 1.0"))
    return VerificationAttempt.objects.get(key=handle.key), (code, wrong)


def page(client, url, **query):
    answer = client.get(url, query)
    assert 200 == answer.status_code
    return answer.content.decode()


def rows(client, url=LIST, **query):
    """Return the attempts that a list shows, in order; what is searched for is posted, as the form does."""
    if "q" in query:
        address = f"{url}?{urlencode({key: value for key, value in query.items() if key != 'q'})}"
        answer = client.post(address, {"q": query["q"]}, follow=True)
    else:
        answer = client.get(url, query)
    assert 200 == answer.status_code, answer.headers
    return list(answer.context["cl"].result_list)


def words(html):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def columns(html):
    """Return the first row of a list, by column."""
    cells = re.findall(r'<t[dh] class="field-(\w+)[^"]*">(.*?)</t[dh]>', html, re.DOTALL)
    return {name: words(cell).strip() for name, cell in cells}


def detail(row):
    return reverse("admin:passwordless_verificationattempt_change", args=[row.pk])


class TestList:
    def test_tells_all_of_a_login(self, root, emulator, now):
        row, _ = login(NUMBER, emulator, now)
        VerificationAttempt.objects.update(price=Decimal("0.05000000"), currency="EUR")
        shown = columns(page(root, LIST))
        told = {
            "masked_number": "••• 123",
            "place": "US",
            "purpose": "Log in",
            "state": "✔ Verified",
            "why": "-",
            "tried": "Text message",
            "tries": "2",
            "seconds": "8",
            "cost": "0.05 EUR",
            "person": row.user.username,
            "quoted": row.key[:8],
            "asked": "just now",
        }
        assert told == {name: shown[name] for name in told}

    @pytest.mark.parametrize(
        ("ago", "told"),
        [
            (-1, "just now"), (59, "just now"), (60, "1 minute ago"), (3599, "59 minutes ago"),
            (3600, "1 hour ago"), (7200, "2 hours ago"), (86399, "23 hours ago"), (86400, "1 day ago"),
            (3 * 86400, "3 days ago"), (179 * 86400, "179 days ago"),
        ],
    )  # fmt: skip
    def test_tells_the_time_as_people_do_and_exactly(self, root, ago, told):
        attempt(ago=timedelta(seconds=ago))
        html = page(root, LIST, period="all")
        assert told == columns(html)["asked"]
        clock = (NOW - timedelta(seconds=ago)).strftime("%H:%M:%S UTC")
        assert re.search(rf'<time datetime="[^"]*" title="[A-Z][a-z]+\.? \d+, 2026, {clock}">', html)

    @pytest.mark.parametrize(
        ("language", "told"),
        [
            ("de", ["vor 1 Minute", "vor 2 Stunden", "vor 1 Tag", "vor 3 Tagen"]),
            ("pl", ["1 minutę temu", "2 godziny temu", "1 dzień temu", "3 dni temu"]),
            ("ar", ["منذ دقيقة واحدة", "منذ ساعتين", "منذ يوم واحد", "منذ 3 أيام"]),
            ("he", ["לפני דקה", "לפני שעתיים", "לפני יום", "לפני 3 ימים"]),
            ("hi", ["1 मिनट पहले", "2 घंटे पहले", "1 दिन पहले", "3 दिन पहले"]),
            ("ja", ["1分前", "2時間前", "1日前", "3日前"]),
        ],
    )
    def test_tells_the_time_as_each_language_bends_it(self, root, language, told):
        for seconds in (60, 7200, 86400, 3 * 86400):
            attempt(ago=timedelta(seconds=seconds))
        with translation.override(language):
            html = page(root, LIST)
        assert told == re.findall(r"<time [^>]*>([^<]*)</time>", html)

    def test_tells_a_price_as_each_language_writes_it(self, root):
        attempt(price=Decimal("0.05120000"), currency="EUR")
        with translation.override("de"):
            assert "0,0512 EUR" == columns(page(root, LIST))["cost"]
        assert "0.0512 EUR" == columns(page(root, LIST))["cost"]

    def test_tells_time_number_status_and_reason_first(self, root):
        attempt()
        assert ["asked", "masked_number", "state", "why"] == list(columns(page(root, LIST)))[:4]

    def test_tells_country_in_full_on_demand(self, root):
        attempt()
        assert '<span title="United States">US</span>' in page(root, LIST)

    @pytest.mark.parametrize("name", ["+14155550123", "14155550123", "tel 415-555-0123"])
    def test_masks_the_name_of_a_user_that_is_a_number(self, root, name):
        row = attempt(user=User.objects.create_user(name.replace(" ", "_")))
        for url in (LIST, detail(row)):
            shown = words(page(root, url))
            assert "••• 123" in shown
            assert [] == [text for text in ("4155550123", "415-555") if text in shown]

    def test_says_how_long_attempts_are_kept(self, root, settings):
        told = "Attempts older than {} are removed by manage.py passwordless_prune."
        assert told.format("180 days") in words(page(root, LIST))
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "RETENTION_DAYS": 1}
        assert told.format("1 day") in words(page(root, LIST))

    def test_leads_to_the_dashboard_and_the_export(self, root):
        html = page(root, LIST, status__exact="failed")
        assert f'href="{reverse("admin:passwordless_dashboard")}"' in html
        assert f'href="{LIST}export/?status__exact=failed"' in html

    def test_sorts_by_time_alone(self, root):
        """Any other order would read the table."""
        made = [attempt(ago=timedelta(hours=hours), guesses=hours) for hours in (2, 1, 3)]
        assert [made[2], made[0], made[1]] == rows(root, o="1")
        assert [made[1], made[0], made[2]] == rows(root, o="8")

    @pytest.mark.parametrize(
        ("status", "reason", "state", "why"),
        [
            (Status.FAILED, Reason.TOO_MANY_GUESSES, "✘ Failed", "Too many wrong codes"),
            (Status.REFUSED, Reason.LIMIT_IP, "✘ Refused", "Limit: sends from this address"),
            (Status.CANCELLED, Reason.CANCELLED, "– Cancelled", "Cancelled by the visitor"),
            (Status.EXPIRED, Reason.EXPIRED, "◷ Expired", "Out of time"),
            (Status.VERIFIED, Reason.INACTIVE_USER, "✔ Verified", "The user is not active"),
            (Status.PENDING, Reason.OK, "… Waiting for the code", "-"),
            (Status.REFUSED, Reason.NO_CREDIT, "✘ Refused", "Our Vonage credit is spent"),
        ],
    )
    def test_says_status_and_reason_in_words(self, root, status, reason, state, why):
        attempt(status=status, reason=reason)
        shown = columns(page(root, LIST))
        assert (state, why) == (shown["state"], shown["why"])

    def test_shows_what_is_overdue_as_expired_before_any_row_moves(self, root):
        attempt(status=Status.PENDING, reason=Reason.OK, ago=timedelta(minutes=6))
        shown = columns(page(root, LIST))
        assert ("◷ Expired", "Out of time") == (shown["state"], shown["why"])

    def test_begins_with_the_newest(self, root):
        made = [attempt(ago=timedelta(hours=hours)) for hours in (3, 1, 2)]
        assert [made[1], made[2], made[0]] == rows(root)

    def test_tells_the_channels_that_were_used(self, root, emulator, now):
        flow.start(NUMBER, Visitor())
        now.shift(200)
        assert "Text message, Phone call" == columns(page(root, LIST))["tried"]

    def test_holds_neither_number_nor_code(self, root, emulator, now):
        _, codes = login(NUMBER, emulator, now)
        html = page(root, LIST)
        assert [] == [text for text in ("4155550123", "415-555", "5550123", *codes) if text in html]

    def test_escapes_what_visitors_send(self, root):
        row = attempt(agent=SCRIPT, vendor=SCRIPT[:20])
        AttemptEvent.objects.create(attempt=row, kind=EventKind.REFUSED, at=NOW, vendor=SCRIPT[:20])
        assert SCRIPT[:8] + "alert" not in page(root, LIST) + page(root, detail(row))

    def test_costs_the_same_for_one_row_and_for_fifty(self, root, django_assert_max_num_queries):
        first = attempt(user=User.objects.create_user("0"))
        with django_assert_max_num_queries(7) as few:
            assert [first] == rows(root)
        for number in range(1, 50):
            attempt(f"+141555501{number:02}", user=User.objects.create_user(str(number)))
        with django_assert_max_num_queries(len(few)):
            assert 50 == len(rows(root))

    def test_asks_little_whatever_is_asked_of_it(self, client, django_assert_max_num_queries):
        staff(client, "view_verificationattempt", "unlock_number", "export_attempts")
        row = attempt(ip="198.51.100.7", user=User.objects.create_user("ann"))
        query = {
            "near": f"ip.{row.pk}", "period": "30d", "country": "US", "status__exact": "refused",
            "reason__exact": "limit_ip", "channel": "sms", "purpose__exact": "login", "q": tags(NUMBER)[0],
        }  # fmt: skip
        with django_assert_max_num_queries(12):
            assert row.reference in client.get(LIST, query).content.decode()

    def test_pages_by_fifty(self, root):
        VerificationAttempt.objects.bulk_create([make(number) for number in range(51)])
        assert [50, 1] == [len(rows(root)), len(rows(root, p=2))]
        assert "51 verification attempts" in words(page(root, LIST))

    def test_counts_no_further_than_anybody_turns_pages(self, root, django_assert_num_queries):
        VerificationAttempt.objects.bulk_create([make(number) for number in range(10_001)])
        with django_assert_num_queries(6) as asked:
            html = page(root, LIST)
        assert "10,000+ verification attempts" in words(html)
        counts = [one["sql"] for one in asked if "COUNT(" in one["sql"]]
        assert ["LIMIT 10001"] == [re.search(r"LIMIT \d+", sql)[0] for sql in counts]
        assert ([50, 302], "200") == (
            [len(rows(root, p=200)), root.get(LIST, {"p": 201}).status_code],
            max(re.findall(r">(\d+)</a>", html), key=int),
        )

    def test_of_ten_thousand_says_so_without_a_plus(self, root):
        VerificationAttempt.objects.bulk_create([make(number) for number in range(10_000)])
        assert "10,000 verification attempts" in words(page(root, LIST))


def filters(client, **query):
    """Return what the filters of a list offer and show, by title."""
    nav = page(client, LIST, **query).split('class="pl-filters"')[1].split("</nav>")[0]
    found = {}
    for part in nav.split("<details>")[1:]:
        title, shown = words(part.split("</summary>")[0]).strip().split(": ")
        links = re.findall(r"<a href=[^>]*>([^<]*)</a>", part.split("</details>")[0])
        current = re.findall(r'aria-current="true">([^<]*)<', part)
        found[title] = {"shown": shown, "offered": links, "current": current}
    return found


def roll(country, days):
    Rollup.objects.create(
        span=Span.DAY, start=NOW - timedelta(days=days), country=country, channels="sms",
        status=Status.VERIFIED, asked=1, sent=1, messages=1, delivered=1, tried=1, cost=0,
    )  # fmt: skip


def make(number):
    end = NOW + timedelta(seconds=300)
    return VerificationAttempt(
        number=f"+1415555{number:04}", channels="sms", created_at=NOW, expires_at=end, open_until=end
    )


ORACLES = [
    ("number__startswith", "+1415555", "+1415556"),
    ("number__endswith", "50123", "60123"),
    ("number__contains", "5550123", "5560123"),
    ("number__in", "+14155550123", "+14155550124"),
    ("number__gte", "+14155550123", "+14155550124"),
    ("number__regex", "55[5]0123", "55[6]0123"),
    ("reason__regex", "^(([a-z_]+)+)$", "^none$"),
    ("country__gte", "A", "Z"),
]


INLINE = re.compile(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)


class TestPolicy:
    """A site that forbids everything inline, by a Content-Security-Policy, can use the desk."""

    @pytest.fixture
    def pages(self, root, emulator, now):
        row, _ = login(NUMBER, emulator, now)
        refused = attempt(ip="198.51.100.7")
        event()
        number = reverse("admin:passwordless_verificationattempt_number", args=[row.pk])
        return {
            "list": root.get(LIST),
            "narrowed": root.get(LIST, {"status__exact": "refused", "near": f"ip.{row.pk}"}),
            "found": root.post(LIST, {"q": NUMBER}, follow=True),
            "detail": root.get(detail(row)),
            "refused": root.get(detail(refused)),
            "number": root.post(number),
            "export": root.get(f"{LIST}export/"),
            "unlock": unlock(root, row, confirmed=False),
            "events": root.get(EVENTS),
            "numbers": root.get(NUMBERS),
        }

    def test_finds_nothing_inline(self, pages):
        told = {name: INLINE.findall(answer.content.decode()) for name, answer in pages.items()}
        assert {name: [] for name in pages} == told
        assert {200} == {answer.status_code for answer in pages.values()}

    def test_finds_one_sheet_of_ours(self, pages):
        sheets = [
            name for name, answer in pages.items() if "passwordless/admin.css" in answer.content.decode()
        ]
        assert ["list", "narrowed", "found", "detail", "refused", "events", "numbers"] == sheets


class TestFilters:
    @pytest.mark.parametrize(
        ("period", "expected"),
        [("1h", 1), ("24h", 2), ("7d", 3), ("30d", 4), ("90d", 5), ("all", 6), ("", 3), ("x", 3)],
    )
    def test_by_period(self, root, period, expected):
        for ago in (timedelta(minutes=59), *(timedelta(days=days) for days in (0.9, 6, 29, 89, 91))):
            attempt(ago=ago)
        assert expected == len(rows(root, **({"period": period} if period else {})))

    def test_say_the_period_that_is_shown_unasked(self, root):
        offered = filters(root)["Period"]
        assert ("Last 7 days", ["Last 7 days"]) == (offered["shown"], offered["current"])
        assert "All" == filters(root, period="all")["Period"]["shown"]
        assert "All" == filters(root)["Status"]["shown"]

    def test_by_country(self, root):
        wanted = attempt("+4915110408901", country="DE")
        attempt()
        assert [wanted] == rows(root, country="DE")

    @pytest.mark.parametrize("value", ["", "XX", "us", "+14155550123", "'"])
    def test_by_no_country_show_all(self, root, value):
        row = attempt()
        assert [row] == rows(root, country=value)

    def test_offer_the_countries_that_there_are(self, root):
        attempt()
        attempt("+4915110408901", country="DE")
        attempt("", country="")
        roll("FR", days=89)
        roll("IT", days=91)
        assert ["All", "France", "Germany", "United States"] == filters(root)["Country"]["offered"]

    def test_offer_the_countries_that_are_served(self, root, settings):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "COUNTRIES": ["CH", "AT"]}
        attempt()
        assert ["All", "Austria", "Switzerland"] == filters(root)["Country"]["offered"]

    def test_offer_a_country_that_the_address_asks_for(self, root, settings):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "COUNTRIES": ["CH"]}
        row = attempt()
        assert [row] == rows(root, country="US")
        assert "United States" == filters(root, country="US")["Country"]["shown"]

    def test_read_few_rows_to_know_the_countries(self, root, django_assert_num_queries):
        with django_assert_num_queries(6) as asked:
            page(root, LIST)
        table = f'"{VerificationAttempt._meta.db_table}"'
        named = [one["sql"] for one in asked if table in one["sql"] and "COUNT(" not in one["sql"]]
        assert [] == [sql for sql in named if "LIMIT" not in sql and "created_at" not in sql]
        assert [] == [sql for sql in named if "DISTINCT" in sql]

    def test_by_first_channel(self, root):
        wanted = attempt(channels="voice,sms")
        attempt(channels="sms,voice")
        assert [wanted] == rows(root, channel="voice")

    def test_by_purpose(self, root):
        wanted = attempt(purpose="link")
        attempt()
        assert [wanted] == rows(root, purpose__exact="link")

    def test_by_status(self, root):
        wanted = attempt(status=Status.FAILED)
        attempt(status=Status.REFUSED)
        assert [wanted] == rows(root, status__exact="failed")

    def test_by_reason(self, root):
        wanted = attempt(reason=Reason.NO_CREDIT)
        attempt(reason=Reason.LIMIT_IP)
        assert [wanted] == rows(root, reason__exact="no_credit")

    def test_together(self, root):
        wanted = attempt(reason=Reason.NO_CREDIT)
        attempt(reason=Reason.NO_CREDIT, ago=timedelta(days=2))
        attempt(reason=Reason.LIMIT_IP)
        assert [wanted] == rows(root, reason__exact="no_credit", status__exact="refused", period="24h")

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="the planner of SQLite needs no full tables")
    @pytest.mark.parametrize(
        ("index", "query"),
        [
            ("country", {"country": "NZ"}),
            ("purpose", {"purpose__exact": "link"}),
            ("trouble", {"reason__exact": "locked"}),
            ("trouble", {"reason__exact": "limit_ip", "country": "US"}),
            ("open", {"status__exact": "pending"}),
            ("open", {"status__exact": "starting", "purpose__exact": "login"}),
            ("open", {"status__exact": "checking"}),
        ],
    )
    def test_by_what_is_rare_read_an_index_and_not_each_row(self, root, index, query):
        attempt()
        plans = []

        def explain(execute, sql, params, many, context):
            # With its parameters, as it is asked: a partial index is chosen by what they say.
            if '"id" DESC' in sql:
                told = connection.connection.execute(f"EXPLAIN QUERY PLAN {sql.replace('%s', '?')}", params)
                plans.append(" / ".join(line[3] for line in told))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(explain):
            rows(root, period="all", **query)
        assert 2 == len(plans)
        assert [] == [plan for plan in plans if f"INDEX passwordless_attempt_{index}" not in plan]
        assert [] == [plan for plan in plans if "INDEX passwordless_attempt_created" in plan]

    def test_by_status_agree_with_what_the_rows_say(self, root):
        """Overdue counts as expired, moved or not (lazy expiry)."""
        overdue = attempt(status=Status.PENDING, reason=Reason.OK, ago=timedelta(minutes=6))
        live = attempt(status=Status.PENDING, reason=Reason.OK)
        assert [live] == rows(root, status__exact="pending")
        assert [overdue] == rows(root, status__exact="expired")

    def test_by_reason_agree_with_what_the_rows_say(self, root):
        overdue = attempt(status=Status.PENDING, reason=Reason.UNAVAILABLE, ago=timedelta(minutes=6))
        live = attempt(status=Status.PENDING, reason="")
        fine = attempt(status=Status.VERIFIED, reason=Reason.OK)
        told = [rows(root, reason__exact=reason) for reason in ("expired", "unavailable", "ok")]
        assert [[overdue], [], [fine, live]] == told

    @pytest.mark.parametrize("name", ["status__exact", "reason__exact", "purpose__exact", "channel", "near"])
    def test_take_no_value_that_they_do_not_offer(self, root, name):
        row = attempt()
        assert [[] if name == "near" else [row]] == [rows(root, **{name: "+14155550123"})]

    def test_count_nothing_for_their_links(self, root):
        assert "Show counts" not in page(root, LIST)
        attempt()
        assert "(1)" not in words(page(root, LIST, _facets="True"))

    def test_are_offered_in_words(self, root):
        text = words(page(root, LIST))
        for offer in (
            "Last hour",
            "Last 24 hours",
            "Last 90 days",
            "Too many wrong codes",
            "Waiting for the code",
        ):
            assert offer in text

    @pytest.mark.parametrize(("lookup", "right", "wrong"), ORACLES)
    def test_do_not_give_a_masked_number_away_digit_by_digit(self, client, lookup, right, wrong):
        """Whoever sees the mask only could else ask for one more digit at a time in the address."""
        staff(client, "view_verificationattempt")
        attempt()
        told = {"••• 123" in client.get(LIST, {lookup: guess}).content.decode() for guess in (right, wrong)}
        assert 1 == len(told)


class TestSearch:
    SPELLINGS = (
        "+14155550123",
        "+1 415 555 0123",
        "(415) 555-0123",
        "415.555.0123",
        " 4155550123 ",
        "0014155550123",
    )

    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_by_number_in_any_spelling(self, root, spelling):
        wanted = attempt()
        attempt("+14155550124")
        assert [wanted] == rows(root, q=spelling)

    def test_by_request_id(self, root):
        wanted = attempt(request_id="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")
        attempt(request_id="aaaaaaaa-bbbb-4ccc-8ddd-ffffffffffff")
        assert [wanted] == rows(root, q=" aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee ")

    def test_by_the_request_id_of_v1(self, root):
        wanted = attempt(request_id="0123456789abcdef0123456789abcdef")
        assert [wanted] == rows(root, q="0123456789abcdef0123456789abcdef")

    @pytest.mark.parametrize("spelling", ["{}", " {} ", "{}\n"])
    def test_by_reference(self, root, spelling):
        wanted = attempt()
        attempt()
        assert [wanted] == rows(root, q=spelling.format(wanted.reference))
        assert [wanted] == rows(root, q=spelling.format(wanted.reference.upper()))

    def test_by_more_or_less_than_a_reference_finds_nothing(self, root):
        row = attempt()
        for term in (row.key[:7], row.key[:9], row.key, row.key[1:9]):
            assert [] == rows(root, q=term)

    def test_by_reference_reads_an_index(self, root):
        row = attempt()
        with CaptureQueriesContext(connection) as asked:
            rows(root, q=row.reference)
        [listed] = [
            one["sql"] for one in asked if one["sql"].endswith("LIMIT 51") or "ORDER BY" in one["sql"]
        ][-1:]
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {listed}")
                assert any("key>? AND key<?" in line[3] for line in cursor.fetchall())

    @pytest.mark.parametrize("ago", [8, 179])
    def test_finds_what_is_older_than_the_period_shown(self, root, ago):
        wanted = attempt(ago=timedelta(days=ago), request_id="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")
        assert [] == rows(root)
        for term in (NUMBER, wanted.request_id, wanted.reference):
            assert [wanted] == rows(root, q=term)
        assert [] == rows(root, q=NUMBER, period="7d")

    @pytest.mark.parametrize(
        "term",
        [
            "+1415555012",
            "415 555 01234567",
            "1-415-555-01234",
            "1-4-1-5-5-5-5-0-1-2-3-4",
            "0123",
            "•••",
            "a b",
        ],
    )
    def test_puts_nothing_mistyped_into_an_address(self, root, term):
        assert "?q=none" == root.post(LIST, {"q": term})["Location"]
        assert [] == rows(root, q=term)

    @pytest.mark.parametrize("part", ["415555012", "0123", "5550123", "aaaaaaaa", "%", "_", "'", "US", "•••"])
    def test_by_parts_finds_nothing(self, root, part):
        attempt(request_id="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")
        assert [] == rows(root, q=part)

    @pytest.mark.parametrize("nothing", ["", "   "])
    def test_for_nothing_shows_all(self, root, nothing):
        wanted = attempt()
        assert [wanted] == rows(root, q=nothing)

    def test_finds_numbers_that_are_no_longer_served(self, root, settings):
        wanted = attempt("+4915110408901", country="DE")
        settings.PASSWORDLESS = {"EMULATOR": True, "COUNTRIES": ["US"]}
        assert [wanted] == rows(root, q="+49 1511 0408901")

    def test_leaves_no_number_in_any_address(self, root):
        attempt()
        for answer in (root.post(LIST, {"q": NUMBER}), root.get(LIST, {"q": NUMBER})):
            assert 302 == answer.status_code
            assert "4155550123" not in answer["Location"]
        assert 'method="post"' in page(root, LIST)

    def test_finds_what_was_tagged_with_a_former_key(self, root, settings):
        wanted = attempt()
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another key, which is the newest one now"
        root.force_login(User.objects.get(username="root"), "django.contrib.auth.backends.ModelBackend")
        assert [wanted] == rows(root, q=NUMBER)

    def test_goes_with_filters(self, root):
        wanted = attempt()
        attempt(ago=timedelta(days=2))
        assert [wanted] == rows(root, q=NUMBER, period="24h")

    def test_says_what_can_be_searched(self, root):
        told = "Full phone number with country code, request id, or the reference of an error page."
        assert told in page(root, LIST)

    def test_says_how_many_were_found(self, root):
        for _ in range(2):
            attempt()
        assert "2 found" in words(root.post(LIST, {"q": NUMBER}, follow=True).content.decode())


DAY = '<span class="pl-day">([^<]*)</span>'


def story(client, row):
    """Return the lines of a timeline, without the days above some of them."""
    html = re.sub(DAY, "", page(client, detail(row)))
    [listed] = re.findall(r'<ol class="pl-timeline">(.*?)</ol>', html, re.DOTALL)
    return [words(line).strip() for line in re.findall(r"<li[^>]*>(.*?)</li>", listed, re.DOTALL)]


def days(client, row):
    """Return the day that each line of a timeline tells, or an empty string."""
    lines = re.findall(r'<li class="pl-is-.*?</li>', page(client, detail(row)), re.DOTALL)
    return [(re.findall(DAY, line) or [""])[0] for line in lines]


class TestDetail:
    def test_tells_the_story_in_order(self, root, emulator, now):
        row, _ = login(NUMBER, emulator, now)
        told = story(root, row)
        assert [
            "12:00:00 (+0.0 s) • Asked for a code – 198.51.100.7",
            f"12:00:00 (+0.0 s) → Vonage accepted the request – Text message, {row.took} ms",
        ] == told[:2]
        assert [re.sub(r", \d+ ms", "", line) for line in told[2:]] == [
            "12:00:01 (+1.0 s) ✘ Wrong code – v2 400, 198.51.100.7",
            "12:00:08 (+7.0 s) ✔ Verified – v2 200, 198.51.100.7",
        ]

    def test_tells_numbers_as_each_language_writes_them(self, root):
        row = attempt(ended_at=NOW + timedelta(seconds=7.04), took=1234, sent_at=NOW, sends=1, step_at=NOW)
        with translation.override("de"):
            told = story(root, row)
        assert [
            "12:00:00 (+0,0 s) • Code angefordert",
            "12:00:00 (+0,0 s) → Vonage hat die Anfrage angenommen – SMS, 1.234 ms",
            "12:00:07 (+7,0 s) ✘ Abgelehnt – Limit: Sendungen von dieser IP-Adresse",
        ] == told

    def test_tells_of_a_second_channel(self, root, emulator, now):
        handle = flow.start(NUMBER, Visitor()).handle
        now.shift(61)
        flow.advance(handle, Visitor(ip="198.51.100.9"))
        told = story(root, VerificationAttempt.objects.get())
        assert re.match(r"12:01:01 \(\+61\.0 s\) → Next channel – Phone call,.* 198\.51\.100\.9", told[-1])

    def test_tells_when_vonage_went_on_by_itself(self, root, emulator, now):
        flow.start(NUMBER, Visitor())
        row = VerificationAttempt.objects.get()
        before = story(root, row)
        length = (row.open_until - row.step_at) / 2
        now.shift(length.total_seconds())
        assert 2 == len(before)
        [told] = story(root, row)[2:]
        clock = (NOW + length).strftime("%H:%M:%S")
        assert re.match(rf"{clock} \(\+.*\) → Next channel – Phone call, by itself", told)

    @pytest.mark.parametrize(
        ("values", "told"),
        [
            ({"ended_at": NOW}, "✘ Refused – Limit: sends from this address"),
            (
                {"status": Status.EXPIRED, "reason": Reason.EXPIRED, "ended_at": NOW},
                "◷ Expired – Out of time",
            ),
            (
                {"status": Status.FAILED, "reason": Reason.BLOCKED, "ended_at": NOW},
                "✘ Failed – Blocked by Vonage's fraud rules",
            ),
        ],
    )
    def test_tells_an_end_that_no_event_tells(self, root, values, told):
        assert f"12:00:00 (+0.0 s) {told}" == story(root, attempt(**values))[-1]

    def test_tells_the_end_of_what_is_overdue(self, root, now):
        row = attempt(status=Status.PENDING, reason="")
        assert 1 == len(story(root, row))
        now.shift(301)
        assert ["12:05:00 (+5 minutes) ◷ Expired – Out of time"] == story(root, row)[1:]

    def test_tells_an_end_once(self, root):
        row = attempt(ended_at=NOW)
        AttemptEvent.objects.create(attempt=row, kind=EventKind.REFUSED, at=NOW, reason=Reason.LIMIT_IP)
        assert ["Asked", "Refused"] == [re.search(r"s\) . (\w+)", line)[1] for line in story(root, row)]

    @pytest.mark.parametrize(
        ("word", "told"),
        [
            ("delivered", "delivered"),
            ("completed", "completed: the right code was typed"),
            ("expired", "expired: no right code in time"),
            ("new_word", "new_word"),
        ],
    )
    def test_tells_what_vonage_reported(self, root, word, told):
        row = attempt(status=Status.PENDING, reason="")
        AttemptEvent.objects.create(attempt=row, kind=EventKind.REPORTED, at=NOW, channel="sms", vendor=word)
        assert f"↩ Vonage reported – Text message, {told}" in story(root, row)[-1]

    def test_tells_who_of_the_staff_looked(self, root):
        row = attempt(ended_at=NOW)
        for name in ("ann", "bob"):
            AttemptEvent.objects.create(
                attempt=row, kind=EventKind.LOOKED, at=NOW + timedelta(days=3),
                staff=User.objects.create_user(name),
            )  # fmt: skip
        told = story(root, row)[-2:]
        assert "12:00:00 (+3 days) ◉ Staff saw the full number – ann" == told[0]
        assert told[1].endswith("◉ Staff saw the full number – bob")

    def test_tells_the_day_at_first_and_where_it_changes(self, root):
        row = attempt(ago=timedelta(minutes=1), ended_at=NOW)
        for hours in (1, 11, 12, 13, 72):
            at = NOW + timedelta(hours=hours)
            AttemptEvent.objects.create(attempt=row, kind=EventKind.LOOKED, at=at)
        first, second, last = "Nov. 23, 2026", "Nov. 24, 2026", "Nov. 26, 2026"
        assert [first, "", "", "", second, "", last] == days(root, row)

    def test_tells_the_day_of_the_site_as_its_language_writes_it(self, root):
        row = attempt(ago=timedelta(minutes=61), ended_at=NOW)
        assert ["Nov. 23, 2026", ""] == days(root, row)
        # There it was midnight an hour ago.
        with timezone.override("Pacific/Auckland"), translation.override("de"):
            assert ["23. November 2026", "24. November 2026"] == days(root, row)

    def test_asks_little(self, client, django_assert_max_num_queries):
        staff(client, "view_verificationattempt", "view_full_number", "view_user")
        row = attempt(ip="198.51.100.7", user=User.objects.create_user("ann"))
        for name in "abcdef":
            AttemptEvent.objects.create(
                attempt=row, kind=EventKind.LOOKED, at=NOW, staff=User.objects.create_user(name)
            )
        with django_assert_max_num_queries(12):
            page(client, detail(row))

    def test_shows_both_languages(self, root):
        text = words(page(root, detail(attempt(language="de", locale="xx-yy"))))
        assert re.search(r"Language of the page: German \(de\)", text)
        assert re.search(r"Language of the message: xx-yy", text)

    def test_tells_of_refusals_that_repeated(self, root):
        assert re.search(r"Times asked: ?7", words(page(root, detail(attempt(repeats=7)))))

    def test_shows_provider_code_agent_and_plan(self, root):
        text = words(page(root, detail(attempt(vendor="v2 402", agent="Browser 1.0"))))
        assert [] == [
            fact
            for fact in ("v2 402", "Browser 1.0", "Text message, Phone call", "Log in")
            if fact not in text
        ]

    def test_holds_neither_number_nor_code(self, root, emulator, now):
        row, codes = login(NUMBER, emulator, now)
        html = page(root, detail(row))
        assert [] == [text for text in ("4155550123", "415-555", "5550123", *codes) if text in html]
        assert "••• 123" in html

    def test_offers_no_form_and_no_button(self, root):
        html = page(root, detail(attempt()))
        assert [] == re.findall(r'name="_(?:save|addanother|continue)"|deletelink', html)
        assert [] == re.findall(r'<input (?!type="hidden")[^>]*name="(?!q")', html.split('id="content"')[1])

    def test_of_a_row_that_is_not_there_goes_home(self, root):
        assert 302 == root.get(reverse("admin:passwordless_verificationattempt_change", args=[0])).status_code

    def test_history_is_empty_and_open(self, root):
        url = reverse("admin:passwordless_verificationattempt_history", args=[attempt().pk])
        assert NUMBER not in page(root, url)


class TestRelated:
    IP = "198.51.100.7"

    @pytest.fixture
    def row(self):
        return attempt(ip=self.IP, ago=timedelta(days=3))

    def links(self, client, row):
        html = page(client, detail(row))
        found = re.findall(r'href="[^"]*\?(near=[^"]*)">([^<]*)<', html)
        return {words(label).strip(): dict([query.split("=")]) for query, label in found}

    def test_are_counted_and_linked(self, root, row):
        near = attempt(ago=timedelta(days=2, hours=1))
        far = attempt(ago=timedelta(hours=1))
        neighbour = attempt("+14155550124", ip=self.IP, ago=timedelta(days=3, hours=23))
        attempt("+14155550124", ip=self.IP)
        attempt("+14155550125", ip="198.51.100.8", ago=timedelta(days=3))
        shown = {label: rows(root, **query) for label, query in self.links(root, row).items()}
        assert {
            "Same number within 24 hours: 1": [near],
            "Same number, whenever: 2": [far, near],
            "Same IP address within 24 hours: 1": [neighbour],
        } == shown

    def test_where_there_is_no_other_no_link_leads_to_it(self, root, row):
        shown = words(page(root, detail(row)))
        assert {} == self.links(root, row)
        assert "Same number, whenever: 0" in shown
        assert "Same IP address within 24 hours: 0" in shown

    def test_are_found_whatever_their_age(self, root, row):
        other = attempt()
        VerificationAttempt.objects.update(created_at=NOW - timedelta(days=100))
        assert [other] == rows(root, near=f"number.{row.pk}")
        assert [] == rows(root, near=f"number.{row.pk}", period="90d")

    def test_are_found_by_the_tag_of_a_forgotten_number(self, root, row):
        other = attempt()
        VerificationAttempt.objects.filter(pk=row.pk).update(number="")
        assert [other] == rows(root, near=f"number.{row.pk}")

    def test_are_found_under_a_former_key(self, root, settings):
        old = attempt(ago=timedelta(minutes=1))
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another key, which is the newest one now"
        root.force_login(User.objects.get(username="root"), "django.contrib.auth.backends.ModelBackend")
        new = attempt()
        assert [old] == rows(root, near=f"number.{new.pk}")

    def test_say_what_relates_them(self, root, row):
        shown = filters(root, near=f"ip.{row.pk}")["Related"]["shown"]
        assert f"Same IP address within 24 hours ({row.reference})" == shown
        assert "Related" not in filters(root)

    def test_of_nothing_known_there_are_none(self, root):
        VerificationAttempt.objects.filter(pk=(row := attempt()).pk).update(number="", number_tag="")
        assert {} == self.links(root, row)
        assert "Number and IP address are forgotten." in words(page(root, detail(row)))
        assert [[], [], []] == [rows(root, near=f"{kind}.{row.pk}") for kind in ("number", "ip", "user")]

    @pytest.mark.parametrize(
        "value", ["", "ip", "ip.", "ip.0", "ip.x", "agent.{}", "ip.{}x", "ip.99999999999999999999", "ip.٣"]
    )
    def test_of_no_attempt_are_none(self, root, row, value):
        assert [] == rows(root, near=value.format(row.pk))

    def test_of_the_user_are_counted_and_linked(self, root, row):
        ann = User.objects.create_user("ann")
        VerificationAttempt.objects.filter(pk=row.pk).update(user=ann, number="", number_tag="", ip=None)
        others = [attempt(user=ann), attempt("+14155550124", user=ann, ago=timedelta(days=170))]
        attempt(user=User.objects.create_user("bob"))
        [(label, query)] = self.links(root, row).items()
        assert ("Same user, whenever: 2", others) == (label, rows(root, **query))
        assert f'href="{reverse("admin:auth_user_change", args=[ann.pk])}"' in page(root, detail(row))

    @pytest.mark.parametrize(
        ("right", "linked"), [("view_user", True), ("change_user", True), ("view_group", False)]
    )
    def test_of_the_user_are_linked_for_who_may_see_users(self, client, row, right, linked):
        ann = User.objects.create_user("ann")
        VerificationAttempt.objects.filter(pk=row.pk).update(user=ann)
        attempt(user=ann)
        staff(client, "view_verificationattempt", right)
        html = page(client, detail(row))
        assert "ann" in words(html)
        user = reverse("admin:auth_user_change", args=[ann.pk])
        assert [linked] * 2 == [f'href="{url}"' in html for url in (user, f"{LIST}?near=user.{row.pk}")]

    def test_put_neither_number_nor_address_into_a_url(self, root, row):
        urls = re.findall(r'(?:href|action)="([^"]*)"', page(root, detail(row)))
        assert [] == [url for url in urls if "198.51" in url or "555" in url]


FORGED = {
    "status": "verified",
    "reason": "ok",
    "number": "+14155550199",
    "_save": "Save",
    "post": "yes",
    "form-TOTAL_FORMS": "1",
    "form-INITIAL_FORMS": "1",
    "form-0-status": "verified",
}


class TestReadOnly:
    ADD = reverse("admin:passwordless_verificationattempt_add")

    @pytest.fixture
    def row(self):
        return attempt()

    def unchanged(self, row):
        return [vars(row) | {"_state": 0}] == [
            vars(one) | {"_state": 0} for one in VerificationAttempt.objects.all()
        ]

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_nobody_adds(self, root, row, method):
        assert 403 == getattr(root, method)(self.ADD, FORGED).status_code
        assert self.unchanged(row)

    def test_nobody_changes(self, root, row):
        assert 403 == root.post(detail(row), FORGED).status_code
        assert self.unchanged(row)

    def test_nobody_saves_as_new(self, root, row):
        assert 403 == root.post(detail(row), FORGED | {"_saveasnew": "1"}).status_code
        assert self.unchanged(row)

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_nobody_deletes(self, root, row, method):
        url = reverse("admin:passwordless_verificationattempt_delete", args=[row.pk])
        assert 403 == getattr(root, method)(url, FORGED).status_code
        assert self.unchanged(row)

    @pytest.mark.parametrize("extra", [{}, {"select_across": "1"}, {"index": "0"}])
    def test_nobody_runs_an_action(self, root, row, extra):
        chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes", **extra}
        root.post(LIST, chosen)
        assert self.unchanged(row)

    def test_nobody_edits_in_the_list(self, root, row):
        root.post(LIST, FORGED | {"form-0-id": row.pk})
        assert self.unchanged(row)

    def test_unlocking_is_the_only_action_and_only_for_those_who_may(self, client, row):
        staff(client, "view_verificationattempt", "unlock_number")
        assert ["", "unlock"] == actions(client)
        User.objects.get().user_permissions.set(
            Permission.objects.filter(codename="view_verificationattempt")
        )
        assert [] == actions(client)

    def test_a_superuser_has_no_other_action(self, root, row):
        assert ["", "unlock", "export_csv", "export_jsonl"] == actions(root)

    def test_permissions_that_do_not_exist_cannot_be_given(self):
        known = Permission.objects.filter(content_type__app_label="passwordless").values_list(
            "codename", flat=True
        )
        assert {"view_verificationattempt", "unlock_number", "view_full_number", "export_attempts"} == {
            name for name in known if not name.endswith("_phonenumber")
        }

    def test_a_user_who_goes_takes_no_attempt_along(self, root):
        user = User.objects.create_user("leaver")
        row = attempt(user=user)
        answer = root.post(reverse("admin:auth_user_delete", args=[user.pk]), {"post": "yes"})
        row.refresh_from_db()
        assert (302, None) == (answer.status_code, row.user)


def actions(client):
    """Return the values of the actions that a list offers, the empty choice included."""
    html = page(client, LIST)
    select = re.search(r'<select name="action".*?</select>', html, re.DOTALL)
    return re.findall(r'<option value="(\w*)"', select[0]) if select else []


def unlock(client, *chosen, confirmed=True, **extra):
    """Ask to unlock the numbers of these attempts."""
    told = {"action": "unlock", "_selected_action": [row.pk for row in chosen], **extra}
    return client.post(LIST, told | ({"confirmed": "yes"} if confirmed else {}), follow=True)


def lock(number=NUMBER):
    """Spend what a number may fail, send and be called, and close its blocks; return the keys."""
    nobody = Visitor()
    spent = [*limits.buckets("sends_per_number", number), *limits.buckets("fails_per_number", number)]
    spent += [
        *limits.calls(number, Visitor()),
        limits.hard_stop(number),
        *guard.gates(number),
        *limits.sends(number, nobody),
    ]
    shared = {bucket.key for bucket in limits.joins(nobody)}
    ends = (NOW + timedelta(hours=1)).timestamp()
    chosen = {bucket.key: bucket.limit for bucket in spent if bucket.key not in shared}
    Counter.objects.bulk_create(Counter(key=key, used=used + 1, ends_at=ends) for key, used in chosen.items())
    return set(chosen)


def unlocked():
    """Return who unlocked what, as it is written down."""
    found = AttemptEvent.objects.filter(kind=EventKind.UNLOCKED).order_by("pk")
    return [(event.staff.username, event.detail, event.attempt) for event in found]


class TestUnlock:
    OTHER = "+14155560177"

    @pytest.fixture
    def row(self):
        return attempt()

    @pytest.fixture
    def clerk(self, client):
        return staff(client, "view_verificationattempt", "unlock_number")

    def test_lets_the_number_in_again(self, clerk, row):
        lock()
        before = flow.start(NUMBER, Visitor(ip="198.51.100.7"))
        unlock(clerk, row)
        after = flow.start(NUMBER, Visitor(ip="198.51.100.7"))
        assert (Status.REFUSED, Status.PENDING) == (before.status, after.status)

    def test_empties_all_that_is_the_number_s(self, clerk, row):
        lock()
        unlock(clerk, row)
        assert 0 == Counter.objects.count()

    def test_leaves_the_counts_of_others_alone(self, clerk, row):
        lock()
        others = lock(self.OTHER)
        Counter.objects.create(key="site", ends_at=NOW.timestamp())
        unlock(clerk, row)
        assert others | {"site"} == set(Counter.objects.values_list("key", flat=True))

    def test_is_written_down_with_who_did_it_and_no_number(self, clerk, row):
        unlock(clerk, row)
        assert [("clerk", "••• 123", None)] == unlocked()

    def test_is_said_in_words(self, clerk, row):
        assert "1 number is unlocked." in words(unlock(clerk, row).content.decode())

    def test_unlocks_a_number_once_however_many_attempts_were_chosen(self, clerk, row):
        answer = unlock(clerk, row, attempt(), attempt(self.OTHER))
        assert [("clerk", "••• 123", None), ("clerk", "••• 177", None)] == unlocked()
        assert "2 numbers are unlocked." in words(answer.content.decode())

    @pytest.mark.parametrize("query", ["", "period=30d&status__exact=refused"])
    def test_can_be_cancelled_and_leads_back_to_the_same_list(self, clerk, row, query):
        told = {"action": "unlock", "_selected_action": [row.pk]}
        html = clerk.post(f"{LIST}?{query}", told).content.decode()
        [back] = re.findall(r'<a class="[^"]*" href="([^"]*)">Cancel</a>', html)
        assert f"?{query}" == unescape(back)
        assert [row] == list(clerk.get(LIST + unescape(back)).context["cl"].result_list)

    @pytest.mark.parametrize("query", ["period=30d", "period=//evil.example", 'period="><script>alert(1)'])
    def test_cancelling_leads_nowhere_else(self, clerk, row, query):
        told = {"action": "unlock", "_selected_action": [row.pk]}
        answer = clerk.post(f"{LIST}?{query}", told, headers={"referer": "https://evil.example/"})
        html = answer.content.decode()
        [back] = re.findall(r'href="([^"]*)">Cancel</a>', html)
        assert (200, "?period=") == (answer.status_code, back[:8])
        assert [] == [bad for bad in ("https://evil", "<script>alert") if bad in html]

    def test_asks_once_more_before_anything_happens(self, clerk, row):
        keys = lock()
        answer = unlock(clerk, row, confirmed=False)
        assert ("admin/passwordless/unlock.html", 200) == (answer.templates[0].name, answer.status_code)
        assert ([], keys) == (unlocked(), set(Counter.objects.values_list("key", flat=True)))

    def test_the_question_names_what_will_be_unlocked_masked(self, clerk, row):
        html = unlock(clerk, row, attempt(self.OTHER), confirmed=False).content.decode()
        assert ["••• 123", "••• 177"] == re.findall(r"<li>(•.*?)</li>", html)
        assert [] == [digits for digits in ("4155550123", "415-555", "4155560177") if digits in html]

    def test_the_question_can_be_answered_as_it_stands(self, clerk, row):
        lock()
        form = unlock(clerk, row, confirmed=False).content.decode().split('id="content"')[1]
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        clerk.post(LIST, fields)
        assert ([("clerk", "••• 123", None)], 0) == (unlocked(), Counter.objects.count())

    def test_of_a_number_that_is_forgotten_there_is_nothing_to_unlock(self, clerk):
        row = attempt("")
        html = unlock(clerk, row, confirmed=False).content.decode()
        assert "forgotten already" in html
        assert 'value="Unlock"' not in html
        unlock(clerk, row)
        assert [] == unlocked()

    @pytest.mark.parametrize("extra", [{}, {"select_across": "1"}, {"index": "0"}])
    @pytest.mark.parametrize("rights", [(), ("view_verificationattempt",), ("unlock_number",)])
    def test_a_forged_post_without_the_rights_changes_nothing(self, client, row, rights, extra):
        """Whoever may unlock must be able to see what; whoever sees need not be able to unlock."""
        keys = lock()
        unlock(staff(client, *rights), row, **extra)
        assert ([], keys) == (unlocked(), set(Counter.objects.values_list("key", flat=True)))

    def test_a_forged_post_of_a_visitor_changes_nothing(self, client, row):
        keys = lock()
        client.force_login(User.objects.create_user("visitor"), "django.contrib.auth.backends.ModelBackend")
        unlock(client, row)
        assert ([], keys) == (unlocked(), set(Counter.objects.values_list("key", flat=True)))

    def test_a_form_of_another_site_changes_nothing(self, clerk, row):
        keys = lock()
        clerk.handler.enforce_csrf_checks = True
        assert 403 == unlock(clerk, row).status_code
        assert ([], keys) == (unlocked(), set(Counter.objects.values_list("key", flat=True)))

    def test_a_link_changes_nothing(self, clerk, row):
        clerk.get(LIST, {"action": "unlock", "_selected_action": row.pk, "confirmed": "yes"})
        assert [] == unlocked()

    def test_more_than_a_person_reads_is_refused(self, clerk):
        rows = VerificationAttempt.objects.bulk_create([make(number) for number in range(MOST + 1)])
        answer = unlock(clerk, rows[0], select_across="1", index="0")
        assert "Select fewer attempts." in words(answer.content.decode())
        assert [] == unlocked()

    def test_changes_no_attempt(self, clerk, row):
        before = VerificationAttempt.objects.values().get()
        unlock(clerk, row)
        assert before == VerificationAttempt.objects.values().get()


def event(kind=EventKind.LINKED, **values):
    return AttemptEvent.objects.create(**{"kind": kind, "at": NOW, "detail": "••• 123, user 7", **values})


def pumped():
    """Let the guard find the block of the number pumped."""
    gate = guard.gates(NUMBER)[0]
    ends = (NOW + timedelta(hours=1)).timestamp()
    Counter.objects.create(key=gate.key, used=guard.ENOUGH, ends_at=ends)
    guard.close(NUMBER[:-3], NOW)


class TestEvents:
    """What belongs to no attempt has a list of its own, as unchangeable as the others."""

    @pytest.fixture
    def row(self):
        return event(staff=User.objects.create_user("ann"))

    def test_tell_who_linked_which_number_when(self, root, row):
        shown = columns(page(root, EVENTS))
        told = {"kind": "Number linked to a user", "detail": "••• 123, user 7", "by": "ann"}
        assert told == {name: shown[name] for name in told}
        assert "Nov. 23, 2026" in shown["at"]

    def test_hold_only_what_belongs_to_no_attempt(self, root, row):
        other = event(EventKind.GUESSED, attempt=attempt())
        assert [row] == rows(root, EVENTS)
        assert 302 == root.get(self.url("change", other)).status_code

    def test_are_written_by_all_that_happens_without_an_attempt(self, root, settings):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": "record"}
        user = User.objects.create_user("ann")
        link = numbers.link(user, NUMBER)
        numbers.unlink(link)
        flow.unlock(NUMBER)
        flow.erase(NUMBER)
        pumped()
        kinds = [one.kind for one in reversed(rows(root, EVENTS))]
        assert ["linked", "unlinked", "unlocked", "erased", "pumping"] == kinds
        staff = {EventKind.EXPORTED, EventKind.LOOKED}
        assert set(kinds) == set(LOOSE) - staff - {EventKind.CONVERSION}

    def test_hold_no_full_number(self, root, settings):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": "enforce"}
        numbers.link(User.objects.create_user("ann"), NUMBER)
        flow.unlock(NUMBER)
        pumped()
        flow.erase(NUMBER)
        html = page(root, EVENTS) + "".join(page(root, self.url("change", one)) for one in rows(root, EVENTS))
        assert "••• 123" in html
        assert [] == [digits for digits in ("415555", "4155550123", "5550123") if digits in html]

    def test_begin_with_the_newest(self, root, row):
        newer = event(at=NOW + timedelta(seconds=1))
        assert [newer, row] == rows(root, EVENTS)

    @pytest.mark.parametrize("kind", LOOSE)
    def test_by_kind(self, root, kind):
        for one in LOOSE:
            event(one)
        assert [kind] == [one.kind for one in rows(root, EVENTS, kind=kind)]

    def test_by_period(self, root, row):
        old = event(at=NOW - timedelta(days=2))
        assert [[row], [row, old]] == [rows(root, EVENTS, period=period) for period in ("24h", "7d")]

    @pytest.mark.parametrize("lookup", ["detail__startswith", "staff__username__contains", "attempt__number"])
    def test_answer_no_other_question(self, root, row, lookup):
        shown = {page_of.status_code for page_of in (root.get(EVENTS, {lookup: one}) for one in ("•", "x"))}
        assert 1 == len(shown)
        assert {200} != shown

    @pytest.mark.parametrize("verb", ["add", "change", "delete"])
    def test_nobody_changes_them(self, root, row, verb):
        before = AttemptEvent.objects.values().get()
        assert 403 == root.post(self.url(verb, row), FORGED | {"detail": "nothing"}).status_code
        root.post(EVENTS, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
        assert before == AttemptEvent.objects.values().get()

    def test_offer_no_action(self, root, row):
        assert 'name="action"' not in page(root, EVENTS)

    def test_are_seen_by_those_who_may_see_attempts_and_nobody_else(self, client, row):
        staff(client, "view_phonenumber", "unlock_number")
        urls = (EVENTS, self.url("change", row))
        before = [client.get(url).status_code for url in urls]
        permission = Permission.objects.get(codename="view_verificationattempt")
        User.objects.get(username="clerk").user_permissions.add(permission)
        assert ([403, 403], [200, 200]) == (before, [client.get(url).status_code for url in urls])

    def test_cost_the_same_for_one_row_and_for_thirty(self, root, row, django_assert_max_num_queries):
        with django_assert_max_num_queries(7) as few:
            assert 1 == len(rows(root, EVENTS))
        for number in range(29):
            event(staff=User.objects.create_user(str(number)))
        with django_assert_max_num_queries(len(few)):
            assert 30 == len(rows(root, EVENTS))

    def url(self, verb, row):
        return reverse(f"admin:passwordless_attemptevent_{verb}", args=[] if verb == "add" else [row.pk])


class TestWhoMayLook:
    def test_nobody_without_staff_status(self, client):
        client.force_login(User.objects.create_user("visitor"), "django.contrib.auth.backends.ModelBackend")
        assert 302 == client.get(LIST).status_code
        assert 302 == client.get(detail(attempt())).status_code

    def test_not_all_of_the_staff(self, client):
        staff(client)
        assert [403, 403] == [client.get(url).status_code for url in (LIST, detail(attempt()))]

    def test_whoever_may_view_does(self, client):
        staff(client, "view_verificationattempt")
        assert [200, 200] == [client.get(url).status_code for url in (LIST, detail(attempt()))]

    def test_viewing_attempts_does_not_show_numbers(self, client):
        staff(client, "view_verificationattempt")
        assert 403 == client.get(NUMBERS).status_code


class TestNumbers:
    ADD = reverse("admin:passwordless_phonenumber_add")

    @pytest.fixture
    def user(self):
        return User.objects.create_user("ann")

    @pytest.fixture
    def row(self, user):
        return PhoneNumber.objects.create(user=user, number=NUMBER)

    def events(self):
        return [
            (event.kind, event.staff.username, event.detail) for event in AttemptEvent.objects.order_by("pk")
        ]

    def link(self, client, user, number):
        return client.post(self.ADD, {"user": user.pk, "number": number, "_save": "Save"})

    def test_linking_is_written_down(self, root, user):
        assert 302 == self.link(root, user, NUMBER).status_code
        assert (NUMBER, user.pk) == PhoneNumber.objects.values_list("number", "user").get()
        assert [("linked", "root", f"••• 123, user {user.pk}")] == self.events()

    @pytest.mark.parametrize("might", ["is_staff", "is_superuser"])
    def test_staff_link_no_number_to_the_mighty(self, client, user, might):
        """Whoever has the number may log in as that user, where staff may log in by phone."""
        User.objects.filter(pk=user.pk).update(**{might: True})
        staff(client, "add_phonenumber", "view_phonenumber")
        assert 403 == self.link(client, user, NUMBER).status_code
        assert not PhoneNumber.objects.exists()

    @pytest.mark.parametrize("might", ["is_staff", "is_superuser"])
    def test_superusers_do(self, root, user, might):
        User.objects.filter(pk=user.pk).update(**{might: True})
        assert 302 == self.link(root, user, NUMBER).status_code

    @pytest.mark.parametrize("spelling", ["(415) 555-0123", "+1 415 555 0123", "4155550123"])
    def test_linking_takes_any_spelling(self, root, user, spelling):
        """A number that is stored as typed would never be found at login."""
        self.link(root, user, spelling)
        assert [NUMBER] == list(PhoneNumber.objects.values_list("number", flat=True))

    @pytest.mark.parametrize("number", ["call me", "+1415", "+1415555012x", "", "+19005550123"])
    def test_linking_refuses_what_gets_no_code(self, root, user, number):
        answer = self.link(root, user, number)
        assert (200, 0) == (answer.status_code, PhoneNumber.objects.count())
        assert answer.context["adminform"].form.errors["number"]

    @pytest.mark.parametrize(
        ("number", "told"),
        [
            ("+1415", "That number is too short for United States. Enter one like"),
            ("+1 415 555 0123 4567", "That number is too long for United States. Enter one like"),
            ("call me", "Enter a mobile number, like"),
            ("+448081570000", "We can't send a code to that number."),
        ],
    )
    def test_linking_says_in_words_why_it_refuses(self, root, user, number, told):
        shown = words(self.link(root, user, number).content.decode())
        assert told in shown
        assert not re.search(r"too_short|too_long|unreadable|\(type\)", shown)

    @pytest.mark.parametrize("spelling", [NUMBER, "415 555 0123"])
    def test_a_number_that_is_taken_stays_where_it_is(self, root, row, spelling):
        answer = self.link(root, User.objects.create_user("bob"), spelling)
        assert 200 == answer.status_code
        assert [row.user_id] == list(PhoneNumber.objects.values_list("user", flat=True))
        assert [] == self.events()

    def test_whoever_links_in_code_is_written_down_too(self, user):
        numbers.link(user, NUMBER, staff=User.objects.create_user("root"))
        assert [("linked", "root", f"••• 123, user {user.pk}")] == self.events()

    def test_unlinking_is_written_down(self, root, row):
        root.post(reverse("admin:passwordless_phonenumber_delete", args=[row.pk]), {"post": "yes"})
        assert 0 == PhoneNumber.objects.count()
        assert [("unlinked", "root", f"••• 123, user {row.user_id}")] == self.events()

    def test_unlinking_several_is_written_down_for_each(self, root, row, user):
        other = PhoneNumber.objects.create(user=user, number="+14155550124")
        chosen = {"action": "delete_selected", "_selected_action": [row.pk, other.pk], "post": "yes"}
        root.post(NUMBERS, chosen)
        assert 0 == PhoneNumber.objects.count()
        assert {"••• 123", "••• 124"} == {told[:7] for _kind, _staff, told in self.events()}

    def test_a_number_is_never_edited_into_another(self, root, row):
        url = reverse("admin:passwordless_phonenumber_change", args=[row.pk])
        forged = {"user": row.user_id, "number": "+14155550199", "_save": "Save"}
        assert 403 == root.post(url, forged).status_code
        assert [NUMBER] == list(PhoneNumber.objects.values_list("number", flat=True))

    def test_a_forged_list_edits_nothing(self, root, row):
        root.post(NUMBERS, FORGED | {"form-0-id": row.pk, "form-0-number": "+14155550199"})
        assert [NUMBER] == list(PhoneNumber.objects.values_list("number", flat=True))

    @pytest.mark.parametrize("right", ["view_phonenumber", "change_phonenumber"])
    def test_only_those_who_may_link_do(self, client, row, right):
        staff(client, right)
        delete = reverse("admin:passwordless_phonenumber_delete", args=[row.pk])
        assert 403 == self.link(client, row.user, "+14155550124").status_code
        assert 403 == client.post(delete, {"post": "yes"}).status_code
        assert 1 == PhoneNumber.objects.count()

    def test_the_list_masks(self, root, row):
        html = page(root, NUMBERS)
        assert "••• 123" in html
        assert "4155550123" not in html

    @pytest.mark.parametrize("spelling", TestSearch.SPELLINGS)
    def test_are_found_in_any_spelling(self, root, row, spelling):
        answer = root.post(NUMBERS, {"q": spelling})
        assert reverse("admin:passwordless_phonenumber_change", args=[row.pk]) == answer["Location"]

    def test_have_a_page_that_masks_them(self, root, row):
        html = page(root, reverse("admin:passwordless_phonenumber_change", args=[row.pk]))
        assert "••• 123" in html
        assert "4155550123" not in html

    @pytest.mark.parametrize("part", ["0123", "555", "ann", "x"])
    def test_are_not_found_by_parts(self, root, row, part):
        assert [] == rows(root, NUMBERS, q=part)

    def test_lead_to_their_attempts_without_a_digit_in_the_address(self, root, row):
        wanted = [attempt(), attempt(ago=timedelta(days=170))]
        attempt("+14155550124")
        html = page(root, reverse("admin:passwordless_phonenumber_change", args=[row.pk]))
        [(url, told)] = re.findall(rf'<a href="({LIST}\?[^"]*)">([^<]*)</a>', html)
        assert ("2", f"{LIST}?q={tags(NUMBER)[0]}") == (told, url)
        assert wanted == list(root.get(url).context["cl"].result_list)
        assert [] == [one for one in re.findall(r'(?:href|action)="([^"]*)"', html) if "4155550123" in one]

    def test_lead_to_attempts_under_a_former_key_too(self, root, row, settings):
        wanted = attempt()
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another key, which is the newest one now"
        root.force_login(User.objects.get(username="root"), "django.contrib.auth.backends.ModelBackend")
        html = page(root, reverse("admin:passwordless_phonenumber_change", args=[row.pk]))
        [url] = re.findall(rf'<a href="({LIST}\?[^"]*)">1</a>', html)
        assert [wanted] == list(root.get(url).context["cl"].result_list)

    @pytest.mark.parametrize(
        ("rights", "linked"),
        [
            ([], [False, False]),
            (["view_verificationattempt"], [True, False]),
            (["view_user"], [False, True]),
        ],
    )
    def test_lead_nowhere_where_the_viewer_may_not_go(self, client, row, rights, linked):
        staff(client, "view_phonenumber", *rights)
        html = page(client, reverse("admin:passwordless_phonenumber_change", args=[row.pk]))
        user = reverse("admin:auth_user_change", args=[row.user_id])
        assert linked == [f"{LIST}?q=" in html, f'href="{user}"' in html]
        assert "ann" in words(html)

    @pytest.mark.parametrize(("lookup", "right", "wrong"), ORACLES)
    def test_the_mask_is_not_given_away_digit_by_digit(self, client, row, lookup, right, wrong):
        staff(client, "view_phonenumber")
        told = {
            "••• 123" in client.get(NUMBERS, {lookup: guess}).content.decode() for guess in (right, wrong)
        }
        assert 1 == len(told)

    def test_no_full_number_goes_to_the_log_of_the_admin(self, root, user):
        self.link(root, user, NUMBER)
        row = PhoneNumber.objects.get()
        root.post(reverse("admin:passwordless_phonenumber_delete", args=[row.pk]), {"post": "yes"})
        told = " ".join(f"{entry.object_repr} {entry.change_message}" for entry in LogEntry.objects.all())
        assert 2 == LogEntry.objects.count()
        assert "4155550123" not in told

    def test_costs_the_same_for_one_row_and_for_thirty(self, root, row, django_assert_max_num_queries):
        with django_assert_max_num_queries(7) as few:
            assert 1 == len(rows(root, NUMBERS))
        for number in range(50, 80):
            PhoneNumber.objects.create(
                user=User.objects.create_user(str(number)), number=f"+141555501{number:02}"
            )
        with django_assert_max_num_queries(len(few)):
            assert 31 == len(rows(root, NUMBERS))

    def test_linked_in_the_admin_it_logs_in(self, root, user, emulator):
        self.link(root, user, NUMBER)
        handle = flow.start(NUMBER, Visitor()).handle
        outcome = flow.check(Handle(handle.key), emulator.messages(NUMBER)[-1].code, Visitor())
        assert user == outcome.user
