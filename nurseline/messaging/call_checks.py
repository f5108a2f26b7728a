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
from nurseline.messaging.checks import ASKING, next_check
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
        with sender.db.begin() as session:
            moved += _settle(sender, session, wanted, listing)
    return moved


def _take(sender: Sender, limit: int) -> list[_Wanted]:
    """Those whose time has come, kept from other processes while we ask."""
    now = sender.clock.now()
    with sender.db.begin() as session:
        rows = session.scalars(
            sa.select(OutboundMessage)
            .where(
                OutboundMessage.check_after.is_not(None),
                OutboundMessage.check_after <= now,
                OutboundMessage.status.in_(("sent", "unknown")),
                OutboundMessage.channel == "call",
            )
            .order_by(OutboundMessage.check_after)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        for row in rows:
            row.check_after = now + ASKING
        return [
            _Wanted(
                row.id,
                "sent" if row.status == "sent" else "unknown",
                row.contact.number,
                row.sending_at or now,
                row.provider_sid,
            )
            for row in rows
        ]


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
