"""Messages of unknown outcome: looked up in the carrier's list, and settled without ever being sent again.

A status callback settles one at once (`reports`). Where none comes, the list of what the carrier holds for
the number is read, some times within a day. One that the list holds goes on from where the carrier has it.
One that a complete list did not hold at least twice, minutes after the request, is marked as not found; it
stays unknown, for staff to decide.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from nurseline.messaging.asking import SECONDS, ask_all
from nurseline.messaging.checking import one_of_many, take_due
from nurseline.messaging.checks import next_check
from nurseline.messaging.decisions import BY_STAFF, CAUSES
from nurseline.messaging.models import DeliveryReport, OutboundEvent, OutboundMessage
from nurseline.messaging.outbox import MOVES
from nurseline.messaging.reports import STATUS, Report, advance
from nurseline.messaging.sending import Sender
from nurseline.messaging.to_contact import to_contact
from nurseline.outcomes import Listing, Standing

log = structlog.get_logger(__name__)

FOUND = "found in the carrier's list"
MISSED = "not in the carrier's list"
NOT_READ = "the carrier's list could not be read whole"
NOT_THERE = "not found at the carrier"  # reason of a message that the list surely does not hold
SURE_AFTER = timedelta(minutes=5)  # far above what the list lags behind
NEAR = timedelta(minutes=10)  # requests farther apart than this cannot be taken for each other
MOST_COMPARED = 6


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A message to look for."""

    id: uuid.UUID
    to: str
    body: str
    since: datetime


def look_up_unknown(sender: Sender, *, limit: int = 50, seconds: float = SECONDS) -> int:
    """Ask the carrier for messages of unknown outcome that it is time to ask for; how many it had.

    ``limit`` of them at a time, for some ``seconds``.
    """
    found, until, whole = 0, time.monotonic() + seconds, True
    while whole and (taken := _take(sender, limit)):
        answers, whole = ask_all(_read(sender, taken), partial(_ask, sender), until=until)
        for wanted, listing in answers:
            with one_of_many(sender.db, sender.clock, wanted.id):
                found += _settled(sender, wanted, listing)
        if len(taken) < limit or time.monotonic() > until:
            break
    return found


def _ask(sender: Sender, wanted: _Wanted) -> Listing:
    return sender.gateway.find(to=wanted.to, body=wanted.body, since=wanted.since)


def _take(sender: Sender, limit: int) -> list[uuid.UUID]:
    """Texts of unknown outcome whose time has come."""
    which = (OutboundMessage.status == "unknown", OutboundMessage.channel == "text")
    return [one for one, _ in take_due(sender.db, *which, now=sender.clock.now(), limit=limit)]


def _read(sender: Sender, ids: Sequence[uuid.UUID]) -> list[_Wanted]:
    """What to look for, of those that can be read."""
    read: list[_Wanted] = []
    for one in ids:
        with one_of_many(sender.db, sender.clock, one), sender.db.begin() as session:
            row = session.get_one(OutboundMessage, one)
            since = row.sending_at or sender.clock.now()
            read.append(_Wanted(one, row.contact.number, row.body or "", since))
    return read


def _settled(sender: Sender, wanted: _Wanted, listing: Listing) -> int:
    try:
        with sender.db.begin() as session:
            return _settle(session, sender, wanted, listing)
    except IntegrityError:  # somebody else has just given this sid to another message: next time
        log.info("lookup.overtaken", message=str(wanted.id))
        return 0


def _settle(session: Session, sender: Sender, wanted: _Wanted, listing: Listing) -> int:
    now = sender.clock.now()
    message = session.get(OutboundMessage, wanted.id)
    if message is None or message.status != "unknown" or message.provider_sid is not None:
        return 0  # a report was faster
    standing = _mine(session, message, wanted, listing)
    if standing is not None and standing.status in STATUS:
        report = Report(
            standing.sid, standing.status, now, error_code=standing.error_code, meaning=standing.meaning
        )
        return int(advance(session, message, report, cause=FOUND, alarm=sender.alarm))
    missed(session, message, listing, now)
    return 0


