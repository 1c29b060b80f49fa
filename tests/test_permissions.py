"""Who may do what in the admin, asked over HTTP: each kind of person at each door."""

import re
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
import time_machine
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from passwordless import guard
from passwordless.models import AttemptEvent, Counter, PhoneNumber, VerificationAttempt, tags
from passwordless.states import EventKind
from tests import support

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBER = "+14155550123"
BACKEND = "django.contrib.auth.backends.ModelBackend"
LIST = reverse("admin:passwordless_verificationattempt_changelist")
EVENTS = reverse("admin:passwordless_attemptevent_changelist")
EXPORT = reverse("admin:passwordless_verificationattempt_export")
DASHBOARD = reverse("admin:passwordless_dashboard")

VIEW, FULL, UNLOCK, EXPORTS = (
    "view_verificationattempt", "view_full_number", "unlock_number", "export_attempts",
)  # fmt: skip
PEOPLE = {
    "visitor": None,
    "user": (),
    "staff": (),
    "all but view": (FULL, UNLOCK, EXPORTS),
    "view": (VIEW,),
    "full": (VIEW, FULL),
    "unlock": (VIEW, UNLOCK),
    "export": (VIEW, EXPORTS),
    "superuser": (),
}
VIEWERS = {"view", "full", "unlock", "export", "superuser"}
STAFF = {*VIEWERS, "staff", "all but view"}
everybody = pytest.mark.parametrize("who", PEOPLE)


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def row():
    return support.make_refused(NUMBER, ip="198.51.100.7")


def person(who):
    """Return the browser of such a person."""
    client = Client()
    if who == "visitor":
        return client
    user = User.objects.create_user(who, is_staff=who != "user", is_superuser=who == "superuser")
    user.user_permissions.set(Permission.objects.filter(codename__in=PEOPLE[who]))
    client.force_login(user, BACKEND)
    return client


def door(name, row):
    return reverse(f"admin:passwordless_verificationattempt_{name}", args=[row.pk])


def body(answer):
    return b"".join(answer).decode()


def refused(who):
    """Return what somebody meets who may not: the login page, unless they are of the staff."""
    return 403 if who in STAFF else 302


def written():
    return list(AttemptEvent.objects.order_by("pk").values_list("kind", "staff__username"))


class TestLooking:
    @everybody
    def test_at_the_list(self, row, who):
        answer = person(who).get(LIST)
        assert (200 if who in VIEWERS else refused(who)) == answer.status_code
        assert (who in VIEWERS) == (row.reference in body(answer))

    @everybody
    def test_at_one(self, row, who):
        answer = person(who).get(door("change", row))
        assert (200 if who in VIEWERS else refused(who)) == answer.status_code
        assert (who in VIEWERS) == ("198.51.100.7" in body(answer))

    @everybody
    def test_at_the_dashboard(self, row, who):
        assert (200 if who in VIEWERS else refused(who)) == person(who).get(DASHBOARD).status_code

    @everybody
    def test_at_the_events(self, row, who):
        assert (200 if who in VIEWERS else refused(who)) == person(who).get(EVENTS).status_code

    @everybody
    @pytest.mark.parametrize("term", [NUMBER, "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"])
    def test_for_a_number_or_a_request(self, row, who, term):
        client = person(who)
        answer = client.post(LIST, {"q": term})
        found = client.get(LIST, {"q": term}, follow=True)
        if who in VIEWERS:
            assert 302 == answer.status_code
            assert "4155550123" not in answer["Location"]
        else:
            assert refused(who) == answer.status_code
        assert (who in VIEWERS) == (row.reference in body(found))

    @everybody
    def test_j6_shows_no_full_number(self, row, who):
        client = person(who)
        for url in (LIST, door("change", row), door("history", row), EVENTS, DASHBOARD, EXPORT):
            answer = client.get(url)
            assert "4155550123" not in body(answer) + answer.headers.get("Location", "")


