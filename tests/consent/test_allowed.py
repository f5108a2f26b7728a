"""Whose clock counts for a message, and which hours."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from nurseline.app import build
from nurseline.config import SettingsError
from nurseline.consent.allowed import AllowedHours, zones_of
from nurseline.consent.hours import is_open
from nurseline.consent.states import load_state_hours
from nurseline.zones import UnknownZoneError
from tests.support.line import settings_for

NEW_YORK, CHICAGO = ZoneInfo("America/New_York"), ZoneInfo("America/Chicago")
USUAL = (time(9), time(20))
HOURS = AllowedHours(USUAL, NEW_YORK, load_state_hours())
URL = "postgresql://nobody@127.0.0.1:1/none"  # never connected to


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_stored_zone_counts_alone_whatever_the_number_says() -> None:
    assert HOURS.where("+18082345678", "America/Denver").zones == (ZoneInfo("America/Denver"),)


def test_without_a_stored_zone_the_clinic_and_the_number_have_to_agree() -> None:
    where = HOURS.where("+18082345678", None)
    assert where.zones == (NEW_YORK, ZoneInfo("Pacific/Honolulu"))
    assert not is_open(utc("2026-01-15T16:00"), where.zones, where.week), "11 in New York, 6 in Honolulu"
    assert is_open(utc("2026-01-15T19:00"), where.zones, where.week), "14 in New York, 9 in Honolulu"
    assert not is_open(utc("2026-01-16T01:00"), where.zones, where.week), "20 in New York, 15 in Honolulu"


@pytest.mark.parametrize("number", ["+18005550123", "+15005550006", "+15552345678", "not a number", "+1"])
def test_a_number_that_tells_no_zone_leaves_the_clinic_s(number: str) -> None:
    assert zones_of(number) == ()
    assert HOURS.where(number, None).zones == (NEW_YORK,)


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+12025550123", {"America/New_York"}),
        ("+18504325555", {"America/Chicago"}),  # Pensacola, in a code that is mostly in New York's zone
        ("+16053942345", {"America/Denver"}),
        ("+18082345678", {"Pacific/Honolulu"}),
    ],
)
def test_the_zones_of_a_number_go_by_its_exchange(number: str, zones: set[str]) -> None:
    assert {zone.key for zone in zones_of(number)} == zones


def test_where_a_number_may_be_from_two_zones_both_count() -> None:
    where = HOURS.where("+12083301234", None)  # Idaho
    assert {zone.key for zone in where.zones} == {
        "America/New_York",
        "America/Boise",
        "America/Los_Angeles",
    }


def test_hours_of_the_clinic_and_of_the_state_are_both_kept() -> None:
    rhode_island = HOURS.where("+14015550123", "America/New_York").week
    assert (rhode_island[0], rhode_island[6]) == ((time(9), time(18)), (time(10), time(17)))
    texas = HOURS.where("+12145550123", "America/Chicago").week
    assert (texas[0], texas[6]) == ((time(9), time(20)), (time(12), time(20)))
    assert HOURS.where("+12025550123", None).week == (USUAL,) * 7


def test_for_a_look_a_message_goes_at_any_hour() -> None:
    settings = settings_for(URL, message_hours="00:00-24:00", state_hours=False)
    where = build(settings).sender.hours.where("+14015550123", None)
    assert all(is_open(utc(f"2026-01-15T{hour:02}:59"), where.zones, where.week) for hour in range(24))


def test_states_are_kept_to_unless_switched_off_even_with_all_hours_open() -> None:
    where = build(settings_for(URL, message_hours="00:00-24:00")).sender.hours.where("+14015550123", None)
    assert where.week[0] == (time(9), time(18))
    assert build(settings_for(URL)).sender.hours.where("+12025550123", None).week[0] == USUAL


def test_an_unknown_stored_zone_is_refused() -> None:
    with pytest.raises(UnknownZoneError):
        HOURS.where("+12025550123", "Mars/Olympus")


def test_a_line_whose_hours_leave_none_in_some_state_does_not_start() -> None:
    with pytest.raises(SettingsError, match=r"MESSAGE_HOURS.*federal"):
        build(settings_for(URL, message_hours="05:00-08:00"))
    with pytest.raises(SettingsError, match=r"MESSAGE_HOURS.*RI"):
        build(settings_for(URL, message_hours="18:00-20:00"))
    build(settings_for(URL, message_hours="05:00-08:00", state_hours=False))
