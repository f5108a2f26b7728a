"""What another system is answered: FHIR's OperationOutcome, and a Bundle with one answer for each entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from nurseline.intake.models_of_fhir import model

Severity = Literal["error", "warning", "information"]
DIAGNOSTICS_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing to tell. ``code``: of FHIR's issue-type list; ``text``: never with a patient's data."""

    code: str
    text: str
    severity: Severity = "error"
    where: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """As FHIR writes it."""
        more = {"expression": [self.where]} if self.where else {}
        return {
            "severity": self.severity,
            "code": self.code,
            "diagnostics": self.text[:DIAGNOSTICS_LONGEST],
            **more,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one entry: an HTTP status and what there is to say."""

    status: HTTPStatus
    issue: Issue
    injection: str = ""


def outcome(*issues: Issue) -> dict[str, Any]:
    """An OperationOutcome, checked by the library."""
    plain = {"resourceType": "OperationOutcome", "issue": [issue.plain for issue in issues]}
    model("OperationOutcome").model_validate(plain)
    return plain


def response_bundle(kind: str, answers: Sequence[Answer]) -> dict[str, Any]:
    """One entry for each entry that came, in the same order."""
    entries = []
    for one in answers:
        response: dict[str, Any] = {
            "status": f"{one.status.value} {one.status.phrase}",
            "outcome": outcome(one.issue),
        }
        if one.injection:
            response["location"] = f"Injection/{one.injection}"
        entries.append({"response": response})
    plain: dict[str, Any] = {"resourceType": "Bundle", "type": kind}
    if entries:
        plain["entry"] = entries
    model("Bundle").model_validate(plain)
    return plain