class TestTheFullNumber:
    SEERS = {"full", "superuser"}

    @everybody
    def test_j6_is_shown_to_those_who_may_and_that_is_written_down(self, row, who):
        answer = person(who).post(door("number", row))
        assert (200 if who in self.SEERS else refused(who)) == answer.status_code
        assert (who in self.SEERS) == (NUMBER in body(answer))
        # In the timeline, and in the list that outlives it.
        assert ([("looked", who)] * 2 if who in self.SEERS else []) == written()

    @everybody
    @pytest.mark.parametrize("method", ["get", "head", "put"])
    def test_is_shown_by_no_link(self, row, who, method):
        answer = getattr(person(who), method)(door("number", row))
        assert answer.status_code in (302, 403, 405)
        assert (NUMBER not in body(answer), []) == (True, written())

    @everybody
    def test_is_offered_to_those_who_may(self, row, who):
        html = body(person(who).get(door("change", row)))
        assert (who in self.SEERS) == (door("number", row) in html)

    def test_is_shown_each_time_on_record_and_kept_by_nobody(self, row):
        client = person("full")
        answers = [client.post(door("number", row)) for _ in range(2)]
        assert all("no-store" in answer["Cache-Control"] for answer in answers)
        assert [("looked", "full")] * 4 == written()
        assert "Staff saw the full number – full" in re.sub(
            r"\s+", " ", body(client.get(door("change", row)))
        )

    def test_that_is_forgotten_is_neither_shown_nor_offered(self, row):
        VerificationAttempt.objects.update(number="")
        client = person("full")
        assert "is forgotten already" in body(client.post(door("number", row)))
        assert door("number", row) not in body(client.get(door("change", row)))
        assert [] == written()

    def test_of_no_attempt_is_nowhere(self, row):
        url = reverse("admin:passwordless_verificationattempt_number", args=[0])
        assert 404 == person("full").post(url).status_code

    def test_is_shown_to_no_form_of_another_site(self, row):
        client = person("full")
        client.handler.enforce_csrf_checks = True
        assert 403 == client.post(door("number", row)).status_code
        assert [] == written()


class TestUnlocking:
    OPENERS = {"unlock", "superuser"}

    @everybody
    def test_is_for_those_who_may(self, row, who):
        Counter.objects.create(key="any", ends_at=NOW.timestamp())
        chosen = {"action": "unlock", "_selected_action": [row.pk], "confirmed": "yes"}
        person(who).post(LIST, chosen)
        assert ([("unlocked", who)] if who in self.OPENERS else []) == written()

    @everybody
    def test_asks_only_those_who_may(self, row, who):
        answer = person(who).post(LIST, {"action": "unlock", "_selected_action": [row.pk]})
        assert (who in self.OPENERS) == ('name="confirmed"' in body(answer))


class TestExporting:
    TAKERS = {"export", "superuser"}

    @everybody
    @pytest.mark.parametrize("kind", ["csv", "jsonl"])
    def test_is_for_those_who_may(self, row, who, kind):
        answer = person(who).post(f"{EXPORT}?format={kind}")
        assert (200 if who in self.TAKERS else refused(who)) == answer.status_code
        told = body(answer)
        assert (who in self.TAKERS) == (row.reference in told)
        assert (who == "superuser") == ("4155550123" in told)
        assert ([("exported", who)] if who in self.TAKERS else []) == written()

    @everybody
    @pytest.mark.parametrize("action", ["export_csv", "export_jsonl"])
    def test_of_a_selection_too(self, row, who, action):
        answer = person(who).post(LIST, {"action": action, "_selected_action": [row.pk]})
        assert (who in self.TAKERS) == answer.streaming
        assert ([("exported", who)] if who in self.TAKERS else []) == written()

    @everybody
    def test_by_a_link_gives_nothing(self, row, who):
        answer = person(who).get(EXPORT, {"format": "csv"})
        assert (200 if who in self.TAKERS else refused(who)) == answer.status_code
        assert (row.reference in body(answer), []) == (False, written())


FORGED = {
    "status": "verified", "reason": "ok", "number": "+14155550199", "_save": "Save", "post": "yes",
    "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-status": "verified",
}  # fmt: skip


