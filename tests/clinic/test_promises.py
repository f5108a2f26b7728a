"""By when calls are promised, as a clinic sets it."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from nurseline.app import build
from nurseline.callbacks.promises import Promises, promised_at
from nurseline.clinic import service as clinic
from nurseline.clinic.hours import HoursError, parse_hours
from nurseline.clinic.service import ClinicError, promise_numbers, promises_from
from nurseline.parts import Parts
from tests.support.line import STAFF, settings_for

ZONE = ZoneInfo("America/New_York")
USUAL = parse_hours("Mon-Fri 08:00-17:00", ZONE)
OTHER = {"emergency_minutes": 10, "urgent_minutes": 60, "clinical_minutes": 480, "office_days": 2}


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def test_until_something_is_set_the_clinics_rules_hold(parts: Parts) -> None:
    assert parts.clinic.promises() == Promises()
    assert promise_numbers(Promises()) == {
        "emergency_minutes": 5,
        "urgent_minutes": 30,
        "clinical_minutes": 240,
        "office_days": 1,
    }


def test_what_staff_set_counts_for_requests_from_then_on(parts: Parts) -> None:
    with parts.db.begin() as session:
        clinic.set_promises(session, OTHER, now=parts.clock.now(), staff=STAFF)
        clinic.set_promises(session, OTHER, now=parts.clock.now(), staff=STAFF)
    parts.clinic.forget()
    assert promise_numbers(parts.clinic.promises()) == OTHER
    now = local("2026-03-03T09:00")
    assert promised_at("emergency", now, parts.hours) == local("2026-03-03T09:10")
    assert promised_at("urgent", now, parts.hours) == local("2026-03-03T10:00")
    assert promised_at("nurse", now, parts.hours) == local("2026-03-03T17:00")
    assert promised_at("admin", now, parts.hours) == local("2026-03-05T17:00")


def test_the_environment_sets_what_staff_have_not(own_database_url: str) -> None:
    made = build(settings_for(own_database_url, promise_urgent_minutes=45, promise_office_days=3))
    assert made.clinic.promises() == Promises(urgent=timedelta(minutes=45), office=3)
    made.db.engine.dispose()


@pytest.mark.parametrize(
    ("name", "number"),
    [("emergency_minutes", 0), ("urgent_minutes", 9), ("clinical_minutes", 961), ("office_days", 6)],
)
def test_a_promise_that_nobody_can_keep_is_refused_by_name(parts: Parts, name: str, number: int) -> None:
    with pytest.raises(ClinicError, match="a number from") as error, parts.db.begin() as session:
        clinic.set_promises(session, {**OTHER, name: number}, now=parts.clock.now(), staff=STAFF)
    assert error.value.field == name
    assert promises_from(OTHER).office == 2


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2026-03-04", "2026-03-04T08:00", "2026-03-04T17:00"),
        ("2026-03-07", "2026-03-09T08:00", "2026-03-09T17:00"),  # a Saturday
        ("2026-03-10", "2026-03-11T09:00", "2026-03-11T12:00"),  # a holiday, then a short day
    ],
)
def test_a_day_is_worked_on_from_its_opening_to_its_closing(day: str, opens: str, closes: str) -> None:
    hours = USUAL.with_days({date(2026, 3, 10): (), date(2026, 3, 11): ((540, 600), (660, 720))})
    assert hours.working_day(date.fromisoformat(day)) == (local(opens), local(closes))


def test_closing_time_some_working_days_later_leaves_out_what_is_closed() -> None:
    assert USUAL.end_of_next_day(local("2026-03-05T10:00"), 2) == local("2026-03-09T17:00")
    assert USUAL.end_of_next_day(local("2026-03-07T10:00"), 2) == local("2026-03-10T17:00")
    with pytest.raises(HoursError):
        parse_hours("Mon 08:00-12:00", ZONE).end_of_next_day(local("2026-03-05T10:00"), 20)
