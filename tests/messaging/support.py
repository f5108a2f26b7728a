"""What the tests of the outbox share."""

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from nurseline.carrier.errors import meaning_of
from nurseline.messaging import outbox
from nurseline.messaging.followups import Alarm
from nurseline.messaging.models import OutboundEvent, OutboundMessage
from nurseline.messaging.outbox import CLAIMED, Claimed, Lane, claim_due
from nurseline.messaging.reports import Report, apply_report
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Accepted, SendOutcome
from nurseline.parts import Parts
from tests.support.line import FakeGateway, Sent, make_contact, plan_one, sid

STATUSES = (
    "scheduled",
    "claimed",
    "sending",
    "sent",
    "delivered",
    "undelivered",
    "failed",
    "unknown",
    "skipped",
    "cancelled",
)


def force(parts: Parts, message_id: uuid.UUID, **values: Any) -> None:
    """Put a row into any state, past all rules."""
    with parts.db.begin() as session:
        session.execute(sa.update(OutboundMessage).where(OutboundMessage.id == message_id).values(**values))


def claimed(parts: Parts, *, limit: int = 100, lane: Lane | None = None) -> tuple[uuid.UUID, list[uuid.UUID]]:
    """Claim what is due, as a worker does, in a transaction of its own."""
    with parts.db.begin() as session:
        token, rows = claim_due(session, now=parts.clock.now(), limit=limit, lane=lane)
        return token, [row.id for row in rows]


def send_one(sender: Sender, message_id: uuid.UUID, token: uuid.UUID) -> None:
    """Send one claimed message, if it may still go."""
    query = sa.select(OutboundMessage.id, *CLAIMED).where(OutboundMessage.id == message_id)
    with sender.db.begin() as session:
        row = Claimed(*session.execute(query).one())
    run = sender.run()
    run.waiting.append(replace(row, claim_token=token))
    run.go()


def report(parts: Parts, provider_sid: str, status: str, *, alarm: Alarm | None = None, **more: Any) -> bool:
    """A status callback comes in, as the webhook reads it."""
    if code := more.get("error_code"):
        more["meaning"] = meaning_of(code)
    with parts.db.begin() as session:
        return apply_report(session, Report(provider_sid, status, parts.clock.now(), **more), alarm=alarm)


def causes(parts: Parts, message_id: uuid.UUID) -> list[str]:
    """Why a message had each status, in order."""
    query = sa.select(OutboundEvent.cause).where(OutboundEvent.subject_id == message_id)
    with parts.db.begin() as session:
        return list(session.scalars(query.order_by(OutboundEvent.id)))


@dataclass
class Answering(FakeGateway):
    """A carrier that answers every request in the same way."""

    each: Callable[[Sent], SendOutcome] = field(default=lambda _: Accepted(sid()))

    def send(self, *, to: str, body: str, reference: uuid.UUID) -> SendOutcome:
        sent = Sent(to, body, reference)
        with self._lock:
            self.sends.append(sent)
        return self.each(sent)


def answers(parts: Parts, count: int) -> list[uuid.UUID]:
    """Messages from staff to one number: nothing but their time decides about them."""
    one = outbox.Plan("staff", "test.words", "en", parts.clock.now(), body="Words.")
    contact = make_contact(parts)
    with parts.db.begin() as session:
        return outbox.plan(session, contact, [one] * count, at=parts.clock.now())


def reminders(parts: Parts, count: int) -> list[uuid.UUID]:
    """A reminder to each of so many numbers."""
    contacts = [make_contact(parts, f"+120255{n:05}", agreed=True) for n in range(10_000, 10_000 + count)]
    return [plan_one(parts, contact) for contact in contacts]


def statuses(parts: Parts) -> Counter[str]:
    with parts.db.begin() as session:
        rows = session.execute(
            sa.select(OutboundMessage.status, sa.func.count()).group_by(OutboundMessage.status)
        )
        return Counter(dict(rows.all()))


def damage(parts: Parts, message_id: uuid.UUID, *, number: bool = False) -> None:
    """Make the words of a message, or the number that it goes to, such that no key opens them."""
    words = "UPDATE outbound_messages SET body = 'x' WHERE id = :id"
    of_contact = "UPDATE contacts SET number = 'x' FROM outbound_messages m WHERE m.contact_id = contacts.id"
    with parts.db.begin() as session:
        session.execute(sa.text(f"{of_contact} AND m.id = :id" if number else words), {"id": message_id})


def checked_next(parts: Parts, message_id: uuid.UUID) -> datetime | None:
    """When the carrier is asked about a message, read or not."""
    query = sa.select(OutboundMessage.check_after).where(OutboundMessage.id == message_id)
    with parts.db.begin() as session:
        return session.scalar(query)
