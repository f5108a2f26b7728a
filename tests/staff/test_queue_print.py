"""The open queue on paper."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from nurseline.staff.models import StaffAudit
from tests.staff.conftest import Desk


def test_the_list_on_paper_is_masked_until_a_nurse_asks_for_numbers_and_that_is_written_down(
    desk: Desk,
) -> None:
    first, second = desk.item("nurse", "may I swim"), desk.item("schedule", "on Friday")
    desk.item("admin", "", number=None)
    ada = desk.signed_in("Ada")
    masked = ada.get("/staff/queue/print").text
    assert "may I swim" in masked
    assert "202-555-0123" not in masked
    shown = ada.post("/staff/queue/print").text
    assert shown.count("202-555-0123") == 2
    with desk.parts.db.begin() as session:
        printed = session.scalars(sa.select(StaffAudit).where(StaffAudit.what == "printed_number")).all()
    assert {row.contact_id for row in printed} == {desk.contact().id}
    assert {row.item_id for row in printed} <= {first, second}


def test_a_scheduler_gets_no_list_of_numbers(desk: Desk) -> None:
    desk.item("nurse", "may I swim")
    sue = desk.signed_in("Sue", "scheduler")
    page = sue.get("/staff/queue/print").text
    assert "Show the numbers" not in page
    answer = sue.post("/staff/queue/print")
    assert answer.status_code == 403
    assert "202-555-0123" not in answer.text


def test_an_empty_queue_prints_as_empty(desk: Desk) -> None:
    assert "Nothing is waiting." in desk.signed_in().get("/staff/queue/print").text


def test_a_long_queue_says_how_much_of_it_is_on_paper(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nurseline.staff.views.queue.PRINTED", 2)
    for i in range(3):
        desk.item("nurse", number=f"+1202555{1000 + i}")
    page = desk.signed_in().get("/staff/queue/print").text
    assert "3 open items; the first 2 are listed." in page
