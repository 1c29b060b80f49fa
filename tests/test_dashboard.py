"""The dashboard through the client: each number is that of the figures, each link leads where it says."""

import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from passwordless import figures, guard
from passwordless.admin import blocks
from passwordless.models import AttemptEvent, Counter, Receipt, RollupMark, VerificationAttempt
from passwordless.states import EventKind, Reason, Status

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
HERE = reverse("admin:passwordless_dashboard")
LIST = reverse("admin:passwordless_verificationattempt_changelist")
BLOCK = "+14155550"
PERIODS = ["24h", "7d", "30d", "90d"]
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(autouse=True)
def clock(settings):
    settings.TIME_ZONE = "UTC"
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def root(client):
    """The client of a superuser."""
    client.force_login(User.objects.create_superuser("root"), BACKEND)
    return client


@pytest.fixture
def clerk(client):
    """Log in somebody of the staff with the permissions that are named."""

    def log_in(*codenames):
        user, _made = User.objects.get_or_create(username="clerk", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(user, BACKEND)
        return client

    return log_in


def make(ago=timedelta(hours=2), **values):
    """Return an attempt that was sent and verified after 20 seconds, changed as told."""
    created = NOW - ago
    told = {
        "number": "+14155550123",
        "country": "US",
        "status": Status.VERIFIED,
        "reason": Reason.OK,
        "channels": "sms,voice",
        "proved_by": "sms",
        "api": "v2",
        "sends": 1,
        "guesses": 1,
        "took": 200,
        "price": Decimal("0.05"),
        "currency": "EUR",
        "created_at": created,
        "sent_at": created,
        "expires_at": created + timedelta(seconds=300),
        "open_until": created + timedelta(seconds=300),
        "ended_at": created + timedelta(seconds=20),
        **values,
    }
    return VerificationAttempt(**told)


FATES = [
    *[{}] * 6,
    {"proved_by": "voice", "sends": 2},
    {"status": Status.EXPIRED, "reason": Reason.EXPIRED, "guesses": 0},
    {"status": Status.FAILED, "reason": Reason.TOO_MANY_GUESSES, "guesses": 3},
    {"status": Status.REFUSED, "reason": Reason.LIMIT_IP, "sends": 0, "took": None, "price": None},
    {"status": Status.REFUSED, "reason": Reason.UNAVAILABLE, "sends": 0, "price": None},
    {"status": Status.REFUSED, "reason": Reason.CIRCUIT_OPEN, "sends": 0, "took": None, "price": None},
    {"status": Status.VERIFIED, "reason": Reason.INACTIVE_USER},
]


def populate(count=150, seed=1):
    """Write attempts over three weeks, most of them of the last days, of four countries and two plans."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        values = {**chance.choice(FATES), "country": chance.choice(["US", "US", "US", "DE", "FR", ""])}
        values["channels"] = chance.choice(["sms,voice", "sms,voice", "voice,sms"])
        values["took"] = values.get("took", chance.randrange(90, 900))
        ago = timedelta(minutes=chance.randrange(400, int(40320 * chance.random() ** 2) + 401))
        made = make(ago, **values)
        made.ended_at = made.created_at + timedelta(seconds=chance.randrange(4, 90))
        rows.append(made)
    VerificationAttempt.objects.bulk_create(rows)
    Receipt.objects.create(token_id="one", at=NOW - timedelta(minutes=7))


def pump(country="PK", count=20, verified=0):
    failed = {"status": Status.EXPIRED, "reason": Reason.EXPIRED}
    rows = [make(country=country, **({} if index < verified else failed)) for index in range(count)]
    VerificationAttempt.objects.bulk_create(rows)


def page(client, **query):
    answer = client.get(HERE, query)
    assert 200 == answer.status_code
    return answer.content.decode()


def words(html):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html))).strip()


def part(html, name):
    """Return the panel under a heading, or the figure with a caption."""
    sections = re.split(r"<section |<figure |<footer ", html)
    heading = re.compile(rf"<(h2|figcaption)[^>]*>{re.escape(name)}</")
    [found] = [section for section in sections if heading.search(section)]
    return found


def table(html, name):
    """Return the lines of the tables in a part, without their heads; words of each cell, empty ones left out."""
    lines = re.findall(r"<tr[^>]*>(.*?)</tr>", part(html, name), re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL) for line in lines if "<td" in line]
    return [[told for cell in line if (told := words(cell))] for line in cells]


def cards(html):
    """Return name, value and the other lines of each figure."""
    found = re.findall(r'<div class="pl-card".*?</div>', html, re.DOTALL)
    return {
        words(re.search(r"<dt>(.*?)</dt>", card)[1]): [
            words(one) for one in re.findall(r"<dd.*?>(.*?)</dd>", card, re.DOTALL)
        ]
        for card in found
    }


def percent(share):
    if share is None:
        return "–"
    return f"{share:.0%}" if share in (0, 1) else f"{round(share * 100, 1):.1f}%"


def euro(amount, places=2):
    return f"€{round(amount, places):.{places}f}" if amount else "–"


class TestNumbers:
    """Held against figures.read(), which has tests of its own that count rows by hand."""

    @pytest.fixture(params=PERIODS)
    def told(self, request, root):
        populate()
        pump()
        return page(root, period=request.param), figures.read(request.param, NOW)

    def test_the_five_figures_and_the_period_before(self, told):
        html, report = told
        now, before = report.current, report.previous
        shown = cards(html)
        assert ["Sent", "Verified", "Conversion", "Time to verify", "Cost"] == list(shown)
        values = [str(now.sent), str(now.verified), percent(now.conversion), seconds(now), euro(now.cost)]
        assert values == [lines[0] for lines in shown.values()]
        others = [str(before.sent), str(before.verified), percent(before.conversion), seconds(before)]
        assert [*others, euro(before.cost)] == [
            lines[-1].partition("before: ")[2] for lines in shown.values()
        ]
        assert f"{now.messages} messages and calls" == shown["Sent"][1]
        assert f"{euro(now.cost_per_login, 4)} per login" == shown["Cost"][1]

    def test_the_funnel(self, told):
        html, report = told
        now = report.current
        counts = [now.asked, now.sent, now.delivered, now.tried, now.verified]
        names = ["Asked for a code", "Sent", "Delivered", "Code typed", "Verified"]
        wanted = [[name, str(one), percent(one / now.asked)] for name, one in zip(names, counts, strict=True)]
        assert wanted == table(html, "From asking to verified")

    def test_the_series(self, told):
        html, report = told
        hourly = report.period == "24h"
        starts = [one.start for one in report.series]
        labels = [f"{start:%H:%M}" if hourly else f"{start.day} {start:%b}" for start in starts]
        counts = [[str(one.sent), str(one.verified)] for one in report.series]
        wanted = [[label, *both] for label, both in zip(labels, counts, strict=True)]
        assert wanted == table(html, f"Sent and verified by {'hour' if hourly else 'day'}")
        sums = [sum(getattr(one, name) for one in report.series) for name in ("sent", "verified")]
        assert [report.current.sent, report.current.verified] == sums

    def test_the_countries_those_that_look_like_pumping_first(self, told):
        html, report = told
        names = {"US": "United States", "DE": "Germany", "FR": "France", "PK": "Pakistan", "": "Unknown"}
        lines = sorted(report.countries, key=lambda one: (not one.low, -one.sent, -one.asked, one.country))
        wanted = [
            [
                names[one.country] + (" ⚠ Looks like pumping" if one.low else ""),
                *(str(one.sent), str(one.verified), percent(one.conversion), euro(one.cost)),
            ]
            for one in lines
        ]
        assert wanted == table(html, "By country")
        assert ["Pakistan"] == [names[one.country] for one in lines if one.low]

    def test_the_channels(self, told):
        html, report = told
        wanted = [
            [
                *(str(one.channel.label), str(one.sent), str(one.verified)),
                *(percent(one.verified / one.sent if one.sent else None), str(one.fell_back)),
            ]
            for one in report.plans
        ]
        assert wanted == table(html, "By first channel")
        assert wanted

    def test_the_refusals_and_failures(self, told):
        html, report = told
        lines = report.refusals
        wanted = [[str(one.reason.label), str(one.status.label), str(one.count)] for one in lines]
        assert wanted == table(html, "Refusals and failures")
        assert wanted

    def test_how_vonage_answers(self, told):
        html, report = told
        health = report.health
        facts = re.findall(r"<dd>(.*?)</dd>", part(html, "How Vonage answers"), re.DOTALL)
        asked = health.asked_of_provider
        share = f"{percent(health.errors / asked)} {health.errors} of {asked} requests"
        answers = [f"{health.p95_ms} ms", str(health.circuit_refusals), "7 minutes ago"]
        assert [share, *answers] == [words(fact) for fact in facts]

    def test_thousands_are_grouped(self, root):
        make().save()
        VerificationAttempt.objects.update(status=Status.REFUSED, reason=Reason.WAIT, sends=0, repeats=1234)
        assert ["Asked for a code", "1,234", "100%"] == table(page(root), "From asking to verified")[0]


def seconds(totals):
    return "–" if totals.median_seconds is None else f"{totals.median_seconds:g} s"


class TestChange:
    def change(self, client, name):
        return cards(page(client, period="24h"))[name][-1]

    def test_more_is_told_in_percent_with_a_direction(self, root):
        VerificationAttempt.objects.bulk_create([make(), make(), make(), make(timedelta(hours=30))])
        VerificationAttempt.objects.bulk_create([make(timedelta(hours=30))])
        assert "▲ +50.0% before: 2" == self.change(root, "Sent")
        assert "▲ +50.0% better before: 2" == self.change(root, "Verified")

    def test_a_change_of_the_conversion_is_told_in_points(self, root):
        failed = {"status": Status.EXPIRED, "reason": Reason.EXPIRED}
        make().save()
        make(**failed).save()
        make(timedelta(hours=30)).save()
        assert "▼ −50.0 points worse before: 100%" == self.change(root, "Conversion")

    def test_less_time_is_better(self, root):
        make(ended_at=NOW - timedelta(hours=2) + timedelta(seconds=10)).save()
        make(timedelta(hours=30)).save()
        assert "▼ −10 s better before: 20 s" == self.change(root, "Time to verify")

    def test_from_nothing_there_is_no_percentage(self, root):
        make().save()
        lines = [self.change(root, name) for name in ("Sent", "Conversion", "Time to verify", "Cost")]
        assert ["before: 0", "before: –", "before: –", "before: –"] == lines

    def test_no_change_has_no_direction(self, root):
        make().save()
        make(timedelta(hours=30)).save()
        assert ["±0.0% before: 1", "±0 s before: 20 s"] == [
            self.change(root, name) for name in ("Sent", "Time to verify")
        ]


class TestPrices:
    def test_that_nobody_has_told_yet_are_not_nothing(self, root):
        make(price=None).save()
        html = page(root)
        assert ["–", "before: –"] == cards(html)["Cost"]
        assert "–" == table(html, "By country")[0][-1]
        assert "€0" not in html

    def test_are_told_as_soon_as_there_is_one(self, root):
        VerificationAttempt.objects.bulk_create([make(price=None), make()])
        assert ["€0.05", "€0.0250 per login"] == cards(page(root))["Cost"][:2]

    def test_stop_with_no_word_of_a_change(self, root):
        """A period whose prices have not come yet is not 100 % cheaper."""
        make(price=None).save()
        make(timedelta(hours=30)).save()
        assert ["–", "before: €0.05"] == cards(page(root, period="24h"))["Cost"]

    @pytest.mark.parametrize(("channels", "told"), [(["sms", "voice"], True), (["sms"], False)])
    def test_of_calls_that_vonage_makes_by_itself_are_not_hidden(self, root, settings, channels, told):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "CHANNELS": channels}
        make().save()
        hint = "What Vonage sends or calls by itself when no code comes back is on the invoice too."
        assert told is (hint in words(page(root)))


class TestPumping:
    @pytest.mark.parametrize(("count", "verified", "low"), [(20, 6, True), (20, 7, False), (19, 0, False)])
    def test_is_said_in_words_and_with_a_sign(self, root, count, verified, low):
        pump("DE", count, verified)
        shown = words(part(page(root), "By country"))
        assert low is ("⚠ Looks like pumping" in shown)
        assert low is ("1 country looks like pumping: under 35% of at least 20 sent were verified." in shown)

    def test_of_two_countries_in_the_plural(self, root):
        pump("DE")
        pump("FR")
        assert "2 countries look like pumping" in words(part(page(root), "By country"))

    def test_more_than_ten_countries_fold_away(self, root):
        codes = ["US", "DE", "FR", "GB", "ES", "IT", "PL", "NL", "SE", "JP", "IN", "BR"]
        VerificationAttempt.objects.bulk_create([make(country=code) for code in codes])
        html = part(page(root), "By country")
        assert 12 == len(table(page(root), "By country"))
        assert "2 more countries" in words(html)
        assert 10 == html.partition("<details>")[0].count('<tr><th scope="row">')


def links(html, name):
    """Return the addresses in a part, by their words."""
    found = re.findall(r'<a href="([^"]*)">(.*?)</a>', part(html, name))
    return {words(text): unescape(url) for url, text in found}


class TestLinks:
    """The list has filters of its own; each link must set those that are meant, and all of them."""

    def listed(self, client, url):
        answer = client.get(url)
        assert (200, LIST) == (answer.status_code, urlsplit(url).path), answer.headers
        return list(answer.context["cl"].queryset)

    @pytest.fixture
    def html(self, root):
        populate()
        return page(root, period="30d")

    def test_of_countries(self, root, html):
        for line in figures.read("30d", NOW).countries:
            url = links(html, "By country").get({"US": "United States", "DE": "Germany"}.get(line.country))
            if url:
                assert {line.country} == {row.country for row in self.listed(root, url)}
                assert line.asked == len(self.listed(root, url))

    def test_of_countries_only_those_that_are_known(self, html):
        assert {"United States", "Germany", "France"} == set(links(html, "By country"))

    def test_of_channels(self, root, html):
        found = links(html, "By first channel")
        assert {"Text message", "Phone call"} == set(found)
        assert {"sms,voice"} == {row.channels for row in self.listed(root, found["Text message"])}

    def test_of_reasons(self, root, html):
        addresses = re.findall(r'<a href="([^"]*)">', part(html, "Refusals and failures"))
        lines = figures.read("30d", NOW).refusals
        assert 5 <= len(lines) == len(addresses)
        for line, address in zip(lines, addresses, strict=True):
            rows = self.listed(root, unescape(address))
            assert {(line.status, line.reason)} == {row.state(NOW) for row in rows}
            assert line.count == len(rows)

    def test_carry_the_period(self, root):
        populate()
        for period in PERIODS:
            html = page(root, period=period)
            urls = [*links(html, "By country").values(), *links(html, "Refusals and failures").values()]
            assert {period} == {parse_qs(urlsplit(url).query)["period"][0] for url in urls}

    def test_of_periods_can_be_kept_as_bookmarks(self, root):
        nav = re.search(r"<nav aria-label=\"Period\">.*?</nav>", page(root, period="30d"), re.DOTALL)[0]
        assert [f"?period={period}" for period in PERIODS] == re.findall(r'href="([^"]*)"', nav)
        assert ["?period=30d"] == re.findall(r'href="([^"]*)" aria-current="page"', nav)

    def test_the_list_leads_here(self, root):
        assert f'href="{HERE}"' in root.get(LIST).content.decode()


class TestPeriods:
    @pytest.mark.parametrize(
        "period", ["", "1y", "7D", "7d'--", "<script>", "\x00", "9" * 5000, "24h,7d", "__class__"]
    )
    def test_an_unknown_one_is_the_usual_one(self, root, period):
        html = page(root, period=period)
        assert '?period=7d" aria-current' in html
        assert "<script>alert" not in html

    def test_the_last_of_several_counts_as_everywhere(self, root):
        html = root.get(f"{HERE}?period=24h&period=30d").content.decode()
        assert '?period=30d" aria-current' in html

    def test_other_parameters_are_passed_over(self, root):
        assert '?period=7d" aria-current' in page(root, number__startswith="+1415", q="x")


class TestEmpty:
    def test_says_so_and_what_to_do(self, root):
        html = words(page(root))
        assert "No codes sent yet." in html
        assert "manage.py passwordless_try NUMBER" in html
        assert "By country" not in html

    def test_a_quiet_period_is_not_an_empty_site(self, root):
        make(timedelta(days=200)).save()
        html = words(page(root))
        assert "No codes sent yet." not in html
        assert "Nobody asked for a code in this period." in html
        assert "None in this period." in html

    def test_refusals_alone_are_shown(self, root):
        make(status=Status.REFUSED, reason=Reason.WAIT, sends=0).save()
        html = page(root)
        assert "–" == cards(html)["Conversion"][0]
        assert [["Asked again too soon", "Refused", "1"]] == table(html, "Refusals and failures")


class TestWhoMayLook:
    def test_nobody_without_an_account(self, client):
        answer = client.get(HERE)
        assert (302, True) == (answer.status_code, "/login/" in answer["Location"])

    def test_nobody_outside_the_staff(self, client):
        client.force_login(User.objects.create_user("visitor"), BACKEND)
        assert 302 == client.get(HERE).status_code

    @pytest.mark.parametrize("rights", [(), ("unlock_number", "view_full_number", "view_phonenumber")])
    def test_not_all_of_the_staff(self, clerk, rights):
        assert [403, 403] == [clerk(*rights).get(HERE).status_code, clerk(*rights).post(HERE).status_code]

    def test_whoever_may_see_attempts(self, clerk):
        assert 200 == clerk("view_verificationattempt").get(HERE).status_code


class TestCost:
    @pytest.fixture(autouse=True)
    def _rows(self):
        populate(60)
        pump()

    @pytest.mark.parametrize("rolled", [False, True])
    def test_is_twelve_statements_at_most(self, root, rolled, django_assert_max_num_queries):
        close()
        if rolled:
            RollupMark.objects.create(until=NOW - timedelta(days=1), ran_at=NOW)
        with django_assert_max_num_queries(12):
            page(root, period="90d")

    def test_also_for_staff_whose_permissions_are_asked_for(self, clerk, django_assert_max_num_queries):
        client = clerk("view_verificationattempt", "unlock_number")
        RollupMark.objects.create(until=NOW - timedelta(days=1), ran_at=NOW)
        with django_assert_max_num_queries(12):
            page(client)


class TestPage:
    def test_has_nothing_inline_and_nothing_from_elsewhere(self, root):
        populate()
        close()
        html = page(root)
        assert [] == re.findall(r" style=| on\w+=|<style|javascript:|https?://(?!www\.w3\.org)", html)
        assert [] == [tag for tag in re.findall(r"<script([^>]*)>", html) if "src=" not in tag]

    @pytest.mark.parametrize("language", ["de", "fr", "ar"])
    def test_coordinates_are_the_same_in_any_language(self, root, settings, language):
        populate()
        settings.USE_THOUSAND_SEPARATOR = True
        settings.LANGUAGE_CODE = language
        with translation.override(language):
            html = page(root, period="90d").partition('id="content-main"')[2].partition("<!-- END Content")[0]
        points = re.findall(r' (?:x|y|x1|x2|y1|y2|width|height)="([^"]*)"', html)
        assert 100 < len(points)
        assert [] == [one for one in points if not re.fullmatch(r"-?\d+(\.\d+)?%?", one)]

    def test_numbers_are_those_of_the_language(self, root, settings):
        settings.LANGUAGE_CODE = "de"
        pump("US", 3, 1)
        with translation.override("de"):
            assert "33,3 %" in words(page(root))

    def test_has_one_heading_for_each_part_and_names_for_what_scrolls(self, root):
        populate()
        html = page(root)
        ids = re.findall(r' id="([^"]*)"', html)
        assert sorted(set(ids)) == sorted(ids)
        named = {one for words in re.findall(r'aria-labelledby="([^"]*)"', html) for one in words.split()}
        assert set() == named - set(ids)


class TestFreshness:
    def told(self, client, **ago):
        make().save()
        RollupMark.objects.create(until=datetime(2026, 11, 22, 12, tzinfo=UTC), ran_at=NOW - timedelta(**ago))
        return words(page(client).partition("<footer ")[2])

    def test_says_up_to_when_it_was_counted(self, root):
        told = self.told(root, hours=1)
        assert "Counted up to Nov. 22, 2026, noon, the rest live." in told
        assert "passwordless_rollup" not in told

    def test_a_count_of_two_days_ago_is_new_enough(self, root):
        assert "passwordless_rollup" not in self.told(root, days=2)

    def test_an_older_one_brings_advice(self, root):
        told = self.told(root, days=2, seconds=1)
        assert (
            "⚠ The last count is of Nov. 21, 2026, 12:29 p.m. and too old: run manage.py passwordless_rollup"
            in told
        )

    def test_a_site_that_never_counted_is_told_how(self, root):
        make().save()
        told = words(page(root).partition("<footer ")[2])
        assert "All of it is counted live." in told
        assert "run manage.py passwordless_rollup from cron" in told


def close(block=BLOCK, country="US", ago=timedelta(0)):
    """Let the guard find a block pumped, which closes it where it may, and return the event."""
    make(number=f"{block}123", country=country, sends=0, status=Status.REFUSED, reason=Reason.WAIT).save()
    held = {"used": guard.ENOUGH, "ends_at": (NOW - ago + timedelta(hours=1)).timestamp()}
    Counter.objects.update_or_create(key=guard.gates(f"{block}123")[0].key, defaults=held)
    guard.close(block, NOW - ago)
    return AttemptEvent.objects.filter(kind=EventKind.PUMPING).latest("pk")


class TestClosedBlocks:
    SEES, OPENS, FULL = "view_verificationattempt", "unlock_number", "view_full_number"

    @pytest.fixture(autouse=True)
    def _enforced(self, settings):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": "enforce"}

    def shut(self):
        return [block.event for block in guard.closed(NOW)]

    def press(self, client, event, **data):
        return client.post(HERE, {"block": event.pk, **data})

    def test_are_listed_with_country_and_size_and_without_digits(self, clerk):
        close()
        html = page(clerk(self.SEES))
        wanted = [
            ["A block of 1,000 numbers in United States", "11/23/2026 12:30 p.m.", "11/23/2026 1:30 p.m."]
        ]
        assert wanted == table(html, "Closed blocks of numbers")
        assert [] == [digits for digits in ("1415", "415555", "4155") if digits in html]

    def test_show_their_digits_to_who_may_see_full_numbers(self, clerk):
        close()
        [line] = table(page(clerk(self.SEES, self.FULL)), "Closed blocks of numbers")
        assert f"A block of 1,000 numbers in United States {BLOCK}…" == line[0]

    def test_digits_are_hidden_on_the_question_too(self, clerk):
        event = close()
        some, all_ = (
            self.press(clerk(self.SEES, self.OPENS, *more), event).content.decode()
            for more in ((), (self.FULL,))
        )
        assert (False, True) == ("415555" in some, f"{BLOCK}…" in all_)

    def test_have_no_button_for_who_may_not_unlock(self, clerk):
        close()
        assert 'name="block"' not in page(clerk(self.SEES))
        assert 'name="block"' in page(clerk(self.SEES, self.OPENS))

    def test_are_opened_after_a_question_and_that_is_written_down(self, clerk):
        event, client = close(), clerk(self.SEES, self.OPENS)
        question = self.press(client, event)
        assert (200, [event.pk]) == (question.status_code, self.shut())
        form = question.content.decode().split('id="content"')[1]
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        answer = client.post(f"{HERE}?period=30d", fields, follow=True)
        assert "The block is unlocked." in words(answer.content.decode())
        assert [(f"{HERE}?period=30d", 302)] == answer.redirect_chain
        done = AttemptEvent.objects.get(kind=EventKind.UNLOCKED)
        assert ([], "clerk", "US: 1,000 numbers") == (self.shut(), done.staff.username, done.detail)

    def test_the_other_one_stays_closed(self, clerk):
        event, other = close(), close("+14155560")
        self.press(clerk(self.SEES, self.OPENS), event, confirmed="yes")
        assert [other.pk] == self.shut()

    def test_opened_twice_is_said_once(self, clerk):
        event, client = close(), clerk(self.SEES, self.OPENS)
        answers = [client.post(HERE, {"block": event.pk, "confirmed": "yes"}, follow=True) for _ in range(2)]
        assert "That block is open already." in words(answers[1].content.decode())
        assert 1 == AttemptEvent.objects.filter(kind=EventKind.UNLOCKED).count()

    @pytest.mark.parametrize("rights", [(), (SEES,), (OPENS,), (SEES, FULL)])
    def test_a_forged_post_without_the_rights_opens_nothing(self, clerk, rights):
        event = close()
        assert 403 == self.press(clerk(*rights), event, confirmed="yes").status_code
        assert [event.pk] == self.shut()

    def test_a_form_of_another_site_opens_nothing(self, clerk):
        event, client = close(), clerk(self.SEES, self.OPENS)
        client.handler.enforce_csrf_checks = True
        assert 403 == self.press(client, event, confirmed="yes").status_code
        assert [event.pk] == self.shut()

    def test_a_link_opens_nothing(self, root):
        event = close()
        page(root, block=event.pk, confirmed="yes")
        assert [event.pk] == self.shut()

    @pytest.mark.parametrize("block", ["", "0", "-1", "x", "\x00", "9" * 400, "1 OR 1=1"])
    def test_what_is_not_on_the_list_opens_nothing(self, root, block):
        event = close()
        answer = root.post(HERE, {"block": block, "confirmed": "yes"})
        assert (302, [event.pk]) == (answer.status_code, self.shut())

    def test_only_an_event_of_a_closed_block_can_be_named(self, root):
        event = close()
        other = AttemptEvent.objects.create(kind=EventKind.UNLOCKED, at=NOW, block=event.block)
        self.press(root, other, confirmed="yes")
        assert [event.pk] == self.shut()

    def test_none_is_said_in_words(self, root, settings):
        assert "None: no block of numbers is closed." in words(page(root))
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": "record"}
        assert 'closed only where PUMPING_GUARD is "enforce"' in words(page(root))

    def test_are_shown_where_nothing_was_ever_sent(self, root):
        close()
        VerificationAttempt.objects.all().delete()
        html = page(root)
        assert "No codes sent yet." in html
        assert 1 == len(table(html, "Closed blocks of numbers"))

    def test_the_events_do_not_show_their_digits(self, root):
        row = reverse("admin:passwordless_attemptevent_change", args=[close().pk])
        for url in (reverse("admin:passwordless_attemptevent_changelist"), row):
            html = root.get(url).content.decode()
            assert "US: 1,000 numbers, closed for 60 min" in html
            assert "4155550" not in html


class TestNotedBlocks:
    """While the guard only records, the dashboard says what it would have closed."""

    NAME = "Closed blocks of numbers"
    SAID = "A block of 1,000 numbers in United States"

    @pytest.fixture(autouse=True)
    def _recorded(self, settings):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": "record"}

    def test_are_counted_by_block_with_the_last_time(self, clerk):
        for ago in (timedelta(hours=3), timedelta(hours=1), timedelta(hours=2)):
            close(ago=ago)
        close("+441632960", country="GB", ago=timedelta(minutes=30))
        html = page(clerk("view_verificationattempt"))
        assert [
            ["A block of 1,000 numbers in United Kingdom", "1", "11/23/2026 noon"],
            [self.SAID, "3", "11/23/2026 11:30 a.m."],
        ] == table(html, self.NAME)
        told = words(part(html, self.NAME))
        assert "Would have been closed in this period: 2 " in told
        assert 'closed only where PUMPING_GUARD is "enforce"' in told
        assert [] == [digits for digits in ("415555", "441632") if digits in html]

    def test_show_their_digits_to_who_may_see_full_numbers(self, clerk):
        close()
        [line] = table(page(clerk("view_verificationattempt", "view_full_number")), self.NAME)
        assert f"{self.SAID} {BLOCK}…" == line[0]

    def test_are_those_of_the_period(self, root):
        close(ago=timedelta(days=2))
        shown = {period: len(table(page(root, period=period), self.NAME)) for period in PERIODS}
        assert {"24h": 0, "7d": 1, "30d": 1, "90d": 1} == shown
        assert "Would have been closed" not in page(root, period="24h")

    def test_whose_digits_are_forgotten_are_still_counted(self, root):
        close(ago=timedelta(days=40))
        AttemptEvent.objects.update(block="")
        assert [["US: 1,000 numbers", "1", "10/14/2026 12:30 p.m."]] == table(
            page(root, period="90d"), self.NAME
        )

    def test_are_not_told_where_the_guard_closes(self, root, settings):
        close()
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": "enforce"}
        assert "Would have been closed" not in page(root)

    def test_are_not_those_that_were_closed(self, root, settings):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": "enforce"}
        close(ago=timedelta(hours=30))
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": "record"}
        assert "Would have been closed" not in page(root)

    def test_have_an_end(self, root, monkeypatch):
        monkeypatch.setattr(guard, "LISTED", 2)
        for block in ("+14155551", "+14155552", "+14155553"):
            close(block)
        html = page(root)
        assert 2 == len(table(html, self.NAME))
        assert "Would have been closed in this period: 3 " in words(html)

    def test_of_more_notes_than_are_read_it_is_said_that_there_are_more(self, root, monkeypatch):
        monkeypatch.setattr(blocks, "MOST", 2)
        for minutes, block in enumerate(("+14155551", "+14155552", "+14155553")):
            close(block, ago=timedelta(minutes=minutes))
        assert "Would have been closed in this period: 2+ " in words(page(root))

    @pytest.mark.parametrize("period", ["24h", "90d"])
    def test_cost_no_more_than_a_look_for_closed_ones(self, clerk, settings, period):
        populate(10)
        close()
        client, asked = clerk("view_verificationattempt"), []
        for value in ("enforce", "record"):
            settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": value}
            with CaptureQueriesContext(connection) as told:
                page(client, period=period)
            asked.append(len(told))
        assert (12, True) == (asked[1], asked[1] <= asked[0])

    @pytest.mark.parametrize("ago", [timedelta(minutes=10), timedelta(hours=23, minutes=45)])
    def test_hide_no_block_that_was_closed_before(self, root, settings, ago):
        """A block stays closed for up to a day, whatever the guard is told afterwards."""
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": "enforce"}
        event = close(ago=ago)
        Counter.objects.filter(used__gte=guard.CLOSED).update(ends_at=NOW.timestamp() + 600)
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": "record"}
        close("+14155551")
        html = page(root, period="24h")
        assert [event.pk] == [block.event for block in guard.closed(NOW)]
        assert [f"{self.SAID} {BLOCK}…", f"{self.SAID} +14155551…"] == [
            line[0] for line in table(html, self.NAME)
        ]
        assert "Would have been closed in this period: 1 " in words(html)

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="the planner of PostgreSQL scans small tables")
    def test_are_found_by_an_index(self, root):
        with CaptureQueriesContext(connection) as told:
            page(root)
        [listed] = [one["sql"] for one in told if "'pumping'" in one["sql"]]
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {listed}")
            assert "USING INDEX" in cursor.fetchone()[3]
