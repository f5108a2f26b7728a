"""One timeline of a contact: what was written, said, planned, asked for, agreed and noted; newest first."""

from __future__ import annotations

import json
import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from nurseline.callbacks.models import CallbackAttempt, CallbackItem, CallbackOutcome, CallbackWords
from nurseline.consent.models import ConsentEvent
from nurseline.messaging.models import Call, CallStep, Contact, InboundMessage, OutboundEvent, OutboundMessage
from nurseline.messaging.to_contact import to_contact
from nurseline.staff.models import ContactNote
from nurseline.staff.queries.people import names_of

SHOWN = 50  # entries on one page
LAST_PAGE = 100_000  # far beyond any contact
PLANNED = ("scheduled", "claimed")
LEFT = ("skipped", "cancelled")
GRAVE = ("emergency", "urgent")
GRAVE_FOR = timedelta(hours=24)  # so long grave words stand at the top of the page
_MODELS: dict[str, Any] = {
    "inbound": InboundMessage,
    "outbound": OutboundMessage,
    "call": Call,
    "item": CallbackItem,
    "outcome": CallbackOutcome,
    "attempt": CallbackAttempt,
    "consent": ConsentEvent,
    "note": ContactNote,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One exchange of a call: what was heard (keys or speech), and what the line said next."""

    at: datetime
    heard: str
    said: str
    tier: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, or is planned. ``kind`` is a key of `_MODELS`, ``row`` its row.

    ``who``: the name of the person behind it, if there is one. ``words``: of an item, what was said first.
    """

    at: datetime
    kind: str
    row: Any
    who: str = ""
    words: str = ""
    steps: Sequence[Step] = ()

    @property
    def planned(self) -> bool:
        """Whether it has not happened yet."""
        return self.kind == "outbound" and self.row.status in PLANNED


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page of it, newest first. ``page`` counts from 1; ``count`` is of all pages."""

    entries: Sequence[Entry]
    page: int
    pages: int
    count: int


@dataclass(frozen=True, slots=True)
class Grave:
    """Words of the patient that may tell of an emergency, or of a worrying symptom."""

    at: datetime
    tier: str
    words: str
    source: str  # text | call


def timeline(session: Session, contact: Contact, *, page: int = 1) -> Timeline:
    """One page of what happened. The last page, if there is no such."""
    given = {"contact": contact.id, "hash": contact.number_hash}
    page = min(max(page, 1), LAST_PAGE)
    places = _places_of(session, given, page)
    if not places and page > 1:
        count = session.scalar(sa.select(sa.func.count()).select_from(_everything()), given) or 0
        page = max(1, math.ceil(count / SHOWN))
        places = _places_of(session, given, page)
    count = places[0].count if places else 0
    return Timeline(_entries(session, places), page, max(1, math.ceil(count / SHOWN)), count)


def _places_of(session: Session, given: dict[str, Any], page: int) -> Sequence[Any]:
    return session.execute(_page(), {**given, "skipped": (page - 1) * SHOWN, "most": SHOWN}).all()


def mark(session: Session, contact_id: uuid.UUID, number_hash: str) -> str:
    """Changes whenever the timeline could look different: one statement that opens no encrypted field."""
    row = session.execute(_mark(), {"contact": contact_id, "hash": number_hash}).one()
    return "-".join(str(one or 0) for one in row)


def grave(session: Session, contact: Contact, *, now: datetime) -> list[Grave]:
    """Grave words of the last day, newest first: what a nurse must see before anything else."""
    since = now - GRAVE_FOR
    texts = session.scalars(
        sa.select(InboundMessage)
        .where(
            InboundMessage.contact_id == contact.id,
            InboundMessage.received_at > since,
            InboundMessage.tier.in_(GRAVE),
        )
        .order_by(InboundMessage.received_at.desc())
        .limit(3)
    )
    said = session.scalars(
        sa.select(CallStep)
        .join(Call, Call.id == CallStep.call_id)
        .where(
            Call.contact_id == contact.id,
            Call.started_at > since - timedelta(hours=1),
            CallStep.at > since,
            CallStep.tier.in_(GRAVE),
        )
        .order_by(CallStep.at.desc())
        .limit(3)
    )
    found = [Grave(text.received_at, text.tier, text.body, "text") for text in texts]
    found += [Grave(step.at, step.tier, step.heard, "call") for step in said]
    return sorted(found, key=lambda one: (one.tier != "emergency", -one.at.timestamp()))


def spoken(said: str) -> str:
    """The words of a call step. It is stored as a list of [content versions, words]."""
    try:
        runs = json.loads(said) if said else []
        return "\n".join(str(words) for _versions, words in runs)
    except (ValueError, TypeError):
        return said


# Statements are built once: building them takes longer than the database does.
_CONTACT, _HASH = sa.bindparam("contact", type_=sa.Uuid), sa.bindparam("hash", type_=sa.String)


@cache
def _mark() -> sa.Select[Any]:
    mine, item = to_contact(_CONTACT), CallbackItem.contact_id == _CONTACT
    texts = _text(OutboundMessage.id, OutboundMessage.status, OutboundMessage.reason, OutboundMessage.answer)
    plan = _text(OutboundMessage.send_after, OutboundMessage.language, OutboundMessage.timezone)
    calls = _text(Call.id, Call.carrier_status, Call.seconds)
    items = _text(CallbackItem.id, CallbackItem.status, CallbackItem.outcome, CallbackItem.promised_at)
    tries = _text(CallbackAttempt.id, CallbackAttempt.result, CallbackAttempt.seconds)
    steps = sa.select(sa.func.count()).select_from(CallStep).join(Call, Call.id == CallStep.call_id)
    of_items = CallbackItem.id == CallbackOutcome.item_id
    about = _text(Contact.language, Contact.timezone, Contact.channel)
    parts = (
        _sum(about, Contact.id == _CONTACT),
        _count(InboundMessage.contact_id == _CONTACT),
        _sum(texts, mine),
        _sum(plan, mine),
        _sum(calls, Call.contact_id == _CONTACT),
        steps.where(Call.contact_id == _CONTACT),
        _sum(items, item),
        sa.select(sa.func.count()).select_from(CallbackOutcome).join(CallbackItem, of_items).where(item),
        _sum(tries, sa.and_(CallbackAttempt.item_id == CallbackItem.id, item)),
        _count(ConsentEvent.number_hash == _HASH),
        _count(ContactNote.contact_id == _CONTACT),
    )
    return sa.select(*(part.scalar_subquery() for part in parts))


@cache
def _everything() -> sa.Subquery:
    """When what happened: (at, kind, id, rank). Of one instant, a text comes before the answers to it."""
    item = CallbackItem.contact_id == _CONTACT
    of_outcome = sa.select(CallbackOutcome).join(CallbackItem, CallbackItem.id == CallbackOutcome.item_id)
    of_attempt = sa.select(CallbackAttempt).join(CallbackItem, CallbackItem.id == CallbackAttempt.item_id)
    rank = sa.cast(OutboundMessage.position + 1, sa.Integer)
    return sa.union_all(
        _places("inbound", InboundMessage.received_at, InboundMessage.contact_id == _CONTACT),
        _places("outbound", _when(), to_contact(_CONTACT), rank=rank),
        _places("call", Call.started_at, Call.contact_id == _CONTACT),
        _places("item", CallbackItem.created_at, item, rank=sa.literal(-1)),
        _places("outcome", CallbackOutcome.at, item, base=of_outcome, rank=sa.literal(99)),
        _places("attempt", CallbackAttempt.started_at, item, base=of_attempt),
        _places("consent", ConsentEvent.at, ConsentEvent.number_hash == _HASH),
        _places("note", ContactNote.at, ContactNote.contact_id == _CONTACT),
    ).subquery()


@cache
def _page() -> sa.Select[Any]:
    """One page of all, with the count of all in each row."""
    everything = _everything()
    newest_first = (everything.c.at.desc(), everything.c.rank.desc(), everything.c.id.desc())
    counted = sa.select(everything, sa.func.count().over().label("count"))
    skipped, most = (sa.bindparam(name, type_=sa.Integer) for name in ("skipped", "most"))
    return counted.order_by(*newest_first).offset(skipped).limit(most)


def _places(
    kind: str,
    at: sa.SQLColumnExpression[Any],
    which: ColumnElement[bool],
    *,
    base: sa.Select[Any] | None = None,
    rank: ColumnElement[int] | None = None,
) -> sa.Select[Any]:
    model = _MODELS[kind]
    columns: tuple[ColumnElement[Any], ...] = (
        at.label("at"),
        sa.literal(kind).label("kind"),
        sa.cast(model.id, sa.Text).label("id"),
        (sa.literal(0) if rank is None else rank).label("rank"),
    )
    chosen = (sa.select(model) if base is None else base).with_only_columns(*columns)
    return chosen.where(which)


def _when() -> ColumnElement[datetime]:
    """When a message goes, went, or was given up."""
    given_up = (
        sa.select(sa.func.max(OutboundEvent.at))
        .where(OutboundEvent.subject_id == OutboundMessage.id)
        .scalar_subquery()
    )
    return sa.case(
        (OutboundMessage.status.in_(PLANNED), OutboundMessage.send_after),
        (OutboundMessage.status.in_(LEFT), sa.func.coalesce(given_up, OutboundMessage.created_at)),
        else_=sa.func.coalesce(
            OutboundMessage.sending_at,
            sa.func.greatest(OutboundMessage.send_after, OutboundMessage.created_at),
        ),
    )


def _entries(session: Session, places: Sequence[Any]) -> list[Entry]:
    ids: dict[str, list[str]] = defaultdict(list)
    for place in places:
        ids[place.kind].append(place.id)
    rows = {kind: _rows(session, kind, wanted) for kind, wanted in ids.items()}
    names = names_of(
        session, {actor for kind in rows for row in rows[kind].values() if (actor := _actor(row))}
    )
    steps = _steps(session, [row.id for row in rows.get("call", {}).values()])
    words = _first_words(session, [row.id for row in rows.get("item", {}).values()])
    return [
        Entry(
            place.at,
            place.kind,
            row,
            names.get(_actor(row), ""),
            words.get(row.id, "") if place.kind == "item" else "",
            steps.get(row.id, ()) if place.kind == "call" else (),
        )
        for place in places
        if (row := rows[place.kind].get(place.id)) is not None
    ]


def _rows(session: Session, kind: str, ids: Iterable[str]) -> dict[str, Any]:
    model = _MODELS[kind]
    convert = model.__table__.c.id.type.python_type
    wanted = [convert(one) for one in ids]
    found = session.scalars(sa.select(model).where(model.id.in_(wanted)))
    return {str(row.id): row for row in found}


def _actor(row: Any) -> str:
    match row:
        case OutboundMessage():
            return row.written_by or ""
        case CallbackOutcome() | CallbackAttempt() | ContactNote():
            return row.staff_id
        case ConsentEvent():
            return row.actor
        case _:
            return ""


def _steps(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Step]]:
    found: dict[uuid.UUID, list[Step]] = defaultdict(list)
    if ids:
        in_order = sa.select(CallStep).where(CallStep.call_id.in_(ids))
        for row in session.scalars(in_order.order_by(CallStep.call_id, CallStep.step)):
            found[row.call_id].append(Step(row.at, row.heard, spoken(row.said), row.tier))
    return found


def _first_words(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    if not ids:
        return {}
    first = (
        sa.select(CallbackWords.item_id, CallbackWords.words)
        .ext(distinct_on(CallbackWords.item_id))
        .where(CallbackWords.item_id.in_(ids))
        .order_by(CallbackWords.item_id, CallbackWords.id)
    )
    return {row.item_id: row.words for row in session.execute(first)}


def _text(*columns: Any) -> ColumnElement[str]:
    return sa.func.concat_ws("|", *(sa.cast(column, sa.Text) for column in columns))


def _sum(text: ColumnElement[str], which: ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(sa.func.sum(sa.func.hashtext(text))).where(which)


def _count(which: ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(sa.func.count()).where(which)
