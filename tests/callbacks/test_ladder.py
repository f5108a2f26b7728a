"""What follows when nobody was reached: the next try, the last one, or somebody else's decision."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurseline.callbacks import ladder
from nurseline.callbacks.ladder import Step, after, part_of_day
from nurseline.clinic.hours import Hours, parse_hours
from tests.support.line import TUESDAY, instants

ZONE = ZoneInfo("America/New_York")
USUAL = parse_hours("Mon-Fri 08:00-17:00", ZONE)
LATE = 2


def local(text: str) -> datetime:
    """A moment on the clinic's clock in March 2026; the 3rd is a Tuesday."""
    return datetime.fromisoformat(f"2026-03-{text}").replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("tries", "again"),
    [
        (["03T09:00"], "03T12:00"),  # morning, then afternoon
        (["03T11:30"], "03T13:30"),  # not before two hours have passed
        (["03T13:00"], "03T15:00"),
        (["03T16:00"], "04T08:00"),  # late, then the next morning
        (["03T14:50"], "03T16:50"),
        (["06T16:00"], "09T08:00"),  # Friday, then Monday
        (["03T09:00", "03T12:05"], "04T15:00"),  # the third on another day
        (["03T09:00", "03T15:05"], "04T12:00"),
        (["03T16:00", "04T08:05"], "04T12:00"),
        (["03T16:00", "04T13:00"], "05T08:00"),
    ],
)
def test_tries_go_to_other_parts_of_the_day_on_two_working_days(tries: list[str], again: str) -> None:
    assert after("nurse", [local(one) for one in tries], USUAL) == Step("again", local(again))


@pytest.mark.parametrize("reason", ["clinical", "nurse", "schedule", "admin"])
def test_after_three_tries_an_item_closes(reason: str) -> None:
    tries = [local("03T09:00"), local("03T15:00"), local("04T12:00")]
    assert after(reason, tries, USUAL) == Step("close")


def test_a_clinic_that_opens_in_the_mornings_alone_tries_on_other_days() -> None:
    mornings = parse_hours("Mon-Thu 08:00-11:00", ZONE)
    assert after("nurse", [local("03T09:00")], mornings) == Step("again", local("04T08:00"))
    assert after("nurse", [local("03T09:00"), local("05T08:00")], mornings) == Step(
        "again", local("09T08:00")
    )


def test_an_urgent_item_is_tried_three_times_within_two_hours_and_then_decided() -> None:
    tries = [local("03T09:00")]
    while (step := after("urgent", tries, USUAL)).what == "again":
        assert step.at is not None
        tries.append(step.at)
    assert step == Step("decide")
    assert len(tries) == 3
    assert tries[-1] - tries[0] <= timedelta(hours=2)


def test_an_urgent_item_is_tried_while_the_clinic_works() -> None:
    assert after("urgent", [local("03T16:50")], USUAL) == Step("again", local("04T08:30"))


def test_an_emergency_is_tried_every_five_minutes_day_and_night_and_never_closes() -> None:
    tries = [local("03T23:00")]
    for number in range(1, 20):
        step = after("emergency", tries, USUAL)
        assert step == Step("again" if number < 3 else "decide", tries[-1] + timedelta(minutes=5))
        tries.append(tries[-1] + timedelta(minutes=7))


WEEKS = st.sampled_from(
    [
        USUAL,
        parse_hours("Mon-Sun 00:00-24:00", ZONE),
        parse_hours("Tue 13:00-15:00", ZONE),
        parse_hours("Mon-Thu 08:00-12:00,13:00-17:00; Fri 08:00-12:00", ZONE),
        USUAL.with_days({local("04T00:00").date(): ()}),
    ]
)


@given(first=instants(TUESDAY, TUESDAY + timedelta(days=20)), hours=WEEKS, delay=st.integers(0, 5000))
def test_three_tries_lie_apart_in_working_hours_and_on_two_days(
    first: datetime, hours: Hours, delay: int
) -> None:
    tries = [first]
    for _ in range(2):
        step = after("clinical", tries, hours)
        assert step.at is not None
        assert step.at - tries[-1] >= ladder.APART
        assert hours.is_open(step.at)
        tries.append(step.at + timedelta(minutes=delay) * (len(tries) == 1))
    assert after("clinical", tries, hours) == Step("close")
    assert tries[2].astimezone(ZONE).date() > tries[0].astimezone(ZONE).date()
    if hours is USUAL and delay == 0:
        assert {part_of_day(one, hours) for one in tries} == {0, 1, LATE}
