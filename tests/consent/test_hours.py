"""When an automated message may go: the arithmetic of allowed hours."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nurseline.consent.hours import Span, Week, both, day_begins, every_day, is_open, next_opening
from tests.support.line import instants

USUAL = (time(9), time(20))
NEW_YORK, PHOENIX = ZoneInfo("America/New_York"), ZoneInfo("America/Phoenix")
ZONES = st.sampled_from(
    [
        "America/New_York",
        "America/Phoenix",
        "America/Los_Angeles",
        "America/Adak",
        "Pacific/Honolulu",
        "America/St_Johns",
        "Europe/Dublin",
        "Australia/Lord_Howe",  # its clocks change by half an hour
        "Asia/Kathmandu",
        "Pacific/Kiritimati",
        "America/Havana",  # its clocks change at midnight
        "UTC",
    ]
).map(ZoneInfo)
INSTANTS = instants(datetime(2024, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC))
# near the changes of 2026 in the United States, where mistakes would be
NEAR_A_CHANGE = st.one_of(
    instants(datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC)),
    instants(datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)),
)
QUARTERS = st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))


@st.composite
def spans(draw: st.DrawFn) -> tuple[time, time]:
    """Spans of the day; some last until 24:00, which is written 00:00."""
    first, last = sorted((draw(QUARTERS), draw(QUARTERS)))
    return (first, last) if first < last and draw(st.booleans()) else (first, time(0))


def is_allowed(instant: datetime, zone: ZoneInfo, span: Span) -> bool:
    return is_open(instant, (zone,), every_day(span))


def next_allowed(instant: datetime, zone: ZoneInfo, span: Span) -> datetime:
    found = next_opening(instant, (zone,), every_day(span))
    assert found is not None
    return found


@st.composite
def weeks(draw: st.DrawFn) -> Week:
    """Hours that differ from day to day; some days are closed."""
    return tuple(draw(st.one_of(st.none(), spans())) for _ in range(7))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@settings(max_examples=400, deadline=None)
@given(st.one_of(INSTANTS, NEAR_A_CHANGE), ZONES, spans())
def test_the_next_allowed_instant_is_allowed_and_not_in_the_past(instant, zone, span) -> None:
    found = next_allowed(instant, zone, span)
    assert found >= instant
    assert found.utcoffset() == timedelta(0)
    assert is_allowed(found, zone, span)
    if is_allowed(instant, zone, span):
        assert found == instant


@settings(max_examples=300, deadline=None)
@given(st.one_of(INSTANTS, NEAR_A_CHANGE), ZONES, spans())
def test_nothing_before_the_next_allowed_instant_was_allowed(instant, zone, span) -> None:
    found = next_allowed(instant, zone, span)
    assert found == instant or not is_allowed(found - timedelta(microseconds=1), zone, span)
    minute = instant
    while minute < found:
        assert not is_allowed(minute, zone, span)
        minute += timedelta(minutes=7)


def test_the_first_minute_is_allowed_and_the_last_is_not() -> None:
    assert is_allowed(utc("2026-01-15T14:00"), NEW_YORK, USUAL)
    assert not is_allowed(utc("2026-01-15T13:59:59"), NEW_YORK, USUAL)
    assert is_allowed(utc("2026-01-16T00:59:59"), NEW_YORK, USUAL)
    assert not is_allowed(utc("2026-01-16T01:00"), NEW_YORK, USUAL)


@pytest.mark.parametrize(
    ("evening", "opening"),
    [
        (
            "2026-03-08T01:30",
            "2026-03-08T13:00",
        ),  # the night in which clocks go forward: 9 is an hour earlier
        ("2026-11-01T01:30", "2026-11-01T14:00"),  # the night in which they go back: 9 is an hour later
        ("2026-01-15T02:00", "2026-01-15T14:00"),
    ],
)
def test_a_message_of_the_evening_waits_until_nine_on_the_wall_clock(evening: str, opening: str) -> None:
    assert next_allowed(utc(evening), NEW_YORK, USUAL) == utc(opening)


def test_an_opening_that_the_change_to_summer_time_swallows_is_right_after_the_gap() -> None:
    span = (time(2, 30), time(20))
    assert next_allowed(utc("2026-03-08T06:00"), NEW_YORK, span) == utc("2026-03-08T07:00")


def test_a_span_in_the_hour_that_comes_twice_opens_twice() -> None:
    span = (time(1, 15), time(1, 30))
    assert next_allowed(utc("2026-11-01T05:00"), NEW_YORK, span) == utc("2026-11-01T05:15")
    assert next_allowed(utc("2026-11-01T05:45"), NEW_YORK, span) == utc("2026-11-01T06:15")


def test_phoenix_keeps_its_hours_when_others_change_their_clocks() -> None:
    for day in ("2026-03-07", "2026-03-09", "2026-07-01", "2026-11-02"):
        assert next_allowed(utc(f"{day}T05:00"), PHOENIX, USUAL) == utc(f"{day}T16:00")


def test_a_span_until_midnight_holds_the_last_minute_of_the_day() -> None:
    until_midnight = (time(9), time(0))
    assert is_allowed(utc("2026-01-16T04:59"), NEW_YORK, until_midnight)
    assert not is_allowed(utc("2026-01-16T05:00"), NEW_YORK, until_midnight)
    assert next_allowed(utc("2026-01-16T05:00"), NEW_YORK, until_midnight) == utc("2026-01-16T14:00")
    always = (time(0), time(0))
    assert is_allowed(utc("2026-01-16T05:00"), NEW_YORK, always)


def test_a_local_time_counts_as_the_instant_that_it_is() -> None:
    local = datetime(2026, 3, 7, 21, 0, tzinfo=NEW_YORK)
    assert next_allowed(local, NEW_YORK, USUAL) == utc("2026-03-08T13:00")


@settings(max_examples=300, deadline=None)
@given(st.one_of(INSTANTS, NEAR_A_CHANGE), st.lists(ZONES, min_size=1, max_size=3), weeks())
def test_with_several_zones_and_a_week_the_first_instant_that_suits_all_is_found(
    instant, zones, week
) -> None:
    found = next_opening(instant, zones, week)
    if found is not None:
        assert found >= instant
        assert is_open(found, zones, week)
        assert found == instant or not is_open(found - timedelta(microseconds=1), zones, week)
    minute, end = instant, found or instant + timedelta(days=8)
    while minute < end:
        assert not all(inside(minute.astimezone(zone), week) for zone in zones)
        minute += timedelta(minutes=13)


def inside(local: datetime, week: Week) -> bool:
    span = week[local.weekday()]
    return span is not None and span[0] <= local.time() and (span[1] == time(0) or local.time() < span[1])


def test_a_closed_day_is_passed_over_until_the_next_one_that_opens() -> None:
    week = (USUAL, *[None] * 6)
    monday_evening = utc("2026-01-13T02:00")
    assert next_opening(monday_evening, (NEW_YORK,), week) == utc("2026-01-19T14:00")
    assert next_opening(monday_evening, (NEW_YORK,), (None,) * 7) is None


def test_zones_that_are_never_open_together_have_no_opening() -> None:
    morning = every_day((time(9), time(10)))
    assert next_opening(utc("2026-01-15T00:00"), (NEW_YORK, ZoneInfo("Asia/Kathmandu")), morning) is None


@given(weeks(), weeks(), st.one_of(INSTANTS, NEAR_A_CHANGE), ZONES)
def test_what_two_weeks_have_in_common_is_open_when_both_are(one, other, instant, zone) -> None:
    expected = is_open(instant, (zone,), one) and is_open(instant, (zone,), other)
    assert is_open(instant, (zone,), both(one, other)) == expected


def test_a_local_date_begins_at_midnight_or_right_after_it_where_midnight_is_left_out() -> None:
    havana = ZoneInfo("America/Havana")
    assert day_begins(utc("2026-01-15T16:00"), NEW_YORK, days=1) == utc("2026-01-16T05:00")
    assert day_begins(utc("2026-10-31T16:00"), NEW_YORK, days=7) == utc("2026-11-07T05:00")
    assert day_begins(utc("2026-03-07T16:00"), havana, days=1) == utc("2026-03-08T05:00")
