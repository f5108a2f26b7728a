"""Sending due messages. The order of commits is what keeps a message from being lost or doubled:

claim and commit; then for each row: check and mark ``sending``, commit; ask the carrier with no
transaction open; record what came of it, commit. A worker that dies before ``sending`` loses nothing,
one that dies after leaves a row that becomes ``unknown`` and is looked up at the carrier, never resent.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
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

ATTEMPTS = 12  # requests that surely never arrived, before a message is given up as failed
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
            with ThreadPoolExecutor(max_workers=self.width) as pool:
                # list(): an error of one row surfaces here, after all others were tried
                list(pool.map(lambda i: self.send_one(i, token), ids))
        return len(ids)

    def send_one(self, message_id: uuid.UUID, token: uuid.UUID) -> None:
        """Send one claimed message, if it may still go."""
        with self.db.begin() as session:
            go = self._prepare(session, message_id, token)
        if go is None:
            return
        to, body = go
        outcome = self.gateway.send(to=to, body=body, reference=message_id)
        with self.db.begin() as session:
            self._record(session, message_id, token, outcome)
        log.info("message.sent", message=str(message_id), outcome=type(outcome).__name__)

    def _prepare(self, session: Session, message_id: uuid.UUID, token: uuid.UUID) -> tuple[str, str] | None:
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
        values = {
            "body": text,
            "content_version": version,
            "sending_at": now,
            "lease_until": now + SENDING_LEASE,
            "attempts": row.attempts + 1,
        }
        if not MOVES.move(
            session, [row.id], "sending", at=now, cause="request", only_if=allowed, values=values
        ):
            self._skip(session, row, "opted out or no consent", now, mine)
            return None
        return row.contact.number, text

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

    def _record(
        self, session: Session, message_id: uuid.UUID, token: uuid.UUID, outcome: SendOutcome
    ) -> None:
        now = self.clock.now()
        mine = [OutboundMessage.claim_token == token]
        match outcome:
            case Accepted(sid):
                values: dict[str, Any] = {"provider_sid": sid, **NO_CLAIM}
                MOVES.move(
                    session, [message_id], "sent", at=now, cause="accepted", only_if=mine, values=values
                )
            case Refused(code, meaning):
                values = {"error_code": code, "reason": f"refused: {meaning}", **NO_CLAIM}
                MOVES.move(
                    session,
                    [message_id],
                    "failed",
                    at=now,
                    cause=f"error {code}",
                    only_if=mine,
                    values=values,
                )
                if meaning == "opted_out":
                    self._learn_opt_out(session, message_id, now)
            case NotSent(why, wait):
                self._again(session, message_id, now, why, wait, mine)
            case Ambiguous(why):
                values = {"reason": why, **NO_CLAIM}
                MOVES.move(session, [message_id], "unknown", at=now, cause=why, only_if=mine, values=values)

    def _again(
        self, session: Session, message_id: uuid.UUID, now: datetime, why: str, wait: float, mine: list[Any]
    ) -> None:
        attempts = (
            session.scalar(sa.select(OutboundMessage.attempts).where(OutboundMessage.id == message_id)) or 0
        )
        if attempts >= ATTEMPTS:
            values = {"reason": f"given up: {why}", **NO_CLAIM}
            MOVES.move(session, [message_id], "failed", at=now, cause="given up", only_if=mine, values=values)
            return
        pause = min(BACKOFF * 2 ** max(attempts - 1, 0), BACKOFF_LONGEST) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        values = {"send_after": now + max(pause, timedelta(seconds=wait)), **NO_CLAIM}
        MOVES.move(session, [message_id], "scheduled", at=now, cause=why, only_if=mine, values=values)

    def _learn_opt_out(self, session: Session, message_id: uuid.UUID, now: datetime) -> None:
        row = session.get_one(OutboundMessage, message_id)
        learn_opt_out(session, row.number_hash, now)


def learn_opt_out(session: Session, number_hash: str, now: datetime) -> None:
    """The carrier says that this number has opted out (Twilio 21610): believe it, cancel the rest."""
    from_carrier = consent.Record(number_hash, now, "error_21610", "", actor="carrier")
    consent.opt_out(session, from_carrier, carrier_blocked=True)
    cancel_planned(session, number_hash, at=now, reason="opted out")
