"""A patient calls from the phone page, speaks, and reaches the nurse, whose telephone is another page."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Locator, Page, expect

from nurseline.callbacks.models import CallbackEvent
from nurseline.clinic.service import Phone, keep_phone
from nurseline.local.state import PROJECT
from tests.e2e.conftest import Line, handset
from tests.support.waiting import wait_for

PATIENT, NURSE = "+12025550123", "+12025550188"
ROUND_THE_CLOCK = {"CLINIC_HOURS": "Mon-Sun 00:00-24:00"}
PICTURES = PROJECT / "test-results" / "speaking"


def say(page: Page, words: str) -> None:
    """Speak into a telephone, by typing what is said."""
    page.get_by_label("Say something").fill(words)
    page.get_by_role("button", name="Say", exact=True).click()


def heard(page: Page) -> Locator:
    """What a telephone was told so far."""
    return page.get_by_role("log", name="Heard")


def talks(line: Line) -> list[str]:
    """What stands in the history of requests about talks with staff. The outcome is for staff to record."""
    causes = sa.select(CallbackEvent.cause).where(CallbackEvent.cause.startswith("spoke with staff"))
    with line.parts.db.begin() as session:
        return list(session.scalars(causes))


@pytest.mark.browser
@pytest.mark.timeout(240)
@pytest.mark.parametrize("line", [ROUND_THE_CLOCK], indirect=True)
def test_a_caller_says_what_is_wanted_and_talks_with_the_nurse(line: Line, browser: Browser) -> None:
    parts = line.parts
    with parts.db.begin() as session:
        phone = Phone("Front desk", NURSE)
        keep_phone(session, phone, parts.settings.zone, now=parts.clock.now(), staff="test")
    patient, nurse = handset(browser, line, PATIENT), handset(browser, line, NURSE)
    patient.get_by_role("button", name="Call", exact=True).click()
    expect(heard(patient)).to_contain_text("hang up and call nine one one")
    say(patient, "what are the side effects")
    expect(heard(patient)).to_contain_text("bruise")
    say(patient, "i want to talk to a nurse")
    expect(heard(patient)).to_contain_text("stay on the line")
    nurse.get_by_role("button", name="Answer").click()
    expect(heard(nurse)).to_contain_text(re.compile("press 1"))
    keys = nurse.get_by_role("group", name="Keys")
    keys.get_by_role("button", name="1", exact=True).click()
    for telephone in (patient, nurse):  # what is said before that, nobody hears
        expect(heard(telephone)).to_contain_text("Connected with")
    say(patient, "my shoulder is sore, is that normal")
    expect(heard(nurse)).to_contain_text("my shoulder is sore, is that normal")
    say(nurse, "good morning, this is the nurse line")
    expect(heard(patient)).to_contain_text("good morning, this is the nurse line")
    PICTURES.mkdir(parents=True, exist_ok=True)
    patient.screenshot(path=PICTURES / "patient.png")
    nurse.screenshot(path=PICTURES / "nurse.png")
    nurse.get_by_role("button", name="Hang up").click()
    expect(nurse.get_by_role("button", name="Back to texts")).to_be_visible()
    wait_for(lambda: talks(line), 30, "the talk to stand in the history of the request")
    assert line.phone.errors() == []
