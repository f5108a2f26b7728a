"""Reads the language files into Content, or says exactly which file and entry is at fault."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from nurseline.content.entries import Calendar, Channel, Content, ContentError, Entry, Language

FOLDER: Final = Path(__file__).parent
FIRST_LANGUAGE: Final = "en"

_ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_STRAY_BRACE = re.compile(r"\{(?![a-z_]+\})|(?<![a-z_])\}")
_FIELDS = frozenset(
    {"text", "voice", "label", "section", "source", "version", "author", "reviewer", "reviewed_on", "quotes"}
)
_REPLIES: Final = ("well", "question", "worse")
_PATTERNS: Final[Mapping[str, set[str]]] = {
    "one": {"clock"},
    "hour": {"clock"},
    "today": {"time"},
    "tomorrow": {"time"},
    "tonight": {"time"},
    "midnight": set(),
    "day": {"weekday", "month", "date", "time"},
    "range": {"first", "last"},
    "days": {"days", "times"},
}


@cache
def load_content() -> Content:
    """All languages that have a file in this folder. Read once per process. ContentError on a fault."""
    return parse_content({path.name: path.read_text("utf-8") for path in sorted(FOLDER.glob("??.toml"))})


def parse_content(files: Mapping[str, str]) -> Content:
    """Content from file names (`en.toml`) and their text. ContentError on a fault."""
    if f"{FIRST_LANGUAGE}.toml" not in files:
        file = f"{FIRST_LANGUAGE}.toml"
        raise ContentError(file, "", "is missing")
    names = sorted(files, key=lambda name: (name != f"{FIRST_LANGUAGE}.toml", name))
    languages = [_language(name, files[name]) for name in names]
    return Content(MappingProxyType({language.code: language for language in languages}))


def _language(file: str, text: str) -> Language:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ContentError(file, "", f"is not valid TOML: {error}") from None
    about = _table(data, "about", file)
    code = _text(about, "code", file, "about")
    if file != f"{code}.toml":
        raise ContentError(file, "about", f"code {code!r} does not match the file's name")
    raw = _table(data, "entry", file)
    replies = _table(data, "replies", file)
    entries = {
        entry.id: entry for entry in (_entry(entry_id, raw[entry_id], about, file) for entry_id in raw)
    }
    return Language(
        code=code,
        name=_text(about, "name", file, "about"),
        file=file,
        entries=MappingProxyType(entries),
        forbidden_words=frozenset(_texts(about, "forbidden_words", file, "about")),
        hints=_texts(about, "hints", file, "about"),
        replies=MappingProxyType({name: _texts(replies, name, file, "replies") for name in _REPLIES}),
        calendar=MappingProxyType(_calendars(data, file)),
    )


def _entry(entry_id: str, raw: object, about: Mapping[str, Any], file: str) -> Entry:
    if not _ID.fullmatch(entry_id):
        raise ContentError(file, entry_id, "an id is lower-case words joined by dots")
    if not isinstance(raw, dict):
        raise ContentError(file, entry_id, "is not a table")
    for name in raw.keys() - _FIELDS:
        raise ContentError(file, entry_id, f"has an unknown field {name!r}")
    fields = {"author": about.get("author"), "source": about.get("source"), **raw}
    version = fields.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ContentError(file, entry_id, "version must be a whole number from 1")
    entry = Entry(
        id=entry_id,
        text=_template(fields, "text", file, entry_id),
        voice=_template(fields, "voice", file, entry_id) if "voice" in fields else None,
        label=_text(fields, "label", file, entry_id),
        section=_text(fields, "section", file, entry_id),
        source=_text(fields, "source", file, entry_id),
        version=version,
        author=_text(fields, "author", file, entry_id),
        reviewer=_text(fields, "reviewer", file, entry_id, empty=True),
        reviewed_on=_text(fields, "reviewed_on", file, entry_id, empty=True),
        quotes=_texts(fields, "quotes", file, entry_id) if "quotes" in fields else (),
    )
    _signature(entry, file)
    return entry


def _signature(entry: Entry, file: str) -> None:
    if bool(entry.reviewer) != bool(entry.reviewed_on):
        raise ContentError(file, entry.id, "reviewer and reviewed_on go together")
    if entry.reviewed_on and not _DATE.fullmatch(entry.reviewed_on):
        raise ContentError(file, entry.id, "reviewed_on must look like 2030-01-31")


def _template(fields: Mapping[str, Any], name: str, file: str, entry_id: str) -> str:
    text = _text(fields, name, file, entry_id)
    if _STRAY_BRACE.search(text):
        raise ContentError(file, entry_id, f"{name} has a brace that is not a slot like {{clinic}}")
    if text != text.strip() or any(not line.isprintable() for line in text.split("\n")):
        raise ContentError(file, entry_id, f"{name} has blanks at its ends or control characters")
    return text


def _table(data: Mapping[str, Any], name: str, file: str) -> dict[str, Any]:
    table = data.get(name)
    if not isinstance(table, dict) or not table:
        raise ContentError(file, name, "the table is missing or empty")
    return table


def _text(fields: Mapping[str, Any], name: str, file: str, entry_id: str, *, empty: bool = False) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not (empty or value.strip()):
        raise ContentError(file, entry_id, f"{name} must be words" if not empty else f"{name} must be text")
    return value


def _texts(fields: Mapping[str, Any], name: str, file: str, entry_id: str) -> tuple[str, ...]:
    value = fields.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise ContentError(file, entry_id, f"{name} must be a list of texts")
    return tuple(value)


def _calendars(data: Mapping[str, Any], file: str) -> dict[Channel, Calendar]:
    tables = _table(data, "calendar", file)
    channels: tuple[Channel, ...] = ("text", "voice")
    return {channel: _calendar(_table(tables, channel, file), channel, file) for channel in channels}


def _calendar(raw: Mapping[str, Any], channel: str, file: str) -> Calendar:
    where = f"calendar.{channel}"
    for name, slots in _PATTERNS.items():
        if set(re.findall(r"\{([a-z]+)\}", _text(raw, name, file, where))) != slots:
            raise ContentError(file, where, f"{name} must use exactly {', '.join(sorted(slots))}")
    weekdays, short = _texts(raw, "weekdays", file, where), _texts(raw, "short_weekdays", file, where)
    months = _texts(raw, "months", file, where)
    if (len(weekdays), len(short), len(months)) != (7, 7, 12):
        raise ContentError(file, where, "needs 7 weekdays, 7 short_weekdays and 12 months")
    return Calendar(
        weekdays=weekdays,
        months=months,
        short_weekdays=short,
        parts=_parts_of_the_day(raw, file, where),
        **{name: raw[name] for name in _PATTERNS},
    )


def _parts_of_the_day(raw: Mapping[str, Any], file: str, where: str) -> tuple[tuple[int, str], ...]:
    """The words for each part of the day by the hour it begins; one of them begins at 0."""
    parts = raw.get("parts")
    hours = {str(hour): hour for hour in range(24)}
    if not isinstance(parts, dict) or "0" not in parts or not parts.keys() <= hours.keys():
        raise ContentError(file, where, "parts must give words for hours of the day, the first for 0")
    return tuple(sorted((hours[name], _text(parts, name, file, where)) for name in parts))
