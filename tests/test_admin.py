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
from django.urls import reverse

from passwordless import flow, gateway, guard, limits, numbers
from passwordless.admin import MOST
from passwordless.filters import LOOSE
from passwordless.models import AttemptEvent, Counter, PhoneNumber, VerificationAttempt, tags
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
    with time_machine.travel(NOW, tick=False) as traveller:
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
            "country": "US",
            "state": "✔ Verified",
            "why": "-",
            "tried": "Text message",
            "sends": "1",
            "guesses": "2",
            "seconds": "8",
            "cost": "0.05 EUR",
            "ip": "198.51.100.7",
            "user": row.user.username,
            "request_id": row.request_id,
        }
        assert told == {name: shown[name] for name in told}
        assert "Nov. 23, 2026" in shown["created_at"]

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

    def test_pages_by_fifty(self, root):
        VerificationAttempt.objects.bulk_create([make(number) for number in range(51)])
        assert [50, 1] == [len(rows(root)), len(rows(root, p=2))]


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
]


class TestFilters:
    @pytest.mark.parametrize(
        ("period", "expected"), [("1h", 1), ("24h", 2), ("7d", 3), ("30d", 4), ("90d", 5), ("", 6), ("x", 6)]
    )
    def test_by_period(self, root, period, expected):
        for ago in (timedelta(minutes=59), *(timedelta(days=days) for days in (0.9, 6, 29, 89, 91))):
            attempt(ago=ago)
        assert expected == len(rows(root, **({"period": period} if period else {})))

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

    def test_by_status_agree_with_what_the_rows_say(self, root):
        """Overdue counts as expired, moved or not (lazy expiry)."""
        overdue = attempt(status=Status.PENDING, reason=Reason.OK, ago=timedelta(minutes=6))
        live = attempt(status=Status.PENDING, reason=Reason.OK)
        assert [live] == rows(root, status__exact="pending")
        assert [overdue] == rows(root, status__exact="expired")

    def test_are_offered_in_words(self, root):
        text = words(page(root, LIST))
        for offer in (
            "Last hour",
            "Last 24 hours",
            "Last 90 days",
            "Too many wrong codes",
            "Waiting for the",
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
        assert "Full phone number with country code, or request id" in page(root, LIST)


class TestDetail:
    def test_tells_the_story_in_order(self, root, emulator, now):
        row, _ = login(NUMBER, emulator, now)
        lines = [
            words(line).strip() for line in re.findall(r"<li>(.*?)</li>", page(root, detail(row)), re.DOTALL)
        ]
        story = [line for line in lines if re.match(r"\d\d:\d\d:\d\d", line)]
        assert ["Asked for a code", "Vonage accepted the request", "Wrong code", "Verified"] == [
            re.search(r"s\) ([^–]+?)(?: –|\Z)", line)[1] for line in story
        ]
        assert ":00:08 (+7.0 s) Verified" in story[-1]
        assert "Text message" in story[1]

    def test_tells_of_a_second_channel(self, root, emulator, now):
        handle = flow.start(NUMBER, Visitor()).handle
        now.shift(61)
        flow.advance(handle, Visitor(ip="198.51.100.9"))
        text = words(page(root, detail(VerificationAttempt.objects.get())))
        assert re.search(r":01:01 \(\+61\.0 s\) Next channel – Phone call,.* 198\.51\.100\.9", text)

    def test_tells_of_refusals_that_repeated(self, root):
        assert re.search(r"Repeats: ?7", words(page(root, detail(attempt(repeats=7)))))

    def test_shows_provider_code_agent_and_plan(self, root):
        text = words(page(root, detail(attempt(vendor="v2 402", agent="Browser 1.0"))))
        assert [] == [fact for fact in ("v2 402", "Browser 1.0", "sms, voice", "Log in") if fact not in text]

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
        assert ["", "unlock"] == actions(root)

    def test_permissions_that_do_not_exist_cannot_be_given(self):
        known = Permission.objects.filter(content_type__app_label="passwordless").values_list(
            "codename", flat=True
        )
        assert {"view_verificationattempt", "unlock_number"} == {
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
        *limits.calls(number),
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
        told = {"kind": "Number linked to a user", "detail": "••• 123, user 7", "staff": "ann"}
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
        assert set(kinds) == set(LOOSE) - {EventKind.CONVERSION}

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
