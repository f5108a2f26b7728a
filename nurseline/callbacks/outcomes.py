"""Outcomes: what a person records when a try has ended, and what follows from it.

Every outcome is a row of its own and never changed. One that reached nobody keeps the item for another try
(`ladder`); any other closes it. A follow-up date makes a new item that comes up on that day, so that the old
one keeps its figures (`follow_ups`).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks import follow_ups, ladder
from nurseline.callbacks.calling import unrecorded
from nurseline.callbacks.follow_ups import FollowUp
from nurseline.callbacks.models import CallbackEvent, CallbackItem, CallbackOutcome
from nurseline.callbacks.service import (
    FREE,
    MOVES,
    NOTE_LONGEST,
    REOPENED,
    QueueError,
    Staff,
    fresh,
    not_yours,
    open_of,
)
from nurseline.callbacks.texts import text_patient
from nurseline.clinic.hours import Hours
from nurseline.consent import service as consent
from nurseline.messaging.models import Contact
from nurseline.messaging.outbox import end_messages

# Outcomes of a callback (clinic rules 4).
UNREACHED = {
    "left_voicemail": "Left voicemail (name and number only)",
    "no_answer": "No answer",
    "busy_or_failed": "Busy or call failed",
    "voicemail_full": "Voicemail full or not set up",
}  # nobody was reached: the item waits for another attempt
REACHED = {
    "reached_resolved": "Reached: resolved",
    "reached_scheduled": "Reached: scheduled",
    "reached_declined": "Reached: declined",
    "reached_sent_to_911": "Reached: sent to 911 or emergency department",
    "reached_escalated": "Reached: passed to a provider",
}
OUTCOMES = {
    **REACHED,
    **UNREACHED,
    "unreached_closed": "Not reached after several attempts: closed",
    "wrong_number": "Wrong number",
    "patient_called_back": "Patient called back",
    "opted_out": "Asked for no more messages",
    "duplicate": "Duplicate",
    "spam_or_test": "Spam or test",
    "deceased": "Deceased",
}
SPOKE = frozenset({*REACHED, "patient_called_back"})  # a person spoke with the patient
CALLED = frozenset({*REACHED, *UNREACHED, "wrong_number"})  # somebody tried to call
ENDS_MESSAGES = frozenset({"wrong_number", "opted_out", "deceased"})  # nothing automated goes there any more
ENDS_CALLS = frozenset({"wrong_number", "deceased"})  # nobody should call this number about a patient again
NO_FOLLOW_UP = frozenset({*UNREACHED, "wrong_number", "duplicate", "spam_or_test", "deceased"})
# How the patient was identified: two identifiers, asked, not offered (clinic rules 2.4, 45 CFR 164.514(h)).
IDENTITY = {
    "two_identifiers": "Asked two identifiers (name and date of birth, address or record number)",
    "number_on_file": "Called back on the number on file, and asked two identifiers",
    "not_verified": "Not verified: nothing personal was said",
}
ADVICE_LONGEST, PLACE_LONGEST = 400, 120  # characters
FOLLOW_UP_WITHIN = timedelta(days=365)
LINE = "line"  # who records what the line does by itself


class RecordedError(QueueError):
    """What is wrong with an outcome as it was entered. ``field``: the field of `Recorded` it concerns."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a person says about a try.

    ``advice``: content ids with versions, such as ``answer.recovery:1``. ``told_when_worse``: "call again if
    it gets worse" was said. ``appointment_at``: an instant, only with ``reached_scheduled``.
    """

    outcome: str
    note: str = ""
    identity: str = ""
    advice: tuple[str, ...] = ()
    told_when_worse: bool = False
    follow_up_on: date | None = None
    appointment_at: datetime | None = None
    appointment_place: str = ""


@dataclass(frozen=True, slots=True)
class Closing:
    """What came of an outcome.

    ``what``: ``closed``; ``again``: it comes back at ``again_at``; ``unreached``: it was the last try, the
    item is closed; ``decide``: a supervisor or provider decides now. ``text``: a text goes to the patient.
    ``follow_up``: where the follow-up is. ``others``: what is still open for a number that reaches no patient
    any more; whether it is to be called is for people to decide.
    """

    closed: bool
    again_at: datetime | None
    text: bool
    what: Literal["closed", "again", "unreached", "decide"] = "closed"
    follow_up: FollowUp | None = None
    others: tuple[CallbackItem, ...] = ()


def finish(
    session: Session,
    item_id: uuid.UUID,
    staff: Staff,
    recorded: Recorded,
    *,
    now: datetime,
    hours: Hours,
    regions: frozenset[str] = frozenset({"US"}),
    tries: int | None = None,
) -> Closing:
    """Record an outcome, and do what follows from it.

    ``tries``: how many the form showed; of a form that comes twice the second one changes nothing.
    ``regions``: where numbers may be that the line texts. Raises RecordedError for a wrong entry and
    QueueError if the item is not this person's; the caller then rolls back.
    """
    item = fresh(session, item_id)
    check(recorded, item, now=now, hours=hours)
    _suppress(session, item, recorded, staff, now)  # first, since everybody locks the ledger before items
    if recorded.follow_up_on is not None:
        follow_ups.hold(session, item)
    item = session.get_one(CallbackItem, item_id, populate_existing=True, with_for_update=True)
    seen(item, tries)
    finishing = _Finishing(session, item, staff, recorded, now)
    if recorded.outcome in UNREACHED:
        step = ladder.after(item.reason, [*_tries(session, item_id), now], hours)
        closing = finishing.unreached(step, hours, regions)
    else:
        closing = finishing.done(recorded.outcome, recorded.note)
    _keep(session, item_id, staff.id, recorded, now)
    if closing.what == "unreached":
        _keep(session, item_id, LINE, Recorded("unreached_closed"), now)
    if closing.closed:
        follow_ups.raise_kept(session, item_id, now)
    if recorded.outcome in ENDS_CALLS:
        closing = replace(closing, others=tuple(open_of(session, item.number_key)))
    if recorded.follow_up_on is None:
        return closing
    arranged = follow_ups.arrange(session, item, recorded.follow_up_on, now, hours)
    return replace(closing, follow_up=arranged)


def seen(item: CallbackItem, tries: int | None) -> None:
    """Raise QueueError if a try was recorded since somebody saw so many; None: not known."""
    if tries is not None and item.attempts != tries:
        raise QueueError("A try was recorded since you opened this page, so nothing was changed. See below.")


def recorded_for(session: Session, item_id: uuid.UUID) -> Sequence[CallbackOutcome]:
    """Every outcome recorded about an item, oldest first."""
    by_time = (CallbackOutcome.at, CallbackOutcome.id)
    query = sa.select(CallbackOutcome).where(CallbackOutcome.item_id == item_id)
    return session.scalars(query.order_by(*by_time)).all()


def check(recorded: Recorded, item: CallbackItem, *, now: datetime, hours: Hours) -> None:
    """Raise RecordedError for the first thing that is wrong with an outcome as it was entered."""
    outcome = recorded.outcome
    if outcome not in OUTCOMES:
        raise RecordedError("outcome", "Choose an outcome from the list.")
    if len(recorded.note) > NOTE_LONGEST:
        raise RecordedError(
            "note", f"The note is too long: {len(recorded.note)} characters, {NOTE_LONGEST} fit."
        )
    if recorded.identity not in IDENTITY and (recorded.identity or outcome in REACHED):
        raise RecordedError("identity", "Choose how the patient was identified.")
    if outcome == "unreached_closed" and item.attempts < ladder.TRIES and not recorded.note.strip():
        raise RecordedError("note", "Say why this is closed before three tries.")
    if len(" ".join(recorded.advice)) > ADVICE_LONGEST or any(" " in one for one in recorded.advice):
        raise RecordedError("advice", "Too many answers were chosen. Choose the main ones.")
    _check_appointment(recorded, now)
    _check_follow_up(recorded, now, hours)


def _check_appointment(recorded: Recorded, now: datetime) -> None:
    place = recorded.appointment_place.strip()
    if recorded.outcome != "reached_scheduled":
        if recorded.appointment_at is not None or place:
            raise RecordedError("outcome", "Choose “Reached: scheduled” if there is an appointment.")
        return
    if recorded.appointment_at is None:
        raise RecordedError("appointment_at", "Enter the date and time of the appointment.")
    if recorded.appointment_at <= now:
        raise RecordedError("appointment_at", "The appointment lies in the past.")
    if not place:
        raise RecordedError("appointment_place", "Enter where the appointment is.")
    if len(place) > PLACE_LONGEST:
        raise RecordedError("appointment_place", f"At most {PLACE_LONGEST} characters fit.")


def _check_follow_up(recorded: Recorded, now: datetime, hours: Hours) -> None:
    day, today = recorded.follow_up_on, now.astimezone(hours.zone).date()
    if day is None:
        return
    if recorded.outcome in NO_FOLLOW_UP:
        raise RecordedError("follow_up_on", "A follow-up does not fit this outcome.")
    if not today < day <= today + FOLLOW_UP_WITHIN:
        raise RecordedError("follow_up_on", "Choose a day after today, within a year.")


def _suppress(session: Session, item: CallbackItem, recorded: Recorded, staff: Staff, now: datetime) -> None:
    """Write the opt-out that an outcome stands for, and cancel what is planned."""
    if recorded.outcome not in ENDS_MESSAGES or item.contact_id is None:
        return
    # Not the number itself: that no key opens it must not keep a wish from counting.
    number_hash = session.scalars(sa.select(Contact.number_hash).where(Contact.id == item.contact_id)).one()
    said = f"{OUTCOMES[recorded.outcome]}. {recorded.note}".strip()
    record = consent.Record(number_hash, now, "staff", said, actor=staff.id)
    end_messages(session, record, carrier_blocked=False)


def _tries(session: Session, item_id: uuid.UUID) -> list[datetime]:
    """When nobody was reached, oldest first, since the item was opened, or opened again."""
    opened = sa.select(sa.func.max(CallbackEvent.at)).where(
        CallbackEvent.subject_id == item_id, CallbackEvent.cause == REOPENED
    )
    query = sa.select(CallbackOutcome.at).where(
        CallbackOutcome.item_id == item_id,
        CallbackOutcome.outcome.in_(UNREACHED),
        CallbackOutcome.at >= sa.func.coalesce(opened.scalar_subquery(), CallbackOutcome.at),
    )
    return list(session.scalars(query.order_by(CallbackOutcome.at)))


@dataclass(frozen=True, slots=True)
class _Finishing:
    """One outcome of one person about one item, on its way into the database."""

    session: Session
    item: CallbackItem
    staff: Staff
    recorded: Recorded
    now: datetime

    def done(self, outcome: str, note: str) -> Closing:
        """The item is closed."""
        self._move("done", outcome, note, {"closed_at": self.now, "lease_until": None})
        return Closing(closed=True, again_at=None, text=False)

    def unreached(self, step: ladder.Step, hours: Hours, regions: frozenset[str]) -> Closing:
        """Nobody was reached: another try, the last text and the end, or somebody else's decision."""
        outcome, note = self.recorded.outcome, self.recorded.note
        if step.what == "close":
            return self._last_try(hours, regions)
        # Everybody on call hears of what nobody could reach three times, once it stands in the queue.
        raised = {"escalation": 2 if step.what == "decide" else 0, "escalated_at": None}
        status = "new" if step.at is None else "waiting_retry"
        self._move(status, outcome, note, {"due_again_at": step.at or self.now, **FREE, **raised})
        return Closing(closed=False, again_at=step.at, text=False, what=step.what)

    def _last_try(self, hours: Hours, regions: frozenset[str]) -> Closing:
        item, recorded = self.item, self.recorded
        MOVES.note(
            self.session,
            [item.id],
            item.status,
            at=self.now,
            cause=recorded.outcome,
            actor=self.staff.id,
            extra={"note": recorded.note or None},
        )
        self.done("unreached_closed", "")
        text = item.texted_at is None and text_patient(
            self.session, item.contact, "unreached", now=self.now, zone=hours.zone, regions=regions
        )
        if text:
            item.texted_at = self.now
        return Closing(closed=True, again_at=None, text=text, what="unreached")

    def _move(self, to: str, outcome: str, note: str, values: dict[str, Any]) -> None:
        """Move the item, if this person has it. Raises QueueError."""
        moved = MOVES.move(
            self.session,
            [self.item.id],
            to,
            at=self.now,
            cause=outcome,
            actor=self.staff.id,
            only_if=[CallbackItem.claimed_by == self.staff.id],
            values={"outcome": outcome, **self._figures(), **values},
            extra={"note": note or None},
        )
        if not moved:
            raise QueueError(not_yours(fresh(self.session, self.item.id)))

    def _figures(self) -> dict[str, Any]:
        """What the reports count."""
        figures: dict[str, Any] = {}
        if self.recorded.outcome in CALLED:
            figures["attempts"] = CallbackItem.attempts + 1
            figures["first_attempt_at"] = sa.func.coalesce(CallbackItem.first_attempt_at, self.now)
        if self.recorded.outcome in SPOKE:
            call = unrecorded(self.session, self.item.id, self.staff.id)
            spoke = call.connected_at if call is not None and call.result == "connected" else None
            figures["first_contact_at"] = sa.func.coalesce(CallbackItem.first_contact_at, spoke or self.now)
        return figures


def _keep(session: Session, item_id: uuid.UUID, staff_id: str, recorded: Recorded, now: datetime) -> None:
    session.add(
        CallbackOutcome(
            item_id=item_id,
            at=now,
            staff_id=staff_id,
            outcome=recorded.outcome,
            note=recorded.note,
            identity=recorded.identity,
            advice=" ".join(recorded.advice),
            told_when_worse=recorded.told_when_worse,
            follow_up_on=recorded.follow_up_on,
            appointment_at=recorded.appointment_at,
            appointment_place=recorded.appointment_place.strip(),
        )
    )
    session.flush()
