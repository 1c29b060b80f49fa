"""No code, number, secret or request id in a log, a mail, a page of the admin, or where it was not made for."""

from __future__ import annotations

import base64
import logging
import re
import traceback

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import Client

from passwordless import flow, gateway, logs, phones
from passwordless.backends import PhoneBackend
from passwordless.models import AttemptEvent, PhoneNumber, VerificationAttempt
from passwordless.vonage.emulator import Emulator, serve
from tests import support
from tests.browsing import CODE, Browser
from tests.support import configure

pytestmark = pytest.mark.django_db

KEY, SECRET, SIGNATURE = "key4leak", "Secret4leaksZ", "signature-secret-of-the-tests-0123456789"
NUMBERS = [f"+1415555012{digit}" for digit in range(10)]
OWN_COLUMNS = {
    ("passwordless_verificationattempt", "number"),
    ("passwordless_verificationattempt", "live_number"),
    ("passwordless_phonenumber", "number"),
}
ID_COLUMN = ("passwordless_verificationattempt", "request_id")


class Everything(logging.Handler):
    """Keeps whatever a log could show of each record: the message, its arguments, extras and traceback."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        if record.name.startswith("django.db.backends"):
            return
        self.lines.append(f"{record.name} {record.getMessage()} {record.args!r}")
        if record.exc_info:
            self.lines += traceback.format_exception(*record.exc_info)

    @property
    def text(self):
        return "\n".join(self.lines)


class Secrets:
    """What was used, to be looked for."""

    def __init__(self, *, api_secret=SECRET):
        basic = base64.b64encode(f"{KEY}:{api_secret}".encode()).decode()
        self.secrets = {api_secret, basic, SIGNATURE}
        self.codes, self.numbers, self.ids = set(), set(), set()

    def learn(self, emulator, *typed):
        for message in emulator.messages():
            self.codes.add(message.code)
            self.ids.add(message.request_id)
            self.numbers.add(message.to)
        self.ids |= set(
            VerificationAttempt.objects.exclude(request_id=None).values_list("request_id", flat=True)
        )
        self.codes |= set(typed)
        self.numbers |= set(NUMBERS)

    def spellings(self):
        for number in self.numbers:
            national = number[2:]
            yield from (number[1:], national, f"{national[:3]}-{national[3:6]}-{national[6:]}")
            yield from (
                phones.display(number),
                number.replace("+", "%2B"),
                f"({national[:3]}) {national[3:6]}",
            )

    def in_text(self, text, *, ids=True):
        """Return what of it is in a text. Codes count as whole numbers only: they are short."""
        codes = {code for code in self.codes if re.search(rf"(?<![0-9a-zA-Z.]){code}(?![0-9a-zA-Z.])", text)}
        plain = [*self.secrets, *self.spellings(), *(self.ids if ids else ())]
        return codes | {word for word in plain if word in text}


@pytest.fixture
def log():
    """Listen to every logger at DEBUG."""
    root, everything = logging.getLogger(), Everything()
    levels = {name: logger.level for name, logger in root.manager.loggerDict.items()
              if isinstance(logger, logging.Logger)}  # fmt: skip
    before = root.level
    root.addHandler(everything)
    root.setLevel(logging.DEBUG)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger("django.db.backends").setLevel(logging.WARNING)
    django = logging.getLogger("django")
    handlers, django.handlers = django.handlers, []
    yield everything
    django.handlers = handlers
    root.removeHandler(everything)
    root.setLevel(before)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(autouse=True)
def clock(request):
    with support.world() as traveller:
        yield traveller


@pytest.fixture
def provider():
    emulator = Emulator(api_key=KEY, api_secret=SECRET)
    server = serve(emulator)
    emulator.url = server.url
    yield emulator
    server.shutdown()
    for client in list(gateway._clients.values()):
        client.close()


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def site(request, settings, provider):
    """The site in front of a provider on a socket, as in production."""
    configure(
        settings,
        EMULATOR=False,
        API_HOST=provider.url,
        API_KEY=KEY,
        API_SECRET=SECRET,
        SIGNATURE_SECRET=SIGNATURE,
        VERIFY_VERSION=request.param,
        LIMITS={},
        CHECK_TIMEOUT=0.5,
        START_TIMEOUT=0.5,
    )
    return provider


def wrong(code):
    return "".join(str(9 - int(digit)) for digit in code)


def last(emulator, number):
    return emulator.messages(number)[-1].code


def play(emulator, clock):
    """Live through every way a login can go; return the codes that were typed and every page shown."""
    typed, pages = ["975318"], []

    def visit(index):
        browser = Browser(ip=f"198.51.100.{index + 1}", agent=f"Agent of {index}")
        pages.append(browser.pages)
        return browser, NUMBERS[index]

    smooth, number = visit(0)
    smooth.ask(number)
    typed.append(wrong(last(emulator, number)))
    smooth.type(typed[-1])
    smooth.type(last(emulator, number))
    smooth.type(last(emulator, number))
    assert smooth.logged_in

    locked, number = visit(1)
    locked.ask(number)
    typed.append(wrong(last(emulator, number)))
    for _ in range(4):
        locked.type(typed[-1])
    locked.type(last(emulator, number))

    called, number = visit(2)
    called.ask(number)
    clock.shift(61)
    called.advance()
    called.type(last(emulator, number))

    gone, number = visit(3)
    gone.ask(number)
    clock.shift(31)
    gone.cancel()
    gone.ask(number)
    clock.shift(3601)
    gone.type("975318")

    for index, (where, what) in enumerate(
        [("start", "drop_after"), ("start", "html"), ("check", "bad_json"), ("check", "drop_after"),
         ("advance", "hang"), ("cancel", "hang")], start=4,
    ):  # fmt: skip
        browser, number = visit(index)
        emulator.faults.add(what, where=where, times=1, seconds=2)
        browser.ask(number)
        browser.type("975318")
        clock.shift(61)
        browser.advance()
        browser.cancel()
        emulator.faults.clear()
    odd, _number = visit(9)
    odd.ask(f"{NUMBERS[9]};ext=1")
    odd.ask("+1 415 555")
    odd.post("/login/", {"number": NUMBERS[9]})
    return typed, pages


def learnt(emulator, clock):
    secrets = Secrets()
    typed, pages = play(emulator, clock)
    secrets.learn(emulator, *typed)
    assert secrets.codes
    assert secrets.ids
    return secrets, pages


class TestLogs:
    def test_hold_nothing_at_any_level(self, site, clock, log):
        secrets, _pages = learnt(site, clock)
        assert "passwordless.vonage" in log.text
        assert "django.request" in log.text
        assert set() == secrets.in_text(log.text)

    def test_of_commands_hold_nothing(self, site, clock, log, capsys):
        secrets, _pages = learnt(site, clock)
        get_user_model().objects.create_user("linked")
        call_command("passwordless_link", "linked", NUMBERS[5])
        call_command("passwordless_unlock", NUMBERS[0])
        call_command("passwordless_erase", NUMBERS[0])
        call_command("passwordless_prune")
        assert set() == secrets.in_text("\n".join([log.text, *capsys.readouterr()]))

    def test_of_bad_credentials_and_spent_credit_hold_nothing(self, settings, site, clock, log):
        configure(settings, API_SECRET="another-secret-1", LIMITS={})
        secrets = Secrets(api_secret="another-secret-1")
        Browser().ask(NUMBERS[0])
        secrets.learn(site)
        assert "Vonage does not serve this site" in log.text
        assert set() == secrets.in_text(log.text)

    def test_of_a_signed_client_hold_nothing(self, settings, provider, clock, log):
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        application = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
        given = {"APPLICATION_ID": application, "PRIVATE_KEY": text}
        configure(settings, EMULATOR=False, API_HOST=provider.url, LIMITS={}, **given)
        secrets = Secrets()
        browser = Browser()
        browser.ask(NUMBERS[0])
        secrets.learn(provider)
        secrets.secrets |= set(text.split("\n")[1:-2])
        assert "eyJ" not in log.text
        assert set() == secrets.in_text(log.text)

    def test_of_forged_webhooks_hold_nothing(self, site, clock, log, client):
        secrets, _pages = learnt(site, clock)
        body = {"request_id": next(iter(secrets.ids)), "to": NUMBERS[0], "status": "completed"}
        for token in ("Bearer x.y.z", "Bearer ", "Basic x"):
            client.post("/webhooks/vonage/", body, "application/json", HTTP_AUTHORIZATION=token)
        assert "A webhook was refused" in log.text
        assert set() == secrets.in_text(log.text)


class TestPages:
    def test_hold_no_code_and_no_id_nor_the_key_of_an_attempt(self, site, clock):
        secrets, pages = learnt(site, clock)
        secrets.numbers = set()
        keys = set(VerificationAttempt.objects.values_list("key", flat=True))
        for page in (page for visit in pages for page in visit):
            told = f"{page.content.decode()} {page.headers} {page.cookies.output()}"
            assert set() == secrets.in_text(told)
            assert not [key for key in keys if key in told]

    def test_have_no_number_in_an_address_or_a_header(self, site, clock):
        secrets, pages = learnt(site, clock)
        for page in (page for visit in pages for page in visit):
            links = re.findall(r'(?:href|action|src)="([^"]*)"', page.content.decode())
            assert set() == secrets.in_text(f"{links} {page.headers} {page.cookies.output()}")
            assert set() == secrets.in_text(page.request["PATH_INFO"] + page.request["QUERY_STRING"])

    def test_of_the_admin_hold_nothing(self, site, clock):
        secrets, _pages = learnt(site, clock)
        staff = Client()
        staff.force_login(
            get_user_model().objects.create_superuser("root"), "django.contrib.auth.backends.ModelBackend"
        )
        paths = ["/admin/", "/admin/passwordless/verificationattempt/", "/admin/passwordless/phonenumber/"]
        paths += [
            f"{paths[1]}{pk}/change/" for pk in VerificationAttempt.objects.values_list("pk", flat=True)
        ]
        paths += [f"{paths[2]}{pk}/delete/" for pk in PhoneNumber.objects.values_list("pk", flat=True)]
        paths += [f"{paths[1]}?status__exact=verified", f"{paths[1]}?period=1h", f"{paths[2]}add/"]
        assert len(paths) > 12
        for path in paths:
            page = staff.get(path)
            assert 200 == page.status_code, path
            # Staff find an attempt at Vonage by its request id, which is shown on purpose.
            assert set() == secrets.in_text(page.content.decode(), ids=False), path


def dump():
    """Return every text of the database, by table and column, sessions decoded."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - names of our tables
            names = [column[0] for column in cursor.description]
            for values in cursor.fetchall():
                for name, value in zip(names, values, strict=True):
                    if isinstance(value, str | bytes):
                        yield table, name, value if isinstance(value, str) else value.decode("latin-1")
    for session in Session.objects.all():
        yield "django_session", "decoded", repr(session.get_decoded())


