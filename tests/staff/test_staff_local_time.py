"""Wall-clock times of a zone, also on the two nights when clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurseline.staff.local_time import LocalTimeError, local_instant, read_date, read_time
from nurseline.zones import US_ZONES, zone

NEW_YORK = zone("America/New_York")
SPRING, AUTUMN = date(2026, 3, 8), date(2026, 11, 1)


def test_a_time_that_clocks_skipped_is_refused() -> None:
    for minute in (0, 30, 59):
        with pytest.raises(LocalTimeError, match="Clocks skipped this time") as caught:
            local_instant(SPRING, time(2, minute), NEW_YORK)
        assert caught.value.field == "time"
    assert local_instant(SPRING, time(1, 59), NEW_YORK).instant == datetime(2026, 3, 8, 6, 59, tzinfo=UTC)
    assert local_instant(SPRING, time(3, 0), NEW_YORK).instant == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)


def test_of_a_time_that_occurred_twice_the_first_is_taken() -> None:
    twice = local_instant(AUTUMN, time(1, 30), NEW_YORK)
    assert twice.happened_twice
    assert twice.instant == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert not local_instant(AUTUMN, time(0, 59), NEW_YORK).happened_twice
    assert not local_instant(AUTUMN, time(2, 0), NEW_YORK).happened_twice


def test_a_zone_without_summer_time_skips_nothing() -> None:
    phoenix = zone("America/Phoenix")
    assert local_instant(SPRING, time(2, 30), phoenix).instant == datetime(2026, 3, 8, 9, 30, tzinfo=UTC)


@given(
    st.dates(date(2001, 1, 1), date(2099, 12, 31)),
    st.integers(0, 1439),
    st.sampled_from([*US_ZONES, "Europe/Dublin", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_what_was_read_shows_the_same_wall_clock_again(day: date, minute: int, name: str) -> None:
    at = time(minute // 60, minute % 60)
    try:
        read = local_instant(day, at, zone(name))
    except LocalTimeError:
        return
    shown = read.instant.astimezone(zone(name))
    assert (shown.date(), shown.time()) == (day, at)
    assert shown.fold == 0


@pytest.mark.parametrize("text", ["2026-03-02", " 2026-03-02 "])
def test_a_date_is_read(text: str) -> None:
    assert read_date(text) == date(2026, 3, 2)


@pytest.mark.parametrize(
    "text",
    [
        "03/02/2026",
        "2026-02-30",
        "20260302",
        "yesterday",
        "2026-W10-1",
        "0001-01-01",
        "9999-12-31",
        "١-٢-٣",
        "😀" * 10,
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(LocalTimeError) as caught:
        read_date(text)
    assert caught.value.field == "date"


@pytest.mark.parametrize(
    ("text", "at"), [("14:30", time(14, 30)), ("9:05", time(9, 5)), ("23:59:59", time(23, 59))]
)
def test_a_time_is_read_and_its_seconds_dropped(text: str, at: time) -> None:
    assert read_time(text) == at


@pytest.mark.parametrize(
    "text", ["24:00", "14.30", "2 pm", "14:60", "-1:00", "١٤:٣٠", "", "14:30:00+02:00", "1" * 1600]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(LocalTimeError) as caught:
        read_time(text)
    assert caught.value.field == "time"


@given(st.text(max_size=30))
def test_any_other_text_is_read_or_refused_but_never_breaks(text: str) -> None:
    for read in (read_date, read_time):
        try:
            read(text)
        except LocalTimeError:
            continue
