"""Messages that a person should look at: of unknown outcome, failed, or not delivered."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, selectinload
from sqlalchemy.sql import ColumnElement

from nurseline.carrier.errors import meaning_of
from nurseline.consent import service as consent
from nurseline.db import Unreadable
from nurseline.messaging.answers import SILENCE
from nurseline.messaging.decisions import BY_STAFF, undecided
from nurseline.messaging.followups import ONCE_MORE, in_time, next_turn_id
from nurseline.messaging.models import OutboundEvent, OutboundMessage
from nurseline.messaging.outbox import ANSWERS, GIVEN_UP
from nurseline.messaging.reconcile import MISSED, NOT_READ, NOT_THERE
from nurseline.messaging.timing import useful
from nurseline.staff.message_words import caused, why
from nurseline.staff.queries.contacts import went_at
from nurseline.staff.queries.numbers import masked
from nurseline.staff.queries.people import names_of
from nurseline.staff.words import MESSAGE_STATUS, REFUSALS, said

BACK = timedelta(days=30)
SHOWN = 50  # on one page
COUNTED = 1000  # beyond that nobody needs the exact number, and counting would take longer than all the rest
# Errors after which the same text to the same number fails again, or must not be sent unchanged.
FOR_GOOD = frozenset({"recipient", "no_texts", "opted_out", "content"})


@dataclass(frozen=True, slots=True)
class Check:
    """One such message. ``number`` is masked; ``known`` says what is known in a sentence."""

    message: OutboundMessage
    number: str
    at: datetime
    known: str


@dataclass(frozen=True, slots=True)
class Checks:
    """One page of them. ``page`` counts from 1; ``count`` is of all pages, at most `COUNTED`.

    ``more``: there is another page; ``uncounted``: there are more than ``count``.
    """

    rows: Sequence[Check]
    page: int
    pages: int
    count: int
    more: bool
    uncounted: bool


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a message's history. ``who`` is empty for the line itself."""

    at: datetime
    what: str
    who: str


@dataclass(frozen=True, slots=True)
class Looks:
    """What looking into the carrier's list gave. ``missed``: how often a whole list did not hold the message.

    ``last``: when it was read the last time; ``again``: when it is read the next time.
    """

    missed: int
    unread: int
    last: datetime | None
    again: datetime | None


@dataclass(frozen=True, slots=True)
class MessagePage:
    """One message with all that is known. ``open``: staff have something to decide about it.

    ``not_again``: why it cannot be sent again (a key of `words.NOT_AGAIN`), empty if it can.
    ``by_call``: sent again, it would be a call.
    """

    message: OutboundMessage
    number: str
    at: datetime
    known: str
    answer: str
    looks: Looks
    history: Sequence[Happening]
    open: bool
    not_again: str
    by_call: bool


def messages_to_check(session: Session, *, now: datetime, page: int = 1) -> Checks:
    """Those of the last 30 days: unknown ones first, then the newest. The last page, if there is no such.

    One that is sent again by itself is left out: if that fails too, it is there instead. Both parts are read
    along the index, so that a page takes as long however many are waiting.
    """
    wanted = (OutboundMessage.created_at > now - BACK, _not_followed())
    unknown = (undecided(), OutboundMessage.status == "unknown", *wanted)
    failed = (undecided(), OutboundMessage.status != "unknown", *wanted)
    most = COUNTED + 1
    first = _count(session, unknown, most)
    count = first if first == most else first + _count(session, failed, most - first)
    uncounted = count == most
    pages = max(1, math.ceil(min(count, COUNTED) / SHOWN))
    page = min(max(page, 1), pages)
    skipped = (page - 1) * SHOWN
    rows = _newest(session, unknown, skipped, SHOWN + 1)
    if len(rows) <= SHOWN:
        rows += _newest(session, failed, max(0, skipped - first), SHOWN + 1 - len(rows))
    checks = [Check(row, masked(row.contact.number), went_at(row), known(row)) for row in rows[:SHOWN]]
    return Checks(checks, page, pages, min(count, COUNTED), len(rows) > SHOWN and page < pages, uncounted)


def _count(session: Session, which: Sequence[ColumnElement[bool]], most: int) -> int:
    """How many there are, counted up to ``most``."""
    some = sa.select(sa.literal(1)).select_from(OutboundMessage).where(*which).limit(most).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _newest(
    session: Session, which: Sequence[ColumnElement[bool]], offset: int, limit: int
) -> list[OutboundMessage]:
    newest_first = (OutboundMessage.created_at.desc(), OutboundMessage.id)
    query = sa.select(OutboundMessage).where(*which).order_by(*newest_first).offset(offset).limit(limit)
    return list(session.scalars(query.options(selectinload(OutboundMessage.contact))))


