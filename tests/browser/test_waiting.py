"""The time between the message and the code: a wait, a call, a new code, another number, or giving up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

pytestmark = pytest.mark.browser

BUTTON = ".pl-resend button"
SENT = "We sent a text message to this number:"
WRONG = "That code isn't right. Check the latest message and try again."
LOST = "/login/?lost=1"

# Stands for a browser that reads text messages: it hands over what a test delivers, and notes an abort.
MESSAGES = """
window.OTPCredential = class {};
navigator.credentials.get = ({otp, signal}) => new Promise((resolve, reject) => {
    window.deliver = resolve;
    window.refuse = () => reject(new DOMException("", "NotAllowedError"));
    window.transport = otp.transport.join();
    signal.addEventListener("abort", () => {
        sessionStorage.aborted = "yes";
        reject(signal.reason);
    });
});
"""
NO_MESSAGES = """
delete window.OTPCredential;
navigator.credentials.get = () => { window.asked = true; return Promise.reject(); };
"""
SETTLED = "() => new Promise((done) => setTimeout(done, 0))"
# Notes each text that a node is given, also where several come before anybody can look.
LISTEN = """() => {
    window.heard = {};
    for (const [name, where] of [["wait", ".pl-wait"], ["status", ".pl-resend [role=status]"]]) {
        window.heard[name] = [];
        new MutationObserver((records) => {
            for (const {addedNodes} of records)
                for (const {data} of addedNodes) window.heard[name].push(data);
        }).observe(document.querySelector(where), {childList: true});
    }
}"""
LIVE = "[aria-live], [role=status], [role=alert], [role=log], [role=timer], output"


@pytest.fixture
def still(visit):
    """Somebody whose browser's clock stands until it is told to move."""
    person = visit()
    begin = datetime.now(UTC)
    person.page.clock.install(time=begin)
    person.page.clock.pause_at(begin + timedelta(seconds=1))
    return person


def left(person):
    """Return the seconds that the page says are left."""
    return int(re.search(r"in (\d+) seconds?\b", person.page.locator(".pl-wait").inner_text())[1])


def due(answer):
    """Return the seconds from the moment of an answer, by its own clock, to the time of day that it names."""
    sent = parsedate_to_datetime(answer.headers["date"])
    named = re.search(r"\(at (\d\d):(\d\d):(\d\d) UTC\)", answer.text())
    at = sent.replace(**dict(zip(("hour", "minute", "second"), map(int, named.groups()), strict=True)))
    return (at - sent).total_seconds() % 86400


def posts(person):
    """Return a list that grows by whatever the page sends."""
    sent = []
    person.page.on("request", lambda request: request.method == "POST" and sent.append(request.post_data))
    return sent


def kinds(person):
    """Return what came to the virtual phone for this number: text messages and calls, newest last."""
    return [message.partition(" from ")[0] for message in person.messages()]


def test_06_a_code_that_the_browser_reads_is_sent_by_itself_and_once(person):
    person.page.add_init_script(MESSAGES)
    person.ask()
    code, sent = person.code(), posts(person)
    assert "sms" == person.page.evaluate("transport")
    with person.page.expect_navigation():
        person.page.evaluate("code => deliver({code})", code)
    assert person.shown in person.text
    assert [code] == [re.search(r"code=(\d+)", one)[1] for one in sent]


@pytest.mark.parametrize("answer", ["refuse()", "deliver(null)"])
def test_06_a_browser_that_hands_over_nothing_changes_nothing(person, answer):
    person.page.add_init_script(MESSAGES)
    person.ask()
    before, sent = person.page.content(), posts(person)
    person.page.evaluate(f"{{ {answer} }}")
    person.page.evaluate(SETTLED)
    assert "" == person.field("code").input_value()
    assert before.partition("<aside")[0] == person.page.content().partition("<aside")[0]
    assert [] == sent
    person.give(person.code())
    assert person.shown in person.text


def test_06_a_browser_that_reads_no_messages_is_not_asked(person):
    person.page.add_init_script(NO_MESSAGES)
    person.ask()
    assert not person.page.evaluate("window.asked")
    person.give(person.code())
    assert person.shown in person.text


def test_06_a_code_that_is_typed_ends_the_wait_for_a_message(person):
    person.page.add_init_script(MESSAGES)
    person.ask()
    assert person.page.evaluate("sessionStorage.aborted === undefined")
    person.give(person.code())
    assert "yes" == person.page.evaluate("sessionStorage.aborted")
    assert person.shown in person.text


def test_11_the_wait_is_counted_down_in_silence_and_its_end_is_said_once(still):
    still.ask()
    button, seconds = still.page.locator(BUTTON), left(still)
    button.focus()
    assert "true" == button.get_attribute("aria-disabled")
    still.page.evaluate(LISTEN)
    still.page.clock.run_for((seconds + 2) * 1000)
    heard = still.page.evaluate("heard")
    counted = [f"You can ask for it in {n} second{'s' * (n > 1)}." for n in range(seconds - 1, 0, -1)]
    assert counted == heard["wait"]
    assert ["You can ask for it now."] == heard["status"]
    assert button.evaluate("one => one === document.activeElement")
    assert button.get_attribute("aria-disabled") is None
    assert not still.page.locator(".pl-wait").is_visible()


def test_11_what_ticks_is_not_read_out(still):
    still.ask()
    assert not still.page.locator(".pl-wait").evaluate("(one, live) => one.closest(live) !== null", LIVE)
    assert 0 == still.page.locator(f".pl-wait :is({LIVE})").count()


