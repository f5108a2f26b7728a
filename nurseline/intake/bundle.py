"""A FHIR R4 Bundle as it comes in: taken apart, each resource checked by the library. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import ValidationError

from nurseline.intake.answers import Issue
from nurseline.intake.models_of_fhir import READ, model

MOST_BYTES = 2 * 1024 * 1024
MOST_ENTRIES = 500
TYPES = {"batch": "batch-response", "transaction": "transaction-response", "collection": "batch-response"}


class BundleError(ValueError):
    """Why a Bundle cannot be read at all."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.text)
        self.issue = issue


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. ``resource``: the library's, None where it is of a type not read here, or ``wrong``."""

    place: int
    kind: str
    urls: Sequence[str]
    resource: Any = None
    wrong: Issue | None = None

    @property
    def where(self) -> str:
        """The entry, as FHIRPath."""
        return f"Bundle.entry[{self.place}]"


@dataclass(frozen=True, slots=True)
class Taken:
    """A Bundle that was taken apart. ``all_or_none``: it is a transaction."""

    answer_type: str
    all_or_none: bool
    entries: Sequence[Entry]

    def of_kind(self, kind: str) -> Iterator[Any]:
        """The readable resources of a type."""
        return (entry.resource for entry in self.entries if entry.kind == kind and entry.resource)

    def patient(self, holder: Any, reference: str | None) -> Any:
        """The Patient that a resource refers to, contained in it or beside it in the Bundle; else None."""
        if not reference:
            return None
        if reference.startswith("#"):
            inside = holder.contained or ()
            found = (one for one in inside if one.id == reference[1:] and isinstance(one, model("Patient")))
            return next(found, None)
        found = (one.resource for one in self.entries if one.kind == "Patient" and reference in one.urls)
        return next(found, None)


def take(content: bytes) -> Taken:
    """Take a Bundle apart. Raises BundleError."""
    try:
        plain = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BundleError(Issue("structure", "The body is no JSON.")) from error
    if not isinstance(plain, dict) or plain.get("resourceType") != "Bundle":
        raise BundleError(Issue("structure", "A Bundle is needed.", where="Bundle"))
    kind = plain.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise BundleError(
            Issue(
                "not-supported",
                "A Bundle of type batch, transaction or collection is needed.",
                where="Bundle.type",
            )
        )
    entries = plain.get("entry", [])
    if not isinstance(entries, list):
        raise BundleError(Issue("structure", "Bundle.entry must be a list.", where="Bundle.entry"))
    if len(entries) > MOST_ENTRIES:
        raise BundleError(
            Issue("too-costly", f"At most {MOST_ENTRIES} entries are taken.", where="Bundle.entry")
        )
    return Taken(
        TYPES[kind], kind == "transaction", [_entry(place, one) for place, one in enumerate(entries)]
    )


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("no number of JSON")


def _entry(place: int, entry: Any) -> Entry:
    where = f"Bundle.entry[{place}]"
    resource = entry.get("resource") if isinstance(entry, dict) else None
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(resource, dict) or not isinstance(kind, str):
        return Entry(place, "", (), wrong=Issue("structure", "An entry needs a resource.", where=where))
    request = entry.get("request")
    if isinstance(request, dict) and request.get("method") not in {None, "POST", "PUT"}:
        text = "Only POST and PUT are taken. To take one back, send it as entered-in-error."
        return Entry(place, kind, (), wrong=Issue("not-supported", text, where=f"{where}.request.method"))
    if kind not in READ:
        return Entry(place, kind, ())
    try:
        read = model(kind).model_validate(resource)
    except (ValidationError, ValueError, RecursionError, TypeError, OverflowError) as error:
        return Entry(place, kind, (), wrong=_structure(kind, error, where))
    urls = [url for url in (entry.get("fullUrl"), f"{kind}/{read.id}" if read.id else None) if url]
    return Entry(place, kind, [url for url in urls if isinstance(url, str)], read)


def _structure(kind: str, error: Exception, where: str) -> Issue:
    """What the library found, without what was sent."""
    found = (
        error.errors(include_input=False, include_url=False, include_context=False)
        if isinstance(error, ValidationError)
        else []
    )
    told = [
        f"{'.'.join(str(part) for part in one['loc'])[:60]} ({one['type'].replace('_', ' ')})"
        for one in found[:5]
    ]
    return Issue(
        "structure", f"This is no {kind} of FHIR R4: {', '.join(told) or 'it cannot be read'}.", where=where
    )
