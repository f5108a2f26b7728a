"""Calls of which no report came: the carrier is asked, at the same times as about texts (`checks`).

A call that the carrier took is asked about by its sid. One of unknown outcome is looked for among the calls
to its number: no other automated call goes there within hours, so one made at its time is this one. It is
never made again by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from nurseline.messaging.call_reports import CallReport, apply_call_report
from nurseline.messaging.checking import one_of_many, take_due
from nurseline.messaging.checks import next_check
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.reconcile import missed
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Listing, Standing

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A call to ask about. ``sid``: the carrier's, if it is known."""

    id: uuid.UUID
    status: Literal["sent", "unknown"]
    to: str
    since: datetime
    sid: str | None


def check_calls(sender: Sender, *, limit: int = 50) -> int:
    """Ask the carrier about calls whose time for it has come; how many moved."""
    moved = 0
    for wanted in _take(sender, limit):
        try:
            listing = _ask(sender, wanted)
        except OSError:
            log.warning("call_check.unreachable")
            break
        with one_of_many(sender.db, sender.clock, wanted.id), sender.db.begin() as session:
            moved += _settle(sender, session, wanted, listing)
    return moved


def _take(sender: Sender, limit: int) -> list[_Wanted]:
    """Those whose time has come, as far as they can be read."""
    now = sender.clock.now()
    which = (OutboundMessage.status.in_(("sent", "unknown")), OutboundMessage.channel == "call")
    read: list[_Wanted] = []
    for one, sid in take_due(sender.db, *which, now=now, limit=limit):
        with one_of_many(sender.db, sender.clock, one), sender.db.begin() as session:
            row = session.get_one(OutboundMessage, one)
            status: Literal["sent", "unknown"] = "sent" if row.status == "sent" else "unknown"
            read.append(_Wanted(one, status, row.contact.number, row.sending_at or now, sid))
    return read


def _ask(sender: Sender, wanted: _Wanted) -> Listing:
    """What the carrier has of it. Raises OSError if it cannot be asked."""
    if wanted.sid is None:
        return sender.gateway.find_calls(to=wanted.to, since=wanted.since)
    standing = sender.gateway.look_at_call(wanted.sid)
    return Listing([standing] if standing else [])


def _settle(sender: Sender, session: Session, wanted: _Wanted, listing: Listing) -> int:
    message = session.get(OutboundMessage, wanted.id)
    if message is None or message.status != wanted.status:
        return 0  # a report was faster
    now = sender.clock.now()
    standing = next(iter(_free(session, message, listing.found)), None)
    if standing is not None:
        report = CallReport(standing.sid, standing.status, now, message.id, standing.seconds)
        if apply_call_report(session, report, sender.hours.clinic_zone):
            return 1
    elif wanted.status == "unknown":
        missed(session, message, listing, now)
        return 0
    later = next_check("sent", message.sending_at, now) if standing is not None else None
    still = (OutboundMessage.id == message.id, OutboundMessage.status == message.status)
    session.execute(sa.update(OutboundMessage).where(*still).values(check_after=later))
    return 0


def _free(session: Session, message: OutboundMessage, found: Sequence[Standing]) -> list[Standing]:
    """Those that are not another message's."""
    others = sa.select(OutboundMessage.provider_sid).where(
        OutboundMessage.provider_sid.in_([one.sid for one in found]), OutboundMessage.id != message.id
    )
    taken = set(session.scalars(others))
    return [one for one in found if one.sid not in taken]
