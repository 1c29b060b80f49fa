"""The backend: a handle and a code in, a user out, and the code in nobody else's hands."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate, get_user_model
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import PermissionDenied
from django.db.models import Manager, QuerySet
from django.test import RequestFactory

from passwordless import numbers
from passwordless.backends import PhoneBackend
from passwordless.models import PhoneNumber
from passwordless.outcomes import Handle
from passwordless.states import Public, Purpose, Reason, Status
from tests import support
from tests.support import NUMBER, OTHER, asked, attempt, begin, code


class Spy(BaseBackend):
    """A later backend that takes whatever it is given."""

    given: list = []

    def authenticate(self, request, **credentials):
        self.given.append(credentials)


@pytest.fixture(autouse=True)
def clock(db):
    with support.world() as traveller:
        yield traveller


@pytest.fixture
def spied(settings):
    """What reaches a backend behind ours."""
    settings.AUTHENTICATION_BACKENDS = [
        "passwordless.backends.PhoneBackend", f"{__name__}.Spy", "django.contrib.auth.backends.ModelBackend",
    ]  # fmt: skip
    Spy.given.clear()
    return Spy.given


@pytest.fixture
def failures():
    """What receivers of user_login_failed are told."""
    told = []

    def receiver(sender, credentials, request, **kwargs):
        told.append(credentials)

    user_login_failed.connect(receiver)
    yield told
    user_login_failed.disconnect(receiver)


def request(address="198.51.100.9"):
    return RequestFactory().post("/", REMOTE_ADDR=address, HTTP_USER_AGENT="Firefox")


def log_in(handle, text):
    return authenticate(request(), attempt=handle, secret_code=text)


class TestRightCode:
    def test_it_returns_the_user_and_leaves_the_outcome(self):
        handle = begin()
        user = log_in(handle, code())
        assert get_user_model().objects.get() == user
        assert "passwordless.backends.PhoneBackend" == user.backend
        assert (True, user) == (handle.outcome.verified, handle.outcome.user)

    def test_the_visitor_is_that_of_the_request(self):
        handle = begin()
        log_in(handle, code())
        assert ("198.51.100.9", "Firefox") == (attempt(handle).ip, attempt(handle).agent)

    def test_it_works_without_a_request(self):
        handle = begin()
        assert authenticate(attempt=handle, secret_code=code()) is not None

    def test_it_works_from_async_code(self):
        handle, other = begin(NUMBER), begin(OTHER)
        user = async_to_sync(aauthenticate)(request(), attempt=handle, secret_code=code())
        assert numbers.PhoneNumber.objects.get(number=NUMBER).user == user
        assert (
            async_to_sync(aauthenticate)(request(), attempt=other, secret_code=support.wrong(OTHER)) is None
        )
        assert (Reason.WRONG_CODE, 2) == (other.outcome.reason, asked("check")[0])


class TestEveryOtherVerdict:
    @pytest.mark.parametrize("purpose", [Purpose.CONFIRM, Purpose.LINK])
    def test_a_code_for_another_purpose_logs_nobody_in(self, purpose, spied):
        numbers.link(get_user_model().objects.create_user("somebody"), NUMBER)
        handle = begin(purpose=purpose)
        assert log_in(handle, code()) is None
        assert ([], Status.VERIFIED, None) == (spied, handle.outcome.status, handle.outcome.user)

    @pytest.mark.parametrize("verdict", ["wrong", "expired", "busy", "unknown", "unavailable", "replayed"])
    def test_no_later_backend_sees_the_code(self, verdict, spied, clock):
        handle, right = begin(), code()
        typed = support.wrong() if verdict == "wrong" else right
        if verdict == "expired":
            clock.shift(300)
        if verdict == "busy":
            attempt(handle).claim(support.BEGIN, limit=3)
        if verdict == "unknown":
            handle = Handle("no such key")
        if verdict == "unavailable":
            support.emulator().faults.add("hang", "check")
        if verdict == "replayed":
            log_in(handle, right)
        assert log_in(handle, typed) is None
        assert [] == spied
        assert not handle.outcome.verified

    def test_directly_it_raises_and_says_no_more_than_wrong(self):
        with pytest.raises(PermissionDenied, match=f"^{Public.WRONG.label}$"):
            PhoneBackend().authenticate(None, begin(), support.wrong())

    def test_a_guess_is_asked_once(self, spied):
        log_in(begin(), support.wrong())
        assert (1,) == asked("check")

    def test_a_user_shut_out_midway_is_refused(self, spied):
        somebody = get_user_model().objects.create_user("somebody")
        numbers.link(somebody, NUMBER)
        handle = begin()
        get_user_model().objects.update(is_active=False)
        assert log_in(handle, code()) is None
        assert Reason.INACTIVE_USER == handle.outcome.reason


class TestPasswords:
    def test_a_password_is_none_of_our_business(self, spied):
        get_user_model().objects.create_user("somebody", password="of the tests")
        assert authenticate(request(), username="somebody", password="of the tests") is not None
        assert (0,) == asked("check")

    def test_permissions_are_those_of_the_model_backend(self):
        somebody = get_user_model().objects.create_superuser("somebody")
        assert PhoneBackend().has_perm(somebody, "auth.view_user")

    @pytest.mark.parametrize("right", ["is_staff", "is_superuser"])
    def test_a_session_ends_with_the_right_to_log_in_by_phone(self, settings, right):
        somebody = get_user_model().objects.create_user("somebody")
        assert somebody == PhoneBackend().get_user(somebody.pk)
        get_user_model().objects.filter(pk=somebody.pk).update(**{right: True})
        assert PhoneBackend().get_user(somebody.pk) is None
        support.configure(settings, ALLOW_STAFF=True)
        assert somebody == PhoneBackend().get_user(somebody.pk)


class TestFailureSignal:
    def test_receivers_see_neither_code_nor_number_nor_key(self, failures):
        handle, typed = begin(), support.wrong()
        log_in(handle, typed)
        (credentials,) = failures
        text = repr(credentials)
        assert {"attempt", "secret_code"} == set(credentials)
        for secret in (typed, NUMBER[1:], handle.key, attempt(handle).request_id):
            assert secret not in text
            assert secret not in str(vars(handle)["outcome"])

    def test_it_comes_once_for_a_wrong_code_and_not_for_a_right_one(self, failures):
        handle = begin()
        log_in(handle, support.wrong())
        log_in(handle, code())
        assert 1 == len(failures)

    def test_the_repr_of_a_handle_is_masked(self):
        assert "Handle(purpose=Purpose.LOGIN, own=True)" == repr(Handle("a secret key"))


class TestHooks:
    def test_the_default_answers(self):
        backend = PhoneBackend()
        assert backend.find_user(NUMBER) is None
        user = backend.create_user(NUMBER)
        assert (user, True) == (backend.find_user(NUMBER), backend.may_log_in(user))

    def test_one_number_asks_for_its_user_in_one_statement(self, django_assert_num_queries):
        user = PhoneBackend().create_user(NUMBER)
        with django_assert_num_queries(1):
            assert user.username == PhoneBackend().find_user(NUMBER).username

    def test_numbers_are_told_apart(self):
        PhoneBackend().create_user(NUMBER)
        assert PhoneBackend().find_user(OTHER) is None


class OfTenant(QuerySet):
    """A query set that adds the tenant of the moment to each filter, as some sites' do."""

    tenant = "a"

    def filter(self, *args, **kwargs):
        return super().filter(*args, **kwargs, username__startswith=OfTenant.tenant)


def test_a_manager_made_of_a_query_set_is_asked_each_time(monkeypatch, django_user_model):
    manager = Manager.from_queryset(OfTenant)()
    manager.model = django_user_model
    user = django_user_model.objects.create(username="ada")
    PhoneNumber.objects.create(user=user, number=NUMBER)
    monkeypatch.setattr(django_user_model._meta, "default_manager", manager)
    assert user == PhoneBackend().find_user(NUMBER)
    monkeypatch.setattr(OfTenant, "tenant", "b")
    assert PhoneBackend().find_user(NUMBER) is None
