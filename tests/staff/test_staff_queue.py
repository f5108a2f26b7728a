"""The queue and its items."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackEvent, CallbackItem
from nurseline.callbacks.service import NOTE_LONGEST, OUTCOMES, give_back_expired
from nurseline.staff.models import StaffAudit
from tests.staff.conftest import Desk

ROW = re.compile(r'id="row-([0-9a-f-]{36})"')


def rows_of(page: str) -> list[uuid.UUID]:
    """Ids of the rows, from top to bottom."""
    return [uuid.UUID(found) for found in ROW.findall(page)]


@contextmanager
def statements(desk: Desk) -> Iterator[list[str]]:
    """SQL statements that run meanwhile."""
    seen: list[str] = []

    def note(_c: object, _cur: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    sa.event.listen(desk.parts.db.engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(desk.parts.db.engine, "before_cursor_execute", note)


def test_urgent_ones_stand_on_top_then_the_oldest_promise(desk: Desk) -> None:
    late = desk.item("schedule", number="+12025550101", promised=timedelta(hours=9))
    nurse = desk.item("nurse", number="+12025550102", promised=timedelta(hours=4))
    overdue = desk.item("admin", number="+12025550103", promised=timedelta(minutes=-5))
    urgent = desk.item("urgent", number="+12025550104", promised=timedelta(hours=20))
    emergency = desk.item("emergency", number="+12025550105", promised=timedelta(hours=30))
    page = desk.signed_in().get("/staff/queue").text
    assert rows_of(page) == [emergency, urgent, overdue, nurse, late]
    assert "5 open items" in page


def test_a_row_tells_what_it_is_in_plain_words_with_promise_words_and_masked_number(desk: Desk) -> None:
    desk.item("clinical", "first words")
    desk.clock.advance(timedelta(minutes=70))
    desk.item("clinical", "may I <b>shower</b> today?", best_time="after lunch")
    page = desk.signed_in().get("/staff/queue").text
    assert "Question for a nurse" in page
    assert "may I &lt;b&gt;shower&lt;/b&gt; today?" in page
    assert "first words" not in page
    assert "and 1 earlier" in page
    assert "Text, waited 1 h 10 min" in page
    assert "Today, 2:00 PM" in page
    assert "after lunch" in page
    assert "•••-0123" in page
    assert "5550123" not in page.replace("-", "")
    assert "Nobody yet" in page


def test_what_is_late_says_so_in_words(desk: Desk) -> None:
    desk.item("nurse", number="+12025550101", promised=timedelta(minutes=-12))
    desk.item("nurse", number="+12025550102", promised=timedelta(minutes=9))
    page = desk.signed_in().get("/staff/queue").text
    assert "Overdue by 12 min" in page
    assert "1 overdue" in page
    assert "In 9 min" in page


def test_an_empty_queue_says_so(desk: Desk) -> None:
    assert "Nothing is waiting." in desk.signed_in().get("/staff/queue").text


def test_claim_outcome_and_note_close_an_item(desk: Desk) -> None:
    item = desk.item("schedule", "Friday please")
    ada = desk.signed_in("Ada")
    assert ada.post(f"/staff/items/{item}/claim").location == f"/staff/items/{item}"
    page = ada.get(f"/staff/items/{item}").text
    assert "202-555-0123" in page
    for label in OUTCOMES.values():
        assert label.replace("'", "&#39;") in page
    answer = ada.post(
        f"/staff/items/{item}/outcome",
        {"outcome": "reached_scheduled", "note": "Friday\r\nat nine"},
        follow_redirects=True,
    )
    assert "Recorded: Reached: scheduled." in answer.text
    assert rows_of(answer.text) == []
    with desk.parts.db.begin() as session:
        assert session.get_one(CallbackItem, item).outcome == "reached_scheduled"
        events = session.scalars(sa.select(CallbackEvent).where(CallbackEvent.subject_id == item)).all()
        assert [event.note for event in events if event.status == "done"] == ["Friday\nat nine"]
    closed = ada.get(f"/staff/items/{item}").text
    assert "Friday\nat nine" in closed
    assert "Record outcome" not in closed


def test_who_comes_second_is_told_who_has_it(desk: Desk) -> None:
    item = desk.item()
    ada, ben = desk.signed_in("Ada"), desk.signed_in("Ben")
    ben.get("/staff/queue")
    ada.post(f"/staff/items/{item}/claim")
    answer = ben.post(f"/staff/items/{item}/claim", follow_redirects=True)
    assert "Ada has this item." in answer.text
    page = ben.get(f"/staff/items/{item}").text
    assert "Record outcome" not in page
    assert "202-555-0123" not in page


def test_a_claim_that_ran_out_is_free_again_with_its_promise(desk: Desk) -> None:
    item = desk.item("nurse", promised=timedelta(hours=2))
    ada = desk.signed_in("Ada")
    ada.post(f"/staff/items/{item}/claim")
    desk.clock.advance(timedelta(minutes=16))
    ben = desk.signed_in("Ben")
    page = ben.get("/staff/queue").text
    assert "Nobody yet" in page
    assert "Today, 12:00 PM" in page
    assert ben.post(f"/staff/items/{item}/claim").location == f"/staff/items/{item}"
    assert "202-555-0123" in ben.get(f"/staff/items/{item}").text


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
    with desk.parts.db.begin() as session:
        assert give_back_expired(session, now=desk.clock.now()) == 1
    assert ada.post(f"/staff/items/{item}/outcome", {"outcome": "reached_resolved"}).status_code == 302
    with desk.parts.db.begin() as session:
        assert session.get_one(CallbackItem, item).outcome == "reached_resolved"


def test_words_typed_before_an_idle_sign_out_can_be_sent_after_signing_in_again(desk: Desk) -> None:
    item, user = desk.item(), desk.account("Ada")
    ada = desk.browser()
    ada.sign_in(user.email)
    ada.post(f"/staff/items/{item}/claim")
    ada.get(f"/staff/items/{item}")
    desk.clock.advance(timedelta(minutes=20))
    form = {"outcome": "reached_resolved", "note": "\nfelt well\n<b>again</b>"}
    locked = ada.post(f"/staff/items/{item}/outcome", form)
    assert locked.status_code == 401
    assert "What you typed is not lost" in locked.text
    kept = dict(re.findall(r'<textarea name="(\w+)" hidden>\n(.*?)</textarea>', locked.text, re.DOTALL))
    assert {name: unescape(text) for name, text in kept.items()} == form
    ada.sign_in(user.email)
    again = ada.client.post(f"/staff/items/{item}/outcome", data=form)
    assert again.status_code == 422
    assert "belongs to an earlier sign-in" in again.text
    assert "felt well" in again.text
    ada.get(f"/staff/items/{item}")
    assert ada.post(f"/staff/items/{item}/outcome", form).status_code == 302


def test_giving_back_puts_it_into_the_queue_again(desk: Desk) -> None:
    item = desk.item()
    ada = desk.signed_in("Ada")
    ada.post(f"/staff/items/{item}/claim")
    answer = ada.post(f"/staff/items/{item}/release", follow_redirects=True)
    assert "back in the queue" in answer.text
    assert rows_of(answer.text) == [item]
    assert "Claim it first" in ada.post(f"/staff/items/{item}/release", follow_redirects=True).text


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


def test_a_number_is_shown_on_request_for_a_while_and_the_request_is_written_down(desk: Desk) -> None:
    item = desk.item()
    ada, ben = desk.signed_in("Ada"), desk.signed_in("Ben")
    assert "202-555-0123" not in ada.get(f"/staff/items/{item}").text
    assert "202-555-0123" in ada.post(f"/staff/items/{item}/number", follow_redirects=True).text
    assert "202-555-0123" not in ben.get(f"/staff/items/{item}").text
    with desk.parts.db.begin() as session:
        revealed = session.scalars(sa.select(StaffAudit).where(StaffAudit.what == "revealed_number")).all()
    assert [(row.item_id, row.at) for row in revealed] == [(item, desk.clock.now())]
    for _ in range(2):
        desk.clock.advance(timedelta(minutes=8))
        page = ada.get(f"/staff/items/{item}").text
    assert "202-555-0123" not in page


def test_a_request_of_a_caller_without_a_number_can_be_worked(desk: Desk) -> None:
    item = desk.item("admin", "", number=None, source="call")
    ada = desk.signed_in("Ada")
    assert "no number" in ada.get("/staff/queue").text
    ada.post(f"/staff/items/{item}/claim")
    page = ada.get(f"/staff/items/{item}").text
    assert "came without a number" in page
    assert ada.post(f"/staff/items/{item}/number").status_code == 404
    assert ada.post(f"/staff/items/{item}/outcome", {"outcome": "spam_or_test"}).status_code == 302


def test_other_open_requests_of_the_same_number_are_named(desk: Desk) -> None:
    item, other = desk.item("nurse"), desk.item("schedule")
    page = desk.signed_in().get(f"/staff/items/{item}").text
    assert f"/staff/items/{other}" in page


def test_the_refresh_answers_nothing_new_until_something_changes(desk: Desk) -> None:
    ada = desk.signed_in("Ada")
    desk.item("nurse", number="+12025550101")
    etag = ada.get("/staff/queue/rows").headers["ETag"]
    again = ada.get("/staff/queue/rows", headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")
    new = desk.item("emergency", "chest pain", number="+12025550102")
    changed = ada.get("/staff/queue/rows", headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert rows_of(changed.text)[0] == new
    assert "<html" not in changed.text


def test_the_queue_takes_as_few_statements_for_many_items_as_for_few(desk: Desk) -> None:
    ada = desk.signed_in("Ada")
    counts = []
    for batch in range(2):
        for i in range(20):
            desk.item("nurse", number=f"+1202555{1000 + batch * 20 + i}")
        with statements(desk) as seen:
            assert ada.get("/staff/queue").status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 12


def test_more_items_than_fit_are_counted_and_the_first_are_shown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nurseline.staff.queries.items.queue_page.__kwdefaults__", {"limit": 3})
    ada = desk.signed_in("Ada")
    for i in range(5):
        desk.item("nurse", number=f"+1202555{1000 + i}")
    page = ada.get("/staff/queue").text
    assert "5 open items" in page
    assert "The first 3 are shown." in page
    assert len(rows_of(page)) == 3
