"""The last decision before a request: which claimed messages go now, and in which words.

A chunk of them is decided in one transaction that commits them as ``sending``. The ledger's rows are locked
first, all in one order, so that neither two workers nor a worker and a STOP wait for each other in a circle.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from nurseline.clock import Clock
from nurseline.consent import service as consent
from nurseline.consent.allowed import AllowedHours
from nurseline.db import Database, away
from nurseline.messaging.answers import ANSWER_WITHIN
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.outbox import ANSWERS, MOVES, NO_CLAIM, SENDING_LEASE, others_to
from nurseline.messaging.timing import Decision, Go, Past, Skip, Wait, decide, useful
from nurseline.transitions import Each

log = structlog.get_logger(__name__)

UNPREPARED = timedelta(minutes=10)  # until what could not be worded is looked at again
Words = Callable[[str, str], tuple[str, str]]  # (content id, language) -> (text, version)


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that this worker has claimed."""

    id: uuid.UUID
    token: uuid.UUID


@dataclass(frozen=True, slots=True)
class Going:
    """A message whose ``attempt`` was committed as ``sending``: the request may start.

    ``channel``: text or call; ``refused``: the carrier's error of an earlier attempt, if it gave one.
    """

    claim: Claim
    number_hash: str
    to: str
    body: str
    attempt: int
    channel: str
    send_before: datetime | None
    refused: int | None


@dataclass(slots=True)
class _Fates:
    """What becomes of the rows of a chunk."""

    go: list[tuple[Going, Each]] = field(default_factory=list)
    wait: list[Each] = field(default_factory=list)
    skip: list[Each] = field(default_factory=list)


@dataclass(frozen=True)
class Decider:
    """Decides about claimed messages. ``hours``: when automated ones may go."""

    db: Database
    clock: Clock
    words: Words
    hours: AllowedHours

    def let_go(self, claims: Sequence[Claim]) -> tuple[list[Going], list[Claim]]:
        """Decide about ``claims`` and commit it: those that go, and those to be brought again.

        Of several automated messages to one number only the first is decided; the next is to see what
        became of it. Raises DBAPIError if the database is away: the claims then run out by themselves.
        """
        try:
            with self.db.begin() as session:
                return self._decide_all(session, claims)
        except DBAPIError as error:
            if away(error):
                raise
            if len(claims) > 1:  # one of them is at fault: the others must not suffer
                parts = [self.let_go([claim]) for claim in claims]
                return [one for going, _ in parts for one in going], [c for _, again in parts for c in again]
            self._put_off(claims[0], error)
            return [], []

    def _decide_all(self, session: Session, claims: Sequence[Claim]) -> tuple[list[Going], list[Claim]]:
        rows, again = _one_for_each_number(_read(session, claims))
        automated = [row for row in rows if row.purpose not in ANSWERS]
        consent.hold_all(session, {row.number_hash for row in automated})
        now = self.clock.now()
        past = others_to(session, automated, now=now)
        fates = _Fates()
        for row in rows:
            self._decide_one(row, past.get(row.id), now, fates)
        going = _let(session, fates, now)
        _move(session, fates.wait, "scheduled", now, NO_CLAIM)
        _move(session, fates.skip, "skipped", now, NO_CLAIM)
        return going, again

    def _decide_one(self, row: Any, past: Past | None, now: datetime, fates: _Fates) -> None:
        mine = {"claim_token": row.claim_token}
        try:
            to = self.db.keyring.decrypt(row.number)
            match self._decision(row, to, past, now):
                case Skip(why):
                    fates.skip.append(Each(row.id, why, {"reason": why}, mine))
                case Wait(until, why):
                    fates.wait.append(Each(row.id, why, {"send_after": until, "reason": row.reason}, mine))
                case Go():
                    fates.go.append(self._worded(row, to))
        except Exception as error:
            # No words for it, or a field that no key opens. It waits until somebody has put that right, and
            # neither keeps others from going nor goes round and round.
            fates.wait.append(_put_off(row.id, row.claim_token, now, error))

    def _decision(self, row: Any, to: str, past: Past | None, now: datetime) -> Decision:
        if past is None:
            return Go() if useful(row.send_before, now) else Skip("too late")
        where = self.hours.where(to, row.timezone or row.patient_timezone)
        return decide(row.send_before, where, past, now)

    def _worded(self, row: Any, to: str) -> tuple[Going, Each]:
        automated = row.purpose not in ANSWERS
        channel = "call" if automated and row.patient_channel == "call" else row.channel
        text, version = None, row.content_version
        if row.body is not None:
            text = self.db.keyring.decrypt(row.body)
        elif channel == "text":
            text, version = self.words(row.content_id, row.language)
        going = Going(
            Claim(row.id, row.claim_token),
            row.number_hash,
            to,
            text or "",
            row.attempts + 1,
            channel,
            row.send_before,
            row.error_code,
        )
        asks = row.purpose == "reminder"
        values = {
            "body": text,
            "content_version": version,
            "attempts": going.attempt,
            "channel": channel,
            "answer_until": self.clock.now() + ANSWER_WITHIN if asks else None,
        }
        return going, Each(row.id, "request", values, {"claim_token": row.claim_token})

    def _put_off(self, claim: Claim, error: Exception) -> None:
        now = self.clock.now()
        with self.db.begin() as session:
            _move(session, [_put_off(claim.id, claim.token, now, error)], "scheduled", now, NO_CLAIM)


