"""A mark that changes whenever a page of the queue could look different, cheap enough for every second."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from nurseline.callbacks.models import CallbackEvent, CallbackWords

# Whatever changes an item writes a line of its history, or words. Ids are given out before the commit, so a
# lower one can become visible after a higher one: then the count of the last ones changes.
LAST = 1000


def _newest(
    key: InstrumentedAttribute[int], name: str
) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    newest = sa.select(sa.func.coalesce(sa.func.max(key), 0).label("id")).cte(f"newest_{name}")
    top = sa.select(newest.c.id).scalar_subquery()
    count = sa.select(sa.func.count()).where(key > top - LAST).scalar_subquery()
    return top, count


_MARK = sa.select(*_newest(CallbackEvent.id, "event"), *_newest(CallbackWords.id, "words"))


def queue_mark(session: Session, now: datetime) -> str:
    """The mark; also another one each minute, since pages tell how long people have waited."""
    minute = int(now.astimezone(UTC).timestamp() // 60)
    return "-".join(str(part) for part in (minute, *session.execute(_MARK).one()))
