"""A site's own texts: made over the wire or in process, and chosen when a message is sent."""

from __future__ import annotations

import json
import os
import signal
import threading
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passwordless.vonage.emulator import Emulator, Switches
from tests.vonage.emulator_calls import NUMBER, V2, call, emulator_at

ROOT = "/v2/verify/templates"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
TEXT = "${brand}: ${code}, ${time-limit} ${time-limit-unit}"
BOUND = "Your ${brand} code is ${code}.\n\n@example.com #${code}"


@pytest.fixture
def emulator():
    return emulator_at()


@pytest.fixture
def v2(emulator):
    return V2(emulator)


class Made:
    """A template on the wire."""

    def __init__(self, v2, name="example-com"):
        self.v2 = v2
        self.answer = v2.ask("POST", ROOT, {"name": name})
        assert 201 == self.answer.status
        self.id = self.answer.body["template_id"]
        self.path = f"{ROOT}/{self.id}"

    def say(self, text=TEXT, channel="sms", locale="en-us"):
        return self.v2.ask(
            "POST", f"{self.path}/template_fragments", {"channel": channel, "locale": locale, "text": text}
        )

    def fragment(self, **options):
        return f"{self.path}/template_fragments/{self.say(**options).body['template_fragment_id']}"

    def change(self, **fields):
        return self.v2.ask("PATCH", self.path, fields)

    def delete(self):
        return self.v2.ask("DELETE", self.path)


@pytest.fixture
def made(v2):
    return Made(v2)


def sent(emulator, number=NUMBER):
    return [message.text for message in emulator.messages(number)]


def slug(answer):
    return answer.status, answer.body["type"].rpartition("#")[2]


def named(answer):
    return answer.status, [fault["name"] for fault in answer.body["invalid_parameters"]]


# Over the wire


def test_what_a_template_looks_like(v2, made):
    links = {
        "self": {"href": f"http://127.0.0.1:8002{made.path}"},
        "fragments": {"href": f"http://127.0.0.1:8002{made.path}/template_fragments"},
    }
    expected = {"template_id": made.id, "name": "example-com", "is_default": True, "_links": links}
    assert expected == made.answer.body == v2.ask("GET", made.path).body
    assert made.id == str(uuid.UUID(made.id))


def test_what_a_fragment_looks_like(emulator, v2, made):
    path = made.fragment()
    emulator.clock.advance(60)
    changed = v2.ask("PATCH", path, {"text": "${code}!"})
    assert {
        "template_fragment_id": path.rpartition("/")[2],
        "channel": "sms",
        "locale": "en-us",
        "text": "${code}!",
        "date_created": "2027-01-15T08:00:00.000Z",
        "date_updated": "2027-01-15T08:01:00.000Z",
        "_links": {
            "self": {"href": f"http://127.0.0.1:8002{path}"},
            "template": {"href": f"http://127.0.0.1:8002{made.path}"},
        },
    } == changed.body
    assert (200, changed.body) == (changed.status, v2.ask("GET", path).body)


def test_lists_come_by_pages(v2):
    names = [Made(v2, f"t{number}").answer.body["name"] for number in range(7)]
    pages = [call(v2.emulator, "GET", ROOT, query=f"page_size=3&page={page}").body for page in (1, 2, 3, 4)]
    assert [names[:3], names[3:6], names[6:], []] == [
        [one["name"] for one in page["_embedded"]["templates"]] for page in pages
    ]
    assert {(3, 3, 7)} == {(page["page_size"], page["total_pages"], page["total_items"]) for page in pages}
    assert [
        ["self", "next", "last"],
        ["self", "next", "prev", "last"],
        ["self", "prev", "last"],
        ["self", "prev", "last"],
    ] == [list(page["_links"]) for page in pages]
    assert f"http://127.0.0.1:8002{ROOT}?page=2&page_size=3" == pages[0]["_links"]["next"]["href"]


def test_a_list_without_anything_has_a_page(v2):
    body = v2.ask("GET", ROOT).body
    assert (1, 10, 1, 0, {"templates": []}) == tuple(
        body[key] for key in ("page", "page_size", "total_pages", "total_items", "_embedded")
    )


