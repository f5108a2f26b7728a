"""The last decision before a request: which claimed messages go now, and in which words.

A chunk of them is decided in one transaction that commits them as ``sending``. The ledger's rows are locked
first, all in one order, so that neither two workers nor a worker and a STOP wait for each other in a circle.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from nurseline.clock import Clock
from nurseline.consent import service as consent
from nurseline.consent.allowed import DAYTIME, AllowedHours
from nurseline.crypto import Keyring
from nurseline.db import Held, away, held_up
from nurseline.messaging.answers import ANSWER_WITHIN
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.outbox import ANSWERS, MOVES, NO_CLAIM, ORDERED, SENDING_LEASE, Claimed
from nurseline.messaging.past import others_to
from nurseline.messaging.timing import NOTHING_BEFORE, Decision, Go, Past, Skip, Wait, decide, useful
from nurseline.transitions import Each

log = structlog.get_logger(__name__)

ONE_BY_ONE_SECONDS = 8.0  # far below the time in which requests must begin
UNPREPARED = timedelta(minutes=10)  # until what could not be worded is looked at again
NOT_PREPARED = "could not be prepared"
HELD = timedelta(seconds=10)  # until what somebody else held for too long is looked at again
# The ledger is asked in the same statement that lets messages go, so a STOP just before it wins.
# Purposes of what is no answer to a text or call that just came in: an opt-out ends it.
ENDED_BY_STOP = frozenset({"staff", "notice", "confirmation"})
NO_CONSENT = "opted out or no consent"
ALLOWED = (
    sa.or_(
        OutboundMessage.purpose.in_(sorted(ANSWERS - ENDED_BY_STOP)),
        consent.opted_in(OutboundMessage.number_hash),
        sa.and_(
            OutboundMessage.purpose.in_(sorted(ENDED_BY_STOP)),
            ~consent.opted_out(OutboundMessage.number_hash),
        ),
    ),
)
Words = Callable[[str, str], tuple[str, str]]  # (content id, language) -> (text, version)


@dataclass(frozen=True, slots=True)
class Going:
    """A message whose ``attempt`` was committed as ``sending``: the request may start.

    ``channel``: text or call.
    """

    row: Claimed
    to: str
    body: str
    attempt: int
    channel: str


@dataclass(frozen=True, slots=True)
class _Recipient:
    """Whom a message goes to, and how they want it at this moment. ``number`` is still encrypted."""

    number: bytes
    timezone: str | None
    channel: str


_CONTACT = Contact.__table__.c
_RECIPIENTS = sa.select(
    _CONTACT.id,
    sa.type_coerce(_CONTACT.number, sa.LargeBinary).label("number"),
    _CONTACT.timezone,
    _CONTACT.channel,
).where(_CONTACT.id == sa.any_(sa.bindparam("wanted", type_=sa.ARRAY(sa.Uuid))))


@dataclass(slots=True)
class _Fates:
    """What becomes of the rows of a chunk."""

    go: list[tuple[Going, Each]] = field(default_factory=list)
    wait: list[Each] = field(default_factory=list)
    skip: list[Each] = field(default_factory=list)
    failed: list[Each] = field(default_factory=list)

    def leave_out(self, row: Claimed, each: Each) -> None:
        """It came too late. What was tried, or follows what did not arrive, is for staff to see."""
        tried = row.attempts > 0 or row.turn > 0 or row.reason == NOT_PREPARED
        (self.failed if tried else self.skip).append(each)


@dataclass(frozen=True)
class Decider:
    """Decides about claimed messages. ``hours``: when automated ones may go."""

    db: Held
    keyring: Keyring
    clock: Clock
    words: Words
    hours: AllowedHours

    def let_go(self, rows: Sequence[Claimed]) -> tuple[list[Going], list[Claimed]]:
        """Decide about claimed ``rows`` and commit it: those that go, and those to be brought again.

        Of several automated messages to one number only the first is decided; the next is to see what
        became of it. Raises DBAPIError if the database is away: the claims then run out by themselves.
        """
        now, again = _one_for_each_number(rows)
        try:
            with self.db.begin() as session:
                return self._decide_all(session, now), again
        except DBAPIError as error:
            if away(error):
                raise
            if len(now) > 1:  # one of them is at fault: the others must not suffer
                return self._one_by_one(now), again
            with self.db.begin() as session:
                at = self.clock.now()
                put_off = _held_up(now[0], at) if held_up(error) else _put_off(now[0], at, error)
                _move(session, [put_off], "scheduled", at, NO_CLAIM)
            return [], again

    def _one_by_one(self, rows: Sequence[Claimed]) -> list[Going]:
        """Those of ``rows`` that go. What was let go so far goes, even if the database is away then."""
        going: list[Going] = []
        until = time.monotonic() + ONE_BY_ONE_SECONDS
        for row in rows:
            try:
                going += self.let_go([row])[0]
            except DBAPIError:
                if not going:
                    raise
                break
            if time.monotonic() > until:  # requests must begin soon; the other claims run out by themselves
                break
        return going

    def _decide_all(self, session: Session, rows: Sequence[Claimed]) -> list[Going]:
        automated = [row for row in rows if row.purpose not in ANSWERS]
        consent.hold_all(session, {row.number_hash for row in automated})
        now = self.clock.now()
        past = others_to(session, automated, now=now)
        recipients = _recipients(session, rows)
        fates = _Fates()
        words = cache(self.words)  # a chunk of reminders has few different ones
        for row in rows:
            self._decide_one(row, recipients[row.contact_id], past.get(row.id), now, words, fates)
        going = _let(session, fates, now)
        _move(session, fates.wait, "scheduled", now, NO_CLAIM)
        _move(session, fates.skip, "skipped", now, NO_CLAIM)
        _move(session, fates.failed, "failed", now, NO_CLAIM)
        return going

    def _decide_one(
        self,
        row: Claimed,
        recipient: _Recipient,
        past: Past | None,
        now: datetime,
        words: Words,
        fates: _Fates,
    ) -> None:
        mine = {"claim_token": row.claim_token}
        try:
            to = self.keyring.decrypt(recipient.number)
            match self._decision(row, to, recipient.timezone, past, now):
                case Skip(why):
                    fates.leave_out(row, Each(row.id, why, {"reason": why}, mine))
                case Wait(until, why):
                    fates.wait.append(Each(row.id, why, {"send_after": until, "reason": row.reason}, mine))
                case Go():
                    fates.go.append(self._worded(row, to, recipient.channel, words))
        except Exception as error:
            # No words for it, or a field that no key opens. It waits until somebody has put that right, and
            # neither keeps others from going nor goes round and round; staff see what it came too late for.
            put_off = _put_off(row, now, error)
            if useful(row.send_before, now):
                fates.wait.append(put_off)
            else:
                values = {"reason": put_off.values["reason"]}
                fates.leave_out(row, Each(row.id, put_off.cause, values, mine))

    def _decision(
        self, row: Claimed, to: str, timezone: str | None, past: Past | None, now: datetime
    ) -> Decision:
        if past is None and not _keeps_hours(row):
            return Go() if useful(row.send_before, now) else Skip("too late")
        hours = self.hours if past is not None else AllowedHours(DAYTIME, self.hours.clinic_zone)
        where = hours.where(to, row.timezone or timezone)
        return decide(row.send_before, where, past or NOTHING_BEFORE, now)

    def _worded(self, row: Claimed, to: str, wanted: str, words: Words) -> tuple[Going, Each]:
        automated = row.purpose not in ANSWERS
        channel = "call" if automated and wanted == "call" else row.channel
        text, version = None, row.content_version
        if row.body is not None:
            text = self.keyring.decrypt(row.body)
        elif channel == "text":
            text, version = words(row.content_id, row.language)
        going = Going(row, to, text or "", row.attempts + 1, channel)
        values = {
            "body": text,
            "content_version": version,
            "attempts": going.attempt,
            "channel": channel,
            # What a person has ordered stays ordered, should the request turn out not to have gone.
            "reason": ORDERED if row.reason == ORDERED else "",
            "answer_until": self.clock.now() + ANSWER_WITHIN if row.purpose == "reminder" else None,
        }
        return going, Each(row.id, "request", values, {"claim_token": row.claim_token})


def _keeps_hours(row: Claimed) -> bool:
    """Whether what is not automated waits for the allowed hours all the same.

    A notice does; so does what goes once more by itself, later, when nobody is waiting for it any longer.
    What a person has sent again at this moment goes at once, like the text that they wrote.
    """
    by_itself = row.turn > 0 and row.purpose in ENDED_BY_STOP and row.reason != ORDERED
    return row.purpose == "notice" or by_itself


def _recipients(session: Session, rows: Sequence[Claimed]) -> dict[uuid.UUID, _Recipient]:
    wanted = {"wanted": list({row.contact_id for row in rows})}
    found = session.execute(_RECIPIENTS, wanted)
    return {one.id: _Recipient(one.number, one.timezone, one.channel) for one in found}


def _one_for_each_number(rows: Sequence[Claimed]) -> tuple[list[Claimed], list[Claimed]]:
    """Those to decide about now, and those that come after another automated message to their number."""
    first: list[Claimed] = []
    again: list[Claimed] = []
    numbers: set[str] = set()
    for row in rows:
        if row.purpose in ANSWERS:
            first.append(row)
        elif row.number_hash in numbers:
            again.append(row)
        else:
            numbers.add(row.number_hash)
            first.append(row)
    return first, again


def _let(session: Session, fates: _Fates, now: datetime) -> list[Going]:
    """Move what goes to ``sending``; give those that moved."""
    values = {"sending_at": now, "lease_until": now + SENDING_LEASE}
    each = [one for _, one in fates.go]
    moved = set(MOVES.move_each(session, each, "sending", at=now, only_if=ALLOWED, values=values))
    refused = (one for one in each if one.id not in moved)
    fates.skip += [Each(one.id, NO_CONSENT, {"reason": NO_CONSENT}, one.match) for one in refused]
    return [going for going, one in fates.go if one.id in moved]


def _move(session: Session, rows: Sequence[Each], to: str, now: datetime, values: Mapping[str, Any]) -> None:
    MOVES.move_each(session, rows, to, at=now, values=values)


def _held_up(row: Claimed, now: datetime) -> Each:
    """Nothing is wrong with it: somebody held what is asked before it goes, and will have let go soon."""
    log.warning("message.held_up", message=str(row.id))
    values = {"send_after": now + HELD, "reason": row.reason}
    return Each(row.id, "held up by another change", values, {"claim_token": row.claim_token})


def _put_off(row: Claimed, now: datetime, error: Exception) -> Each:
    log.error("message.not_prepared", message=str(row.id), error=type(error).__name__)
    reason = row.reason if row.reason == ORDERED else NOT_PREPARED
    values = {"send_after": now + UNPREPARED, "reason": reason}
    cause = f"{NOT_PREPARED}: {type(error).__name__}"
    return Each(row.id, cause, values, {"claim_token": row.claim_token})
