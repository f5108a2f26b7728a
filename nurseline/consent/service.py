"""The ledger of consent. Default deny: a number without a record gets nothing automated.

Rules: 47 CFR 64.1200(a)(10) (any reasonable wording ends consent) and the carrier's own keyword handling.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql import ColumnElement

from nurseline.consent.models import ConsentEvent, ConsentState

BY_THE_PATIENT = frozenset({"text", "carrier", "speech", "key"})  # methods of the number's own holder


class OptedOutError(ValueError):
    """The number ended messages by itself; only its owner can start them again."""

    def __init__(self, since: datetime) -> None:
        super().__init__(
            "this number has ended messages; the patient must text START before it can be enrolled"
        )
        self.since = since


@dataclass(frozen=True, slots=True)
class Record:
    """How consent was given or ended, for the ledger.

    ``method``: text, carrier, staff, key or error_21610. ``words``: the patient's words, or the wording
    they agreed to. ``actor``: patient, carrier or a staff id.
    """

    number_hash: str
    at: datetime
    method: str
    words: str
    actor: str = "patient"
    wording_version: str = ""
    language: str = "en"
    provider_sid: str = ""


def state_of(session: Session, number_hash: str) -> ConsentState | None:
    """Where the ledger stands for a number; None if it was never asked."""
    return session.get(ConsentState, number_hash, populate_existing=True)


def opted_in(number_hash: InstrumentedAttribute[str] | str) -> ColumnElement[bool]:
    """SQL condition: this number has agreed to automated messages and not ended them."""
    return sa.exists().where(
        ConsentState.number_hash == number_hash,
        ConsentState.status == "opted_in",
        ConsentState.carrier_blocked.is_(False),
    )


def opted_out(number_hash: InstrumentedAttribute[str] | str) -> ColumnElement[bool]:
    """SQL condition: this number has ended messages, or the carrier refuses them."""
    return sa.exists().where(
        ConsentState.number_hash == number_hash,
        sa.or_(ConsentState.status == "opted_out", ConsentState.carrier_blocked),
    )


def holds(session: Session, number_hash: str) -> bool:
    """Whether the number agreed and has not ended it, with the ledger locked until the transaction ends."""
    query = sa.select(ConsentState.status).where(ConsentState.number_hash == number_hash).with_for_update()
    return session.scalar(query) == "opted_in"


_STATE = ConsentState.__table__.c
_HOLD_ALL = (
    sa.select(_STATE.number_hash, _STATE.status)
    .where(_STATE.number_hash == sa.any_(sa.bindparam("wanted", type_=sa.ARRAY(sa.Text))))
    .order_by(_STATE.number_hash)
    .with_for_update()
)


def hold_all(session: Session, number_hashes: Collection[str]) -> set[str]:
    """Those of the numbers that agreed and have not ended it, with the ledger of all locked like `holds`.

    Locked in one order by everybody, so that two who lock several never wait for each other in a circle.
    """
    if not number_hashes:
        return set()
    rows = session.execute(_HOLD_ALL, {"wanted": list(number_hashes)})
    return {row.number_hash for row in rows if row.status == "opted_in"}


def opt_in(session: Session, record: Record) -> None:
    """Record agreement. By staff it never overrides an opt-out: raises OptedOutError.

    A block at the carrier ends only by the carrier's own keyword; other words of the patient do not lift it.
    """
    state = insert(ConsentState).values(
        number_hash=record.number_hash, status="opted_in", carrier_blocked=False, since=record.at
    )
    not_ended = sa.and_(ConsentState.status != "opted_out", ConsentState.carrier_blocked.is_(False))
    again = state.on_conflict_do_update(
        index_elements=[ConsentState.number_hash],
        set_={
            "status": "opted_in",
            "carrier_blocked": sa.false() if record.method == "carrier" else ConsentState.carrier_blocked,
            "since": record.at,
        },
        where=sa.true() if record.method in BY_THE_PATIENT else not_ended,
    ).returning(ConsentState.number_hash)
    if session.scalar(again) is None:
        stands = state_of(session, record.number_hash)
        raise OptedOutError(stands.since if stands else record.at)
    _append(session, record, "opt_in")


def opt_in_new(session: Session, records: Sequence[Record]) -> set[str]:
    """Record agreement of numbers that were never asked; which. The others are left as they are.

    In the order of the ledger, as everybody locks several of its rows.
    """
    states = [
        {"number_hash": one.number_hash, "status": "opted_in", "carrier_blocked": False, "since": one.at}
        for one in sorted(records, key=lambda record: record.number_hash)
    ]
    if not states:
        return set()
    new = insert(ConsentState).on_conflict_do_nothing().returning(ConsentState.number_hash)
    made = set(session.scalars(new, states))
    events = [_event(one, "opt_in") for one in records if one.number_hash in made]
    if events:
        session.execute(sa.insert(ConsentEvent), events)
    return made


_HOLD_KNOWN = (
    sa.select(_STATE.number_hash, _STATE.status, _STATE.carrier_blocked, _STATE.since)
    .where(_STATE.number_hash == sa.any_(sa.bindparam("wanted", type_=sa.ARRAY(sa.Text))))
    .order_by(_STATE.number_hash)
    .with_for_update()
)


def hold_known(session: Session, number_hashes: Collection[str]) -> dict[str, OptedOutError | None]:
    """Those of the numbers that were asked before, and why one may not be enrolled; the ledger is locked.

    In the order of the ledger, as everybody locks several of its rows.
    """
    return {
        row.number_hash: OptedOutError(row.since)
        if row.status == "opted_out" or row.carrier_blocked
        else None
        for row in session.execute(_HOLD_KNOWN, {"wanted": list(number_hashes)})
    }


def opt_in_held(session: Session, records: Sequence[Record]) -> None:
    """Record agreement of numbers that `hold_known` has locked, and that have not ended messages.

    All at one instant, and each number once.
    """
    if records:
        states = sa.update(ConsentState).where(
            _STATE.number_hash == sa.any_(sa.literal([one.number_hash for one in records], sa.ARRAY(sa.Text)))
        )
        unsynchronized = {"synchronize_session": False}
        session.execute(
            states.values(status="opted_in", since=records[0].at), execution_options=unsynchronized
        )
        session.execute(sa.insert(ConsentEvent), [_event(one, "opt_in") for one in records])


def opt_out(session: Session, record: Record, *, carrier_blocked: bool) -> bool:
    """Record that a number ended messages; True if it had not before.

    ``carrier_blocked``: the carrier itself refuses messages to it from now on (its keyword, or error 21610).
    """
    before = session.scalar(
        sa.select(ConsentState.status).where(ConsentState.number_hash == record.number_hash).with_for_update()
    )
    state = insert(ConsentState).values(
        number_hash=record.number_hash, status="opted_out", carrier_blocked=carrier_blocked, since=record.at
    )
    session.execute(
        state.on_conflict_do_update(
            index_elements=[ConsentState.number_hash],
            set_={
                "status": "opted_out",
                "carrier_blocked": sa.or_(ConsentState.carrier_blocked, state.excluded.carrier_blocked),
                "since": sa.case((ConsentState.status == "opted_out", ConsentState.since), else_=record.at),
            },
        )
    )
    _append(session, record, "opt_out")
    return before != "opted_out"


def started_since(session: Session, number_hash: str, since: datetime | None) -> bool:
    """Whether the holder of the number has sent the carrier's own START after ``since``."""
    start = sa.exists().where(
        ConsentEvent.number_hash == number_hash,
        ConsentEvent.kind == "opt_in",
        ConsentEvent.method == "carrier",
        ConsentEvent.at > since,
    )
    return since is not None and bool(session.scalar(sa.select(start)))


def _append(session: Session, record: Record, kind: str) -> None:
    session.add(ConsentEvent(**_event(record, kind)))


def _event(record: Record, kind: str) -> dict[str, Any]:
    return {
        "number_hash": record.number_hash,
        "at": record.at,
        "kind": kind,
        "method": record.method,
        "words": record.words,
        "wording_version": record.wording_version,
        "language": record.language,
        "actor": record.actor,
        "provider_sid": record.provider_sid,
    }
