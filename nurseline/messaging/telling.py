"""Texts to people of the clinic: somebody must look now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from nurseline.crypto import Keyring
from nurseline.db import apart
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact
from nurseline.messaging.outbox import Plan, plan_all

log = structlog.get_logger(__name__)


def tell(
    session: Session, keyring: Keyring, numbers: Iterable[str], content_id: str, *, at: datetime
) -> None:
    """Text the clinic's words to each of ``numbers`` (E.164), within the caller's transaction.

    One that this fails for keeps none of the others from being told, nor what is told of from being stored.
    """
    contacts: list[Contact] = []
    for number in dict.fromkeys(numbers):
        with apart(_left_out), session.begin_nested():
            contacts.append(contact_for(session, keyring, number, at=at))
    alert = Plan("alert", content_id, "en", at)
    plan_all(session, [(contact, [alert]) for contact in contacts], at=at)


def _left_out(error: Exception) -> None:
    log.error("alert.left_out", error=type(error).__name__)
