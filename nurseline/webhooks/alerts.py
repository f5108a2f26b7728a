"""Texts to staff: somebody must look now."""

from __future__ import annotations

from sqlalchemy.orm import Session

from nurseline.clinic import service as clinic
from nurseline.messaging.telling import tell
from nurseline.parts import Parts


def alert_staff(parts: Parts, session: Session, content_id: str) -> None:
    """Text everybody on the alert list and on call, within the caller's transaction."""
    now = parts.clock.now()
    listed = filter(None, parts.settings.alert_numbers.split(","))
    on_call = (phone.number for phone in clinic.on_call(session, parts.hours, now))
    tell(session, parts.keyring, (*listed, *on_call), content_id, at=now)
