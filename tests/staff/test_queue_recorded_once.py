"""What a form of an outcome does that comes twice, and what the page that follows says."""

from __future__ import annotations

import re

import pytest

from tests.staff.conftest import Desk
from tests.staff.test_queue_items import SPOKEN, holding, stored


def test_the_last_try_of_an_urgent_item_pressed_twice_counts_once(desk: Desk) -> None:
    item = desk.item("urgent", "it is red")
    for number in range(3):
        ada = holding(desk, item)
        shown = re.search(r'name="tries"[^>]*value="(\d+)"', ada.get(f"/staff/items/{item}").text)
        assert shown is not None
        assert shown[1] == str(number)
        form = {"outcome": "no_answer", "tries": shown[1], "note": "my words"}
        assert ada.post(f"/staff/items/{item}/outcome", form).status_code == 302
    again = ada.post(f"/staff/items/{item}/outcome", form)
    assert again.status_code == 409
    assert "A try was recorded since you opened this page" in again.text
    assert "my words" in again.text
    stands = stored(desk, item)
    assert (stands.attempts, stands.status) == (3, "new")
    assert ada.post(f"/staff/items/{item}/outcome", {**form, "tries": "x"}).status_code == 409
    assert stored(desk, item).status == "new"


def test_the_page_says_with_which_item_a_follow_up_is_kept(desk: Desk) -> None:
    standing = desk.item("clinical")
    item = desk.item("urgent")
    ada = holding(desk, item)
    form = {**SPOKEN, "follow_up_on": "2026-03-12"}
    answer = ada.post(f"/staff/items/{item}/outcome", form, follow_redirects=True)
    number = stored(desk, standing).reference
    assert f"Item {number} of this number is open for that already" in answer.text
    assert "To be followed up on 2026-03-12" in ada.get(f"/staff/items/{standing}").text


@pytest.mark.parametrize("outcome", ["wrong_number", "deceased"])
@pytest.mark.parametrize("then", ["", "next"])
def test_whoever_records_that_a_number_reaches_no_patient_is_led_to_its_other_open_items(
    desk: Desk, outcome: str, then: str
) -> None:
    resting = desk.item("schedule", "an appointment")
    closed = desk.item("admin", "an invoice")
    elsewhere = desk.item("nurse", number="+12025550177")
    holding(desk, resting).post(f"/staff/items/{resting}/outcome", {"outcome": "no_answer"})
    holding(desk, closed).post(f"/staff/items/{closed}/outcome", SPOKEN)
    item = desk.item("clinical")
    form = {"outcome": outcome, "then": then}
    page = holding(desk, item).post(f"/staff/items/{item}/outcome", form, follow_redirects=True).text
    number = stored(desk, resting).reference
    assert f'<a href="/staff/items/{resting}">No. {number}: Wants to be scheduled</a>' in page
    told = page[page.index("Still open for this number") : page.index("Look whether anybody")]
    assert str(closed) not in told
    assert str(elsewhere) not in told


def test_whoever_records_that_it_went_well_is_told_of_nothing_else(desk: Desk) -> None:
    desk.item("schedule")
    item = desk.item("clinical")
    page = holding(desk, item).post(f"/staff/items/{item}/outcome", SPOKEN, follow_redirects=True).text
    assert "Still open for this number" not in page
