"""What else is done with an item: kept, handed over, put off, joined, mended, cancelled, opened again."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackWords
from nurseline.callbacks.service import LEASE
from tests.staff.conftest import Desk
from tests.staff.test_queue_items import SPOKEN, holding, stored

NASTY = ["\0", "a\0b", "x" * 5000, "\u202eمرحبا", "😀" * 300]


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
