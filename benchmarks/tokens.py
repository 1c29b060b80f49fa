"""What one token for Vonage costs with the key that the app keeps."""

from statistics import median
from time import process_time


def token_cost(count=50):
    """Return CPU milliseconds of one JWT, RS256 with 2048 bits."""
    from passwordless.vonage.credentials import Credentials

    credentials = Credentials(application_id="00000000-0000-4000-8000-000000000000", private_key=key())
    return median(_once(credentials) for _ in range(count))


def _once(credentials):
    began = process_time()
    credentials.generate_application_jwt()
    return (process_time() - began) * 1000


def key():
    """Return a new private key as PEM."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
