"""What a form of an outcome does that comes twice, and what the page says of a follow-up."""

from __future__ import annotations

import re

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
