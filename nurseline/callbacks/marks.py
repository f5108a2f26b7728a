"""A mark that changes whenever a page of the queue could look different, cheap enough for every second."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from nurseline.callbacks.models import CallbackEvent, CallbackWords

# Whatever changes an item writes a line of its history, or words. Ids are given out before the commit, so a
# lower one can become visible after a higher one: then the sum of the last ones changes.
LAST = 1000


def _newest(key: InstrumentedAttribute[int]) -> sa.Subquery:
    """The highest id, and the sum of the last ones.

    The last ones by a limit, not by a distance from the highest: how many lie within a distance the planner
    cannot know, takes a third of the table for it, and starts workers that take longer than all the rest.
    """
    last = sa.select(key.label("id")).order_by(key.desc()).limit(LAST).subquery()
    return sa.select(sa.func.max(last.c.id).label("top"), sa.func.sum(last.c.id).label("total")).subquery()


_EVENTS, _WORDS = _newest(CallbackEvent.id), _newest(CallbackWords.id)
_MARK = sa.select(*_EVENTS.c, *_WORDS.c).join_from(_EVENTS, _WORDS, sa.true())


def queue_mark(session: Session, now: datetime) -> str:
    """The mark; also another one each minute, since pages tell how long people have waited."""
    minute = int(now.astimezone(UTC).timestamp() // 60)
    return "-".join(str(part or 0) for part in (minute, *session.execute(_MARK).one()))
