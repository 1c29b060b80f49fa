"""What `check` says of a site's settings: stable ids, hints that mend, never a crash."""

import ast
import inspect
import re
from contextlib import suppress

import pytest
from django.conf import settings as site
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.checks import Tags, run_checks
from django.core.checks.registry import registry
from django.core.management import CommandError, call_command
from django.test import override_settings

from passwordless import apps, bounds, checks, limits, phones, surroundings
from passwordless.backends import PhoneBackend
from passwordless.conf import DEFAULTS
from passwordless.vonage.signature import MIN_SECRET

PHONE = "passwordless.backends.PhoneBackend"
MODEL = "django.contrib.auth.backends.ModelBackend"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
LOGINS = "django.contrib.auth.middleware.AuthenticationMiddleware"
GOOD = {"EMULATOR": True, "COUNTRIES": ["US", "CA"]}
LIVE = {"API_KEY": "abcdef01", "API_SECRET": "a-secret-0123456789", "COUNTRIES": ["US", "CA"]}
V1 = {"VERIFY_VERSION": 1}
STORES = [
    *("redis://127.0.0.1:6379/0", "rediss://:secret@redis.example:6380", "redis+sentinel://10.0.0.1/service"),
    *("redis+cluster://10.0.0.1:7000", "redis+unix:///run/redis.sock", "memory://"),
]
WHATSAPP = {"CHANNELS": ["whatsapp"], "WHATSAPP_SENDER": "12125550100"}


class SecondBackend(PhoneBackend):
    """Another phone backend, as a site might leave beside ours."""


class OwnBackend(ModelBackend):
    """A backend that has nothing to do with phones."""


def messages(deploy=False, base=GOOD, site_settings=None, **given):
    """Return what our checks say of these settings."""
    with override_settings(PASSWORDLESS={**base, **given}, **(site_settings or {})):
        return found(deploy)


def found(deploy=False):
    told = run_checks(include_deployment_checks=deploy)
    return [message for message in told if message.id.startswith("passwordless.")]


def ids(*args, **kwargs):
    return [message.id.removeprefix("passwordless.") for message in messages(*args, **kwargs)]


class TestClean:
    def test_the_defaults_with_the_emulator(self):
        assert [] == ids(base={"EMULATOR": True})

    def test_a_site_that_says_which_countries_it_serves(self):
        assert [] == ids(base=LIVE)

    def test_a_site_in_production(self):
        assert [] == ids(deploy=True, base=LIVE)

    def test_a_fresh_site_with_debug_and_no_settings(self, settings):
        settings.DEBUG = True
        del settings.PASSWORDLESS
        assert [] == found()

    @pytest.mark.parametrize(
        "given",
        [
            {"CODE_LENGTH": 10},
            {"ATTEMPT_LIFETIME": 600},
            {"MAX_GUESSES": 1},
            {"BRAND_NAME": "x" * 18},
            {"BRAND_NAME": "Ægir & Søn"},
            {"SENDER": "Acme"},
            {"SENDER": "12125550100"},
            {"CHANNELS": ["voice"]},
            {"CHANNELS": ("sms", "sms", "voice")},
            {"COUNTRIES": {"US"}},
            {"COUNTRIES": frozenset({"US"})},
            {"NUMBER_TYPES": ["voip", "fixed_line"]},
            {"LIMITS": {"sends_per_ip": None}},
            {"LIMITS": {"fails_per_ip": "30/10min,100/d"}},
            {"LIMITS": dict.fromkeys(limits.DEFAULTS)},
            *({"LIMITS_STORAGE": address} for address in STORES),
            {"LIMITS_ENFORCE": False},
            {"PUMPING_GUARD": None},
            {"PUMPING_GUARD": "enforce"},
            {"HARD_STOP": 1},
            {"HARD_STOP": 100},
            {"NUMBER_DAYS": 1, "VISITOR_DAYS": 1, "RETENTION_DAYS": 2},
            {"NUMBER_DAYS": 365, "VISITOR_DAYS": 365, "RETENTION_DAYS": 365},
            {"SIGNATURE_SECRET": "x" * 32},
            {"SIGNATURE_SECRET": ["x" * 32, "y" * 40]},
            {"SIGNATURE_SECRET": ("x" * 32,)},
            {"SIGNATURE_SECRET": []},
            {"DEFAULT_REGION": "GB", "COUNTRIES": ["GB", "XK", "SE"]},
            {"DEFAULT_REGION": ""},
            {"FAVOURITE_COUNTRIES": ["GB", "US"]},
            {"FAVOURITE_COUNTRIES": ("US",)},
            {"LOCALES": {"ca": "es-es"}},
            {"RESEND_WAITS": [30]},
            {"API_HOST": "api-eu.vonage.com"},
            {"API_HOST": "api.nexmo.com:443"},
            {"API_HOST": "http://127.0.0.1:8002"},
            {"API_HOST": "http://localhost:8002"},
            {"API_HOST": "http://[::1]:8002"},
            {"START_TIMEOUT": 8},
            {"TRUSTED_PROXY_COUNT": 2},
            WHATSAPP,
            {**V1, "CODE_LENGTH": 6},
            {**V1, "CHANNELS": ["sms", "voice", "voice"]},
        ],
        ids=str,
    )
    def test_what_is_legal_is_left_alone(self, given):
        assert [] == ids(**given)


