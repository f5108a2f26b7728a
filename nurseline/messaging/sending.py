"""Sending due messages. The order of commits is what keeps a message from being lost or doubled:

claim and commit; then for each row: check and mark ``sending``, commit; ask the carrier with no
transaction open; record what came of it, commit. A worker that dies before ``sending`` loses nothing,
one that dies after leaves a row that becomes ``unknown`` and is looked up at the carrier, never resent.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from nurseline.clock import Clock
from nurseline.consent import service as consent
from nurseline.consent.hours import Span, next_allowed
from nurseline.db import Database
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import ANSWERS, MOVES, NO_CLAIM, SENDING_LEASE, cancel_planned, claim_due
from nurseline.outcomes import Accepted, Ambiguous, NotSent, Refused, SendOutcome
from nurseline.zones import zone

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

    ``span``: allowed local hours of automated messages. ``width``: requests under way at once.
    """

    db: Database
    clock: Clock
    gateway: Gateway
    words: Words
    span: Span = (time(9), time(20))
    width: int = 8

    def send_due(self, *, limit: int = 100) -> int:
        """Claim and send one batch of due messages; how many were claimed."""
        with self.db.begin() as session:
            token, ids = claim_due(session, now=self.clock.now(), limit=limit)
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
        now = self.clock.now()
        row = session.get(OutboundMessage, message_id)
        if row is None or row.claim_token != token:
            return None  # cancelled, or the lease ended and somebody else has it
        mine = OutboundMessage.claim_token == token
        if reason := self._useless(row, now):
            self._skip(session, row, reason, now, mine)
            return None
        if (opening := self._opening(row, now)) > now:
            values: dict[str, Any] = {"send_after": opening, **NO_CLAIM}
            MOVES.move(
                session, [row.id], "scheduled", at=now, cause="quiet hours", only_if=[mine], values=values
            )
            return None
        text, version = (
            (row.body, row.content_version)
            if row.body is not None
            else self.words(row.content_id, row.language)
        )
        # The ledger is asked in the same statement that lets the message go, so a STOP just before it wins.
        allowed = [mine] if row.purpose in ANSWERS else [mine, consent.opted_in(OutboundMessage.number_hash)]
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
            self._skip(session, row, "opted out or no consent", now, mine)
            return None
        return _Going(row.contact.number, text, attempt)

    def _opening(self, row: OutboundMessage, now: datetime) -> datetime:
        """The next instant at which the row may go by the hours of the day."""
        if row.purpose in ANSWERS or row.timezone is None:
            return now
        return next_allowed(now, zone(row.timezone), self.span)

    def _useless(self, row: OutboundMessage, now: datetime) -> str | None:
        """Why a row is of no use any more, if so."""
        if row.send_before is None:
            return None
        if now >= row.send_before:
            return "too late"
        return "too late after quiet hours" if self._opening(row, now) >= row.send_before else None

    def _skip(self, session: Session, row: OutboundMessage, reason: str, now: datetime, mine: Any) -> None:
        values = {"reason": reason, **NO_CLAIM}
        MOVES.move(session, [row.id], "skipped", at=now, cause=reason, only_if=[mine], values=values)

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
    consent.opt_out(session, from_carrier, carrier_blocked=True)
    cancel_planned(session, number_hash, at=now, reason="opted out")
