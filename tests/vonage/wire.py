"""A server on loopback that says exactly what a test tells it to, and remembers what it was asked."""

import functools
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from passwordless.vonage.client import Client
from passwordless.vonage.credentials import Credentials


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict
    body: bytes


class Wire:
    """Each reply is called with the connection; the last one serves all further requests.

    Without any it hangs up on whoever connects, before a word is said.
    """

    def __init__(self, *replies, secure=False):
        self._secure = secure
        self.replies, self.requests, self.connections = list(replies), [], 0
        self.ended = threading.Event()
        self.closed = threading.Event()
        self._lock, self._open = threading.Lock(), []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                with self._lock:
                    self.connections += 1
                    self._open.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with suppress(OSError), self._spoken(sock) as sock, sock.makefile("rb") as file:
            while self.replies and (received := _receive(file)) is not None:
                with self._lock:
                    self.requests.append(received)
                    reply = self.replies[min(self.count, len(self.replies) - 1)]
                    self.count += 1
                if not reply(sock, self):
                    break
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.closed.set()

    def _spoken(self, sock):
        return _secrecy().wrap_socket(sock, server_side=True) if self._secure else sock


def _receive(file):
    if not (line := file.readline()):
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while (line := file.readline().strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return Received(method, path, headers, file.read(int(headers.get("content-length", 0))))


def says(body, status="200 OK", *headers, keep=True):
    """Answer properly, with the right length."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return raw("\r\n".join(head).encode() + b"\r\n\r\n" + body, keep=keep)


def raw(*parts, keep=False):
    """Write these bytes as they are."""

    def reply(sock, wire):
        for part in parts:
            sock.sendall(part)
        return keep

    return reply


def drips(head, part=b"x"):
    """Write the head, then a little again and again until somebody hangs up."""

    def reply(sock, wire):
        sock.sendall(head)
        while not wire.ended.wait(0.02):
            sock.sendall(part)
        return False

    return reply


def silent(sock, wire):
    """Read the request and say nothing."""
    wire.ended.wait(10)
    return False


def drops(sock, wire):
    """Read the request and hang up."""
    return False


@contextmanager
def serving(*replies, secure=False):
    wire = Wire(*replies, secure=secure)
    try:
        yield wire
    finally:
        wire.close()


@functools.cache
def pem(form="PKCS8"):
    return (
        _key()
        .private_bytes(
            serialization.Encoding.PEM,
            getattr(serialization.PrivateFormat, form),
            serialization.NoEncryption(),
        )
        .decode()
    )


@functools.cache
def public_pem():
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return _key().public_key().public_bytes(serialization.Encoding.PEM, form).decode()


@functools.cache
def _key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def certificate(name="127.0.0.1"):
    """Return a certificate for that address which its own key signed."""
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(who, who, _key().public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))])
    return (
        builder.add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(_key(), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


@functools.cache
def _secrecy():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        file.write_bytes(pem().encode() + certificate())
        context.load_cert_chain(file)
    return context


APPLICATION = "11111111-2222-3333-4444-555555555555"


def credentials(*, application=True):
    pair = {"application_id": APPLICATION, "private_key": pem()} if application else {}
    return Credentials(api_key="abcd1234", api_secret="s3cr3t-of-ours", **pair)


def client_of(wire=None, *, application=True, **options):
    host = {"host": wire.url} if wire is not None else {}
    return Client(credentials(application=application), **host, **options)
