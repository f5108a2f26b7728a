"""The outbox: planning messages, claiming due ones, cancelling, and taking back what got stuck."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from nurseline.consent import service as consent
from nurseline.db import UtcDateTime
from nurseline.ids import new_id
from nurseline.messaging.models import Contact, OutboundEvent, OutboundMessage
from nurseline.messaging.timing import LOOK_BACK
from nurseline.messaging.to_contact import to_contact
from nurseline.transitions import Transitions
from nurseline.wakeups import wake_after_commit

PRIORITY = {"alert": 0, "confirmation": 1, "reply": 1, "staff": 1, "notice": 1, "reminder": 5}
# Without the ledger's leave. What staff write, what a caller asked to have as a text, and notices about what
# somebody asked for go unless the number has ended messages (`letting_go`).
ANSWERS = frozenset({"reply", "alert", "confirmation", "staff", "notice"})
CLAIM_LEASE = timedelta(seconds=15)  # a claim that runs out is harmless: the row is simply claimed again
THE_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)  # before everything that was ever due
SENDING_LEASE = timedelta(seconds=60)  # far above one request's time limits: after it the outcome is unknown

MOVES = Transitions(
    OutboundMessage,
    OutboundEvent,
    {
        "claimed": frozenset({"scheduled"}),
        "scheduled": frozenset(
            {"claimed", "sending"}
        ),  # from sending only when the request surely never arrived
        "sending": frozenset({"claimed"}),
        "sent": frozenset({"sending", "unknown"}),
        "delivered": frozenset({"sending", "sent", "unknown"}),
        "undelivered": frozenset({"sending", "sent", "unknown"}),
        "failed": frozenset({"claimed", "sending", "sent", "unknown"}),  # claimed: tried before, too late now
        "unknown": frozenset({"sending"}),
        "skipped": frozenset({"scheduled", "claimed"}),
        "cancelled": frozenset({"scheduled", "claimed"}),
    },
)
ORDERED = "sent again by staff"  # the reason of what a person has sent once more, until it has gone
GIVEN_UP = "given up: "  # begins the reason of what was tried until it was too late
NO_CLAIM = {"claim_token": None, "lease_until": None}
OPEN = ("scheduled", "claimed")
ON_ITS_WAY = ("sending", "sent", "unknown")  # it may still turn out that it did not arrive
DID_NOT_ARRIVE = ("failed", "undelivered")  # staff may have it sent again
NOT_AGAIN, WANTED_AGAIN = "not again: ", "wanted again"  # in a history; the first goes before the reason
# Written out, so that the planner knows the index on them fits whatever the other values are.
REMINDERS = OutboundMessage.purpose == sa.literal("reminder", literal_execute=True)
SCHEDULED = OutboundMessage.status == sa.literal("scheduled", literal_execute=True)
# Alerts, answers and what staff write never stand behind reminders: another queue, other workers.
Lane = Literal["urgent", "reminders"]
LANES: Mapping[Lane, ColumnElement[bool]] = {
    "urgent": OutboundMessage.priority < PRIORITY["reminder"],
    "reminders": OutboundMessage.priority == PRIORITY["reminder"],
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A message to be sent. ``body`` None: worded when it is sent, from ``content_id``.

    ``timezone``: the patient's, None if unknown. ``send_before``: from then on of no use.
    """

    purpose: str
    content_id: str
    language: str
    send_after: datetime
    send_before: datetime | None = None
    timezone: str | None = None
    body: str | None = None
    content_version: str = ""
    injection_id: uuid.UUID | None = None
    step: str | None = None
    turn: int = 0
    channel: str = "text"  # or call
    id: uuid.UUID | None = None  # None: a new one
    written_by: str | None = None  # staff id, where a person wrote it
    reason: str = ""


def plan(
    session: Session,
    contact: Contact,
    plans: Sequence[Plan],
    *,
    at: datetime,
    actor: str = "line",
    cause: str = "planned",
) -> list[uuid.UUID]:
    """Put messages to one contact into the outbox; their ids. Urgent ones wake a worker after the commit."""
    return plan_all(session, [(contact, plans)], at=at, actor=actor, cause=cause)


def plan_all(
    session: Session,
    plans: Iterable[tuple[Contact, Sequence[Plan]]],
    *,
    at: datetime,
    actor: str = "line",
    cause: str = "planned",
) -> list[uuid.UUID]:
    """Like `plan` for many contacts, in two statements."""
    rows = [_row(contact, each, at) for contact, some in plans for each in some]
    if not rows:
        return []
    session.execute(sa.insert(OutboundMessage), rows)
    ids = [uuid.UUID(str(row["id"])) for row in rows]
    MOVES.note(session, ids, "scheduled", at=at, cause=cause, actor=actor)
    if any(row["purpose"] in ANSWERS for row in rows):
        wake_after_commit(session)
    return ids