def _read(session: Session, claims: Sequence[Claim]) -> Sequence[Any]:
    """The claimed rows that are still this worker's, in the order of ``claims``.

    Encrypted fields come as they are: one that no key opens must not spoil the whole chunk.
    """
    message = OutboundMessage
    query = (
        sa.select(
            message.id,
            message.claim_token,
            message.contact_id,
            message.number_hash,
            message.purpose,
            message.content_id,
            message.language,
            message.content_version,
            sa.type_coerce(message.body, sa.LargeBinary).label("body"),
            message.send_before,
            message.timezone,
            message.reason,
            message.attempts,
            message.error_code,
            message.injection_id,
            message.channel,
            sa.type_coerce(Contact.number, sa.LargeBinary).label("number"),
            Contact.timezone.label("patient_timezone"),
            Contact.channel.label("patient_channel"),
        )
        .join(Contact, Contact.id == message.contact_id)
        .where(message.id == sa.any_(sa.literal([claim.id for claim in claims], sa.ARRAY(sa.Uuid))))
    )
    mine = {claim.id: (place, claim.token) for place, claim in enumerate(claims)}
    kept = [row for row in session.execute(query) if mine[row.id][1] == row.claim_token]
    return sorted(kept, key=lambda row: mine[row.id][0])


def _one_for_each_number(rows: Sequence[Any]) -> tuple[list[Any], list[Claim]]:
    """Those to decide about now, and those that come after another automated message to their number."""
    first: list[Any] = []
    again: list[Claim] = []
    numbers: set[str] = set()
    for row in rows:
        if row.purpose not in ANSWERS and row.number_hash in numbers:
            again.append(Claim(row.id, row.claim_token))
            continue
        if row.purpose not in ANSWERS:
            numbers.add(row.number_hash)
        first.append(row)
    return first, again


def _let(session: Session, fates: _Fates, now: datetime) -> list[Going]:
    """Move what goes to ``sending``; give those that moved."""
    # The ledger is asked in the same statement that lets messages go, so a STOP just before it wins.
    allowed = sa.or_(
        OutboundMessage.purpose.in_(sorted(ANSWERS)), consent.opted_in(OutboundMessage.number_hash)
    )
    values = {"reason": "", "sending_at": now, "lease_until": now + SENDING_LEASE}
    each = [one for _, one in fates.go]
    moved = set(MOVES.move_each(session, each, "sending", at=now, only_if=[allowed], values=values))
    why = "opted out or no consent"
    fates.skip += [Each(one.id, why, {"reason": why}, one.match) for one in each if one.id not in moved]
    return [going for going, one in fates.go if one.id in moved]


def _move(session: Session, rows: Sequence[Each], to: str, now: datetime, values: Mapping[str, Any]) -> None:
    MOVES.move_each(session, rows, to, at=now, values=values)


def _put_off(message_id: uuid.UUID, token: uuid.UUID, now: datetime, error: Exception) -> Each:
    log.error("message.not_prepared", message=str(message_id), error=type(error).__name__)
    values = {"send_after": now + UNPREPARED, "reason": "could not be prepared"}
    return Each(message_id, f"could not be prepared: {type(error).__name__}", values, {"claim_token": token})
