"""A small past of the line, row by row, whose figures can be worked out by hand."""

from __future__ import annotations

import itertools
import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from nurseline.callbacks.models import CallbackEvent, CallbackItem, CallbackOutcome
from nurseline.consent.models import ConsentEvent
from nurseline.messaging.models import Call, CallStep, Contact, InboundMessage, OutboundMessage
from nurseline.reports.queries import lowest_id

_numbers = itertools.count(1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def new_id(at: datetime) -> uuid.UUID:
    """An id as the line would have made it at ``at``."""
    return uuid.UUID(int=lowest_id(at).int | 7 << 76 | 2 << 62 | next(_numbers))


class Past:
    """Writes what happened."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, row: Any) -> Any:
        self.session.add(row)
        self.session.flush()
        return row

    def contact(self, at: datetime) -> Contact:
        number = next(_numbers)
        return self.add(
            Contact(
                id=new_id(at), number_hash=f"{number:064x}", number=f"+1202555{number:04d}", first_seen_at=at
            )
        )

    def item(
        self,
        contact: Contact | None,
        at: datetime,
        reason: str = "clinical",
        *,
        promise: timedelta = 4 * HOUR,
        tried: timedelta | None = None,
        spoke: timedelta | None = None,
        closed: timedelta | None = None,
        outcome: str | None = None,
        **more: Any,
    ) -> CallbackItem:
        """An item; times are counted from when it was asked for."""
        status = "done" if closed is not None else "new"
        values = {
            "id": uuid.uuid4(),
            "reason": reason,
            "priority": 2,
            "contact_id": contact.id if contact else None,
            "number_key": contact.number_hash if contact else "call:CA1",
            "source": "text",
            "status": status,
            "promised_at": at + promise,
            "created_at": at,
            "first_attempt_at": None if tried is None else at + tried,
            "first_contact_at": None if spoke is None else at + spoke,
            "closed_at": None if closed is None else at + closed,
            "outcome": outcome or ("reached_resolved" if closed is not None else None),
        }
        return self.add(CallbackItem(**(values | more)))

    def event(self, item: CallbackItem, at: datetime, cause: str) -> None:
        self.add(CallbackEvent(subject_id=item.id, at=at, status="new", cause=cause, actor="line"))

    def outcome(self, item: CallbackItem, at: datetime, outcome: str) -> None:
        self.add(CallbackOutcome(item_id=item.id, at=at, staff_id="staff-1", outcome=outcome))

    def text(
        self, contact: Contact, at: datetime, topic: str = "unknown", tier: str = "none", answer: str = ""
    ) -> InboundMessage:
        """A text that came in. ``answer``: entries of the reply to it."""
        row = self.add(
            InboundMessage(
                id=new_id(at),
                message_sid=f"SM{next(_numbers):032x}",
                contact_id=contact.id,
                sender=contact.number,
                body="words",
                topic=topic,
                tier=tier,
                received_at=at,
            )
        )
        if answer:
            self.sent(contact, at, "reply", content_id=answer, in_reply_to=row.id)
        return row

    def sent(self, contact: Contact, at: datetime, purpose: str = "reminder", **more: Any) -> OutboundMessage:
        values = {
            "id": new_id(at),
            "contact_id": contact.id,
            "number_hash": contact.number_hash,
            "purpose": purpose,
            "priority": 5,
            "content_id": "reminder.day1",
            "language": "en",
            "send_after": at,
            "sending_at": at,
            "status": "delivered",
            "created_at": at,
        }
        return self.add(OutboundMessage(**(values | more)))

    def call(self, contact: Contact | None, at: datetime, *said: str, lasted: timedelta = MINUTE) -> Call:
        """A call that is over. ``said``: the entries of each step, ten seconds apart."""
        call = self.add(
            Call(
                call_sid=f"CA{next(_numbers):032x}",
                contact_id=contact.id if contact else None,
                carrier_status="completed",
                started_at=at,
                ended_at=at + lasted,
            )
        )
        for step, entries in enumerate(("voice.greeting", *said)):
            runs = json.dumps([[" ".join(f"{one}:1" for one in entries.split()), "words"]])
            when = at + step * timedelta(seconds=10)
            self.add(CallStep(call_id=call.id, step=step, heard="1", document="", said=runs, at=when))
        return call

    def consent(self, contact: Contact, at: datetime, kind: str, method: str) -> None:
        self.add(
            ConsentEvent(
                id=new_id(at),
                number_hash=contact.number_hash,
                at=at,
                kind=kind,
                method=method,
                words="",
                actor="patient",
            )
        )
