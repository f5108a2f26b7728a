"""The hours of each state: the data and how it is read."""

from datetime import time

import pytest
from phonenumbers.geocoder import GEOCODE_DATA

from nurseline.consent.states import StateHoursError, load_state_hours, read_state_hours

NAMES = {
    "Alabama": "AL",
    "California": "CA",
    "Connecticut": "CT",
    "Florida": "FL",
    "Illinois": "IL",
    "Kentucky": "KY",
    "Louisiana": "LA",
    "Maryland": "MD",
    "Massachusetts": "MA",
    "Michigan": "MI",
    "Minnesota": "MN",
    "Mississippi": "MS",
    "Nevada": "NV",
    "New Jersey": "NJ",
    "New Mexico": "NM",
    "Oklahoma": "OK",
    "Rhode Island": "RI",
    "Texas": "TX",
    "Washington State": "WA",
}
SUNDAY, MONDAY = 6, 0
HOURS = load_state_hours()


def test_area_codes_are_those_that_the_library_of_numbers_puts_into_the_state() -> None:
    places: dict[str, set[str]] = {}
    for prefix, words in GEOCODE_DATA.items():
        if prefix.startswith("1") and len(prefix) >= 4 and "en" in words:
            place = words["en"]
            places.setdefault(prefix[1:4], set()).add(NAMES.get(place) or place.rsplit(", ", 1)[-1])
    known = {code: states & HOURS.weeks.keys() for code, states in places.items()}
    assert {code: states.pop() for code, states in known.items() if len(states) == 1} == dict(
        HOURS.area_codes
    )
    assert max(len(states) for states in known.values()) <= 1


@pytest.mark.parametrize(
    ("number", "state"),
    [
        ("+14015550123", "RI"),
        ("+12145550123", "TX"),
        ("+18504325555", "FL"),
        ("+12025550123", None),
        ("+18005550123", None),
        ("+15005550006", None),
        ("+442079460123", None),
        ("", None),
    ],
)
def test_the_state_is_that_of_the_area_code(number: str, state: str | None) -> None:
    assert HOURS.state_of(number) == state


@pytest.mark.parametrize(
    ("number", "day", "span"),
    [
        ("+12025550123", MONDAY, (time(8), time(21))),  # no hours of its own: the federal ones
        ("+18504325555", SUNDAY, (time(8), time(20))),
        ("+12145550123", MONDAY, (time(9), time(21))),
        ("+12145550123", SUNDAY, (time(12), time(21))),
        ("+15025550123", MONDAY, (time(10), time(21))),
        ("+14015550123", MONDAY, (time(9), time(18))),
        ("+14015550123", SUNDAY, (time(10), time(17))),
    ],
)
def test_each_state_has_its_hours(number: str, day: int, span: tuple[time, time]) -> None:
    assert HOURS.week_of(number)[day] == span


def test_no_state_is_laxer_than_the_federal_hours() -> None:
    for week in HOURS.weeks.values():
        assert all(time(8) <= span[0] < span[1] <= time(21) for span in week if span)


GOOD = '[federal]\nhours = "08:00-21:00"\n[state.RI]\nhours = "09:00-18:00"\narea_codes = "401"\n'


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ("09:00-18:00", "9-18", "no span"),
        ("09:00-18:00", "09:00-25:00", "no span"),
        ("09:00-18:00", "18:00-09:00", "ends before"),
        ("area_codes", "sundays", "not a day"),
        ("[federal]", "[federation]", "federal"),
        ("[federal]", "[federal", "state_hours.toml"),
        ('"401"', '"401 401"', "two places"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(good: str, bad: str, words: str) -> None:
    assert read_state_hours(GOOD).state_of("+14015550123") == "RI"
    with pytest.raises(StateHoursError, match=words):
        read_state_hours(GOOD.replace(good, bad))
