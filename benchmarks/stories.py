"""What became of an attempt, made up: people, countries, channels and endings in shares that a site could have."""

import hashlib
import hmac
from datetime import datetime, timedelta
from itertools import accumulate
from math import pi, sin
from operator import itemgetter
from random import Random

DAYS = 180
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - written without a zone, as UTC
PEOPLE = 1_000_000
MEMBERS = 10_000
"""Users; each has about a hundredth of a percent of all logins."""

COUNTRIES = (
    # Share in percent, country, what its numbers begin with, digits after that, language, cents a message.
    (30, "US", "+1312", 7, "en", 1), (12, "DE", "+49151", 8, "de", 9), (10, "GB", "+4477", 8, "en-gb", 4),
    (8, "FR", "+336", 8, "fr", 7), (8, "IN", "+9198", 8, "hi", 2), (7, "BR", "+55119", 8, "pt-br", 3),
    (5, "ES", "+346", 8, "es", 6), (5, "IT", "+3934", 8, "it", 7), (4, "NL", "+316", 8, "nl", 9),
    (4, "PL", "+4860", 7, "pl", 3), (3, "MX", "+5255", 8, "es-mx", 3), (2, "ID", "+62812", 8, "id", 30),
    (1, "NG", "+23480", 8, "en", 20), (1, "PH", "+63917", 7, "en", 15),
)  # fmt: skip
PUMPED = ("ID", "+62855901")
"""The country and the beginning of a block of 10,000 numbers that somebody earns by, eleven days ago."""

ENDINGS = (
    # Share in percent, status, reason, how it came to that.
    (62.0, "verified", "ok", "proved"), (0.5, "verified", "not_allowed", "proved"),
    (13.0, "expired", "expired", "sent"), (3.0, "failed", "too_many_guesses", "wrong"),
    (2.5, "cancelled", "cancelled", "sent"), (1.0, "failed", "unroutable", "sent"),
    (1.2, "refused", "unroutable", "asked"), (0.8, "refused", "unsupported_network", "asked"),
    (0.6, "refused", "blocked", "asked"), (0.7, "refused", "provider_error", "asked"),
    (0.4, "refused", "throttled", "asked"), (0.3, "expired", "unavailable", "lost"),
    (4.0, "refused", "wait", "limited"), (2.5, "refused", "limit_number", "limited"),
    (2.0, "refused", "limit_ip", "limited"), (1.0, "refused", "limit_country", "limited"),
    (0.5, "refused", "circuit_open", "limited"), (4.0, "expired", "unknown_number", "decoy"),
)  # fmt: skip
PLANS = ((70, "sms,voice"), (15, "whatsapp,sms"), (10, "sms"), (5, "voice,sms"))
AGENTS = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Version/{version}.0 Safari/537.36"
    for system in ("X11; Linux x86_64", "Windows NT 10.0; Win64; x64", "iPhone; CPU iPhone OS 18_0")
    for version in range(120, 140)
)


class Shares:
    """Draws one of several by their shares."""

    def __init__(self, lines, chance):
        self._lines, self._sums = [line[1:] for line in lines], list(accumulate(line[0] for line in lines))
        self._chance = chance

    def draw(self):
        """Return what stands behind one of the shares."""
        return self._chance.choices(self._lines, cum_weights=self._sums)[0]


class Tags:
    """The HMAC of a number as the app makes it, without building the key anew each time."""

    def __init__(self, secret):
        key = hashlib.sha256(b"passwordless.number" + secret.encode()).digest()
        self._begun = hmac.new(key, digestmod=hashlib.sha256)

    def of(self, number):
        """Return the tag of a number (E.164)."""
        mac = self._begun.copy()
        mac.update(number.encode())
        return mac.hexdigest()


