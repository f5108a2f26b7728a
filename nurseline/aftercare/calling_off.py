"""Calling off the messages of an injection that did not happen, or was recorded by mistake."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from nurseline.aftercare import identifiers
from nurseline.aftercare.again import CALLED_OFF, REVIVING, is_called_off
from nurseline.aftercare.bringing import outside_key
from nurseline.aftercare.models import Injection
from nurseline.aftercare.service import REPLACED
from nurseline.consent import service as consent
from nurseline.crypto import Keyring
from nurseline.messaging import outbox
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.to_contact import to_contact
from nurseline.transitions import Each

GIVEN_BACK = "the later injection was called off"
HAS_DIED = "called off, the patient has died"  # of what is on its way: nothing comes back instead of it


def find_outside(session: Session, keyring: Keyring, reference: str, system: str = "") -> uuid.UUID | None:
    """The injection that the clinic's own system calls so."""
    key = outside_key(keyring, reference, system)
    first = session.scalar(sa.select(Injection.id).where(Injection.outside_key == key))
    return first or identifiers.owners(session, [key]).get(key)


def take_back(
    session: Session, keyring: Keyring, injection_id: uuid.UUID, reference: str, system: str, *, now: datetime
) -> bool:
    """Remember that one name of an injection no longer stands; whether another one does."""
    key = outside_key(keyring, reference, system)
    return identifiers.take_back(session, key, injection_id, now=now)


def call_off(
    session: Session, injection_id: uuid.UUID, *, actor: str, now: datetime, gives_back: bool = True
) -> int:
    """Cancel what is still planned for an injection; how many messages.

    One on its way is not called back, but not tried again either, and one that failed cannot be sent again.
    ``gives_back``: an earlier injection of the number gets back those messages that this one had replaced,
    where they are still of use; False where the patient has died: then it also loses what it got back before.
    """
    found = session.execute(
        sa.select(Injection.contact_id, Injection.performed_at, Contact.number_hash)
        .join(Contact, Injection.contact_id == Contact.id)
        .where(Injection.id == injection_id)
    ).one_or_none()
    if found is None:
        return 0
    agreed = consent.holds(session, found.number_hash)  # locked like by everybody who changes what is planned
    mine = OutboundMessage.injection_id == injection_id
    _not_again(session, mine, CALLED_OFF if gives_back else HAS_DIED, actor, now)
    planned = sa.select(OutboundMessage.id).where(mine, OutboundMessage.status.in_(outbox.OPEN))
    cancelled = outbox.cancel(session, session.scalars(planned).all(), at=now, reason=CALLED_OFF, actor=actor)
    # What a later injection had replaced must not come back when that one is called off, too.
    session.execute(sa.update(OutboundMessage).where(mine, *_REPLACED).values(reason=CALLED_OFF))
    # Only what it ended itself: what a STOP or staff ended meanwhile must not come back.
    if gives_back and agreed and cancelled:
        _give_back(session, found.contact_id, injection_id, cancelled, actor, now)
    if not gives_back:
        cancelled += _end_earlier(session, found.contact_id, found.performed_at, actor, now)
    return len(cancelled)


def _not_again(session: Session, which: ColumnElement[bool], reason: str, actor: str, now: datetime) -> None:
    """Nothing of ``which`` is tried again. That somebody has died stands, whatever else is said later."""
    ended = outbox.on_their_way(session, which, at=now, failed_too=True)
    why = outbox.why_not_again(session, ended)
    news = {one: status for one, status in ended.items() if why.get(one) not in {reason, HAS_DIED}}
    outbox.not_again(session, news, at=now, reason=reason, actor=actor)


def _end_earlier(
    session: Session, contact_id: uuid.UUID, performed_at: datetime, actor: str, now: datetime
) -> list[uuid.UUID]:
    """Cancel what the earlier injections of somebody who has died got back, or still have; which messages."""
    earlier = sa.select(Injection.id).where(
        Injection.contact_id == contact_id, Injection.performed_at <= performed_at
    )
    theirs = OutboundMessage.injection_id.in_(earlier)
    _not_again(session, theirs, HAS_DIED, actor, now)
    planned = sa.select(OutboundMessage.id).where(theirs, OutboundMessage.status.in_(outbox.OPEN))
    return outbox.cancel(session, session.scalars(planned).all(), at=now, reason=HAS_DIED, actor=actor)


_WHOSE = sa.select(OutboundMessage.number_hash, OutboundMessage.contact_id, OutboundMessage.injection_id)


def end_returned(session: Session, ids: Collection[uuid.UUID], at: datetime) -> None:
    """Cancel what came back into the plan and is not wanted any more.

    One that was on its way when its injection was called off, and surely did not go, gives its step back now.
    """
    for message_id, reason in outbox.cancel_ended(session, ids, at=at).items():
        row = session.execute(_WHOSE.where(OutboundMessage.id == message_id)).one()
        # Not locked: that comes before messages. A STOP at this moment is heeded when the message is due.
        ledger = consent.state_of(session, row.number_hash)
        agreed = ledger is not None and ledger.status == "opted_in" and not ledger.carrier_blocked
        if reason == CALLED_OFF and row.injection_id is not None and agreed:
            _give_back(session, row.contact_id, row.injection_id, [message_id], "line", at)


_REPLACED = (OutboundMessage.status == "cancelled", OutboundMessage.reason == REPLACED)


def _give_back(
    session: Session,
    contact_id: uuid.UUID,
    called_off: uuid.UUID,
    cancelled: Sequence[uuid.UUID],
    actor: str,
    now: datetime,
) -> None:
    """Plan again what was replaced of the latest injection that still stands, if nothing else is planned.

    Only the steps that were ``cancelled`` with the called-off one: what went of it is not sent once more.
    """
    others = sa.select(Injection.id).where(
        Injection.contact_id == contact_id, Injection.id != called_off, ~is_called_off()
    )
    latest = session.scalar(others.order_by(Injection.performed_at.desc()).limit(1))
    if latest is None:
        return
    planned = sa.exists().where(
        to_contact(contact_id),
        outbox.REMINDERS,
        OutboundMessage.status.in_(outbox.OPEN),
        OutboundMessage.injection_id != latest,
    )
    if session.scalar(sa.select(planned)):
        return
    mine = OutboundMessage.injection_id == latest
    _want_again(session, mine, actor, now)
    contact = session.get_one(Contact, contact_id)  # what staff have changed meanwhile holds
    values = {"reason": "", "timezone": contact.timezone, "channel": contact.channel}
    steps = sa.select(OutboundMessage.step).where(OutboundMessage.id.in_(cancelled))
    of_use = sa.select(OutboundMessage.id, OutboundMessage.body.is_(None), OutboundMessage.language).where(
        mine, *_REPLACED, OutboundMessage.send_before > now, OutboundMessage.step.in_(steps)
    )
    back = [
        Each(one, GIVEN_BACK, {**values, "language": contact.language if unworded else language})
        for one, unworded, language in session.execute(of_use).all()
    ]
    REVIVING.move_each(session, back, "scheduled", at=now, actor=actor)


def _want_again(session: Session, mine: ColumnElement[bool], actor: str, now: datetime) -> None:
    """What was not to be tried again because it was replaced may be: on its way, or failed meanwhile."""
    stands = outbox.on_their_way(session, mine, at=now, failed_too=True)
    why = outbox.why_not_again(session, stands)
    for status in sorted(set(stands.values())):
        ids = [one for one, at in stands.items() if at == status and why.get(one) == REPLACED]
        outbox.MOVES.note(session, ids, status, at=now, cause=outbox.WANTED_AGAIN, actor=actor)
