"""Search, files of injections and lists in Chromium: by keyboard, without script, at every width."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from nurseline.messaging.names import set_name
from tests.staff.conftest import Desk
from tests.staff.test_staff_enrolment import enrol
from tests.staff.test_staff_in_browser import Staffroom, staffroom

__all__ = ["staffroom"]
pytestmark = pytest.mark.browser
LONG_NAME = "Maria de los Angeles Featherstonehaugh-Wolfeschlegelsteinhausenbergerdorff"
TABLE = "\n".join((
    "phone;date;time;consent;name;reference;room for a very long column name that nobody needs",
    f"202-555-0123;2026-03-02;14:30;yes;{LONG_NAME};V-1;",
    "202-555-0124;2026-03-01;9:00 AM;yes;Ann Bell;V-2;",
    "202-555-0124;3/1/2026;09:00;yes;Ann Bell;V-2;",
    "nobody;2026-02-30;half past two;no;Cal Dorn;V-3;",
    "202-555-0126;" + "x" * 60 + ";14:30;yes;Eve Fox;V-4;",
))  # fmt: skip


def known(desk: Desk) -> None:
    """A contact with a name and an item."""
    desk.item("nurse", "please call")
    with desk.parts.db.begin() as session:
        set_name(session, desk.parts.keyring, desk.contact(), LONG_NAME)


def handed_in(page: Page, folder: Path) -> None:
    """Hand the table in."""
    file = folder / "injections.csv"
    file.write_text(TABLE, encoding="utf-8")
    page.goto("/staff/imports")
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("heading", name="What this file would do")).to_be_visible()


def test_a_patient_is_found_from_any_page_by_keyboard_and_back_leads_to_the_results(
    staffroom: Staffroom,
) -> None:
    known(staffroom.desk)
    page = staffroom.signed_in()
    page.get_by_label("Find a number, name or reference").focus()
    page.keyboard.type("maria feath")
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name=LONG_NAME)
    expect(link).to_be_visible()
    assert "maria" not in page.url.casefold()
    link.click()
    expect(page.get_by_role("heading", name="(•••) •••-0123")).to_be_visible()
    page.go_back()
    expect(link).to_be_visible()


def test_a_file_with_bad_rows_is_looked_at_and_imported_without_script(
    staffroom: Staffroom, tmp_path: Path
) -> None:
    page = staffroom.signed_in(java_script_enabled=False)
    handed_in(page, tmp_path)
    bad = page.get_by_role("table", name="What is wrong, by line of the file")
    expect(bad.get_by_role("row")).to_have_count(6)  # four cells of one row, one of another, and the head
    expect(page.get_by_text("line 4 (as 3)")).to_be_visible()
    page.get_by_role("button", name="Enrol 2 injections").click()
    expect(page.get_by_text("Tick this: messages need the patients' agreement.")).to_be_visible()
    page.get_by_label("Every patient marked “yes” heard this and agrees").check()
    page.get_by_role("button", name="Enrol 2 injections").click()
    expect(page.get_by_text("Imported: 2 injections enrolled. 2 bad rows left out.")).to_be_visible()
    handed_in(page, tmp_path)
    expect(page.get_by_text("2 rows are enrolled already")).to_be_visible()


def test_a_list_is_downloaded(staffroom: Staffroom) -> None:
    known(staffroom.desk)
    page = staffroom.page()
    staffroom.sign_in(page, "Sue", "supervisor")
    page.goto("/staff/exports")
    with page.expect_download() as download:
        page.get_by_role("button", name="Open items as CSV").click()
    assert download.value.suggested_filename == "open-items-2026-03-03.csv"


@pytest.mark.parametrize(
    ("width", "scheme"), [(360, "light"), (768, "dark"), (1280, "light"), (1600, "dark")]
)
def test_no_width_makes_these_pages_scroll_sideways(
    staffroom: Staffroom, tmp_path: Path, width: int, scheme: str
) -> None:
    known(staffroom.desk)
    enrol(staffroom.desk.signed_in("Ben"))
    page = staffroom.page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    staffroom.sign_in(page, "Sue Featherstonehaugh-Wolfeschlegelstein", "admin")

    def fits(name: str) -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, select, input:not([type=hidden]), summary")]
            .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 20)
            .map((one) => one.outerHTML)"""
        )
        assert small == [], name

    for path in ("/staff/exports", "/staff/imports", "/staff/search", "/staff/injections"):
        page.goto(path)
        fits(path)
    for typed in ("maria", "1001", "nobody at all"):
        page.goto("/staff/search")
        page.get_by_label("Phone number, name or reference").fill(typed)
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("status")).to_be_attached()
        fits(typed)
    handed_in(page, tmp_path)
    fits("preview")
