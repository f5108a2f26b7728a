"""Requests that patients began and left: nothing that was asked for is lost because somebody went silent."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from nurseline.dialogue import State, abandoned
from nurseline.messaging.models import Call, Contact, Conversation
from nurseline.parts import Parts
from nurseline.webhooks.calls import FORGOTTEN, save_left_behind
from nurseline.webhooks.effects import Party, carry_out

IDLE = timedelta(minutes=30)  # then a text conversation counts as left
BATCH = 100


def collect(parts: Parts) -> int:
    """Raise the requests of conversations and calls that were left in the middle; how many."""
    return _texts(parts) + _calls(parts)


def _texts(parts: Parts) -> int:
    with parts.db.begin() as session:
        left = session.scalars(
            sa.select(Conversation)
            .where(Conversation.pending, Conversation.last_inbound_at < parts.clock.now() - IDLE)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        for conversation in left:
            contact = session.get_one(Contact, conversation.contact_id)
            effects = abandoned(State.from_json(conversation.state), channel="text")
            carry_out(parts, session, Party(contact, contact.number_hash, "text", "", ""), effects)
            conversation.pending = False
        return len(left)


def _calls(parts: Parts) -> int:
    with parts.db.begin() as session:
        left = session.scalars(
            sa.select(Call)
            .where(Call.pending, Call.started_at < parts.clock.now() - FORGOTTEN)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        for call in left:
            save_left_behind(parts, session, call)
        return len(left)
