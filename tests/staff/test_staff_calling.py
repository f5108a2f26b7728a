"""The button Call, and what the page shows of a call."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from nurseline.callbacks import calling
from nurseline.callbacks.calling import LegReport
from nurseline.callbacks.models import CallbackAttempt, CallbackItem
from nurseline.callbacks.outcomes import OUTCOMES
from nurseline.consent import service as consent
from nurseline.messaging.models import Contact
from nurseline.outcomes import Accepted, Ambiguous, NotSent, Refused, SendOutcome, Standing
from nurseline.staff.models import StaffAudit, StaffSession, StaffUser
from tests.staff.conftest import PATIENT, Browser, Desk

OWN_PHONE = "+12025550199"
PATIENT_CALL, STAFF_CALL = "CA" + "1" * 32, "CA" + "2" * 32


@dataclass
class FakeTelephone:
    """Answers as it is told, and remembers whom it was to ring."""

    outcome: SendOutcome = field(default_factory=lambda: Accepted(STAFF_CALL))
    rung: list[tuple[str, uuid.UUID]] = field(default_factory=list)

    def ring_staff(self, *, to: str, reference: uuid.UUID) -> SendOutcome:
        self.rung.append((to, reference))
        return self.outcome

    def look_at_call(self, sid: str) -> Standing | None:
        raise OSError(sid)


@pytest.fixture
def telephone(desk: Desk) -> FakeTelephone:
    """The carrier of the pages."""
    fake = FakeTelephone()
    desk.app.extensions["nurseline"] = replace(desk.parts, telephone=fake)
    return fake


def with_phone(desk: Desk, name: str = "Ada") -> Browser:
    """Somebody who has signed in and whose phone is known."""
    browser = desk.signed_in(name)
    with desk.parts.db.begin() as session:
        session.execute(sa.update(StaffUser).where(StaffUser.name == name).values(phone=OWN_PHONE))
    return browser


def claimed(desk: Desk, browser: Browser, **changed: Any) -> uuid.UUID:
    item = desk.item("nurse", "please call me", **changed)
    assert browser.post(f"/staff/items/{item}/claim").status_code == 302
    return item


def press(browser: Browser, item: uuid.UUID) -> str:
    """Press Call; the page that is shown then."""
    browser.get(f"/staff/items/{item}")
    return browser.post(f"/staff/items/{item}/call", follow_redirects=True).text


def attempt_of(desk: Desk, item: uuid.UUID) -> CallbackAttempt:
    with desk.parts.db.begin() as session:
        return session.scalars(sa.select(CallbackAttempt).where(CallbackAttempt.item_id == item)).one()


def report(desk: Desk, item: uuid.UUID, status: str, seconds: int | None = None) -> None:
    """1 was pressed, and then this became of the patient's call."""
    attempt, now = attempt_of(desk, item), desk.clock.now()
    with desk.parts.db.begin() as session:
        calling.pressed(session, attempt.id, STAFF_CALL, now=now)
        calling.patient_moved(session, attempt.id, LegReport(PATIENT_CALL, status, now, seconds))


def chosen(page: str) -> str:
    """The outcome that is selected on a page."""
    select = page[page.index('id="outcome"') :].partition("</select>")[0]
    found = re.search(r'<option selected value="([^"]*)"', select)
    return found[1] if found else ""


def plain(page: str) -> str:
    """The words of a page alone."""
    return re.sub(r"<[^>]*>", "", page)


def status_of(desk: Desk, item: uuid.UUID) -> str:
    with desk.parts.db.begin() as session:
        return session.get_one(CallbackItem, item).status


# Pressing the button


def test_call_rings_the_own_phone_once_and_the_page_says_what_to_do(
    desk: Desk, telephone: FakeTelephone
) -> None:
    browser = with_phone(desk)
    item = claimed(desk, browser)
    before = browser.get(f"/staff/items/{item}").text
    assert "Your phone ending in 0199 rings first" in before
    page = press(browser, item)
    assert telephone.rung == [(OWN_PHONE, attempt_of(desk, item).id)]
    assert "Your phone is ringing (the number ending in 0199)." in page
    assert "This is (your first name) from Your Clinic. Please call 202-555-0100. Thank you." in page
    assert status_of(desk, item) == "calling"
    for gone in ('/call"><input', "Give back", "Keep it 15 more minutes"):
        assert gone not in page
    with desk.parts.db.begin() as session:
        (line,) = session.scalars(sa.select(StaffAudit).where(StaffAudit.what == "called_patient"))
        assert (line.item_id, line.contact_id) == (item, desk.contact().id)


def test_pressed_twice_it_rings_once_and_the_second_is_told(desk: Desk, telephone: FakeTelephone) -> None:
    browser = with_phone(desk)
    item = claimed(desk, browser)
    press(browser, item)
    again = browser.post(f"/staff/items/{item}/call", follow_redirects=True).text
    assert "This call has begun already. Your phone rings only once." in again
    assert len(telephone.rung) == 1


