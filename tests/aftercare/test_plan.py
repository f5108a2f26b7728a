"""The arithmetic of the plan: which of the three messages, and when."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurseline.aftercare.plan import LONGEST_USE, STEPS, plan_of
from tests.support.line import TUESDAY, instants

INSTANTS = instants(datetime(2024, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC))
AGES = st.integers(-300, 10 * 24 * 3600).map(lambda seconds: timedelta(seconds=seconds))
ZONES = st.sampled_from(["America/New_York", "America/Phoenix", "Pacific/Honolulu", "Europe/Dublin", "UTC"])


def test_the_three_messages_come_after_24_hours_72_hours_and_a_week() -> None:
    plan = plan_of(TUESDAY, TUESDAY)
    assert [(due.step.name, due.send_after - TUESDAY, due.send_before - TUESDAY) for due in plan] == [
        ("day1", timedelta(hours=24), timedelta(hours=36)),
        ("day3", timedelta(hours=72), timedelta(hours=90)),
        ("week1", timedelta(days=7), timedelta(days=9)),
    ]
    assert [due.step.content_id for due in plan] == ["reminder.day1", "reminder.day3", "reminder.week1"]


@pytest.mark.parametrize(
    ("age", "steps"),
    [
        (timedelta(0), ["day1", "day3", "week1"]),
        (timedelta(hours=36) - timedelta(seconds=1), ["day1", "day3", "week1"]),
        (timedelta(hours=36), ["day3", "week1"]),
        (timedelta(hours=90) - timedelta(seconds=1), ["day3", "week1"]),
        (timedelta(hours=90), ["week1"]),
        (timedelta(days=9) - timedelta(seconds=1), ["week1"]),
        (timedelta(days=9), []),
    ],
)
def test_a_late_plan_holds_only_what_is_still_useful(age: timedelta, steps: list[str]) -> None:
    assert [due.step.name for due in plan_of(TUESDAY - age, TUESDAY)] == steps


@given(INSTANTS, AGES)
def test_every_planned_message_is_useful_in_order_and_apart(now: datetime, age: timedelta) -> None:
    performed = now - age
    plan = plan_of(performed, now)
    for due in plan:
        assert due.send_after == performed + due.step.after
        assert due.send_after < due.send_before
        assert now < due.send_before
    for before, after in itertools.pairwise(plan):
        assert before.send_before < after.send_after
    assert bool(plan) == (age < LONGEST_USE)
    left_out = [step for step in STEPS if step not in {due.step for due in plan}]
    assert all(performed + step.until <= now for step in left_out)


@given(INSTANTS, AGES, ZONES)
def test_the_zone_in_which_the_time_was_written_does_not_change_the_plan(
    now: datetime, age: timedelta, zone: str
) -> None:
    performed = now - age
    local = plan_of(performed.astimezone(ZoneInfo(zone)), now)
    assert [(d.send_after, d.send_before) for d in local] == [
        (d.send_after, d.send_before) for d in plan_of(performed, now)
    ]


@pytest.mark.parametrize(
    ("performed", "elapsed_on_the_wall"),
    [
        (datetime(2026, 3, 7, 12, 0, tzinfo=ZoneInfo("America/New_York")), timedelta(hours=25)),
        (datetime(2026, 10, 31, 12, 0, tzinfo=ZoneInfo("America/New_York")), timedelta(hours=23)),
    ],
)
def test_a_day_is_24_elapsed_hours_also_when_the_clocks_change(
    performed: datetime, elapsed_on_the_wall: timedelta
) -> None:
    first = plan_of(performed, performed)[0]
    assert first.send_after.timestamp() - performed.timestamp() == 24 * 3600
    shown = first.send_after.astimezone(performed.tzinfo).replace(tzinfo=None)
    assert shown - performed.replace(tzinfo=None) == elapsed_on_the_wall
