"""Reading a file of injections, as a spreadsheet saves it: what is asked for, and all that is wrong. Pure.

The first line names the columns, in any order. Encodings: UTF-8 with or without its mark, UTF-16 with its
mark (Excel's "Unicode text"), else Windows-1252. Columns are parted by commas, semicolons or tabs.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from nurseline.aftercare import cells
from nurseline.aftercare.bringing import Asked
from nurseline.aftercare.cells import CellError
from nurseline.zones import zone

MOST_BYTES = 2 * 1024 * 1024
MOST_ROWS = 5_000
# What a column is called here, and what else people call it; compared without signs and spaces.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "phone": ("phone number", "patient phone", "number", "mobile", "mobile phone", "cell", "telephone"),
    "date": ("performed date", "performed on", "injection date", "date of injection", "procedure date"),
    "time": ("performed time", "injection time", "time of injection", "procedure time"),
    "performed": ("performed at", "date time", "date and time", "performed date time"),
    "consent": ("agreed", "agrees", "agreement", "opt in", "consent to messages", "consented"),
    "time zone": ("zone", "tz", "iana zone"),
    "language": ("lang", "preferred language"),
    "channel": ("by", "text or call", "how"),
    "name": ("patient", "patient name", "full name"),
    "reference": ("visit", "visit number", "visit id", "procedure id", "encounter", "id"),
}  # fmt: skip
TEMPLATE = (
    "phone,date,time,consent,time zone,language,channel,name,reference\r\n"
    "202-555-0123,2026-03-05,14:30,yes,America/New_York,en,text,First Last,V-1001\r\n"
)
_SIGNS = re.compile(r"[\W_]+")
_NAMES = {_SIGNS.sub("", also): name for name, others in COLUMNS.items() for also in (name, *others)}
_BINARY = {
    b"PK\x03\x04": "an Excel workbook or another packed file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
}
TOO_WIDE = "has more cells than the first line names: a comma inside a cell needs quotation marks around it"
Read = TypeVar("Read")


class FileError(ValueError):
    """Why a file cannot be read at all: a sentence for the person who handed it in."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one cell. ``line``: of the file, counting from 1; ``said``: what the cell holds."""

    line: int
    column: str
    reason: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that was read. ``repeated``: lines that ask for the same as an earlier one, with that one.

    ``unread``: columns that mean nothing here and are left alone.
    """

    asked: Sequence[Asked]
    faults: Sequence[Fault]
    rows: int
    repeated: Mapping[int, int] = field(default_factory=dict)
    unread: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a clinic takes: regions of numbers, languages offered, and the zone meant where none is said."""

    regions: frozenset[str]
    languages: tuple[str, ...]
    timezone: str


def read_sheet(content: bytes, terms: Terms) -> Sheet:
    """What a file asks for. Raises FileError if it is no table of injections."""
    text = _decoded(content)
    columns, unread, records = _table(text)
    faults: list[Fault] = []
    found: list[Asked] = []
    rows = 0
    for line, record in records:
        if not any(cell.strip() for cell in record):
            continue
        rows += 1
        if rows > MOST_ROWS:
            raise FileError(f"The file has more than {MOST_ROWS:,} rows. Split it.")
        one = _Row(line, columns, record, terms).read(faults)
        found.extend([one] if one else [])
    if not rows:
        raise FileError("The file has no rows below the names of its columns.")
    asked, repeated = _single(found, faults)
    return Sheet(asked, faults, rows, repeated, unread)


def _single(found: Sequence[Asked], faults: list[Fault]) -> tuple[list[Asked], dict[int, int]]:
    """Each injection once, and the lines that repeat one."""
    asked: list[Asked] = []
    repeated: dict[int, int] = {}
    first_line: dict[tuple[str, datetime], int] = {}
    references: dict[str, int] = {}
    for one in found:
        same = first_line.setdefault((one.number, one.performed_at), one.line)
        if same != one.line:
            repeated[one.line] = same
            continue
        key = one.reference.casefold()
        if key and (other := references.setdefault(key, one.line)) != one.line:
            faults.append(
                Fault(one.line, "reference", f"stands in line {other} already, for another injection")
            )
            continue
        asked.append(one)
    faults.sort(key=lambda fault: fault.line)
    return asked, repeated


