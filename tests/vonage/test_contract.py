"""What both dialects promise, over a socket and in process: the same test for all four."""

from dataclasses import dataclass

import pytest

from passwordless.states import Reason
from passwordless.vonage.client import Client
from passwordless.vonage.dialect import Dialect, Options, Order, Unavailable
from passwordless.vonage.emulator import Clock, Emulator, serve
from passwordless.vonage.inprocess import WsgiAdapter
from passwordless.vonage.v1 import V1
from passwordless.vonage.v2 import V2

from .wire import APPLICATION, credentials, public_pem

NUMBER = "+14155550101"
DIALECTS = {"v1": V1, "v2": V2}
UNKNOWN = {"v1": "0" * 32, "v2": "00000000-0000-4000-8000-000000000000"}
NO_IDS = ["", ".", "..", "../../v1/calls", "a/b", "a?b", "a#b", "a%2fb", "é" * 32, "a" * 33, "a\n"]


@dataclass
class Site:
    dialect: Dialect
    emulator: Emulator

    def start(self, *channels, number=NUMBER):
        return self.dialect.start(Order(number=number, channels=channels or ("sms", "voice")))

    def code(self, number=NUMBER):
        return self.emulator.messages(to=number)[-1].code

    def wrong(self):
        codes = {message.code for message in self.emulator.messages()}
        return next(code for code in ("111111", "222222", "333333") if code not in codes)

    def unavailable(self, verb, *args):
        with pytest.raises(Unavailable) as caught:
            getattr(self.dialect, verb)(*args)
        return caught.value


@pytest.fixture(params=DIALECTS)
def name(request):
    return request.param


@pytest.fixture(params=["in process", "loopback"])
def site(request, name):
    emulator = Emulator(
        clock=Clock(fixed=1_800_000_000),
        api_key="abcd1234",
        api_secret="s3cr3t-of-ours",
        application_id=APPLICATION,
        public_key=public_pem(),
    )
    options = Options(brand="Example", lifetime=240)
    if request.param == "in process":
        client = Client(credentials(), adapter=WsgiAdapter(emulator))
        yield Site(DIALECTS[name](client, options), emulator)
        return
    server = serve(emulator)
    try:
        client = Client(credentials(), host=server.url)
        yield Site(DIALECTS[name](client, options), emulator)
        client.close()
    finally:
        server.shutdown()