WRONG_TYPES = [
    *(
        (name, "6")
        for name in ("CODE_LENGTH", "MAX_GUESSES", "ATTEMPT_LIFETIME", "VERIFY_VERSION", "MAX_CALLS")
    ),
    *((name, True) for name in ("CODE_LENGTH", "TRUSTED_PROXY_COUNT", "VERIFY_VERSION", "BRAND_NAME")),
    *(
        (name, None)
        for name in ("API_KEY", "API_SECRET", "PRIVATE_KEY", "BRAND_NAME", "LIMITS", "RESEND_WAITS")
    ),
    *(
        (name, "sms")
        for name in (
            "CHANNELS",
            "COUNTRIES",
            "FAVOURITE_COUNTRIES",
            "NUMBER_TYPES",
            "RESEND_WAITS",
            "RESERVED_NUMBERS",
        )
    ),
    *((name, "yes") for name in ("EMULATOR", "SIGNUP", "ALLOW_STAFF", "FRAUD_CHECK")),
    *((name, 1) for name in ("EMULATOR", "SIGNUP", "ALLOW_STAFF", "API_KEY", "API_HOST", "LIMITS")),
    ("API_KEY", b"abcdef01"),
    *((name, "30") for name in ("HARD_STOP", "NUMBER_DAYS", "VISITOR_DAYS", "RETENTION_DAYS")),
    *(
        (name, None)
        for name in ("HARD_STOP", "NUMBER_DAYS", "VISITOR_DAYS", "LIMITS_STORAGE", "LIMITS_ENFORCE")
    ),
    *((name, True) for name in ("HARD_STOP", "PUMPING_GUARD", "SIGNATURE_SECRET", "LIMITS_STORAGE")),
    *((name, 1) for name in ("LIMITS_ENFORCE", "PUMPING_GUARD", "EMULATOR_WEBHOOK_URL", "SIGNATURE_SECRET")),
    ("SIGNATURE_SECRET", b"x" * 32),
    ("SIGNATURE_SECRET", None),
    *((name, None) for name in ("DEFAULT_REGION", "FAVOURITE_COUNTRIES", "LOCALES")),
    ("LOCALES", [("ca", "es-es")]),
]
CASES = {
    "E002": [{"CHANELS": ["sms"]}, {"api_key": "abcdef01"}, {"WEBHOOKS_AND_MORE": 1}],
    "E003": [{name: value} for name, value in WRONG_TYPES],
    "E004": [
        *({"MAX_GUESSES": value} for value in (0, 4, -1)),
        *({"ATTEMPT_LIFETIME": value} for value in (59, 601, 0)),
        *({"CODE_LENGTH": value} for value in (3, 11)),
        *(
            {name: value}
            for name in ("CONNECT_TIMEOUT", "START_TIMEOUT", "CHECK_TIMEOUT")
            for value in (0, 61, -1)
        ),
        {"START_TIMEOUT": float("nan")},
        {"MAX_CALLS": 0},
        {"TRUSTED_PROXY_COUNT": -1},
        *(
            {name: value}
            for name in ("NUMBER_DAYS", "VISITOR_DAYS", "RETENTION_DAYS")
            for value in (-1, 0, 366)
        ),
        *({"HARD_STOP": value} for value in (-1, 0, 101, 10**9)),
        *({"PUMPING_GUARD": value} for value in ("", "off", "Record", "enforced")),
        {"VERIFY_VERSION": 3},
        {"VERIFY_VERSION": 0},
        {**V1, "CODE_LENGTH": 5},
        {**V1, "CODE_LENGTH": 8},
        *({"RESEND_WAITS": value} for value in ([], [29], [30, 1], ["30"], [None])),
    ],
    "E005": [
        *({"BRAND_NAME": value} for value in ("", "x" * 19, "a/b", "a{b", "a}b", "a:b", "a$b")),
        *({"SENDER": value} for value in ("ab", "x" * 12, "Ac me", "1" * 16, "+12125550100", "Acmé")),
        *({"LOCALE": value} for value in ("en_us", "en us", "-", "x" * 40)),
        *({"LOCALES": {"pl": value}} for value in ("", 5, None, "pl_pl", ["pl-pl"])),
    ],
    "E006": [
        *({"CHANNELS": value} for value in ([], ["email"], ["SMS"], ["sms"] * 4, [1], ["whatsapp"])),
        *({**V1, "CHANNELS": value} for value in (["voice", "sms"], ["sms", "sms", "sms"])),
        {**V1, **WHATSAPP},
    ],
    "E007": [
        *({"COUNTRIES": value} for value in ([], ["us"], ["USA"], ["001"], [1], [None], ["US", ""])),
        *({"DEFAULT_REGION": value} for value in ("us", "USA", "001", "+1", "UK", "ZZ", "AQ")),
        *({"COUNTRIES": value} for value in (["UK"], ["US", "EL"], {"ZZ"}, ["AQ"])),
        *(
            {"FAVOURITE_COUNTRIES": value}
            for value in (["us"], ["USA"], ["UK"], ["US", "ZZ"], [""], [1], [["US"]])
        ),
        *({"NUMBER_TYPES": value} for value in (["toll_free"], ["MOBILE"], [1])),
    ],
    "E008": [
        {"LIMITS": {"sends_per_nunber": "5/h"}},
        {"LIMITS": {"guesses": "5/h"}},
        *(
            {"LIMITS_STORAGE": value}
            for value in (
                "redis",
                "127.0.0.1:6379",
                "http://127.0.0.1",
                "redis:/x",
                "memcached://x",
                " redis://x",
            )
        ),
        *({"LIMITS": {name: "5"}} for name in limits.DEFAULTS),
        *(
            {"LIMITS": {"sends_per_ip": value}}
            for value in (
                "5",
                "5/",
                "/h",
                "5/week",
                "-5/h",
                "5.5/h",
                "five/h",
                "5/h;10/d",
                "",
                ",",
                "5/h,",
                5,
                [],
                {},
            )
        ),
    ],
    "E009": [
        {"API_HOST": value}
        for value in (
            *(
                "",
                "https://api.nexmo.com",
                "http://api.nexmo.com",
                "http://10.0.0.1:80",
                "http://127.0.0.1.evil.test",
            ),
            *(
                "api.nexmo.com/v2",
                "api.nexmo.com:99999",
                "user@api.nexmo.com",
                "api.nexmo.com\n",
                "a b",
                "ftp://x",
            ),
            *(
                "http://localhost@evil.test",
                "http://evil.test#localhost",
                "//api.nexmo.com",
                "http://0.0.0.0:80",
            ),
        )
    ],
    "E013": [
        {"SIGNATURE_SECRET": value}
        for value in (
            "short",
            "x" * (MIN_SECRET - 1),
            ["x" * MIN_SECRET, "short"],
            [1],
            [b"x" * 32],
            [["x" * 32]],
        )
    ],
}


