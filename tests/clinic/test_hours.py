"""Opening hours, and working time within them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from nurseline.callbacks.promises import PRIORITY, REASONS, promised_at
from nurseline.clinic.hours import DAYS, Hours, HoursError, parse_hours, week_text
from tests.support.line import TUESDAY, instants

NEW_YORK = ZoneInfo("America/New_York")
USUAL = parse_hours("Mon-Fri 08:00-17:00", NEW_YORK)
LUNCH = parse_hours("Mon-Thu 08:00-12:00,13:00-17:00; Fri 08:00-12:00", NEW_YORK)
INSTANTS = instants(datetime(2024, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC))
WORK = st.integers(0, 20 * 60).map(lambda minutes: timedelta(minutes=minutes))
ZONES = st.sampled_from(["America/New_York", "America/Phoenix", "Pacific/Honolulu", "Australia/Lord_Howe"])


@st.composite
def opening_hours(draw: st.DrawFn) -> Hours:
    """Hours with one to three intervals on at least one day of the week."""
    parts = []
    for day in draw(st.sets(st.sampled_from(DAYS), min_size=1)):
        marks = sorted(draw(st.sets(st.integers(0, 47), min_size=2, max_size=6)))
        times = [f"{half // 2:02d}:{half % 2 * 30:02d}" for half in marks[: len(marks) // 2 * 2]]
        spans = [f"{a}-{b}" for a, b in zip(times[::2], times[1::2], strict=True)]
        parts.append(f"{day} {','.join(spans)}")
    try:
        return parse_hours("; ".join(parts), ZoneInfo(draw(ZONES)))
    except HoursError:  # less than two hours a week
        reject()


def local(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ; ;",
        "Mon-Fri",
        "08:00-17:00",
        "Mon-Fri 8-17",
        "Mon-Fri 08:00-17:00,",
        "Mon-Fri 17:00-08:00",
        "Mon-Fri 08:00-08:00",
        "Mon-Fri 08:00-25:00",
        "Mon-Fri 08:00-24:01",
        "Mon-Fri 08:60-17:00",
        "Fri-Mon 08:00-17:00",
        "Mon- 08:00-17:00",
        "-Fri 08:00-17:00",
        "Mon-Fri-Sun 08:00-17:00",
        "Mon,Wed 08:00-17:00",
        "Mo-Fr 08:00-17:00",
        "Monkey-Fri 08:00-17:00",
        "Lundi-Vendredi 08:00-17:00",
        "Mon 08:00-12:00,11:00-17:00",
        "Mon 08:00-12:00; Mon-Fri 11:00-17:00",
        "Mon-Fri 08:00-17:00 UTC",
        "Mon-Fri 08:00\x00-17:00",
    ],
)
def test_hours_that_cannot_be_read_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(HoursError) as refused:
        parse_hours(text, NEW_YORK)
    assert str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "Mon-Fri 08:00-17:00",
        "mon-FRI 8:00 - 17:00;",
        "Monday-Friday 08:00-17:00",
        "Mon-Fri 08:00-12:00, 12:00-17:00",
    ],
)
def test_the_same_hours_in_other_spellings_are_read(text: str) -> None:
    read = parse_hours(text, NEW_YORK)
    assert read.is_open(local("2026-03-03T08:00"))
    assert read.is_open(local("2026-03-06T16:59"))
    assert not read.is_open(local("2026-03-06T17:00"))
    assert not read.is_open(local("2026-03-07T10:00"))


def test_the_clinic_is_closed_at_lunch_at_night_and_on_sunday() -> None:
    assert LUNCH.is_open(local("2026-03-03T11:59:59"))
    assert not LUNCH.is_open(local("2026-03-03T12:00"))
    assert LUNCH.is_open(local("2026-03-03T13:00"))
    assert not LUNCH.is_open(local("2026-03-06T13:00"))
    assert not LUNCH.is_open(local("2026-03-08T10:00"))


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-03-03T10:00", 4, "2026-03-03T15:00"),  # lunch does not count
        ("2026-03-03T11:30", 0.5, "2026-03-03T12:00"),
        ("2026-03-03T16:00", 4, "2026-03-04T11:00"),
        ("2026-03-06T11:00", 4, "2026-03-09T11:00"),  # over the weekend and the change of clocks
        ("2026-03-07T03:00", 4, "2026-03-09T12:00"),
        ("2026-03-03T06:00", 0, "2026-03-03T08:00"),
    ],
)
def test_working_time_passes_only_while_the_clinic_is_open(start: str, hours: float, due: str) -> None:
    assert LUNCH.after_working(local(start), timedelta(hours=hours)) == local(due)


@settings(max_examples=200, deadline=None)
@given(opening_hours(), INSTANTS, WORK)
def test_the_end_of_working_time_lies_in_opening_hours_and_not_in_the_past(
    hours: Hours, start: datetime, work: timedelta
) -> None:
    try:
        due = hours.after_working(start, work)
    except HoursError:
        open_time = sum((b - a for a, b in hours.intervals(start)), timedelta())
        assert open_time < work
        return
    assert due >= start
    assert hours.is_open(due) or hours.is_open(due - timedelta(microseconds=1))
    worked = sum((min(b, due) - a for a, b in hours.intervals(start) if a < due), timedelta())
    assert worked == work


@settings(max_examples=150, deadline=None)
@given(opening_hours(), INSTANTS, INSTANTS, WORK, WORK)
def test_who_asks_later_or_for_more_work_is_not_promised_an_earlier_moment(
    hours: Hours, one: datetime, two: datetime, less: timedelta, more: timedelta
) -> None:
    early, late = sorted((one, two))
    less, more = sorted((less, more))
    try:
        first, second = hours.after_working(early, less), hours.after_working(late, more)
    except HoursError:
        return
    assert first <= second
    assert hours.end_of_next_day(early) <= hours.end_of_next_day(late)


@settings(max_examples=150, deadline=None)
@given(opening_hours(), INSTANTS)
def test_the_end_of_the_next_day_is_a_closing_time_of_a_later_day(hours: Hours, start: datetime) -> None:
    due = hours.end_of_next_day(start)
    assert due > start
    assert not hours.is_open(due) or any(a == due for a, _ in hours.intervals(start))
    assert hours.is_open(due - timedelta(microseconds=1))
    day = due.astimezone(hours.zone).date()
    assert day > start.astimezone(hours.zone).date()
    between = [a for a, _ in hours.intervals(start) if a < due]
    days = {a.astimezone(hours.zone).date() for a in between} - {start.astimezone(hours.zone).date()}
    assert days == {day}


@settings(max_examples=100, deadline=None)
@given(opening_hours(), INSTANTS, ZONES)
def test_the_zone_in_which_the_moment_was_written_does_not_matter(
    hours: Hours, start: datetime, zone: str
) -> None:
    elsewhere = start.astimezone(ZoneInfo(zone))
    work = timedelta(minutes=30)
    assert hours.after_working(elsewhere, work) == hours.after_working(start, work)
    assert hours.after_working(elsewhere, work).utcoffset() == timedelta(0)
    assert hours.is_open(elsewhere) == hours.is_open(start)


def test_a_clinic_open_in_the_night_of_the_change_works_the_hours_that_exist() -> None:
    nights = parse_hours("Sun 00:00-06:00", NEW_YORK)
    for day, worked in (("2026-03-08", 5), ("2026-11-01", 7), ("2026-07-05", 6)):
        a, b = next(nights.intervals(local(f"{day}T00:00")))
        assert b - a == timedelta(hours=worked)


def test_an_interval_whose_opening_the_change_of_clocks_swallows_is_left_out() -> None:
    early = parse_hours("Sun 02:30-03:00,10:00-12:00", NEW_YORK)
    assert early.after_working(local("2026-03-08T00:00"), timedelta(hours=1)) == local("2026-03-08T11:00")


@pytest.mark.parametrize(
    ("reason", "now", "due"),
    [
        ("emergency", "2026-03-08T03:30", "2026-03-08T03:35"),
        ("urgent", "2026-03-03T10:00", "2026-03-03T10:30"),
        ("urgent", "2026-03-03T16:45", "2026-03-04T08:15"),
        ("urgent", "2026-03-07T10:00", "2026-03-09T08:30"),
        ("clinical", "2026-03-03T10:00", "2026-03-03T14:00"),
        ("nurse", "2026-03-06T15:00", "2026-03-09T10:00"),
        ("schedule", "2026-03-03T10:00", "2026-03-04T17:00"),
        ("schedule", "2026-03-06T10:00", "2026-03-09T17:00"),
        ("admin", "2026-03-07T10:00", "2026-03-09T17:00"),
        ("admin", "2026-03-03T07:00", "2026-03-04T17:00"),
    ],
)
def test_what_is_promised_for_each_reason(reason: str, now: str, due: str) -> None:
    assert promised_at(reason, local(now), USUAL) == local(due)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(REASONS), INSTANTS)
def test_a_promise_is_ahead_and_one_that_people_keep_lies_in_working_hours(reason, now: datetime) -> None:
    due = promised_at(reason, now, USUAL)
    assert due > now
    if reason == "emergency":
        assert due - now == USUAL.promises.emergency
    else:
        assert USUAL.is_open(due - timedelta(microseconds=1))


def test_a_clinic_that_hardly_opens_can_promise_all_the_same_or_is_refused_at_the_start() -> None:
    hardly = parse_hours("Sun 02:00-04:00", NEW_YORK)  # an hour of it is lost when the clocks go forward
    for day in range(40):
        for reason in REASONS:
            assert promised_at(reason, TUESDAY + timedelta(days=day), hardly) > TUESDAY
    with pytest.raises(HoursError, match="two hours a week"):
        parse_hours("Mon 08:00-08:30; Fri 08:00-09:00", NEW_YORK)


def test_emergencies_and_urgent_requests_have_the_first_priorities() -> None:
    assert sorted(PRIORITY, key=lambda reason: PRIORITY[reason])[:2] == ["emergency", "urgent"]
    assert (
        PRIORITY["emergency"]
        < PRIORITY["urgent"]
        < min(PRIORITY[r] for r in REASONS if r not in {"emergency", "urgent"})
    )


def test_midnight_is_read_as_the_beginning_of_the_day() -> None:
    assert parse_hours("Mon 00:00-02:00", NEW_YORK).week[0] == ((0, 120),)


def test_a_clinic_that_never_closes_is_open_in_every_minute() -> None:
    always = parse_hours("Mon-Sun 00:00-24:00", NEW_YORK)
    midnight = local("2026-03-08T00:00")  # the clocks go forward in this night
    assert all(always.is_open(midnight + timedelta(minutes=10 * n)) for n in range(6 * 24 * 2))
    assert always.after_working(midnight, timedelta(hours=23)) == local("2026-03-09T00:00")


def test_a_holiday_is_closed_and_its_work_moves_to_the_next_working_day() -> None:
    thanksgiving = USUAL.with_days({date(2026, 11, 26): (), date(2026, 11, 27): ((8 * 60, 12 * 60),)})
    assert not thanksgiving.is_open(local("2026-11-26T10:00"))
    assert thanksgiving.is_open(local("2026-11-27T11:59"))
    assert not thanksgiving.is_open(local("2026-11-27T12:00"))
    assert promised_at("schedule", local("2026-11-25T10:00"), thanksgiving) == local("2026-11-27T12:00")
    assert promised_at("clinical", local("2026-11-25T16:00"), thanksgiving) == local("2026-11-27T11:00")


def test_a_day_on_which_the_clinic_opens_out_of_turn_counts_too() -> None:
    saturday = USUAL.with_days({date(2026, 3, 7): ((9 * 60, 11 * 60),)})
    assert saturday.is_open(local("2026-03-07T10:00"))
    assert promised_at("urgent", local("2026-03-06T16:45"), saturday) == local("2026-03-07T09:15")


@settings(max_examples=100, deadline=None)
@given(opening_hours())
def test_hours_written_out_and_read_again_are_the_same(hours: Hours) -> None:
    assert parse_hours(week_text(hours.week), hours.zone).week == hours.week
