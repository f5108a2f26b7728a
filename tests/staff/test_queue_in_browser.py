"""The queue in Chromium: several people at once, news by itself, the alarm, keys, and forms that fold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from playwright.sync_api import Browser as ChromiumBrowser
from playwright.sync_api import BrowserContext, Page, expect

from nurseline.callbacks.models import CallbackItem
from nurseline.callbacks.service import LEASE
from tests.staff.conftest import Desk
from tests.staff.test_queue_items import holding
from tests.support.chromium import close_windows
from tests.support.serving import served

pytestmark = pytest.mark.browser
# Counts what can be heard; the pages try whether they may play without being heard.
COUNT_RINGS = """
window.rings = 0;
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  window.rings += this.volume > 0 ? 1 : 0;
  return play.call(this);
};
"""


@dataclass
class Room:
    """A served app, and people who sit before its queue. ``complaints``: what their browsers had to say."""

    desk: Desk
    base: str
    new_context: Callable[..., BrowserContext]
    complaints: list[str] = field(default_factory=list)

    def sees(self, name: str = "Ada", path: str = "/staff/queue", **context: object) -> Page:
        """A page before somebody who has signed in."""
        cookie = self.desk.signed_in(name).client.get_cookie("nurseline")
        assert cookie is not None
        window = self.new_context(base_url=self.base, **context)
        window.add_cookies([{"name": "nurseline", "value": cookie.value, "url": self.base}])
        page = window.new_page()
        page.add_init_script(COUNT_RINGS)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"Error: {error}"))
        page.goto(path)
        return page


def press(page: Page, *keys: str) -> None:
    """Press single keys, once the page listens to them."""
    expect(page.get_by_role("button", name="Keys")).to_be_visible()
    for key in keys:
        page.keyboard.press(key)


def rings(page: Page, least: int) -> None:
    """Wait until a page has rung that often."""
    for _ in range(400):
        if page.evaluate("window.rings") >= least:
            return
        page.wait_for_timeout(100)
    pytest.fail(f"the page did not ring {least} times")


@pytest.fixture
def room(desk: Desk, browser: ChromiumBrowser) -> Iterator[Room]:
    with served(desk.app) as base:
        made = Room(desk, base, browser.new_context)
        yield made
        close_windows(browser)
    assert not [text for text in made.complaints if "Content Security Policy" in text or "Error:" in text]


def test_news_appear_by_themselves_in_every_tab_and_for_everybody(room: Room) -> None:
    ada, ben = room.sees("Ada"), room.sees("Ben")
    second_tab = ada.context.new_page()
    second_tab.goto("/staff/queue?reason=nurse")
    expect(ada.get_by_text("Nothing is waiting.")).to_be_visible()
    item = room.desk.item("nurse", "may I swim")
    for page in (ada, second_tab, ben):
        expect(page.get_by_role("row").filter(has_text="may I swim")).to_be_visible()
    expect(ada.locator("#queue-news")).to_have_text("1 new in the queue, 1 open.")
    ada.locator(f"#claim-{item}").click()
    expect(ada.get_by_role("heading", name="How did it end?")).to_be_visible()
    expect(ben.get_by_role("row").filter(has_text="may I swim")).to_contain_text("Ada")
    expect(second_tab.get_by_role("row").filter(has_text="may I swim")).to_contain_text("You")


def test_of_two_browsers_that_want_one_item_one_gets_it_and_the_other_is_told(room: Room) -> None:
    item = room.desk.item("nurse", "may I swim")
    pages = {name: room.sees(name) for name in ("Ada", "Ben")}
    for page in pages.values():
        page.evaluate(f"document.getElementById('claim-{item}').click()")
    told = re.compile("has this item|How did it end")
    for page in pages.values():
        expect(page.get_by_text(told).first).to_be_visible()
    with room.desk.parts.db.begin() as session:
        winner = session.get_one(CallbackItem, item).claimed_name
    loser = "Ben" if winner == "Ada" else "Ada"
    assert winner in pages
    expect(pages[winner].get_by_role("heading", name="How did it end?")).to_be_visible()
    expect(pages[loser].get_by_text(f"{winner} has this item.")).to_be_visible()


def test_an_emergency_rings_again_and_again_until_somebody_takes_it(room: Room) -> None:
    watching, working = room.sees("Ada"), room.sees("Ben", "/staff/messages")
    watching.get_by_role("heading", name="Queue", exact=True).click()  # browsers stay silent before a touch
    expect(watching.get_by_role("button", name="Sound is on: turn off")).to_be_visible()
    working.get_by_role("heading", level=1).click()
    item = room.desk.item("emergency", "chest pain")
    for page in (watching, working):
        expect(page.get_by_text("An emergency waits, and nobody has taken it.")).to_be_visible()
        expect(page).to_have_title(re.compile(r"^\(1!\) "))
        rings(page, 2)
    working.get_by_role("link", name="See it").click()
    working.locator(f"#claim-{item}").click()
    expect(watching.get_by_text("An emergency waits, and nobody has taken it.")).to_be_hidden()
    expect(watching).to_have_title(re.compile("^Queue"))


def test_sound_that_is_turned_off_stays_off(room: Room) -> None:
    page = room.sees()
    page.get_by_role("heading", name="Queue", exact=True).click()
    page.get_by_role("button", name="Sound is on: turn off").click()
    page.reload()
    page.get_by_role("heading", name="Queue", exact=True).click()
    room.desk.item("emergency", "chest pain")
    expect(page.locator("#alarm")).to_be_visible()
    expect(page.get_by_role("button", name="Sound is off: turn on").first).to_be_visible()
    assert page.evaluate("window.rings") == 0
    page.get_by_role("button", name="Sound is off: turn on").first.click()
    rings(page, 1)


def test_from_the_queue_to_the_next_item_by_keys_alone(room: Room) -> None:
    first = room.desk.item("nurse", "first words", number="+12025550101", promised=timedelta(hours=1))
    second = room.desk.item("nurse", "second words", number="+12025550102", promised=timedelta(hours=2))
    room.desk.item("nurse", "third words", number="+12025550103", promised=timedelta(hours=3))
    page = room.sees()
    press(page, "n")
    expect(page.get_by_text("first words")).to_be_visible()
    assert page.url.endswith(f"/staff/items/{first}")
    press(page, "o")
    expect(page.get_by_label("Outcome", exact=True)).to_be_focused()
    page.keyboard.type("No a")
    expect(page.get_by_label("Outcome", exact=True)).to_have_value("no_answer")
    page.get_by_role("button", name="Record and take the next").press("Enter")
    expect(page.get_by_text("second words")).to_be_visible()
    assert page.url.endswith(f"/staff/items/{second}")
    page.get_by_label("Note", exact=True).fill("n j k c o q ?")  # keys are letters where somebody types
    expect(page.get_by_label("Note", exact=True)).to_have_value("n j k c o q ?")
    assert page.url.endswith(f"/staff/items/{second}")
    page.get_by_role("heading", name="How did it end?").click()
    press(page, "q")
    expect(page.get_by_role("heading", name="Queue", exact=True)).to_be_visible()
    press(page, "j", "j")
    expect(page.get_by_role("row").filter(has_text="third words").get_by_role("link").first).to_be_focused()
    press(page, "k")
    expect(page.get_by_role("row").filter(has_text="second words").get_by_role("link").first).to_be_focused()
    press(page, "j", "c")
    expect(page.get_by_text("third words")).to_be_visible()
    expect(page.get_by_role("heading", name="How did it end?")).to_be_visible()


def test_keys_are_explained_and_can_be_turned_off(room: Room) -> None:
    room.desk.item("nurse", "may I swim")
    page = room.sees()
    press(page, "?")
    page.get_by_label("Use these keys on this computer").uncheck()
    page.get_by_role("button", name="Close").click()
    page.reload()
    press(page, "j", "n", "?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("heading", name="Queue", exact=True)).to_be_visible()
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_the_outcome_shows_only_what_it_needs(room: Room) -> None:
    item = room.desk.item("schedule")
    page = room.sees(path=f"/staff/items/{item}")
    press(page, "c")
    place, identity = page.get_by_label("Place"), page.get_by_label("How the patient was identified")
    expect(page.get_by_label("Outcome", exact=True)).to_be_visible()
    expect(place).to_be_hidden()
    expect(identity).to_be_hidden()
    page.get_by_label("Outcome", exact=True).select_option("Reached: resolved")
    expect(identity).to_be_visible()
    expect(place).to_be_hidden()
    page.get_by_label("Outcome", exact=True).select_option("Reached: scheduled")
    expect(place).to_be_visible()
    page.get_by_role("button", name="Record outcome").click()
    expect(page.get_by_text("Choose how the patient was identified.")).to_be_visible()
    expect(page.get_by_text("Give the date and the time of day.")).to_be_visible()


def test_an_appointment_is_recorded_in_four_actions(room: Room) -> None:
    before, item = (room.desk.item("schedule", number=f"+1202555010{last}") for last in (1, 2))
    scheduled = {"outcome": "reached_scheduled", "identity": "two_identifiers"}
    where = {"appointment_at": "2026-03-05T09:30", "appointment_place": "Room 2"}
    holding(room.desk, before).post(f"/staff/items/{before}/outcome", {**scheduled, **where})
    page = room.sees(path=f"/staff/items/{item}")
    page.get_by_role("button", name="Claim").click()
    actions = [
        lambda: page.get_by_label("Outcome", exact=True).select_option("Reached: scheduled"),
        lambda: page.get_by_label("How the patient was identified").select_option(index=1),
        lambda: page.get_by_label("Appointment (clinic's time)").fill("2026-03-06T09:30"),
        lambda: page.get_by_role("button", name="Record outcome").click(),
    ]
    assert len(actions) <= 4  # of an item's page to its recorded outcome
    for act in actions:
        act()
    expect(page.get_by_text("Recorded: Reached: scheduled.")).to_be_visible()


def test_an_outcome_can_be_recorded_without_scripts(room: Room) -> None:
    item = room.desk.item("schedule")
    page = room.sees(path=f"/staff/items/{item}", java_script_enabled=False)
    page.get_by_role("button", name="Claim").click()
    page.get_by_label("Outcome", exact=True).select_option("Reached: scheduled")
    page.get_by_label("How the patient was identified").select_option(index=1)
    page.get_by_label("Appointment (clinic's time)").fill("2026-03-06T09:30")
    page.get_by_label("Place").fill("Room 2")
    page.get_by_role("button", name="Record outcome").click()
    expect(page.get_by_text("Recorded: Reached: scheduled.")).to_be_visible()


def test_typing_on_an_items_page_keeps_it(room: Room) -> None:
    item = room.desk.item("nurse")
    page = room.sees(path=f"/staff/items/{item}")
    page.clock.install()
    page.get_by_role("button", name="Claim").click()
    note = page.get_by_label("Note", exact=True)
    note.fill("a")
    page.wait_for_load_state()  # the script counts from when it has come, which may be after the form
    room.desk.clock.advance(timedelta(minutes=10))
    page.clock.fast_forward(61_000)
    note.press_sequentially("b")
    expect(page.locator("#kept-until")).to_have_text("10:25 AM")
    with room.desk.parts.db.begin() as session:
        assert session.get_one(CallbackItem, item).lease_until == room.desk.clock.now() + LEASE


def test_a_refresh_takes_nothing_away_from_who_works_by_keyboard(room: Room) -> None:
    first = room.desk.item("nurse", "first words", number="+12025550101")
    page = room.sees()
    page.locator(f"#claim-{first}").focus()
    room.desk.item("emergency", "second words", number="+12025550102")
    expect(page.get_by_text("second words")).to_be_visible()
    expect(page.locator(f"#claim-{first}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="How did it end?")).to_be_visible()


def test_the_list_says_when_it_is_out_of_date_and_catches_up(room: Room) -> None:
    page = room.sees()
    stale = page.get_by_text("This list is not up to date")
    expect(stale).to_be_hidden()
    page.context.set_offline(True)
    expect(stale).to_be_visible()
    room.desk.item("nurse", "may I swim")
    page.context.set_offline(False)
    expect(stale).to_be_hidden()
    expect(page.get_by_text("may I swim")).to_be_visible()
    room.complaints.clear()  # of the lost connection


@pytest.mark.parametrize("width", [360, 1280, 1600])
def test_long_names_and_words_widen_no_page(room: Room, width: int) -> None:
    long = "Maximiliana-Featherstonehaugh-Wolfeschlegelsteinhausenbergerdorff"
    item = room.desk.item("schedule", "x" * 500, best_time="y" * 200)
    room.desk.item("nurse", "may I swim")
    with room.desk.parts.db.begin() as session:
        row = session.get_one(CallbackItem, item)
        row.escalation, row.attempts = 2, 3
        assert row.contact is not None
        row.contact.name = long
    page = room.sees(long, f"/staff/items/{item}", viewport={"width": width, "height": 740})
    page.get_by_role("button", name="Claim").click()
    page.get_by_label("Outcome", exact=True).select_option("Reached: scheduled")
    for summary in page.locator("details.action summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for path in ("/staff/queue", "/staff/queue/print"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