@pytest.mark.parametrize(
    ("expected", "given"), [(key, case) for key, cases in CASES.items() for case in cases], ids=str
)
class TestEachMistake:
    def test_has_its_id(self, expected, given):
        assert expected in ids(**given)

    def test_is_no_other_error(self, expected, given):
        assert {expected} == {key for key in ids(**given) if key.startswith("E")}

    def test_is_told_under_deploy_too(self, expected, given):
        assert expected in ids(deploy=True, base=LIVE, **given)


class TestDict:
    @pytest.mark.parametrize("value", [None, [], "API_KEY", 1, True])
    @pytest.mark.parametrize("deploy", [False, True])
    def test_e001_anything_else_is_refused_by_a_message(self, value, deploy, settings):
        settings.PASSWORDLESS = value
        assert ["passwordless.E001"] == [message.id for message in found(deploy)]


class TestUnknownNames:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [("CHANELS", "CHANNELS"), ("api_key", "API_KEY"), ("BRAND", "BRAND_NAME"), ("COUNTRY", "COUNTRIES"),
         ("max_guess", "MAX_GUESSES"), ("CODE_LENGHT", "CODE_LENGTH")],
    )  # fmt: skip
    def test_e002_asks_did_you_mean(self, name, meant):
        [message] = messages(**{name: "x"})
        assert f"Did you mean '{meant}'?" == message.hint
        assert repr(name) in message.msg

    def test_e002_points_to_the_table_when_nothing_is_near(self):
        [message] = messages(ZZZ=1)
        assert "settings table" in message.hint

    def test_e002_tells_of_every_one(self):
        assert ["E002", "E002"] == ids(CHANELS=1, BRAMD_NAME=2)

    def test_e002_need_not_be_text(self):
        assert ["E002"] == ids(base={**GOOD, 1: 2})

    def test_e008_asks_did_you_mean(self):
        [message] = messages(LIMITS={"sends_per_nunber": "5/h"})
        assert "Did you mean 'sends_per_number'?" == message.hint

    @pytest.mark.parametrize(("name", "meant"), [("UK", "GB"), ("EL", "GR"), ("JA", "JP")])
    @pytest.mark.parametrize("key", ["COUNTRIES", "DEFAULT_REGION"])
    def test_e007_asks_did_you_mean(self, key, name, meant):
        [message] = messages(**{key: [name] if key == "COUNTRIES" else name})
        assert ("passwordless.E007", f"Did you mean '{meant}'?") == (message.id, message.hint)
        assert repr(name) in message.msg

    def test_e007_tells_of_every_country_that_is_none(self):
        assert ["E007", "E007"] == ids(COUNTRIES=["UK", "US", "ZZ"])

    def test_e007_means_countries_that_exist(self):
        assert set() == set(bounds.MEANT.values()) - phones.regions()
        assert set() == set(bounds.MEANT) & phones.regions()

    def test_e008_lists_the_limits_when_nothing_is_near(self):
        [message] = messages(LIMITS={"zzz": "5/h"})
        assert "sends_per_number" in message.hint


