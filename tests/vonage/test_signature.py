"""Whom a token convinces: Vonage's own, for this body, for us, for a few minutes; and nobody else's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import jwt
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from passwordless.vonage.signature import Forged, Receiver, verify

SECRET, OTHER = "the signature secret, of 35 letters", "another signature secret, 36 letters"
KEY, APPLICATION = "abcdef01", "00000000-0000-4000-8000-000000000001"
BODY = b'{"type": "event", "request_id": "1", "status": "completed"}'
NOW = 1_795_435_200.0
US = Receiver([SECRET], KEY, APPLICATION)


def claims(body=BODY, now=NOW, **changes):
    """Return what Vonage claims; what is changed to `...` is left out."""
    usual = {
        "iat": int(now), "jti": "one of a kind", "iss": "Vonage", "api_key": KEY,
        "payload_hash": hashlib.sha256(body).hexdigest(), "application_id": APPLICATION,
    }  # fmt: skip
    return {name: value for name, value in (usual | changes).items() if value is not ...}


def part(content):
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def seal(told, secret=SECRET, digest="sha256", **header):
    """Return a token of these claims, whatever its header says of the algorithm."""
    return seal_text(json.dumps({"alg": "HS256", "typ": "JWT"} | header), told, secret, digest)


def seal_text(header, told, secret=SECRET, digest="sha256"):
    head = f"{part(header)}.{part(told)}"
    signature = hmac.digest(secret.encode(), head.encode(), digest)
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def unsigned(told, algorithm="none", signature=""):
    return f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(told)}.{signature}"


def verdict(token, body=BODY, receiver=US, now=NOW):
    """Return the id of the token, or why it is refused, in one word."""
    try:
        return verify(token, body, receiver, now)
    except Forged as error:
        said = str(error)
        assert not any(secret in said for secret in (SECRET, OTHER, KEY, APPLICATION, "one of a kind"))
        assert len(token) < 60 or token not in said
        return "refused"


def test_a_sound_token_is_told_by_its_id():
    assert "one of a kind" == verdict(seal(claims()))


def test_a_token_by_pyjwt_is_sound():
    assert "one of a kind" == verdict(jwt.encode(claims(), SECRET, algorithm="HS256"))


# What is asked of the algorithm is pinned by us; each of these would be sound if the header were believed.
TRICKS = {
    "none": unsigned(claims()),
    "None": unsigned(claims(), "None"),
    "nOnE": unsigned(claims(), "nOnE"),
    "none with a signature": unsigned(claims(), "none", "AAAA"),
    "no signature": seal(claims()).rpartition(".")[0] + ".",
    "no signature part": seal(claims()).rpartition(".")[0],
    "HS512": seal(claims(), digest="sha512", alg="HS512"),
    "HS384": seal(claims(), digest="sha384", alg="HS384"),
    "RS256 with the secret as key": seal(claims(), alg="RS256"),
    "ES256 with the secret as key": seal(claims(), alg="ES256"),
    "hs256": seal(claims(), alg="hs256"),
    "no algorithm": seal(claims(), alg=None),
    "a list of algorithms": seal(claims(), alg=["HS256"]),
    "jku": seal(claims(), OTHER, jku="http://127.0.0.1:9/keys.json"),
    "jwk": seal(claims(), OTHER, jwk={"kty": "oct", "k": part(OTHER)}),
    "x5u": seal(claims(), OTHER, x5u="http://127.0.0.1:9/chain.pem"),
    "kid of an empty file": seal(claims(), "\0", kid="../../../../dev/null"),
    "kid as an injection": seal(claims(), OTHER, kid=f"' UNION SELECT '{OTHER}'--"),
    "kid that is no text": seal(claims(), kid=7),
    "crit": seal(claims(), crit=["unheard-of"], **{"unheard-of": True}),
    "detached": seal(claims(), b64=False, crit=["b64"]),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_h1_the_header_chooses_neither_algorithm_nor_key(trick):
    assert "refused" == verdict(TRICKS[trick])


@pytest.mark.parametrize("token", ["", ".", "..", "...", "a.b.c", "é.é.é", "\x00", SECRET, "." * 60_000])
def test_h1_what_is_no_token_is_refused(token):
    assert "refused" == verdict(token)


@pytest.mark.parametrize("depth", [100, 900, 990, 1000, 3000, 20_000])
def test_h1_a_header_of_any_depth_is_only_refused(depth):
    nested = "[" * depth + "]" * depth
    header = f'{{"alg": "none", "x": {nested}}}'
    assert "refused" == verdict(seal_text(header, claims()))
    assert "refused" == verdict(f"{part(nested)}.e30.e30")


@pytest.mark.parametrize("secret", [OTHER, SECRET[:-1], SECRET + " ", SECRET.upper(), ""])
def test_h2_another_secret_convinces_nobody(secret):
    assert "refused" == verdict(seal(claims(), secret))


@pytest.mark.parametrize("secrets", [[], [""], ["s" * 31], ["é" * 15]])
def test_h2_none_empty_or_short_vouches_for_nothing(secrets):
    signer = secrets[0] if secrets else ""
    assert "refused" == verdict(seal(claims(), signer), receiver=Receiver(secrets, KEY))


def test_h2_the_shortest_secret_is_32_bytes():
    assert "one of a kind" == verdict(seal(claims(), "é" * 16), receiver=Receiver(["é" * 16], KEY))


@pytest.mark.parametrize(
    "secrets", [[SECRET, OTHER], [OTHER, SECRET], ["short", SECRET], ("", OTHER, SECRET)]
)
def test_i17_each_secret_of_a_rotation_is_good(secrets):
    assert "one of a kind" == verdict(seal(claims()), receiver=Receiver(secrets, KEY))


def test_i17_a_secret_that_was_dropped_is_not():
    assert "refused" == verdict(seal(claims()), receiver=Receiver([OTHER], KEY))


@pytest.mark.parametrize("offset", [-300, -299.5, -1, 0, 1, 59.5, 60])
def test_h3_a_token_is_good_for_five_minutes_and_one_ahead(offset):
    assert "one of a kind" == verdict(seal(claims(iat=NOW + offset)))


@pytest.mark.parametrize("offset", [-(10**9), -3600, -301, -300.5, 60.5, 61, 3600, 10**9, 10**400])
def test_h3_older_and_later_is_refused(offset):
    assert "refused" == verdict(seal(claims(iat=int(NOW) + offset)))


@pytest.mark.parametrize("name", ["iat", "jti", "iss", "payload_hash"])
@pytest.mark.parametrize("value", [..., None])
def test_h3_no_claim_may_be_missing(name, value):
    assert "refused" == verdict(seal(claims(**{name: value})))


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize("issued", [str(int(NOW)), "", [NOW], {}, NAN, INFINITE, -INFINITE])
def test_h3_a_time_is_a_number(issued):
    assert "refused" == verdict(seal(claims(iat=issued)))


@pytest.mark.parametrize("issued", [True, False])
def test_h3_a_boolean_is_no_time_even_where_it_would_be_fresh(issued):
    assert "refused" == verdict(seal(claims(iat=issued)), now=1.0)
    assert "one of a kind" == verdict(seal(claims(iat=1)), now=1.0)


@pytest.mark.parametrize("end", [1, 0, -1, "soon", [], NAN, INFINITE])
def test_h3_an_expiry_that_is_past_or_nonsense_is_refused(end):
    assert "refused" == verdict(seal(claims(exp=end)))


@pytest.mark.parametrize("start", [10**12, INFINITE, "later", {}])
def test_h3_a_token_that_begins_later_is_refused(start):
    assert "refused" == verdict(seal(claims(nbf=start)))


@pytest.mark.parametrize("issuer", ["vonage", "Vonage ", "Nexmo", "", ["Vonage"], 1, {"Vonage": 1}])
def test_h3_the_issuer_is_vonage(issuer):
    assert "refused" == verdict(seal(claims(iss=issuer)))


@pytest.mark.parametrize(
    "jti", ["", "x" * 65, 1, 1.5, True, ["x"], {}, "a\x00b", "\ud800", "🙂", "é" * 64, "x\n"]
)
def test_h4_an_id_that_cannot_be_kept_is_refused(jti):
    assert "refused" == verdict(seal(claims(jti=jti)))


@pytest.mark.parametrize("jti", ["x", "x" * 64, "0b2c1c4e-7d0f-4f4a-9c3e-2f7f3c6a9d11"])
def test_h4_an_id_has_up_to_64_characters(jti):
    assert jti == verdict(seal(claims(jti=jti)))


OTHER_BODIES = {
    "one space more": BODY + b" ", "one space less": BODY.replace(b": ", b":"), "none": b"",
    "newline": BODY + b"\n", "another word": BODY.replace(b"completed", b"cancelled"),
    "written again": json.dumps(json.loads(BODY), separators=(",", ":")).encode(),
}  # fmt: skip


@pytest.mark.parametrize("change", OTHER_BODIES)
def test_h5_it_vouches_for_the_raw_body_only(change):
    assert "refused" == verdict(seal(claims()), OTHER_BODIES[change])


@pytest.mark.parametrize("write", [str.lower, str.upper, str.swapcase])
def test_h5_capitals_in_the_hash_are_fine(write):
    assert "one of a kind" == verdict(seal(claims(payload_hash=write(hashlib.sha256(BODY).hexdigest()))))


DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize(
    "told", ["", DIGEST[:-1], DIGEST + "0", f" {DIGEST}", "é" * 64, "\ud800", 0, True, [DIGEST], {DIGEST: 1}]
)
def test_h5_no_other_hash_will_do(told):
    assert "refused" == verdict(seal(claims(payload_hash=told)))


def test_h5_any_bytes_can_be_vouched_for():
    body = bytes(range(256))
    assert "one of a kind" == verdict(seal(claims(body)), body)


@pytest.mark.parametrize("key", [..., None, "", "abcdef02", KEY.upper(), [KEY], 1])
def test_a_token_for_another_account_is_refused(key):
    assert "refused" == verdict(seal(claims(api_key=key)))


def test_a_site_without_an_api_key_cannot_compare_it():
    assert "one of a kind" == verdict(seal(claims(api_key="theirs")), receiver=Receiver([SECRET]))


@pytest.mark.parametrize("application", ["", APPLICATION[:-1] + "2", [APPLICATION], 1])
def test_a_token_for_another_application_is_refused(application):
    assert "refused" == verdict(seal(claims(application_id=application)))


@pytest.mark.parametrize("application", [..., None])
def test_a_token_need_not_name_an_application(application):
    assert "one of a kind" == verdict(seal(claims(application_id=application)))


def test_a_site_without_an_application_takes_any():
    assert "one of a kind" == verdict(seal(claims(application_id="any")), receiver=Receiver([SECRET], KEY))


def test_claims_that_are_not_known_do_not_matter():
    assert "one of a kind" == verdict(seal(claims(aud="somebody", scope=[1], sub="x")))


@pytest.mark.parametrize("told", [[], "text", 1, None, "[" * 50_000])
def test_claims_are_an_object(told):
    assert "refused" == verdict(seal(told))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["iat", "jti", "iss", "payload_hash", "api_key", "application_id", "exp", "nbf", "aud", "sub"]
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(
    st.text() | st.lists(st.text(), min_size=3, max_size=3).map(lambda parts: ".".join(map(part_safe, parts)))
)
@example("a" * 8000)
def test_h1_no_text_at_all_gets_past_or_breaks(token):
    assert "refused" == verdict(token)


def part_safe(text):
    return base64.urlsafe_b64encode(text.encode("utf-8", "replace")).decode()


@QUICK
@given(header=st.dictionaries(st.sampled_from(["alg", "typ", "kid", "jku", "crit", "b64", "cty"]), JSON))
def test_h1_whatever_a_header_adds_nothing_breaks(header):
    assert verdict(seal(claims(), **header)) in ("refused", "one of a kind")
    assert "refused" == verdict(seal(claims(), OTHER, **header))


@QUICK
@given(changes=st.dictionaries(st.sampled_from(NAMES), JSON, min_size=1))
def test_h3_whatever_is_claimed_nothing_breaks(changes):
    outcome = verdict(seal(claims(**changes)))
    assert outcome in ("refused", "one of a kind", changes.get("jti"))
    assert len(outcome) <= 64


def test_h_half_a_character_is_no_crash():
    assert "refused" == verdict("\ud800")
