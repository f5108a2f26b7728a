"""Staff call a patient back over the whole line: page, both telephones, the SDK, web server and worker."""

from __future__ import annotations

import subprocess
import sys
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from nurseline.callbacks import calling
from nurseline.callbacks import service as callbacks
from nurseline.callbacks.models import CallbackAttempt, CallbackItem
from nurseline.callbacks.service import Staff
from nurseline.local.state import PROJECT
from nurseline.messaging.contacts import contact_for
from nurseline.outcomes import Accepted, Ambiguous, NotSent, SendOutcome
from nurseline.wakeups import HOUSEKEEPING, Publisher
from tests.e2e.conftest import Line, handset
from tests.support.processes import basic_environment
from tests.support.waiting import wait_for

PATIENT, OWN_PHONE = "+12025550123", "+12025550199"
OTHER_PATIENT, OTHER_PHONE = "+12025550124", "+12025550198"
ADA, BEA = Staff("staff-a", "Ada"), Staff("staff-b", "Bea")
NAME, PASSWORD = "Vera Testname", "correct-horse-battery-9"
LIMIT = 30


@dataclass
class Talk:
    """One call that a staff member began, and what both telephones do."""

    line: Line
    item: uuid.UUID
    id: uuid.UUID
    outcome: SendOutcome
    own: str
    patient: str

    def phone(self, number: str) -> dict[str, Any]:
        """The call that a handset is in, once there is one."""
        return wait_for(lambda: calls_of(self.line, number)[-1], LIMIT, "a call at the handset")

    def do(self, number: str, what: str, **body: Any) -> dict[str, Any]:
        """Something a person does with a handset that is in a call."""
        return self.line.phone.ask("POST", f"/calls/{self.phone(number)['sid']}/{what}", **body)

    def answer(self, number: str, **body: Any) -> list[str]:
        """Pick up a handset once it rings; what is heard then."""
        wait_for(lambda: self.phone(number)["phase"] == "ringing", LIMIT, "the handset to ring")
        said: list[str] = self.do(number, "answer", **body)["said"]
        return said

    @property
    def row(self) -> CallbackAttempt:
        with self.line.parts.db.begin() as session:
            return session.get_one(CallbackAttempt, self.id)

    def over(self) -> CallbackAttempt:
        """The attempt once it is over; the item is with who called, and waits for the outcome."""
        row = wait_for(lambda: self.row if self.row.ended_at else None, LIMIT, "the end to be reported")
        assert row is not None
        with self.line.parts.db.begin() as session:
            assert session.get_one(CallbackItem, self.item).status == "claimed"
        return row


def calls_of(line: Line, number: str) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = line.phone.ask("GET", f"/calls?handset={number.replace('+', '%2B')}")[
        "calls"
    ]
    return calls


def by_hand(line: Line, *numbers: str) -> None:
    """Let no time pass at these handsets but what the test lets pass."""
    for number in numbers:
        line.phone.ask("PUT", f"/handsets/{number}", pace="hand")


def begin(line: Line, staff: Staff = ADA, *, own: str = OWN_PHONE, patient: str = PATIENT) -> Talk:
    """Somebody claims an item and presses Call."""
    parts = line.parts
    now = parts.clock.now()
    by_hand(line, own, patient)
    with parts.db.begin() as session:
        contact = contact_for(session, parts.keyring, patient, at=now)
        contact.name = NAME
        wish = callbacks.Request("nurse", "text", "please call", now, contact.number_hash, contact)
        item = callbacks.request(session, wish, now=now).item_id
        callbacks.claim(session, item, staff, now=now)
        attempt = calling.start(session, item, staff, regions=parts.settings.regions, now=now).id
    outcome = calling.ring(parts.db, parts.clock, parts.telephone, attempt, own)
    return Talk(line, item, attempt, outcome, own, patient)


def heard(call: dict[str, Any]) -> str:
    """All that a handset was told."""
    return " ".join(entry["text"] for entry in call["lines"] if entry["kind"] == "say")


