"""What a Patient and a Consent of a Bundle say that matters for messages. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from nurseline.aftercare.cells import NAME_LONGEST
from nurseline.intake.bundle import Taken
from nurseline.intake.codes import Codes
from nurseline.phone import parse
from nurseline.zones import UnknownZoneError, zone


class PatientError(ValueError):
    """Why messages cannot be planned for a patient. ``code``: FHIR's issue type; ``element``: which."""

    def __init__(self, code: str, element: str, text: str) -> None:
        super().__init__(text)
        self.code, self.element = code, element


def mobile_of(patient: Any, regions: frozenset[str], now: datetime) -> str:
    """The number that gets texts, in E.164: a telecom marked as mobile, or as sms, that is in use."""
    points = [
        point
        for point in patient.telecom or ()
        if point.value and point.use != "old" and not _is_over(point.period, now)
    ]
    fit = [p for p in points if p.system == "sms" or (p.system == "phone" and p.use == "mobile")]
    if not fit:
        raise PatientError("required", "Patient.telecom", "No mobile phone is marked as such.")
    first = min(fit, key=lambda point: point.rank or 1_000)
    found = parse(first.value, regions=regions)
    if found.kind != "person":
        raise PatientError("value", "Patient.telecom", "The mobile phone is no number that can be texted.")
    return found.e164


def language_of(patient: Any, offered: tuple[str, ...]) -> str:
    """The language to write in: the preferred one, else the only one, else the first that is offered."""
    spoken = sorted(patient.communication or (), key=lambda one: not one.preferred)
    codes = [coding.code for one in spoken[:1] for coding in one.language.coding or () if coding.code]
    if not codes:
        return offered[0]
    for code in codes:
        plain = code.partition("-")[0].casefold()
        if plain in offered:
            return str(plain)
    raise PatientError(
        "not-supported", "Patient.communication", "The line does not write in this patient's language."
    )


def zone_of(patient: Any, codes: Codes, default: str) -> str:
    """The IANA zone of the patient, or of an address; ``default`` where none is told."""
    for holder in (patient, *(patient.address or ())):
        for extension in holder.extension or ():
            if extension.url in codes.timezone:
                name = str(extension.valueCode or extension.valueString or "")
                try:
                    zone(name)
                except UnknownZoneError as error:
                    raise PatientError("value", "Patient.extension", "This is no IANA time zone.") from error
                return name
    return default


def name_of(patient: Any) -> str:
    """What to call the patient: the name in usual use, or the first."""
    names = sorted(patient.name or (), key=lambda one: ("usual", "official", None).index(_use(one.use)))
    for name in names:
        said = name.text or " ".join([*(name.given or ()), *([name.family] if name.family else [])])
        plain = "".join(c for c in said or "" if c.isprintable())
        if plain.strip():
            return " ".join(plain.split())[:NAME_LONGEST].strip()
    return ""


def is_dead(patient: Any) -> bool:
    """Whether the patient has died."""
    return bool(patient.deceasedBoolean) or patient.deceasedDateTime is not None


def agreed(holder: Any, patient: Any, taken: Taken, codes: Codes, now: datetime) -> bool:
    """Whether the patient's agreement to messages is stated, and nothing in the Bundle says otherwise.

    Stated by our extension with the value true, or by an active Consent of our category that permits. The
    extension with the value false, or a Consent that denies, is not active or is over, outweighs all else.
    """
    said = [
        extension.valueBoolean is True
        for one in (holder, patient)
        for extension in one.extension or ()
        if extension.url in codes.agreed
    ]
    said += [_permits(one, now) for one in _consents(patient, taken, codes)]
    return bool(said) and all(said)


def _consents(patient: Any, taken: Taken, codes: Codes) -> Iterable[Any]:
    for one in taken.of_kind("Consent"):
        mine = one.patient and taken.patient(one, one.patient.reference) is patient
        categories = (coding for concept in one.category or () for coding in concept.coding or ())
        if mine and any((coding.system, coding.code) == codes.consent for coding in categories):
            yield one


def _permits(consent: Any, now: datetime) -> bool:
    provision = consent.provision
    denies = provision is not None and (provision.type != "permit" or _is_over(provision.period, now))
    return consent.status == "active" and not denies


def _is_over(period: Any, now: datetime) -> bool:
    end = period.end if period else None
    if isinstance(end, datetime):
        return end.tzinfo is not None and end < now
    return isinstance(end, date) and end < now.date()


def _use(use: str | None) -> str | None:
    return use if use in {"usual", "official"} else None
