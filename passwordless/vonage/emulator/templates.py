"""A site's own texts: templates, each with one fragment per channel and locale."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import RLock

from .texts import DEFAULT

MOST = 10
"""Templates of one account."""
CHANNELS = ("sms", "voice")
NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
LOCALE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,4})?", re.ASCII)
CODE = "${code}"


class Improper(ValueError):
    """A value that breaks a rule; `name` is its field."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason


class Taken(ValueError):
    """There is one of that kind already, or no room for another; `slug` is Vonage's word for it."""

    def __init__(self, slug: str, detail: str) -> None:
        super().__init__(detail)
        self.slug, self.detail = slug, detail


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """The text for one channel and locale. Times are Unix seconds by the emulator's clock."""

    id: str
    channel: str
    locale: str
    text: str
    created: float
    updated: float


@dataclass(frozen=True, kw_only=True)
class Template:
    """A name and its fragments by id; the default one serves requests that name none."""

    id: str
    name: str
    is_default: bool
    fragments: Mapping[str, Fragment] = field(default_factory=dict)

    def text(self, channel: str, locale: str) -> str:
        """Return the text for a channel and a locale; empty where there is none."""
        found = (
            one.text for one in self.fragments.values() if (one.channel, one.locale) == (channel, locale)
        )
        return next(found, "")


class Templates:
    """The templates of the one account that an emulator has; safe to use from several threads.

    `now` tells the time in Unix seconds. Hold `lock` over calls that belong together.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.lock = RLock()
        self._known: dict[str, Template] = {}

    def add(
        self, name: str, fragments: Mapping[tuple[str, str], str] | None = None, template_id: str = ""
    ) -> Template:
        """Make a template, with a text for each channel and locale such as `("sms", "en-us")`.

        The first one is the default. `template_id` is a UUID, a random one unless told.
        Raises ValueError for a name or an id that is taken, for an eleventh, and for a text without `${code}`.
        """
        wanted = str(uuid.UUID(template_id)) if template_id else str(uuid.uuid4())
        with self.lock:
            self._check_name(name)
            if wanted in self._known or len(self._known) >= MOST:
                raise Taken("max-templates", f"There may be {MOST} templates, each with an id of its own.")
            template = Template(id=wanted, name=name, is_default=not self._known)
            for (channel, locale), text in (fragments or {}).items():
                template = _with(template, self._fragment(template, channel, locale, text))
            return self._keep(template)

    def remove(self, template_id: str) -> None:
        """Forget a template and its fragments. Raises KeyError for an unknown one."""
        with self.lock:
            del self._known[template_id.lower()]

    def clear(self) -> None:
        """Forget them all."""
        with self.lock:
            self._known.clear()

    def all(self) -> list[Template]:
        """Return them in the order in which they were made."""
        with self.lock:
            return list(self._known.values())

    def find(self, template_id: str) -> Template | None:
        """Return one, or None."""
        with self.lock:
            return self._known.get(template_id.lower())

    def texts(self, template_id: str, locale: str) -> dict[str, str] | None:
        """Return the text of each channel that has one; without an id, those of the default template.

        A request without a locale is one in `en-us`. None for an unknown id.
        """
        template = self.find(template_id) if template_id else self._default()
        if template is None:
            return None if template_id else {}
        texts = {channel: template.text(channel, locale or DEFAULT) for channel in CHANNELS}
        return {channel: text for channel, text in texts.items() if text}

    def change(self, template: Template, name: str | None = None, is_default: bool | None = None) -> Template:
        """Rename a template, or let it be the default or not. Raises ValueError as add() does."""
        with self.lock:
            if name is not None and name != template.name:
                self._check_name(name)
            if is_default:
                self._known = {i: replace(one, is_default=False) for i, one in self._known.items()}
            default = template.is_default if is_default is None else is_default
            return self._keep(replace(template, name=name or template.name, is_default=default))

    def add_fragment(self, template: Template, channel: str, locale: str, text: str) -> Fragment:
        """Give a template a text. Raises ValueError where it has one, or the text has no `${code}`."""
        with self.lock:
            fragment = self._fragment(template, channel, locale, text)
            self._keep(_with(template, fragment))
            return fragment

    def change_fragment(self, template: Template, fragment: Fragment, text: str) -> Fragment:
        """Give a fragment another text. Raises ValueError for one without `${code}`."""
        _check_text(text)
        changed = replace(fragment, text=text, updated=self._now())
        with self.lock:
            self._keep(_with(template, changed))
        return changed

    def remove_fragment(self, template: Template, fragment: Fragment) -> None:
        """Take a text away."""
        kept = {i: one for i, one in template.fragments.items() if i != fragment.id}
        with self.lock:
            self._keep(replace(template, fragments=kept))

    def after_fork(self) -> None:
        """Begin anew in a child process: another thread may have held the lock when it was made."""
        self.lock = RLock()

    def _keep(self, template: Template) -> Template:
        self._known[template.id] = template
        return template

    def _default(self) -> Template | None:
        return next((one for one in self.all() if one.is_default), None)

    def _check_name(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise Improper("name", "Name must be letters, digits, underscores and hyphens")
        if any(one.name == name for one in self._known.values()):
            raise Taken("template-exists", "A template of that name exists.")

    def _fragment(self, template: Template, channel: str, locale: str, text: str) -> Fragment:
        if channel not in CHANNELS:
            raise Improper("channel", "Channel must be sms or voice")
        if not LOCALE.fullmatch(locale):
            raise Improper("locale", "Locale must be a lower-case tag such as en-us")
        _check_text(text)
        if template.text(channel, locale):
            raise Taken("fragment-exists", "The template has a fragment for that channel and locale.")
        now = self._now()
        return Fragment(
            id=str(uuid.uuid4()), channel=channel, locale=locale, text=text, created=now, updated=now
        )


def _with(template: Template, fragment: Fragment) -> Template:
    return replace(template, fragments={**template.fragments, fragment.id: fragment})


def _check_text(text: str) -> None:
    if CODE not in text:
        raise Improper("text", f"Text must contain {CODE}")
