"""When a call that reached nobody is made again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurseline.messaging.second_try import APART, DAY_APART, second_try
from tests.support.line import instants

EASTERN = ZoneInfo("America/New_York")
ZONES = st.sampled_from(
    [ZoneInfo(name) for name in ("America/New_York", "America/Los_Angeles", "Pacific/Honolulu", "UTC")]
)
YEAR = instants(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=EASTERN)


def part(instant: datetime, zone: ZoneInfo) -> int:
    hour = instant.astimezone(zone).hour
    return 0 if hour < 13 else 1 if hour < 17 else 2


@pytest.mark.parametrize(
    ("tried", "rang", "again"),
    [
        (at(3, 10), True, at(4, 13)),  # a day later, and not in the morning again
        (at(3, 14), True, at(4, 17)),
        (at(3, 18), True, at(5, 9)),
        (at(3, 10), False, at(3, 14)),  # it never rang: some hours later will do
        (at(3, 14), False, at(3, 18)),
        (at(3, 18), False, at(4, 9)),
        (at(7, 10), True, at(8, 13)),  # clocks go forward in that night
    ],
)
def test_another_part_of_the_day(tried: datetime, rang: bool, again: datetime) -> None:
    assert second_try(tried, EASTERN, None, rang=rang) == again


def test_where_there_is_no_time_for_another_part_of_the_day_the_same_one_will_do() -> None:
    assert second_try(at(3, 10), EASTERN, at(4, 12), rang=True) == at(4, 10)


@pytest.mark.parametrize("until", [at(4, 10), at(4, 9), at(3, 22)])
def test_too_late_is_too_late(until: datetime) -> None:
    assert second_try(at(3, 10), EASTERN, until, rang=True) is None


@given(tried=YEAR, zone=ZONES, rang=st.booleans(), days=st.none() | st.integers(0, 8))
def test_never_too_soon_never_too_late_and_at_another_part_of_the_day_if_there_is_time(
    tried: datetime, zone: ZoneInfo, rang: bool, days: int | None
) -> None:
    until = None if days is None else tried + timedelta(days=days)
    again = second_try(tried, zone, until, rang=rang)
    earliest = tried + (DAY_APART if rang else APART)
    if again is None:
        assert until is not None
        assert earliest >= until
        return
    assert again >= earliest
    assert again.tzinfo is UTC
    if until is None or until > earliest + timedelta(days=1):
        assert part(again, zone) != part(tried, zone)
        assert 9 <= again.astimezone(zone).hour < 20
    else:
        assert again < until
