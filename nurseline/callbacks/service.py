"""The callback queue: raising items, their order, claiming and giving back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, selectinload

from nurseline.callbacks.models import OPEN, CallbackEvent, CallbackItem, CallbackWords
from nurseline.callbacks.promises import PRIORITY, Reason
from nurseline.db import Database
from nurseline.messaging.models import Contact
from nurseline.transitions import Transitions

LEASE = timedelta(minutes=15)
NOTE_LONGEST = 2000
OURS = frozenset({"staff", "line"})  # sources of items that no patient asked for
WORDS_KEPT = 1600  # characters of one message; the carrier's own limit

MOVES = Transitions(
    CallbackItem,
    CallbackEvent,
    {
        "new": frozenset({"claimed", "calling", "waiting_retry", "snoozed"}),
        "claimed": frozenset({"new", "calling", "waiting_retry", "snoozed"}),
        "calling": frozenset({"claimed"}),
        "waiting_retry": frozenset({"claimed", "calling"}),
        "snoozed": frozenset({"claimed", "new"}),  # from new: what is only to be done on a later day
        "done": frozenset({"claimed", "calling"}),
        "cancelled": frozenset({"new", "claimed", "waiting_retry", "snoozed"}),
    },
)
REOPENED = "opened again"  # in the history; tries count anew from there
PUT_THROUGH = "spoke with staff"  # so begins a cause: a caller was put through to somebody
IN_THE_WAY = frozenset({"40P01", "55P03"})  # PostgreSQL: a deadlock ended, a lock not given in time
AT_ONCE = "Somebody changed this at the same moment, so nothing was changed. Try again."
FREE = {"claimed_by": None, "claimed_name": None, "lease_until": None}

# The order of work. Emergencies stand on top, then what is urgent, then what nobody took in time, then the
# rest by its promise, so that the overdue comes first. What waits for a day or another attempt stands last.
RESTING = ("waiting_retry", "snoozed")
# Written out, so that the planner knows the index of the queue fits whatever the other values are.
IS_OPEN = CallbackItem.status.not_in(
    sa.bindparam("closed", ("done", "cancelled"), expanding=True, literal_execute=True)
)
_RESTS = CallbackItem.status.in_(RESTING)
ORDER_AT_WORK: tuple[sa.ColumnExpressionArgument[Any], ...] = (
    sa.case((CallbackItem.priority <= 1, CallbackItem.priority), else_=2),
    sa.case((CallbackItem.escalation >= 2, 0), else_=1),
    CallbackItem.promised_at,
    CallbackItem.created_at,
    CallbackItem.id,
)
ORDER: tuple[sa.ColumnExpressionArgument[Any], ...] = (
    sa.case((_RESTS, 1), else_=0),
    sa.case((_RESTS, CallbackItem.due_again_at)),
    *ORDER_AT_WORK,
)


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


@contextmanager
def changing(db: Database) -> Iterator[Session]:
    """A transaction of one person's step. Raises QueueError if somebody else's stood in its way."""
    try:
        with db.begin() as session:
            yield session
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) not in IN_THE_WAY:
            raise
        raise QueueError(AT_ONCE) from error


def request(session: Session, wish: Request, *, now: datetime, wake: bool = False) -> Raised:
    """Raise an item, or add the words to the one that is open for this number and reason.

    A wish of a patient, or one with ``wake``, ends the rest of that one, whose promise then is the earlier of
    the two.
    """
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
    if not made and (wake or wish.source not in OURS) and _wake(session, item_id, wish, now):
        promised = min(promised, wish.promised_at)
    return Raised(item_id, promised, bool(made))


def _wake(session: Session, item_id: uuid.UUID, wish: Request, now: datetime) -> bool:
    """Who asks again is not kept waiting for the day or the attempt that staff had in mind."""
    woken = MOVES.move(
        session,
        [item_id],
        "new",
        at=now,
        cause=f"asked again by {wish.source}",
        only_if=[CallbackItem.status.in_(RESTING)],
        values={
            "due_again_at": now,
            "promised_at": sa.func.least(CallbackItem.promised_at, wish.promised_at),
        },
    )
    return bool(woken)


def standing(session: Session, number_key: str, reason: str) -> CallbackItem | None:
    """The open item of a number and reason."""
    return session.scalar(
        sa.select(CallbackItem).where(
            CallbackItem.number_key == number_key,
            CallbackItem.reason == reason,
            CallbackItem.status.in_(OPEN),
        )
    )


def note(
    session: Session, number_key: str, reason: str, *, cause: str, at: datetime, spoke: bool = False
) -> bool:
    """Add a line to the history of the open item of a number and reason; False if there is none.

    ``spoke``: a person spoke with the patient, so the item has had its first attempt and contact.
    """
    item = standing(session, number_key, reason)
    if item is None:
        return False
    if spoke:
        item.first_attempt_at = item.first_attempt_at or at
        item.first_contact_at = item.first_contact_at or at
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


def open_of(session: Session, number_key: str) -> Sequence[CallbackItem]:
    """The open items of a number, the one to be worked first on top."""
    query = sa.select(CallbackItem).where(
        CallbackItem.number_key == number_key, CallbackItem.status.in_(OPEN)
    )
    return session.scalars(query.order_by(CallbackItem.priority, CallbackItem.promised_at)).all()


def first_open(session: Session, number_key: str) -> uuid.UUID | None:
    """Of the open items of a number the one to be worked first."""
    query = sa.select(CallbackItem.id).where(
        CallbackItem.number_key == number_key, CallbackItem.status.in_(OPEN)
    )
    return session.scalar(query.order_by(CallbackItem.priority, CallbackItem.promised_at).limit(1))


def queue(session: Session, *, limit: int = 200) -> Sequence[CallbackItem]:
    """Open items, what to do next first (`ORDER`)."""
    return session.scalars(
        sa.select(CallbackItem)
        .where(IS_OPEN)
        .order_by(*ORDER)
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
            values=taken_by(staff, now),
        )
        item = fresh(session, item_id)
        # Not moved, and yet this person's: the same click came twice.
        if not moved and not (item.status in {"claimed", "calling"} and item.claimed_by == staff.id):
            raise QueueError(_why_not(item))
    return fresh(session, item_id)


def taken_by(staff: Staff, now: datetime) -> dict[str, Any]:
    """The columns of an item that this person takes now."""
    return {
        "claimed_by": staff.id,
        "claimed_name": staff.name,
        "lease_until": now + LEASE,
        "first_claimed_at": sa.func.coalesce(CallbackItem.first_claimed_at, now),
    }


def release(session: Session, item_id: uuid.UUID, staff: Staff, *, now: datetime) -> None:
    """Give an item back to the queue; it keeps its promise. Raises QueueError if it is not this person's."""
    mine = [CallbackItem.claimed_by == staff.id]
    if not MOVES.move(
        session, [item_id], "new", at=now, cause="released", actor=staff.id, only_if=mine, values=FREE
    ):
        raise QueueError(not_yours(fresh(session, item_id)))