def test_a_colleague_cannot_call_and_sees_who_does(desk: Desk, telephone: FakeTelephone) -> None:
    browser, colleague = with_phone(desk), with_phone(desk, "Ben")
    item = claimed(desk, browser)
    told = colleague.post(f"/staff/items/{item}/call", follow_redirects=True).text
    assert "Ada has this item, so it was not changed." in told
    assert telephone.rung == []
    press(browser, item)
    seen = colleague.get(f"/staff/items/{item}").text
    assert "Ada has been calling the patient since 10:00 AM" in plain(seen)
    assert 'data-lasts=""' in seen


def test_without_a_phone_the_page_asks_for_it_and_leads_back(desk: Desk, telephone: FakeTelephone) -> None:
    browser = desk.signed_in()
    item = claimed(desk, browser)
    assert "which phone is yours" in browser.get(f"/staff/items/{item}").text
    sent = browser.post(f"/staff/items/{item}/call")
    assert sent.location == f"/staff/my-phone?item={item}"
    assert status_of(desk, item) == "claimed"
    browser.get(sent.location)
    back = browser.post("/staff/my-phone", {"number": "202-555-0199", "item": str(item)})
    assert back.location == f"/staff/items/{item}"
    press(browser, item)
    assert [number for number, _ in telephone.rung] == [OWN_PHONE]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Refused(21211, "recipient"), "It cannot call the number of your phone: check it."),
        (Refused(21210, "configuration"), "The clinic's account is not set up for calls."),
        (Refused(0, "unlisted"), "Try again, or use your phone yourself."),
        (NotSent("no connection", 0.0), "It could not be reached, or has too much to do. Try again."),
    ],
)
def test_a_call_that_was_not_made_says_so_and_can_be_tried_again(
    desk: Desk, telephone: FakeTelephone, outcome: SendOutcome, words: str
) -> None:
    browser, telephone.outcome = with_phone(desk), outcome
    item = claimed(desk, browser)
    page = press(browser, item)
    assert "The carrier did not make this call, so nobody was rung." in page
    assert words in page.replace("&#39;", "'")
    assert "Could not be started, so nobody was called" in page
    assert "Call again" in page
    assert status_of(desk, item) == "claimed"


def test_an_answer_that_never_came_is_said_and_nothing_rings_again(
    desk: Desk, telephone: FakeTelephone
) -> None:
    browser, telephone.outcome = with_phone(desk), Ambiguous("no answer")
    item = claimed(desk, browser)
    assert "The call is being made" in press(browser, item)
    desk.clock.advance(timedelta(seconds=30))
    page = browser.get(f"/staff/items/{item}").text
    assert "It is not known whether this call is made." in page
    assert len(telephone.rung) == 1


@pytest.mark.parametrize("number", [None, "+18005550123"])
def test_who_cannot_be_called_has_no_button(desk: Desk, telephone: FakeTelephone, number: str | None) -> None:
    browser = with_phone(desk)
    item = claimed(desk, browser, number=number)
    page = browser.get(f"/staff/items/{item}").text
    assert '/call"><input' not in page
    assert "nobody can be called" in page if number is None else "does not call this kind of number" in page
    press(browser, item)
    assert telephone.rung == []
    assert status_of(desk, item) == "claimed"


def test_who_asked_for_no_more_messages_is_shown_with_their_words(
    desk: Desk, telephone: FakeTelephone
) -> None:
    browser = with_phone(desk)
    item = claimed(desk, browser)
    with desk.parts.db.begin() as session:
        said = consent.Record(desk.contact().number_hash, desk.clock.now(), "text", "stop calling me")
        consent.opt_out(session, said, carrier_blocked=False)
    page = browser.get(f"/staff/items/{item}").text
    assert "This number ended messages by text, Today, 10:00 AM" in page
    assert "stop calling me" in page
    assert "You may call yourself" in page
    assert "Your phone is ringing" in press(browser, item)


def test_a_patient_who_uses_another_language_is_named_before_the_call(
    desk: Desk, telephone: FakeTelephone
) -> None:
    browser = with_phone(desk)
    item = claimed(desk, browser)
    assert "uses the line in" not in browser.get(f"/staff/items/{item}").text
    with desk.parts.db.begin() as session:
        session.execute(sa.update(Contact).values(language="es"))
    assert "The patient uses the line in Español." in plain(browser.get(f"/staff/items/{item}").text)


# How it ended


