"""The callback queue: raising items, claiming, releasing, and closing them with an outcome."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, selectinload

from nurseline.callbacks.models import OPEN, CallbackEvent, CallbackItem, CallbackWords
from nurseline.callbacks.promises import PRIORITY, Reason
from nurseline.messaging.models import Contact
from nurseline.transitions import Transitions

LEASE = timedelta(minutes=15)
NEXT_ATTEMPT = timedelta(hours=2)  # another part of the day
NOTE_LONGEST = 2000
WORDS_KEPT = 1600  # characters of one message; the carrier's own limit

MOVES = Transitions(
    CallbackItem,
    CallbackEvent,
    {
        "new": frozenset({"claimed", "calling", "waiting_retry", "snoozed"}),
        "claimed": frozenset({"new", "calling", "waiting_retry", "snoozed"}),
        "calling": frozenset({"claimed"}),
        "waiting_retry": frozenset({"claimed", "calling"}),
        "snoozed": frozenset({"claimed"}),
        "done": frozenset({"claimed", "calling"}),
        "cancelled": frozenset({"new", "claimed", "waiting_retry", "snoozed"}),
    },
)
FREE = {"claimed_by": None, "claimed_name": None, "lease_until": None}

# Outcomes of a callback (clinic rules 4).
UNREACHED = {
    "left_voicemail": "Left voicemail (name and number only)",
    "no_answer": "No answer",
    "busy_or_failed": "Busy or call failed",
    "voicemail_full": "Voicemail full or not set up",
}  # nobody was reached: the item waits for another attempt
OUTCOMES = {
    "reached_resolved": "Reached: resolved",
    "reached_scheduled": "Reached: scheduled",
    "reached_declined": "Reached: declined",
    "reached_sent_to_911": "Reached: sent to 911 or emergency department",
    "reached_escalated": "Reached: passed to a provider",
    **UNREACHED,
    "unreached_closed": "Not reached after several attempts: closed",
    "wrong_number": "Wrong number",
    "patient_called_back": "Patient called back",
    "opted_out": "Asked for no more messages",
    "duplicate": "Duplicate",
    "spam_or_test": "Spam or test",
    "deceased": "Deceased",
}


class QueueError(ValueError):
    """Why something cannot be done with an item, in words for the person who tried."""


@dataclass(frozen=True, slots=True)
class Staff:
    """Who acts on an item: the account's id, and the name that colleagues see."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Request:
    """A wish for a person. ``contact`` None: no number is known; ``number_key`` names the call or text."""

    reason: Reason
    source: str
    words: str
    promised_at: datetime
    number_key: str
    contact: Contact | None = None
    best_time: str = ""


@dataclass(frozen=True, slots=True)
class Raised:
    """The open item of a number and reason. ``promised_at`` is the standing promise, new or not."""

    item_id: uuid.UUID
    promised_at: datetime
    new: bool


def request(session: Session, wish: Request, *, now: datetime) -> Raised:
    """Raise an item, or add the words to the one that is open for this number and reason."""
    new = insert(CallbackItem).values(
        id=uuid.uuid4(),
        reason=wish.reason,
        priority=PRIORITY[wish.reason],
        number_key=wish.number_key,
        contact_id=wish.contact.id if wish.contact else None,
        best_time=wish.best_time[:WORDS_KEPT],
        source=wish.source,
        status="new",
        promised_at=wish.promised_at,
        created_at=now,
    )
    stored: sa.Executable = new.on_conflict_do_update(
        index_elements=["number_key", "reason"],
        index_where=sa.text("status NOT IN ('done', 'cancelled')"),
        set_={"best_time": new.excluded.best_time} if wish.best_time else {"source": CallbackItem.source},
    ).returning(CallbackItem.id, CallbackItem.promised_at, sa.literal_column("(xmax = 0)").label("made"))
    item_id, promised, made = session.execute(stored).one()
    if made:
        MOVES.note(session, [item_id], "new", at=now, cause=f"requested by {wish.source}")
    if wish.words:
        session.add(CallbackWords(item_id=item_id, at=now, words=wish.words[:WORDS_KEPT], source=wish.source))
    session.flush()
    return Raised(item_id, promised, bool(made))


def standing(session: Session, number_key: str, reason: str) -> CallbackItem | None:
    """The open item of a number and reason."""
    return session.scalar(
        sa.select(CallbackItem).where(
            CallbackItem.number_key == number_key,
            CallbackItem.reason == reason,
            CallbackItem.status.in_(OPEN),
        )
    )


def note(session: Session, number_key: str, reason: str, *, cause: str, at: datetime) -> bool:
    """Add a line to the history of the open item of a number and reason; False if there is none."""
    item = standing(session, number_key, reason)
    if item is None:
        return False
    MOVES.note(session, [item.id], item.status, at=at, cause=cause)
    return True


def promised(session: Session, number_key: str, *, now: datetime) -> CallbackItem | None:
    """Of the open items of a number the one whose promise, still ahead, comes first; no alarms."""
    query = sa.select(CallbackItem).where(
        CallbackItem.number_key == number_key,
        CallbackItem.status.in_(OPEN),
        CallbackItem.reason != "emergency",
        CallbackItem.promised_at > now,
    )
    return session.scalar(query.order_by(CallbackItem.promised_at).limit(1))


def first_open(session: Session, number_key: str) -> uuid.UUID | None:
    """Of the open items of a number the one to be worked first."""
    query = sa.select(CallbackItem.id).where(
        CallbackItem.number_key == number_key, CallbackItem.status.in_(OPEN)
    )
    return session.scalar(query.order_by(CallbackItem.priority, CallbackItem.promised_at).limit(1))


