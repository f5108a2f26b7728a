"""Which reminder the words of an item answer."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks.models import CallbackItem, CallbackWords
from nurseline.messaging.models import OutboundEvent, OutboundMessage
from nurseline.messaging.to_contact import to_contact


def replies_to(
    session: Session, item: CallbackItem, words: Sequence[CallbackWords]
) -> dict[int, OutboundMessage]:
    """By the id of the patient's words: the reminder they answer. Both are written down at one instant."""
    answers = {line.at: line.id for line in words if line.source == "reminder"}
    if item.contact_id is None or not answers:
        return {}
    answered = session.execute(
        sa.select(OutboundEvent.at, OutboundMessage)
        .join(OutboundMessage, OutboundMessage.id == OutboundEvent.subject_id)
        .where(
            to_contact(item.contact_id),
            OutboundEvent.actor == "patient",
            OutboundEvent.at.in_(list(answers)),
        )
    )
    return {answers[at]: reminder for at, reminder in answered}
