"""Supervisors keep the clinic's hours, holidays and telephones."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from nurseline.clinic import service
from nurseline.clinic.models import StaffPhone
from nurseline.staff.models import StaffAudit
from tests.staff.conftest import Desk


def phone_ids(desk: Desk) -> list[str]:
    with desk.parts.db.begin() as session:
        return [str(phone.id) for phone in service.phones(session)]


def add_phone(browser, name: str = "Front desk", **more: str):
    form = {"name": name, "number": "202-555-0171", "shift": "", "rings": "y", **more}
    return browser.post("/staff/clinic/phones", form, follow_redirects=True)


def test_new_hours_count_at_once(desk: Desk) -> None:
    browser = desk.signed_in(role="supervisor")
    assert "Mon-Fri 08:00-17:00" in browser.get("/staff/clinic").text
    answer = browser.post("/staff/clinic/hours", {"hours": "mon-fri 7:00-12:00"}, follow_redirects=True)
    assert "The hours are kept" in answer.text
    assert desk.parts.clinic.hours_text() == "Mon-Fri 07:00-12:00"


@pytest.mark.parametrize("hours", ["", "whenever", "Mon-Fri 17:00-08:00", "x" * 400])
def test_hours_that_cannot_be_read_are_shown_again_with_the_reason(desk: Desk, hours: str) -> None:
    browser = desk.signed_in(role="admin")
    browser.get("/staff/clinic")
    answer = browser.post("/staff/clinic/hours", {"hours": hours})
    assert answer.status_code == 422
    assert 'class="errors"' in answer.text
    assert hours in answer.text, "what was typed is kept"
    assert desk.parts.clinic.hours_text() == "Mon-Fri 08:00-17:00"


def test_hours_too_long_for_a_text_message_change_nothing(desk: Desk) -> None:
    browser = desk.signed_in(role="admin")
    browser.get("/staff/clinic")
    spec = "; ".join(f"{day} 08:00-12:00,13:0{n}-17:00" for n, day in enumerate(("Mon", "Tue", "Wed", "Thu")))
    assert browser.post("/staff/clinic/hours", {"hours": spec}).status_code == 422
    assert desk.parts.clinic.hours_text() == "Mon-Fri 08:00-17:00"


def test_a_holiday_is_added_and_removed(desk: Desk) -> None:
    browser = desk.signed_in(role="supervisor")
    browser.get("/staff/clinic")
    form = {"day": "2026-11-26", "intervals": "", "label": "Thanksgiving"}
    assert "Thanksgiving" in browser.post("/staff/clinic/days", form, follow_redirects=True).text
    assert desk.parts.hours.on(date(2026, 11, 26)) == ()
    browser.post("/staff/clinic/days/2026-11-26/remove")
    assert desk.parts.hours.on(date(2026, 11, 26)) != ()


@pytest.mark.parametrize(
    "form",
    [
        {"day": "", "intervals": "", "label": "Holiday"},
        {"day": "2020-01-01", "intervals": "", "label": "Holiday"},
        {"day": "2026-12-24", "intervals": "noon", "label": "Holiday"},
        {"day": "2026-12-24", "intervals": "", "label": ""},
        {"day": "tomorrow", "intervals": "", "label": "Holiday"},
    ],
)
def test_a_day_that_cannot_be_kept_is_shown_again_with_the_reason(desk: Desk, form: dict[str, str]) -> None:
    browser = desk.signed_in(role="supervisor")
    browser.get("/staff/clinic")
    answer = browser.post("/staff/clinic/days", form)
    assert answer.status_code == 422
    assert 'class="errors"' in answer.text


def test_telephones_are_added_changed_put_first_and_removed(desk: Desk) -> None:
    browser = desk.signed_in(role="admin")
    browser.get("/staff/clinic")
    assert "rings now" in add_phone(browser).text
    add_phone(browser, "Night", shift="Mon-Fri 20:00-22:00", on_call="y")
    first, second = phone_ids(desk)
    assert "Night" in browser.get(f"/staff/clinic/phones/{second}").text
    browser.post(f"/staff/clinic/phones/{second}/first")
    assert phone_ids(desk) == [second, first]
    changed = {"name": "Night nurse", "number": "202-555-0172", "shift": "", "rings": "y"}
    assert (
        "Night nurse" in browser.post(f"/staff/clinic/phones/{second}", changed, follow_redirects=True).text
    )
    with desk.parts.db.begin() as session:
        row = session.get_one(StaffPhone, service.phones(session)[0].id)
        assert (row.name, row.number, row.shift, row.on_call) == ("Night nurse", "+12025550172", "", False)
    browser.post(f"/staff/clinic/phones/{second}/remove")
    assert phone_ids(desk) == [first]


@pytest.mark.parametrize("more", [{"number": "911"}, {"number": ""}, {"shift": "nights"}, {"rings": ""}])
def test_a_telephone_that_cannot_be_kept_is_shown_again_with_the_reason(
    desk: Desk, more: dict[str, str]
) -> None:
    browser = desk.signed_in(role="admin")
    browser.get("/staff/clinic")
    form = {"name": "Front desk", "number": "202-555-0171", "shift": "", "rings": "y", **more}
    form = {name: value for name, value in form.items() if not (name == "rings" and value == "")}
    answer = browser.post("/staff/clinic/phones", form)
    assert answer.status_code == 422
    assert 'class="errors"' in answer.text
    assert phone_ids(desk) == []


def test_a_clinic_that_is_open_with_nobody_on_shift_sees_it(desk: Desk) -> None:
    browser = desk.signed_in(role="supervisor")
    browser.get("/staff/clinic")
    assert "nobody is on shift" in add_phone(browser, shift="Mon-Fri 20:00-22:00").text


@pytest.mark.parametrize("role", ["nurse", "scheduler"])
def test_nurses_and_schedulers_neither_see_nor_change_it(desk: Desk, role: str) -> None:
    browser = desk.signed_in(role=role)
    assert "/staff/clinic" not in browser.get("/staff/queue").text
    assert browser.get("/staff/clinic").status_code == 403
    assert browser.post("/staff/clinic/hours", {"hours": "Mon 08:00-17:00"}).status_code == 403


def test_who_changed_it_is_on_record(desk: Desk) -> None:
    browser = desk.signed_in(role="admin")
    browser.get("/staff/clinic")
    add_phone(browser)
    with desk.parts.db.begin() as session:
        assert "changed_clinic" in session.scalars(sa.select(StaffAudit.what)).all()


def test_the_lines_own_number_is_no_telephone_of_the_clinic(desk: Desk) -> None:
    browser = desk.signed_in("Sue", "supervisor")
    browser.get("/staff/clinic")
    own = desk.parts.settings.twilio_from
    form = {"name": "Alarm", "number": own, "on_call": "y"}
    answer = browser.post("/staff/clinic/phones", form)
    assert answer.status_code == 422
    assert "This is the line&#39;s own number." in answer.text
    assert phone_ids(desk) == []


@pytest.mark.parametrize("path", ["/staff/clinic/days/never/remove", "/staff/clinic/phones/x/first"])
def test_addresses_that_name_nothing_are_not_found(desk: Desk, path: str) -> None:
    browser = desk.signed_in(role="admin")
    browser.get("/staff/clinic")
    assert browser.post(path).status_code == 404
