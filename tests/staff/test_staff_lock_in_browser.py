"""The lock in Chromium: it covers the page, keeps what was typed, and several tabs go together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from nurseline.staff.models import StaffUser
from tests.staff.conftest import PASSWORD
from tests.staff.test_staff_in_browser import Staffroom, staffroom
from tests.staff.test_staff_second_step import code_of, with_app

__all__ = ["staffroom"]
pytestmark = pytest.mark.browser
WORDS = "Patient says: better since Monday 😀 مرحبا"


def sign_in(page: Page, user: StaffUser) -> None:
    """Sign in by typing, in this page."""
    page.goto("/staff/sign-in")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Queue")).to_be_visible()


def pass_minutes(room: Staffroom, minutes: int, *pages: Page) -> None:
    """Let time go by for the server and for the scripts of these pages."""
    room.desk.clock.advance(timedelta(minutes=minutes))
    for page in pages:
        page.wait_for_load_state()  # the scripts count from when they have come, which may be after the words
        page.clock.fast_forward(minutes * 60_000)


def locked(page: Page) -> None:
    """Wait until the page is covered: nothing of it can be seen, reached or printed."""
    expect(page.get_by_role("heading", name="Locked")).to_be_visible()
    expect(page.locator("main")).to_be_hidden()
    expect(page.locator("header")).to_be_hidden()
    expect(page).to_have_title("Locked")
    assert "nurse line" not in page.locator("body").inner_text()
    page.emulate_media(media="print")
    expect(page.locator("main")).to_be_hidden()
    page.emulate_media(media="screen")


def give(page: Page, password: str) -> None:
    """Type a password into the lock and send it."""
    page.get_by_label("Your password").fill(password)
    page.get_by_role("button", name="Unlock").click()


def test_an_idle_page_covers_itself_and_unlocking_shows_what_was_typed(staffroom: Staffroom) -> None:
    user = staffroom.desk.account("Ada", "supervisor")
    page = staffroom.page()
    sign_in(page, user)
    page.goto("/staff/clinic")
    field = page.get_by_label("Weekly hours")
    field.fill(WORDS)
    pass_minutes(staffroom, 16, page)
    locked(page)
    expect(page.get_by_label("Your password")).to_be_focused()
    page.keyboard.press("Tab")  # to the button; there is nothing else to reach
    expect(page.get_by_role("button", name="Unlock")).to_be_focused()
    give(page, "a wrong guess")
    expect(page.get_by_role("alert")).to_have_text("That is not your password.")
    give(page, PASSWORD)
    expect(page.get_by_role("heading", name="Hours and telephones")).to_be_visible()
    expect(field).to_have_value(WORDS)
    expect(field).to_be_focused()
    page.get_by_role("button", name="Keep these hours").click()
    expect(
        page.get_by_text("is not an interval such as 08:00-17:00.")
    ).to_be_visible()  # it was read, so it went through
    expect(field).to_have_value(WORDS)
    staffroom.complaints.clear()  # of refused requests


def test_typing_without_sending_keeps_the_page_open(staffroom: Staffroom) -> None:
    page = staffroom.page()
    sign_in(page, staffroom.desk.account("Ada", "supervisor"))
    page.goto("/staff/clinic")
    field = page.get_by_label("Weekly hours")
    for _ in range(3):
        pass_minutes(staffroom, 10, page)
        with page.expect_response("**/staff/lock/active") as told:
            field.press_sequentially("x")
        assert told.value.status == 204
    expect(page.get_by_role("heading", name="Hours and telephones")).to_be_visible()


def test_two_tabs_lock_and_unlock_together(staffroom: Staffroom) -> None:
    first = staffroom.page()
    sign_in(first, staffroom.desk.account("Ada", "supervisor"))
    second = first.context.new_page()
    second.clock.install()
    second.goto("/staff/clinic")
    second.get_by_label("Weekly hours").fill(WORDS)
    first.bring_to_front()
    pass_minutes(staffroom, 16, first)  # the clock of the second page stands still: it is told by the first
    locked(first)
    locked(second)
    give(first, PASSWORD)
    expect(first.get_by_role("heading", name="Queue")).to_be_visible()
    expect(second.get_by_label("Weekly hours")).to_have_value(WORDS)
    expect(second.get_by_label("Weekly hours")).to_be_visible()
    staffroom.complaints.clear()


def test_looking_for_news_does_not_give_a_covered_page_its_title_back(staffroom: Staffroom) -> None:
    page = staffroom.page()
    sign_in(page, staffroom.desk.account("Ada", "supervisor"))
    page.goto("/staff/clinic")
    pass_minutes(staffroom, 16, page)
    locked(page)
    looked = "new Promise((done) => document.addEventListener('nurseline:looked', done, { once: true }))"
    for _ in range(2):  # the first may have been under way before
        page.evaluate(f"() => {looked}.then(() => true)")
    assert page.title() == "Locked"
    give(page, PASSWORD)
    expect(page).to_have_title("Hours and telephones · Your Clinic")
    staffroom.complaints.clear()


def test_after_ten_hours_a_full_sign_in_on_another_page_opens_the_first_with_its_words(
    staffroom: Staffroom,
) -> None:
    user, secret, _ = with_app(staffroom.desk, "Ada", "supervisor")
    page = staffroom.page()
    give_code(staffroom, page, user, secret)
    page.goto("/staff/clinic")
    field = page.get_by_label("Weekly hours")
    field.fill(WORDS)
    pass_minutes(staffroom, 10 * 60, page)
    expect(page.get_by_text("Your sign-in has ended.")).to_be_visible()
    expect(page.locator("main")).to_be_hidden()
    other = page.context.new_page()
    give_code(staffroom, other, user, secret)
    expect(field).to_be_visible()
    expect(field).to_have_value(WORDS)
    page.get_by_role("button", name="Keep these hours").click()
    expect(page.get_by_text("is not an interval such as 08:00-17:00.")).to_be_visible()
    expect(page.get_by_text("earlier sign-in")).to_have_count(0)
    staffroom.complaints.clear()


def test_words_of_one_person_are_never_opened_to_another(staffroom: Staffroom) -> None:
    page = staffroom.page()
    sign_in(page, staffroom.desk.account("Ada", "supervisor"))
    page.goto("/staff/clinic")
    page.get_by_label("Weekly hours").fill(WORDS)
    other = page.context.new_page()
    other.goto("/staff/queue")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_text("You are signed out.")).to_be_visible()
    sign_in(other, staffroom.desk.account("Ben", "supervisor"))
    expect(page.get_by_text("Somebody else has signed in on this computer.")).to_be_visible()
    expect(page.locator("main")).to_be_hidden()
    page.get_by_role("button", name="I have signed in").click()
    expect(page.locator("main")).to_be_hidden()
    staffroom.complaints.clear()


def give_code(room: Staffroom, page: Page, user: StaffUser, secret: str) -> None:
    """Sign in by password and code."""
    page.goto("/staff/sign-in")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code from your app").fill(code_of(room.desk, secret))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Queue")).to_be_visible()


def test_the_lock_of_a_page_without_script_asks_for_the_password(staffroom: Staffroom) -> None:
    page = staffroom.page(java_script_enabled=False)
    sign_in(page, staffroom.desk.account("Ada", "supervisor"))
    page.goto("/staff/clinic")
    page.get_by_label("Weekly hours").fill("Mon 09:00-12:00")
    staffroom.desk.clock.advance(timedelta(minutes=16))
    page.get_by_role("button", name="Keep these hours").click()
    expect(page.get_by_role("heading", name="Locked")).to_be_visible()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Unlock").click()
    give(opened.value, PASSWORD)
    expect(opened.value.get_by_role("heading", name="Queue")).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("Look it over and send it again.")).to_be_visible()
    page.get_by_role("button", name="Keep these hours").click()
    expect(page.get_by_text("The hours are kept.")).to_be_visible()
    staffroom.complaints.clear()