def _row(contact: Contact, p: Plan, at: datetime) -> dict[str, Any]:
    return {
        "id": p.id or new_id(),
        "contact_id": contact.id,
        "number_hash": contact.number_hash,
        "purpose": p.purpose,
        "priority": PRIORITY[p.purpose],
        "content_id": p.content_id,
        "language": p.language,
        "send_after": p.send_after,
        "send_before": p.send_before,
        "timezone": p.timezone,
        "body": p.body,
        "content_version": p.content_version,
        "injection_id": p.injection_id,
        "step": p.step,
        "turn": p.turn,
        "channel": p.channel,
        "written_by": p.written_by,
        "reason": p.reason,
        "status": "scheduled",
        "created_at": at,
    }


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that a worker has claimed, as it then was. ``body`` is still encrypted."""

    id: uuid.UUID
    claim_token: uuid.UUID
    contact_id: uuid.UUID
    number_hash: str
    purpose: str
    priority: int
    content_id: str
    language: str
    content_version: str
    body: bytes | None
    send_after: datetime
    send_before: datetime | None
    timezone: str | None
    reason: str
    attempts: int
    error_code: int | None
    injection_id: uuid.UUID | None
    turn: int
    channel: str


# What is encrypted comes as it is: what no key opens must not keep others from being claimed.
CLAIMED = tuple(
    sa.type_coerce(OutboundMessage.body, sa.LargeBinary).label("body")
    if each.name == "body"
    else OutboundMessage.__table__.c[each.name]
    for each in fields(Claimed)
    if each.name != "id"
)
# Each lane is one range of the index on due rows, which planned later ones do not lengthen.
_DUE: Mapping[Lane, sa.Select[Any]] = {
    lane: sa.select(OutboundMessage.id)
    .where(
        SCHEDULED,
        mine,
        OutboundMessage.send_after >= sa.bindparam("since", type_=UtcDateTime),
        OutboundMessage.send_after <= sa.bindparam("now", type_=UtcDateTime),
    )
    .order_by(OutboundMessage.priority, OutboundMessage.send_after, OutboundMessage.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
    .with_for_update(skip_locked=True)
    for lane, mine in LANES.items()
}


def claim_due(
    session: Session,
    *,
    now: datetime,
    limit: int,
    lane: Lane | None = None,
    since: datetime = THE_BEGINNING,
) -> tuple[uuid.UUID, list[Claimed]]:
    """Take up to ``limit`` due messages for this worker: (claim token, rows), most urgent and oldest first.

    ``lane``: only those of one lane; None for the urgent ones and then reminders. Rows that another worker
    is taking are passed over, so claims never wait for each other. ``since``: leave out what was due before,
    as somebody may who has just claimed up to there.
    """
    token = uuid.uuid4()
    taken: list[Claimed] = []
    for each in LANES if lane is None else (lane,):
        rows = MOVES.take(
            session,
            _DUE[each],
            "claimed",
            given={"since": since, "now": now, "most": limit - len(taken)},
            at=now,
            cause="due",
            values={"claim_token": token, "lease_until": now + CLAIM_LEASE},
            giving=CLAIMED,
        )
        taken += sorted(
            (Claimed(*row) for row in rows), key=lambda row: (row.priority, row.send_after, row.id)
        )
    return token, taken


def end_messages(
    session: Session, record: consent.Record, *, carrier_blocked: bool, actor: str | None = None
) -> bool:
    """Write an opt-out into the ledger, then cancel what is planned; True if it was news.

    In this order everywhere: whoever locks both takes the ledger first. ``actor``: who cancels, if not
    the one of the record.
    """
    news = consent.opt_out(session, record, carrier_blocked=carrier_blocked)
    actor = actor or record.actor
    cancel_planned(session, record.number_hash, at=record.at, reason="opted out", actor=actor)
    return news


def learn_opt_out(session: Session, number_hash: str, now: datetime, *, asked: datetime | None) -> None:
    """The carrier says that this number has opted out (Twilio 21610): believe it, cancel the rest.

    ``asked``: when the refused message was let go, if that is known. A START that came since has ended what
    the carrier speaks of. Always before the message itself is moved: everybody locks the ledger first.
    """
    if consent.holds(session, number_hash) and consent.started_since(session, number_hash, asked):
        return
    from_carrier = consent.Record(number_hash, now, "error_21610", "", actor="carrier")
    end_messages(session, from_carrier, carrier_blocked=True, actor="line")


def cancel_planned(
    session: Session,
    number_hash: str,
    *,
    at: datetime,
    reason: str,
    actor: str = "line",
    failed_too: bool = False,
) -> int:
    """Cancel every automated message to a number that has not started to go; how many.

    ``failed_too``: what did not arrive cannot be sent again either.
    """
    contact = sa.select(Contact.id).where(Contact.number_hash == number_hash).scalar_subquery()
    theirs = to_contact(contact)
    going = on_their_way(session, theirs, at=at, failed_too=failed_too)
    not_again(session, going, at=at, reason=reason, actor=actor)
    query = sa.select(OutboundMessage.id).where(theirs, REMINDERS, OutboundMessage.status.in_(OPEN))
    return len(cancel(session, session.scalars(query).all(), at=at, reason=reason, actor=actor))


def cancel(
    session: Session, ids: Sequence[uuid.UUID], *, at: datetime, reason: str, actor: str = "line"
) -> list[uuid.UUID]:
    """Cancel those of ``ids`` that have not started to go; which. ``reason``: at most 40 letters."""
    values = {"reason": reason, **NO_CLAIM}
    return MOVES.move(session, ids, "cancelled", at=at, cause=reason, actor=actor, values=values)


def on_their_way(
    session: Session, *which: ColumnElement[bool], at: datetime, failed_too: bool = False
) -> dict[uuid.UUID, str]:
    """Status of the automated messages that may not have arrived yet, of those ``which``; locked.

    Ask before you look for what is planned: one that comes back into the plan meanwhile is then seen there.
    ``failed_too``: also of those that did not.
    """
    lately = OutboundMessage.sending_at > at - LOOK_BACK
    statuses = (*ON_ITS_WAY, *DID_NOT_ARRIVE) if failed_too else ON_ITS_WAY
    query = sa.select(OutboundMessage.id, OutboundMessage.status).where(
        REMINDERS, OutboundMessage.status.in_(statuses), lately, *which
    )
    return {row.id: row.status for row in session.execute(query.with_for_update(of=OutboundMessage))}


def not_again(
    session: Session, going: Mapping[uuid.UUID, str], *, at: datetime, reason: str, actor: str
) -> None:
    """Write down of messages on their way, or failed, that they are not to be tried again, for ``reason``.

    They are not called back. But one that turns out not to have gone is cancelled then, and nothing follows.
    """
    for status in sorted(set(going.values())):
        ids = [one for one, stands in going.items() if stands == status]
        MOVES.note(session, ids, status, at=at, cause=f"{NOT_AGAIN}{reason}", actor=actor)


def why_not_again(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Those of some messages that are not to be tried again, each with the reason."""
    last = (
        sa.select(OutboundEvent.subject_id, OutboundEvent.cause)
        .where(
            OutboundEvent.subject_id == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.Uuid))),
            sa.or_(OutboundEvent.cause.startswith(NOT_AGAIN), OutboundEvent.cause == WANTED_AGAIN),
        )
        .order_by(OutboundEvent.id)
    )
    causes = {row.subject_id: row.cause for row in session.execute(last)} if ids else {}
    return {one: cause.removeprefix(NOT_AGAIN) for one, cause in causes.items() if cause != WANTED_AGAIN}