class TestDatabase:
    def test_holds_numbers_in_their_columns_and_nothing_else_anywhere(self, site, clock):
        secrets, _pages = learnt(site, clock)
        get_user_model().objects.create_superuser("root")
        found = {(table, column): words for table, column, text in dump() if (words := secrets.in_text(text))}
        assert {*OWN_COLUMNS, ID_COLUMN} >= found.keys()
        assert found[("passwordless_phonenumber", "number")]
        for column in OWN_COLUMNS & found.keys():
            assert not found[column] & (secrets.codes | secrets.secrets | secrets.ids)
        assert found[ID_COLUMN] <= secrets.ids

    def test_holds_none_of_a_person_who_was_erased(self, site, clock):
        learnt(site, clock)
        for number in NUMBERS:
            flow.erase(number)
        secrets = Secrets()
        secrets.numbers = set(NUMBERS)
        assert [] == [(table, column) for table, column, text in dump() if secrets.in_text(text)]

    def test_every_text_column_of_ours_was_read(self):
        VerificationAttempt.objects.all().delete()
        support.make(request_id="r" * 32, agent="of a test")
        AttemptEvent.objects.create(attempt=support.latest(), kind="asked", at=support.BEGIN)
        columns = {(table, column) for table, column, _text in dump()}
        for model in (VerificationAttempt, AttemptEvent):
            texts = {field.column for field in model._meta.get_fields() if hasattr(field, "max_length")
                     and field.max_length and not field.null}  # fmt: skip
            assert {(model._meta.db_table, name) for name in texts} <= columns
        assert apps.get_app_config("passwordless").models


