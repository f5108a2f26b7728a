"""What `codes.toml` says: which procedures count, and where agreement and time zone are told."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "codes.toml"


@dataclass(frozen=True, slots=True)
class Codes:
    """The lists of the file."""

    codes: frozenset[tuple[str, str]]
    words: tuple[str, ...]
    timezone: frozenset[str]
    agreed: frozenset[str]
    consent: tuple[str, str]

    def fit(self, concepts: Iterable[Any]) -> bool:
        """Whether one of the CodeableConcepts is a trigger point injection."""
        return any(self._fits(concept) for concept in concepts if concept is not None)

    def _fits(self, concept: Any) -> bool:
        codings = concept.coding or ()
        if any((coding.system, coding.code) in self.codes for coding in codings):
            return True
        said = [concept.text, *(coding.display for coding in codings)]
        plain = [" ".join(text.casefold().split()) for text in said if text]
        return any(word in text for text in plain for word in self.words)


@cache
def load_codes() -> Codes:
    """The lists, read once."""
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Codes(
        frozenset((group["system"], code) for group in found["codes"] for code in group["codes"]),
        tuple(found["words"]["any"]),
        frozenset(found["extensions"]["timezone"]),
        frozenset(found["extensions"]["agreed"]),
        (found["consent"]["system"], found["consent"]["code"]),
    )
