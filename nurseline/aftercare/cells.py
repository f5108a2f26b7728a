"""Reading one cell of a file of injections, as people and spreadsheets write it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import cast
from zoneinfo import ZoneInfo

from nurseline.aftercare.service import Channel
from nurseline.phone import Kind, parse
from nurseline.zones import LocalTimeError, UnknownZoneError, instant, zone

CELL_LONGEST = 200
NAME_LONGEST, REFERENCE_LONGEST = 80, 120
YES = frozenset({"yes", "y", "true", "1", "x", "agreed", "agrees", "si", "sí"})
NO = frozenset({"no", "n", "false", "0", "refused", "declined", "none"})
CHANNELS = {"text": "text", "sms": "text", "call": "call", "voice": "call", "phone": "call"}
_NOT_A_PATIENT: dict[Kind, str] = {
    "toll_free": "is a toll-free or service number, not a patient's own phone",
    "short_code": "is too short for a phone number: write all ten digits",
    "foreign": "is from a country that the line does not text",
    "anonymous": "is missing",
    "invalid": "is not a phone number: write all ten digits, like 202-555-0123",
}
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_US = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_SHORT_YEAR = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2}")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([ap])?\.?\s?m?\.?", re.IGNORECASE)
_SERIAL = re.compile(r"\d{5}([.,]\d+)?|0[.,]\d+")  # how Excel keeps dates and times inside
_OFFSET = re.compile(r"(.*\d)\s*(Z|[+-]\d{2}:?\d{2})", re.IGNORECASE)
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
NOT_A_DATE = "is not a date: write it like 2026-03-05 or 3/5/2026, month first"
NOT_A_TIME = "is not a time of day: write it like 14:30 or 2:30 PM"
INSIDE_EXCEL = "is how Excel keeps a date inside: give the column a date and time format and save again"
SKIPPED = "did not exist on that day: the clocks went forward over it"


class CellError(ValueError):
    """Why a cell cannot be read: the rest of a sentence that begins with the column's name."""


def clean(text: str) -> str:
    """The cell without what surrounds it. Raises CellError if it holds no plain text."""
    text = text.strip().strip("\u00a0\u200e\u200f\ufeff").strip()
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise CellError("holds a line end or another character that is not text")
    if any(0xD800 <= ord(c) <= 0xDFFF or c == "\ufffd" for c in text):
        raise CellError("holds a character that could not be read")
    if len(text) > CELL_LONGEST:
        raise CellError(f"is too long: {len(text)} characters, {CELL_LONGEST} fit")
    if text.startswith("="):
        raise CellError("is a formula: save its value instead")
    # the quote that keeps spreadsheets, and our own exports, from taking a value for a formula
    return text[1:] if text.startswith(("'=", "'+", "'-", "'@")) else text


def read_number(text: str, regions: frozenset[str]) -> str:
    """The number in E.164, however it is written. Raises CellError unless it is a person's own phone."""
    if "E+" in text.upper() and "," not in text:  # 2.02556E+09: a spreadsheet has rounded it
        raise CellError("was shortened by the spreadsheet: give the column a text format and save again")
    found = parse(text, regions=regions)
    if found.kind != "person":
        raise CellError(_NOT_A_PATIENT[found.kind])
    return found.e164


def read_zone(text: str, default: str) -> str:
    """The IANA name of a zone; ``default`` for an empty cell."""
    if not text:
        return default
    try:
        zone(text)
    except UnknownZoneError as error:
        raise CellError(str(error)) from error
    return text


def read_choice(text: str, offered: frozenset[str], default: str) -> str:
    """One of ``offered``, small letters; ``default`` for an empty cell."""
    choice = text.casefold() or default
    if choice not in offered:
        raise CellError(f"is none of {', '.join(sorted(offered))}")
    return choice


def read_channel(text: str) -> Channel | None:
    """Text or call; None for an empty cell."""
    if not text:
        return None
    if (found := CHANNELS.get(text.casefold())) is None:
        raise CellError("is neither text nor call")
    return cast(Channel, found)


def read_agreed(text: str) -> None:
    """Pass only if the cell says that the patient agreed."""
    said = text.casefold()
    if said in YES:
        return
    if said in NO:
        raise CellError("says no: without the patient's agreement nothing is sent")
    raise CellError("must say yes or no" if said else "is missing: it must say yes")


def read_short(text: str, longest: int) -> str:
    """A name or reference, with single spaces."""
    tidy = " ".join(text.split())
    if len(tidy) > longest:
        raise CellError(f"is too long: {len(tidy)} characters, {longest} fit")
    return tidy


def read_together(text: str, there: ZoneInfo) -> datetime:
    """Date and time in one cell, on the clock of ``there`` unless it says its own offset."""
    if not text:
        raise CellError("is missing")
    if _SERIAL.fullmatch(text):
        raise CellError(INSIDE_EXCEL)
    apart = re.fullmatch(r"(\S+?)(?:T|\s+)(\S.*)", text, re.IGNORECASE)
    if apart is None:
        read_day(text)  # says what is wrong with it, if it is no date
        raise CellError("has a date without a time of day")
    return at(read_day(apart[1]), apart[2], there)


def at(day: date, clock: str, there: ZoneInfo) -> datetime:
    """The UTC instant of a day and a time of day, which may bring an offset (Z, -05:00)."""
    offset = _OFFSET.fullmatch(clock) if ":" in clock else None
    local = datetime.combine(day, read_clock(offset[1] if offset else clock))
    if offset:
        try:
            there_then = datetime.fromisoformat(f"{local.isoformat()}{offset[2].upper()}")
            return there_then.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise CellError("has an offset that no clock has") from error
    try:
        return instant(local, there)
    except LocalTimeError as error:
        raise CellError(SKIPPED) from error


def read_day(text: str) -> date:
    """``2026-03-05``, or ``3/5/2026`` as the United States write it. Raises CellError."""
    if not text:
        raise CellError("is missing")
    if _SERIAL.fullmatch(text):
        raise CellError(INSIDE_EXCEL)
    if _SHORT_YEAR.fullmatch(text):
        raise CellError("has a year of two digits: write four, like 3/5/2026")
    if text.isascii() and (match := _ISO.fullmatch(text)):
        year, month, day = map(int, match.groups())
    elif text.isascii() and (match := _US.fullmatch(text)):
        month, day, year = map(int, match.groups())
        if month > 12 >= day:
            raise CellError("has no such month: the month comes first, like 3/25/2026")
    else:
        raise CellError(NOT_A_DATE)
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise CellError("has a year that cannot be right")
    try:
        return date(year, month, day)
    except ValueError as error:
        raise CellError("is a day that the calendar does not have") from error


def read_clock(text: str) -> time:
    """``14:30`` or ``2:30 PM``; seconds are dropped. Raises CellError."""
    if not text:
        raise CellError("is missing")
    if _SERIAL.fullmatch(text):
        raise CellError(INSIDE_EXCEL)
    match = _CLOCK.fullmatch(text.strip()) if text.isascii() else None
    if match is None:
        raise CellError(NOT_A_TIME)
    hour, minute, half = int(match[1]), int(match[2]), (match[4] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise CellError(NOT_A_TIME)
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 or minute > 59:
        raise CellError(NOT_A_TIME)
    return time(hour, minute)
