"""Which gateway the settings ask for: Vonage, or its emulator, but never that one by accident."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from passwordless import gateway
from passwordless.states import Reason
from passwordless.vonage.dialect import Order, Unavailable
from tests import support

KEYS = {"API_KEY": "abcd1234", "API_SECRET": "a secret of the tests"}
ORDER = Order(number=support.NUMBER, channels=["sms"], reference="of the tests")


@pytest.fixture
def bare(settings):
    """A site that has set nothing."""
    settings.PASSWORDLESS = {}
    settings.DEBUG = False
    return settings


class TestInProcess:
    @pytest.mark.parametrize(
        ("debug", "given", "answers"),
        [
            (False, {}, False),
            (True, {}, True),
            (False, {"EMULATOR": True}, True),
            (True, {"EMULATOR": False}, False),
            (True, KEYS, False),
            (True, {**KEYS, "EMULATOR": True}, True),
            (True, {"API_KEY": "abcd1234"}, True),
            (True, {"API_HOST": "http://127.0.0.1:8002"}, False),
            (True, {"APPLICATION_ID": "a", "PRIVATE_KEY": "b"}, False),
        ],
    )
    def test_it_never_opens_by_accident(self, debug, given, answers, bare):
        bare.DEBUG = debug
        bare.PASSWORDLESS = given
        assert answers is gateway.in_process()
        assert answers is (gateway.emulator() is not None)

    def test_everybody_shares_one(self, bare):
        support.configure(bare, EMULATOR=True)
        assert gateway.emulator() is gateway.emulator()

    def test_reserved_numbers_of_a_site_play_outcomes(self, bare):
        support.configure(bare, EMULATOR=True, RESERVED_NUMBERS=["+14155550105"])
        order = Order(number="+14155550105", channels=["sms"])
        gateway.emulator().clear()
        assert Reason.NO_CREDIT == gateway.dialect().start(order).reason

    @pytest.mark.parametrize("name", ["v1", "v2"])
    def test_both_dialects_ask_it(self, name, bare):
        support.configure(bare, EMULATOR=True)
        gateway.emulator().clear()
        assert Reason.OK == gateway.dialect(name).start(ORDER).reason
        assert [name] == [call.api for call in gateway.emulator().journal]


class TestCredentials:
    def test_without_any_the_site_is_told_what_to_set(self, bare):
        with pytest.raises(ImproperlyConfigured, match="API_KEY and API_SECRET"):
            gateway.dialect()

    @pytest.mark.parametrize("name", ["API_KEY", "API_SECRET", "APPLICATION_ID", "PRIVATE_KEY"])
    def test_half_a_pair_is_refused_and_not_repeated(self, name, bare):
        bare.PASSWORDLESS = {**KEYS, name: "half of a secret"}
        if name in KEYS:
            bare.PASSWORDLESS = {name: "half of a secret"}
        with pytest.raises(ImproperlyConfigured) as refused:
            gateway.dialect()
        assert "half of a secret" not in str(refused.value)

    def test_key_and_secret_are_enough(self, bare):
        bare.PASSWORDLESS = KEYS
        assert ("v2", True) == (gateway.dialect().name, gateway.has_credentials())

    def test_tokens_are_of_no_use_to_v1(self, bare):
        bare.PASSWORDLESS = {"APPLICATION_ID": "a", "PRIVATE_KEY": "b"}
        assert gateway.has_credentials()
        support.configure(bare, VERIFY_VERSION=1)
        assert not gateway.has_credentials()

    def test_an_emulator_on_loopback_takes_anybody(self, bare):
        bare.PASSWORDLESS = {"API_HOST": "http://127.0.0.1:9", "CONNECT_TIMEOUT": 0.5}
        with pytest.raises(Unavailable) as refused:
            gateway.dialect().start(ORDER)
        assert refused.value.sent is False

    @pytest.mark.parametrize("host", ["http://api.nexmo.com", "http://192.0.2.1:8002"])
    def test_plain_http_leaves_this_machine_never(self, host, bare):
        bare.PASSWORDLESS = {**KEYS, "API_HOST": host}
        with pytest.raises((ImproperlyConfigured, ValueError)) as refused:
            gateway.dialect()
        assert KEYS["API_SECRET"] not in str(refused.value)


class TestBuilding:
    def test_the_setting_chooses_the_version(self, settings):
        names = []
        for version in (1, 2):
            support.configure(settings, VERIFY_VERSION=version)
            names.append(gateway.dialect().name)
        assert ["v1", "v2"] == names

    def test_a_name_overrules_the_setting(self, settings):
        support.configure(settings, VERIFY_VERSION=2)
        assert ["v1", "v2", "decoy"] == [gateway.dialect(name).name for name in ("v1", "v2", "decoy")]

    def test_it_is_built_once_and_anew_when_a_setting_changes(self, settings):
        first = gateway.dialect()
        assert gateway.dialect() is first
        support.configure(settings, BRAND_NAME="Another")
        assert gateway.dialect() is not first
        support.configure(settings, BRAND_NAME="Example")
        assert gateway.dialect() is first

    def test_only_a_few_are_kept(self, settings):
        first = gateway.dialect()
        for length in range(60, 70):
            support.configure(settings, ATTEMPT_LIFETIME=length)
            gateway.dialect()
        support.configure(settings, ATTEMPT_LIFETIME=300)
        assert gateway.dialect() is not first

    def test_a_decoy_asks_nobody(self, settings):
        gateway.emulator().clear()
        decoy = gateway.dialect("decoy")
        assert [Reason.OK, Reason.WRONG_CODE, Reason.OK] == [
            decoy.start(ORDER).reason, decoy.check("", "123456").reason, decoy.advance("").reason,
        ]  # fmt: skip
        assert [] == gateway.emulator().journal


class TestMultiprocess:
    def test_an_emulator_in_each_process_is_refused_and_the_way_out_named(self, settings):
        with pytest.raises(ImproperlyConfigured, match="vonage_emulator"):
            gateway.refuse_multiprocess({"wsgi.multiprocess": True})

    def test_one_process_or_no_emulator_is_fine(self, settings):
        gateway.refuse_multiprocess({"wsgi.multiprocess": False})
        gateway.refuse_multiprocess(RequestFactory().get("/").META)
        settings.PASSWORDLESS = KEYS
        gateway.refuse_multiprocess({"wsgi.multiprocess": True})
        assert gateway.emulator() is None
