"""Requests that patients began and left: nothing that was asked for is lost because somebody went silent."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache, partial

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from nurseline.db import apart
from nurseline.dialogue import State, abandoned
from nurseline.messaging.contacts import UNREAD
from nurseline.messaging.models import Call, Contact, Conversation
from nurseline.parts import Parts
from nurseline.webhooks.calls import FORGOTTEN, save_left_behind
from nurseline.webhooks.effects import Party, carry_out

log = structlog.get_logger(__name__)

IDLE = timedelta(minutes=30)  # then a text conversation counts as left
BATCH = 100


def collect(parts: Parts) -> int:
    """Raise the requests of conversations and calls that were left in the middle; how many."""
    now = parts.clock.now()
    texts = sa.select(Conversation.contact_id).where(
        Conversation.pending, Conversation.last_inbound_at < now - IDLE
    )
    calls = sa.select(Call.id).where(Call.pending, Call.started_at < now - FORGOTTEN)
    return _each(parts, texts, _raise_text) + _each(parts, calls, _raise_call)


def _each(
    parts: Parts, left: sa.Select[uuid.UUID], raise_one: Callable[[Parts, Session, uuid.UUID], int]
) -> int:
    """Up to `BATCH` of them, each by itself. One that no key opens waits, and takes nobody's turn."""
    with parts.db.begin() as session:
        ids = session.scalars(left).all()
    raised = 0
    for one in ids:
        with apart(partial(_tell, one)), parts.db.begin() as session:
            raised += raise_one(parts, session, one)
        if raised >= BATCH:
            break
    return raised


def _tell(left: uuid.UUID, error: Exception) -> None:
    _tell_once(left, type(error).__name__)


@lru_cache(maxsize=10_000)
def _tell_once(left: uuid.UUID, kind: str) -> None:
    """Once in a process: it is tried every few seconds until somebody has put it right."""
    log.error("leftover.not_read", left=str(left), kind=kind)


def _raise_text(parts: Parts, session: Session, contact_id: uuid.UUID) -> int:
    conversation = session.scalar(
        sa.select(Conversation)
        .where(
            Conversation.contact_id == contact_id,
            Conversation.pending,
            Conversation.last_inbound_at < parts.clock.now() - IDLE,
        )
        .with_for_update(skip_locked=True)
    )
    if conversation is None:  # the patient writes again, or another process has it
        return 0
    contact = session.get_one(Contact, contact_id, options=UNREAD)
    effects = abandoned(State.from_json(conversation.state), channel="text")
    carry_out(parts, session, Party(contact, contact.number_hash, "text", "", ""), effects)
    conversation.pending = False
    return 1


def _raise_call(parts: Parts, session: Session, call_id: uuid.UUID) -> int:
    call = session.scalar(
        sa.select(Call).where(Call.id == call_id, Call.pending).with_for_update(skip_locked=True)
    )
    if call is None:
        return 0
    save_left_behind(parts, session, call)
    return 1
