"""Hours, holidays and phones as staff set them."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from structlog.testing import CapturedCall, CapturingLogger

from nurseline.clinic import service
from nurseline.clinic.service import Clinic, ClinicError, Phone
from nurseline.parts import Parts
from tests.support.line import TUESDAY

NEW_YORK = ZoneInfo("America/New_York")
TODAY = TUESDAY.astimezone(NEW_YORK).date()
BY = {"now": TUESDAY, "staff": "somebody"}


def read_anew(parts: Parts) -> Clinic:
    return Clinic(parts.db, parts.settings.clinic_hours, NEW_YORK)


def test_the_environment_s_hours_count_until_staff_set_others(parts: Parts) -> None:
    assert read_anew(parts).hours_text() == parts.settings.clinic_hours
    with parts.db.begin() as session:
        kept = service.set_hours(
            session, "mon-thu 8:00-12:00, 13:00-17:00; Friday 08:00-12:00", NEW_YORK, **BY
        )
    assert kept == "Mon-Thu 08:00-12:00,13:00-17:00; Fri 08:00-12:00"
    assert read_anew(parts).hours_text() == kept
    assert read_anew(parts).hours().week[4] == ((480, 720),)


def test_a_process_sees_its_own_change_at_once_when_told(parts: Parts) -> None:
    clinic = read_anew(parts)
    assert clinic.hours().on(TODAY)
    with parts.db.begin() as session:
        service.set_day(session, TODAY, "", "Snow", today=TODAY, **BY)
    clinic.forget()
    assert clinic.hours().on(TODAY) == ()
    with parts.db.begin() as session:
        assert service.remove_day(session, TODAY)
        assert not service.remove_day(session, TODAY)
    clinic.forget()
    assert clinic.hours().on(TODAY)


def test_a_day_set_twice_keeps_the_later_hours(parts: Parts) -> None:
    eve = date(TODAY.year, 12, 24)
    with parts.db.begin() as session:
        service.set_day(session, eve, "", "Closed", today=TODAY, **BY)
        service.set_day(session, eve, "8:00-12:00", "Short day", today=TODAY, **BY)
        assert [(d.day, d.intervals, d.label) for d in service.special_days(session, TODAY)] == [
            (eve, "08:00-12:00", "Short day")
        ]
        assert service.special_days(session, eve + timedelta(days=1)) == []


@pytest.mark.parametrize(
    ("day", "intervals", "label", "field"),
    [
        (TODAY - timedelta(days=1), "", "Past", "day"),
        (TODAY + timedelta(days=800), "", "Far", "day"),
        (TODAY, "noon", "Wrong", "intervals"),
        (TODAY, "08:00-12:00,11:00-13:00", "Overlap", "intervals"),
        (TODAY, "", " ", "label"),
        (TODAY, "", "x" * 61, "label"),
    ],
)
def test_a_day_that_cannot_be_kept_is_refused_by_its_field(
    parts: Parts, day: date, intervals: str, label: str, field: str
) -> None:
    with pytest.raises(ClinicError) as refused, parts.db.begin() as session:
        service.set_day(session, day, intervals, label, today=TODAY, **BY)
    assert refused.value.field == field


def test_hours_that_cannot_be_read_change_nothing(parts: Parts) -> None:
    with pytest.raises(ClinicError), parts.db.begin() as session:
        service.set_hours(session, "always", NEW_YORK, **BY)
    assert read_anew(parts).hours_text() == parts.settings.clinic_hours


def test_stored_hours_that_no_longer_read_leave_the_usual_ones(parts: Parts) -> None:
    with parts.db.begin() as session:
        service.set_hours(session, "Mon 08:00-17:00", NEW_YORK, **BY)
        session.get_one(service.ClinicSetting, service.HOURS).value = "broken"
    assert read_anew(parts).hours_text() == parts.settings.clinic_hours


def test_phones_ring_in_their_order_on_their_shift_and_not_on_a_holiday(parts: Parts) -> None:
    noon = TUESDAY.astimezone(NEW_YORK).replace(hour=12, minute=0)
    night = noon.replace(hour=22)
    with parts.db.begin() as session:
        desk = service.keep_phone(session, Phone("Desk", "+12025550101"), NEW_YORK, **BY)
        late = service.keep_phone(
            session, Phone("Late", "+12025550102", "Mon-Sun 20:00-24:00"), NEW_YORK, **BY
        )
        service.keep_phone(
            session, Phone("Doctor", "+12025550103", rings=False, on_call=True), NEW_YORK, **BY
        )
        hours = read_anew(parts).hours()
        closed = hours.with_days({TODAY: ()})
        assert [p.id for p in service.ringing(session, hours, noon)] == [desk]
        assert [p.id for p in service.ringing(session, hours, night)] == [late]
        assert service.ringing(session, closed, noon) == service.ringing(session, closed, night) == []
        assert [p.name for p in service.on_call(session, closed, night)] == ["Doctor"]
        service.keep_phone(session, Phone("Late", "+12025550102"), NEW_YORK, phone_id=late, **BY)
        service.put_first(session, late)
        session.expire_all()
        assert [p.id for p in service.ringing(session, hours, noon)] == [late, desk]
        assert service.remove_phone(session, desk)
        assert [p.id for p in service.ringing(session, hours, noon)] == [late]


def test_alarms_go_to_whoever_is_on_duty_and_to_all_when_nobody_is(parts: Parts) -> None:
    night = TUESDAY.astimezone(NEW_YORK).replace(hour=22)
    with parts.db.begin() as session:
        for name, shift in (("Day", "Mon-Fri 08:00-17:00"), ("Night", "Mon-Fri 17:00-24:00")):
            phone = Phone(name, "+12025550104", shift, rings=False, on_call=True)
            service.keep_phone(session, phone, NEW_YORK, **BY)
        hours = read_anew(parts).hours()
        assert [p.name for p in service.on_call(session, hours, night)] == ["Night"]
        small_hours = night + timedelta(hours=4)
        assert [p.name for p in service.on_call(session, hours, small_hours)] == ["Day", "Night"]


def test_a_phone_that_no_key_opens_is_left_out_and_told_of(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "log", logs := CapturingLogger())
    with parts.db.begin() as session:
        for name in ("First", "Second", "Third"):
            service.keep_phone(session, Phone(name, "+12025550104", on_call=True), NEW_YORK, **BY)
        session.execute(sa.text("UPDATE staff_phones SET number = 'x' WHERE name = 'Second'"))
    with parts.db.begin() as session:
        assert [p.name for p in service.phones(session)] == ["First", "Third"]
        on_call = service.on_call(session, read_anew(parts).hours(), TUESDAY)
        assert [p.name for p in on_call] == ["First", "Third"]
    told = CapturedCall("error", ("clinic.phone_not_read",), {"error": "UndecryptableError"})
    assert logs.calls == [told] * 2


@pytest.mark.parametrize(
    ("phone", "field"),
    [
        (Phone(" ", "+12025550101"), "name"),
        (Phone("x" * 81, "+12025550101"), "name"),
        (Phone("Desk", "+12025550101", rings=False), "rings"),
        (Phone("Desk", "+12025550101", "nights"), "shift"),
        (Phone("Desk", "+12025550101", "Mon 08:00-17:00; " * 20), "shift"),
    ],
)
def test_a_phone_that_cannot_be_kept_is_refused_by_its_field(parts: Parts, phone: Phone, field: str) -> None:
    with pytest.raises(ClinicError) as refused, parts.db.begin() as session:
        service.keep_phone(session, phone, NEW_YORK, **BY)
    assert refused.value.field == field
