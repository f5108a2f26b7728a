"""Sending due messages. The order of commits is what keeps a message from being lost or doubled:

claim and commit; then for each row: decide (`timing`) and mark ``sending``, commit; ask the carrier with no
transaction open; record what came of it, commit. A worker that dies before ``sending`` loses nothing,
one that dies after leaves a row that becomes ``unknown`` and is looked up at the carrier, never resent.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload

from nurseline.clock import Clock
from nurseline.consent import service as consent
from nurseline.consent.allowed import AllowedHours
from nurseline.db import Database
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import (
    ANSWERS,
    MOVES,
    NO_CLAIM,
    SENDING_LEASE,
    Lane,
    cancel_planned,
    claim_due,
    end_messages,
    others_to,
)
from nurseline.messaging.timing import Decision, Go, Skip, Wait, decide, useful
from nurseline.outcomes import Accepted, Ambiguous, NotSent, Refused, SendOutcome

log = structlog.get_logger(__name__)

# Requests that surely never arrived, before a message without a latest time is given up as failed. One with
# a latest useful time is tried until then: an outage of an hour must not cost a reminder.
ATTEMPTS = 12
BACKOFF = timedelta(seconds=5)
BACKOFF_LONGEST = timedelta(minutes=10)


class Gateway(Protocol):
    """The carrier, as far as sending needs it."""

    def send(self, *, to: str, body: str, reference: uuid.UUID) -> SendOutcome:
        """Ask once. Never raises for what the network or the carrier does."""

    def find(self, *, to: str, body: str, since: datetime) -> Sequence[str]:
        """Sids, oldest first, of messages with this body that the carrier got from us soon after ``since``.

        Raises OSError if it cannot be asked.
        """


Words = Callable[[str, str], tuple[str, str]]  # (content id, language) -> (text, version)


@dataclass(frozen=True, slots=True)
class _Going:
    """A message whose ``attempt`` was committed as ``sending``: the request may start."""

    to: str
    body: str
    attempt: int


@dataclass(frozen=True)
class Sender:
    """What sending needs, wired once per process.

    ``hours``: when automated messages may go. ``width``: requests under way at once.
    """

    db: Database
    clock: Clock
    gateway: Gateway
    words: Words
    hours: AllowedHours
    width: int = 8

    def send_due(self, *, lane: Lane | None = None, limit: int = 100) -> int:
        """Claim and send due messages, up to ``limit``; how many were claimed. ``lane`` None: of both."""
        with self.db.begin() as session:
            token, ids = claim_due(session, now=self.clock.now(), limit=limit, lane=lane)
        if ids:
            self._send_all(ids, token)
        return len(ids)

    def _send_all(self, ids: Sequence[uuid.UUID], token: uuid.UUID) -> None:
        """Send claimed messages, ``width`` at once. An error of one is raised after all were tried."""
        with ThreadPoolExecutor(max_workers=self.width) as pool:
            tried = [pool.submit(self.send_one, message_id, token) for message_id in ids]
            try:
                wait(tried)
            except BaseException:  # the time of the task is over: those not begun go back by their lease
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        for one in tried:
            one.result()

    def send_one(self, message_id: uuid.UUID, token: uuid.UUID) -> None:
        """Send one claimed message, if it may still go."""
        going = self._let_go(message_id, token)
        if going is None:
            return
        outcome = self.gateway.send(to=going.to, body=going.body, reference=message_id)
        with self.db.begin() as session:
            self._record(session, message_id, going.attempt, outcome)
        log.info("message.sent", message=str(message_id), outcome=type(outcome).__name__)

    def _let_go(self, message_id: uuid.UUID, token: uuid.UUID) -> _Going | None:
        try:
            with self.db.begin() as session:
                return self._prepare(session, message_id, token)
        except SQLAlchemyError:
            raise  # the database is away: the claim runs out by itself
        except Exception as error:
            # No words for it, or a field that no key opens. It waits until somebody has put that right, and
            # neither keeps others from going nor goes round and round.
            log.error("message.not_prepared", message=str(message_id), error=type(error).__name__)
            now = self.clock.now()
            values = {"send_after": now + BACKOFF_LONGEST, "reason": "could not be prepared", **NO_CLAIM}
            mine = [OutboundMessage.claim_token == token]
            cause = f"could not be prepared: {type(error).__name__}"[:80]
            with self.db.begin() as session:
                MOVES.move(
                    session, [message_id], "scheduled", at=now, cause=cause, only_if=mine, values=values
                )
            return None

    def _prepare(self, session: Session, message_id: uuid.UUID, token: uuid.UUID) -> _Going | None:
        row = session.get(OutboundMessage, message_id, options=[joinedload(OutboundMessage.contact)])
        if row is None or row.claim_token != token:
            return None  # cancelled, or the lease ended and somebody else has it
        if row.purpose not in ANSWERS:
            # One at a time per number: of two workers the second then sees what the first let go.
            consent.holds(session, row.number_hash)
        now = self.clock.now()
        match self._decision(session, row, now):
            case Skip(why):
                self._skip(session, row, why, now, token)
                return None
            case Wait(until, why):
                values: dict[str, Any] = {"send_after": until, **NO_CLAIM}
                mine = [OutboundMessage.claim_token == token]
                MOVES.move(session, [row.id], "scheduled", at=now, cause=why, only_if=mine, values=values)
                return None
            case Go():
                return self._go(session, row, now, token)

    def _decision(self, session: Session, row: OutboundMessage, now: datetime) -> Decision:
        if row.purpose in ANSWERS:
            return Go() if useful(row.send_before, now) else Skip("too late")
        where = self.hours.where(row.contact.number, row.timezone or row.contact.timezone)
        return decide(row.send_before, where, others_to(session, row, now=now), now)

    def _go(self, session: Session, row: OutboundMessage, now: datetime, token: uuid.UUID) -> _Going | None:
        text, version = (
            (row.body, row.content_version)
            if row.body is not None
            else self.words(row.content_id, row.language)
        )
        # The ledger is asked in the same statement that lets the message go, so a STOP just before it wins.
        allowed = [OutboundMessage.claim_token == token]
        if row.purpose not in ANSWERS:
            allowed.append(consent.opted_in(OutboundMessage.number_hash))
        attempt = row.attempts + 1
        values = {
            "body": text,
            "content_version": version,
            "reason": "",
            "sending_at": now,
            "lease_until": now + SENDING_LEASE,
            "attempts": attempt,
        }
        if not MOVES.move(
            session, [row.id], "sending", at=now, cause="request", only_if=allowed, values=values
        ):
            self._skip(session, row, "opted out or no consent", now, token)
            return None
        return _Going(row.contact.number, text, attempt)

    def _skip(
        self, session: Session, row: OutboundMessage, why: str, now: datetime, token: uuid.UUID
    ) -> None:
        values, mine = {"reason": why, **NO_CLAIM}, [OutboundMessage.claim_token == token]
        MOVES.move(session, [row.id], "skipped", at=now, cause=why, only_if=mine, values=values)

    def _record(self, session: Session, message_id: uuid.UUID, attempt: int, outcome: SendOutcome) -> None:
        """Write down what came of one attempt, even if it took so long that it counts as unknown by now."""
        now = self.clock.now()
        mine = [OutboundMessage.attempts == attempt]
        match outcome:
            case Accepted(sid):
                to, cause = "sent", "accepted"
                values: dict[str, Any] = {"provider_sid": sid, "reason": ""}
            case Refused(code, meaning):
                if meaning == "opted_out":
                    learn_opt_out(session, _number_hash(session, message_id), now)
                to, cause = "failed", f"error {code}"
                values = {"error_code": code, "reason": f"refused: {meaning}"}
            case Ambiguous(why):
                to, cause, values = "unknown", why, {"reason": why}
            case NotSent(why, wait):
                self._again(session, message_id, now, why, wait, mine)
                return
        values |= NO_CLAIM
        MOVES.move(session, [message_id], to, at=now, cause=cause, only_if=mine, values=values)

    def _again(
        self, session: Session, message_id: uuid.UUID, now: datetime, why: str, wait: float, mine: list[Any]
    ) -> None:
        """Plan the next attempt, unless the message is of no use by then or was tried often enough."""
        number_hash = _number_hash(session, message_id)
        ended = not consent.holds(session, number_hash)
        row = session.get_one(OutboundMessage, message_id)
        pause = min(BACKOFF * 2 ** min(row.attempts - 1, 10), BACKOFF_LONGEST) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        again = now + max(pause, timedelta(seconds=wait))
        hopeless = row.attempts >= ATTEMPTS if row.send_before is None else again >= row.send_before
        if hopeless:
            values = {"reason": f"given up: {why}", **NO_CLAIM}
            MOVES.move(session, [message_id], "failed", at=now, cause="given up", only_if=mine, values=values)
            return
        values = {"send_after": again, "sending_at": None, **NO_CLAIM}
        MOVES.move(session, [message_id], "scheduled", at=now, cause=why, only_if=mine, values=values)
        if ended:  # a STOP during the request: what it would have cancelled must not wait for a START
            cancel_planned(session, number_hash, at=now, reason="opted out")


def _number_hash(session: Session, message_id: uuid.UUID) -> str:
    query = sa.select(OutboundMessage.number_hash).where(OutboundMessage.id == message_id)
    return session.scalars(query).one()


def learn_opt_out(session: Session, number_hash: str, now: datetime) -> None:
    """The carrier says that this number has opted out (Twilio 21610): believe it, cancel the rest.

    Always before the message itself is moved: everybody locks the ledger first, then messages.
    """
    from_carrier = consent.Record(number_hash, now, "error_21610", "", actor="carrier")
    end_messages(session, from_carrier, carrier_blocked=True, actor="line")
