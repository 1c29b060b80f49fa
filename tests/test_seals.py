"""HMACs and encryption under the site's keys: Django's own seals, the newest key first, known under old ones."""

import pytest
from django.test import override_settings
from django.utils.crypto import salted_hmac
from hypothesis import given
from hypothesis import strategies as st

from passwordless import seals

SALT = "passwordless.number"


@given(salt=st.text(), value=st.text(), secret=st.one_of(st.text(min_size=1), st.binary(min_size=1)))
def test_a_seal_is_what_django_makes_of_it(salt, value, secret):
    with override_settings(SECRET_KEY=secret, SECRET_KEY_FALLBACKS=[]):
        django = salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()
        assert [django] == seals.seals(salt, value) == [seals.seal(salt, value)]


def test_each_use_has_seals_of_its_own():
    assert seals.seal(SALT, "value") != seals.seal("passwordless.ticket", "value")


class TestRotation:
    @pytest.fixture(autouse=True)
    def before(self, settings):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "old", []
        self.old = seals.seal(SALT, "value")
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old", "older"]

    def test_writes_with_the_newest(self):
        assert seals.seal(SALT, "value") == seals.seals(SALT, "value")[0] != self.old

    def test_knows_the_one_before(self):
        assert self.old == seals.seals(SALT, "value")[1]
        assert seals.fits(self.old, SALT, "value")

    def test_forgets_it_when_it_is_gone(self, settings):
        settings.SECRET_KEY_FALLBACKS = []
        assert not seals.fits(self.old, SALT, "value")


@pytest.mark.parametrize(
    ("given", "length", "fits"),
    [
        (lambda seal: seal, 64, True),
        (lambda seal: seal[:20], 20, True),
        (lambda seal: seal[:19], 20, False),
        (lambda seal: seal[:21], 20, False),
        (lambda seal: seal.upper(), 64, False),
        (lambda seal: "", 20, False),
        (lambda seal: "ü" * 20, 20, False),
    ],
)
def test_a_seal_is_taken_at_its_own_length_only(given, length, fits):
    assert fits is seals.fits(given(seals.seal(SALT, "value")), SALT, "value", length)


def test_what_is_encrypted_is_read_for_its_own_use_only():
    told = seals.encrypt(SALT, "ü🔑")
    assert "ü🔑" == seals.decrypt(SALT, told, 60)
    assert seals.decrypt("passwordless.ticket", told, 60) is None
