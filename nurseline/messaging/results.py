"""Recording what came of requests to the carrier, many in one transaction."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeGuard

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from nurseline.clock import Clock
from nurseline.consent import service as consent
from nurseline.db import Held, away, locked
from nurseline.messaging.checks import first_check
from nurseline.messaging.followups import ALARMING, Alarm, Returned, after_failure, later
from nurseline.messaging.letting_go import Going
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import GIVEN_UP, MOVES, NO_CLAIM, cancel_planned, learn_opt_out
from nurseline.messaging.reports import apply_kept
from nurseline.outcomes import Accepted, Ambiguous, NotSent, RefusalClass, Refused, SendOutcome
from nurseline.transitions import Each

log = structlog.get_logger(__name__)

# Requests that surely never arrived, before a message without a latest time is given up as failed. One with
# a latest useful time is tried until then: an outage of an hour must not cost a reminder.
ATTEMPTS = 12
BACKOFF = timedelta(seconds=5)
BACKOFF_LONGEST = timedelta(minutes=10)
MENDED = timedelta(minutes=10)  # after which a reminder is tried again that the clinic's settings kept back
PATIENCE_SECONDS = 20.0  # for which a database that is away is waited for
AGAIN_SECONDS = (0.1, 1.0)  # between tries: the first pause and the longest


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one request."""

    going: Going
    outcome: SendOutcome


@dataclass(frozen=True, slots=True)
class _Again:
    """Surely not accepted: tried once more. ``refused``: the carrier's error, if it gave one."""

    why: str
    at: datetime
    refused: int | None


@dataclass(frozen=True, slots=True)
class _GivenUp:
    """Surely not accepted, and of no use any more or tried too often."""

    why: str


_Verdict = Accepted | Refused | Ambiguous | _Again | _GivenUp


@dataclass(slots=True)
class _Fates:
    """Where the messages of a batch go."""

    sent: list[Each] = field(default_factory=list)
    failed: list[Each] = field(default_factory=list)
    unknown: list[Each] = field(default_factory=list)
    again: list[Each] = field(default_factory=list)

    def add(self, going: Going, verdict: _Verdict) -> None:
        """Put one message where its verdict wants it. Only the attempt that was made is settled by it."""
        row, mine = going.row.id, {"attempts": going.attempt}
        match verdict:
            case Accepted(sid):
                self.sent.append(Each(row, "accepted", {"provider_sid": sid}, mine))
            case Refused(code, meaning):
                values = {"error_code": code, "reason": f"refused: {meaning}"}
                self.failed.append(Each(row, f"error {code}", values, mine))
            case Ambiguous(why):
                self.unknown.append(Each(row, why, {"reason": why}, mine))
            case _Again(why, at, refused):
                values = {"send_after": at, "error_code": refused}
                held = {**mine, "claim_token": going.row.claim_token}
                self.again.append(Each(row, why, values, held))
            case _GivenUp(why):
                values = {"error_code": going.row.error_code, "reason": f"{GIVEN_UP}{why}"}
                self.failed.append(Each(row, "given up", values, mine))


class NotWritten(Exception):  # noqa: N818
    """A result that cannot be written down; its cause says why."""