def test_both_telephones_ring_are_connected_and_the_end_is_kept(line: Line) -> None:
    talk = begin(line)
    assert isinstance(talk.outcome, Accepted)
    assert "press 1" in talk.answer(OWN_PHONE)[0]
    assert NAME not in heard(talk.phone(OWN_PHONE))
    assert calls_of(line, PATIENT) == []
    said = talk.do(OWN_PHONE, "press", digits="1")["said"]
    assert said[0].startswith(f"Calling {NAME}. They asked for a nurse.")
    ringing = talk.phone(PATIENT)
    assert ringing["from"] == talk.phone(OWN_PHONE)["from"] == line.env["TWILIO_FROM"]
    assert talk.answer(PATIENT) == [], "a patient hears no machine"
    wait_for(lambda: talk.row.connected_at, LIMIT, "the answer to be reported")
    talk.do(PATIENT, "speak", text="hello nurse")
    talk.do(OWN_PHONE, "speak", text="hello patient")
    assert "hello nurse" in heard(talk.phone(OWN_PHONE))
    assert "hello patient" in heard(talk.phone(PATIENT))
    after = talk.do(PATIENT, "hangup")
    assert after["ended"]
    wait_for(lambda: talk.phone(OWN_PHONE)["ended"], LIMIT, "the other side to end")
    assert "The call has ended. Please record how it went" in heard(talk.phone(OWN_PHONE))
    row = talk.over()
    assert (row.result, row.seconds is not None) == ("connected", True)
    assert {row.staff_call_sid, row.patient_call_sid} == {
        talk.phone(OWN_PHONE)["sid"],
        talk.phone(PATIENT)["sid"],
    }
    assert line.phone.errors() == []


def test_a_mailbox_of_the_staff_member_hears_no_name_and_reaches_nobody(line: Line) -> None:
    talk = begin(line)
    talk.answer(OWN_PHONE, by="machine")
    talk.do(OWN_PHONE, "silence")
    assert talk.over().result == "staff_no_answer"
    assert NAME not in heard(talk.phone(OWN_PHONE))
    assert calls_of(line, PATIENT) == []
    assert line.phone.errors() == []


@pytest.mark.parametrize(
    ("what", "number", "words", "result"),
    [
        ("decline", PATIENT, "The line was busy.", "busy"),
        ("silence", OWN_PHONE, "Nobody answered.", "no_answer"),
    ],
)
def test_a_patient_who_is_not_reached_is_told_to_the_staff_member(
    line: Line, what: str, number: str, words: str, result: str
) -> None:
    talk = begin(line)
    talk.answer(OWN_PHONE)
    talk.do(OWN_PHONE, "press", digits="1")
    wait_for(lambda: talk.phone(PATIENT)["phase"] == "ringing", LIMIT, "the patient's phone to ring")
    talk.do(number, what)  # silence: the time passes after which Dial stops ringing
    wait_for(lambda: talk.phone(OWN_PHONE)["ended"], LIMIT, "the staff member's call to end")
    assert words in heard(talk.phone(OWN_PHONE))
    assert talk.over().result == result
    assert line.phone.errors() == []


def test_a_mailbox_of_the_patient_is_connected_at_once_and_noted(line: Line) -> None:
    talk = begin(line)
    talk.answer(OWN_PHONE)
    talk.do(OWN_PHONE, "press", digits="1")
    talk.answer(PATIENT, by="machine")
    wait_for(lambda: talk.row.result == "machine", LIMIT, "the machine to be reported")
    assert talk.phone(OWN_PHONE)["phase"] == "bridged", "the staff member hears the greeting"
    talk.do(OWN_PHONE, "speak", text="This is Ada from the clinic. Please call us.")
    assert "Please call us" in heard(talk.phone(PATIENT))
    talk.do(OWN_PHONE, "hangup")
    assert talk.over().result == "machine"
    assert calling.suggested(talk.row) == "left_voicemail"
    assert line.phone.errors() == []


def test_who_hangs_up_before_the_patient_answers_stops_the_ringing(line: Line) -> None:
    talk = begin(line)
    talk.answer(OWN_PHONE)
    talk.do(OWN_PHONE, "press", digits="1")
    wait_for(lambda: talk.phone(PATIENT)["phase"] == "ringing", LIMIT, "the patient's phone to ring")
    talk.do(OWN_PHONE, "hangup")
    wait_for(lambda: talk.phone(PATIENT)["ended"], LIMIT, "the patient's phone to stop")
    assert talk.over().result == "caller_gone"
    assert line.phone.errors() == []