@pytest.mark.parametrize(
    ("status", "shown", "outcome"),
    [
        ("no-answer", "No answer.", "no_answer"),
        ("busy", "Busy, or declined.", "busy_or_failed"),
        ("failed", "The call could not be put through.", "busy_or_failed"),
    ],
)
def test_no_answer_selects_the_outcome_that_leads_to_another_attempt(
    desk: Desk, telephone: FakeTelephone, status: str, shown: str, outcome: str
) -> None:
    browser = with_phone(desk)
    item = claimed(desk, browser)
    press(browser, item)
    desk.clock.advance(timedelta(seconds=40))
    report(desk, item, status, 0)
    page = browser.get(f"/staff/items/{item}").text
    assert f"<strong>{shown}</strong>" in page
    assert "Record below how it ended, or call again." in page
    assert chosen(page) == outcome
    done = browser.post(f"/staff/items/{item}/outcome", {"outcome": chosen(page), "note": ""})
    assert done.status_code == 302
    assert status_of(desk, item) == "waiting_retry"
    later = browser.get(f"/staff/items/{item}").text
    assert "<strong>" + shown not in later, "it is recorded"
    assert "Ada</bdi>: " in later


def test_after_a_conversation_the_outcome_is_asked_for_and_none_is_assumed(
    desk: Desk, telephone: FakeTelephone
) -> None:
    browser = with_phone(desk)
    item = claimed(desk, browser)
    press(browser, item)
    report(desk, item, "in-progress")
    assert "Connected since 10:00 AM" in plain(browser.get(f"/staff/items/{item}").text)
    desk.clock.advance(timedelta(seconds=200))
    report(desk, item, "completed", 200)
    page = browser.get(f"/staff/items/{item}").text
    assert "<strong>Connected for 3 min 20 s.</strong>" in page
    assert chosen(page) == ""
    assert "Call ended: Connected" in page
    assert browser.post(f"/staff/items/{item}/outcome", {"outcome": ""}).status_code == 422
    assert status_of(desk, item) == "claimed"


def test_a_mailbox_selects_left_voicemail(desk: Desk, telephone: FakeTelephone) -> None:
    browser = with_phone(desk)
    item = claimed(desk, browser)
    press(browser, item)
    report(desk, item, "in-progress")
    with desk.parts.db.begin() as session:
        calling.machine_answered(session, attempt_of(desk, item).id, PATIENT_CALL, at=desk.clock.now())
    assert "This sounds like a mailbox." in browser.get(f"/staff/items/{item}").text
    report(desk, item, "completed", 20)
    page = browser.get(f"/staff/items/{item}").text
    assert "<strong>A mailbox answered.</strong>" in page
    assert OUTCOMES[chosen(page)].startswith("Left voicemail")


def test_what_was_typed_is_not_replaced_by_a_suggestion(desk: Desk, telephone: FakeTelephone) -> None:
    browser = with_phone(desk)
    item = claimed(desk, browser)
    press(browser, item)
    report(desk, item, "no-answer", 0)
    page = browser.post(f"/staff/items/{item}/outcome", {"outcome": "nothing", "note": "rang long"}).text
    assert chosen(page) != "no_answer"
    assert "rang long" in page


def test_an_outcome_can_be_recorded_although_the_end_was_never_reported(
    desk: Desk, telephone: FakeTelephone
) -> None:
    browser = with_phone(desk)
    item = claimed(desk, browser)
    press(browser, item)
    sent = browser.post(
        f"/staff/items/{item}/outcome", {"outcome": "reached_resolved", "identity": "two_identifiers"}
    )
    assert sent.status_code == 302
    assert status_of(desk, item) == "done"


# The part that refreshes itself


def test_the_panel_changes_only_with_the_call_and_watching_is_no_activity(
    desk: Desk, telephone: FakeTelephone
) -> None:
    browser = with_phone(desk)
    item = claimed(desk, browser)
    press(browser, item)
    first = browser.get(f"/staff/items/{item}/call")
    assert 'data-lasts="1"' in first.text
    with desk.parts.db.begin() as session:
        active = session.scalars(sa.select(StaffSession.last_active_at)).all()
    desk.clock.advance(timedelta(seconds=5))
    unchanged = browser.get(f"/staff/items/{item}/call", headers={"If-None-Match": first.headers["ETag"]})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    with desk.parts.db.begin() as session:
        assert session.scalars(sa.select(StaffSession.last_active_at)).all() == active
    report(desk, item, "no-answer", 0)
    changed = browser.get(f"/staff/items/{item}/call", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert 'data-lasts="" data-suggested="no_answer"' in changed.text
    assert browser.get(f"/staff/items/{uuid.uuid4()}/call").status_code == 404
    assert desk.browser().get(f"/staff/items/{item}/call").status_code == 401


def test_no_page_of_a_call_shows_the_patients_number_to_a_colleague(
    desk: Desk, telephone: FakeTelephone
) -> None:
    browser, colleague = with_phone(desk), desk.signed_in("Ben")
    item = claimed(desk, browser)
    press(browser, item)
    report(desk, item, "no-answer", 0)
    seen = colleague.get(f"/staff/items/{item}").text + colleague.get(f"/staff/items/{item}/call").text
    assert "555-0123" not in seen
    assert PATIENT not in seen
    assert OWN_PHONE not in seen
    assert "0199" not in seen
