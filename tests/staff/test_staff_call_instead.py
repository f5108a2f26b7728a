"""A call that is decided instead of a message, where an item of the number was put off."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.staff.conftest import Desk
from tests.staff.test_queue_items import holding, stored
from tests.staff.test_staff_messages import decide, reminder


@pytest.mark.parametrize("status", ["undelivered", "unknown"])
def test_a_call_instead_of_a_message_wakes_the_item_that_was_put_off(desk: Desk, status: str) -> None:
    item = desk.item("clinical", promised=timedelta(days=5))
    late = {"until": "time", "until_on": "2026-03-20", "until_time": "10:00"}
    holding(desk, item).post(f"/staff/items/{item}/put-off", late)
    assert stored(desk, item).status == "snoozed"
    ben = desk.signed_in("Ben")
    page = decide(ben, reminder(desk, status), "call")
    assert "The call is in the queue." in page
    stands = stored(desk, item)
    assert (stands.status, stands.due_again_at) == ("new", desk.clock.now())
    assert stands.promised_at < desk.clock.now() + timedelta(days=1)
    assert "call instead." in ben.get(f"/staff/items/{item}").text
    ben.post("/staff/queue/next")
    assert stored(desk, item).claimed_name == "Ben"