class Author:
    """Writes rows in the order of their time: `attempt(index)` gives an attempt and its events, as tuples.

    Few people come often, most of them a few times. Numbers and visitors of rows that are older than
    `kept_days` are forgotten, as a daily prune leaves them.
    """

    def __init__(self, count, now, secret, attempt_columns, event_columns, *, seed=1, kept_days=30):
        self.chance, self.now, self.count = Random(seed), now, count
        self.begin = (now - timedelta(days=DAYS)).timestamp()
        self.kept = (now - timedelta(days=kept_days)).timestamp()
        self.people = max(min(PEOPLE, count // 5), 1)
        self.tags, self.live, self.events_written = Tags(secret), set(), 0
        self.shares = {"ending": ENDINGS, "plan": PLANS, "country": COUNTRIES}
        self.shares = {name: Shares(lines, self.chance) for name, lines in self.shares.items()}
        self._blank = attempt_columns, event_columns
        self._attempt, self._event = itemgetter(*attempt_columns), itemgetter(*event_columns)

    def attempt(self, index):
        """Return the row with the primary key index + 1, and its events."""
        created = self._moment(index)
        person = int(self.people * self.chance.random() ** 2)
        country, beginning, digits, language, cents = self._country_of(person)
        number = f"{beginning}{person * 7919 % 10**digits:0{digits}}"
        status, reason, how = self.shares["ending"].draw()
        if self._pumping(index):
            country, number = PUMPED[0], f"{PUMPED[1]}{self.chance.randrange(10_000):04}"
            status, reason, how, cents = "expired", "expired", "sent", 30
        if created > self.now.timestamp() - 120 and number not in self.live:
            self.live.add(number)
            status, reason, how = "pending", "ok", "waits"
        facts = {
            **self._blank[0], **self._who(person, created), **self._number(number, created),
            "id": index + 1, "key": self._key(), "country": country, "status": status, "reason": reason,
            "created_at": _text(created), "language": language,
        }  # fmt: skip
        events = self._life(facts, how, created, cents)
        if how == "waits":
            facts["live_number"] = number
        return self._attempt(facts), events

    def _life(self, facts, how, created, cents):
        """Fill in when it was sent, how it ended and what it cost; return the events."""
        chance = self.chance
        (plan,) = self.shares["plan"].draw()
        channels, ends = plan.split(","), created + 300
        facts["channels"], facts["claimed_at"] = plan, _text(created)
        facts["expires_at"] = facts["open_until"] = _text(ends)
        if how == "limited":
            facts["refusal"] = f"{facts['reason']}:{facts['key']}{facts['key']}"
            facts["repeats"], facts["ended_at"] = int(1 + chance.expovariate(0.4)), facts["created_at"]
            return []
        facts["took"] = int(80 + chance.expovariate(0.008))
        if how == "asked":
            facts["api"], facts["ended_at"] = "v2", facts["created_at"]
            return [self._told(facts, "refused", created + 0.2, reason=facts["reason"], took=facts["took"])]
        step = int(len(channels) > 1 and chance.random() < 0.12)
        facts["api"], facts["step"] = "decoy" if how == "decoy" else "v2", step
        facts["request_id"] = None if how in ("decoy", "lost") else self._request()
        facts["sent_at"] = facts["step_at"] = None if how == "lost" else _text(created + 0.3)
        facts["sends"] = 0 if how in ("decoy", "lost") else 1 + step
        return self._end(facts, how, created, ends, channels, cents)

    def _end(self, facts, how, created, ends, channels, cents):
        chance, events, channel = self.chance, [], channels[facts["step"]]
        if facts["step"]:
            events.append(self._told(facts, "next", created + 70, channel=channel, took=facts["took"]))
        if how == "waits":
            facts["ended_at"] = None
            return events
        took = min(8 + chance.expovariate(0.04) + 70 * facts["step"], 290)
        over = created + took if how in ("proved", "wrong") else ends
        wrong = 3 if how == "wrong" else int(how == "proved" and chance.random() < 0.1)
        events += [self._told(facts, "guessed", over - 3 + n, reason="wrong_code") for n in range(wrong)]
        facts["ended_at"], facts["guesses"] = _text(over), wrong + (how == "proved")
        if how == "proved":
            facts["user_id"], facts["proved_by"] = 1 + chance.randrange(MEMBERS), channel
            events.append(self._told(facts, "verified", over, reason=facts["reason"], took=150))
        if facts["request_id"]:
            cost = 50_000 * (how == "proved") + cents * 10_000 * facts["sends"]
            facts["price"], facts["currency"] = f"0.{cost:06}", "EUR"
            word = "completed" if how == "proved" else "expired"
            events += [
                self._told(facts, "reported", over + 1, vendor=word, channel=name, who=False)
                for name in (channel, "")
            ]
        return events

    def _told(self, facts, kind, at, *, who=True, **told):
        self.events_written += 1
        known = {"ip": facts["ip"], "agent": facts["agent"]} if who else {}
        return self._event(
            {
                **self._blank[1],
                **told,
                **known,
                "id": self.events_written,
                "kind": kind,
                "at": _text(at),
                "attempt_id": facts["id"],
            }
        )

    def _who(self, person, created):
        if created < self.kept:
            return {}
        address = person * 2654435761 % 2**24
        ip = f"10.{address >> 16}.{address >> 8 & 255}.{address & 255}"
        return {"ip": ip, "agent": AGENTS[person % len(AGENTS)]}

    def _number(self, number, created):
        tag = self.tags.of(number)
        return {"number": "" if created < self.kept else number, "number_tag": tag}

    def _country_of(self, person):
        """Return always the same one for a person."""
        chance = (person * 48271 % 65521) / 65521 * 100
        for share, *country in COUNTRIES:
            chance -= share
            if chance < 0:
                return country
        return list(COUNTRIES[0][1:])

    def _moment(self, index):
        """Return when it was asked for (Unix time): later with each index, and more often by day than by night."""
        part = (index + 1) / (self.count + 1)
        turns = 2 * pi * DAYS
        return self.begin + DAYS * 86400 * (part - 0.8 * sin(turns * part) / turns)

    def _pumping(self, index):
        return 0.938 < index / self.count < 0.944 and self.chance.random() < 0.6

    def _key(self):
        return self.chance.randbytes(10).hex()[:19].replace("0", "g").replace("1", "h")

    def _request(self):
        text = self.chance.randbytes(16).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _text(moment):
    """Return a Unix time as both databases take it: in UTC."""
    return str(EPOCH + timedelta(seconds=moment))
