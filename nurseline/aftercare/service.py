"""Enrolling injections."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.aftercare.models import Injection
from nurseline.aftercare.plan import FUTURE_ALLOWED, STEPS, Due, plan_of
from nurseline.consent import service as consent
from nurseline.messaging import outbox
from nurseline.messaging.models import Contact
from nurseline.zones import UnknownZoneError, zone


class EnrolError(ValueError):
    """Why an injection cannot be enrolled. ``field``: the form field it concerns."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What staff say about an injection.

    ``performed_at``: aware instant. ``timezone``: IANA name, where the patient is. ``agreed``: the patient
    agreed to messages after hearing ``wording``, which is version ``wording_version`` of the consent text.
    """

    performed_at: datetime
    timezone: str
    language: str
    agreed: bool
    wording: str
    wording_version: str
    staff: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The injection, what was planned, and the steps that came too late to be useful."""

    injection_id: uuid.UUID
    planned: tuple[Due, ...]
    left_out: tuple[str, ...]


def enrol(session: Session, contact: Contact, entry: Enrolment, *, now: datetime) -> Enrolled:
    """Store the injection and its consent and plan its messages, all or nothing.

    Raises EnrolError (nothing is stored if the caller rolls back, as `Database.begin` does).
    """
    due = _checked(entry, now)
    record = consent.Record(
        contact.number_hash,
        now,
        "staff",
        entry.wording,
        actor=entry.staff,
        wording_version=entry.wording_version,
        language=entry.language,
    )
    try:
        consent.opt_in(
            session, record
        )  # before the plan: a STOP at the same moment then finds the plan, or forbids it
    except consent.OptedOutError as error:
        raise EnrolError("number", str(error)) from error
    injection_id = _insert(session, contact, entry, now)
    session.execute(
        sa.update(Contact)
        .where(Contact.id == contact.id)
        .values(timezone=entry.timezone, language=entry.language)
    )
    plans = [
        outbox.Plan(
            "reminder",
            d.step.content_id,
            entry.language,
            d.send_after,
            d.send_before,
            entry.timezone,
            injection_id=injection_id,
            step=d.step.name,
        )
        for d in due
    ]
    outbox.plan(session, contact, plans, at=now, actor=entry.staff)
    kept = {d.step.name for d in due}
    return Enrolled(injection_id, due, tuple(step.name for step in STEPS if step.name not in kept))


def _checked(entry: Enrolment, now: datetime) -> tuple[Due, ...]:
    if not entry.agreed:
        raise EnrolError("agreed", "messages need the patient's agreement")
    try:
        zone(entry.timezone)
    except UnknownZoneError as error:
        raise EnrolError("timezone", str(error)) from error
    if entry.performed_at.tzinfo is None:
        raise EnrolError("performed_at", "needs a time zone")
    if entry.performed_at > now + FUTURE_ALLOWED:
        raise EnrolError("performed_at", "is in the future; enrol an injection after it was performed")
    due = plan_of(entry.performed_at, now)
    if not due:
        raise EnrolError("performed_at", "is too long ago: no message would still be of use")
    return due


def _insert(session: Session, contact: Contact, entry: Enrolment, now: datetime) -> uuid.UUID:
    new = insert(Injection).values(
        id=uuid.uuid4(),
        contact_id=contact.id,
        performed_at=entry.performed_at,
        timezone=entry.timezone,
        language=entry.language,
        enrolled_at=now,
        enrolled_by=entry.staff,
    )
    made: uuid.UUID | None = session.scalar(
        new.on_conflict_do_nothing(index_elements=["contact_id", "performed_at"]).returning(Injection.id)
    )
    if made is None:
        raise EnrolError("performed_at", "this injection is enrolled already")
    return made