class TestChanging:
    @everybody
    @pytest.mark.parametrize("method", ["get", "post"])
    @pytest.mark.parametrize("verb", ["add", "delete"])
    def test_is_for_nobody(self, row, who, method, verb):
        url = reverse("admin:passwordless_verificationattempt_add") if verb == "add" else door(verb, row)
        assert refused(who) == getattr(person(who), method)(url, FORGED).status_code
        assert 1 == VerificationAttempt.objects.count()

    @everybody
    def test_by_any_form_changes_nothing(self, row, who):
        before = VerificationAttempt.objects.values().get()
        client = person(who)
        assert refused(who) == client.post(door("change", row), FORGED).status_code
        client.post(LIST, FORGED | {"form-0-id": row.pk})
        client.post(LIST, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
        assert before == VerificationAttempt.objects.values().get()

    @everybody
    def test_of_events_is_for_nobody(self, row, who):
        event = AttemptEvent.objects.create(kind=EventKind.EXPORTED, at=NOW, detail="csv")
        client = person(who)
        for verb in ("change", "delete"):
            url = reverse(f"admin:passwordless_attemptevent_{verb}", args=[event.pk])
            assert refused(who) == client.post(url, FORGED | {"detail": "nothing"}).status_code
        assert "csv" == AttemptEvent.objects.get().detail


NUMBERS = reverse("admin:passwordless_phonenumber_changelist")
BLOCK = NUMBER[:-3]


@pytest.fixture
def world(row, settings):
    """One of everything: an attempt, a block that is closed, an event, a number of a user."""
    settings.PASSWORDLESS = {**settings.PASSWORDLESS, "PUMPING_GUARD": "enforce"}
    gate = guard.gates(NUMBER)[0].key
    Counter.objects.create(key=gate, used=guard.ENOUGH, ends_at=NOW.timestamp() + 3600)
    guard.close(BLOCK, NOW)
    user = User.objects.create_user(NUMBER)
    return {
        "row": row,
        "block": AttemptEvent.objects.get(kind=EventKind.PUMPING),
        "event": AttemptEvent.objects.create(kind=EventKind.EXPORTED, at=NOW, detail="csv"),
        "user": user,
        "link": PhoneNumber.objects.create(user=user, number=NUMBER),
    }


def snapshot():
    """Return each row that the desk could change, by model."""
    models = [*apps.get_app_config("passwordless").get_models(), User, LogEntry]
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def changed(before):
    now = snapshot()
    return {name for name in now if now[name] != before[name]}


def event_door(verb, event):
    return reverse(f"admin:passwordless_attemptevent_{verb}", args=[event.pk])


def number_door(verb, link):
    return reverse(f"admin:passwordless_phonenumber_{verb}", args=[link.pk])


def action(name, row, **more):
    return {"action": name, "_selected_action": [row.pk], **more}


POSTS = {
    "add": lambda w: (reverse("admin:passwordless_verificationattempt_add"), FORGED),
    "change": lambda w: (door("change", w["row"]), FORGED),
    "delete": lambda w: (door("delete", w["row"]), FORGED),
    "history": lambda w: (door("history", w["row"]), FORGED),
    "edit in the list": lambda w: (LIST, FORGED | {"form-0-id": w["row"].pk}),
    "delete selected": lambda w: (LIST, action("delete_selected", w["row"], post="yes")),
    "search": lambda w: (LIST, {"q": NUMBER}),
    "show the number": lambda w: (door("number", w["row"]), {}),
    "unlock": lambda w: (LIST, action("unlock", w["row"], confirmed="yes")),
    "ask to unlock": lambda w: (LIST, action("unlock", w["row"])),
    "open a block": lambda w: (DASHBOARD, {"block": w["block"].pk, "confirmed": "yes"}),
    "ask to open a block": lambda w: (DASHBOARD, {"block": w["block"].pk}),
    "export csv": lambda w: (EXPORT, {}),
    "export jsonl": lambda w: (f"{EXPORT}?format=jsonl", {}),
    "export selected": lambda w: (LIST, action("export_csv", w["row"])),
    "event: add": lambda w: (reverse("admin:passwordless_attemptevent_add"), FORGED),
    "event: change": lambda w: (event_door("change", w["event"]), FORGED | {"detail": "nothing"}),
    "event: delete": lambda w: (event_door("delete", w["event"]), FORGED),
    "event: delete selected": lambda w: (EVENTS, action("delete_selected", w["event"], post="yes")),
    "number: add": lambda w: (
        reverse("admin:passwordless_phonenumber_add"),
        {"user": w["user"].pk, "number": "+14155550177", "_save": "Save"},
    ),
    "number: change": lambda w: (number_door("change", w["link"]), FORGED | {"user": w["user"].pk}),
    "number: delete": lambda w: (number_door("delete", w["link"]), {"post": "yes"}),
    "number: delete selected": lambda w: (NUMBERS, action("delete_selected", w["link"], post="yes")),
    "number: search": lambda w: (NUMBERS, {"q": NUMBER}),
}
"""What can be posted, to where."""

LINKED = {"PhoneNumber", "AttemptEvent", "LogEntry"}
# Who loses a number is logged out, which changes the user.
UNLINKING = ({"superuser"}, LINKED | {"User"})
EFFECTS = {
    "search": (VIEWERS - {"full", "superuser"}, {"Counter"}),
    "show the number": (TestTheFullNumber.SEERS, {"AttemptEvent"}),
    "unlock": (TestUnlocking.OPENERS, {"AttemptEvent", "Counter"}),
    "open a block": (TestUnlocking.OPENERS, {"AttemptEvent", "Counter"}),
    "export csv": (TestExporting.TAKERS, {"AttemptEvent"}),
    "export jsonl": (TestExporting.TAKERS, {"AttemptEvent"}),
    "export selected": (TestExporting.TAKERS, {"AttemptEvent"}),
    "number: add": ({"superuser"}, LINKED),
    "number: delete": UNLINKING,
    "number: delete selected": UNLINKING,
}
"""By whom it changes anything, and which tables. What is not named here changes nothing, whoever posts it."""

every_post = pytest.mark.parametrize("what", POSTS)


def finish(answer):
    """Read an answer to its end, since what is streamed is made as it is read."""
    return body(answer)


class TestPosts:
    @everybody
    @every_post
    def test_j5_change_what_they_may_and_no_other_row(self, world, who, what):
        people, tables = EFFECTS.get(what, (set(), set()))
        client, (url, fields) = person(who), POSTS[what](world)
        before = snapshot()
        finish(client.post(url, fields))
        assert (tables if who in people else set()) == changed(before)

    @everybody
    def test_leave_every_attempt_as_it_was(self, world, who):
        client, before = person(who), snapshot()["VerificationAttempt"]
        for post in POSTS.values():
            url, fields = post(world)
            finish(client.post(url, fields))
        assert before == snapshot()["VerificationAttempt"]

    @every_post
    def test_of_another_site_change_nothing(self, world, what):
        client, (url, fields) = person("superuser"), POSTS[what](world)
        client.handler.enforce_csrf_checks = True
        before = snapshot()
        assert 403 == client.post(url, fields).status_code
        assert set() == changed(before)

    @every_post
    def test_sent_as_a_link_change_nothing(self, world, what):
        client, (url, fields) = person("superuser"), POSTS[what](world)
        before = snapshot()
        finish(client.get(url, fields))
        assert set() == changed(before)

    @everybody
    def test_open_a_block_for_those_who_may(self, world, who):
        answer = person(who).post(DASHBOARD, {"block": world["block"].pk, "confirmed": "yes"})
        opened = who in TestUnlocking.OPENERS
        assert (302 if opened else refused(who)) == answer.status_code
        assert opened == (f"{DASHBOARD}?period=7d" == answer.headers.get("Location"))
        assert opened == (not guard.closed(NOW))


PAGES = {
    "list": lambda w: LIST,
    "search": lambda w: f"{LIST}?q={NUMBER[1:]}",
    "related": lambda w: f"{LIST}?near=number.{w['row'].pk}",
    "filters": lambda w: f"{LIST}?period=all&country=US&status__exact=refused&reason__exact=limit_ip",
    "detail": lambda w: door("change", w["row"]),
    "history": lambda w: door("history", w["row"]),
    "export": lambda w: EXPORT,
    "export of a search": lambda w: f"{EXPORT}?q={tags(NUMBER)[0]}",
    "dashboard": lambda w: DASHBOARD,
    "events": lambda w: EVENTS,
    "event": lambda w: event_door("change", w["block"]),
    "numbers": lambda w: NUMBERS,
    "search for the number of a user": lambda w: f"{NUMBERS}?q={NUMBER[1:]}",
    "number of a user": lambda w: number_door("change", w["link"]),
    "unlink": lambda w: number_door("delete", w["link"]),
    "history of a number": lambda w: number_door("history", w["link"]),
    "link": lambda w: reverse("admin:passwordless_phonenumber_add"),
    "start": lambda w: reverse("admin:index"),
}
"""What can be looked at."""

LINK = re.compile(r"""(?:href|action|formaction|src|data-[a-z-]*(?:url|href))=["']([^"']*)["']""")


def addresses(answer):
    """Return each address that an answer writes or leads to, as somebody would read it."""
    found = [*LINK.findall(finish(answer)), answer.headers.get("Location", "")]
    return [re.sub(r"[ ().-]", "", unquote(url)) for url in found]


class TestAddresses:
    @pytest.mark.parametrize("who", ["superuser", "full", "view"])
    @pytest.mark.parametrize("what", PAGES)
    def test_j8_written_into_a_page_name_no_number(self, world, who, what):
        answer = person(who).get(PAGES[what](world))
        assert [] == [url for url in addresses(answer) if "5550123" in url or BLOCK[1:] in url]

    @pytest.mark.parametrize("who", ["superuser", "full", "view"])
    @every_post
    def test_j8_that_a_form_leads_to_name_no_number(self, world, who, what):
        client, (url, fields) = person(who), POSTS[what](world)
        found = addresses(client.post(url, fields))
        assert [] == [url for url in found if "55501" in url or BLOCK[1:] in url]

    @pytest.mark.parametrize("who", ["superuser", "full", "view", "staff"])
    def test_j8_and_logs_of_all_that_can_be_done_hold_no_number(self, world, who, caplog):
        client = person(who)
        caplog.set_level("DEBUG")
        for page in PAGES.values():
            finish(client.get(page(world)))
        for post in POSTS.values():
            url, fields = post(world)
            finish(client.post(url, fields))
        written = [f"{record.getMessage()} {record.args}" for record in caplog.records]
        kept = [str(entry) + entry.object_repr + entry.change_message for entry in LogEntry.objects.all()]
        assert [] == [line for line in [*written, *kept] if "55501" in line and "(0." not in line[:3]]

    def test_j8_name_no_number(self, row):
        """What is linked or posted to; a proxy writes addresses down."""
        client = person("superuser")
        urls = [LIST, f"{LIST}?q={tags(NUMBER)[0]}", door("change", row), EXPORT, DASHBOARD, EVENTS]
        for url in urls:
            found = re.findall(r'(?:href|action|formaction|src)="([^"]*)"', body(client.get(url)))
            assert [] == [link for link in found if "5550123" in link or "198.51" in link]

    def test_with_a_number_lead_on_to_one_without(self, row):
        client = person("superuser")
        for term in (NUMBER, "415-555-0123"):
            answer = client.get(LIST, {"q": term})
            assert "555" not in answer["Location"].replace(tags(NUMBER)[0], "")

    @pytest.mark.parametrize("what", ["look", "export", "search"])
    def test_and_logs_hold_no_number(self, row, what, caplog):
        client = person("superuser")
        caplog.set_level("DEBUG")
        if what == "look":
            client.post(door("number", row))
        elif what == "export":
            body(client.post(EXPORT))
        else:
            client.post(LIST, {"q": NUMBER}, follow=True)
        ours = [line for line in caplog.messages if not line.startswith("(0.")]
        assert [] == [line for line in ours if "5550123" in line]
        details = AttemptEvent.objects.values_list("detail", flat=True)
        assert [] == [detail for detail in details if "5550123" in detail]
