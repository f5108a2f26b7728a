"""The library's models of FHIR R4 (R4B), loaded when first asked for.

They take 29 MB and a third of a second, which only the web process is to pay, not workers and commands.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

READ = ("Appointment", "Consent", "Patient", "Procedure")
ANSWERED = ("Bundle", "OperationOutcome")


@cache
def model(kind: str) -> Any:
    """The model of a resource type, one of `READ` and `ANSWERED`."""
    if kind not in READ + ANSWERED:
        raise LookupError(kind)
    return getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)


def load() -> None:
    """Load them all now, so that no request waits."""
    for kind in READ + ANSWERED:
        model(kind)