class TestNumbersThatCount:
    @pytest.mark.parametrize(
        "name",
        [
            *("CODE_LENGTH", "MAX_GUESSES", "MAX_CALLS", "TRUSTED_PROXY_COUNT", "ATTEMPT_LIFETIME"),
            *("HARD_STOP", "NUMBER_DAYS", "VISITOR_DAYS", "RETENTION_DAYS"),
        ],
    )
    def test_e003_are_whole(self, name):
        """Digits, guesses, calls, proxies and Vonage's seconds come in whole ones only."""
        low, high = bounds.RANGES[name]
        assert ["E003"] == ids(**{name: (low + high) / 2 + 0.25})

    def test_e008_a_window_of_nothing_would_be_no_limit(self):
        assert ["E008"] == ids(LIMITS={"sends_per_number": "5/0h"})


class TestListsOfOddThings:
    """Lists within lists are hashed nowhere."""

    @pytest.mark.parametrize(
        ("expected", "given"),
        [
            ("E006", {"CHANNELS": [["sms"]]}),
            ("E006", {"CHANNELS": [{"channel": "sms"}]}),
            ("E007", {"NUMBER_TYPES": [["mobile"]]}),
            ("E007", {"COUNTRIES": [["US"]]}),
        ],
    )
    def test_are_refused_by_a_message(self, expected, given):
        assert {expected} == set(ids(**given))


