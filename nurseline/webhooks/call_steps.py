"""One request of a call: understood once, answered with one document, kept with what was said."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.dialogue import Message, State, keys_alone
from nurseline.ids import new_id
from nurseline.language import Meaning, keyed, understand
from nurseline.messaging.models import Call, CallStep

ALARMS = frozenset({"emergency", "urgent"})
NOT_UNDERSTOOD = Meaning("none", "unknown", 0.0)
WORDS = "words"  # in the memory of a call: what was said before the request can be stored
MOST_STEPS = 200  # a call that goes round for longer is ended after a callback was recorded

# Built once: a caller waits while statements are made and rows become objects.
_STEPS = cast("sa.Table", CallStep.__table__)
_KEPT = sa.insert(_STEPS)
_ANSWERED = sa.select(_STEPS.c.document).where(
    _STEPS.c.call_id == sa.bindparam("call_id"), _STEPS.c.step == sa.bindparam("step")
)


@dataclass(frozen=True, slots=True)
class Input:
    """What came in with a request: keys that were pressed, else what was said, else nothing."""

    heard: str
    by_key: bool

    @property
    def keys(self) -> str:
        """What was pressed."""
        return self.heard if self.by_key else ""

    @property
    def words(self) -> str:
        """What staff should read: words, not keys."""
        return self.heard if any(c.isalpha() for c in self.heard) else ""


def opened(
    session: Session,
    call_sid: str,
    *,
    at: datetime,
    contact_id: uuid.UUID | None = None,
    message_id: uuid.UUID | None = None,
) -> Call:
    """The call with this sid, made if it is new. ``message_id``: the message that a call of ours reads.

    Locked until the transaction ends: a repeat that arrives while the first is being answered waits.
    """
    query = sa.select(Call).where(Call.call_sid == call_sid).with_for_update()
    query = query.execution_options(populate_existing=True)
    known = session.scalar(query)
    if known is not None:
        return known
    new = insert(Call).values(
        id=new_id(),
        call_sid=call_sid,
        contact_id=contact_id,
        message_id=message_id,
        state="",
        carrier_status="in-progress",
        started_at=at,
        pending=False,
    )
    session.execute(new.on_conflict_do_nothing(index_elements=["call_sid"]))
    return session.scalars(query).one()


def answered_before(session: Session, call: Call, step: int) -> str | None:
    """The document that this step was answered with, if it was: a repeat gets the same."""
    return session.scalar(_ANSWERED, {"call_id": call.id, "step": step})


def meaning_of(session: Session, call: Call, state: State, given: Input, step: int) -> Meaning:
    """What keys or words mean where the call stands."""
    if given.by_key and len(given.heard) == 1:
        return understand("911") if _keyed_911(session, call, given.heard, step) else keyed(given.heard)
    return understand(given.heard, language=state.language, place=state.place)


def understood(session: Session, call: Call, state: State, given: Input, step: int) -> tuple[str, Meaning]:
    """What was heard, as far as it counts, and its meaning.

    Speech is listened to everywhere, for emergencies. Where keys choose, other words count as not understood.
    """
    meaning = meaning_of(session, call, state, given, step)
    if given.by_key or meaning.tier in ALARMS or not keys_alone(state):
        return given.heard, meaning
    return "", NOT_UNDERSTOOD


def keep(
    session: Session,
    call: Call,
    step: int,
    given: Input,
    meaning: Meaning | None,
    document: str,
    runs: Sequence[Message],
    *,
    at: datetime,
) -> None:
    """Store the step. ``runs``: the words of the document with their content versions."""
    row = {
        "call_id": call.id,
        "step": step,
        "heard": given.heard,
        "tier": meaning.tier if meaning else "none",
        "topic": meaning.topic if meaning else "unknown",
        "document": document,
        "at": at,
        "said": json.dumps([[run.versions, run.text] for run in runs], ensure_ascii=False),
    }
    session.execute(_KEPT, row)


def _keyed_911(session: Session, call: Call, key: str, step: int) -> bool:
    """Whether this key and the two before it spell 9-1-1. Each key is a request of its own."""
    if key != "1":
        return False
    before = sa.select(CallStep.step, CallStep.heard).where(
        CallStep.call_id == call.id, CallStep.step.in_((step - 2, step - 1))
    )
    keys = {row.step: row.heard for row in session.execute(before)}
    return keys == {step - 2: "9", step - 1: "1"}