class StrictBackend(PhoneBackend):
    """A site's backend that breaks."""

    def may_log_in(self, user):
        raise RuntimeError("of the site, at may_log_in")


class LostBackend(PhoneBackend):
    """A site's backend that breaks earlier."""

    def find_user(self, number):
        raise RuntimeError("of the site, at find_user")


@pytest.fixture(params=[False, True], ids=["plain mail", "mail with a page"])
def admins(request, settings):
    settings.ADMINS = support.admins()
    from django.utils.log import AdminEmailHandler

    handler = AdminEmailHandler(include_html=request.param)
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    mail.outbox = []
    yield mail.outbox
    logger.removeHandler(handler)


def letters(box):
    return "\n".join(
        part for letter in box for part in (letter.subject, letter.body, str(letter.alternatives))
    )


class TestCrash:
    """An error of the site's own, and what the mail to its admins tells."""

    def visit(self):
        browser = Browser()
        browser.client.raise_request_exception = False
        return browser

    def test_at_the_login_tells_neither_code_nor_number(self, settings, admins, clock):
        def fail(sender, **told):
            raise RuntimeError("of the site, at user_logged_in")

        browser, secrets = self.visit(), Secrets()
        browser.ask(NUMBERS[0])
        secrets.learn(gateway.emulator())
        user_logged_in.connect(fail)
        try:
            assert 500 == browser.type(last(gateway.emulator(), NUMBERS[0])).status_code
        finally:
            user_logged_in.disconnect(fail)
        self.tells_nothing(admins, secrets, "at user_logged_in")

    @pytest.mark.parametrize("moment", ["may_log_in", "find_user"])
    def test_while_a_code_is_checked_tells_neither_code_nor_number(self, settings, admins, clock, moment):
        browser, secrets = self.visit(), Secrets()
        Browser(ip="198.51.100.9").log_in(NUMBERS[0])
        clock.shift(61)
        browser.ask(NUMBERS[0])
        secrets.learn(gateway.emulator())
        self.break_site(settings, moment)
        assert 500 == browser.type(last(gateway.emulator(), NUMBERS[0])).status_code
        self.tells_nothing(admins, secrets, f"at {moment}")

    @pytest.mark.parametrize("moment", ["may_log_in", "find_user"])
    def test_while_a_code_is_asked_for_tells_no_number(self, settings, admins, clock, moment):
        browser, secrets = self.visit(), Secrets()
        Browser(ip="198.51.100.9").log_in(NUMBERS[0])
        clock.shift(61)
        secrets.learn(gateway.emulator())
        self.break_site(settings, moment)
        assert 500 == browser.ask(NUMBERS[0]).status_code
        self.tells_nothing(admins, secrets, f"at {moment}")

    def test_while_another_code_is_asked_for_tells_no_number(self, settings, admins, clock):
        browser, secrets = self.visit(), Secrets()
        browser.ask(NUMBERS[0])
        secrets.learn(gateway.emulator())
        clock.shift(3600)
        browser.get(CODE)
        self.break_site(settings, "find_user")
        assert 500 == browser.fill("/login/advance/").status_code
        self.tells_nothing(admins, secrets, "at find_user")

    def break_site(self, settings, moment):
        broken = {"may_log_in": "StrictBackend", "find_user": "LostBackend"}[moment]
        settings.AUTHENTICATION_BACKENDS = [f"{__name__}.{broken}"]

    def tells_nothing(self, box, secrets, what):
        text = letters(box)
        assert what in text
        assert set() == secrets.in_text(text)
        assert not [session for session in Session.objects.values_list("pk", flat=True) if session in text]
        # Nor what a browser holds of an attempt: so begin the tokens of Fernet.
        assert not re.search(r"gAAAA[\w-]{40}", text)