class TestContract:
    def test_a_right_code_is_right_once(self, site):
        started = site.start()
        assert (Reason.OK, True) == (started.reason, bool(started.request_id))
        assert Reason.OK is site.dialect.check(started.request_id, site.code()).reason
        assert Reason.GONE is site.dialect.check(started.request_id, site.code()).reason

    def test_a_start_sends_one_message_to_the_number(self, site):
        site.start()
        assert [(NUMBER, "sms")] == [(m.to, m.channel) for m in site.emulator.messages()]
        assert 6 == len(site.code())
        assert 1 == site.emulator.count("start")

    def test_three_wrong_codes_end_a_request(self, site):
        request_id, wrong = site.start().request_id, site.wrong()
        reasons = [site.dialect.check(request_id, wrong).reason for _ in range(3)]
        assert [Reason.WRONG_CODE, Reason.WRONG_CODE, Reason.TOO_MANY_GUESSES] == reasons
        assert Reason.GONE is site.dialect.check(request_id, site.code()).reason

    def test_a_right_code_after_a_wrong_one(self, site):
        request_id = site.start().request_id
        assert Reason.WRONG_CODE is site.dialect.check(request_id, site.wrong()).reason
        assert Reason.OK is site.dialect.check(request_id, site.code()).reason

    def test_a_second_start_names_the_open_request(self, site):
        first, second = site.start(), site.start()
        assert (Reason.CONCURRENT, first.request_id) == (second.reason, second.request_id)
        assert 1 == len(site.emulator.messages())

    def test_advance_goes_through_the_channels(self, site):
        request_id = site.start().request_id
        assert Reason.OK is site.dialect.advance(request_id).reason
        assert ["sms", "voice"] == [message.channel for message in site.emulator.messages()]
        assert Reason.NO_MORE_STEPS is site.dialect.advance(request_id).reason
        assert Reason.OK is site.dialect.check(request_id, site.code()).reason

    def test_the_next_step_begins_by_itself_when_told(self, site):
        site.start()
        site.emulator.clock.advance(site.dialect.step_seconds(2) - 1)
        assert 1 == len(site.emulator.messages())
        site.emulator.clock.advance(2)
        assert ["sms", "voice"] == [message.channel for message in site.emulator.messages()]

    @pytest.mark.parametrize("channels", [("sms",), ("voice",), ("sms", "sms"), ("sms", "voice", "voice")])
    def test_a_request_ends_when_its_steps_are_over(self, site, channels):
        request_id, steps = site.start(*channels).request_id, len(channels)
        site.emulator.clock.advance(site.dialect.step_seconds(steps) * steps - 1)
        code = site.code()
        site.emulator.clock.advance(2)
        assert Reason.GONE is site.dialect.check(request_id, code).reason
        assert list(channels) == [message.channel for message in site.emulator.messages()]

    def test_a_cancelled_request_is_gone(self, site):
        request_id = site.start().request_id
        site.emulator.clock.advance(31)
        assert Reason.OK is site.dialect.cancel(request_id).reason
        assert Reason.GONE is site.dialect.check(request_id, site.code()).reason
        assert Reason.GONE is site.dialect.cancel(request_id).reason

    @pytest.mark.parametrize("verb", ["check", "advance", "cancel"])
    def test_an_unknown_request_is_gone(self, site, name, verb):
        extra = ("123456",) if verb == "check" else ()
        assert Reason.GONE is getattr(site.dialect, verb)(UNKNOWN[name], *extra).reason
        assert 1 == site.emulator.count(verb)

    @pytest.mark.parametrize(
        "request_id",
        ["", ".", "..", "../../v1/calls", "a/b", "a?b", "a#b", "a%2fb", "é" * 32, "a" * 33, "a\n"],
    )
    def test_what_is_no_id_is_gone_and_nothing_is_sent(self, site, request_id):
        for verb, extra in (("check", ["123456"]), ("advance", []), ("cancel", [])):
            assert Reason.GONE is getattr(site.dialect, verb)(request_id, *extra).reason
        assert [] == site.emulator.journal

    @pytest.mark.parametrize("what", ["html", "list", "null", "bad_json", "huge", "empty", "drop_after"])
    def test_a_start_without_a_sensible_answer_may_have_been_sent(self, site, what):
        site.emulator.faults.add(what, where="start")
        error = site.unavailable("start", Order(number=NUMBER, channels=("sms",)))
        assert (True, 1) == (error.sent, site.emulator.count("start"))

    def test_an_empty_answer_lets_nobody_in(self, site):
        request_id = site.start().request_id
        site.emulator.faults.add("empty", where="check")
        assert site.unavailable("check", request_id, "000000").sent

    @pytest.mark.parametrize("what", ["html", "list", "null", "bad_json", "huge", "drop_after"])
    @pytest.mark.parametrize("verb", ["check", "advance", "cancel"])
    def test_no_verb_takes_a_senseless_answer_for_a_yes(self, site, what, verb):
        request_id = site.start().request_id
        site.emulator.faults.add(what, where=verb)
        error = site.unavailable(verb, request_id, *(["123456"] if verb == "check" else []))
        assert (True, 1) == (error.sent, site.emulator.count(verb))

    def test_a_dropped_call_is_made_once(self, site):
        site.emulator.faults.add("drop_before", where="start")
        site.unavailable("start", Order(number=NUMBER, channels=("sms",)))
        assert (1, []) == (site.emulator.count("start"), site.emulator.messages())

    def test_a_lost_start_is_found_again(self, site):
        site.emulator.faults.add("drop_after", where="start")
        site.unavailable("start", Order(number=NUMBER, channels=("sms",)))
        found = site.start()
        assert Reason.CONCURRENT is found.reason
        assert Reason.OK is site.dialect.check(found.request_id, site.code()).reason

    def test_a_verdict_on_another_request_is_no_verdict(self, site):
        request_id = site.start().request_id
        site.emulator.faults.add("other_request_id", where="check")
        assert site.unavailable("check", request_id, site.code()).sent

    def test_redirects_are_provider_errors(self, site):
        site.emulator.faults.add("redirect", where="start")
        assert Reason.PROVIDER_ERROR is site.start().reason
        assert 1 == site.emulator.count("start")

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_provider_that_fails_has_spoken(self, site, status):
        request_id = site.start().request_id
        site.emulator.faults.add("status", times=None, status=status)
        replies = [
            site.start(),
            site.dialect.check(request_id, "123456"),
            site.dialect.advance(request_id),
            site.dialect.cancel(request_id),
        ]
        assert {Reason.PROVIDER_ERROR} == {reply.reason for reply in replies}
        assert all(reply.vendor.endswith(str(status)) for reply in replies)

    @pytest.mark.parametrize("channels", [(), ("pigeon",), ("sms",) * 4, ("whatsapp",)])
    def test_channels_without_words_are_refused_unsent(self, site, channels):
        reply = site.dialect.start(Order(number=NUMBER, channels=channels))
        assert (Reason.INVALID_REQUEST, []) == (reply.reason, site.emulator.journal)

    @pytest.mark.parametrize("number", ["", "+", "+0123456789", "+1415555٠101", "+1415555010x", "+1" * 20])
    def test_what_is_no_number_is_refused_unsent(self, site, number):
        assert Reason.INVALID_REQUEST is site.start(number=number).reason
        assert [] == site.emulator.journal

    @pytest.mark.parametrize(
        ("last", "v1", "v2"),
        [
            ("00", Reason.OK, Reason.OK),
            ("01", Reason.OK, Reason.OK),
            ("02", Reason.PROVIDER_ERROR, Reason.PROVIDER_ERROR),
            ("04", Reason.THROTTLED, Reason.THROTTLED),
            ("05", Reason.NO_CREDIT, Reason.NO_CREDIT),
            ("06", Reason.CONCURRENT, Reason.CONCURRENT),
            ("07", Reason.UNSUPPORTED_NETWORK, Reason.UNROUTABLE),
            ("09", Reason.BLOCKED, Reason.OK),
        ],
    )
    def test_reserved_numbers_have_their_outcomes(self, site, name, last, v1, v2):
        assert {"v1": v1, "v2": v2}[name] is site.start(number=f"+121255501{last}").reason

    def test_step_seconds_share_the_lifetime(self, site):
        assert [240, 120, 80] == [site.dialect.step_seconds(steps) for steps in (1, 2, 3)]

    def test_its_name(self, site, name):
        assert name == site.dialect.name


def test_other_credentials_are_refused(name):
    emulator = Emulator(api_key="other", api_secret="other", application_id="other", public_key=public_pem())
    dialect = DIALECTS[name](Client(credentials(), adapter=WsgiAdapter(emulator)), Options(brand="Example"))
    assert Reason.CREDENTIALS is dialect.start(Order(number=NUMBER, channels=("sms",))).reason
    assert [] == emulator.messages()
