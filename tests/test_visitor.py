"""Who asks: nobody chooses the address under which they are counted."""

import pytest
from django.test import RequestFactory
from django.utils import translation

from passwordless import limits
from passwordless.visitor import visitor
from tests.support import configure

PEER = "198.51.100.7"
CLAIMED = "203.0.113.9"
HEADERS = [
    "X-Forwarded-For",
    "X-Real-IP",
    "Forwarded",
    "CF-Connecting-IP",
    "True-Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
]


def seen(remote=PEER, **headers):
    request = RequestFactory().get("/", headers=headers.pop("headers", None), REMOTE_ADDR=remote)
    return visitor(request)


def test_without_a_request_it_is_nobody():
    assert (None, "", "tag") == (visitor(None, "tag").ip, visitor(None).agent, visitor(None, "tag").session)


def test_the_address_is_that_of_the_peer():
    assert PEER == seen().ip


@pytest.mark.parametrize("header", HEADERS)
def test_headers_are_not_believed_without_a_proxy_of_ours(header):
    assert PEER == seen(headers={header: CLAIMED}).ip


@pytest.mark.parametrize("header", HEADERS[1:])
def test_other_headers_are_not_believed_behind_a_proxy_either(settings, header):
    configure(settings, TRUSTED_PROXY_COUNT=1)
    assert "192.0.2.1" == seen(headers={header: CLAIMED, "X-Forwarded-For": "192.0.2.1"}).ip


@pytest.mark.parametrize(
    ("count", "header", "expected"),
    [
        (1, CLAIMED, CLAIMED),
        (1, f"1.2.3.4, {CLAIMED}", CLAIMED),
        (1, f"1.2.3.4,{CLAIMED} ", CLAIMED),
        (2, f"{CLAIMED}, 192.0.2.1", CLAIMED),
        (2, f"1.2.3.4, {CLAIMED}, 192.0.2.1", CLAIMED),
        (3, f"{CLAIMED}, 192.0.2.1", PEER),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "", PEER),
        (1, "not an address", None),
        (1, "1.2.3.4,", None),
    ],
)
def test_behind_proxies_the_part_that_the_outermost_wrote_counts(settings, count, header, expected):
    configure(settings, TRUSTED_PROXY_COUNT=count)
    assert expected == seen(headers={"X-Forwarded-For": header}).ip


@pytest.mark.parametrize("garbage", ["", " ", "unix:", "localhost", "1.2.3", "::g", "127.0.0.1:80", "\x00"])
def test_an_unusable_address_is_none_and_shares_one_bucket(garbage):
    assert seen(remote=garbage).ip is None
    assert "unknown" == limits.network(seen(remote=garbage).ip)


def test_a_missing_address_is_none():
    request = RequestFactory().get("/")
    del request.META["REMOTE_ADDR"]
    assert visitor(request).ip is None


def test_one_ipv6_network_is_one_visitor_for_the_limits():
    spread = {limits.network(seen(remote=f"2001:db8:1:2::{n:x}").ip) for n in range(1, 100)}
    assert 1 == len(spread)
    assert limits.network("2001:db8:1:3::1") not in spread


def test_ipv4_through_an_ipv6_socket_stays_itself():
    """On a dual-stack socket every IPv4 peer is ::ffff:a.b.c.d, and all of these are in one /64."""
    assert PEER == seen(remote=f"::ffff:{PEER}").ip
    assert limits.network(seen(remote="::ffff:192.0.2.1").ip) != limits.network(seen(remote=PEER).ip)


def test_a_link_local_address_goes_without_its_zone():
    """PostgreSQL's inet takes no zone."""
    assert "fe80::1" == seen(remote="fe80::1%eth0").ip


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)"),
        ("a\r\nForged: line", "a  Forged: line"),
        ("a\x1b[31mred", "a [31mred"),
        ("a\x00b", "a b"),
        ("a\u202eb\u200bc", "a b c"),
        ("", ""),
        ("x" * 5000, "x" * 200),
    ],
)
def test_the_agent_can_forge_nothing(sent, kept):
    request = RequestFactory().get("/", HTTP_USER_AGENT=sent)
    assert kept == visitor(request).agent


def test_the_tag_of_the_browser_is_carried():
    assert "tag" == visitor(RequestFactory().get("/"), "tag").session


@pytest.mark.parametrize(
    ("active", "told"), [("en-us", "en-us"), ("pt-br", "pt-br"), ("zh-hant", "zh-hant"), ("a" * 36, "a" * 35)]
)
def test_the_language_is_that_of_the_page(active, told):
    with translation.override(active):
        assert told == seen(headers={"Accept-Language": "de"}).language


def test_without_a_language_there_is_none():
    with translation.override(None):
        assert "" == seen().language
    assert "" == visitor(None).language
