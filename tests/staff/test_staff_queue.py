"""The queue and its items."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackItem
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
    assert re.search(r"No\. \d{4}", page)


def test_what_is_late_says_so_in_words(desk: Desk) -> None:
    desk.item("nurse", number="+12025550101", promised=timedelta(minutes=-12))
    desk.item("nurse", number="+12025550102", promised=timedelta(minutes=9))
    page = desk.signed_in().get("/staff/queue").text
    assert "Overdue by 12 min" in page
    assert "1 overdue" in page
    assert "In 9 min" in page


def test_an_empty_queue_says_so(desk: Desk) -> None:
    assert "Nothing is waiting." in desk.signed_in().get("/staff/queue").text


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


def test_giving_back_puts_it_into_the_queue_again(desk: Desk) -> None:
    item = desk.item()
    ada = desk.signed_in("Ada")
    ada.post(f"/staff/items/{item}/claim")
    answer = ada.post(f"/staff/items/{item}/release", follow_redirects=True)
    assert "back in the queue" in answer.text
    assert rows_of(answer.text) == [item]
    assert "Claim it first" in ada.post(f"/staff/items/{item}/release", follow_redirects=True).text


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


def test_more_items_than_fit_are_counted_and_stand_on_further_pages(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nurseline.staff.queries.queue.queue_page.__kwdefaults__", {"limit": 3})
    ada = desk.signed_in("Ada")
    items = [
        desk.item("nurse", number=f"+1202555{1000 + i}", promised=timedelta(hours=1, minutes=i))
        for i in range(7)
    ]
    page = ada.get("/staff/queue").text
    assert "7 open items" in page
    assert "Shown are 1 to 3 of 7." in page
    assert [row for n in (1, 2, 3) for row in rows_of(ada.get(f"/staff/queue?page={n}").text)] == items
    assert rows_of(ada.get("/staff/queue?page=99").text) == items[6:]


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "9" * 400, "1e3", "\u0663", "%00"])
def test_an_address_that_says_nothing_sensible_shows_the_first_page(desk: Desk, page: str) -> None:
    item = desk.item()
    ada = desk.signed_in("Ada")
    answer = ada.get(f"/staff/queue?page={page}&view={page}&reason={page}")
    assert answer.status_code == 200
    assert rows_of(answer.text) == [item]


def test_the_parts_of_the_queue_hold_what_they_are_called(desk: Desk) -> None:
    ada, ben = desk.signed_in("Ada"), desk.signed_in("Ben")
    free, mine, his, later = (desk.item("nurse", number=f"+120255501{i}1") for i in range(4))
    office = desk.item("admin", number="+12025550151")
    ada.post(f"/staff/items/{mine}/claim")
    ben.post(f"/staff/items/{his}/claim")
    ada.post(f"/staff/items/{later}/claim")
    ada.post(f"/staff/items/{later}/put-off", {"until": "hour"})

    def shown(query: str) -> set[uuid.UUID]:
        return set(rows_of(ada.get(f"/staff/queue?{query}").text))

    assert shown("view=all") == {free, mine, his, later, office}
    assert shown("view=free") == {free, office}
    assert shown("view=mine") == {mine}
    assert shown("view=later") == {later}
    assert shown("reason=admin") == {office}
    assert shown("view=mine&reason=admin") == set()
    assert "Nothing fits this choice." in ada.get("/staff/queue?view=mine&reason=admin").text
    page = ada.get("/staff/queue").text
    assert rows_of(page)[-1] == later  # what rests stands last
    assert "Put off: Today, 11:00 AM" in page


def test_next_claims_what_stands_on_top_and_opens_it(desk: Desk) -> None:
    desk.item("schedule", number="+12025550101")
    emergency = desk.item("emergency", "chest pain", number="+12025550102", promised=timedelta(minutes=5))
    ada, ben = desk.signed_in("Ada"), desk.signed_in("Ben")
    assert ada.post("/staff/queue/next").location == f"/staff/items/{emergency}"
    assert "How did it end?" in ada.get(f"/staff/items/{emergency}").text
    assert ben.post("/staff/queue/next").location != f"/staff/items/{emergency}"
    empty = ben.post("/staff/queue/next", follow_redirects=True)
    assert "There is nothing to take now." in empty.text


def test_next_gives_a_scheduler_no_clinical_item(desk: Desk) -> None:
    desk.item("nurse", number="+12025550101", promised=timedelta(minutes=-10))
    scheduler = desk.signed_in("Sue", "scheduler")
    answer = scheduler.post("/staff/queue/next", follow_redirects=True)
    assert "nothing about scheduling or the office" in answer.text
    office = desk.item("schedule", number="+12025550102")
    assert scheduler.post("/staff/queue/next").location == f"/staff/items/{office}"


def test_the_mark_answers_nothing_new_until_something_changes_and_counts_emergencies(desk: Desk) -> None:
    ada = desk.signed_in("Ada")
    desk.item("nurse", number="+12025550101")
    first = ada.get("/staff/queue/mark")
    assert first.json["alarms"] == 0
    known = {"If-None-Match": first.headers["ETag"]}
    assert ada.get("/staff/queue/mark", headers=known).status_code == 304
    emergency = desk.item("emergency", "chest pain", number="+12025550102")
    news = ada.get("/staff/queue/mark", headers=known)
    assert (news.status_code, news.json["alarms"]) == (200, 1)
    assert ada.get("/staff/queue/rows").headers["ETag"].strip('"').startswith(news.json["mark"])
    ada.post(f"/staff/items/{emergency}/claim")
    known = {"If-None-Match": news.headers["ETag"]}
    assert ada.get("/staff/queue/mark", headers=known).json["alarms"] == 0
    ada.post(f"/staff/items/{emergency}/release")
    assert ada.get("/staff/queue/mark").json["alarms"] == 1


def test_watching_the_queue_is_no_activity(desk: Desk) -> None:
    ada = desk.signed_in("Ada")
    for _ in range(3):
        desk.clock.advance(timedelta(minutes=6))
        heard = ada.get("/staff/queue/mark").status_code
        code = ada.get("/staff/queue/rows").status_code
    assert code == 401
    assert heard == 200  # an emergency is heard from a locked desk, too


def test_the_mark_takes_few_statements(desk: Desk) -> None:
    ada = desk.signed_in("Ada")
    etag = ada.get("/staff/queue/mark").headers["ETag"]
    with statements(desk) as seen:
        assert ada.get("/staff/queue/mark", headers={"If-None-Match": etag}).status_code == 304
    assert len(seen) <= 4


def test_a_row_tells_tries_level_and_name(desk: Desk) -> None:
    item = desk.item("nurse")
    with desk.parts.db.begin() as session:
        row = session.get_one(CallbackItem, item)
        row.attempts, row.escalation = 2, 1
        assert row.contact is not None
        row.contact.name = "A <b>name</b>"
    page = desk.signed_in("Ada").get("/staff/queue").text
    assert "Tried twice" in page
    assert "Escalated, level 1" in page
    assert "A &lt;b&gt;name&lt;/b&gt;" in page
