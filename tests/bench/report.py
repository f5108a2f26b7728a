"""What a run found: figures with their baselines, as a table and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside its baseline of the same run.

    ``ratio``: value by baseline. ``at_most``, ``at_least``: what the ratio must keep to, or the value where
    ``of`` says so. Without either it is only told.
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    baseline_name: str = ""
    at_most: float | None = None
    at_least: float | None = None
    of: str = "ratio"

    @property
    def ratio(self) -> float | None:
        """Value by baseline."""
        return None if not self.baseline else self.value / self.baseline

    @property
    def passed(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        measured = self.ratio if self.of == "ratio" else self.value
        if self.at_most is None and self.at_least is None:
            return None
        if measured is None:
            return False
        return (self.at_most is None or measured <= self.at_most) and (
            self.at_least is None or measured >= self.at_least
        )

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "passed": self.passed}


@dataclass
class Found:
    """What one benchmark found. ``details``: whatever else explains the figures."""

    part: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return all(figure.passed is not False for figure in self.figures)

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "passed": self.passed,
            "seconds": round(self.seconds, 1),
            "figures": [figure.as_json() for figure in self.figures],
            "details": self.details,
            "notes": self.notes,
        }


def machine() -> dict[str, Any]:
    """Where this runs and how busy it was when it began."""
    return {
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def of_blocks(values: Sequence[float], share: float, blocks: int) -> float:
    """The median, over blocks in the order of time, of each block's quantile: one bad moment counts once."""
    size = max(1, len(values) // blocks)
    parts = [values[start : start + size] for start in range(0, size * blocks, size)]
    return median(quantile(part, share) for part in parts if part)


def memory_of(pid: int) -> int:
    """Bytes of memory of a process and all its children; what several share counts once (Linux: Pss)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return 0
    own = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return own + sum(memory_of(int(child)) for child in children)


def cpu_seconds_of(pid: int) -> float:
    """What a process and its children that live have used of a processor (Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds_of(int(child)) for child in children)


def table(found: Sequence[Found]) -> str:
    """The figures in columns."""
    head = ("", "measured", "baseline", "ratio", "must be", "")
    rows: list[tuple[str, ...]] = [head]
    for part in found:
        rows.append((f"({part.part}) {part.title}", "", "", "", "", f"{part.seconds:.0f} s"))
        rows += [_row(figure) for figure in part.figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    notes = [f"({part.part}) {note}" for part in found for note in part.notes]
    return "\n".join([line.rstrip() for line in lines] + notes)


def _row(figure: Figure) -> tuple[str, ...]:
    said = {True: "ok", False: "MISSED", None: ""}[figure.passed]
    baseline = "" if figure.baseline is None else f"{_short(figure.baseline)} {figure.baseline_name}".rstrip()
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    what = "" if figure.of == "ratio" else " " + figure.unit
    limit = f"<= {figure.at_most:g}{what}" if figure.at_most is not None else ""
    limit = f">= {figure.at_least:g}{what}" if figure.at_least is not None else limit
    return (f"  {figure.name}", f"{_short(figure.value)} {figure.unit}", baseline, ratio, limit, said)


def _short(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
