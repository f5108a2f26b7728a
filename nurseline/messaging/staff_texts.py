"""Texts that staff write to a patient: who may be written to, and writing once.

Who may be written to (clinic.md 1.1: default deny for every outbound send):

* A number that has agreed to messages, and has not ended them.
* A number that was never asked, only as an answer: it wrote or called within the last three days, or asked
  for something that is still open.
* Never a number that has ended messages, or that the carrier refuses. That holds up to the moment of sending:
  a STOP that comes before it wins.

A text of staff is a reply to a patient: no quiet hours hold it back, and it goes before all reminders.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.consent import service as consent
from nurseline.messaging.models import Call, Contact, InboundMessage, OutboundMessage
from nurseline.messaging.outbox import Plan, plan
from nurseline.messaging.to_contact import OF_NO_INJECTION

LATELY = timedelta(days=3)  # so long a text or call of the patient's may be answered without consent
OF_USE = timedelta(hours=12)  # an answer that could not go by then would come out of nowhere
TALK = timedelta(hours=24)  # so long after a text of staff what the patient writes may answer it
MOST_TOLD = 5  # texts that came meanwhile
PURPOSE = "staff"
Leave = Literal["agreed", "asked", "ended", "blocked", "never"]
MAY: frozenset[Leave] = frozenset({"agreed", "asked"})


class RefusedError(ValueError):
    """This number must not be texted. ``why``: ended, blocked (by the carrier) or never (asked)."""

    def __init__(self, why: Leave) -> None:
        super().__init__(why)
        self.why = why


class SentOtherwiseError(ValueError):
    """The same form was sent before, with other words: those went, these did not."""


@dataclass(frozen=True, slots=True)
class Words:
    """What is texted. ``content``: ids and versions of what of it stands in the content files."""

    body: str
    content: str
    language: str


@dataclass(frozen=True, slots=True)
class Seen:
    """How many texts of staff, and of the patient, the writer had before their eyes."""

    staff: int
    patient: int


@dataclass(frozen=True, slots=True)
class Said:
    """A text that came while another was written. ``staff``: who wrote it; None for the patient."""

    at: datetime
    words: str
    staff: str | None


class OvertakenError(ValueError):
    """Colleagues, or the patient, have written since the page was opened. ``said``: what, newest first."""

    def __init__(self, said: Sequence[Said]) -> None:
        super().__init__("somebody was faster")
        self.said = said


def leave(session: Session, contact: Contact, *, now: datetime, asks: bool) -> Leave:
    """Whether staff may text this contact, and by what right. ``asks``: a request of theirs is open."""
    state = consent.state_of(session, contact.number_hash)
    if state is not None and state.status == "opted_out":
        return "ended"
    if state is not None:
        return "blocked" if state.carrier_blocked else "agreed"
    since = now - LATELY
    wrote = sa.exists().where(InboundMessage.contact_id == contact.id, InboundMessage.received_at > since)
    called = sa.exists().where(
        Call.contact_id == contact.id, Call.message_id.is_(None), Call.started_at > since
    )
    return "asked" if asks or session.scalar(sa.select(sa.or_(wrote, called))) else "never"


def write(
    session: Session,
    contact: Contact,
    words: Words,
    *,
    key: uuid.UUID,
    staff: str,
    seen: Seen | None,
    asks: bool,
    now: datetime,
) -> bool:
    """Put a text of ``staff`` into the outbox; False if the same form did so before.

    ``key``: of the form, so that a second press sends nothing. ``seen``: what its writer had seen; None if
    that is not known. Raises RefusedError, OvertakenError or SentOtherwiseError; then nothing is stored.
    """
    _lock(session, contact)
    message_id = uuid.uuid5(key, f"{contact.id} {staff}")
    before = session.get(OutboundMessage, message_id)
    if before is not None:
        if before.body != words.body:
            raise SentOtherwiseError
        return False
    why = leave(session, contact, now=now, asks=asks)
    if why not in MAY:
        raise RefusedError(why)
    if seen is not None and (said := _since(session, contact, seen, staff)):
        raise OvertakenError(said)
    text = Plan(
        PURPOSE,
        words.content,
        words.language,
        now,
        now + OF_USE,
        body=words.body,
        id=message_id,
        written_by=staff,
    )
    plan(session, contact, [text], at=now, actor=staff, cause="written by staff")
    return True


def _lock(session: Session, contact: Contact) -> None:
    """Let nobody else write to this contact until the transaction ends: the ledger first, as everybody."""
    consent.holds(session, contact.number_hash)
    row = sa.select(Contact.id).where(Contact.id == contact.id)
    session.execute(row.with_for_update(key_share=True))  # texts that come in do not wait for it


def _theirs(contact_id: uuid.UUID) -> sa.ColumnElement[bool]:
    """What staff wrote to this contact."""
    return sa.and_(
        OutboundMessage.contact_id == contact_id, OF_NO_INJECTION, OutboundMessage.purpose == PURPOSE
    )


def wrote_lately(session: Session, contact_id: uuid.UUID, *, now: datetime) -> bool:
    """Whether the patient has a text of staff before them, so that what they write may be its answer."""
    query = sa.exists().where(
        _theirs(contact_id),
        OutboundMessage.created_at > now - TALK,
        OutboundMessage.status.not_in(("skipped", "cancelled", "failed")),
    )
    return bool(session.scalar(sa.select(query)))


def seen_by_now(session: Session, contact_id: uuid.UUID) -> Seen:
    """What there is to see at this moment."""
    texts = sa.select(sa.func.count()).where(_theirs(contact_id))
    came = sa.select(sa.func.count()).where(InboundMessage.contact_id == contact_id)
    return Seen(session.scalar(texts) or 0, session.scalar(came) or 0)


def _since(session: Session, contact: Contact, seen: Seen, staff: str) -> list[Said]:
    """What came after ``seen``, newest first. Texts by ``staff`` themselves do not count."""
    there = seen_by_now(session, contact.id)
    said: list[Said] = []
    if there.staff > seen.staff:
        of_staff = sa.select(OutboundMessage).where(_theirs(contact.id))
        newest = of_staff.order_by(OutboundMessage.created_at.desc(), OutboundMessage.id.desc())
        texts = session.scalars(newest.limit(min(there.staff - seen.staff, MOST_TOLD)))
        others = (text for text in texts if text.written_by != staff)
        said += [Said(text.created_at, text.body or "", text.written_by or "") for text in others]
    if there.patient > seen.patient:
        of_patient = sa.select(InboundMessage).where(InboundMessage.contact_id == contact.id)
        last = of_patient.order_by(InboundMessage.received_at.desc(), InboundMessage.id.desc())
        came = session.scalars(last.limit(min(there.patient - seen.patient, MOST_TOLD)))
        said += [Said(text.received_at, text.body, None) for text in came]
    return sorted(said, key=lambda one: one.at, reverse=True)