def _mine(session: Session, message: OutboundMessage, wanted: _Wanted, listing: Listing) -> Standing | None:
    """Which of what the list holds is this message, where the same words may have gone to a number twice."""
    sids = [one.sid for one in listing.found]
    if not sids:
        return None
    owners = _owners(session, sids)
    free = []
    for one in listing.found:
        owner = owners.get(one.sid)
        if owner == message.id:
            return one
        if owner is None:
            free.append(one)
    asked = [(message.id, wanted.since), *_rivals(session, message, wanted)]
    return pair(sorted(asked, key=lambda ours: ours[1]), free).get(message.id)


def _owners(session: Session, sids: Sequence[str]) -> dict[str, uuid.UUID]:
    """Whose sids these are, as far as that is certain: by the message itself, or by a report's reference."""
    reported = sa.select(DeliveryReport.provider_sid, DeliveryReport.message_id).where(
        DeliveryReport.provider_sid.in_(sids), DeliveryReport.message_id.is_not(None)
    )
    held = sa.select(OutboundMessage.provider_sid, OutboundMessage.id).where(
        OutboundMessage.provider_sid.in_(sids)
    )
    return {sid: owner for query in (reported, held) for sid, owner in session.execute(query)}


def _rivals(session: Session, message: OutboundMessage, wanted: _Wanted) -> list[tuple[uuid.UUID, datetime]]:
    """Other messages with the same words to the number that may have reached the carrier, without a sid."""
    near = session.scalars(
        sa.select(OutboundMessage).where(
            to_contact(message.contact_id),
            OutboundMessage.id != message.id,
            OutboundMessage.provider_sid.is_(None),
            sa.or_(
                OutboundMessage.status.in_(("sending", "unknown", "delivered")),
                # Staff believe that it did not arrive; the carrier may have it all the same.
                sa.and_(
                    OutboundMessage.status == "failed",
                    OutboundMessage.reason == CAUSES["again"],
                    OutboundMessage.error_code.is_(None),
                ),
            ),
            OutboundMessage.sending_at.between(wanted.since - NEAR, wanted.since + NEAR),
        )
    )
    return [(row.id, row.sending_at) for row in near if row.body == wanted.body and row.sending_at]


def pair(
    asked: Sequence[tuple[uuid.UUID, datetime]], held: Sequence[Standing]
) -> Mapping[uuid.UUID, Standing]:
    """Which of our requests is which message of the carrier. Both oldest first, all with the same words.

    In the order of time, and where there are more on one side, so that the times lie nearest together.
    """
    few = min(len(asked), len(held))
    if max(len(asked), len(held)) > MOST_COMPARED:
        return {ours[0]: theirs for ours, theirs in zip(asked, held, strict=False)}
    choices = itertools.product(itertools.combinations(asked, few), itertools.combinations(held, few))
    nearest = min(choices, key=lambda choice: _apart(*choice))
    return {ours[0]: theirs for ours, theirs in zip(*nearest, strict=True)}


def _apart(asked: Sequence[tuple[uuid.UUID, datetime]], held: Sequence[Standing]) -> float:
    pairs = zip(asked, held, strict=True)
    return sum(abs(((theirs.made_at or at) - at).total_seconds()) for (_, at), theirs in pairs)


def missed(session: Session, message: OutboundMessage, listing: Listing, now: datetime) -> None:
    """Write down that the list did not hold it, and when to look again."""
    cause = MISSED if listing.complete else NOT_READ
    before = sa.select(sa.func.count()).where(
        OutboundEvent.subject_id == message.id, OutboundEvent.cause == MISSED
    )
    late_enough = message.sending_at is not None and now - message.sending_at >= SURE_AFTER
    values: dict[str, object] = {"check_after": next_check("unknown", message.sending_at, now)}
    if listing.complete and late_enough and session.scalar(before):
        # What staff have decided stands: it must not come before them once more.
        decided = OutboundMessage.reason.startswith(BY_STAFF)
        values["reason"] = sa.case((decided, OutboundMessage.reason), else_=NOT_THERE)
    still = sa.update(OutboundMessage).where(
        OutboundMessage.id == message.id, OutboundMessage.status == "unknown"
    )
    if session.scalar(still.values(values).returning(OutboundMessage.id)) is not None:
        MOVES.note(session, [message.id], "unknown", at=now, cause=cause)
