"""The result of a run: a short table for people, JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHOWN = 20  # offending rows that are printed for each rule; the JSON has all


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run. ``violations``: ids by rule; ``facts``: what a reader wants to know besides."""

    seed: int
    reminders: int
    facts: dict[str, Any]
    violations: dict[str, list[str]]

    @property
    def good(self) -> bool:
        return not any(self.violations.values())

    def table(self) -> str:
        """The short table."""
        width = max(len(name) for name in (*self.violations, *self.facts))
        lines = [f"  {name:<{width}}  {_shown(value)}" for name, value in self.facts.items()]
        lines.append("")
        lines += [f"  {name:<{width}}  {len(ids)}" for name, ids in self.violations.items()]
        for name, ids in self.violations.items():
            if ids:
                more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
                lines.append(f"\n  {name}: {' '.join(ids[:SHOWN])}{more}")
        return "\n".join(lines)

    def verdict(self) -> str:
        """One line."""
        if self.good:
            return f"seed {self.seed}: {self.reminders} reminders, nothing lost, nothing sent twice"
        broken = ", ".join(f"{name} {len(ids)}" for name, ids in self.violations.items() if ids)
        return f"seed {self.seed}: BROKEN: {broken}"

    def write(self, folder: Path, diary: list[tuple[float, str]]) -> Path:
        """Store it with what happened when; the file."""
        folder.mkdir(exist_ok=True)
        path = folder / f"chaos-{self.reminders}-seed-{self.seed}.json"
        whole = {
            "seed": self.seed,
            "reminders": self.reminders,
            "good": self.good,
            "facts": self.facts,
            "violations": self.violations,
            "diary": [{"second": at, "what": what} for at, what in diary],
        }
        path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        return path


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
