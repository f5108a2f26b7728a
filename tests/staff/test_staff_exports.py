"""Lists for a spreadsheet: for whom, with what, and never a formula."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import sqlalchemy as sa

from nurseline.messaging.names import set_name
from nurseline.staff.csv_file import safe
from nurseline.staff.models import StaffAudit
from tests.staff.conftest import Browser, Desk
from tests.staff.test_staff_enrolment import enrol

NUMBER = "202-555-0123"


def listed(browser: Browser, name: str, **form: Any) -> list[dict[str, str]]:
    """The rows of a list as a spreadsheet reads them."""
    browser.get("/staff/exports")
    answer = browser.post(f"/staff/exports/{name}", form)
    assert answer.status_code == 200
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))


def recorded(desk: Desk) -> list[str]:
    with desk.parts.db.begin() as session:
        exported = StaffAudit.what.startswith("exported")
        return list(session.scalars(sa.select(StaffAudit.what).where(exported)))


@pytest.mark.parametrize("role", ["scheduler", "nurse"])
def test_lists_are_for_supervisors_and_administrators(desk: Desk, role: str) -> None:
    browser = desk.signed_in("Ada", role)
    assert browser.get("/staff/exports").status_code == 403
    assert browser.post("/staff/exports/items").status_code == 403
    assert "/staff/exports" not in browser.get("/staff/injections").text


def test_a_supervisor_gets_masked_numbers_and_no_words(desk: Desk) -> None:
    desk.item("nurse", "call me please")
    browser = desk.signed_in("Sue", "supervisor")
    (row,) = listed(browser, "items")
    assert row["Number"] == "(•••) •••-0123"
    assert "Words" not in row
    assert browser.post("/staff/exports/items", {"whole": "yes"}).status_code == 403
    assert recorded(desk) == ["exported"]


def test_an_administrator_may_ask_for_numbers_and_words_and_that_is_recorded(desk: Desk) -> None:
    desk.item("nurse", "=cmd|' /C calc'!A0")
    browser = desk.signed_in("Adm", "admin")
    (row,) = listed(browser, "items", whole="yes")
    assert (row["Number"], row["Words"]) == (NUMBER, "'=cmd|' /C calc'!A0")
    assert recorded(desk) == ["exported_numbers"]


def test_injections_are_listed_with_what_became_of_each_message(desk: Desk) -> None:
    nurse = desk.signed_in()
    enrol(nurse)
    contact = desk.contact()
    with desk.parts.db.begin() as session:
        set_name(session, desk.parts.keyring, contact, "@SUM(A1)")
    (row,) = listed(desk.signed_in("Adm", "admin"), "injections", whole="yes", days="7")
    assert row["24 hours: status"] in {"Planned", "Left out: too late"}
    assert row["1 week: status"] == "Planned"
    assert (row["Number"], row["Name"], row["Enrolled by"]) == (NUMBER, "'@SUM(A1)", "Ada")


def test_only_known_lists_and_spans_are_made(desk: Desk) -> None:
    browser = desk.signed_in("Adm", "admin")
    assert browser.post("/staff/exports/patients").status_code == 404
    assert browser.post("/staff/exports/injections", {"days": "99999"}).status_code == 400
    assert recorded(desk) == []


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "  =1", "＝1", '=HYPERLINK("x")']
)
def test_what_a_spreadsheet_would_run_is_quoted(cell: str) -> None:
    assert safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Ann", "202-555-0123", "(•••) •••-0123", "2026-03-05 14:30", "a=1"])
def test_the_rest_stays_as_it_is(cell: str) -> None:
    assert safe(cell) == cell
