"""Telling people that the carrier refuses messages for a reason that only a person can change.

Texts go to the alert numbers, but by the same carrier that may refuse them, too: so there is also an item in
the queue. Both at most once an hour for each error code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from nurseline.callbacks import service as callbacks
from nurseline.callbacks.models import CallbackWords
from nurseline.callbacks.promises import promised_at
from nurseline.clinic.hours import Hours
from nurseline.crypto import Keyring
from nurseline.db import apart, locked
from nurseline.messaging.telling import tell

log = structlog.get_logger(__name__)

AGAIN = timedelta(hours=1)
LOCK = 0x7EF05E  # any number that no other advisory lock of ours has


@dataclass(frozen=True)
class RefusalAlarm:
    """Tells about a refused message. ``numbers``: E.164; ``hours``: the clinic's at this moment."""

    keyring: Keyring
    numbers: Sequence[str]
    hours: Callable[[], Hours]

    def __call__(self, session: Session, code: int, at: datetime) -> None:
        """Tell that the carrier answered with ``code``, within the caller's transaction.

        If that fails, what became of the messages is written down all the same.
        """
        # Of two workers that are refused at once the second sees what the first told.
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK, code)))
        with apart(_not_told), session.begin_nested():
            self._tell(session, code, at)

    def _tell(self, session: Session, code: int, at: datetime) -> None:
        key = f"carrier error {code}"
        open_item = callbacks.standing(session, key, "admin")
        if open_item is not None:
            since = sa.select(sa.func.max(CallbackWords.at)).where(CallbackWords.item_id == open_item.id)
            if (session.scalar(since) or open_item.created_at) > at - AGAIN:
                return
        words = f"The carrier refuses messages of the line: error {code}. See twilio.com/docs/errors/{code}"
        promise = promised_at("admin", at, self.hours())
        callbacks.request(session, callbacks.Request("admin", "line", words, promise, key), now=at)
        tell(session, self.keyring, self.numbers, "alert.refused", at=at)


def _not_told(error: Exception) -> None:
    if isinstance(error, DBAPIError) and locked(error):
        raise error  # whoever writes results down tries again
    log.error("refusal.not_told", error=type(error).__name__)
