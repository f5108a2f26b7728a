"""Follow-ups where an item of the same number and reason is open already. On a real database."""

from datetime import date
from uuid import UUID

import pytest
import sqlalchemy as sa

from nurseline.callbacks import work
from nurseline.callbacks.models import CallbackItem
from nurseline.parts import Parts
from tests.callbacks.queueing import ADA, ask, claim, do, finish, item_of, mine

FAR, SOON = date(2026, 3, 26), date(2026, 3, 4)


def resting(parts: Parts) -> list[UUID]:
    query = sa.select(CallbackItem.id).where(CallbackItem.status == "snoozed")
    with parts.db.begin() as session:
        return list(session.scalars(query))


@pytest.mark.parametrize("days", [(FAR, SOON), (SOON, FAR)])
def test_of_two_follow_ups_the_earlier_day_and_promise_hold(parts: Parts, days: tuple[date, date]) -> None:
    first = finish(parts, mine(parts, "urgent"), ADA, follow_up_on=days[0]).follow_up
    second = finish(parts, mine(parts, "urgent"), ADA, follow_up_on=days[1]).follow_up
    assert first is not None
    assert second is not None
    opens, closes = parts.hours.working_day(SOON)
    assert (second.item_id, second.how, second.at) == (first.item_id, "rests", opens)
    stands = item_of(parts, first.item_id)
    assert (stands.status, stands.due_again_at, stands.promised_at) == ("snoozed", opens, closes)


@pytest.mark.parametrize("end", ["recorded", "cancelled", "joined"])
def test_an_item_at_work_does_not_close_without_the_follow_up_it_keeps(parts: Parts, end: str) -> None:
    at_work = ask(parts, "clinical").item_id
    kept = finish(parts, mine(parts, "urgent"), ADA, follow_up_on=FAR).follow_up
    assert kept is not None
    assert (kept.item_id, kept.how) == (at_work, "kept")
    assert resting(parts) == []
    claim(parts, at_work, ADA)
    if end == "recorded":
        finish(parts, at_work, ADA)
    elif end == "cancelled":
        do(parts, work.cancel, at_work, why="asked twice")
    else:
        do(parts, work.merge, at_work, ask(parts, "schedule").item_id, ADA)
        with parts.db.begin() as session:
            grown = session.scalars(sa.select(CallbackItem.id).where(CallbackItem.status == "claimed")).one()
        finish(parts, grown, ADA)
    (follow_up,) = resting(parts)
    opens, closes = parts.hours.working_day(FAR)
    stands = item_of(parts, follow_up)
    assert (stands.reason, stands.due_again_at, stands.promised_at) == ("clinical", opens, closes)
