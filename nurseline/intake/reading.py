"""What each entry of a Bundle asks for: an injection to enrol, messages to call off, or nothing. Pure.

A completed Procedure, or a fulfilled Appointment, that is coded as a trigger point injection was performed:
at ``performedDateTime`` or ``performedPeriod.end``; an Appointment at its ``end``. A day without a time,
or a time without a zone, is not enough to plan messages. One that is entered in error, was not done, was
cancelled or not attended, and one of a patient who has died, calls off what is planned under its identifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from nurseline.aftercare.bringing import SYSTEM_LONGEST, Asked
from nurseline.aftercare.cells import REFERENCE_LONGEST
from nurseline.intake import patients
from nurseline.intake.answers import Answer, Issue
from nurseline.intake.bundle import Entry, Taken
from nurseline.intake.codes import Codes
from nurseline.intake.patients import PatientError

PERFORMED = {"Procedure": "completed", "Appointment": "fulfilled"}
TAKEN_BACK = {
    "Procedure": frozenset({"entered-in-error", "not-done"}),
    "Appointment": frozenset({"entered-in-error", "cancelled", "noshow"}),
}
TIME = {"Procedure": "performedDateTime", "Appointment": "end"}


@dataclass(frozen=True, slots=True)
class Terms:
    """What the clinic takes: regions of numbers, languages offered, and the zone meant where none is said."""

    regions: frozenset[str]
    languages: tuple[str, ...]
    timezone: str
    codes: Codes
    now: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """What one entry asks for: one of an injection, a reference to call off, and an answer at once."""

    place: int
    where: str
    asked: Asked | None = None
    called_off: tuple[str, str] | None = None  # reference and its name space
    has_died: bool = False  # no other identifier of the visit stands then
    answer: Answer | None = None

    @property
    def failed(self) -> Issue | None:
        """What is wrong with it, if that is known already."""
        return self.answer.issue if self.answer and self.answer.issue.severity == "error" else None


def read(taken: Taken, terms: Terms) -> list[Wish]:
    """What each entry asks for, in the same order."""
    return [_wish(entry, taken, terms) for entry in taken.entries]


def _wish(entry: Entry, taken: Taken, terms: Terms) -> Wish:
    if entry.wrong:
        return Wish(entry.place, entry.where, answer=_refused(entry.wrong))
    if entry.kind not in PERFORMED or entry.resource is None:
        used = "Read for the others; not stored." if entry.resource else "This type is not read here."
        return Wish(entry.place, entry.where, answer=_ignored(used, entry.where))
    try:
        return _of_visit(entry, taken, terms)
    except PatientError as error:
        where = f"{entry.where}.resource" if not error.element else f"{entry.where}, {error.element}"
        return Wish(entry.place, entry.where, answer=_refused(Issue(error.code, str(error), where=where)))


def _of_visit(entry: Entry, taken: Taken, terms: Terms) -> Wish:
    one, kind = entry.resource, entry.kind
    reference, system = reference_of(one, kind)
    if one.status in TAKEN_BACK[kind]:
        return _taken_back(entry, reference, system, has_died=_is_known_dead(one, kind, taken))
    if one.status != PERFORMED[kind]:
        text = f"Nothing was performed yet: a {kind} is enrolled when it is {PERFORMED[kind]}."
        return Wish(entry.place, entry.where, answer=_ignored(text, entry.where))
    if not terms.codes.fit(_concepts(one, kind)):
        text = "This is not coded as a trigger point injection."
        return Wish(entry.place, entry.where, answer=_ignored(text, entry.where))
    patient = _patient(one, kind, taken)
    if patients.is_dead(patient):
        return _taken_back(entry, reference, system, has_died=True)
    performed = _performed(one, kind)
    if not patients.agreed(one, patient, taken, terms.codes, terms.now):
        raise PatientError("business-rule", "", "No agreement of the patient to messages is stated.")
    asked = Asked(
        entry.place,
        patients.mobile_of(patient, terms.regions, terms.now),
        performed,
        patients.zone_of(patient, terms.codes, terms.timezone),
        patients.language_of(patient, terms.languages),
        name=patients.name_of(patient),
        reference=reference,
        system=system,
    )
    return Wish(entry.place, entry.where, asked=asked)


def reference_of(one: Any, kind: str) -> tuple[str, str]:
    """What the other system calls it, and the name space of that: an identifier, else its id."""
    for identifier in sorted(one.identifier or (), key=lambda each: each.use != "official"):
        if identifier.value and identifier.use != "old":
            return _fitting(identifier.value, REFERENCE_LONGEST), _fitting(
                f"{kind} {identifier.system or ''}".strip(), SYSTEM_LONGEST
            )
    return (str(one.id), f"{kind} id") if one.id else ("", "")


def _fitting(text: str, longest: int) -> str:
    """As it is; one too long for its place is refused, not cut, so that two never become one."""
    plain = " ".join(str(text).split())
    if len(plain) > longest or not plain.isprintable():
        raise PatientError("value", "identifier", f"An identifier has at most {longest} plain characters.")
    return plain


def _concepts(one: Any, kind: str) -> Sequence[Any]:
    return [one.code] if kind == "Procedure" else list(one.serviceType or ())


def _patient(one: Any, kind: str, taken: Taken) -> Any:
    if kind == "Procedure":
        references = [one.subject.reference]
    else:
        actors = [participant.actor for participant in one.participant or ()]
        references = [actor.reference for actor in actors if actor is not None]
    found = [patient for each in references if (patient := taken.patient(one, each)) is not None]
    if len(found) != 1:
        raise PatientError("required", "", "The Bundle must hold the one Patient that it refers to.")
    return found[0]


def _is_known_dead(one: Any, kind: str, taken: Taken) -> bool:
    """Whether the Bundle says that the patient has died; what is taken back may come without one."""
    try:
        return patients.is_dead(_patient(one, kind, taken))
    except PatientError:
        return False


def _performed(one: Any, kind: str) -> datetime:
    at: Any = one.end if kind == "Appointment" else one.performedDateTime
    if kind == "Procedure" and one.performedPeriod is not None:
        at = one.performedPeriod.end
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise PatientError("required", TIME[kind], "A time of day with its zone is needed to plan messages.")
    try:
        return at.astimezone(UTC).replace(second=0, microsecond=0)
    except OverflowError as error:
        raise PatientError("value", TIME[kind], "This time cannot be right.") from error


def _taken_back(entry: Entry, reference: str, system: str, *, has_died: bool = False) -> Wish:
    if not reference:
        return Wish(entry.place, entry.where, answer=_ignored("Nothing is known under it.", entry.where))
    return Wish(entry.place, entry.where, called_off=(reference, system), has_died=has_died)


def _refused(issue: Issue) -> Answer:
    return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, issue)


def _ignored(text: str, where: str) -> Answer:
    return Answer(HTTPStatus.OK, Issue("informational", text, "information", where))
