"""Linking and taking away: who has a number, and what becomes of sessions when it goes."""

import pytest
from django.contrib.auth import get_user_model

from passwordless import flow, numbers
from passwordless.models import AttemptEvent
from passwordless.states import EventKind
from tests import support
from tests.support import NUMBER, OTHER
from tests.test_login import Browser


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


def logged_in():
    browser = Browser()
    browser.begin(NUMBER)
    browser.type(support.code(NUMBER))
    assert browser.user_id is not None
    return browser


def private(browser):
    return browser.get("/private/").status_code


def test_other_sessions_of_a_user_end_when_the_phone_is_unlinked():
    browser = logged_in()
    row = get_user_model().objects.get(pk=browser.user_id).phone_numbers.get()
    assert 200 == private(browser)
    numbers.unlink(row)
    assert 302 == private(browser)


def test_erasing_somebody_ends_their_sessions():
    browser = logged_in()
    flow.erase(NUMBER)
    assert 302 == private(browser)


def test_a_real_password_is_never_touched():
    user = get_user_model().objects.create_user("somebody", password="of the tests")
    before = user.password
    numbers.unlink(numbers.link(user, NUMBER))
    user.refresh_from_db()
    assert before == user.password


def test_replacing_takes_the_others_away_on_record():
    user = get_user_model().objects.create_user("somebody")
    numbers.link(user, NUMBER)
    numbers.link(user, OTHER, replace=True)
    assert [OTHER] == list(user.phone_numbers.values_list("number", flat=True))
    kinds = AttemptEvent.objects.order_by("pk").values_list("kind", flat=True)
    assert [EventKind.LINKED, EventKind.LINKED, EventKind.UNLINKED] == list(kinds)
