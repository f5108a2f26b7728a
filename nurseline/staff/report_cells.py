"""What the tables of a report are made of: cells with their plain values. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nurseline.reports import charts
from nurseline.reports.figures import Share
from nurseline.staff.report_words import lasting

NONE = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """What a page shows, and the plain value for a spreadsheet. ``bar``: a drawing of it, beside it."""

    text: str
    raw: object = None
    bar: Markup | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Some figures. ``note``: what they mean and where they come from; ``units``: of columns, by number.

    ``empty``: nothing happened, so that ``nothing`` stands there instead.
    """

    key: str
    title: str
    note: str
    header: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    charts: Sequence[tuple[str, Markup]] = ()
    units: tuple[tuple[int, str], ...] = ()
    empty: bool = False
    nothing: str = ""

    @property
    def csv_header(self) -> list[str]:
        """The header with units."""
        units = dict(self.units)
        return [f"{name} ({units[n]})" if n in units else name for n, name in enumerate(self.header)]

    @property
    def csv_rows(self) -> list[list[object]]:
        """The plain values."""
        return [[cell.text if cell.raw is None else cell.raw for cell in row] for row in self.rows]


def count(number: int, bar: Markup | None = None) -> Cell:
    """A number, with a drawing of it if there is one."""
    return Cell(f"{number:,}", number, bar)


def percent(share: Share, *, drawn: bool = False) -> Cell:
    """A share; ``drawn``: with a bar."""
    if share.percent is None:
        return Cell(NONE, "")
    bar = charts.bar(share.part, share.whole) if drawn else None
    return Cell(f"{share.percent:.1f} %", round(share.percent, 2), bar)


def time(seconds: float | None) -> Cell:
    """A length of time, in seconds for a spreadsheet."""
    return Cell(NONE, "") if seconds is None else Cell(lasting(seconds), round(seconds, 1))


def met(value: float | None, limit: float, nothing: str) -> Cell:
    """Whether a standard is met; ``nothing``: what is said where there is nothing to measure."""
    if value is None:
        return Cell(nothing)
    return Cell("Yes" if value <= limit else "No")
