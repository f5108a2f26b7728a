"""A contact's page in Chromium: the count while typing, two people at once, keys, widths and no script."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Browser as ChromiumBrowser
from playwright.sync_api import Page, expect

from nurseline.content import segments
from nurseline.messaging.names import set_name
from nurseline.staff.texting import cost_of
from tests.staff.conftest import Desk
from tests.staff.test_staff_contacts import text_in, text_out
from tests.staff.test_staff_enrolment import enrol
from tests.staff.test_staff_in_browser import Staffroom, refresh, staffroom
from tests.staff.test_staff_messages import agree
from tests.staff.test_staff_texting import texts

__all__ = ["staffroom"]
pytestmark = pytest.mark.browser
LONG_NAME = "Maria de los Angeles Featherstonehaugh-Wolfeschlegelsteinhausenbergerdorff"


SMALL = """() => [...document.querySelectorAll("main :is(button, select, summary, input:not([type=hidden]))")]
  .filter((one) => one.checkVisibility() && one.type !== "checkbox")
  .filter((one) => one.getBoundingClientRect().height < 24)
  .map((one) => one.outerHTML)"""


def opened(room: Staffroom, name: str = "Ada", **context: object) -> Page:
    """The page of the patient, open in a window of its own."""
    page = room.signed_in(name, **context)
    page.goto(f"/staff/contacts/{room.desk.contact().id}")
    return page


def test_the_count_while_typing_is_the_servers(staffroom: Staffroom) -> None:
    agree(staffroom.desk)
    page = opened(staffroom)
    price = staffroom.desk.parts.settings.text_price
    cases = (
        "short",
        "x" * 148,
        "x" * 149,
        "€" * 80,
        "y" * 300,
        "é" * 160,
        "ç",
        "☺ " * 40,
        "😀" * 40,
        "a\nb{}",
    )
    for words in (*cases, "a\nb{}"):
        page.get_by_label("Words", exact=True).fill(words)
        body = page.locator("#text-preview").inner_text() if "\n" not in words else f"Your Clinic: {words}"
        count = segments(f"Your Clinic: {words.strip()} Emergency? Call 911.")
        expect(page.locator("#text-count")).to_contain_text(
            f"{count} part{'s' if count != 1 else ''}, about {cost_of(count, price)}."
        )
        assert body.startswith("Your Clinic: ")
    page.get_by_label("Add “Emergency? Call 911.”").uncheck()
    expect(page.locator("#text-preview")).to_have_text("Your Clinic: a\nb{}")


def test_a_ready_reply_fills_the_words_but_never_overwrites_what_was_typed(staffroom: Staffroom) -> None:
    agree(staffroom.desk)
    page = opened(staffroom)
    words = page.get_by_label("Words", exact=True)
    page.get_by_label("Ready reply").select_option("Please call us")
    expect(words).to_have_value("Please call us at 202-555-0100.")
    page.get_by_label("Ready reply").select_option("Best time to call")
    expect(words).to_have_value("What time of day is best to call you?")
    words.fill("Mine")
    page.get_by_label("Ready reply").select_option("Please call us")
    expect(words).to_have_value("Mine")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("On its way: 1 part")).to_be_visible()
    assert [text.body for text in texts(staffroom.desk)] == ["Your Clinic: Mine Emergency? Call 911."]


def test_two_people_see_each_others_answers_and_the_patients_without_reload(
    staffroom: Staffroom,
) -> None:
    agree(staffroom.desk)
    ada, ben = opened(staffroom, "Ada"), opened(staffroom, "Ben")
    ben.get_by_label("Words", exact=True).fill("Half written")
    ada.get_by_label("Words", exact=True).fill("Come at two")
    ada.get_by_role("button", name="Send").click()
    answer = ben.locator("#timeline .bubble").get_by_text("Your Clinic: Come at two")
    refresh(ben, answer)
    expect(ben.locator("#timeline .meta").get_by_text("Ada")).to_be_visible()
    text_in(staffroom.desk, "I can not breathe", tier="emergency")
    refresh(ben, ben.locator("#grave").get_by_text("I can not breathe"))
    expect(ben.get_by_label("Words", exact=True)).to_have_value("Half written")
    ben.get_by_role("button", name="Send").click()  # all was seen, so nothing stands in the way
    expect(ben.get_by_text("On its way:")).to_be_visible()


def test_a_refresh_leaves_open_what_is_open_and_waits_while_a_time_is_typed(staffroom: Staffroom) -> None:
    enrol(staffroom.desk.signed_in())
    page = opened(staffroom)
    plan = page.locator("details[id^=plan-]").last
    plan.locator("summary").click()
    text_in(staffroom.desk, "first news")
    refresh(page, page.locator("#timeline").get_by_text("first news"))
    expect(plan.get_by_role("button", name="Move")).to_be_visible()
    plan.get_by_label("Date").focus()
    text_in(staffroom.desk, "second news")
    refresh(page, page.get_by_text("Something new came in."))
    expect(page.locator("#timeline").get_by_text("second news")).to_be_hidden()
    page.get_by_label("Words", exact=True).focus()
    refresh(page, page.locator("#timeline").get_by_text("second news"))
    expect(page.get_by_text("Something new came in.")).to_be_hidden()


def test_without_script_everything_still_works(staffroom: Staffroom, browser: ChromiumBrowser) -> None:
    enrol(staffroom.desk.signed_in())
    context = browser.new_context(base_url=staffroom.base, java_script_enabled=False)
    page = context.new_page()
    staffroom.sign_in(page, "Cleo")
    page.goto(f"/staff/contacts/{staffroom.desk.contact().id}")
    page.get_by_label("Ready reply").select_option("Please call us")
    page.get_by_role("button", name="Look it over").click()
    exact = "Your Clinic: Please call us at 202-555-0100. Emergency? Call 911."
    expect(page.locator("#text-preview")).to_have_text(exact)
    expect(page.locator("#text-count")).to_contain_text("1 part, about $0.012.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("On its way: 1 part")).to_be_visible()
    page.locator("details[id^=plan-] summary").last.click()
    page.locator("details[open]").get_by_role("button", name="Stop this message").click()
    expect(page.get_by_text("Stopped: this message does not go.")).to_be_visible()


def test_the_whole_page_works_by_keyboard(staffroom: Staffroom) -> None:
    agree(staffroom.desk)
    page = opened(staffroom)
    page.get_by_label("Words", exact=True).focus()
    page.keyboard.type("By keyboard")
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Send":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_text("On its way:")).to_be_visible()


def test_a_sign_in_that_ends_covers_the_page_and_it_goes_on_where_it_was(staffroom: Staffroom) -> None:
    agree(staffroom.desk)
    page = opened(staffroom)
    note = page.get_by_label("Note", exact=True)
    note.fill("Half a note")
    # Only this script's requests are refused: it is not watch.js that covers the page.
    page.route("**/timeline*", lambda route: route.fulfill(status=401))
    covered = page.get_by_role("dialog")
    page.evaluate("document.addEventListener('nurseline:locked', () => { window.covered = true; })")
    for _ in range(100):
        page.clock.run_for(1_000)
        if page.evaluate("window.covered === true"):
            break
        page.wait_for_timeout(50)
    assert page.evaluate("window.covered === true")
    page.unroute("**/timeline*")
    expect(covered).to_be_hidden()  # the server says that the sign-in stands
    expect(note).to_have_value("Half a note")
    text_in(staffroom.desk, "news after it")
    refresh(page, page.locator("#timeline").get_by_text("news after it"))
    staffroom.complaints.clear()  # of refused requests


@pytest.mark.parametrize("width", [360, 768, 1280, 1600])
def test_no_width_makes_the_page_scroll_sideways(staffroom: Staffroom, width: int) -> None:
    desk: Desk = staffroom.desk
    enrol(desk.signed_in("Featherstonehaugh" * 4))
    with desk.parts.db.begin() as session:
        set_name(session, desk.parts.keyring, desk.contact(), LONG_NAME)
    text_in(desk, "x" * 600, tier="emergency")
    desk.item("emergency", "y" * 600)
    text_out(desk, "z" * 600, "failed", error_code=30003, reason="carrier error 30003")
    page = opened(staffroom, viewport={"width": width, "height": 800})
    page.get_by_label("Words", exact=True).fill("w" * 600)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = page.evaluate(SMALL)
    assert small == []


def test_a_page_of_fifty_entries_is_small(staffroom: Staffroom) -> None:
    for n in range(60):
        text_in(staffroom.desk, f"words {n} " * 5)
        staffroom.desk.clock.advance(timedelta(seconds=1))
    page = opened(staffroom)
    assert len(page.content()) < 100_000
    expect(page.get_by_text(re.compile("Page 1 of 2"))).to_be_visible()
