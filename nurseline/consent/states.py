"""The hours of each state, from `state_hours.toml`. The state is that of the number's area code.

That is an approximation, said so in the file: a number is kept when its owner moves, and codes newer than
the table have the federal hours.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from functools import cache
from pathlib import Path
from types import MappingProxyType

from nurseline.consent.hours import Span, Week

FILE = Path(__file__).parent / "state_hours.toml"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NORTH_AMERICAN = re.compile(r"\+1(\d{3})\d{7}")
_SPAN = re.compile(r"\d\d:\d\d-\d\d:\d\d")


class StateHoursError(ValueError):
    """The file of hours cannot be read as it stands."""


@dataclass(frozen=True, slots=True)
class StateHours:
    """Hours by state, and the state by area code."""

    federal: Week
    weeks: Mapping[str, Week]
    area_codes: Mapping[str, str]

    def state_of(self, number: str) -> str | None:
        """The state (two letters) of an E.164 number, if it has hours of its own."""
        match = _NORTH_AMERICAN.fullmatch(number)
        return self.area_codes.get(match[1]) if match else None

    def week_of(self, number: str) -> Week:
        """The hours in which an E.164 number may get automated messages."""
        state = self.state_of(number)
        return self.weeks[state] if state else self.federal


@cache
def load_state_hours() -> StateHours:
    """The hours of the file. Raises StateHoursError naming what is wrong."""
    return read_state_hours(FILE.read_text(encoding="utf-8"))


def read_state_hours(text: str) -> StateHours:
    """Hours from the text of a file. Raises StateHoursError naming what is wrong."""
    try:
        data = tomllib.loads(text)
        states = data["state"]
        federal = _week("federal", data["federal"])
        weeks = {name: _week(name, entry) for name, entry in states.items()}
        codes = [(code, name) for name, entry in states.items() for code in entry["area_codes"].split()]
    except (tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError) as error:
        raise StateHoursError(f"{FILE.name}: {error}") from error
    if len(dict(codes)) != len(codes):
        raise StateHoursError(f"{FILE.name}: an area code stands in two places")
    return StateHours(federal, MappingProxyType(weeks), MappingProxyType(dict(codes)))


def _week(name: str, entry: Mapping[str, str]) -> Week:
    if unknown := entry.keys() - {"hours", "area_codes", *DAYS}:
        raise StateHoursError(f"{FILE.name}: {name}: {min(unknown)} is not a day")
    return tuple(_span(name, entry.get(day, entry["hours"])) for day in DAYS)


def _span(name: str, text: str) -> Span:
    try:
        if not _SPAN.fullmatch(text):
            raise ValueError(text)
        first, last = (time.fromisoformat(end) for end in text.split("-"))
    except ValueError as error:
        raise StateHoursError(f"{FILE.name}: {name}: {text!r} is no span such as 09:00-20:00") from error
    if first >= last:
        raise StateHoursError(f"{FILE.name}: {name}: {text!r} ends before it begins")
    return first, last
