"""A file of injections is read as spreadsheets write it, and every bad cell is told in plain words."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurseline.aftercare.files import MOST_ROWS, TEMPLATE, FileError, Sheet, Terms, read_sheet

TERMS = Terms(frozenset({"US"}), ("en", "es"), "America/New_York")
HEADER = "phone,date,time,consent"
ROW = "202-555-0123,2026-03-02,14:30,yes"
AFTERNOON = datetime(2026, 3, 2, 19, 30, tzinfo=UTC)


def read(text: str, encoding: str = "utf-8") -> Sheet:
    return read_sheet(text.encode(encoding), TERMS)


def faults(text: str) -> list[tuple[int, str, str]]:
    return [(one.line, one.column, one.reason) for one in read(text).faults]


def fault(row: str, header: str = HEADER) -> tuple[str, str]:
    """What is wrong with a single row."""
    (one,) = read(f"{header}\n{row}\n").faults
    return one.column, one.reason


def test_the_template_can_be_read_as_it_is() -> None:
    sheet = read(TEMPLATE)
    assert not sheet.faults
    (one,) = sheet.asked
    assert (one.number, one.timezone, one.language, one.channel) == (
        "+12025550123",
        "America/New_York",
        "en",
        "text",
    )
    assert (one.name, one.reference, one.line) == ("First Last", "V-1001", 2)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"], ids=str
)
@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_every_way_a_spreadsheet_saves_it(encoding: str, separator: str, end: str) -> None:
    lines = [f"{HEADER},name", f"{ROW},José Núñez", ""]
    text = end.join(lines).replace(",", separator)
    (one,) = read(text, encoding).asked
    assert (one.name, one.performed_at, one.number) == ("José Núñez", AFTERNOON, "+12025550123")


def test_columns_stand_in_any_order_under_the_names_people_give_them() -> None:
    text = "Patient Name;CONSENTED;Performed_At;Mobile Phone;Room\nAnn;Y;3/2/2026 2:30 PM;(202) 555-0123;4\n"
    sheet = read(text)
    assert [(one.number, one.performed_at, one.name) for one in sheet.asked] == [
        ("+12025550123", AFTERNOON, "Ann")
    ]
    assert sheet.unread == ["Room"]


@pytest.mark.parametrize(
    ("day", "clock"),
    [
        ("2026-03-02", "14:30"),
        ("3/2/2026", "2:30 PM"),
        ("03/02/2026", "2:30pm"),
        ("2026-03-02", "14:30:59"),
        ("2026-03-02", "19:30Z"),
        ("2026-03-02", "13:30-06:00"),
        ("'2026-03-02", " 14:30 "),
    ],
)
def test_dates_and_times_as_they_are_written(day: str, clock: str) -> None:
    sheet = read(f"{HEADER}\n202-555-0123,{day},{clock},yes\n" if day[0] != "'" else f"{HEADER}\n{ROW}\n")
    assert [one.performed_at for one in sheet.asked] == [AFTERNOON]


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("12345678901234567890123456789012345678901234,2026-03-02,14:30,yes", "phone", "not a phone number"),
        (",2026-03-02,14:30,yes", "phone", "is missing"),
        ("800-555-0123,2026-03-02,14:30,yes", "phone", "toll-free"),
        ("+442079460000,2026-03-02,14:30,yes", "phone", "country"),
        ("2.02555E+09,2026-03-02,14:30,yes", "phone", "shortened by the spreadsheet"),
        ("=1+1,2026-03-02,14:30,yes", "phone", "formula"),
        ("202-555-0123,2026-02-30,14:30,yes", "date", "calendar does not have"),
        ("202-555-0123,25/03/2026,14:30,yes", "date", "month comes first"),
        ("202-555-0123,3/2/26,14:30,yes", "date", "two digits"),
        ("202-555-0123,46083,14:30,yes", "date", "Excel"),
        ("202-555-0123,yesterday,14:30,yes", "date", "not a date"),
        ("202-555-0123,1926-03-02,14:30,yes", "date", "year"),
        ("202-555-0123,,14:30,yes", "date", "is missing"),
        ("202-555-0123,２０２６-03-02,14:30,yes", "date", "not a date"),
        ("202-555-0123,2026-03-02,25:00,yes", "time", "not a time"),
        ("202-555-0123,2026-03-02,13:30 PM,yes", "time", "not a time"),
        ("202-555-0123,2026-03-02,,yes", "time", "is missing"),
        ("202-555-0123,2026-03-02,0.6041667,yes", "time", "Excel"),
        ("202-555-0123,2026-03-08,02:30,yes", "time", "clocks go forward"),
        ("202-555-0123,2026-03-02,14:30,", "consent", "is missing"),
        ("202-555-0123,2026-03-02,14:30,no", "consent", "without the patient's agreement"),
        ("202-555-0123,2026-03-02,14:30,maybe", "consent", "yes or no"),
        ("202-555-0123,2026-03-02,14:30,\0yes", "consent", "not text"),
        ("202-555-0123,2026-03-02,14:30,😀", "consent", "yes or no"),
        ("202-555-0123,2026-03-02,14:30,yes,more", "row", "more cells"),
    ],
)
def test_a_bad_cell_is_told_with_its_line_its_column_and_why(row: str, column: str, reason: str) -> None:
    found, why = fault(row)
    assert found == column
    assert reason.replace("go forward", "went forward") in why


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("time zone", "Mars/Phobos", "not the name of a time zone"),
        ("time zone", "../../etc/passwd", "not the name of a time zone"),
        ("language", "fr", "is none of en, es"),
        ("channel", "pigeon", "neither text nor call"),
        ("name", "x" * 81, "too long"),
        ("name", '=HYPERLINK("x")', "formula"),
        ("name", "two\nlines", "line end"),
        ("reference", "r" * 121, "too long"),
    ],
)
def test_a_bad_cell_of_a_column_that_may_be_left_out(column: str, cell: str, reason: str) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    found, why = fault(f"{ROW},{quoted}", f"{HEADER},{column}")
    assert (found, reason in why) == (column, True)


def test_every_bad_cell_of_every_row_is_told() -> None:
    text = f"{HEADER}\nnobody,never,late,no\n{ROW}\n\n202-555-0124,2026-03-02,,yes\n"
    assert [(line, column) for line, column, _ in faults(text)] == [
        (2, "phone"),
        (2, "date"),
        (2, "time"),
        (2, "consent"),
        (5, "time"),
    ]
    assert [one.line for one in read(text).asked] == [3]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    text = f'{HEADER},name\n{ROW},"a\nb"\n202-555-0124,never,14:30,yes,c\n'
    assert [(line, column) for line, column, _ in faults(text)] == [(2, "name"), (4, "date")]


def test_numbers_and_names_of_bad_rows_are_not_shown() -> None:
    (one,) = read(f"{HEADER}\n800-555-0123,2026-03-02,14:30,yes\n").faults
    assert not one.said
    (one,) = read(f"{HEADER}\n202-555-0123,never,14:30,yes\n").faults
    assert one.said == "never"


def test_the_same_injection_twice_in_a_file_counts_once() -> None:
    sheet = read(f"{HEADER}\n{ROW}\n+1 (202) 555 0123,3/2/2026,2:30 PM,Y\n")
    assert (len(sheet.asked), sheet.repeated, sheet.faults) == (1, {3: 2}, [])


def test_one_reference_for_two_injections_is_a_fault() -> None:
    text = f"{HEADER},reference\n{ROW},V-1\n202-555-0124,2026-03-02,14:30,yes,v-1\n"
    assert faults(text) == [(3, "reference", "stands in line 2 already, for another injection")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"\xd0\xcf\x11\xe0rest", "old Excel workbook"),
        (b"%PDF-1.7", "PDF"),
        (b"\x81\x8d\x8f", "letters"),
        (HEADER.encode(), "no rows"),
        (ROW.encode(), "does not name the columns"),
        (b"phone,date,time\n1,2,3", "\u201cconsent\u201d"),
        (b"phone,consent\n1,2", "\u201cdate\u201d and \u201ctime\u201d"),
        (b"phone,number,date,time,consent\n", "Two columns"),
        (b"phone,performed,date,consent\n", "Leave one of them out"),
        (f'{HEADER}\n"202-555-0123,2026-03-02'.encode(), "From line 2 on"),
        (f"{HEADER}\n".encode() + f"{ROW}\n".encode() * (MOST_ROWS + 1), "more than 5,000"),
        (b"x" * (2 * 1024 * 1024 + 1), "larger than 2 MB"),
    ],
)
def test_a_file_that_is_no_table_of_injections_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(FileError, match=reason):
        read_sheet(content, TERMS)


def test_the_line_by_which_excel_knows_the_separator_is_understood() -> None:
    sheet = read(f"sep=;\n{HEADER.replace(',', ';')}\n{ROW.replace(',', ';')}\n")
    assert [one.line for one in sheet.asked] == [3]


@given(st.binary(max_size=300))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    for start in (b"", HEADER.encode() + b"\n", b"\xff\xfe", b"sep="):
        with suppress(FileError):
            read_sheet(start + content, TERMS)


@given(st.lists(st.text(max_size=30), min_size=4, max_size=9))
def test_whatever_a_row_holds_is_read_or_told(cells: list[str]) -> None:
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    text = f"{HEADER},time zone,language,channel,name,reference\n{quoted}\n".encode("utf-8", "replace")
    try:
        sheet = read_sheet(text, TERMS)
    except FileError:
        return
    assert len(sheet.asked) + len({one.line for one in sheet.faults}) == sheet.rows
