"""A nurse's morning in the browser, on the whole line: signing in, an emergency, and work on the queue."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.morning import (
    OWN_PHONE,
    Morning,
    give_code,
    give_password,
    morning,
    picture,
    rings,
    secret_on,
    text,
)
from tests.support.waiting import wait_for

__all__ = ["morning"]
PATIENT, SECOND, THIRD = "+12025550123", "+12025550124", "+12025550125"
EMERGENCY = "I can't breathe"
ALARM = "An emergency waits, and nobody has taken it."
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(400),
    pytest.mark.parametrize("line", [{"STAFF_TOTP_REQUIRED": "1"}], indirect=True),
]


def set_up_the_second_step(morning: Morning, desk: Page) -> None:
    """Sign in for the first time, keep the codes, sign out, and sign in as on any other morning."""
    give_password(desk, morning.account("Ada", "nurse"))
    expect(desk.get_by_role("heading", name="Set up your second step")).to_be_visible()
    picture(desk, "01-second-step")
    secret = secret_on(desk)
    give_code(desk, secret)
    expect(desk.get_by_role("heading", name="Recovery codes")).to_be_visible()
    expect(desk.locator("ol.codes li")).to_have_count(10)
    desk.get_by_role("link", name="I have kept them").click()
    desk.get_by_role("button", name="Sign out").click()
    give_password(desk, "ada@example.org")
    expect(desk.get_by_role("heading", name="Code", exact=True)).to_be_visible()
    give_code(desk, secret, later=30)  # the code of the set-up is used up
    expect(desk.get_by_role("heading", name="Queue", exact=True)).to_be_visible()
    expect(desk.get_by_text("Nothing is waiting.")).to_be_visible()
    picture(desk, "02-empty-queue")


def an_emergency_alarms(desk: Page, patient: Page) -> None:
    """The open queue shows and sounds the alarm by itself."""
    desk.get_by_role("heading", name="Queue", exact=True).click()  # browsers stay silent before a touch
    expect(desk.get_by_role("button", name="Sound is on: turn off")).to_be_visible()
    desk.evaluate("window.sameDocument = true")
    assert rings(desk) == 0
    text(patient, EMERGENCY, "911")
    expect(desk.get_by_text(ALARM)).to_be_visible()
    expect(desk).to_have_title(re.compile(r"^\(1!\) Queue"))
    expect(desk.get_by_role("row").filter(has_text=EMERGENCY)).to_be_visible()
    wait_for(lambda: rings(desk) >= 1, 30, "the alarm to be played")
    assert desk.evaluate("window.sameDocument"), "the page was reloaded"
    picture(desk, "03-emergency")


def say_which_phone_is_mine(desk: Page) -> None:
    desk.goto("/staff/my-phone")
    desk.get_by_label("Number of your phone").fill(OWN_PHONE)
    desk.get_by_role("button", name="Keep").click()
    expect(desk.get_by_text("Your number is kept.")).to_be_visible()


def call_through_both_phones(desk: Page, own: Page, patient: Page) -> None:
    """Press Call, pick up both phones, talk, and hang up."""
    desk.get_by_role("button", name="Call", exact=True).click()
    expect(desk.get_by_text("Your phone is ringing")).to_be_visible()
    own.get_by_role("button", name="Answer", exact=True).click()
    expect(own.get_by_role("log", name="Heard")).to_contain_text("To be connected, press 1.")
    own.get_by_role("group", name="Keys").get_by_role("button", name="1", exact=True).click()
    expect(desk.get_by_text("The patient's phone is ringing.")).to_be_visible()
    patient.get_by_role("button", name="Answer", exact=True).click()
    expect(desk.get_by_text("Connected since")).to_be_visible()
    expect(own.locator("#call-state")).to_have_text("Connected.")
    patient.get_by_label("Say something").fill("it is better now")
    patient.get_by_role("button", name="Say", exact=True).click()
    expect(own.get_by_role("log", name="Heard")).to_contain_text("it is better now")
    picture(desk, "05-connected")
    picture(own, "06-own-phone")
    patient.get_by_role("button", name="Hang up").click()
    expect(desk.get_by_text("Record below how it ended, or call again.")).to_be_visible()


def record_and_take_the_next(desk: Page) -> None:
    desk.get_by_role("combobox", name="Outcome").select_option("reached_sent_to_911")
    desk.get_by_role("combobox", name="How the patient was identified").select_option("two_identifiers")
    desk.get_by_role("textbox", name="Note").fill("An ambulance is with the patient.")
    picture(desk, "07-outcome")
    desk.get_by_role("button", name="Record and take the next").click()
    expect(desk.get_by_text("Recorded: Reached: sent to 911 or emergency department.")).to_be_visible()
    expect(desk.get_by_role("heading", name="How did it end?")).to_be_visible()


def put_off(desk: Page) -> None:
    desk.locator("summary").get_by_text("Put off until later").click()
    desk.get_by_label("Until", exact=True).select_option("In one hour")
    desk.get_by_label("Why", exact=True).fill("The patient is at work until then.")
    desk.get_by_role("button", name="Put off").click()
    expect(desk.get_by_text("The promise stays as it was.").first).to_be_visible()


def hand_over(desk: Page, name: str) -> None:
    desk.locator("summary").get_by_text("Hand over", exact=True).click()
    desk.get_by_label("Colleague").select_option(f"{name} (signed in)")
    desk.get_by_label("What they should know").fill("Knows Bea from last time.")
    desk.get_by_role("button", name="Hand over").click()
    expect(desk.get_by_text(f"{name} has the item now.")).to_be_visible()


def test_an_emergency_alarms_the_open_queue_is_taken_called_and_recorded_and_the_rest_is_passed_on(
    morning: Morning,
) -> None:
    desk = morning.window(morning.line.url)
    set_up_the_second_step(morning, desk)
    own, patient = morning.phone(OWN_PHONE), morning.phone(PATIENT)
    morning.by_hand(OWN_PHONE, PATIENT)  # nothing stops ringing because the machine is slow
    say_which_phone_is_mine(desk)
    desk.goto("/staff/queue")
    an_emergency_alarms(desk, patient)

    desk.get_by_role("link", name="See it").click()
    desk.get_by_role("button", name="Claim").click()
    expect(desk.get_by_role("heading", name="How did it end?")).to_be_visible()
    expect(desk.get_by_text(ALARM)).to_be_hidden()
    expect(desk).not_to_have_title(re.compile("!"))
    picture(desk, "04-taken")
    call_through_both_phones(desk, own, patient)

    for number in (SECOND, THIRD):
        morning.line.phone.text(number, "I want to talk to a nurse")
    record_and_take_the_next(desk)
    put_off(desk)
    desk.goto("/staff/queue?view=later")
    expect(desk.get_by_role("row").filter(has_text="Put off")).to_have_count(1)
    picture(desk, "08-put-off")

    colleague = morning.signed_in("Bea")
    expect(colleague.get_by_role("button", name="Claim")).to_have_count(2)  # also what rests may be taken
    colleague.goto("/staff/queue?view=mine")
    expect(colleague.locator("#view-mine .count")).to_have_text("0")
    desk.goto("/staff/queue")
    desk.get_by_role("button", name="Next: take the first").click()
    expect(desk.get_by_role("heading", name="How did it end?")).to_be_visible()
    hand_over(desk, "Bea")
    expect(colleague.locator("tr.yours")).to_have_count(1)  # without a reload
    colleague.get_by_role("link", name="Open", exact=True).click()
    expect(colleague.get_by_text("Knows Bea from last time.")).to_be_visible()
    expect(colleague.get_by_role("heading", name="How did it end?")).to_be_visible()
    picture(colleague, "09-handed-over")
