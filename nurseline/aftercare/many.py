"""Enrolling many injections at once, as an import does, for a fraction of what one by one costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.aftercare.models import Injection
from nurseline.aftercare.plan import STEPS, Due, Step
from nurseline.aftercare.service import (
    EnrolError,
    Enrolled,
    Enrolment,
    checked,
    consent_record,
    enrol,
    left_out_of,
    plans_for,
)
from nurseline.consent import service as consent
from nurseline.crypto import Keyring
from nurseline.ids import new_id
from nurseline.messaging import outbox
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact


@dataclass(frozen=True, slots=True)
class Entry:
    """An injection of the patient with this number (E.164)."""

    number: str
    enrolment: Enrolment


@dataclass(frozen=True, slots=True)
class _Fresh:
    """An entry of a number that was never heard of, and what is planned for it."""

    place: int
    entry: Enrolment
    contact: Contact
    due: tuple[Due, ...]


def enrol_many(
    session: Session,
    keyring: Keyring,
    entries: Sequence[Entry],
    *,
    now: datetime,
    steps: Sequence[Step] = STEPS,
) -> list[Enrolled | EnrolError]:
    """Enrol injections, each all or nothing; what came of each, in the same order.

    The same as `service.enrol` for each, but numbers never heard of, for which there is nothing to compare,
    are written in one statement a table. A few hundred at once are a good measure: the ledger of every number
    stays locked until the transaction ends.
    """
    hashes = [keyring.number_hash(entry.number) for entry in entries]
    results: dict[int, Enrolled | EnrolError] = {}
    candidates = _candidates(entries, hashes, results, now, steps)
    for one, made in _write(session, _new_contacts(session, entries, candidates, now), now):
        results[one.place] = Enrolled(made.id, one.due, left_out_of(one.due, steps))
    # In the order of the ledger, as everybody locks several of its rows.
    for place in sorted(set(range(len(entries))) - set(results), key=lambda n: hashes[n]):
        try:
            with session.begin_nested():
                contact = contact_for(session, keyring, entries[place].number, at=now)
                results[place] = enrol(session, contact, entries[place].enrolment, now=now, steps=steps)
        except EnrolError as error:
            results[place] = error
    return [results[place] for place in range(len(entries))]


def _candidates(
    entries: Sequence[Entry],
    hashes: Sequence[str],
    results: dict[int, Enrolled | EnrolError],
    now: datetime,
    steps: Sequence[Step],
) -> list[_Fresh]:
    """Entries without a fault; the faults of the others go into ``results``."""
    found = []
    for place, (entry, number_hash) in enumerate(zip(entries, hashes, strict=True)):
        try:
            due = checked(entry.enrolment, now, steps)
        except EnrolError as error:
            results[place] = error
            continue
        found.append(_Fresh(place, entry.enrolment, Contact(id=new_id(), number_hash=number_hash), due))
    return found


def _new_contacts(
    session: Session, entries: Sequence[Entry], candidates: Sequence[_Fresh], now: datetime
) -> list[_Fresh]:
    """Make contacts of those that are not known yet; those. Of several for one number it is the first."""
    if not candidates:
        return []
    rows = [
        {
            "id": one.contact.id,
            "number_hash": one.contact.number_hash,
            "number": entries[one.place].number,
            "language": one.entry.language,
            "timezone": one.entry.timezone,
            "channel": one.entry.channel or "text",
            "first_seen_at": now,
        }
        for one in sorted(candidates, key=lambda one: one.contact.number_hash)
    ]
    new = insert(Contact).on_conflict_do_nothing(index_elements=[Contact.number_hash]).returning(Contact.id)
    made = set(session.scalars(new, rows))
    return [one for one in candidates if one.contact.id in made]


def _write(session: Session, fresh: Sequence[_Fresh], now: datetime) -> list[tuple[_Fresh, Injection]]:
    """Consent, injections and plans of new contacts. Where consent is known, that is left to the slow way."""
    records = [consent_record(one.contact, one.entry, now) for one in fresh]
    agreed = consent.opt_in_new(session, records)
    done = [(one, _injection(one, now)) for one in fresh if one.contact.number_hash in agreed]
    if done:
        columns = Injection.__table__.columns.keys()
        rows = [{name: getattr(made, name) for name in columns} for _, made in done]
        session.execute(sa.insert(Injection), rows)
    by_staff: dict[str, list[tuple[Contact, list[outbox.Plan]]]] = {}
    for one, made in done:
        by_staff.setdefault(one.entry.staff, []).append((one.contact, plans_for(made.id, one.due, one.entry)))
    for staff, plans in by_staff.items():
        outbox.plan_all(session, plans, at=now, actor=staff)
    return done


def _injection(one: _Fresh, now: datetime) -> Injection:
    return Injection(
        id=new_id(),
        contact_id=one.contact.id,
        performed_at=one.entry.performed_at,
        timezone=one.entry.timezone,
        language=one.entry.language,
        enrolled_at=now,
        enrolled_by=one.entry.staff,
    )
