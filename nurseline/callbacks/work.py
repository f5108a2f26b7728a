"""What staff do with items beside claiming and giving back: the next one, handing over, putting off, joining,
opening again, another reason, cancelling.

Each raises QueueError with a sentence for the person who tried; the caller then rolls back. Rules:

* Next: the first of the queue that nobody has. Two people never get the same one.
* Another reason changes the priority with it. The promise becomes the earlier of the one that stands and the
  one that the new reason would give now: what a patient was told is never put off.
* Putting off: never an emergency, and an urgent item for two hours at most. The promise stays.
* Joining: the item closes as a duplicate. The other one gets its words and, of both, the more urgent reason
  and the earlier promise; it waits for no later day any more, and who joined has it. While a colleague has
  the other one, nothing is joined: an emergency would look taken by somebody who never saw it.
* Opening again keeps the promise, unless it has passed: then a new one is counted from now, if the hours are
  given, and the patient is told if that one breaks. Tries count anew.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from nurseline.callbacks.follow_ups import raise_kept
from nurseline.callbacks.models import CallbackEvent, CallbackItem, CallbackOutcome, CallbackWords
from nurseline.callbacks.promises import PRIORITY, REASONS, Reason, as_reason, promised_at
from nurseline.callbacks.service import (
    FREE,
    IS_OPEN,
    LEASE,
    MOVES,
    NOTE_LONGEST,
    ORDER_AT_WORK,
    REOPENED,
    RESTING,
    QueueError,
    Staff,
    fresh,
    give_back_expired,
    not_yours,
    standing,
    taken_by,
)
from nurseline.clinic.hours import Hours
from nurseline.transitions import Transitions

SNOOZE_LONGEST = timedelta(days=60)
URGENT_SNOOZE_LONGEST = timedelta(hours=2)
# Only on somebody's wish: no other move leads out of these.
OPENING = Transitions(CallbackItem, CallbackEvent, {"new": frozenset({"done", "cancelled"})})
DUPLICATE = "duplicate"
CAUSE_LONGEST = 80  # characters, in the history


def take_next(
    session: Session, staff: Staff, *, now: datetime, reasons: Collection[Reason] = REASONS
) -> CallbackItem | None:
    """Claim the first item of the queue that nobody has; None if there is none.

    ``reasons``: only items of these.
    """
    give_back_expired(session, now=now)
    free = sa.select(CallbackItem.id).where(IS_OPEN, CallbackItem.status == "new")
    if set(reasons) != set(REASONS):
        free = free.where(CallbackItem.reason.in_(tuple(reasons)))
    first = free.order_by(*ORDER_AT_WORK).limit(1)
    # What others are taking at this moment is passed over. If nothing else is left, it is waited for: it may
    # be a patient's new words that hold it, and then "nothing to do" would not be true.
    for query in (first.with_for_update(skip_locked=True), first.with_for_update()):
        # A row that changed while it was looked at stays locked although it is not found: what was looked at
        # in vain is let go before anything is waited for, or two people could wait for each other.
        with session.begin_nested() as attempt:
            while (found := session.scalar(query)) is not None:
                moved = MOVES.move(
                    session,
                    [found],
                    "claimed",
                    at=now,
                    cause="claimed",
                    actor=staff.id,
                    only_if=[CallbackItem.status == "new"],
                    values=taken_by(staff, now),
                )
                if moved:
                    return fresh(session, found)
            attempt.rollback()
    return None


def extend(session: Session, item_id: uuid.UUID, staff: Staff, *, now: datetime) -> datetime:
    """Keep an item while its page is worked on; until when. Raises QueueError if they lost it."""
    until: datetime | None = session.scalar(
        sa.update(CallbackItem)
        .where(CallbackItem.id == item_id, *_has(staff, "claimed", "calling"))
        .values(lease_until=sa.func.greatest(CallbackItem.lease_until, now + LEASE))
        .returning(CallbackItem.lease_until)
    )
    if until is None:
        raise QueueError(not_yours(fresh(session, item_id)))
    return until


def hand_over(
    session: Session, item_id: uuid.UUID, staff: Staff, to: Staff, *, now: datetime, note: str = ""
) -> None:
    """Give an item to a colleague, who has it from now on for a new lease."""
    note = _said(note)
    if to.id == staff.id:
        raise QueueError("You have this item already. Choose a colleague.")
    given = sa.update(CallbackItem).where(CallbackItem.id == item_id, *_has(staff, "claimed"))
    if session.scalar(given.values(taken_by(to, now)).returning(CallbackItem.id)) is None:
        raise QueueError(_not_free(session, item_id, staff))
    _note(session, item_id, "claimed", f"handed over to {to.name}", staff, now, note)


def snooze(
    session: Session, item_id: uuid.UUID, staff: Staff, *, until: datetime, now: datetime, note: str = ""
) -> None:
    """Put an item off until an instant, at which it comes back by itself."""
    item = fresh(session, item_id)
    if until <= now:
        raise QueueError("Choose a time that is still to come.")
    if item.reason == "emergency":
        raise QueueError("An emergency cannot be put off.")
    longest = URGENT_SNOOZE_LONGEST if item.reason == "urgent" else SNOOZE_LONGEST
    if until > now + longest:
        most = "two hours" if item.reason == "urgent" else f"{longest.days} days"
        raise QueueError(f"This can be put off for {most} at most.")
    values = {"due_again_at": until, "escalation": 0, "escalated_at": None, **FREE}
    _move(session, item_id, "snoozed", staff, cause="put off", note=note, values=values, now=now)


def cancel(session: Session, item_id: uuid.UUID, staff: Staff, *, why: str, now: datetime) -> None:
    """Cancel an item that nobody needs any more. ``why``: the reason, for the history."""
    if not why.strip():
        raise QueueError("Say why the item is cancelled.")
    item = fresh(session, item_id)
    free = item.status in {"new", *RESTING}
    mine = [CallbackItem.status == item.status] if free else _has(staff, "claimed")
    values = {"closed_at": now, "lease_until": None}
    _move(
        session,
        item_id,
        "cancelled",
        staff,
        cause="cancelled",
        note=why,
        values=values,
        now=now,
        only_if=mine,
    )
    raise_kept(session, item_id, now)


def change_reason(
    session: Session, item_id: uuid.UUID, staff: Staff, reason: str, *, hours: Hours, now: datetime
) -> None:
    """Say what an item is really about; priority and promise follow."""
    try:
        new = as_reason(reason)
    except ValueError:
        raise QueueError("Choose a reason from the list.") from None
    item = _locked(session, item_id)
    if item.reason == new:
        return
    _mine(session, item, staff)
    old, number_key = item.reason, item.number_key
    with _alone(session, number_key, new):
        item.reason, item.priority = new, PRIORITY[new]
        item.promised_at = min(item.promised_at, promised_at(new, now, hours))
        item.escalation, item.escalated_at = 0, None
    _note(session, item_id, "claimed", f"reason changed: {old} to {new}", staff, now)


def merge(session: Session, item_id: uuid.UUID, into: uuid.UUID, staff: Staff, *, now: datetime) -> None:
    """Close an item as a duplicate of another open one of the same number, which gets its words.

    An item without a number may be joined to any.
    """
    if item_id == into:
        raise QueueError("An item cannot be joined to itself.")
    both = {found: _locked(session, found) for found in sorted((item_id, into))}  # nobody waits in a circle
    item, other = both[item_id], both[into]
    _mine(session, item, staff)
    if other.status in {"done", "cancelled"}:
        raise QueueError(f"Item {other.reference} is closed. Join an open one, or open that one again.")
    if item.contact_id is not None and item.number_key != other.number_key:
        raise QueueError(f"Item {other.reference} is about another number.")
    other = _with_nobody_else(session, other, staff, now)
    _move(
        session,
        item_id,
        "done",
        staff,
        cause=DUPLICATE,
        now=now,
        note=f"Joined to item {other.reference}.",
        values={"outcome": DUPLICATE, "closed_at": now, "lease_until": None, "merged_into": into},
    )
    session.add(CallbackOutcome(item_id=item_id, at=now, staff_id=staff.id, outcome=DUPLICATE))
    _copy_words(session, item_id, into)
    _grow(session, item, other, staff, now)
    raise_kept(session, item_id, now)


def _grow(session: Session, item: CallbackItem, other: CallbackItem, staff: Staff, now: datetime) -> None:
    """Make of two joined items the one that is to be worked, in the hands of who joined them."""
    number_key, reason = other.number_key, item.reason
    with _alone(session, number_key, reason):
        if item.priority < other.priority:
            other.reason, other.priority = reason, item.priority
        other.promised_at = min(item.promised_at, other.promised_at)
        other.due_again_at, other.escalation, other.escalated_at = None, 0, None
    cause = f"item {item.reference} joined"
    mine = [CallbackItem.status != "calling"]
    if not MOVES.move(
        session,
        [other.id],
        "claimed",
        at=now,
        cause=cause,
        actor=staff.id,
        only_if=mine,
        values=taken_by(staff, now),
    ):
        _note(session, other.id, other.status, cause, staff, now)


def _with_nobody_else(session: Session, other: CallbackItem, staff: Staff, now: datetime) -> CallbackItem:
    """The locked item, given back if a claim of it ran out. Raises QueueError while a colleague has it."""
    give_back_expired(session, now=now, item_id=other.id)
    other = fresh(session, other.id)
    if other.status in {"claimed", "calling"} and other.claimed_by != staff.id:
        raise QueueError(
            f"{other.claimed_name} has item {other.reference}, so it was not joined. "
            "Ask them, or work on this one by itself."
        )
    return other


def reopen(
    session: Session,
    item_id: uuid.UUID,
    staff: Staff,
    *,
    why: str,
    now: datetime,
    hours: Hours | None = None,
) -> None:
    """Put a closed or cancelled item back into the queue. ``why``: the reason, for the history."""
    if not why.strip():
        raise QueueError("Say why the item is opened again.")
    note = _said(why)
    item = _locked(session, item_id)
    promise = item.promised_at
    anew: dict[str, Any] = {}
    if hours is not None and promise <= now:
        promise = promised_at(as_reason(item.reason), now, hours)
        anew = {"told_late_at": None}  # the first try stays: figures of the past do not change
    values: dict[str, Any] = {
        **FREE,
        **anew,
        "promised_at": promise,
        "due_again_at": now,
        "outcome": None,
        "closed_at": None,
        "merged_into": None,
        "attempts": 0,
        "texted_at": None,
        "escalation": 0,
        "escalated_at": None,
    }
    extra = {"note": note}
    with _alone(session, item.number_key, item.reason):
        moved = OPENING.move(
            session, [item_id], "new", at=now, cause=REOPENED, actor=staff.id, values=values, extra=extra
        )
    if not moved:
        raise QueueError("This item is open already.")


def _has(staff: Staff, *statuses: str) -> list[ColumnElement[bool]]:
    return [CallbackItem.status.in_(statuses), CallbackItem.claimed_by == staff.id]


def _mine(session: Session, item: CallbackItem, staff: Staff) -> None:
    """Raise QueueError unless this person has the item and is not calling."""
    if item.status != "claimed" or item.claimed_by != staff.id:
        raise QueueError(_not_free(session, item.id, staff))


def _move(
    session: Session,
    item_id: uuid.UUID,
    to: str,
    staff: Staff,
    *,
    cause: str,
    now: datetime,
    values: dict[str, Any],
    note: str = "",
    only_if: list[ColumnElement[bool]] | None = None,
) -> None:
    extra = {"note": _said(note) or None}
    mine = _has(staff, "claimed") if only_if is None else only_if
    if not MOVES.move(
        session,
        [item_id],
        to,
        at=now,
        cause=cause,
        actor=staff.id,
        only_if=mine,
        values=values,
        extra=extra,
    ):
        raise QueueError(_not_free(session, item_id, staff))


def _note(
    session: Session,
    item_id: uuid.UUID,
    status: str,
    cause: str,
    staff: Staff,
    now: datetime,
    note: str = "",
) -> None:
    MOVES.note(
        session,
        [item_id],
        status,
        at=now,
        cause=cause[:CAUSE_LONGEST],
        actor=staff.id,
        extra={"note": note or None},
    )


def _said(note: str) -> str:
    note = note.strip()
    if len(note) > NOTE_LONGEST:
        raise QueueError(f"The note is too long: {len(note)} characters, {NOTE_LONGEST} fit.")
    return note


def _not_free(session: Session, item_id: uuid.UUID, staff: Staff) -> str:
    item = fresh(session, item_id)
    if item.status == "calling" and item.claimed_by == staff.id:
        return "You are calling about this item. End the call first."
    return not_yours(item)


def _locked(session: Session, item_id: uuid.UUID) -> CallbackItem:
    item = session.get(CallbackItem, item_id, populate_existing=True, with_for_update=True)
    if item is None:
        raise QueueError("There is no such item.")
    return item


@contextmanager
def _alone(session: Session, number_key: str, reason: str) -> Iterator[None]:
    """Around what makes an item the open one of a number and reason; raises QueueError if there is one."""
    try:
        with session.begin_nested():
            yield
            session.flush()
    except IntegrityError:
        other = standing(session, number_key, reason)
        which = f"Item {other.reference}" if other is not None else "Another item"
        raise QueueError(f"{which} of this number is open for that already. Join the two.") from None


def _copy_words(session: Session, item_id: uuid.UUID, into: uuid.UUID) -> None:
    words = CallbackWords.__table__.c
    columns = [words.at, words.words, words.source]
    copied = sa.select(sa.literal(into), *columns).where(words.item_id == item_id).order_by(words.id)
    session.execute(sa.insert(CallbackWords).from_select(["item_id", *(c.name for c in columns)], copied))