def test_12_a_page_that_is_loaded_again_waits_no_longer_and_no_shorter(still):
    still.ask()
    for again in (still.page.reload, lambda: leave_and(still, still.page.go_back)):
        still.site.move_clock(15)
        assert pytest.approx(due(again()), abs=1) == left(still)
    assert left(still) <= 31


def leave_and(person, come_back):
    person.see("/phone/")
    return come_back()


def test_12_forward_is_as_good_as_back(still):
    still.ask()
    still.page.go_back()
    still.site.move_clock(15)
    assert pytest.approx(due(still.page.go_forward()), abs=1) == left(still)


def test_12_a_tab_that_slept_a_minute_knows_that_the_wait_is_over(still):
    still.ask()
    before = left(still)
    still.page.clock.fast_forward(20_000)
    assert before - 20 == left(still)
    still.page.clock.fast_forward(60_000)
    assert not still.page.locator(".pl-wait").is_visible()
    assert still.page.locator(BUTTON).get_attribute("aria-disabled") is None


@pytest.mark.parametrize("event", ["pageshow", "visibilitychange"])
def test_12_a_page_that_comes_into_sight_again_is_right_at_once(still, event):
    still.ask()
    before = left(still)
    now = still.page.evaluate("Date.now()")
    still.page.clock.set_system_time(datetime.fromtimestamp(now / 1000 + 20, UTC))
    assert before == left(still)
    still.page.evaluate(
        "name => (name === 'pageshow' ? window : document).dispatchEvent(new Event(name))", event
    )
    assert pytest.approx(before - 20, abs=1) == left(still)


def test_13_with_javascript_a_press_that_comes_early_is_answered_and_not_sent(still):
    still.ask()
    sent = posts(still)
    for key in ("Enter", "Space"):
        still.page.locator(BUTTON).press(key)
    said = still.page.locator(".pl-resend [role=status]").inner_text()
    assert f"You can ask for it in {left(still)} seconds." == said
    still.page.clock.run_for(10_000)
    still.page.locator(BUTTON).press("Enter")
    said = still.page.locator(".pl-resend [role=status]").inner_text()
    assert f"You can ask for it in {left(still)} seconds." == said
    assert [] == sent
    assert 1 == len(still.site.codes(still.number))


def test_13_without_javascript_a_press_that_comes_early_is_told_how_long_to_wait(visit):
    person = visit(java_script_enabled=False)
    person.ask()
    with person.page.expect_navigation() as arrival:
        person.page.locator(BUTTON).click()
    answer = arrival.value
    told = int(re.search(r"Wait (\d+) more seconds", person.focused(".pl-summary").inner_text())[1])
    assert 429 == answer.status
    assert pytest.approx(told, abs=1) == int(answer.headers["retry-after"])
    assert pytest.approx(told, abs=1) == due(answer)
    assert pytest.approx(told, abs=1) == left(person)
    assert 1 == len(person.site.codes(person.number))


def test_14_a_new_code_is_one_message_and_an_old_tab_is_told_to_use_it(person, javascript):
    person.ask()
    old, first = person.beside(), person.code()
    old.see("/login/code/")
    for _ in range(3):
        person.give(person.wrong_code())
    person.site.move_clock(61)
    assert 200 == person.press("Send a new code")
    assert 2 == len(person.site.codes(person.number))
    assert SENT in person.text
    assert person.shown in person.text
    old.give(first)
    assert "This form is out of date. Use the latest message." in old.focused(".pl-summary").inner_text()
    person.give(person.code())
    assert person.shown in person.text
    assert ["Text message"] * 2 == kinds(person)


def test_15_a_call_is_made_and_its_code_replaces_that_of_the_text(person, javascript):
    person.ask()
    old, texted = person.beside(), person.code()
    old.see("/login/code/")
    person.site.move_clock(61)
    person.page.reload()
    assert 200 == person.press("Call me instead")
    assert "We are calling this number and will read out your code:" in person.text
    assert person.shown in person.text
    assert ["Text message", "Phone call"] == kinds(person)
    # Verify v2 makes a code for each step of a workflow, and takes that of the step that runs.
    old.give(texted)
    assert WRONG in old.focused(".pl-summary").inner_text()
    person.give(person.code())
    assert "/" == person.path
    assert person.shown in person.text


@pytest.mark.parametrize(("seconds", "status"), [(0, "Waiting for the code"), (31, "Cancelled")])
def test_16_another_number_can_be_used_and_the_first_is_let_go(person, javascript, seconds, status):
    person.see("/login/?next=/phone/")
    person.field("number").fill(person.number)
    person.press("Send code")
    first, person.number = person.number, person.site.number()
    person.site.move_clock(seconds)
    assert 200 == person.press("Use another number")
    assert "/login/" == person.path.partition("?")[0]
    assert "" == person.field("number").input_value()
    # Vonage lets nobody cancel in the first half minute; then the audit says that it was asked for.
    assert "cancelled" in person.site.desk.story(first)
    assert status in person.site.desk.attempts(first)[0]
    person.field("number").fill(person.number)
    person.press("Send code")
    assert person.shown in person.text
    person.give(person.code())
    assert "/phone/" == person.path


def test_17_cancel_leaves_nothing_to_come_back_to(person, javascript):
    person.ask()
    code, old = person.code(), person.beside()
    old.see("/login/code/")
    assert 200 == person.press("Cancel")
    assert "/" == person.path
    assert "cancelled" in person.site.desk.story(person.number)
    person.page.go_back()
    assert LOST == person.path
    person.see("/login/code/")
    assert LOST == person.path
    old.give(code)
    assert LOST == old.path
    assert person.shown not in old.text
    assert 1 == len(person.site.codes(person.number))