@dataclass(frozen=True)
class Recorder:
    """Writes results down."""

    db: Held
    clock: Clock
    alarm: Alarm
    returned: Returned

    def record(self, results: Sequence[Result], *, patience: float = PATIENCE_SECONDS) -> None:
        """Write down what came of each request, even if it took so long that it counts as unknown by now.

        Waits up to ``patience`` seconds for a database that is away. Raises DBAPIError when that was not
        enough, NotWritten after all others are written if one cannot be: leases then make ``unknown`` of
        them.
        """
        until, pause = time.monotonic() + patience, AGAIN_SECONDS[0]
        while True:
            try:
                self._write_all(results)
                break
            except DBAPIError as error:
                waits = away(error) or (locked(error) and len(results) == 1)
                if not waits:
                    self._one_by_one(results, until)
                    break
                if time.monotonic() + pause > until:
                    if away(error):
                        raise
                    raise NotWritten from error
                log.warning("results.not_written_yet")
            except Exception:
                self._one_by_one(results, until)
                raise  # what does not come again, as a time limit, still ends the run
            time.sleep(pause)
            pause = min(2 * pause, AGAIN_SECONDS[1])
        for outcome, count in Counter(type(result.outcome).__name__ for result in results).items():
            log.info("messages.sent", outcome=outcome, count=count)

    def _one_by_one(self, results: Sequence[Result], until: float) -> None:
        """One that cannot be written, as a second try shows, must not take the others with it.

        Those that the carrier has come first: they wait for nobody's lock, and their sids must not get lost.
        """
        if len(results) == 1:
            try:
                return self._write_all(results)
            except Exception as error:
                raise NotWritten from error
        wrong: NotWritten | None = None
        for result in sorted(results, key=lambda one: not isinstance(one.outcome, Accepted)):
            try:
                self.record([result], patience=until - time.monotonic())
            except NotWritten as error:
                wrong = error
        if wrong is not None:
            raise wrong
        return None

    def _write_all(self, results: Sequence[Result]) -> None:
        with self.db.begin() as session:
            self._write(session, results)

    def _write(self, session: Session, results: Sequence[Result]) -> None:
        now = self.clock.now()
        verdicts = [(one.going, _verdict(one.going, one.outcome, now)) for one in results]
        back = {going.row.number_hash for going, verdict in verdicts if isinstance(verdict, _Again)}
        ended = {
            going.row.number_hash: going.row.id for going, verdict in verdicts if _means(verdict, "opted_out")
        }
        no_texts = {going.row.id: going for going, verdict in verdicts if _means(verdict, "no_texts")}
        # Before any message: everybody locks the ledger first.
        by_call = {going.row.number_hash for going in no_texts.values()}
        agreed = consent.hold_all(session, {*back, *ended, *by_call})
        for number_hash in sorted(ended):
            asked = sa.select(OutboundMessage.sending_at).where(OutboundMessage.id == ended[number_hash])
            learn_opt_out(session, number_hash, now, asked=session.scalar(asked))
        fates = _Fates()
        for going, verdict in verdicts:
            fates.add(going, verdict)
        move = MOVES.move_each
        sent = {"reason": "", "error_code": None, "check_after": first_check("sent", now), **NO_CLAIM}
        unknown = {"check_after": first_check("unknown", now), **NO_CLAIM}
        move(session, fates.sent, "sent", at=now, values=sent)
        apply_kept(session, [one.values["provider_sid"] for one in fates.sent], at=now)
        failed = move(session, fates.failed, "failed", at=now, values=NO_CLAIM)
        move(session, fates.unknown, "unknown", at=now, values=unknown)
        returned = move(session, fates.again, "scheduled", at=now, values={"sending_at": None, **NO_CLAIM})
        self.returned(session, returned, now)
        self._gone_unknown(session, fates.again, returned, now)
        for message_id in no_texts.keys() & set(failed):
            after_failure(session, session.get_one(OutboundMessage, message_id), "no_texts", at=now)
        for code in sorted({one.outcome.code for one in results if _alarming(one.outcome)}):
            self.alarm(session, code, now)
        for number_hash in sorted(back - agreed):
            # A STOP during the request: what it would have cancelled must not wait for a START.
            cancel_planned(session, number_hash, at=now, reason="opted out")

    def _gone_unknown(
        self, session: Session, again: Sequence[Each], returned: Collection[uuid.UUID], now: datetime
    ) -> None:
        """What surely did not go, but counts as unknown by now, has failed: nobody needs to ask about it."""
        late = [
            Each(
                one.id,
                one.cause,
                {"reason": GIVEN_UP + one.cause.split(",")[0]},
                {"attempts": one.match["attempts"]},
            )
            for one in again
            if one.id not in set(returned)
        ]
        values = {"check_after": None, **NO_CLAIM}
        MOVES.move_each(
            session, late, "failed", at=now, only_if=(OutboundMessage.status == "unknown",), values=values
        )


def _verdict(going: Going, outcome: SendOutcome, now: datetime) -> _Verdict:
    """What an outcome means for this message."""
    match outcome:
        case NotSent(why, wait):
            return _once_more(going, why, wait, now)
        case Refused(code, "now"):
            return _once_more(going, f"error {code}", 0.0, now)
        case Refused(code, "later") if going.row.error_code is None and _useful(
            going, now + later(going.row.purpose)
        ):
            return _Again(f"error {code}, once more later", now + later(going.row.purpose), code)
        # Until somebody has mended what is set up wrongly, every message due would be burnt one by one.
        case Refused(code, "configuration") if going.row.purpose == "reminder" and _useful(
            going, now + MENDED
        ):
            return _Again(f"error {code}, waits for the settings", now + MENDED, going.row.error_code)
        case Refused(code, "ambiguous"):
            return Ambiguous(f"error {code}")
        case _:
            return outcome


def _once_more(going: Going, why: str, wait: float, now: datetime) -> _Again | _GivenUp:
    pause = min(BACKOFF * 2 ** min(going.attempt - 1, 10), BACKOFF_LONGEST) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
    at = now + max(pause, timedelta(seconds=wait))
    hopeless = going.attempt >= ATTEMPTS if going.row.send_before is None else not _useful(going, at)
    return _GivenUp(why) if hopeless else _Again(why, at, going.row.error_code)


def _useful(going: Going, at: datetime) -> bool:
    return going.row.send_before is None or at < going.row.send_before


def _alarming(outcome: SendOutcome) -> TypeGuard[Refused]:
    return isinstance(outcome, Refused) and outcome.meaning in ALARMING


def _means(verdict: _Verdict, meaning: RefusalClass) -> bool:
    return isinstance(verdict, Refused) and verdict.meaning == meaning