def test_two_staff_members_call_two_patients_at_once_and_nobody_is_mixed_up(line: Line) -> None:
    first = begin(line)
    second = begin(line, BEA, own=OTHER_PHONE, patient=OTHER_PATIENT)
    for talk in (second, first):
        talk.answer(talk.own)
    for talk in (first, second):
        talk.do(talk.own, "press", digits="1")
    for talk in (second, first):
        talk.answer(talk.patient)
    first.do(first.patient, "speak", text="words of the first")
    second.do(second.patient, "speak", text="words of the second")
    assert "words of the first" in heard(first.phone(first.own))
    assert "words of the first" not in heard(second.phone(second.own))
    first.do(first.patient, "hangup")
    assert first.over().result == "connected"
    assert calling.stage(second.row, line.parts.clock.now()) in {"talking", "patient_rings"}
    second.do(second.own, "hangup")
    assert second.over().result == "connected"
    assert line.phone.errors() == []


def test_every_report_and_request_twice_changes_nothing(line: Line) -> None:
    line.phone.ask("PUT", "/faults", webhook_twice=1, callback_doubled=1)
    talk = begin(line)
    talk.answer(OWN_PHONE)
    talk.do(OWN_PHONE, "press", digits="1")
    talk.answer(PATIENT)
    talk.do(PATIENT, "hangup")
    assert talk.over().result == "connected"
    assert len(calls_of(line, PATIENT)) == 1
    with line.parts.db.begin() as session:
        ended = sa.text("SELECT count(*) FROM callback_events WHERE cause LIKE 'call ended%'")
        assert session.scalar(ended) == 1
    assert line.phone.ask("GET", "/faults")["struck"]["webhook_twice"] > 0


@pytest.mark.parametrize("fault", ["drop_after", "error_after"])
def test_a_lost_answer_of_the_carrier_rings_once_and_is_found_by_its_reports(line: Line, fault: str) -> None:
    line.phone.ask("PUT", "/faults", **{fault: 1})
    talk = begin(line)
    assert isinstance(talk.outcome, Ambiguous)
    line.phone.ask("PUT", "/faults", seed=1)
    wait_for(lambda: talk.row.staff_call_sid, LIMIT, "the call to be heard of")
    assert calling.stage(talk.row, line.parts.clock.now()) == "staff_rings"
    assert len(calls_of(line, OWN_PHONE)) == 1
    talk.answer(OWN_PHONE)
    talk.do(OWN_PHONE, "hangup")
    assert talk.over().result == "staff_declined"


def test_a_carrier_that_refuses_rings_nobody_and_the_item_can_be_called_again(line: Line) -> None:
    line.phone.ask("PUT", "/faults", too_many=1)
    talk = begin(line)
    assert isinstance(talk.outcome, NotSent)
    assert talk.over().result == "not_started"
    assert calls_of(line, OWN_PHONE) == []


def test_an_end_that_was_never_reported_is_asked_for_by_a_worker(line: Line) -> None:
    line.phone.ask("PUT", "/faults", callback_lost=1)
    talk = begin(line)
    talk.answer(OWN_PHONE)
    talk.do(OWN_PHONE, "hangup")
    wait_for(lambda: talk.phone(OWN_PHONE)["ended"], LIMIT, "the call to end")
    with line.parts.db.begin() as session:
        began = talk.row.started_at - timedelta(minutes=5)
        session.execute(sa.update(CallbackAttempt).values(started_at=began))
    assert talk.row.ended_at is None
    line.start_worker()
    Publisher(line.env["REDIS_URL"]).send("poll_sent", HOUSEKEEPING)
    wait_for(lambda: talk.row.ended_at, 60, "the worker to ask")
    assert talk.over().result == "staff_declined"


# In the browser


def picture(page: Page, name: str) -> None:
    """The page at the width of a phone and of a desk, to be looked at."""
    folder = PROJECT / "test-results" / "calling-back"
    folder.mkdir(parents=True, exist_ok=True)
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 860})
        page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)