class TestBackend:
    OURS, OWN = f"{__name__}.SecondBackend", f"{__name__}.OwnBackend"

    @pytest.mark.parametrize("backends", [[MODEL], [OWN], [MODEL, OWN]])
    def test_e010_one_is_needed(self, backends):
        assert ["E010"] == ids(site_settings={"AUTHENTICATION_BACKENDS": backends})

    def test_e010_none_at_all_is_told_too(self):
        assert ["E010"] == ids(site_settings={"AUTHENTICATION_BACKENDS": []})

    @pytest.mark.parametrize("backends", [[PHONE, OURS], [OURS, MODEL, PHONE]])
    def test_e010_with_two_each_guess_would_be_asked_twice(self, backends):
        assert ["E010"] == ids(site_settings={"AUTHENTICATION_BACKENDS": backends})

    @pytest.mark.parametrize("backends", [[PHONE], [OURS, MODEL], [MODEL, OWN, PHONE]])
    def test_one_is_right_wherever_it_stands(self, backends):
        assert [] == ids(site_settings={"AUTHENTICATION_BACKENDS": backends})


class OwnSessions(SessionMiddleware):
    """A subclass, which will do."""


def function_middleware(get_response):
    return get_response


class TestMiddleware:
    @pytest.mark.parametrize("missing", [SESSIONS, LOGINS])
    def test_e011_is_needed(self, missing):
        rest = [path for path in site.MIDDLEWARE if path != missing]
        assert ["E011"] == ids(site_settings={"MIDDLEWARE": rest})

    def test_e011_tells_of_both(self):
        assert ["E011", "E011"] == ids(site_settings={"MIDDLEWARE": []})

    def test_moments_need_time_zones(self):
        assert ["E014"] == ids(site_settings={"USE_TZ": False})

    def test_subclasses_and_functions_will_do(self):
        own = [f"{__name__}.OwnSessions", LOGINS, f"{__name__}.function_middleware"]
        assert [] == ids(site_settings={"MIDDLEWARE": own})


