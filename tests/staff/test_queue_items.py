"""What is done with an item on its page: outcomes, and all that stands in its menu."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackItem, CallbackOutcome, CallbackWords
from nurseline.callbacks.outcomes import IDENTITY, OUTCOMES
from nurseline.callbacks.service import LEASE, NOTE_LONGEST, give_back_expired
from tests.staff.conftest import Browser, Desk

SPOKEN = {"outcome": "reached_resolved", "identity": "two_identifiers"}
NASTY = ["\0", "a\0b", "x" * 5000, "\u202eمرحبا", "😀" * 300]


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
        "appointment_on": "2026-03-06",
        "appointment_time": "09:30",
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
        ({"outcome": "reached_scheduled"}, "Give the date."),
        ({"outcome": "reached_scheduled", "appointment_on": "2026-03-06"}, "Give the time of day."),
        (
            {"outcome": "reached_scheduled", "appointment_on": "2026-03-08", "appointment_time": "02:30"},
            "Clocks skipped this time that night.",
        ),
        (
            {"outcome": "reached_scheduled", "appointment_on": "2026-03-02", "appointment_time": "09:30"},
            "The appointment lies in the past.",
        ),
        (
            {
                "outcome": "reached_scheduled",
                "appointment_on": "2026-03-06",
                "appointment_time": "09:30",
                "appointment_place": "x" * 121,
            },
            "This is too long: 121 characters, 120 fit.",
        ),
        ({"outcome": "reached_scheduled", "appointment_time": "\u0661:00"}, "This is not a time of day."),
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
    ada = holding(desk, item)
    desk.clock.advance(timedelta(hours=10))
    form = {**SPOKEN, "note": "\nfelt well\n<b>again</b>"}
    out = ada.post(f"/staff/items/{item}/outcome", form)
    assert out.status_code == 401
    assert "What you typed is not lost" in out.text
    kept = dict(re.findall(r'<textarea name="(\w+)" hidden>\n(.*?)</textarea>', out.text, re.DOTALL))
    assert {name: unescape(text) for name, text in kept.items()} == form
    ada = desk.signed_in("Ada")
    stale = ada.client.post(f"/staff/items/{item}/outcome", data=form)
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


def test_who_types_keeps_the_item_and_who_only_looks_does_not(desk: Desk) -> None:
    item = desk.item()
    ada = holding(desk, item)
    until = stored(desk, item).lease_until
    desk.clock.advance(timedelta(minutes=10))
    ada.get(f"/staff/items/{item}")
    assert stored(desk, item).lease_until == until
    answer = ada.post(f"/staff/items/{item}/extend")
    assert answer.json == {"until": "10:25 AM"}
    assert stored(desk, item).lease_until == desk.clock.now() + LEASE


def test_who_types_on_after_somebody_else_took_the_item_is_told_who(desk: Desk) -> None:
    item = desk.item()
    ada = holding(desk, item)
    desk.clock.advance(timedelta(minutes=14))
    ada.get(f"/staff/items/{item}")
    desk.clock.advance(timedelta(minutes=2))
    holding(desk, item, "Ben")
    answer = ada.post(f"/staff/items/{item}/extend")
    assert answer.status_code == 409
    assert "Ben has this item" in answer.json["problem"]


def test_an_item_is_handed_to_a_colleague_with_a_note(desk: Desk) -> None:
    item, ben = desk.item(), desk.account("Ben")
    desk.signed_in("Cleo")
    ada = holding(desk, item)
    page = ada.get(f"/staff/items/{item}").text
    assert page.index("Cleo (signed in)") < page.index(">Ben<")
    answer = ada.post(
        f"/staff/items/{item}/hand-over",
        {"to": str(ben.id), "handover_note": "speaks Spanish"},
        follow_redirects=True,
    )
    assert "Ben has the item now." in answer.text
    assert stored(desk, item).claimed_by == str(ben.id)
    page = ada.get(f"/staff/items/{item}").text
    assert "Handed over to Ben" in page
    assert "speaks Spanish" in page


def test_an_item_cannot_be_handed_to_nobody_oneself_or_a_disabled_account(desk: Desk) -> None:
    item, gone = desk.item(), desk.account("Gone")
    with desk.parts.db.begin() as session:
        session.execute(sa.text("UPDATE staff_users SET active = false WHERE name = 'Gone'"))
    ada = holding(desk, item)
    own = stored(desk, item).claimed_by
    for to in ("", "x", str(gone.id), own, str(uuid.uuid4())):
        answer = ada.post(f"/staff/items/{item}/hand-over", {"to": to, "handover_note": "kept"})
        assert answer.status_code == 422
        assert "Choose a colleague from the list." in answer.text
        assert 'value="kept"' in answer.text
    assert stored(desk, item).claimed_by == own


@pytest.mark.parametrize(
    ("form", "until"),
    [
        ({"until": "hour"}, datetime(2026, 3, 3, 16, 0, tzinfo=UTC)),
        ({"until": "hours"}, datetime(2026, 3, 3, 17, 0, tzinfo=UTC)),
        (
            {"until": "time", "until_on": "2026-03-05", "until_time": "14:15"},
            datetime(2026, 3, 5, 19, 15, tzinfo=UTC),
        ),
    ],
)
def test_an_item_is_put_off_and_keeps_its_promise(desk: Desk, form: dict[str, str], until: datetime) -> None:
    item = desk.item("nurse")
    promised = stored(desk, item).promised_at
    answer = holding(desk, item).post(
        f"/staff/items/{item}/put-off", {**form, "put_off_note": "works till noon"}, follow_redirects=True
    )
    assert "The promise stays as it was." in answer.text
    row = stored(desk, item)
    assert (row.status, row.due_again_at, row.promised_at) == ("snoozed", until, promised)
    assert "works till noon" in desk.signed_in("Ben").get(f"/staff/items/{item}").text


def test_put_off_until_the_next_opening_is_a_morning_after_today(desk: Desk) -> None:
    item = desk.item("nurse")
    holding(desk, item).post(f"/staff/items/{item}/put-off", {"until": "opening"})
    due = stored(desk, item).due_again_at
    assert due is not None
    first = next(a for a, _ in desk.parts.hours.intervals(datetime(2026, 3, 4, 5, 0, tzinfo=UTC)))
    assert due == first


@pytest.mark.parametrize(
    ("form", "code", "words"),
    [
        ({"until": "time"}, 422, "Give the date."),
        ({"until": "time", "until_on": "2026-03-05"}, 422, "Give the time of day."),
        ({"until": "time", "until_on": "x", "until_time": "10:00"}, 422, "This is not a date."),
        ({"until": "time", "until_on": "2026-03-01", "until_time": "10:00"}, 409, "still to come"),
        ({"until": "time", "until_on": "2026-12-01", "until_time": "10:00"}, 409, "60 days at most"),
        ({"until": "never"}, 422, "Choose from the list until when."),
        ({}, 422, "Choose from the list until when."),
    ],
)
def test_a_wrong_time_puts_nothing_off(desk: Desk, form: dict[str, str], code: int, words: str) -> None:
    item = desk.item("nurse")
    answer = holding(desk, item).post(f"/staff/items/{item}/put-off", {**form, "put_off_note": "kept"})
    assert (answer.status_code, words in answer.text, 'value="kept"' in answer.text) == (code, True, True)
    assert stored(desk, item).status == "claimed"


def test_an_emergency_offers_no_putting_off(desk: Desk) -> None:
    item = desk.item("emergency", "chest pain")
    ada = holding(desk, item)
    assert "Put off" not in ada.get(f"/staff/items/{item}").text
    answer = ada.post(f"/staff/items/{item}/put-off", {"until": "hour"})
    assert answer.status_code == 409
    assert "An emergency cannot be put off." in answer.text


def test_two_items_of_a_number_become_one_with_the_words_of_both(desk: Desk) -> None:
    item, other = desk.item("schedule", "come on Friday"), desk.item("nurse", "may I swim")
    stranger = desk.item("nurse", number="+12025550199")
    ada = holding(desk, item)
    refused = ada.post(f"/staff/items/{item}/merge", {"into": str(stranger)})
    assert (refused.status_code, "Choose an item from the list." in refused.text) == (422, True)
    answer = ada.post(f"/staff/items/{item}/merge", {"into": str(other)}, follow_redirects=True)
    assert "come on Friday" in answer.text
    assert "may I swim" in answer.text
    assert stored(desk, item).merged_into == other
    with desk.parts.db.begin() as session:
        assert len(session.scalars(sa.select(CallbackWords).where(CallbackWords.item_id == other)).all()) == 2
    assert f"/staff/items/{other}" in ada.get(f"/staff/items/{item}").text


def test_the_reason_is_mended_and_the_history_says_from_what(desk: Desk) -> None:
    item = desk.item("admin")
    ada = holding(desk, item)
    assert ada.post(f"/staff/items/{item}/reason", {"reason": "x"}).status_code == 422
    answer = ada.post(f"/staff/items/{item}/reason", {"reason": "urgent"}, follow_redirects=True)
    assert "The reason is changed." in answer.text
    assert "Reason changed: from “Office question” to “Worrying symptom”" in answer.text
    assert (stored(desk, item).reason, stored(desk, item).priority) == ("urgent", 1)


def test_an_item_is_cancelled_with_a_reason_and_opened_again_with_one(desk: Desk) -> None:
    item = desk.item("admin")
    ada = desk.signed_in("Ada")
    ada.get(f"/staff/items/{item}")
    empty = ada.post(f"/staff/items/{item}/cancel", {"cancel_why": "  "})
    assert (empty.status_code, "Write why the item is cancelled." in empty.text) == (422, True)
    ada.post(f"/staff/items/{item}/cancel", {"cancel_why": "asked twice"})
    assert stored(desk, item).status == "cancelled"
    page = ada.get(f"/staff/items/{item}").text
    assert "asked twice" in page
    empty = ada.post(f"/staff/items/{item}/reopen", {"reopen_why": ""})
    assert (empty.status_code, "Write why the item is opened again." in empty.text) == (422, True)
    ada.post(f"/staff/items/{item}/reopen", {"reopen_why": "it was another one"})
    assert stored(desk, item).status == "new"
    page = ada.get(f"/staff/items/{item}").text
    assert "Opened again" in page
    assert "it was another one" in page


@pytest.mark.parametrize(
    ("path", "field", "others"),
    [
        ("hand-over", "handover_note", {}),
        ("put-off", "put_off_note", {"until": "hour"}),
        ("cancel", "cancel_why", {}),
    ],
)
def test_no_writing_breaks_a_form(desk: Desk, path: str, field: str, others: dict[str, str]) -> None:
    ben = desk.account("Ben")
    for n, text in enumerate(NASTY):
        item = desk.item(number=f"+1202555{2000 + n}")
        ada = holding(desk, item)
        answer = ada.post(f"/staff/items/{item}/{path}", {"to": str(ben.id), **others, field: text})
        good = "\0" not in text and len(text) <= 400
        assert answer.status_code == (302 if good else 422)
        if not good:
            assert stored(desk, item).status == "claimed"


@pytest.mark.parametrize("path", ["hand-over", "put-off", "merge", "reason"])
def test_only_who_has_an_item_changes_it(desk: Desk, path: str) -> None:
    item, other = desk.item("schedule"), desk.item("nurse")
    holding(desk, item, "Ben")
    ada, cleo = desk.signed_in("Ada"), desk.account("Cleo")
    ada.get(f"/staff/items/{item}")
    forms = {
        "hand-over": {"to": str(cleo.id)},
        "put-off": {"until": "hour"},
        "merge": {"into": str(other)},
        "reason": {"reason": "admin"},
    }
    answer = ada.post(f"/staff/items/{item}/{path}", forms[path])
    assert answer.status_code == 409
    assert "Ben has this item" in answer.text
    row = stored(desk, item)
    assert (row.claimed_name, row.reason, row.status) == ("Ben", "schedule", "claimed")


@pytest.mark.parametrize("path", ["outcome", "hand-over", "put-off", "merge", "reason", "cancel", "reopen"])
def test_an_item_that_there_is_not_is_not_found(shared_desk: Desk, path: str) -> None:
    ada = shared_desk.signed_in()
    assert ada.post(f"/staff/items/{uuid.uuid4()}/{path}", SPOKEN).status_code == 404
