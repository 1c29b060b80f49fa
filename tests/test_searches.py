"""Searches for a number by staff who see masks: so many an hour, and no limit for those who see it all."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import translation

from passwordless.admin.searches import HOUR, MOST
from passwordless.models import Counter, PhoneNumber
from tests import support

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBER = "+14155550123"
LIST = reverse("admin:passwordless_verificationattempt_changelist")
NUMBERS = reverse("admin:passwordless_phonenumber_changelist")
TOO_MANY = "Too many tries. Try again in about 60 minutes."
VIEW, FULL = "view_verificationattempt", "view_full_number"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def row():
    return support.make_refused(NUMBER, channels="sms")


def clerk(*codenames, name="clerk"):
    """Return the browser of somebody of the staff with these permissions."""
    client = Client()
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def search(client, term=NUMBER, url=LIST):
    """Post a search; return how many were found, and what else was said."""
    answer = client.post(url, {"q": term}, follow=True)
    assert 200 == answer.status_code
    return len(answer.context["cl"].result_list), [str(one) for one in answer.context["messages"]]


def spend(client, count=MOST):
    for _ in range(count):
        assert 302 == client.post(LIST, {"q": "+14155550199"}).status_code


def test_j6_one_too_many_finds_nothing_and_says_how_long_to_wait(row):
    client = clerk(VIEW)
    spend(client, MOST - 1)
    assert (1, []) == search(client)
    assert (0, [TOO_MANY]) == search(client)


def test_the_wait_is_told_as_it_shrinks(row, clock):
    client = clerk(VIEW)
    spend(client)
    clock.shift(HOUR - 600)
    assert (0, ["Too many tries. Try again in about 10 minutes."]) == search(client)
    clock.shift(555)
    assert (0, ["Wait 45 more seconds before asking again."]) == search(client)


def test_the_next_hour_is_free_again(row, clock):
    client = clerk(VIEW)
    spend(client)
    clock.shift(HOUR - 1)
    assert 0 == search(client)[0]
    clock.shift(1)
    assert (1, []) == search(client)


def test_what_was_refused_is_not_counted(row):
    client = clerk(VIEW)
    spend(client, MOST + 5)
    assert [MOST] == list(Counter.objects.values_list("used", flat=True))


def test_others_of_the_staff_go_on(row):
    spend(clerk(VIEW))
    assert (1, []) == search(clerk(VIEW, name="other"))


@pytest.mark.parametrize("how", ["full", "superuser"])
def test_who_may_see_full_numbers_is_not_counted(row, how):
    client = clerk(VIEW, FULL)
    User.objects.filter(pk=User.objects.get().pk).update(is_superuser=how == "superuser")
    spend(client, MOST + 1)
    assert (1, []) == search(client)
    assert not Counter.objects.exists()


@pytest.mark.parametrize("term", ["", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "0123", "abcdefgh"])
def test_what_is_read_as_no_number_is_not_counted(row, term):
    client = clerk(VIEW)
    search(client, term)
    assert not Counter.objects.exists()
    spend(client)
    assert [] == search(client, term)[1]


def test_a_page_of_what_was_found_costs_nothing(row):
    client = clerk(VIEW)
    found = client.post(LIST, {"q": NUMBER})["Location"]
    spend(client, MOST - 1)
    assert [row] == list(client.get(LIST + found).context["cl"].result_list)


def test_a_number_in_an_address_counts_as_one_that_is_posted(row):
    client = clerk(VIEW)
    spend(client)
    answer = client.get(LIST, {"q": NUMBER, "period": "24h"})
    assert {"q=none", "period=24h"} == set(answer["Location"].lstrip("?").split("&"))
    assert [TOO_MANY] == [str(one) for one in get_messages(answer.wsgi_request)]


@pytest.mark.parametrize("spelling", ["(415) 555-0123", "0014155550123", "+1 415 555 0123"])
def test_every_spelling_counts(row, spelling):
    client = clerk(VIEW)
    spend(client)
    assert (0, [TOO_MANY]) == search(client, spelling)


def test_numbers_of_users_share_the_count(row):
    link = PhoneNumber.objects.create(user=User.objects.create_user("ann"), number=NUMBER)
    client = clerk(VIEW, "view_phonenumber")
    page = reverse("admin:passwordless_phonenumber_change", args=[link.pk])
    assert page == client.post(NUMBERS, {"q": NUMBER})["Location"]
    spend(client, MOST - 1)
    assert (0, [TOO_MANY]) == search(client, url=NUMBERS)


def test_it_holds_where_limits_are_only_recorded_and_counts_are_kept_elsewhere(row, settings):
    changes = {"LIMITS_ENFORCE": False, "LIMITS_STORAGE": "memory://"}
    settings.PASSWORDLESS = {**settings.PASSWORDLESS, **changes}
    client = clerk(VIEW)
    spend(client)
    assert (0, [TOO_MANY]) == search(client)
    assert [MOST] == list(Counter.objects.values_list("used", flat=True))


def test_who_may_not_look_spends_nothing(row):
    client = clerk()
    assert 403 == client.post(LIST, {"q": NUMBER}).status_code
    assert not Counter.objects.exists()


def test_it_is_said_in_the_language_of_the_page(row):
    client = clerk(VIEW)
    spend(client)
    with translation.override("de"):
        assert (0, ["Zu viele Versuche. Versuchen Sie es in etwa 60 Minuten erneut."]) == search(client)


def test_the_form_that_links_a_number_is_a_search_as_well():
    owner = User.objects.create_user("owner")
    PhoneNumber.objects.create(user=owner, number=NUMBER)
    client = clerk("view_phonenumber", "add_phonenumber")
    form = {"user": "999999", "number": NUMBER}
    add = reverse("admin:passwordless_phonenumber_add")
    for _ in range(MOST):
        assert "already exists" in client.post(add, form).content.decode()
    refused = client.post(add, form).content.decode()
    assert (True, False) == (TOO_MANY in refused, "already exists" in refused)
    assert "already exists" in clerk("add_phonenumber", FULL, name="other").post(add, form).content.decode()


def test_who_looked_at_numbers_stands_in_one_list_and_outlives_the_attempt(row):
    client = clerk(VIEW, FULL)
    client.post(reverse("admin:passwordless_verificationattempt_number", args=[row.pk]))
    reference = row.reference
    row.delete()
    page = client.get(
        reverse("admin:passwordless_attemptevent_changelist"), {"kind": "looked"}
    ).content.decode()
    assert (True, True, False) == (reference in page, "clerk" in page, NUMBER[1:] in page)