class TestCredentials:
    def test_w001_none_at_all(self):
        assert ["W001"] == ids(base={"COUNTRIES": ["US"]})

    def test_w001_the_emulator_switched_off(self):
        assert ["W001"] == ids(EMULATOR=False)

    def test_w001_not_with_an_emulator_beside(self):
        assert [] == ids(EMULATOR=None, API_HOST="http://127.0.0.1:8002")

    @pytest.mark.parametrize(
        "given",
        [
            {"API_SECRET": ""},
            {"API_KEY": ""},
            {"APPLICATION_ID": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"},
            {"PRIVATE_KEY": "/no/such/file"},
            {"APPLICATION_ID": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "PRIVATE_KEY": "/no/such/file"},
            {"APPLICATION_ID": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "PRIVATE_KEY": "-----BEGIN nonsense"},
            {**V1, "API_KEY": "", "API_SECRET": "", "APPLICATION_ID": "a", "PRIVATE_KEY": "-----BEGIN x"},
        ],
    )
    def test_e012_half_a_pair_or_an_unreadable_key(self, given):
        assert ["E012"] == ids(base=LIVE, **given)

    HALVES = [
        {"API_KEY": "abcdef01"},
        {"API_SECRET": "a-secret-0123456789"},
        {"APPLICATION_ID": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"},
        {"PRIVATE_KEY": "/path/to/private.key"},
    ]

    @pytest.mark.parametrize("half", HALVES, ids=lambda half: next(iter(half)))
    @pytest.mark.parametrize(
        ("place", "debug"),
        [({"EMULATOR": True}, False), ({"API_HOST": "http://127.0.0.1:8002"}, False), ({}, True)],
        ids=["in process", "beside", "by debug"],
    )
    def test_e012_half_a_pair_is_a_slip_with_an_emulator_too(self, half, place, debug):
        assert ["E012"] == ids(base={"COUNTRIES": ["US"], **place}, site_settings={"DEBUG": debug}, **half)

    def test_e012_a_whole_pair_is_fine_with_an_emulator(self):
        assert [] == ids(EMULATOR=True, API_KEY="abcdef01", API_SECRET="a-secret-0123456789")

    @pytest.mark.parametrize(
        ("apart", "told"), [("counter", ["E015"]), ("passwordless", ["E015"]), ("all", [])]
    )
    def test_e015_what_one_transaction_writes_must_be_in_one_database(self, apart, told):
        class Router:
            def db_for_write(self, model, **hints):
                meta = model._meta
                return "other" if apart in (meta.model_name, meta.app_label, "all") else "default"

        assert told == ids(site_settings={"DATABASE_ROUTERS": [Router()]})

    def test_e013_repeats_nothing_of_a_secret(self):
        [message] = messages(SIGNATURE_SECRET="s3cr3t-0123456789")
        assert "passwordless.E013" == message.id
        assert "s3cr3t" not in f"{message.msg} {message.hint}"

    def test_e013_is_told_with_the_emulator_and_without(self):
        told = [ids(base=base, SIGNATURE_SECRET="short") for base in (GOOD, LIVE, {"COUNTRIES": ["US"]})]
        assert [["E013"], ["E013"], ["W001", "E013"]] == told

    def test_e012_repeats_nothing_of_a_secret(self):
        secret = "s3cr3t-0123456789"
        told = messages(base=LIVE, API_KEY="", API_SECRET=secret, APPLICATION_ID="app", PRIVATE_KEY=secret)
        assert ["passwordless.E012"] == [message.id for message in told]
        assert secret not in f"{told[0].msg} {told[0].hint}"


class TestAdvice:
    @pytest.mark.parametrize("length", [4, 5])
    def test_w002_short_codes(self, length):
        assert ["W002"] == ids(CODE_LENGTH=length)

    def test_w003_every_country(self):
        assert ["W003"] == ids(base=LIVE, COUNTRIES=None)

    def test_w003_not_where_no_message_is_sent(self):
        assert [] == ids(COUNTRIES=None)

    def test_does_not_end_the_command(self, settings, capsys):
        settings.PASSWORDLESS = {"CODE_LENGTH": 4}
        call_command("check")
        assert ["W001", "W002", "W003"] == sorted(re.findall(r"passwordless\.(\w+)", capsys.readouterr().err))


DEPLOY = {
    "E101": [{"EMULATOR": True}, {"API_HOST": "http://127.0.0.1:8002"}],
    "E102": [{"API_KEY": "", "API_SECRET": ""}],
    "E103": [{"CODE_LENGTH": 5}],
    "E104": [{"COUNTRIES": None}],
}


@pytest.mark.parametrize(
    ("expected", "given"), [(key, case) for key, cases in DEPLOY.items() for case in cases]
)
class TestProduction:
    def test_is_refused_under_deploy(self, expected, given):
        assert expected in ids(deploy=True, base=LIVE, **given)

    def test_is_no_error_elsewhere(self, expected, given):
        """Django's test runner sets DEBUG off and runs the checks: a site's own tests must not break."""
        assert [] == [key for key in ids(base=LIVE, **given) if key.startswith("E")]


class TestDeploy:
    def test_debug_without_credentials_is_the_emulator(self):
        told = ids(deploy=True, base={"COUNTRIES": ["US"]}, site_settings={"DEBUG": True})
        assert ["E101"] == told

    @pytest.mark.parametrize(
        "given",
        [{"CODE_LENGTH": 5}, {"ATTEMPT_LIFETIME": 601}, {"MAX_GUESSES": 4}, {"API_HOST": "http://10.0.0.1"}],
    )
    def test_what_is_weaker_than_the_standard_ends_the_command(self, given, settings):
        settings.PASSWORDLESS = {**LIVE, **given}
        with pytest.raises(
            CommandError, match=next(iter(given)) if "CODE" not in str(given) else "six digits"
        ):
            call_command("check", deploy=True)


class TestHints:
    """A hint is the line to paste: with it the message is gone."""

    MENDED = [
        *((key, False, CASES[key][0]) for key in ("E003", "E004", "E005", "E006", "E007", "E009")),
        ("E004", False, {"VERIFY_VERSION": 3}),
        ("E004", False, {**V1, "CODE_LENGTH": 5}),
        ("E004", False, {"RESEND_WAITS": []}),
        ("E005", False, {"SENDER": "ab"}),
        ("E006", False, {"CHANNELS": ["whatsapp"]}),
        ("E006", False, {**V1, **WHATSAPP}),
        ("E007", False, {"NUMBER_TYPES": ["x"]}),
        ("E007", False, {"DEFAULT_REGION": "x"}),
        ("E007", False, {"DEFAULT_REGION": "ZZ"}),
        ("E007", False, {"COUNTRIES": ["ZZ"]}),
        ("E004", False, {"HARD_STOP": 101}),
        ("E004", False, {"PUMPING_GUARD": "off"}),
        ("E008", False, {"LIMITS_STORAGE": "127.0.0.1"}),
        ("E008", False, {"LIMITS": {"sends_per_ip": "5"}}),
        ("E012", False, {"EMULATOR": False, "API_KEY": "abcdef01"}),
        ("W001", False, {"EMULATOR": False}),
        ("W002", False, {"CODE_LENGTH": 4}),
        ("W003", False, {**LIVE, "EMULATOR": False, "COUNTRIES": None}),
        ("E101", True, {}),
        ("E102", True, {"EMULATOR": False}),
        ("E103", True, {"CODE_LENGTH": 4}),
        ("E104", True, {"COUNTRIES": None}),
    ]

    @pytest.mark.parametrize(("key", "deploy", "given"), MENDED, ids=str)
    def test_mends(self, key, deploy, given):
        told = [message for message in messages(deploy, **given) if message.id.endswith(key)]
        pasted = paste(told[0].hint, {**GOOD, **given})
        assert key not in ids(deploy, base=pasted["PASSWORDLESS"])

    def test_mends_the_backends(self):
        [message] = messages(site_settings={"AUTHENTICATION_BACKENDS": [MODEL]})
        pasted = paste(message.hint)["AUTHENTICATION_BACKENDS"]
        assert [] == ids(site_settings={"AUTHENTICATION_BACKENDS": pasted})

    def test_mends_the_middleware(self):
        told = messages(site_settings={"MIDDLEWARE": []})
        pasted = [path for message in told for path in paste(message.hint)["MIDDLEWARE"]]
        assert [] == ids(site_settings={"MIDDLEWARE": pasted})

    def test_mends_what_is_no_dict(self, settings):
        settings.PASSWORDLESS = []
        [message] = checks.of_settings()
        assert {} == paste(message.hint)["PASSWORDLESS"]


def paste(hint, given=None):
    """Return the settings after the line of a hint was pasted; keys are added to those of the dict."""
    names = {"PASSWORDLESS": {}, "MIDDLEWARE": []}
    exec(compile(line(hint), "settings.py", "exec"), names)  # noqa: S102 - pasting is what is tested
    names["PASSWORDLESS"] = {**(given or {}), **names["PASSWORDLESS"]}
    return names


def line(hint):
    """Return the longest beginning of a hint that is Python."""
    ends = [hint] + [hint[: at + 1] for at in range(len(hint) - 1, 0, -1) if hint[at] in "}]"]
    for text in ends:
        with suppress(SyntaxError):
            ast.parse(text)
            return text
    raise AssertionError(f"nothing to paste in {hint!r}")


class TestTables:
    def test_every_setting_has_a_type(self):
        assert set(DEFAULTS) == set(bounds.TYPES)

    def test_every_default_has_it(self):
        assert [] == [name for name, kind in bounds.TYPES.items() if not isinstance(DEFAULTS[name], kind)]

    def test_every_default_is_in_range(self):
        assert [] == [n for n, (low, high) in bounds.RANGES.items() if not low <= DEFAULTS[n] <= high]

    def test_the_sequences_of_v1_are_those_that_it_can_ask_for(self):
        from passwordless.vonage.v1 import WORKFLOWS

        assert {" ".join(channels) for channels in WORKFLOWS} == bounds.V1_SEQUENCES

    def test_each_id_is_told_by_somebody_here(self):
        """An id that no test provokes is not known to work."""
        known = set(
            re.findall(
                r'id="passwordless\.([EW]\d+)"', inspect.getsource(checks) + inspect.getsource(surroundings)
            )
        )
        assert known == {
            *CASES,
            *DEPLOY,
            "E001",
            "E010",
            "E011",
            "E012",
            "E014",
            "E015",
            "W001",
            "W002",
            "W003",
        }

    def test_ours_are_among_the_security_checks(self):
        ours = {check.__name__ for check in registry.get_checks() if check.__module__ == apps.__name__}
        assert {"check_settings", "check_site"} == ours
        all_of_them = registry.get_checks(include_deployment_checks=True)
        deploy = {check for check in all_of_them if check.__module__ == apps.__name__}
        assert {"check_production"} == {check.__name__ for check in deploy} - ours
        assert all(Tags.security in check.tags for check in deploy)
