"""Whose number it is, who may log in, and one user for one number."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError

from passwordless import flow, numbers, people
from passwordless.backends import PhoneBackend
from passwordless.models import PhoneNumber
from passwordless.states import Public, Reason, Status
from tests import support
from tests.support import NUMBER, OTHER, OWNER, attempt, begin


class Overtaken(PhoneBackend):
    """A site where somebody else links the number just after it was looked for in vain, `misses` times."""

    misses = 0
    facts: dict = {}

    def find_user(self, number):
        if not Overtaken.misses:
            return super().find_user(number)
        Overtaken.misses -= 1
        if not Overtaken.misses:
            numbers.link(get_user_model().objects.create_user("faster", **self.facts), number)
        return None


class Inactive(Overtaken):
    facts = {"is_active": False}


class Staff(Overtaken):
    facts = {"is_staff": True}


class Picky(PhoneBackend):
    """A site that lets in only some."""

    def may_log_in(self, user):
        return user.username != "banned"


class Broken(PhoneBackend):
    """A site whose own table refuses the new user."""

    def create_user(self, number):
        raise IntegrityError("of the site")


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


def use(settings, backend):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.{backend.__name__}"]


def race(settings, backend, misses):
    use(settings, backend)
    Overtaken.misses = misses


def user(name="somebody", **facts):
    return get_user_model().objects.create_user(name, **facts)


class TestDirectory:
    def test_it_is_the_phone_backend_wherever_it_stands(self, settings):
        settings.AUTHENTICATION_BACKENDS = [
            "django.contrib.auth.backends.ModelBackend", f"{__name__}.Picky",
        ]  # fmt: skip
        assert "Picky" == type(people.directory()).__name__

    def test_without_one_the_site_is_told_what_to_add(self, settings):
        settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
        with pytest.raises(ImproperlyConfigured, match=r"passwordless\.backends\.PhoneBackend"):
            people.find(NUMBER)


class TestJudgement:
    @pytest.mark.parametrize(
        ("facts", "changes", "verdict"),
        [
            ({}, {}, Reason.OK),
            ({"is_active": False}, {}, Reason.INACTIVE_USER),
            ({"is_active": False, "is_staff": True}, {"ALLOW_STAFF": True}, Reason.INACTIVE_USER),
            ({"is_staff": True}, {}, Reason.STAFF_USER),
            ({"is_superuser": True}, {}, Reason.STAFF_USER),
            ({"is_staff": True}, {"ALLOW_STAFF": True}, Reason.OK),
            ({"is_superuser": True}, {"ALLOW_STAFF": True}, Reason.OK),
        ],
    )
    def test_of_a_user(self, facts, changes, verdict, settings):
        support.configure(settings, **changes)
        assert verdict == people.judge(user(**facts))

    @pytest.mark.parametrize(("signup", "verdict"), [(True, Reason.OK), (False, Reason.UNKNOWN_NUMBER)])
    def test_of_a_newcomer(self, signup, verdict, settings):
        support.configure(settings, SIGNUP=signup)
        assert verdict == people.judge(None)

    def test_the_site_has_a_say(self, settings):
        use(settings, Picky)
        assert [Reason.NOT_ALLOWED, Reason.OK] == [people.judge(user("banned")), people.judge(user("fine"))]

    def test_a_user_whom_the_site_bars_is_sent_nothing(self, settings):
        use(settings, Picky)
        numbers.link(user("banned"), NUMBER)
        assert Reason.NOT_ALLOWED == attempt(begin()).reason
        assert [] == support.emulator().messages(NUMBER)


class TestFindOrCreate:
    def test_a_user_is_found_by_any_of_their_numbers(self):
        somebody = user()
        for number in (NUMBER, OTHER):
            numbers.link(somebody, number)
        assert [somebody, somebody] == [people.find(NUMBER), people.find_or_create(OTHER)]

    def test_nobody_is_found_by_a_number_that_nobody_has(self):
        assert people.find(NUMBER) is None

    def test_two_at_once_get_the_same_user(self, settings):
        race(settings, Overtaken, misses=1)
        assert "faster" == people.find_or_create(NUMBER).username
        assert (1, 1) == (User.objects.count(), PhoneNumber.objects.count())

    def test_the_loser_of_a_race_logs_in_as_the_user_of_the_winner(self, settings):
        handle = begin()
        race(settings, Overtaken, misses=2)
        outcome = flow.check(handle, support.code(), OWNER)
        assert (True, "faster") == (outcome.verified, outcome.user.username)
        assert outcome.user == attempt(handle).user

    @pytest.mark.parametrize("misses", [1, 2])
    @pytest.mark.parametrize(
        ("backend", "reason"), [(Inactive, Reason.INACTIVE_USER), (Staff, Reason.STAFF_USER)]
    )
    def test_a_user_who_appears_that_late_is_judged_too(self, backend, reason, misses, settings):
        handle = begin()
        race(settings, backend, misses)
        outcome = flow.check(handle, support.code(), OWNER)
        assert (False, None, Public.WRONG) == (outcome.verified, outcome.user, outcome.public)
        assert reason == outcome.reason

    def test_an_error_of_the_site_is_not_hidden_and_lets_nobody_in(self, settings):
        use(settings, Broken)
        handle = begin()
        with pytest.raises(IntegrityError, match="of the site"):
            flow.check(handle, support.code(), OWNER)
        assert Status.VERIFIED != attempt(handle).status
        assert 0 == User.objects.count()


class TestNewcomers:
    def test_the_name_is_random_and_tells_no_number(self):
        names = {people.find_or_create(f"+1415555011{n}").username for n in range(10)}
        assert 10 == len(names)
        assert {21} == {len(name) for name in names}
        assert not any("555" in name and "415" in name for name in names)

    def test_there_is_no_password_to_guess(self):
        newcomer = people.find_or_create(NUMBER)
        assert not newcomer.has_usable_password()
        assert (False, False) == (newcomer.is_staff, newcomer.is_superuser)

    def test_user_and_number_are_made_together_or_not_at_all(self):
        numbers.link(user(), NUMBER)
        with pytest.raises(IntegrityError):
            PhoneBackend().create_user(NUMBER)
        assert 1 == User.objects.count()


class Finder:
    def find_user(self, number):
        return None


class Judge:
    def may_log_in(self, user):
        return True


class Maker(PhoneBackend):
    def create_user(self, number):
        raise AssertionError("the number has a user")


@pytest.mark.parametrize("name", ["Finder", "Judge"])
def test_half_a_directory_is_passed_by(name, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.{name}", "passwordless.backends.PhoneBackend"]
    assert isinstance(people.directory(), PhoneBackend)


def test_nobody_is_made_for_a_number_that_has_a_user(settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Maker"]
    user = get_user_model().objects.create_user("known")
    numbers.link(user, NUMBER)
    assert user == people.find_or_create(NUMBER)
