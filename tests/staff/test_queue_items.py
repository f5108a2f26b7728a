"""Recording how an item ended."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import sqlalchemy as sa
from psycopg.errors import DeadlockDetected
from sqlalchemy.exc import OperationalError

from nurseline.callbacks import outcomes
from nurseline.callbacks.models import CallbackItem, CallbackOutcome
from nurseline.callbacks.outcomes import IDENTITY, OUTCOMES
from nurseline.callbacks.service import NOTE_LONGEST, give_back_expired
from tests.staff.conftest import Browser, Desk

SPOKEN = {"outcome": "reached_resolved", "identity": "two_identifiers"}


def stored(desk: Desk, item: uuid.UUID) -> CallbackItem:
    """The item as it is now."""
    with desk.parts.db.begin() as session:
        return session.get_one(CallbackItem, item)


def outcome_of(desk: Desk, item: uuid.UUID) -> CallbackOutcome:
    """The one outcome recorded about an item."""
    with desk.parts.db.begin() as session:
        return session.scalars(sa.select(CallbackOutcome).where(CallbackOutcome.item_id == item)).one()


def give_back(desk: Desk) -> int:
    """What a worker does every second: claims that ran out are given back; how many."""
    with desk.parts.db.begin() as session:
        return give_back_expired(session, now=desk.clock.now())


def holding(desk: Desk, item: uuid.UUID, name: str = "Ada") -> Browser:
    """The browser of somebody who has claimed an item and sees it."""
    browser = desk.signed_in(name)
    assert browser.post(f"/staff/items/{item}/claim").location == f"/staff/items/{item}"
    assert browser.get(f"/staff/items/{item}").status_code == 200
    return browser


def test_an_outcome_keeps_all_that_was_entered_and_closes_the_item(desk: Desk) -> None:
    item = desk.item("schedule", "Friday please")
    ada = holding(desk, item)
    page = ada.get(f"/staff/items/{item}").text
    assert "202-555-0123" in page
    for label in (*OUTCOMES.values(), *IDENTITY.values()):
        assert label.replace("'", "&#39;") in page
    advice = re.findall(r'name="advice"[^>]*value="([^"]+)"', page)
    assert {"answer.recovery", "answer.what"} <= {one.partition(":")[0] for one in advice}
    form = {
        "outcome": "reached_scheduled",
        "identity": "two_identifiers",
        "note": "Friday\r\nat nine",
        "advice": advice[:2],
        "told_when_worse": "y",
        "follow_up_on": "2026-03-12",
        "appointment_at": "2026-03-06T09:30",
        "appointment_place": "Room 2",
    }
    answer = ada.post(f"/staff/items/{item}/outcome", form, follow_redirects=True)
    assert "Recorded: Reached: scheduled." in answer.text
    assert stored(desk, item).outcome == "reached_scheduled"
    row = outcome_of(desk, item)
    assert (row.identity, row.advice.split(), row.told_when_worse) == ("two_identifiers", advice[:2], True)
    assert row.appointment_at == datetime(2026, 3, 6, 14, 30, tzinfo=UTC)
    assert (row.appointment_place, row.note, str(row.follow_up_on)) == (
        "Room 2",
        "Friday\nat nine",
        "2026-03-12",
    )
    closed = ada.get(f"/staff/items/{item}").text
    for said in ("Friday\nat nine", "Fri, Mar 6, 9:30 AM", "Room 2", "Asked two identifiers", "Mar 12, 2026"):
        assert said in closed
    assert "Record outcome" not in closed


def test_the_place_of_an_appointment_is_the_clinic_unless_somebody_says_otherwise(desk: Desk) -> None:
    item = desk.item("schedule")
    page = holding(desk, item).get(f"/staff/items/{item}").text
    place = re.search(r'name="appointment_place"[^>]*value="([^"]*)"', page)
    assert place is not None
    assert unescape(place[1]) == desk.parts.settings.facts["address"]


def test_a_clinic_without_an_address_is_offered_the_place_of_the_last_appointment(desk: Desk) -> None:
    scheduled = {**SPOKEN, "outcome": "reached_scheduled", "appointment_at": "2026-03-06 09:30"}
    for place in ("", "Room 2"):
        item = desk.item("schedule")
        ada = holding(desk, item)
        offered = re.search(
            r'name="appointment_place"[^>]*value="([^"]*)"', ada.get(f"/staff/items/{item}").text
        )
        assert offered is not None
        assert offered[1] == place
        ada.post(f"/staff/items/{item}/outcome", {**scheduled, "appointment_place": "Room 2"})
        assert stored(desk, item).status == "done"


def test_record_and_take_the_next_leads_to_the_next_item(desk: Desk) -> None:
    first = desk.item("nurse", number="+12025550101", promised=timedelta(hours=1))
    second = desk.item("nurse", number="+12025550102", promised=timedelta(hours=2))
    ada = holding(desk, first)
    answer = ada.post(f"/staff/items/{first}/outcome", {**SPOKEN, "then": "next"})
    assert answer.location == f"/staff/items/{second}"
    assert stored(desk, second).claimed_name == "Ada"


def test_who_was_not_reached_comes_back_and_the_page_says_when(desk: Desk) -> None:
    item = desk.item("nurse")
    answer = holding(desk, item).post(
        f"/staff/items/{item}/outcome", {"outcome": "no_answer"}, follow_redirects=True
    )
    assert "The item comes back for another try: " in answer.text
    assert stored(desk, item).status == "waiting_retry"


@pytest.mark.parametrize("outcome", ["wrong_number", "opted_out", "deceased"])
def test_an_outcome_that_ends_messages_is_written_into_the_ledger(desk: Desk, outcome: str) -> None:
    item = desk.item("nurse")
    holding(desk, item).post(f"/staff/items/{item}/outcome", {"outcome": outcome})
    with desk.parts.db.begin() as session:
        ledger = session.execute(sa.text("SELECT kind FROM consent_events")).scalars().all()
    assert ledger == ["opt_out"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"identity": ""}, "Choose how the patient was identified."),
        ({"identity": "by voice"}, "Choose from the list how the patient was identified."),
        ({"advice": ["answer.nothing:1"]}, "Choose again from the list."),
        ({"follow_up_on": "2026-02-30"}, "This is not a date."),
        ({"follow_up_on": "\0"}, "This is not a date."),
        ({"follow_up_on": "2026-03-01"}, "Choose a day after today"),
        ({"outcome": "reached_scheduled"}, "Give the date and the time of day."),
        ({"outcome": "reached_scheduled", "appointment_at": "2026-03-06"}, "Give the time of day, too."),
        ({"outcome": "reached_scheduled", "appointment_at": "\0"}, "Give the time of day, too."),
        (
            {"outcome": "reached_scheduled", "appointment_at": "2026-03-06T25:00"},
            "This is not a time of day.",
        ),
        ({"outcome": "reached_scheduled", "appointment_at": "Friday 09:30"}, "This is not a date."),
        (
            {"outcome": "reached_scheduled", "appointment_at": "2026-03-08T02:30"},
            "Clocks skipped this time that night.",
        ),
        (
            {"outcome": "reached_scheduled", "appointment_at": "2026-03-02T09:30"},
            "The appointment lies in the past.",
        ),
        (
            {
                "outcome": "reached_scheduled",
                "appointment_at": "2026-03-06T09:30",
                "appointment_place": "x" * 121,
            },
            "This is too long: 121 characters, 120 fit.",
        ),
        (
            {"outcome": "reached_scheduled", "appointment_at": "2026-03-06T\u0661:00"},
            "This is not a time of day.",
        ),
    ],
)
def test_a_wrong_entry_is_named_and_nothing_is_stored(
    desk: Desk, wrong: dict[str, object], words: str
) -> None:
    item = desk.item()
    answer = holding(desk, item).post(f"/staff/items/{item}/outcome", {**SPOKEN, "note": "my words", **wrong})
    assert answer.status_code == 422
    assert words in answer.text
    assert "my words" in answer.text
    assert stored(desk, item).status == "claimed"


def test_who_comes_in_each_others_way_is_told_and_keeps_what_was_typed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = desk.item()
    ada = holding(desk, item)

    def ended(*_: object, **__: object) -> None:
        raise OperationalError("", {}, DeadlockDetected())

    with monkeypatch.context() as change:
        change.setattr(outcomes, "finish", ended)
        answer = ada.post(f"/staff/items/{item}/outcome", {**SPOKEN, "note": "my words"})
    assert answer.status_code == 409
    assert "Somebody changed this at the same moment" in answer.text
    assert "my words" in answer.text
    again = ada.post(f"/staff/items/{item}/outcome", {**SPOKEN, "note": "my words"})
    assert again.location == "/staff/queue"


def test_what_was_typed_is_kept_when_the_item_went_to_somebody_else_meanwhile(desk: Desk) -> None:
    item = desk.item()
    ada = desk.signed_in("Ada")
    ada.post(f"/staff/items/{item}/claim")
    desk.clock.advance(timedelta(minutes=14))
    ada.get(f"/staff/items/{item}")
    desk.clock.advance(timedelta(minutes=2))
    desk.signed_in("Ben").post(f"/staff/items/{item}/claim")
    answer = ada.post(f"/staff/items/{item}/outcome", {"outcome": "no_answer", "note": "rang twice"})
    assert answer.status_code == 409
    assert "Ben has this item." in answer.text
    assert "rang twice" in answer.text


def test_a_call_longer_than_the_claim_can_still_be_recorded(desk: Desk) -> None:
    item = desk.item()
    ada = desk.signed_in("Ada")
    ada.post(f"/staff/items/{item}/claim")
    ada.get(f"/staff/items/{item}")
    desk.clock.advance(timedelta(minutes=14))
    ada.get("/staff/messages")
    desk.clock.advance(timedelta(minutes=5))
    assert give_back(desk) == 1
    assert ada.post(f"/staff/items/{item}/outcome", SPOKEN).status_code == 302
    with desk.parts.db.begin() as session:
        assert session.get_one(CallbackItem, item).outcome == "reached_resolved"


def test_words_typed_before_a_sign_out_can_be_sent_after_signing_in_again(desk: Desk) -> None:
    item = desk.item()
    user = desk.account("Ada")
    ada = desk.signed_in(user)
    ada.post(f"/staff/items/{item}/claim")
    ada.get(f"/staff/items/{item}")
    desk.clock.advance(timedelta(hours=10))
    form = {**SPOKEN, "note": "\nfelt well\n<b>again</b>"}
    out = ada.post(f"/staff/items/{item}/outcome", form)
    assert out.status_code == 401
    assert "What you typed is not lost" in out.text
    kept = dict(re.findall(r'<textarea name="(\w+)" hidden>\n(.*?)</textarea>', out.text, re.DOTALL))
    kept = {name: unescape(text) for name, text in kept.items()}
    assert kept == {**form, "typed_by": str(user.id)}
    other = desk.signed_in("Ben").client.post(f"/staff/items/{item}/outcome", data=kept)
    assert other.status_code == 409
    assert "Somebody else typed this" in other.text
    assert "felt well" not in re.sub(r"(?s)<textarea[^>]* hidden>.*?</textarea>", "", other.text)
    assert stored(desk, item).status != "done"
    ada = desk.signed_in(user)
    stale = ada.client.post(f"/staff/items/{item}/outcome", data=kept)
    assert stale.status_code == 422
    assert "belongs to an earlier sign-in" in stale.text
    assert "felt well" in stale.text
    ada.get(f"/staff/items/{item}")
    give_back(desk)
    assert ada.post(f"/staff/items/{item}/outcome", form).status_code == 302


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"outcome": "", "note": "my words"}, "Choose an outcome from the list."),
        ({"outcome": "cured", "note": "my words"}, "Choose an outcome from the list."),
        ({"note": "my words"}, "Choose an outcome from the list."),
        ({"outcome": "no_answer", "note": "my words" * 1000}, f"8000 characters, {NOTE_LONGEST} fit"),
        ({"outcome": "no_answer", "note": "my words\0"}, "a character that is not text"),
    ],
)
def test_a_wrong_outcome_form_changes_nothing_and_keeps_what_was_typed(
    desk: Desk, form: dict[str, str], words: str
) -> None:
    item = desk.item()
    ada = desk.signed_in("Ada")
    ada.post(f"/staff/items/{item}/claim")
    answer = ada.post(f"/staff/items/{item}/outcome", form)
    assert answer.status_code == 422
    assert words in answer.text
    assert "my words" in answer.text
    with desk.parts.db.begin() as session:
        assert session.get_one(CallbackItem, item).status == "claimed"


def test_a_note_may_hold_any_writing(desk: Desk) -> None:
    item, note = desk.item(), "\u202eمرحبا 😀 " + "x" * 1900
    ada = desk.signed_in("Ada")
    ada.post(f"/staff/items/{item}/claim")
    assert ada.post(f"/staff/items/{item}/outcome", {"outcome": "no_answer", "note": note}).status_code == 302
    assert note.strip() in ada.get(f"/staff/items/{item}").text
