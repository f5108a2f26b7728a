"""Enrolling injections.

Of several injections of one number only the latest has its messages sent. They tell the patient to watch for
the same signs, and later: so when an injection is enrolled, what remains planned for earlier ones of the
number is cancelled with the reason "replaced by a later injection". The order of enrolling does not matter.
One enrolled late, after a later injection whose messages are still planned, is stored with its own messages
cancelled for the same reason; it replaces nothing. A message on its way to the carrier is not called back,
but if it turns out not to have arrived it is not tried again.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.aftercare import again
from nurseline.aftercare.models import Injection
from nurseline.aftercare.plan import FUTURE_ALLOWED, STEPS, Due, Step, plan_of
from nurseline.consent import service as consent
from nurseline.ids import new_id
from nurseline.messaging import outbox
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.to_contact import to_contacts
from nurseline.zones import UnknownZoneError, zone

Channel = Literal["text", "call"]
REPLACED = "replaced by a later injection"
ALREADY = "this injection is enrolled already"


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
    ``channel``: text or call, as the patient wants it; None: as before, else by text.
    """

    performed_at: datetime
    timezone: str
    language: str
    agreed: bool
    wording: str
    wording_version: str
    staff: str
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The injection, what was planned, and the steps that came too late to be useful.

    ``replaced``: messages of earlier injections of the number that were cancelled for it.
    ``replaced_by_later``: a later injection has messages planned, so what was planned here is cancelled.
    """

    injection_id: uuid.UUID
    planned: tuple[Due, ...]
    left_out: tuple[str, ...]
    replaced: int = 0
    replaced_by_later: bool = False


def enrol(
    session: Session,
    contact: Contact,
    entry: Enrolment,
    *,
    now: datetime,
    steps: Sequence[Step] = STEPS,
) -> Enrolled:
    """Store the injection and its consent and plan its messages, all or nothing.

    ``steps``: the clinic's aftercare messages. What remains planned for earlier injections is replaced.
    Raises EnrolError (nothing is stored if the caller rolls back, as `Database.begin` does).
    """
    due = checked(entry, now, steps)
    try:  # before the plan: a STOP at the same moment then finds the plan, or forbids it
        consent.opt_in(session, consent_record(contact, entry, now))
    except consent.OptedOutError as error:
        raise EnrolError("number", str(error)) from error
    injection_id, is_again = _insert(session, contact, entry, now)
    session.execute(
        sa.update(Contact)
        .where(Contact.id == contact.id)
        .values(timezone=entry.timezone, language=entry.language, channel=entry.channel or Contact.channel)
    )
    plans = plans_for(injection_id, due, entry)
    if is_again:
        again.plan_again(session, contact, injection_id, plans, at=now, actor=entry.staff)
    else:
        outbox.plan(session, contact, plans, at=now, actor=entry.staff)
    replaced = replace_earlier(session, [contact.id], now, entry.staff)
    return enrolled(injection_id, due, steps, replaced[contact.id])


def enrolled(
    injection_id: uuid.UUID, due: tuple[Due, ...], steps: Sequence[Step], replaced: Counter[uuid.UUID]
) -> Enrolled:
    """What came of an injection. ``replaced``: cancelled messages of the number, by injection."""
    others = sum(replaced.values()) - replaced[injection_id]
    by_later = replaced[injection_id] > 0
    return Enrolled(injection_id, due, left_out_of(due, steps), others, replaced_by_later=by_later)


def consent_record(contact: Contact, entry: Enrolment, now: datetime) -> consent.Record:
    """What the ledger keeps of the agreement that goes with an injection."""
    return consent.Record(
        contact.number_hash,
        now,
        "staff",
        entry.wording,
        actor=entry.staff,
        wording_version=entry.wording_version,
        language=entry.language,
    )


def plans_for(injection_id: uuid.UUID, due: Sequence[Due], entry: Enrolment) -> list[outbox.Plan]:
    """The reminders of an injection, for the outbox."""
    return [
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


def left_out_of(due: Sequence[Due], steps: Sequence[Step]) -> tuple[str, ...]:
    """The names of those of ``steps`` that came too late to be useful."""
    kept = {d.step.name for d in due}
    return tuple(step.name for step in steps if step.name not in kept)


def replace_earlier(
    session: Session, contacts: Sequence[uuid.UUID], now: datetime, actor: str
) -> dict[uuid.UUID, Counter[uuid.UUID]]:
    """Cancel what is planned for all but the latest injection of a number that has messages planned.

    What is on its way is not tried again. How many, by contact and injection. The ledger is locked by now,
    so neither another enrolment nor a worker letting a message go is in between.
    """
    going = outbox.on_their_way(session, to_contacts(contacts), at=now)
    rows = session.execute(
        sa.select(
            OutboundMessage.id,
            Injection.contact_id,
            Injection.id.label("injection_id"),
            Injection.performed_at,
        )
        .join(Injection, OutboundMessage.injection_id == Injection.id)
        .where(
            Injection.contact_id == sa.any_(sa.literal(list(contacts), sa.ARRAY(sa.Uuid))),
            outbox.REMINDERS,
            sa.or_(OutboundMessage.status.in_(outbox.OPEN), OutboundMessage.id.in_(going)),
        )
    ).all()
    latest: dict[uuid.UUID, datetime] = {}
    for row in rows:
        if row.id not in going:
            latest[row.contact_id] = max(latest.get(row.contact_id, row.performed_at), row.performed_at)
    earlier = {row.id: row for row in rows if row.performed_at < latest.get(row.contact_id, row.performed_at)}
    left = {message: status for message, status in going.items() if message in earlier}
    outbox.not_again(session, left, at=now, reason=REPLACED, actor=actor)
    replaced: dict[uuid.UUID, Counter[uuid.UUID]] = defaultdict(Counter)
    for message in outbox.cancel(session, list(earlier), at=now, reason=REPLACED, actor=actor):
        replaced[earlier[message].contact_id][earlier[message].injection_id] += 1
    return replaced


def checked(entry: Enrolment, now: datetime, steps: Sequence[Step]) -> tuple[Due, ...]:
    """The messages to plan for an injection. Raises EnrolError if what was entered cannot be enrolled."""
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
    due = plan_of(entry.performed_at, now, steps)
    if not due:
        raise EnrolError("performed_at", "is too long ago: no message would still be of use")
    return due


def _insert(session: Session, contact: Contact, entry: Enrolment, now: datetime) -> tuple[uuid.UUID, bool]:
    """The injection, and whether it is one that was called off and is enrolled again."""
    new = insert(Injection).values(
        id=new_id(),
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
    if made is not None:
        return made, False
    same = (Injection.contact_id == contact.id, Injection.performed_at == entry.performed_at)
    values = {
        "timezone": entry.timezone,
        "language": entry.language,
        "enrolled_at": now,
        "enrolled_by": entry.staff,
    }
    renewed = sa.update(Injection).where(*same, again.is_called_off()).values(values)
    found: uuid.UUID | None = session.scalar(
        renewed.returning(Injection.id), execution_options={"synchronize_session": False}
    )
    if found is None:
        raise EnrolError("performed_at", ALREADY)
    return found, True
