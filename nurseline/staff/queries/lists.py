"""What the lists for a spreadsheet hold: open items, and injections with what became of their messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, selectinload

from nurseline.aftercare.models import Injection
from nurseline.aftercare.plan import Step
from nurseline.callbacks.models import OPEN, CallbackItem, CallbackWords
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.phone import national
from nurseline.staff.message_words import why
from nurseline.staff.queries.numbers import masked
from nurseline.staff.queries.people import names_of
from nurseline.staff.words import ANSWERS, ITEM_STATUS, MESSAGE_STATUS, REASONS, SOURCES, STEPS, said
from nurseline.zones import zone

Row = Sequence[object]
CHUNK = 1_000
ITEMS = (
    "Item",
    "Reason",
    "Status",
    "Came by",
    "Asked",
    "Promised",
    "Minutes past the promise",
    "Tries",
    "Who has it",
)
INJECTIONS = ("Performed", "Time zone", "Language", "Comes by", "Enrolled", "Enrolled by")  # fmt: skip
NUMBER = ("Number",)
PERSON = ("Number", "Name")
WORDS = ("Best time", "Words")


def open_items(session: Session, there: ZoneInfo, *, now: datetime, whole: bool) -> tuple[Row, list[Row]]:
    """Column names and rows of what is open, what to do next first. ``whole``: with numbers, names, words."""
    query = (
        sa.select(CallbackItem)
        .where(CallbackItem.status.in_(OPEN))
        .order_by(CallbackItem.priority, CallbackItem.promised_at)
        .options(selectinload(CallbackItem.contact))
    )
    items = session.scalars(query).all()
    words = _words(session, items) if whole else {}
    rows: list[Row] = []
    for item in items:
        late = int((now - item.promised_at).total_seconds() // 60)
        row: list[object] = [
            item.reference,
            said(REASONS, item.reason),
            said(ITEM_STATUS, item.status),
            said(SOURCES, item.source),
            _clock(item.created_at, there),
            _clock(item.promised_at, there),
            max(late, 0),
            item.attempts,
            item.claimed_name or "",
            *_person(item.contact, whole=whole),
        ]
        rows.append([*row, item.best_time, words.get(item.id, "")] if whole else row)
    return (*ITEMS, *(PERSON + WORDS if whole else NUMBER)), rows


def injections(
    session: Session, steps: Sequence[Step], since: datetime, *, whole: bool
) -> tuple[Row, list[Row]]:
    """Column names and rows of the injections enrolled since then, newest first, in the patients' zones."""
    query = sa.select(Injection).where(Injection.enrolled_at >= since)
    found = session.scalars(
        query.order_by(Injection.enrolled_at.desc(), Injection.id).options(selectinload(Injection.contact))
    ).all()
    names = names_of(session, (injection.enrolled_by for injection in found))
    rows: list[Row] = []
    for start in range(0, len(found), CHUNK):
        some = found[start : start + CHUNK]
        messages = _messages(session, some)
        rows += [
            [
                *_injection(one, names),
                *(cell for step in steps for cell in _step(one, messages.get((one.id, step.name)))),
                *_person(one.contact, whole=whole),
                *([one.outside_reference or ""] if whole else []),
            ]
            for one in some
        ]
    outcome = [f"{said(STEPS, step.name)}: {what}" for step in steps for what in ("status", "went", "answer")]
    return (*INJECTIONS, *outcome, *((*PERSON, "Reference") if whole else NUMBER)), rows


def _injection(one: Injection, names: dict[str, str]) -> list[object]:
    return [
        _clock(one.performed_at, zone(one.timezone)),
        one.timezone,
        one.language,
        one.contact.channel,
        _clock(one.enrolled_at, zone(one.timezone)),
        names[one.enrolled_by],
    ]


def _step(one: Injection, message: OutboundMessage | None) -> tuple[str, str, str]:
    if message is None:
        return "Left out: too late", "", ""
    status = said(MESSAGE_STATUS, message.status)
    reason = f"{status}: {why(message.reason)}" if message.reason else status
    went = _clock(message.sending_at, zone(one.timezone)) if message.sending_at else ""
    return reason, went, said(ANSWERS, message.answer)


def _messages(session: Session, some: Sequence[Injection]) -> dict[tuple[object, str], OutboundMessage]:
    """The last turn of each step tells how it stands."""
    query = sa.select(OutboundMessage).where(OutboundMessage.injection_id.in_([one.id for one in some]))
    rows = session.scalars(query.order_by(OutboundMessage.turn))
    return {(row.injection_id, row.step): row for row in rows if row.step}


def _words(session: Session, items: Sequence[CallbackItem]) -> dict[object, str]:
    """What the patient said last, by item."""
    ids = [item.id for item in items]
    query = (
        sa.select(CallbackWords)
        .where(CallbackWords.item_id.in_(ids))
        .ext(distinct_on(CallbackWords.item_id))
        .order_by(CallbackWords.item_id, CallbackWords.at.desc(), CallbackWords.id.desc())
    )
    return {row.item_id: row.words for row in session.scalars(query)}


def _person(contact: Contact | None, *, whole: bool) -> tuple[str, ...]:
    if contact is None:
        return ("no number", "") if whole else ("no number",)
    return (national(contact.number), contact.name or "") if whole else (masked(contact.number),)


def _clock(instant: datetime, there: ZoneInfo) -> str:
    """``2026-03-05 14:30``, which spreadsheets read as a date."""
    return f"{instant.astimezone(there):%Y-%m-%d %H:%M}"