def give_back_all(session: Session, staff_id: str, *, now: datetime, actor: str) -> int:
    """Return what somebody has who is not at work any more, but for a call that goes on; how many."""
    theirs = [IS_OPEN, CallbackItem.claimed_by == staff_id, CallbackItem.status == "claimed"]
    ids = session.scalars(sa.select(CallbackItem.id).where(*theirs).order_by(CallbackItem.id)).all()
    moved = MOVES.move(
        session, ids, "new", at=now, cause="released", actor=actor, only_if=theirs, values=FREE
    )
    return len(moved)


def give_back_expired(session: Session, *, now: datetime, item_id: uuid.UUID | None = None) -> int:
    """Return items whose claim ran out to the queue, with their original promise; how many."""
    ended = [CallbackItem.lease_until.is_not(None), CallbackItem.lease_until < now]
    if item_id is not None:
        ended.append(CallbackItem.id == item_id)
    # An item that somebody is changing at this moment is left to them: nobody waits in a circle.
    query = sa.select(CallbackItem.id).where(*ended).with_for_update(skip_locked=item_id is None)
    ids = session.scalars(query).all()
    return len(MOVES.move(session, ids, "new", at=now, cause="claim ran out", only_if=ended, values=FREE))


def come_back(session: Session, *, now: datetime, limit: int = 500) -> int:
    """Put what waited for this moment back to be worked on, with its original promise; how many.

    ``due_again_at`` stays: since then the item can be worked on again.
    """
    due = [IS_OPEN, CallbackItem.status.in_(RESTING), CallbackItem.due_again_at <= now]
    query = sa.select(CallbackItem.id).where(*due).order_by(CallbackItem.due_again_at).limit(limit)
    ids = session.scalars(query.with_for_update(skip_locked=True)).all()
    return len(MOVES.move(session, ids, "new", at=now, cause="its time has come", only_if=due))


def fresh(session: Session, item_id: uuid.UUID) -> CallbackItem:
    """The item as it stands in the database. Raises QueueError if there is none."""
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
