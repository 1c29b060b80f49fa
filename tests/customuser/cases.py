"""Run by tests/test_custom_user.py in a process of its own, since a user model is chosen once a process."""

import re

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.db import IntegrityError

from passwordless import flow, people
from passwordless.models import PhoneNumber, VerificationAttempt
from passwordless.states import Reason
from tests import support
from tests.customuser.models import Person
from tests.support import NUMBER, OTHER, OWNER, attempt, begin, code


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


def ticket(response):
    return re.search(r'name="ticket" value="([^"]+)"', response.content.decode())[1]


def test_the_whole_login_through_the_pages(client):
    client.post("/login/", {"number": NUMBER})
    page = client.get("/login/code/")
    done = client.post("/login/code/", {"code": code(), "ticket": ticket(page)})
    person = Person.objects.get()
    assert (302, NUMBER, str(person.pk)) == (done.status_code, person.phone, client.session["_auth_user_id"])
    assert not person.has_usable_password()


def test_the_known_are_found_and_our_own_table_stays_empty():
    person = Person.objects.create(phone=NUMBER, email="somebody@example.com")
    handle = begin()
    assert person == authenticate(attempt=handle, secret_code=code())
    assert (1, 0, person) == (Person.objects.count(), PhoneNumber.objects.count(), attempt(handle).user)


def test_the_inactive_are_sent_nothing():
    Person.objects.create(phone=NUMBER, is_active=False)
    assert Reason.INACTIVE_USER == attempt(begin()).reason
    assert [] == support.emulator().messages()


def test_a_model_without_staff_needs_no_such_columns():
    assert Reason.OK == people.judge(Person.objects.create(phone=NUMBER))


def test_without_sign_up_strangers_get_a_decoy(settings):
    support.configure(settings, SIGNUP=False)
    Person.objects.create(phone=OTHER)
    begin(NUMBER)
    begin(OTHER)
    assert [OTHER] == [message.to for message in support.emulator().messages()]


def test_a_number_has_one_person_also_in_a_race(monkeypatch):
    person = Person.objects.create(phone=NUMBER)
    answers = iter([None, person])
    monkeypatch.setattr("tests.customuser.backends.PersonBackend.find_user", lambda *args: next(answers))
    assert person == people.find_or_create(NUMBER)
    with pytest.raises(IntegrityError):
        people.directory().create_user(NUMBER)


def test_deleting_a_person_leaves_the_audit():
    flow.check(begin(), code(), OWNER)
    Person.objects.get().delete()
    assert (1, None) == (VerificationAttempt.objects.count(), VerificationAttempt.objects.get().user)


def test_the_checks_and_the_migrations_are_content():
    call_command("check", fail_level="ERROR")
    call_command("makemigrations", "passwordless", check=True, dry_run=True, verbosity=0)