def message_page(session: Session, message_id: uuid.UUID, *, now: datetime) -> MessagePage | None:
    """One message that is, or was, to be checked; None if there is no such."""
    row = session.get(OutboundMessage, message_id)
    if row is None:
        return None
    events = session.scalars(
        sa.select(OutboundEvent)
        .where(OutboundEvent.subject_id == message_id)
        .order_by(OutboundEvent.at, OutboundEvent.id)
    ).all()
    names = names_of(session, (event.actor for event in events))
    history = [
        Happening(e.at, happened(e, before), "" if e.actor == "line" else names[e.actor])
        for before, e in zip((None, *events), events, strict=False)
        if e.status != "claimed"  # a moment in the life of the outbox
    ]
    is_open = session.scalar(sa.select(undecided()).where(OutboundMessage.id == message_id))
    by_call = row.purpose not in ANSWERS and row.contact.channel == "call"
    return MessagePage(
        row,
        masked(row.contact.number),
        went_at(row),
        known(row),
        _answer(events),
        _looks(row, events),
        history,
        bool(is_open),
        why_not_again(session, row, now),
        by_call,
    )


def why_not_again(session: Session, row: OutboundMessage, now: datetime) -> str:
    """Why staff cannot have a message sent again: a key of `words.NOT_AGAIN`, or empty."""
    if row.purpose == "reply":
        return "reply"
    if isinstance(row.body, Unreadable) or isinstance(row.contact.number, Unreadable):
        return "unreadable"
    if not useful(row.send_before, now):
        return "late"
    if session.get(OutboundMessage, next_turn_id(row)) is not None:
        return "followed"
    ledger = consent.state_of(session, row.number_hash)
    ended = ledger is not None and (ledger.status == "opted_out" or ledger.carrier_blocked)
    if ended or (row.purpose not in ANSWERS and (ledger is None or ledger.status != "opted_in")):
        return "ended"
    automated = row.purpose not in ANSWERS
    by_call = automated and row.contact.channel == "call"
    if not by_call and row.error_code and meaning_of(row.error_code) in FOR_GOOD:
        return meaning_of(row.error_code)
    # Of what nobody knows staff say, with this very button, that it did not arrive.
    if automated and not in_time(session, row, row.contact, now, has_gone=row.status != "unknown"):
        return "too_soon"
    return ""


def known(message: OutboundMessage) -> str:
    """What is known about a message that did not arrive, or may not have, in a sentence or two."""
    if message.status == "unknown":
        if message.reason == NOT_THERE:
            return "It most likely did not arrive: the carrier's list of messages does not hold it."
        more = "The carrier is being asked." if message.check_after else "The carrier could not tell."
        return f"It may have reached the patient: nobody knows. {more}"
    if message.error_code:
        return REFUSALS[meaning_of(message.error_code)]
    if message.reason.startswith(GIVEN_UP):
        return "The carrier could not be reached in time."
    if message.channel == "call" and message.answer not in {None, SILENCE}:
        return "The patient answered the call: it did reach them."
    reason = "" if message.reason.startswith(BY_STAFF) else message.reason
    if message.channel == "call" and reason and message.sending_at is not None:
        return f"The call did not reach the patient: {reason}."
    if message.status == "failed" and reason:
        return why(reason)
    return "The carrier reported that it did not arrive, without a reason."


def happened(event: OutboundEvent, before: OutboundEvent | None = None) -> str:
    """A line of the history in plain words: the status, if it is another one than ``before``, and why."""
    why, status = caused(event.cause), said(MESSAGE_STATUS, event.status)
    if before is not None and before.status == event.status and why:
        return why
    return f"{status}: {why}" if why else status


def _answer(events: Sequence[OutboundEvent]) -> str:
    """What came of the last request, in plain words."""
    asked = max((n for n, event in enumerate(events) if event.status == "sending"), default=None)
    if asked is None:
        return ""
    return next((caused(event.cause) for event in events[asked:] if event.status != "sending"), "")


def _looks(row: OutboundMessage, events: Sequence[OutboundEvent]) -> Looks:
    looks = [event for event in events if event.cause in {MISSED, NOT_READ}]
    missed = sum(event.cause == MISSED for event in looks)
    last = looks[-1].at if looks else None
    again = row.check_after if row.status == "unknown" else None
    return Looks(missed, len(looks) - missed, last, again)


def _not_followed() -> ColumnElement[bool]:
    """SQL condition: no further turn of this step was planned."""
    after = aliased(OutboundMessage)
    followed = sa.select(sa.literal(1)).where(
        after.injection_id == OutboundMessage.injection_id,
        after.step == OutboundMessage.step,
        after.turn == OutboundMessage.turn + 1,
    )
    # What belongs to no injection says so itself (`followups`). Asked like this, each is looked up by itself;
    # with EXISTS the planner would read every message there is.
    nothing = followed.limit(1).scalar_subquery().is_(None)
    alone = sa.and_(OutboundMessage.injection_id.is_(None), OutboundMessage.reason != ONCE_MORE)
    return sa.or_(alone, sa.and_(OutboundMessage.injection_id.is_not(None), nothing))