def cancel_ended(session: Session, ids: Collection[uuid.UUID], *, at: datetime) -> dict[uuid.UUID, str]:
    """Cancel those that came back into the plan but are not to be tried again; each with the reason."""
    ended = why_not_again(session, ids)
    for message, reason in ended.items():
        cancel(session, [message], at=at, reason=reason)
    return ended


def take_back_stale(session: Session, *, now: datetime) -> tuple[int, int]:
    """After a worker died: claims whose lease ended return, sends that nobody finished become ``unknown``.

    Gives (returned, unknown). A send that may have reached the carrier is never put back into the plan.
    Rows that somebody is changing at this moment are left for the next time, so nobody waits in a circle.
    """
    ended = (OutboundMessage.lease_until.is_not(None), OutboundMessage.lease_until < now)
    query = sa.select(OutboundMessage.id).where(*ended).with_for_update(skip_locked=True)
    ids = session.scalars(query).all()
    returned = MOVES.move(
        session,
        ids,
        "scheduled",
        at=now,
        cause="lease ended",
        values=NO_CLAIM,
        only_if=(*ended, OutboundMessage.status == "claimed"),
    )
    unknown = MOVES.move(
        session,
        ids,
        "unknown",
        at=now,
        cause="lease ended while sending",
        values={"reason": "no result in time", "check_after": now, **NO_CLAIM},
        only_if=ended,
    )
    return len(returned), len(unknown)