def queue(session: Session, *, limit: int = 200) -> Sequence[CallbackItem]:
    """Open items, what to do next first: emergency and urgent on top, then the oldest promise."""
    urgent_first = sa.case((CallbackItem.priority <= 1, CallbackItem.priority), else_=2)
    return session.scalars(
        sa.select(CallbackItem)
        .where(CallbackItem.status.not_in(("done", "cancelled")))
        .order_by(urgent_first, CallbackItem.promised_at, CallbackItem.created_at, CallbackItem.id)
        .options(selectinload(CallbackItem.contact))
        .limit(limit)
    ).all()


def claim(
    session: Session, item_id: uuid.UUID, staff: Staff, *, now: datetime, resting: bool = True
) -> CallbackItem:
    """Take an item for `LEASE`. Raises QueueError telling who has it, if somebody else was first.

    Claiming one's own item again extends the lease. ``resting`` False leaves items alone that wait for
    another attempt or are snoozed.
    """
    values = {
        "claimed_by": staff.id,
        "claimed_name": staff.name,
        "lease_until": now + LEASE,
        "due_again_at": None,
    }
    held = sa.update(CallbackItem).where(
        CallbackItem.id == item_id,
        CallbackItem.status.in_(("claimed", "calling")),
        CallbackItem.claimed_by == staff.id,
    )
    longer = sa.func.greatest(CallbackItem.lease_until, now + LEASE)
    if session.execute(held.values(lease_until=longer).returning(CallbackItem.id)).first() is None:
        give_back_expired(session, now=now, item_id=item_id)
        moved = MOVES.move(
            session,
            [item_id],
            "claimed",
            at=now,
            cause="claimed",
            actor=staff.id,
            # Who is calling the patient keeps the item until the call ends.
            only_if=[CallbackItem.status != "calling" if resting else CallbackItem.status == "new"],
            values=values,
        )
        item = _fresh(session, item_id)
        # Not moved, and yet this person's: the same click came twice.
        if not moved and not (item.status in {"claimed", "calling"} and item.claimed_by == staff.id):
            raise QueueError(_why_not(item))
    return _fresh(session, item_id)


def release(session: Session, item_id: uuid.UUID, staff: Staff, *, now: datetime) -> None:
    """Give an item back to the queue; it keeps its promise. Raises QueueError if it is not this person's."""
    mine = [CallbackItem.claimed_by == staff.id]
    if not MOVES.move(
        session, [item_id], "new", at=now, cause="released", actor=staff.id, only_if=mine, values=FREE
    ):
        raise QueueError(not_yours(_fresh(session, item_id)))


def finish(
    session: Session, item_id: uuid.UUID, staff: Staff, *, outcome: str, note: str, now: datetime
) -> bool:
    """Record an outcome; True if it closed the item. Who was not reached is kept for another attempt.

    Raises QueueError if the item is somebody else's, the outcome unknown or the note too long.
    """
    if outcome not in OUTCOMES:
        raise QueueError("Choose an outcome from the list.")
    if len(note) > NOTE_LONGEST:
        raise QueueError(f"The note is too long: {len(note)} characters, {NOTE_LONGEST} fit.")
    mine = [CallbackItem.claimed_by == staff.id]
    closes = outcome not in UNREACHED
    values: dict[str, object] = {"outcome": outcome, "attempts": CallbackItem.attempts + 1}
    if closes:
        values |= {"closed_at": now, "lease_until": None}
    else:
        values |= {"due_again_at": now + NEXT_ATTEMPT, **FREE}
    moved = MOVES.move(
        session,
        [item_id],
        "done" if closes else "waiting_retry",
        at=now,
        cause=outcome,
        actor=staff.id,
        only_if=mine,
        values=values,
        extra={"note": note or None},
    )
    if not moved:
        raise QueueError(not_yours(_fresh(session, item_id)))
    return closes


def give_back_expired(session: Session, *, now: datetime, item_id: uuid.UUID | None = None) -> int:
    """Return items whose claim ran out to the queue, with their original promise; how many."""
    ended = [CallbackItem.lease_until.is_not(None), CallbackItem.lease_until < now]
    if item_id is not None:
        ended.append(CallbackItem.id == item_id)
    # An item that somebody is changing at this moment is left to them: nobody waits in a circle.
    query = sa.select(CallbackItem.id).where(*ended).with_for_update(skip_locked=item_id is None)
    ids = session.scalars(query).all()
    return len(MOVES.move(session, ids, "new", at=now, cause="claim ran out", only_if=ended, values=FREE))


def _fresh(session: Session, item_id: uuid.UUID) -> CallbackItem:
    item = session.get(CallbackItem, item_id, populate_existing=True)
    if item is None:
        raise QueueError("There is no such item.")
    return item


def _why_not(item: CallbackItem) -> str:
    if item.status in {"claimed", "calling"}:
        return f"{item.claimed_name} has this item."
    return _closed(item)


def not_yours(item: CallbackItem) -> str:
    if item.status in {"claimed", "calling"}:
        return f"{item.claimed_name} has this item, so it was not changed."
    if item.status in {"done", "cancelled"}:
        return _closed(item)
    return "This item is back in the queue. Claim it first."


def _closed(item: CallbackItem) -> str:
    if item.status in {"waiting_retry", "snoozed"}:
        return "This item waits in the queue for another attempt. Claim it first."
    who = f" by {item.claimed_name}" if item.claimed_name else ""
    return f"This item was closed{who} already." if item.status == "done" else "This item was cancelled."
