"""One contact: messages, calls, items and consent, in the order in which things happened."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks.models import CallbackItem
from nurseline.consent import service as consent
from nurseline.consent.models import ConsentEvent, ConsentState
from nurseline.messaging.models import Call, CallStep, Contact, InboundMessage, OutboundMessage
from nurseline.phone import parse
from nurseline.staff.queries.people import names_of
from nurseline.staff.words import ACTORS

SHOWN = 200  # of each kind, the newest
PLANNED = frozenset({"scheduled", "claimed"})


@dataclass(frozen=True, slots=True)
class Step:
    """One exchange of a call: what was heard (keys or speech), and what the line said next."""

    at: datetime
    heard: str
    said: str
    tier: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the thread. Exactly one of the sources is set."""

    at: datetime
    inbound: InboundMessage | None = None
    outbound: OutboundMessage | None = None
    call: Call | None = None
    steps: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """One line of the consent ledger."""

    at: datetime
    kind: str
    method: str
    words: str
    who: str
    version: str


@dataclass(frozen=True, slots=True)
class ContactPage:
    """All that is known about one number. ``planned`` comes first to last, ``thread`` likewise."""

    contact: Contact
    number: str  # masked
    thread: Sequence[Entry]
    planned: Sequence[OutboundMessage]
    items: Sequence[CallbackItem]
    consent: ConsentState | None
    ledger: Sequence[ConsentLine] = field(default_factory=tuple)


def contact_page(session: Session, contact_id: uuid.UUID) -> ContactPage | None:
    """One contact; None if there is none with this id."""
    contact = session.get(Contact, contact_id)
    if contact is None:
        return None
    mine = OutboundMessage.contact_id == contact_id
    outbound = session.scalars(
        sa.select(OutboundMessage).where(mine).order_by(OutboundMessage.created_at.desc()).limit(SHOWN)
    ).all()
    gone = [m for m in outbound if m.status not in PLANNED]
    planned = sorted((m for m in outbound if m.status in PLANNED), key=lambda m: m.send_after)
    inbound = _inbound(session, contact_id)
    thread = [*inbound, *(Entry(went_at(m), outbound=m) for m in gone), *_calls(session, contact_id)]
    thread.sort(key=_order)
    items = session.scalars(
        sa.select(CallbackItem)
        .where(CallbackItem.contact_id == contact_id)
        .order_by(CallbackItem.created_at.desc())
        .limit(SHOWN)
    ).all()
    state = consent.state_of(session, contact.number_hash)
    ledger = _ledger(session, contact.number_hash)
    return ContactPage(contact, parse(contact.number).masked, thread, planned, items, state, ledger)


def went_at(message: OutboundMessage) -> datetime:
    """When a message went out, or would have gone."""
    return message.sending_at or max(message.send_after, message.created_at)


def _order(entry: Entry) -> tuple[datetime, int, int]:
    """By time; at the same instant a text comes before the answers to it, in their order."""
    position = entry.outbound.position if entry.outbound else 0
    return entry.at, 1 if entry.outbound else 0, position


def _inbound(session: Session, contact_id: uuid.UUID) -> list[Entry]:
    rows = session.scalars(
        sa.select(InboundMessage)
        .where(InboundMessage.contact_id == contact_id)
        .order_by(InboundMessage.received_at.desc())
        .limit(SHOWN)
    )
    return [Entry(row.received_at, inbound=row) for row in rows]


def _calls(session: Session, contact_id: uuid.UUID) -> list[Entry]:
    calls = session.scalars(
        sa.select(Call).where(Call.contact_id == contact_id).order_by(Call.started_at.desc()).limit(SHOWN)
    ).all()
    steps: dict[uuid.UUID, list[Step]] = defaultdict(list)
    if calls:
        in_order = (
            sa.select(CallStep)
            .where(CallStep.call_id.in_([call.id for call in calls]))
            .order_by(CallStep.step)
        )
        for row in session.scalars(in_order):
            steps[row.call_id].append(Step(row.at, row.heard, spoken(row.said), row.tier))
    return [Entry(call.started_at, call=call, steps=steps[call.id]) for call in calls]


def spoken(said: str) -> str:
    """The words of a call step. It is stored as a list of [content versions, words]."""
    try:
        runs = json.loads(said) if said else []
        return "\n".join(str(words) for _versions, words in runs)
    except (ValueError, TypeError):
        return said


def _ledger(session: Session, number_hash: str) -> list[ConsentLine]:
    events = session.scalars(
        sa.select(ConsentEvent)
        .where(ConsentEvent.number_hash == number_hash)
        .order_by(ConsentEvent.at.desc())
        .limit(SHOWN)
    ).all()
    names = names_of(session, (event.actor for event in events))
    return [
        ConsentLine(
            e.at,
            e.kind,
            e.method,
            e.words,
            names.get(e.actor, ACTORS.get(e.actor, "Somebody")),
            e.wording_version,
        )
        for e in events
    ]