@dataclass(frozen=True, slots=True)
class _Columns:
    places: Mapping[str, int]
    width: int


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    columns: _Columns
    record: Sequence[str]
    terms: Terms

    def read(self, faults: list[Fault]) -> Asked | None:
        """The injection of this row; None, and what is wrong added to ``faults``, if there is anything."""
        before = len(faults)
        if any(cell.strip() for cell in self.record[self.columns.width :]):
            faults.append(Fault(self.line, "row", TOO_WIDE))
            return None
        number = self._cell("phone", faults, lambda text: cells.read_number(text, self.terms.regions))
        where = self._cell("time zone", faults, lambda text: cells.read_zone(text, self.terms.timezone))
        performed = self._performed(zone(where or self.terms.timezone), faults)
        self._cell("consent", faults, cells.read_agreed)
        offered = frozenset(self.terms.languages)
        language = self._cell(
            "language", faults, lambda text: cells.read_choice(text, offered, self.terms.languages[0])
        )
        channel = self._cell("channel", faults, cells.read_channel)
        name = self._cell("name", faults, lambda text: cells.read_short(text, cells.NAME_LONGEST))
        reference = self._cell(
            "reference", faults, lambda text: cells.read_short(text, cells.REFERENCE_LONGEST)
        )
        if len(faults) > before or not (number and performed and where and language):
            return None
        return Asked(
            self.line, number, performed, where, language, channel, name=name or "", reference=reference or ""
        )

    def _performed(self, there: ZoneInfo, faults: list[Fault]) -> datetime | None:
        if "performed" in self.columns.places:
            return self._cell("performed", faults, lambda text: cells.read_together(text, there))
        day = self._cell("date", faults, cells.read_day)
        if day is None:
            self._cell("time", faults, cells.read_clock)
            return None
        return self._cell("time", faults, lambda text: cells.at(day, text, there))

    def _cell(self, column: str, faults: list[Fault], read: Callable[[str], Read]) -> Read | None:
        place = self.columns.places.get(column)
        text = self.record[place] if place is not None and place < len(self.record) else ""
        try:
            return read(cells.clean(text))
        except CellError as error:
            # numbers and names are not shown, not even wrong ones
            said = "" if column in {"phone", "name"} else "".join(c for c in text[:40] if c.isprintable())
            faults.append(Fault(self.line, column, str(error), said))
            return None


def _decoded(content: bytes) -> str:
    if not content.strip():
        raise FileError("The file is empty.")
    if len(content) > MOST_BYTES:
        raise FileError(f"The file is larger than {MOST_BYTES // 1024 // 1024} MB. Split it.")
    for start, kind in _BINARY.items():
        if content.startswith(start):
            raise FileError(f"This is {kind}, not a CSV file. Save the table as “CSV UTF-8” and try again.")
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return content.decode("utf-16")
        if content.count(0) > len(content) // 4:  # UTF-16 without its mark: every other byte is none
            return content.decode("utf-16-le" if content[1:2] == b"\0" else "utf-16-be")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError as error:
        raise FileError(
            "The letters of the file cannot be read. Save it as “CSV UTF-8” and try again."
        ) from error


def _table(text: str) -> tuple[_Columns, list[str], Iterator[tuple[int, list[str]]]]:
    """The known columns and where they stand, the unknown ones, and the rows below with their lines."""
    if text[:4].casefold() == "sep=":  # a line that Excel understands
        separator, text = text[4:5], "\n" + text.partition("\n")[2]
        choices: Sequence[str] = [separator] if separator.strip(" \r\n") or separator == "\t" else [","]
    else:
        choices = (",", ";", "\t")
    first = text.lstrip("\r\n").partition("\n")[0].rstrip("\r")
    best = max(choices, key=lambda sign: sum(_known(cell) is not None for cell in _header(first, sign)))
    records = _records(text, best)
    header: list[str] = []
    for _, record in records:
        if any(cell.strip() for cell in record):
            header = record
            break
    columns, unread = _columns(header)
    return columns, unread, records


def _header(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def _known(cell: str) -> str | None:
    return _NAMES.get(_SIGNS.sub("", cell.casefold()))


def _columns(header: Sequence[str]) -> tuple[_Columns, list[str]]:
    columns: dict[str, int] = {}
    unread = []
    for place, cell in enumerate(header):
        name = _known(cell)
        if name is None:
            unread.extend([" ".join(cell.split())[:40]] if cell.strip() else [])
        elif name in columns:
            raise FileError(f"Two columns of the first line mean “{name}”. Leave one out.")
        else:
            columns[name] = place
    missing = [name for name in ("phone", "consent") if name not in columns]
    if "performed" not in columns:
        missing += [name for name in ("date", "time") if name not in columns]
    elif "date" in columns or "time" in columns:
        raise FileError("The first line names “performed” and also “date” or “time”. Leave one of them out.")
    if len(missing) == 4:
        raise FileError(
            "The first line does not name the columns. It must name phone, date, time and consent."
        )
    if missing:
        names = " and ".join(f"“{name}”" for name in missing)
        raise FileError(f"The first line names no column {names}. Nothing can be read without.")
    return _Columns(columns, len(header)), unread


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileError(
                f"From line {line} on the file cannot be read: a quotation mark there is not closed."
            ) from error
        yield line, record
