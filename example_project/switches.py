"""What happens to the next messages of the emulator in this process: the virtual phone's switches.

Trouble at Vonage is the emulator's own, by its faults. A message that was sent and is late or lost on its
way is the phone's: the outbox has it, as Vonage would, and the phone does not show it.
The text that browsers fill in by themselves is a template of Verify v2: "origin-bound one-time codes", WICG.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from django import forms
from django.db.models import TextChoices

from passwordless.vonage.emulator import Emulator
from passwordless.vonage.locales import V2

LATE = timedelta(seconds=20)
TEMPLATE = "origin-bound"
# The same in every language, for the last line is what counts. Voice keeps its own text.
BOUND = "${{brand}}: ${{code}}\n\n@{host} #${{code}}"


class Fate(TextChoices):
    """What happens to a message."""

    ARRIVE = "arrive", "arrive"
    LATE = "late", "arrive 20 seconds late"
    LOST = "lost", "get lost"
    DOWN = "down", "fail: Vonage is down"
    BUSY = "busy", "fail: Vonage is too busy"
    NETWORK = "network", "fail: the network is not served"


# HTTP codes, or below 200 the status of v1 in an HTTP 200.
FAULTS = {Fate.DOWN: {1: 500, 2: 500}, Fate.BUSY: {1: 1, 2: 429}, Fate.NETWORK: {1: 15, 2: 15}}
SENDING = ("start", "advance")


class Reception:
    """Since when which fate was chosen, by the emulator's clock."""

    def __init__(self) -> None:
        self._turns: deque[tuple[datetime, Fate]] = deque(maxlen=1000)

    @property
    def fate(self) -> Fate:
        """The fate of the next message."""
        return self._turns[-1][1] if self._turns else Fate.ARRIVE

    def turn(self, fate: Fate, at: datetime) -> None:
        """Choose the fate of what is sent from then on."""
        self._turns.append((at, fate))

    def arrival(self, sent_at: datetime) -> datetime | None:
        """Return when a message arrives, or None if it got lost."""
        fate = next((fate for at, fate in reversed(self._turns) if at <= sent_at), Fate.ARRIVE)
        if fate is Fate.LOST:
            return None
        return sent_at + LATE if fate is Fate.LATE else sent_at


_receptions: WeakKeyDictionary[Emulator, Reception] = WeakKeyDictionary()
_lock = Lock()


def reception(emulator: Emulator) -> Reception:
    """Return how the phone of this emulator stands."""
    with _lock:
        return _receptions.setdefault(emulator, Reception())


def choose(emulator: Emulator, fate: Fate, version: int) -> None:
    """Choose what happens from now on, in the words of Verify `version` (1 or 2); faults that waited go."""
    emulator.faults.clear()
    if fate in FAULTS:
        for verb in SENDING:
            emulator.faults.add("status", verb, times=None, status=FAULTS[fate][version])
    reception(emulator).turn(fate, datetime.fromtimestamp(emulator.clock.now(), UTC))


def is_bound(emulator: Emulator) -> bool:
    """Return whether text messages end in the line that binds a code to a site."""
    return any(template.name == TEMPLATE for template in emulator.templates.all())


def bind(emulator: Emulator, host: str) -> None:
    """Let text messages end in the line that binds a code to `host`; empty: let them be as they were."""
    with _lock:
        for template in emulator.templates.all():
            if template.name == TEMPLATE:
                emulator.templates.remove(template.id)
        if host:
            text = BOUND.format(host=host)
            emulator.templates.add(TEMPLATE, {("sms", locale): text for locale in V2})


class SwitchForm(forms.Form):
    """The switches of one emulator, in the words of Verify `version`; version 1 has no templates."""

    fate = forms.TypedChoiceField(label="What happens to them", coerce=Fate, choices=Fate.choices)
    text = forms.ChoiceField(
        label="What a text message says",
        choices=[("plain", "Vonage's own words"), ("bound", "a code bound to this site")],
    )

    def __init__(self, *args: Any, version: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if version == 1:
            del self.fields["text"]

    @property
    def chosen(self) -> str:
        """What happens to the next message, in words."""
        return str(Fate(self.initial["fate"]).label)


def form_of(emulator: Emulator, version: int) -> SwitchForm:
    """Return the form that shows how the switches stand."""
    stands = {"fate": reception(emulator).fate, "text": "bound" if is_bound(emulator) else "plain"}
    return SwitchForm(initial=stands, version=version, auto_id="demo-%s")
