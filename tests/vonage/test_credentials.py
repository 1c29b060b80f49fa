import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from passwordless.vonage.credentials import BACKDATED, TOKEN_LIFE, Credentials, read_key

from .wire import APPLICATION, credentials, pem, public_pem

NOW = 1_800_000_000
UNTIMED = ("verify_exp", "verify_iat")


def text_of(key, encryption=None):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    ).decode()


class TestKey:
    @pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
    @pytest.mark.parametrize(
        "as_given",
        [str, lambda text: text.replace("\n", "\\n"), lambda text: f"\n  {text}\n\n"],
        ids=["lines", "literal line ends", "blanks around"],
    )
    def test_text(self, form, as_given):
        public = read_key(as_given(pem(form))).public_key()
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        assert public_pem() == public.public_bytes(serialization.Encoding.PEM, spki).decode()

    def test_a_path(self, tmp_path):
        path = tmp_path / "private"
        path.write_text(pem())
        assert 2048 == read_key(str(path)).key_size

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "/nowhere/private.key",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 40,
            "nul\0nul",
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\né\n-----END PRIVATE KEY-----",
        ],
    )
    def test_what_is_none_is_refused_without_repeating_it(self, text):
        with pytest.raises(ValueError, match="private key") as caught:
            read_key(text)
        assert not text or text not in str(caught.value)
        assert "c2VjcmV0" not in str(caught.value)

    def test_an_encrypted_one_is_refused(self):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        with pytest.raises(ValueError, match="no unencrypted PEM key"):
            read_key(text_of(key, serialization.BestAvailableEncryption(b"secret")))

    def test_another_algorithm_is_refused(self):
        with pytest.raises(ValueError, match="RSA"):
            read_key(text_of(ec.generate_private_key(ec.SECP256R1())))

    def test_a_short_one_is_refused(self):
        with pytest.raises(ValueError, match="2048"):
            read_key(text_of(rsa.generate_private_key(public_exponent=65537, key_size=1024)))  # noqa: S505 - refused


class TestToken:
    def claims(self, token):
        return jwt.decode(token, public_pem(), algorithms=["RS256"], options=dict.fromkeys(UNTIMED, False))

    def test_its_claims(self):
        auth = Credentials(application_id=APPLICATION, private_key=pem(), clock=lambda: NOW + 0.5)
        header = auth.create_jwt_auth_string()
        claims = self.claims(header.removeprefix(b"Bearer "))
        assert (NOW - BACKDATED, NOW - BACKDATED + TOKEN_LIFE) == (claims["iat"], claims["exp"])
        assert APPLICATION == claims["application_id"]
        assert 36 == len(claims["jti"])

    def test_each_is_new(self):
        auth = credentials()
        assert 5 == len({auth.generate_application_jwt() for _ in range(5)})

    def test_further_claims(self):
        claims = self.claims(credentials().generate_application_jwt({"acl": {}, "application_id": "other"}))
        assert ({}, APPLICATION) == (claims["acl"], claims["application_id"])

    def test_one_costs_less_than_a_millisecond(self):
        auth = credentials()
        spent = []
        for _ in range(20):
            began = time.thread_time()
            auth.create_jwt_auth_string()
            spent.append(time.thread_time() - began)
        assert sorted(spent)[10] < 0.001

    def test_none_without_an_application(self):
        with pytest.raises(ValueError, match="application"):
            credentials(application=False).create_jwt_auth_string()


class TestPairs:
    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"api_key": "", "api_secret": "", "application_id": None},
            {"api_key": "k"},
            {"api_secret": "s"},
            {"application_id": APPLICATION},
            {"private_key": "x"},
            {"api_key": "k", "api_secret": "s", "application_id": APPLICATION},
        ],
    )
    def test_half_a_pair_is_refused(self, given):
        with pytest.raises(ValueError, match=r"together|needed"):
            Credentials(**given)

    def test_basic(self):
        assert "Basic a2V5OnNlY3JldA==" == Credentials("key", "secret").create_basic_auth_string()

    def test_no_basic_without_a_key(self):
        auth = Credentials(application_id=APPLICATION, private_key=pem())
        with pytest.raises(ValueError, match="API key"):
            auth.create_basic_auth_string()

    def test_repr_masks(self):
        assert "<Credentials basic jwt>" == repr(credentials())