def test_fragments_are_listed(v2, made):
    made.say()
    made.say(locale="de-de")
    body = v2.ask("GET", f"{made.path}/template_fragments").body
    listed = body["_embedded"]["template_fragments"]
    assert (2, ["en-us", "de-de"]) == (body["total_items"], [one["locale"] for one in listed])


@pytest.mark.parametrize(
    ("query", "name"),
    [("page=0", "page"), ("page=x", "page"), ("page_size=0", "page_size"), ("page_size=101", "page_size")],
)
def test_bad_pages_are_422(emulator, query, name):
    assert (422, [name]) == named(call(emulator, "GET", ROOT, query=query))


@pytest.mark.parametrize("name", ["", "two words", "é", "a/b", "a\n", None, 5])
def test_a_bad_name_is_422(v2, made, name):
    assert (422, ["name"]) == named(v2.ask("POST", ROOT, {"name": name}))
    assert (422, ["name"]) == named(made.change(name=name))


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff"])
def test_a_body_that_is_no_object_is_422(emulator, made, body):
    for method, path in (("POST", ROOT), ("PATCH", made.path), ("POST", f"{made.path}/template_fragments")):
        assert (422, ["body"]) == named(call(emulator, method, path, body=body))


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"text": "no code"}, "text"),
        ({"text": None}, "text"),
        ({"channel": "whatsapp"}, "channel"),
        ({"channel": None}, "channel"),
        ({"locale": "English"}, "locale"),
        ({"locale": 5}, "locale"),
    ],
)
def test_a_bad_fragment_is_422(made, fields, name):
    assert (422, [name]) == named(made.say(**fields))


def test_a_fragment_keeps_its_code(v2, made):
    assert (422, ["text"]) == named(v2.ask("PATCH", made.fragment(), {"text": "no code"}))


def test_a_name_is_taken_once(v2, made):
    assert (409, "template-exists") == slug(v2.ask("POST", ROOT, {"name": "example-com"}))
    other = Made(v2, "other")
    assert (409, "template-exists") == slug(other.change(name="example-com"))
    assert (200, "other") == (other.change(name="other").status, v2.ask("GET", other.path).body["name"])


def test_there_are_ten_at_most(v2):
    for number in range(10):
        Made(v2, f"t{number}")
    assert (409, "max-templates") == slug(v2.ask("POST", ROOT, {"name": "t10"}))


def test_there_is_one_fragment_for_a_channel_and_a_locale(made):
    assert 201 == made.say().status
    assert (409, "fragment-exists") == slug(made.say())
    assert [201, 201] == [made.say(channel="voice").status, made.say(locale="de-de").status]


def test_the_first_is_the_default_until_another_is(v2, made):
    other = Made(v2, "other")
    assert [True, False] == [v2.ask("GET", one.path).body["is_default"] for one in (made, other)]
    assert 200 == other.change(is_default=True).status
    assert [False, True] == [v2.ask("GET", one.path).body["is_default"] for one in (made, other)]
    assert (422, ["is_default"]) == named(other.change(is_default="yes"))


def test_only_an_empty_template_that_is_not_the_default_goes(v2, made):
    fragment = made.fragment()
    assert (409, "not-empty-template") == slug(made.delete())
    assert 204 == v2.ask("DELETE", fragment).status
    assert 409 == made.delete().status
    made.change(is_default=False)
    assert [204, 404] == [made.delete().status, made.delete().status]


def test_what_is_unknown_is_404(v2, made):
    unknown = f"{ROOT}/{UNKNOWN}"
    for method, path in (("GET", unknown), ("DELETE", unknown), ("POST", f"{unknown}/template_fragments")):
        assert (404, "template-not-found") == slug(v2.ask(method, path, {}))
    fragment = f"{made.path}/template_fragments/{UNKNOWN}"
    assert (404, "template-fragment-not-found") == slug(v2.ask("GET", fragment))
    assert [404, 404] == [v2.ask("GET", path).status for path in (f"{ROOT}s", f"{ROOT}/x")]


@pytest.mark.parametrize(
    ("method", "rest"), [("PUT", ""), ("POST", "/{}"), ("DELETE", "/{}/template_fragments")]
)
def test_other_methods_are_405(v2, made, method, rest):
    assert 405 == v2.ask(method, ROOT + rest.format(made.id), {}).status


