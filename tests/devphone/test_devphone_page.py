"""The phone in the browser, used as a person uses it."""

import base64

import pytest
from playwright.sync_api import expect

from tests.support.waiting import wait_for

pytestmark = pytest.mark.browser

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def complains(said):
    # Chromium writes down every answer of 400 by itself; the page shows its sentence.
    return said.type in {"error", "warning"} and "status of 400" not in said.text


@pytest.fixture(params=[360, 1280])
def page(browser, phone, line, request):
    line.says(
        "/sms", lambda asked: f"<Response><Message>You wrote: {asked.form['Body']}</Message></Response>"
    )
    line.says(
        "/voice",
        "<Response><Say>Call 9 1 1 in an emergency.</Say><Gather input='dtmf speech' numDigits='1'"
        " timeout='60' action='/voice/menu'><Say>Press 1 for aftercare.</Say></Gather></Response>",
    )
    line.says(
        "/voice/menu",
        lambda asked: (
            "<Response><Say>You chose "
            + (asked.form.get("Digits") or asked.form.get("SpeechResult"))
            + ".</Say><Pause length='60'/></Response>"
        ),
    )
    context = browser.new_context(viewport={"width": request.param, "height": 780})
    page = context.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if complains(said) else None)
    page.goto(phone.url)
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= request.param
    context.close()
    assert wrong == []


def test_texts_go_out_and_answers_come_in(page, phone):
    page.get_by_label("Message").fill("hello")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("You wrote: hello")).to_be_visible()
    expect(page.get_by_label("Conversation").get_by_text("delivered · 1")).to_have_count(2)
    page.get_by_label("Message").fill("again")
    page.get_by_label("Message").press("Enter")
    expect(page.get_by_text("You wrote: again")).to_be_visible()
    expect(page.get_by_label("Message")).to_have_value("")
    assert [m["from"] for m in phone.get("/messages")["messages"] if m["direction"] == "inbound"] == [
        phone.handset,
        phone.handset,
    ]


def test_a_picture_can_be_attached(page, line):
    page.get_by_label("Attach a picture").set_input_files(
        {"name": "knee.png", "mimeType": "image/png", "buffer": PNG}
    )
    page.get_by_label("Message").fill("look")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("img", name="Attached picture")).to_be_visible()
    posted = wait_for(
        lambda: line.at("/sms"), what="the webhook"
    )  # the page shows the picture before it is posted
    assert posted[0].form["NumMedia"] == "1"


def test_another_number_has_its_own_thread_and_a_wrong_one_is_named(page, phone):
    phone.text("from the other", "+12025550124")
    number = page.get_by_label("Your number")
    number.fill("+12025550124")
    number.press("Tab")
    expect(page.get_by_text("from the other", exact=True)).to_be_visible()
    number.fill("nobody")
    number.press("Tab")
    expect(page.get_by_text("'nobody' is not a phone number")).to_be_visible()


def test_a_call_is_made_heard_and_answered_with_keys_and_words(page, phone, line):
    page.get_by_role("button", name="Call").click()
    expect(page.get_by_text("Call 9 1 1 in an emergency.")).to_be_visible()
    page.get_by_role("button", name="Skip words").click()
    expect(page.get_by_text("The line is listening.")).to_be_visible()
    page.get_by_role("button", name="1", exact=True).click()
    expect(page.get_by_text("You chose 1.")).to_be_visible()
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_text("The call has ended.")).to_be_visible()
    page.get_by_role("button", name="Call").click()
    page.get_by_role("button", name="Skip words").click()
    expect(page.get_by_text("The line is listening.")).to_be_visible()
    page.get_by_label("Say something").fill("my knee")
    page.get_by_label("Say something").press("Enter")
    expect(page.get_by_text("You chose my knee.")).to_be_visible()


