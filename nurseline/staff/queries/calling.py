"""The calls about an item, and whether its patient can be called now."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks import calling
from nurseline.callbacks.models import CallbackAttempt, CallbackItem
from nurseline.config import Settings
from nurseline.consent import service as consent
from nurseline.consent.models import ConsentEvent
from nurseline.phone import parse
from nurseline.staff import own_phone
from nurseline.staff.queries.items import held_by


@dataclass(frozen=True, slots=True)
class CallPanel:
    """What the item page shows about calling.

    ``mine``: the viewer has the item. ``phone``: the end of the viewer's own number; empty if none is known.
    ``current``: the call that lasts, with its ``stage``. ``to_record``: the viewer's last call, over, whose
    outcome is to be recorded, and the outcome ``suggested``. ``before``: the other calls, newest first.
    ``ended_messages``: when and how the patient asked for no more messages. ``rule``: all that may be said to
    a mailbox.
    """

    item: CallbackItem
    mine: bool
    phone: str
    can_be_called: bool
    current: CallbackAttempt | None
    stage: calling.Stage
    to_record: CallbackAttempt | None
    suggested: str
    before: Sequence[CallbackAttempt]
    ended_messages: ConsentEvent | None
    rule: str

    @property
    def may_call(self) -> bool:
        """Whether a button to call is shown."""
        return self.mine and self.can_be_called and self.current is None

    @property
    def lasts(self) -> bool:
        """Whether the viewer's own call is under way, so that the page follows it."""
        return self.current is not None and self.mine

    @property
    def fingerprint(self) -> str:
        """Changes whenever the panel would look different."""
        seen = [
            (a.id, a.result, a.ended_at, a.seconds) for a in (self.current, *self.before) if a is not None
        ]
        last = self.to_record and (self.to_record.id, self.to_record.result, self.to_record.seconds)
        text = repr((self.mine, self.phone, self.stage, seen, last, self.ended_messages is None))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def call_panel(
    session: Session, item: CallbackItem, viewer_id: str, *, settings: Settings, now: datetime
) -> CallPanel:
    """The panel of an item for this person."""
    attempts = calling.attempts_of(session, item.id)
    current = next((a for a in reversed(attempts) if a.ended_at is None), None)
    _, mine = held_by(item, viewer_id, now)
    last = calling.unrecorded(session, item.id, viewer_id) if mine else None
    to_record = last if last is not None and last.ended_at is not None and current is None else None
    shown = {a.id for a in (current, to_record) if a is not None}
    number = item.contact.number if item.contact else ""
    return CallPanel(
        item=item,
        mine=mine,
        phone=own_phone.of(session, viewer_id)[-4:],
        can_be_called=parse(number, regions=settings.regions).kind == "person",
        current=current,
        stage=calling.stage(current, now) if current else "over",
        to_record=to_record,
        suggested=calling.suggested(to_record) if to_record else "",
        before=[a for a in reversed(attempts) if a.id not in shown],
        ended_messages=_ended_messages(session, item),
        rule=_rule(settings.facts["clinic"], settings.facts["phone"]),
    )


def _rule(clinic: str, phone: str) -> str:
    """Who calls, and please call: nothing that a stranger should not hear (clinic rules 1.6)."""
    return f"This is (your first name) from {clinic}. Please call {phone}. Thank you."


def _ended_messages(session: Session, item: CallbackItem) -> ConsentEvent | None:
    """The patient's last wish for no more messages, unless they asked for them again since."""
    if item.contact is None:
        return None
    state = consent.state_of(session, item.contact.number_hash)
    if state is None or state.status != "opted_out":
        return None
    query = sa.select(ConsentEvent).where(
        ConsentEvent.number_hash == item.contact.number_hash, ConsentEvent.kind == "opt_out"
    )
    return session.scalar(query.order_by(ConsentEvent.at.desc(), ConsentEvent.id.desc()).limit(1))