def test_every_call_needs_credentials(v2, made):
    paths = (ROOT, made.path, f"{made.path}/template_fragments", f"{ROOT}/{UNKNOWN}")
    assert {401} == {v2.ask("GET", path, authorization="").status for path in paths}
    assert [401, 1] == [
        v2.ask("POST", ROOT, {"name": "x"}, authorization="").status,
        len(v2.emulator.templates.all()),
    ]


def test_an_account_that_may_not_write_reads_only():
    v2 = V2(emulator_at(switches=Switches(template_writing=False)))
    template = v2.emulator.templates.add("example-com", {("sms", "en-us"): TEXT})
    [fragment] = template.fragments
    path = f"{ROOT}/{template.id}"
    calls = [("POST", ROOT), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/template_fragments")]
    calls += [(method, f"{path}/template_fragments/{fragment}") for method in ("PATCH", "DELETE")]
    assert {403} == {v2.ask(*one, {"name": "x"}).status for one in calls}
    assert [200, 200] == [v2.ask("GET", one).status for one in (ROOT, path)]


def test_calls_are_in_the_journal_and_can_be_spoiled(emulator, v2, made):
    assert 1 == emulator.count("templates")
    emulator.faults.add("status", "templates", status=503)
    assert [503, 200] == [v2.ask("GET", ROOT).status for _ in range(2)]


@settings(max_examples=60)
@given(
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
    place=st.sampled_from(["", "/{t}", "/{t}/template_fragments", "/{t}/template_fragments/{f}", "/", "/x"]),
    body=st.dictionaries(
        st.sampled_from(["name", "is_default", "channel", "locale", "text"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.none(), max_size=1),
    ),
    query=st.text(max_size=20) | st.builds("page={}&page_size={}".format, st.text(), st.integers()),
)
def test_no_call_breaks_it(method, place, body, query):
    emulator = emulator_at()
    template = emulator.templates.add("x", {("sms", "en-us"): "${code}"})
    path = ROOT + place.format(t=template.id, f=next(iter(template.fragments)))
    answer = call(emulator, method, path, query=query, body=json.dumps(body).encode())
    assert answer.status in {200, 201, 204, 404, 405, 409, 422}


# When a message is sent


def test_its_text_is_sent(emulator, v2, made):
    made.say(BOUND)
    v2.open(channels=["sms"], template_id=made.id.upper(), code="123456")
    assert ["Your Example code is 123456.\n\n@example.com #123456"] == sent(emulator)
    assert ["en-us"] == [message.locale for message in emulator.messages()]


def test_the_variables_are_filled_in(emulator, v2, made):
    made.say()
    made.say(locale="de-de")
    v2.open(channels=["sms"], code="1234")
    v2.open("+14155550124", ["sms"], code="1234", locale="de-de", channel_timeout=60)
    assert ["Example: 1234, 3 minutes"] == sent(emulator)
    assert ["Example: 1234, 1 Minute"] == sent(emulator, "+14155550124")


def test_what_is_filled_in_is_not_read_again(emulator):
    emulator.templates.add("x", {("sms", "en-us"): "${code} ${other} ${ code } $code ${brand}"})
    V2(emulator).open(channels=["sms"], code="1234")
    assert ["1234 ${other} ${ code } $code Example"] == sent(emulator)


def test_a_call_spells_the_code(emulator, v2, made):
    made.say("Hello. ${code}.", channel="voice")
    v2.open(channels=["voice"], code="1234")
    assert ["Hello. 1, 2, 3, 4."] == sent(emulator)


def test_where_it_has_no_text_vonages_is_sent(emulator, v2, made):
    made.say(locale="fr-fr")
    v2.open(channels=["sms"], template_id=made.id, locale="de-de", code="1234")
    v2.open("+14155550124", ["sms"], template_id=made.id, locale="uk-ua", code="1234")
    v2.open("+14155550125", ["voice"], template_id=made.id, locale="fr-fr", code="1234")
    texts = [(message.text, message.locale) for message in emulator.messages()]
    assert [
        ("Example-Code: 1234. Gültig für 3 Minuten.", "de-de"),
        ("Example code: 1234. Valid for 3 minutes.", "en-us"),
        ("Bonjour. Votre code Example est : 1, 2, 3, 4. Je répète : 1, 2, 3, 4.", "fr-fr"),
    ] == texts


def test_without_an_id_the_default_one_speaks(emulator, v2, made):
    made.say("first ${code}")
    other = Made(v2, "other")
    other.say("other ${code}")
    numbers = ["+14155550124", "+14155550125", "+14155550126", "+14155550127"]
    v2.open(numbers[0], ["sms"], code="1234")
    v2.open(numbers[1], ["sms"], code="1234", template_id=other.id)
    other.change(is_default=True)
    v2.open(numbers[2], ["sms"], code="1234")
    other.change(is_default=False)
    v2.open(numbers[3], ["sms"], code="1234")
    assert ["first 1234", "other 1234", "other 1234", "Example code: 1234. Valid for 3 minutes."] == [
        message.text for message in emulator.messages()
    ]


def test_an_own_text_may_be_in_a_language_that_the_emulator_does_not_speak(emulator, v2, made):
    made.say("Код ${brand}: ${code}", locale="uk-ua")
    v2.open(channels=["sms"], code="1234", locale="uk-ua")
    [message] = emulator.messages()
    assert ("Код Example: 1234", "uk-ua") == (message.text, message.locale)


def test_an_unknown_template_is_refused_and_nothing_is_sent(emulator, v2, made):
    assert (422, ["template_id"]) == named(v2.start(template_id=UNKNOWN))
    assert [] == emulator.messages()


# In process


def test_templates_are_made_in_process(emulator, v2):
    template = emulator.templates.add("example-com", {("sms", "en-us"): BOUND}, template_id=UNKNOWN)
    v2.open(channels=["sms"], template_id=UNKNOWN, code="1234")
    assert ("Your Example code is 1234.\n\n@example.com #1234", UNKNOWN) == (*sent(emulator), template.id)
    emulator.templates.remove(UNKNOWN)
    assert 422 == v2.start("+14155550124", template_id=UNKNOWN).status


def test_they_outlive_clear_but_not_their_own(emulator):
    emulator.templates.add("x")
    emulator.clear()
    assert ["x"] == [template.name for template in emulator.templates.all()]
    emulator.templates.clear()
    assert [] == emulator.templates.all()


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("two words",), "name"),
        (("x", {("sms", "en-us"): "no code"}), "code"),
        (("x", {("email", "en-us"): "${code}"}), "channel"),
        (("x", {("sms", "EN"): "${code}"}), "locale"),
        (("x", None, "no id"), "UUID"),
        (("taken",), "name exists"),
        (("x", None, UNKNOWN), "id of its own"),
    ],
)
def test_what_breaks_a_rule_is_told_and_leaves_nothing(args, word):
    emulator = Emulator()
    emulator.templates.add("taken", template_id=UNKNOWN)
    with pytest.raises(ValueError, match=word):
        emulator.templates.add(*args)
    assert ["taken"] == [template.name for template in emulator.templates.all()]


def test_removing_an_unknown_one_is_an_error(emulator):
    with pytest.raises(KeyError):
        emulator.templates.remove(UNKNOWN)


def test_nothing_comes_between_what_a_call_finds_and_what_it_writes(emulator, made, monkeypatch):
    remover = threading.Thread(target=emulator.templates.remove, args=[made.id], daemon=True)
    find = emulator.templates.find

    def slowly(template_id):
        found = find(template_id)
        remover.start()
        remover.join(0.1)
        return found

    monkeypatch.setattr(emulator.templates, "find", slowly)
    assert 201 == made.say().status
    remover.join(5)
    assert [] == emulator.templates.all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_does_not_wait_for_its_parent(emulator):
    held, done = threading.Event(), threading.Event()

    def hold():
        with emulator.templates.lock:
            held.set()
            done.wait(10)

    threading.Thread(target=hold, daemon=True).start()
    assert held.wait(5)
    child = os.fork()
    if not child:
        signal.alarm(5)
        os._exit(len(emulator.templates.all()))
    done.set()
    assert (child, 0) == os.waitpid(child, 0)
