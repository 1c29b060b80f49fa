"""Builds the gateway that the settings ask for, once per process: Vonage, its emulator, or nothing at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from .conf import settings
from .vonage.breaker import Breaker
from .vonage.dialect import Dialect, Options
from .vonage.hosts import is_loopback

if TYPE_CHECKING:
    from .vonage.circuit import Durations
    from .vonage.client import Client
    from .vonage.credentials import Credentials
    from .vonage.emulator import Emulator

# What a gateway is built from; change one of these and the next call gets a new one.
INGREDIENTS = (
    "API_KEY", "API_SECRET", "APPLICATION_ID", "PRIVATE_KEY", "API_HOST", "EMULATOR", "MAX_CALLS",
    "CONNECT_TIMEOUT", "START_TIMEOUT", "CHECK_TIMEOUT", "BRAND_NAME", "CODE_LENGTH", "SENDER",
    "WHATSAPP_SENDER", "TEMPLATE_ID", "FRAUD_CHECK", "ATTEMPT_LIFETIME", "RESERVED_NUMBERS",
    "EMULATOR_WEBHOOK_URL", "SIGNATURE_SECRET", "VERIFY_VERSION",
)  # fmt: skip
MISSING = (
    "PASSWORDLESS has no Vonage credentials. Set API_KEY and API_SECRET, or APPLICATION_ID and PRIVATE_KEY; "
    'or set "EMULATOR": True to develop without an account.'
)
MULTIPROCESS = (
    "The emulator in process serves one process only. Run `manage.py vonage_emulator` beside this server "
    'and set PASSWORDLESS["API_HOST"] to the address that it prints.'
)

T = TypeVar("T")

_lock = threading.RLock()
_written: tuple[Mapping[str, Any], bool, tuple[Any, ...]] | None = None
_built: dict[tuple[Any, ...], Dialect] = {}
_clients: dict[tuple[Any, ...], Client] = {}
_emulators: dict[tuple[Any, ...], Emulator] = {}
_breakers: dict[tuple[Any, ...], tuple[Breaker, Durations]] = {}


def dialect(name: str = "") -> Dialect:
    """Return the gateway for `v1`, `v2` or `decoy`; without a name, that of VERIFY_VERSION.

    An attempt names the one it was started with, so that a changed setting strands nobody.
    Raises ImproperlyConfigured if there are no credentials and no emulator.
    """
    name = name or f"v{settings.VERIFY_VERSION}"
    recipe = _recipe()
    with _lock:
        return _made(_built, (name, *recipe), lambda: _build(name, recipe))


def warm(recent: Callable[[], Iterable[float]]) -> None:
    """Let decoys take as long as calls did (seconds) that other processes made, if this one made none yet.

    `recent` is asked only then. A process that just began would else tell decoys by their time.
    """
    with _lock:
        _breaker, durations = _shared(_recipe())
    if durations.cold:
        for seconds in recent():
            durations.note("start", seconds)


def _recipe() -> tuple[Any, ...]:
    """Return what a gateway is made by now; the settings are read anew only when one has changed."""
    global _written
    # Read once: another thread may write it meanwhile.
    given, debug, known = settings.given, django_settings.DEBUG, _written
    if known is None or known[:2] != (given, debug):
        made = (in_process(), *(_hashable(getattr(settings, key)) for key in INGREDIENTS))
        _written = known = (dict(given), debug, made)
    return known[2]


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _made(made: dict[tuple[Any, ...], T], recipe: tuple[Any, ...], make: Callable[[], T]) -> T:
    """Return what was made by this recipe. Settings change under a test run only: a few are kept, not all."""
    if recipe not in made:
        while len(made) >= 8:
            made.pop(next(iter(made)))
        made[recipe] = make()
    return made[recipe]


def has_credentials() -> bool:
    """Return whether the settings hold a pair with which Vonage can be asked; v1 takes no JWT."""
    basic = settings.API_KEY and settings.API_SECRET
    signed = settings.APPLICATION_ID and settings.PRIVATE_KEY and settings.VERIFY_VERSION != 1
    return bool(basic or signed)


def in_process() -> bool:
    """Return whether the emulator answers in this process: by setting, or with DEBUG and nothing else set."""
    if settings.EMULATOR is not None:
        return bool(settings.EMULATOR)
    return bool(django_settings.DEBUG) and not has_credentials() and not is_loopback(settings.API_HOST)


def emulator() -> Emulator | None:
    """Return the emulator that answers in this process, if one does."""
    return _emulator() if in_process() else None


def refuse_multiprocess(environ: Mapping[str, Any]) -> None:
    """Raise ImproperlyConfigured where several processes would each have an emulator of their own."""
    # Django's test client calls itself one of several processes, which it is not.
    tested = type(environ.get("wsgi.input")).__module__.startswith("django.test")
    if environ.get("wsgi.multiprocess") and not tested and in_process():
        raise ImproperlyConfigured(MULTIPROCESS)


def _build(name: str, recipe: tuple[Any, ...]) -> Dialect:
    """Build one dialect; all of one recipe share client, bulkhead and breaker, the decoy included."""
    from .vonage.circuit import Circuit
    from .vonage.decoy import Decoy
    from .vonage.v1 import V1
    from .vonage.v2 import V2

    client = _made(_clients, recipe, _client)
    breaker, durations = _shared(recipe)
    dialects: dict[str, Callable[..., Dialect]] = {"v1": V1, "v2": V2}
    real = dialects[f"v{settings.VERIFY_VERSION}" if name == "decoy" else name]
    try:
        asked = real(client, _options(), settings.START_TIMEOUT, settings.CHECK_TIMEOUT)
    except ValueError:
        raise ImproperlyConfigured(f"PASSWORDLESS does not fit Verify {name}.") from None
    if name == "decoy":
        return Decoy(client, asked.step_seconds, breaker, durations)
    return Circuit(asked, breaker, durations)


def _shared(recipe: tuple[Any, ...]) -> tuple[Breaker, Durations]:
    from .vonage.circuit import Durations

    return _made(_breakers, recipe, lambda: (Breaker(), Durations()))


def _client() -> Client:
    from .vonage.client import Client

    here = in_process()
    return Client(
        credentials(),
        host="emulator.invalid" if here else settings.API_HOST,
        connect_timeout=settings.CONNECT_TIMEOUT,
        timeout=settings.START_TIMEOUT,
        max_calls=settings.MAX_CALLS,
        adapter=_adapter() if here else None,
    )


def credentials() -> Credentials:
    """Return who we are at Vonage; an emulator takes anybody.

    Raises ImproperlyConfigured for none, for half a pair or an unreadable key, and repeats nothing of it.
    """
    from .vonage.credentials import Credentials

    anybody = "" if has_credentials() else "emulator"
    if anybody and not (in_process() or is_loopback(settings.API_HOST)):
        raise ImproperlyConfigured(MISSING)
    try:
        return Credentials(
            settings.API_KEY or anybody,
            settings.API_SECRET or anybody,
            settings.APPLICATION_ID,
            settings.PRIVATE_KEY,
        )
    except ValueError as error:
        raise ImproperlyConfigured(f"PASSWORDLESS: {error}.") from None


def _adapter() -> Any:
    from .vonage.inprocess import WsgiAdapter

    return WsgiAdapter(_emulator())


def _emulator() -> Emulator:
    from .vonage.emulator import Emulator, Switches

    url = settings.EMULATOR_WEBHOOK_URL or None
    secret = next(iter(secrets()), None)
    recipe = (tuple(settings.RESERVED_NUMBERS), url, secret, settings.API_KEY)
    with _lock:
        if recipe not in _emulators:
            _emulators[recipe] = Emulator(
                reserved=recipe[0],
                api_key=settings.API_KEY or None,
                webhook_url=url if secret else None,
                signature_secret=secret if url else None,
                switches=Switches(webhook_always=True),
            )
        return _emulators[recipe]


def secrets() -> list[str]:
    """Return the signature secrets that a webhook may be signed with, the newest first."""
    given = settings.SIGNATURE_SECRET
    return [one for one in ([given] if isinstance(given, str) else given) if one]


def _options() -> Options:
    return Options(
        brand=settings.BRAND_NAME,
        code_length=settings.CODE_LENGTH,
        lifetime=settings.ATTEMPT_LIFETIME,
        sender=settings.SENDER,
        whatsapp_sender=settings.WHATSAPP_SENDER,
        template_id=settings.TEMPLATE_ID,
        fraud_check=settings.FRAUD_CHECK,
    )