def add_nurse(line: Line) -> None:
    done = subprocess.run(
        [
            *[sys.executable, "-m", "nurseline", "staff", "add", "--email", "nurse@example.org"],
            *["--name", "Ada", "--password-stdin"],
        ],
        input=PASSWORD,
        env={**basic_environment(), **line.env},
        cwd=Path(PROJECT),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def sign_in(browser: Browser, line: Line) -> Page:
    add_nurse(line)
    desk = browser.new_page(viewport={"width": 1280, "height": 860})
    desk.goto(f"{line.url}/staff")
    desk.get_by_label("Email").fill("nurse@example.org")
    desk.get_by_label("Password").fill(PASSWORD)
    desk.get_by_role("button", name="Sign in").click()
    expect(desk.get_by_role("heading", name="Queue")).to_be_visible()
    return desk


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_staff_press_call_are_connected_through_both_phones_and_are_asked_for_the_outcome(
    line: Line, browser: Browser
) -> None:
    line.phone.text(PATIENT, "I want to talk to a nurse")
    by_hand(line, OWN_PHONE, PATIENT)  # nothing stops ringing because the machine is slow
    desk = sign_in(browser, line)
    own, patient = handset(browser, line, OWN_PHONE), handset(browser, line, PATIENT)
    desk.get_by_role("button", name="Claim").first.click()
    picture(desk, "1-no-phone")
    desk.get_by_role("link", name="which phone is yours").click()
    desk.get_by_label("Number of your phone").fill("202-555-0199")
    picture(desk, "2-my-phone")
    desk.get_by_role("button", name="Keep").click()
    expect(desk.get_by_text("Your number is kept.")).to_be_visible()
    picture(desk, "3-call")
    desk.get_by_role("button", name="Call", exact=True).click()
    expect(desk.get_by_text("Your phone is ringing")).to_be_visible()
    picture(desk, "4-own-phone-rings")

    own.get_by_role("button", name="Answer", exact=True).click()
    expect(own.get_by_role("log", name="Heard")).to_contain_text("To be connected, press 1.")
    own.get_by_role("group", name="Keys").get_by_role("button", name="1", exact=True).click()
    expect(own.get_by_role("log", name="Heard")).to_contain_text("They asked for a nurse.")
    expect(desk.get_by_text("The patient's phone is ringing.")).to_be_visible()
    picture(desk, "5-patient-rings")
    patient.get_by_role("button", name="Answer", exact=True).click()
    expect(desk.get_by_text("Connected since")).to_be_visible()
    expect(own.locator("#call-state")).to_have_text("Connected.")
    picture(desk, "6-connected")
    patient.get_by_label("Say something").fill("my shoulder is better")
    patient.get_by_role("button", name="Say", exact=True).click()
    expect(own.get_by_role("log", name="Heard")).to_contain_text("my shoulder is better")
    desk.get_by_role("textbox", name="Note").fill("The shoulder is better.")
    patient.get_by_role("button", name="Hang up").click()

    expect(desk.get_by_text("Record below how it ended, or call again.")).to_be_visible()
    expect(desk.get_by_role("textbox", name="Note")).to_have_value("The shoulder is better.")
    picture(desk, "7-over")
    desk.get_by_role("combobox", name="Outcome").select_option("reached_resolved")
    desk.get_by_role("combobox", name="How the patient was identified").select_option("two_identifiers")
    desk.get_by_role("button", name="Record outcome").click()
    expect(desk.get_by_text("Recorded: Reached: resolved.")).to_be_visible()
    assert line.phone.errors() == []


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_a_patient_who_does_not_answer_is_suggested_for_another_attempt(line: Line, browser: Browser) -> None:
    line.phone.text(PATIENT, "I want to talk to a nurse")
    by_hand(line, OWN_PHONE, PATIENT)
    line.phone.ask("PUT", f"/handsets/{PATIENT}", call={"answer": "busy", "after": 0.2})
    desk = sign_in(browser, line)
    own = handset(browser, line, OWN_PHONE)
    desk.goto(f"{line.url}/staff/my-phone")
    desk.get_by_label("Number of your phone").fill("202-555-0199")
    desk.get_by_role("button", name="Keep").click()
    desk.goto(f"{line.url}/staff/queue")
    desk.get_by_role("button", name="Claim").first.click()
    desk.get_by_role("button", name="Call", exact=True).click()
    own.get_by_role("button", name="Answer", exact=True).click()
    own.get_by_role("group", name="Keys").get_by_role("button", name="1", exact=True).click()
    expect(desk.get_by_text("Busy, or declined.").first).to_be_visible()
    expect(desk.get_by_role("combobox", name="Outcome")).to_have_value("busy_or_failed")
    picture(desk, "8-busy")
    desk.get_by_role("button", name="Record outcome").click()
    expect(desk.get_by_text("The item comes back for another try")).to_be_visible()
    assert line.phone.errors() == []