def test_a_call_started_before_the_page_knows_its_number_waits_for_it(page, phone):
    def late(route):
        page.wait_for_timeout(300)
        route.continue_()

    page.route("**/handsets/*/messages?since=0", late)
    page.reload(wait_until="commit")
    page.get_by_role("button", name="Call").click()
    expect(page.get_by_text("Call 9 1 1 in an emergency.")).to_be_visible()


def test_a_call_from_the_line_rings_and_is_answered(page, phone, line):
    expect(page.get_by_text("No messages yet")).to_be_visible()
    phone.client.calls.create(to=phone.handset, from_=phone.number, url=f"{line.url}/voice")
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_text("Call 9 1 1 in an emergency.")).to_be_visible()


def test_a_call_from_the_line_can_be_left_to_the_machine(page, phone, line):
    expect(page.get_by_text("No messages yet")).to_be_visible()
    phone.client.calls.create(
        to=phone.handset,
        from_=phone.number,
        url=f"{line.url}/voice",
        machine_detection="DetectMessageEnd",
    )
    page.get_by_role("button", name="Leave it to the machine").click()
    expect(page.get_by_text("Call 9 1 1 in an emergency.")).to_be_visible()
    assert line.at("/voice")[-1].form["AnsweredBy"] == "machine_end_beep"


def test_a_text_that_comes_during_a_call_is_marked_and_the_way_back_is_shown(page, phone):
    expect(page.get_by_text("No messages yet")).to_be_visible()
    texts, back = page.locator("#show-texts"), page.get_by_role("button", name="Back to texts")
    page.get_by_role("button", name="Call").click()
    expect(page.get_by_text("Call 9 1 1 in an emergency.")).to_be_visible()
    expect(back).to_be_hidden()
    phone.send("A nurse will call you.")
    expect(texts).to_have_accessible_name("Texts 1 new")
    expect(page.get_by_text("1 new", exact=True)).to_be_visible()
    phone.send("Reply STOP to end.")
    expect(texts).to_have_accessible_name("Texts 2 new")
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_text("The call has ended.")).to_be_visible()
    expect(back).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("A nurse will call you.")).to_be_visible()
    expect(texts).to_have_accessible_name("Texts")
    expect(page.get_by_label("Message")).to_be_focused()


def test_only_new_texts_of_this_number_are_marked(page, phone):
    phone.send("an old one")
    expect(page.get_by_text("an old one")).to_be_visible()
    page.get_by_role("button", name="Keypad").click()
    phone.send("a new one")
    texts, number = page.locator("#show-texts"), page.get_by_label("Your number")
    expect(texts).to_have_accessible_name("Texts 1 new")
    for other, thread in (("+12025550124", "No messages yet"), (phone.handset, "a new one")):
        number.fill(other)
        number.press("Tab")
        expect(page.locator("#thread")).to_contain_text(thread)
        expect(texts).to_have_accessible_name("Texts")
    phone.send("a newer one")
    expect(texts).to_have_accessible_name("Texts 1 new")
    texts.click()
    expect(page.get_by_text("a newer one")).to_be_visible()
    expect(texts).to_have_accessible_name("Texts")


def test_complaints_and_opt_outs_are_shown(page, line):
    line.says("/sms", "<Response><Say>hello</Say></Response>")
    page.get_by_label("Message").fill("STOP")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("This number opted out")).to_be_visible()
    expect(page.get_by_label("Complaints").get_by_text("14110")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Nothing to complain about.")).to_be_visible()


def test_everything_can_be_reached_by_keyboard_and_has_a_name(page):
    names = page.evaluate(
        "[...document.querySelectorAll('button, input, textarea')].map((e) => (e.getAttribute('aria-label')"
        " || e.textContent || [...(e.labels || [])].map((l) => l.textContent).join('')).trim())"
    )
    assert names
    assert all(names)
    page.get_by_label("Your number").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Call")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Call 9 1 1 in an emergency.")).to_be_visible()
    page.get_by_role("button", name="Skip words").click()
    expect(page.get_by_text("The line is listening.")).to_be_visible()
    page.keyboard.press("2")
    expect(page.get_by_text("You chose 2.")).to_be_visible()
