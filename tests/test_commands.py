"""The commands as somebody at a terminal meets them: what they do, what they say, what they leave alone."""

import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
import requests
import time_machine
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from passwordless import flow, gateway, limits
from passwordless.flow.retention import bites
from passwordless.management.commands import passwordless_try
from passwordless.models import AttemptEvent, Counter, PhoneNumber, Receipt, VerificationAttempt
from passwordless.outcomes import Visitor
from passwordless.states import EventKind, Purpose, Reason, Status

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBER, OTHER, THIRD = "+14155550131", "+14155550132", "+14155550133"


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


def run(*arguments, **options):
    """Return what a command says on both of its ways out."""
    out, err = StringIO(), StringIO()
    call_command(*arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def attempt(number=NUMBER, *, ago=timedelta(0), **values):
    created = NOW - ago
    told = {
        "status": Status.FAILED,
        "channels": "sms",
        "created_at": created,
        "expires_at": created + timedelta(seconds=300),
        "open_until": created + timedelta(seconds=318),
        **values,
    }
    return VerificationAttempt.objects.create(number=number, **told)


OLD = timedelta(days=181)


def pruned(**options):
    """Return what a prune says that it did."""
    return run("passwordless_prune", **options)[0].splitlines()[0]


@pytest.mark.django_db
class TestPrune:
    def test_deletes_what_is_older_than_the_setting_says(self):
        attempt(ago=OLD)
        kept = attempt(ago=timedelta(days=179))
        assert (
            "0 attempts expired, 1 deleted; 2 numbers and 0 visitors forgotten; 0 counters and 0 receipts dropped."
            == pruned()
        )
        assert [kept] == list(VerificationAttempt.objects.all())

    def test_the_setting_counts(self, settings):
        settings.PASSWORDLESS = {"EMULATOR": True, "RETENTION_DAYS": 30}
        attempt(ago=timedelta(days=31))
        assert "1 deleted" in run("passwordless_prune")[0]

    def test_takes_the_timeline_along_and_leaves_others(self):
        gone, kept = attempt(ago=OLD), attempt()
        for row in (gone, kept):
            AttemptEvent.objects.create(attempt=row, kind=EventKind.GUESSED, at=NOW)
        run("passwordless_prune")
        assert [kept.pk] == list(AttemptEvent.objects.values_list("attempt", flat=True))

    def test_keeps_who_linked_which_number(self):
        AttemptEvent.objects.create(kind=EventKind.LINKED, at=NOW - timedelta(days=179))
        run("passwordless_prune")
        assert 1 == AttemptEvent.objects.count()

    def test_expires_what_is_overdue_at_the_time_when_it_was(self):
        row = attempt(status=Status.PENDING, live_number=NUMBER, ago=timedelta(hours=1))
        assert "1 attempt expired, 0 deleted" in run("passwordless_prune")[0]
        row.refresh_from_db()
        told = (row.status, row.reason, row.ended_at, row.live_number)
        assert (Status.EXPIRED, Reason.EXPIRED, row.expires_at, None) == told

    @pytest.mark.parametrize("status", [Status.STARTING, Status.PENDING, Status.CHECKING])
    def test_never_touches_what_is_open(self, status):
        row = attempt(status=status, live_number=NUMBER, ago=timedelta(seconds=299))
        run("passwordless_prune")
        again = VerificationAttempt.objects.get()
        assert (status, NUMBER, None) == (again.status, again.live_number, again.ended_at)
        assert row.pk == again.pk

    @pytest.mark.parametrize("status", [Status.PENDING, Status.FAILED])
    def test_never_deletes_what_may_be_open_at_vonage_however_old(self, status):
        soon = NOW + timedelta(minutes=1)
        attempt(status=status, live_number=NUMBER, ago=OLD, expires_at=soon, open_until=soon)
        run("passwordless_prune")
        assert [(status, NUMBER)] == list(VerificationAttempt.objects.values_list("status", "live_number"))

    def test_a_number_stays_taken_while_its_request_may_be_open_at_vonage(self, now):
        attempt(status=Status.FAILED, live_number=NUMBER, ago=timedelta(seconds=310))
        run("passwordless_prune")
        before = VerificationAttempt.objects.get().live_number
        now.shift(10)
        run("passwordless_prune")
        assert (NUMBER, None) == (before, VerificationAttempt.objects.get().live_number)

    def test_deletes_counters_two_days_after_their_end_and_no_earlier(self):
        ends = {"gone": 49, "kept": 47, "counts": -1}
        for key, hours in ends.items():
            Counter.objects.create(key=key, ends_at=(NOW - timedelta(hours=hours)).timestamp())
        assert "1 counter and 0 receipts dropped" in run("passwordless_prune")[0]
        assert {"kept", "counts"} == set(Counter.objects.values_list("key", flat=True))

    def test_resets_no_limit(self, settings):
        settings.PASSWORDLESS = {"EMULATOR": True, "LIMITS": {"sends_per_number": "1/d"}}
        handle = flow.start(NUMBER, Visitor()).handle
        flow.check(handle, gateway.emulator().messages(NUMBER)[-1].code, Visitor())
        VerificationAttempt.objects.update(created_at=NOW - OLD)
        run("passwordless_prune")
        assert 0 == VerificationAttempt.objects.count()
        assert Reason.LIMIT_NUMBER == flow.start(NUMBER, Visitor()).reason

    def test_goes_in_chunks(self, django_assert_max_num_queries):
        end = NOW - OLD
        times = dict.fromkeys(("created_at", "expires_at", "open_until"), end)
        row = {"status": Status.FAILED, "channels": "sms", **times}
        # A chunk holds more where a database locks single rows.
        chunk = bites.CHUNK * (1 if connection.vendor == "sqlite" else bites.APART)
        VerificationAttempt.objects.bulk_create(VerificationAttempt(**row) for _ in range(chunk + 1))
        with django_assert_max_num_queries(40) as asked:
            assert f"{chunk + 1:,} deleted" in run("passwordless_prune")[0]
        deletes = [
            query["sql"] for query in asked if query["sql"].startswith('DELETE FROM "passwordless_verif')
        ]
        assert 2 <= len(deletes)

    def test_a_second_run_finds_nothing(self):
        attempt(ago=OLD)
        attempt(status=Status.PENDING, live_number=NUMBER, ago=timedelta(hours=1))
        run("passwordless_prune")
        assert {"0"} == set(re.findall(r"\d+", pruned()))

    def test_dry_run_changes_nothing(self):
        attempt(ago=OLD, ip="198.51.100.7")
        attempt(status=Status.PENDING, live_number=NUMBER, ago=timedelta(hours=1))
        Counter.objects.create(key="old", ends_at=0)
        Receipt.objects.create(token_id="old", at=NOW - OLD)
        before = list(VerificationAttempt.objects.order_by("pk").values())
        said = pruned(dry_run=True)
        assert (
            "1 attempt would be expired, 1 would be deleted; 1 number and 1 visitor would be forgotten; "
            "1 counter and 1 receipt would be dropped."
        ) == said
        assert before == list(VerificationAttempt.objects.order_by("pk").values())
        assert (1, 1) == (Counter.objects.count(), Receipt.objects.count())

    @pytest.mark.parametrize(
        "values",
        [
            {"status": Status.PENDING, "live_number": NUMBER, "ago": OLD},
            {"status": Status.FAILED, "live_number": NUMBER, "ago": OLD},
            {"status": Status.PENDING, "live_number": NUMBER, "ago": timedelta(hours=1)},
            {"status": Status.FAILED, "ago": OLD},
        ],
    )
    def test_dry_run_foretells_the_run(self, values):
        attempt(**values)
        foretold = pruned(dry_run=True).replace("would be ", "")
        assert foretold == pruned()

    def test_says_how_long_it_took(self):
        assert re.fullmatch(r"It took \d+\.\d s\.", run("passwordless_prune")[0].splitlines()[1])


@pytest.fixture
def users(db):
    return {name: User.objects.create_user(name) for name in ("ann", "bob")}


def owned():
    return dict(PhoneNumber.objects.values_list("number", "user__username"))


def events():
    return list(AttemptEvent.objects.order_by("pk").values_list("kind", "detail"))


class TestLink:
    @pytest.fixture
    def file(self, tmp_path):
        def write(text, encoding="utf-8"):
            path = tmp_path / "numbers.csv"
            path.write_bytes(text.encode(encoding))
            return path

        return write

    @pytest.mark.parametrize("spelling", [NUMBER, "(415) 555-0131", "+1 415 555 0131", "415.555.0131"])
    def test_gives_a_user_a_number_in_any_spelling(self, users, spelling):
        run("passwordless_link", "ann", spelling)
        assert {NUMBER: "ann"} == owned()

    def test_says_who_and_never_the_number(self, users):
        assert ("ann: ••• 131\n", "") == run("passwordless_link", "ann", NUMBER)

    def test_is_written_down(self, users):
        run("passwordless_link", "ann", NUMBER)
        assert [("linked", f"••• 131, user {users['ann'].pk}")] == events()

    def test_twice_changes_nothing(self, users):
        for _ in range(2):
            run("passwordless_link", "ann", NUMBER)
        assert ({NUMBER: "ann"}, 1) == (owned(), len(events()))

    def test_a_user_may_have_several(self, users):
        run("passwordless_link", "ann", NUMBER)
        run("passwordless_link", "ann", OTHER)
        assert {NUMBER: "ann", OTHER: "ann"} == owned()

    def test_replace_takes_the_others_away_and_writes_it_down(self, users):
        run("passwordless_link", "bob", THIRD)
        run("passwordless_link", "ann", NUMBER)
        run("passwordless_link", "ann", OTHER, replace=True)
        assert {THIRD: "bob", OTHER: "ann"} == owned()
        assert ("unlinked", f"••• 131, user {users['ann'].pk}") in events()

    def test_a_number_of_somebody_else_is_refused_even_with_replace(self, users):
        run("passwordless_link", "bob", NUMBER)
        with pytest.raises(CommandError, match="number for 'ann' belongs to another user"):
            run("passwordless_link", "ann", NUMBER, replace=True)
        assert {NUMBER: "bob"} == owned()

    def test_an_unknown_user_is_named(self, users):
        with pytest.raises(CommandError, match="There is no user 'eve'"):
            run("passwordless_link", "eve", NUMBER)

    @pytest.mark.parametrize(
        ("number", "why"),
        [
            ("call me", "it cannot be read"),
            ("+1415", "it is too short"),
            ("+4930123456", "landline"),
            ("", "Say USER NUMBER"),
            ("+19005550123", "cannot be read|of its kind"),
        ],
    )
    def test_a_number_that_gets_no_code_is_refused_with_the_reason(self, users, number, why):
        with pytest.raises(CommandError, match=why) as refused:
            run("passwordless_link", "ann", number)
        assert {} == owned()
        assert not number or number not in str(refused.value)

    @pytest.mark.parametrize("arguments", [(), ("ann",)])
    def test_needs_a_pair_or_a_file(self, users, arguments):
        with pytest.raises(CommandError, match="Say USER NUMBER, or --csv FILE"):
            run("passwordless_link", *arguments)

    def test_a_linked_number_logs_its_user_in(self, users, emulator):
        run("passwordless_link", "ann", NUMBER)
        handle = flow.start(NUMBER, Visitor()).handle
        assert users["ann"] == flow.check(handle, emulator.messages(NUMBER)[-1].code, Visitor()).user

    @pytest.mark.parametrize(
        "text", ["ann,{0}\nbob,{1}\n", "ann, {0}\r\n\r\nbob ,{1}", '\ufeff"ann","{0}"\n"bob","{1}"']
    )
    def test_a_file_links_all(self, users, file, text):
        said, _ = run("passwordless_link", csv=file(text.format(NUMBER, OTHER)))
        assert {NUMBER: "ann", OTHER: "bob"} == owned()
        assert ["ann: ••• 131", "bob: ••• 132"] == said.splitlines()

    @pytest.mark.parametrize(
        "last", [f"eve,{THIRD}", "bob,call me", f"bob,{NUMBER}", "bob", f"bob,{OTHER},x"]
    )
    def test_a_file_links_all_or_none(self, users, file, last):
        with pytest.raises(CommandError):
            run("passwordless_link", csv=file(f"ann,{NUMBER}\nbob,{OTHER}\n{last}\n"))
        assert ({}, []) == (owned(), events())

    def test_nobody_is_told_of_a_link_that_was_taken_back(self, users, file):
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("passwordless_link", csv=file(f"ann,{NUMBER}\neve,{OTHER}\n"), stdout=out)
        assert "" == out.getvalue()

    def test_replace_is_taken_back_too(self, users, file):
        run("passwordless_link", "ann", THIRD)
        with pytest.raises(CommandError):
            run("passwordless_link", csv=file(f"ann,{NUMBER}\neve,{OTHER}\n"), replace=True)
        assert {THIRD: "ann"} == owned()

    @pytest.mark.parametrize("text", ["ann,1\n\n\nbob\n", "\nann,1\n\nbob,1,2\n"])
    def test_a_line_that_is_none_is_named_as_an_editor_counts(self, users, file, text):
        with pytest.raises(CommandError, match=r"Line 4 of .*numbers\.csv is not user,number"):
            run("passwordless_link", csv=file(text))

    def test_a_file_that_is_not_there(self, users, tmp_path):
        with pytest.raises(CommandError, match="cannot be read"):
            run("passwordless_link", csv=tmp_path / "none.csv")

    def test_a_file_of_another_encoding(self, users, file):
        with pytest.raises(CommandError, match="cannot be read"):
            run("passwordless_link", csv=file(f"änn,{NUMBER}", "latin-1"))


class Typist:
    """Somebody at the prompt, who types what was prepared and then gives up."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def __call__(self, prompt):
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else EOFError
        if isinstance(answer, type):
            raise answer
        return answer() if callable(answer) else answer


@pytest.mark.django_db
class TestTry:
    @pytest.fixture
    def types(self, monkeypatch):
        def prepare(*answers):
            typist = Typist(*answers)
            monkeypatch.setattr(passwordless_try, "getpass", typist)
            return typist

        return prepare

    def code(self):
        return gateway.emulator().messages(NUMBER)[-1].code

    def test_the_right_code_says_that_the_settings_work(self, types):
        types(self.code)
        said, _ = run("passwordless_try", "(415) 555-0131")
        assert "A code is on its way to ••• 131." in said
        assert "The settings work." in said

    def test_shows_the_message_where_the_emulator_answers(self, types):
        types(self.code)
        said, _ = run("passwordless_try", NUMBER)
        assert f"The emulator sent: {gateway.emulator().messages(NUMBER)[-1].text}" in said

    def test_never_shows_the_number_or_the_request(self, types):
        types("000000", self.code)
        told = "".join(run("passwordless_try", NUMBER))
        assert [] == [
            text
            for text in (NUMBER, "4155550131", VerificationAttempt.objects.get().request_id)
            if text in told
        ]

    def test_logs_nobody_in_and_makes_no_user(self, types):
        types(self.code)
        run("passwordless_try", NUMBER)
        assert (0, 0) == (User.objects.count(), PhoneNumber.objects.count())

    def test_serves_no_session_that_wants_to_log_in(self, types):
        types(self.code)
        run("passwordless_try", NUMBER)
        row = VerificationAttempt.objects.get()
        assert (Purpose.CONFIRM, Status.VERIFIED, None) == (row.purpose, row.status, row.user)

    def test_a_number_of_the_staff_may_be_tried(self, types):
        PhoneNumber.objects.create(user=User.objects.create_superuser("root"), number=NUMBER)
        types(self.code)
        assert "The settings work." in run("passwordless_try", NUMBER)[0]

    def test_a_slip_costs_nothing_and_a_wrong_code_one_try(self, types, emulator):
        types("12", "letters", "", "000001", self.code)
        _, err = run("passwordless_try", NUMBER)
        assert 3 == err.count("A code has 6 digits.")
        assert "Wrong code. 2 tries left." in err
        assert 2 == emulator.count("check")

    def test_three_wrong_codes_end_it(self, types, emulator):
        typist = types(*["000001"] * 9)
        with pytest.raises(CommandError, match="Too many wrong codes"):
            run("passwordless_try", NUMBER)
        assert (3, 3) == (typist.asked, emulator.count("check"))

    @pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
    def test_giving_up_cancels(self, types, emulator, now, end):
        def later():
            now.shift(31)
            raise end

        types(later)
        with pytest.raises(CommandError, match=r"\ACancelled\.\Z"):
            run("passwordless_try", NUMBER)
        assert (1, Status.CANCELLED) == (emulator.count("cancel"), VerificationAttempt.objects.get().status)

    @pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
    def test_giving_up_within_thirty_seconds_cancels_nothing_and_says_so(self, types, emulator, end):
        types(end)
        with pytest.raises(CommandError, match=r"\ANot cancelled: Too early or too late to cancel\.\Z"):
            run("passwordless_try", NUMBER)
        assert (0, Status.PENDING) == (emulator.count("cancel"), VerificationAttempt.objects.get().status)

    def test_a_number_that_gets_no_code_is_refused(self, types):
        typist = types()
        with pytest.raises(CommandError, match="That number gets no code: it is a landline"):
            run("passwordless_try", "+4930123456")
        assert (0, 0) == (typist.asked, VerificationAttempt.objects.count())

    @pytest.mark.parametrize(
        ("number", "why"),
        [
            ("+12125550105", "credit"),
            ("+12125550107", "cannot be reached"),
            ("+12125550103", "No answer"),
            ("+12125550102", "rovider"),
        ],
    )
    def test_says_what_is_wrong_in_the_words_of_the_audit(self, types, number, why, caplog):
        typist = types()
        with pytest.raises(CommandError, match=why):
            run("passwordless_try", number)
        assert 0 == typist.asked

    def test_says_when_it_may_be_tried_again(self, types, settings):
        settings.PASSWORDLESS = {"EMULATOR": True, "LIMITS": {"sends_per_ip": "0/h"}}
        types()
        with pytest.raises(
            CommandError, match=r"Limit: sends from this address\. Again after 13:00:00 UTC\."
        ):
            run("passwordless_try", NUMBER)

    def test_without_credentials_it_says_what_to_set(self, types, settings):
        settings.PASSWORDLESS = {}
        types()
        with pytest.raises(CommandError, match="Set API_KEY and API_SECRET"):
            run("passwordless_try", NUMBER)

    def test_works_with_both_versions(self, types, settings):
        settings.PASSWORDLESS = {"EMULATOR": True, "VERIFY_VERSION": 1}
        types(self.code)
        assert "The settings work." in run("passwordless_try", NUMBER)[0]
        assert {"v1"} == {call.api for call in gateway.emulator().journal}


COMMANDS = ("passwordless_unlock", "passwordless_erase")


@pytest.mark.django_db
@pytest.mark.parametrize("command", COMMANDS)
class TestNumberOfACommand:
    @pytest.mark.parametrize("spelling", [NUMBER, "(415) 555-0131", "415.555.0131", "0014155550131"])
    def test_may_be_spelled_in_any_way(self, command, spelling):
        run(command, spelling)
        assert 1 == AttemptEvent.objects.filter(attempt=None).count()

    @pytest.mark.parametrize("number", ["call me", "+1415", "", "+1 415 555 013x"])
    def test_that_is_none_is_refused_and_not_repeated(self, command, number):
        with pytest.raises(CommandError, match="That is no number: ") as refused:
            run(command, number)
        assert (0, False) == (AttemptEvent.objects.count(), bool(number) and number in str(refused.value))

    @pytest.mark.parametrize(
        ("number", "why"),
        [
            ("", "it is empty"),
            ("call me", "it cannot be read"),
            ("+1415", "it is too short"),
            ("+1 415 555 0131 4567", "it is too long"),
        ],
    )
    def test_that_is_none_is_refused_in_words(self, command, number, why):
        with pytest.raises(CommandError, match=f"That is no number: {why}\\."):
            run(command, number)

    def test_may_be_one_that_is_no_longer_served(self, command, settings):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "COUNTRIES": ["SE"]}
        run(command, NUMBER)
        assert 1 == AttemptEvent.objects.count()

    def test_is_never_shown_and_never_written_down(self, command):
        attempt()
        told = "".join(run(command, NUMBER)) + str(list(AttemptEvent.objects.values()))
        assert "4155550131" not in told

    def test_is_needed(self, command):
        with pytest.raises(CommandError, match="number"):
            run(command)


@pytest.mark.django_db
class TestUnlock:
    def spend(self, number, settings):
        """Send to a number as often as it may be sent to."""
        settings.PASSWORDLESS = {
            **settings.PASSWORDLESS,
            "LIMITS": {**settings.PASSWORDLESS["LIMITS"], "sends_per_number": "1/d"},
        }
        handle = flow.start(number, Visitor()).handle
        flow.check(handle, gateway.emulator().messages(number)[-1].code, Visitor())

    def test_opens_what_the_limits_closed(self, settings):
        self.spend(NUMBER, settings)
        before = flow.start(NUMBER, Visitor()).reason
        run("passwordless_unlock", NUMBER)
        assert (Reason.LIMIT_NUMBER, Reason.OK) == (before, flow.start(NUMBER, Visitor()).reason)

    def test_opens_the_lock_after_too_many_failures(self, settings):
        settings.PASSWORDLESS = {**settings.PASSWORDLESS, "HARD_STOP": 1}
        handle = flow.start(NUMBER, Visitor()).handle
        flow.check(handle, "000001", Visitor())
        code = gateway.emulator().messages(NUMBER)[-1].code
        locked = flow.check(handle, code, Visitor()).reason
        run("passwordless_unlock", NUMBER)
        assert (Reason.LOCKED, True) == (locked, flow.check(handle, code, Visitor()).verified)

    def test_opens_nothing_of_others(self, settings):
        self.spend(OTHER, settings)
        run("passwordless_unlock", NUMBER)
        assert Reason.LIMIT_NUMBER == flow.start(OTHER, Visitor()).reason

    def test_opens_nothing_of_the_address(self, settings):
        settings.PASSWORDLESS = {
            **settings.PASSWORDLESS,
            "LIMITS": {**settings.PASSWORDLESS["LIMITS"], "sends_per_ip": "1/d"},
        }
        flow.start(OTHER, Visitor())
        run("passwordless_unlock", NUMBER)
        assert Reason.LIMIT_IP == flow.start(NUMBER, Visitor()).reason

    def test_opens_what_was_closed_under_a_key_that_is_rotated_out(self, settings):
        """A counter is carried over when it is next used: one that is left under the old key would lock again."""
        self.spend(NUMBER, settings)
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [settings.SECRET_KEY]
        run("passwordless_unlock", NUMBER)
        assert Reason.OK == flow.start(NUMBER, Visitor()).reason

    def test_says_and_writes_down_what_it_did(self, settings):
        self.spend(NUMBER, settings)
        held = Counter.objects.count()
        said, _ = run("passwordless_unlock", NUMBER)
        emptied = held - Counter.objects.count()
        assert emptied
        assert f"••• 131 is unlocked ({emptied} counters emptied).\n" == said
        assert [("unlocked", "••• 131")] == events()[-1:]

    def test_of_a_number_that_nobody_knows_is_written_down_too(self):
        assert "••• 131 is unlocked (0 counters emptied).\n" == run("passwordless_unlock", NUMBER)[0]
        assert [("unlocked", "••• 131")] == events()

    def test_says_one_counter_as_people_do(self):
        key = limits.hard_stop(NUMBER).key
        Counter.objects.create(key=key, used=1, ends_at=(NOW + timedelta(hours=1)).timestamp())
        assert "••• 131 is unlocked (1 counter emptied).\n" == run("passwordless_unlock", NUMBER)[0]


@pytest.mark.django_db
class TestErase:
    def test_forgets_the_number_the_user_and_the_visitor_of_each_attempt(self, users):
        attempt(user=users["ann"], ip="198.51.100.7", agent="Browser 1.0")
        attempt(ago=timedelta(days=1))
        assert "Unlinked, and erased from 2 attempts.\n" == run("passwordless_erase", NUMBER)[0]
        kept = VerificationAttempt.objects.values_list("number", "live_number", "user", "ip", "agent")
        assert [("", None, None, None, "")] * 2 == list(kept)

    def test_takes_the_number_from_its_user_who_stays(self, users):
        run("passwordless_link", "ann", NUMBER)
        run("passwordless_link", "bob", OTHER)
        run("passwordless_erase", NUMBER)
        assert {OTHER: "bob"} == owned()
        assert User.objects.filter(username="ann").exists()

    def test_says_one_attempt_as_people_do(self):
        attempt()
        assert "Unlinked, and erased from 1 attempt.\n" == run("passwordless_erase", NUMBER)[0]

    def test_leaves_others_alone(self):
        attempt(OTHER, ip="198.51.100.7")
        before = VerificationAttempt.objects.values().get()
        assert "Unlinked, and erased from 0 attempts.\n" == run("passwordless_erase", NUMBER)[0]
        assert before == VerificationAttempt.objects.values().get()

    def test_ends_an_attempt_that_is_open(self, emulator):
        handle = flow.start(NUMBER, Visitor()).handle
        run("passwordless_erase", NUMBER)
        outcome = flow.check(handle, emulator.messages(NUMBER)[-1].code, Visitor())
        assert (False, Status.EXPIRED) == (outcome.verified, VerificationAttempt.objects.get().status)

    def test_resets_no_limit(self, settings, emulator):
        settings.PASSWORDLESS = {
            **settings.PASSWORDLESS,
            "LIMITS": {**settings.PASSWORDLESS["LIMITS"], "sends_per_number": "1/d"},
        }
        handle = flow.start(NUMBER, Visitor()).handle
        flow.check(handle, emulator.messages(NUMBER)[-1].code, Visitor())
        run("passwordless_erase", NUMBER)
        assert Reason.LIMIT_NUMBER == flow.start(NUMBER, Visitor()).reason

    def test_is_written_down_without_a_digit(self):
        attempt()
        run("passwordless_erase", NUMBER)
        assert [("erased", "•••")] == events()

    def test_twice_finds_nothing_more(self):
        attempt()
        run("passwordless_erase", NUMBER)
        assert "Unlinked, and erased from 0 attempts.\n" == run("passwordless_erase", NUMBER)[0]


class TestEmulator:
    def test_serves_until_it_is_told_to_stop(self):
        command = [sys.executable, "-u", "-m", "django", "vonage_emulator", "--port=0"]
        place = {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": str(ROOT),
            "PATH": os.environ["PATH"],
        }
        with subprocess.Popen(command, cwd=ROOT, env=place, stdout=subprocess.PIPE, text=True) as server:
            try:
                said = iter(server.stdout.readline, "")
                url = next(
                    found[1] for line in said if (found := re.match(r"VONAGE_API_HOST=(http://127\S+)", line))
                )
                inbox = requests.get(f"{url}/_emulator/messages", timeout=10).json()
            finally:
                server.send_signal(signal.SIGTERM)
            assert ([], 0) == (inbox, server.wait(timeout=10))

    def test_refuses_other_machines(self):
        with pytest.raises(CommandError, match="loopback"):
            run("vonage_emulator", host="0.0.0.0", port=0)
