"""The rest of a nurse's morning, on the whole line: a file, an enrolment, texts, and the report."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from nurseline.aftercare.models import Injection
from nurseline.callbacks.models import CallbackItem
from nurseline.messaging.contacts import contact_for
from tests.e2e.morning import Morning, morning, picture, text

__all__ = ["morning"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
PATIENT = "+12025550123"
ZONE = ZoneInfo("America/New_York")  # of the tests' clinic
WRONG_ROWS = ("4", "5", "6")


def performed(morning: Morning, **ago: int) -> datetime:
    """So long ago, by the clinic's clock."""
    return (morning.line.parts.clock.now() - timedelta(**ago)).astimezone(ZONE)


def injections(morning: Morning) -> int:
    """How many injections are kept."""
    with morning.line.parts.db.begin() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Injection)) or 0


def contact_id(morning: Morning, number: str) -> uuid.UUID:
    """The id of a number's contact."""
    parts = morning.line.parts
    with parts.db.begin() as session:
        return contact_for(session, parts.keyring, number, at=parts.clock.now()).id


def written(morning: Morning, folder: Path) -> Path:
    """A table of two good rows and three bad ones."""
    at = performed(morning, hours=2)
    day, clock = at.strftime("%Y-%m-%d"), at.strftime("%H:%M")
    rows = (
        "phone,date,time,consent,name",
        f"202-555-0141,{day},{clock},yes,Ann Bell",
        f"202-555-0142,{day},{clock},yes,Cal Dorn",
        f"nobody,{day},{clock},yes,Eve Fox",
        "202-555-0144,2026-02-30,09:00,yes,Gil Hart",
        f"202-555-0145,{day},{clock},no,Ida Jay",
    )
    file = folder / "injections.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def hand_in(desk: Page, file: Path) -> None:
    desk.get_by_role("link", name="Injections").click()
    desk.get_by_role("link", name=re.compile("Import")).first.click()
    desk.get_by_label("CSV file").set_input_files(file)
    desk.get_by_role("button", name="Look at it").click()
    expect(desk.get_by_role("heading", name="What this file would do")).to_be_visible()


def test_a_file_with_bad_rows_shows_each_imports_nothing_unconfirmed_and_nothing_twice(
    morning: Morning, tmp_path: Path
) -> None:
    desk, file = morning.signed_in("Ada"), written(morning, tmp_path)
    hand_in(desk, file)
    bad = desk.get_by_role("table", name="What is wrong, by line of the file").get_by_role("row")
    for line in WRONG_ROWS:
        expect(bad.filter(has=desk.get_by_role("cell", name=line, exact=True))).to_have_count(1)
    expect(desk.get_by_text("3 rows are bad and would be left out.")).to_be_visible()
    picture(desk, "11-bad-rows")
    assert injections(morning) == 0
    desk.get_by_label("Every patient marked “yes” heard this and agrees").check()
    assert injections(morning) == 0
    desk.get_by_role("button", name="Enrol 2 injections").click()
    expect(desk.get_by_text("Imported: 2 injections enrolled. 3 bad rows left out.")).to_be_visible()
    assert injections(morning) == 2
    hand_in(desk, file)
    expect(desk.get_by_text("2 rows are enrolled already")).to_be_visible()
    expect(desk.get_by_role("heading", name="Nothing to import")).to_be_visible()
    expect(desk.get_by_role("button", name=re.compile("^Enrol"))).to_have_count(0)
    picture(desk, "12-handed-in-again")
    assert injections(morning) == 2


def enrol_from_the_patients_page(morning: Morning, desk: Page) -> None:
    at = performed(morning, hours=3)
    desk.get_by_role("link", name="Enrol an injection").click()
    expect(desk.get_by_text("(•••) •••-0123")).to_be_visible()
    desk.get_by_label("Date of the injection").fill(at.strftime("%Y-%m-%d"))
    desk.get_by_label("Time of the injection").fill(at.strftime("%H:%M"))
    desk.get_by_label("Time zone of the patient").select_option("America/New_York")
    desk.get_by_label("agrees to the messages").check()
    desk.get_by_role("button", name="Enrol", exact=True).click()
    expect(desk.get_by_text("Enrolled. This is what was planned.")).to_be_visible()
    expect(desk.get_by_text("Planned", exact=True)).to_have_count(3)
    picture(desk, "13-enrolled")


def test_a_patient_is_enrolled_from_their_page_texted_and_their_answer_appears_by_itself(
    morning: Morning,
) -> None:
    phone = morning.phone(PATIENT)
    text(phone, "hi", "Talk to a nurse")
    desk, page = morning.signed_in("Ada"), f"/staff/contacts/{contact_id(morning, PATIENT)}"
    desk.goto(page)
    enrol_from_the_patients_page(morning, desk)
    desk.goto(page)
    desk.get_by_label("Words", exact=True).fill("Please bring your list of medicines.")
    expect(desk.locator("#text-count")).to_contain_text("1 part, about $")
    desk.get_by_role("button", name="Send", exact=True).click()
    expect(desk.get_by_text("On its way: 1 part")).to_be_visible()
    thread = phone.get_by_role("log", name="Conversation")
    expect(thread.get_by_text("Please bring your list of medicines.")).to_be_visible(timeout=60_000)
    sent = desk.locator("#timeline .from-line").filter(has_text="Please bring your list")
    expect(sent.get_by_text("Delivered")).to_be_visible(timeout=60_000)
    desk.evaluate("window.sameDocument = true")
    phone.get_by_label("Message", exact=True).fill("I will bring it")
    phone.get_by_role("button", name="Send").click()
    expect(desk.locator("#timeline .from-patient").get_by_text("I will bring it")).to_be_visible()
    assert desk.evaluate("window.sameDocument"), "the page was reloaded"
    picture(desk, "14-thread")
    picture(phone, "15-patients-phone")


def test_a_supervisor_reads_what_the_morning_brought(morning: Morning) -> None:
    morning.line.phone.text(PATIENT, "I can't breathe")
    nurse = morning.signed_in("Ada")
    expect(nurse.get_by_role("link", name="Reports")).to_have_count(0)
    desk = morning.signed_in("Sue", "supervisor")
    desk.get_by_role("link", name="Reports").click()
    with morning.line.parts.db.begin() as session:
        asked = session.scalars(sa.select(CallbackItem.created_at)).one()
    desk.goto(f"/staff/reports/{asked.astimezone(ZONE).date()}")  # not today: midnight may have passed
    expect(desk.get_by_role("heading", name="The three URAC figures")).to_be_visible()
    items = desk.get_by_role("row").filter(has=desk.get_by_role("rowheader", name="Emergency words"))
    expect(items.first.get_by_role("cell", name="1", exact=True).first).to_be_visible()
    picture(desk, "16-report")
    with desk.expect_download() as download:
        desk.get_by_role("link", name="By hour of the day as CSV").click()
    assert download.value.suggested_filename.startswith("hours-")