class TestMask:
    """The filter on our loggers."""

    def filtered(self, message, *args):
        record = logging.LogRecord("passwordless", logging.INFO, __file__, 1, message, args, None)
        assert logs.MaskNumbers().filter(record) is True
        return record.getMessage()

    @pytest.mark.parametrize(
        "text",
        ["+14155550101", "14155550101", "+1 415 555 0101", "(415) 555-0101", "+1 (415) 555-0101", "415.555.0101",
         "+1-415-555-0101", "%2B14155550101", "tel14155550101", "123456", "4242", "1234567890", "12 34 56 78",
         "４１５５５５０１０１", "٤١٥٥٥٥٠١٠١"],
    )  # fmt: skip
    def test_numbers_and_codes_are_masked(self, text):
        told = self.filtered("told %s to somebody", text)
        assert "•••" in told
        assert told.startswith("told ")
        assert told.endswith(" to somebody")
        assert not re.search(r"\d{3}", told)

    @pytest.mark.parametrize("text", ["HTTP 402", "took 812 ms", "POST /v2/verify: 202", "status 10", ""])
    def test_what_is_neither_stays(self, text):
        assert text == self.filtered(text)

    @pytest.mark.parametrize(
        "text", ["a\nb", "a\r\nINFO forged", "a\x1b[31mb", "a\x00b", "a\u2028b", "a\u202eb"]
    )
    def test_nothing_forges_a_line(self, text):
        told = self.filtered("said %s", text)
        assert told.isprintable()
        assert told.startswith("said a")

    def test_a_percent_sign_left_over_does_no_harm(self):
        assert "100%d of •••" == self.filtered("100%%d of %s", "14155550101")

    def test_it_is_on_our_loggers_once(self):
        logs.install()
        logs.install()
        for name in ("passwordless", "passwordless.vonage"):
            found = [one for one in logging.getLogger(name).filters if isinstance(one, logs.MaskNumbers)]
            assert 1 == len(found)

    def test_it_works_on_what_they_say(self, caplog):
        logging.getLogger("passwordless").warning("for %s", NUMBERS[0])
        assert ["for •••"] == [record.getMessage() for record in caplog.records]


def test_reprs_of_what_crosses_between_modules_hold_nothing(clock):
    browser = Browser()
    browser.ask(NUMBERS[0])
    handle = flow.start(NUMBERS[0], support.OWNER).handle
    row = support.latest(NUMBERS[0])
    outcome = flow.check(handle, last(gateway.emulator(), NUMBERS[0]), support.OWNER)
    secrets = Secrets()
    secrets.learn(gateway.emulator())
    told = " ".join(
        repr(one) for one in (handle, row, outcome, outcome.user, support.OWNER, *PhoneNumber.objects.all())
    )
    assert outcome.verified
    assert set() == secrets.in_text(told)
    assert row.key not in told
    assert CODE.startswith("/login")
