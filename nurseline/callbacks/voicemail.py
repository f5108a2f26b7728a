"""Voicemail: kept encrypted with its item, fetched from the carrier, deleted there and, in time, here.

A row is written as soon as the carrier says that there is a recording. A task then fetches the sound,
commits, and only then deletes it at the carrier: whatever dies in between is done again.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, defer

from nurseline.callbacks.models import Voicemail
from nurseline.clock import Clock
from nurseline.db import Database, apart

log = structlog.get_logger(__name__)

FIRST_WAIT = timedelta(seconds=5)  # the carrier needs a moment until the sound can be fetched
WAIT_LONGEST = timedelta(hours=1)
MOST_TRIES = 48  # about two days; then somebody must look, and the recording stays at the carrier
LEASE = timedelta(minutes=2)  # far above one fetch: two workers do not fetch the same sound at once


class Sound(Protocol):
    """What the carrier gives: bytes and their media type."""

    @property
    def audio(self) -> bytes: ...
    @property
    def media_type(self) -> str: ...


class Recordings(Protocol):
    """The carrier, as far as voicemail needs it. Both raise OSError when it cannot be asked."""

    def fetch(self, sid: str) -> Sound | None: ...
    def remove(self, sid: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Spoken:
    """A recording that the carrier told of. ``seconds`` None: not told yet."""

    recording_sid: str
    seconds: int | None
    at: datetime
    keep: timedelta


def store(session: Session, spoken: Spoken, *, call_id: uuid.UUID, item_id: uuid.UUID | None) -> bool:
    """Keep a recording once, however often it is told of; True if it was news.

    A length that was not known before is added.
    """
    new = insert(Voicemail).values(
        id=uuid.uuid4(),
        call_id=call_id,
        item_id=item_id,
        recording_sid=spoken.recording_sid,
        seconds=spoken.seconds,
        recorded_at=spoken.at,
        media_type="",
        transcript="",
        fetch_tries=0,
        next_try_at=spoken.at + FIRST_WAIT,
        keep_until=spoken.at + spoken.keep,
    )
    made = session.scalar(
        new.on_conflict_do_nothing(index_elements=["recording_sid"]).returning(Voicemail.id)
    )
    if made is None and spoken.seconds is not None:
        known = sa.update(Voicemail).where(Voicemail.recording_sid == spoken.recording_sid)
        session.execute(known.where(Voicemail.seconds.is_(None)).values(seconds=spoken.seconds))
    return made is not None


def of_recording(session: Session, recording_sid: str) -> Voicemail | None:
    """The message with this recording, without its sound."""
    query = sa.select(Voicemail).where(Voicemail.recording_sid == recording_sid)
    return session.scalar(query.options(defer(Voicemail.audio)))


def add_transcript(session: Session, recording_sid: str, text: str) -> Voicemail | None:
    """Keep what the carrier understood; None if the recording is not known, or was deleted."""
    query = sa.select(Voicemail).where(Voicemail.recording_sid == recording_sid)
    row = session.scalar(query.options(defer(Voicemail.audio)).with_for_update())
    if row is None or row.transcript:
        return None
    row.transcript = text
    return row


def fetch_due(db: Database, clock: Clock, recordings: Recordings, *, limit: int = 20) -> int:
    """Fetch recordings and delete them at the carrier; how many were fetched."""
    fetched = 0
    for row_id in _claim(db, clock, limit):
        with apart(partial(_failed, row_id)):
            fetched += _fetch(db, clock, recordings, row_id)
    return fetched


def _failed(row_id: uuid.UUID, error: Exception) -> None:
    log.error("voicemail.failed", recording=str(row_id), error=type(error).__name__)


def forget_old(session: Session, *, now: datetime) -> int:
    """Delete sound and transcript of which the retention time is over; how many."""
    # A transcript may stand without its sound, where that was never fetched.
    kept = sa.or_(Voicemail.audio.is_not(None), Voicemail.fetched_at.is_(None))
    old = sa.update(Voicemail).where(Voicemail.keep_until < now, kept)
    gone = session.execute(old.values(audio=None, transcript="").returning(Voicemail.id))
    return len(gone.all())


def of_item(session: Session, item_id: uuid.UUID) -> Sequence[Voicemail]:
    """The messages spoken for an item, oldest first, without their sound."""
    query = sa.select(Voicemail).where(Voicemail.item_id == item_id).order_by(Voicemail.recorded_at)
    return session.scalars(query.options(defer(Voicemail.audio))).all()


def _claim(db: Database, clock: Clock, limit: int) -> list[uuid.UUID]:
    now = clock.now()
    with db.begin() as session:
        due = sa.select(Voicemail.id).where(Voicemail.next_try_at <= now).order_by(Voicemail.next_try_at)
        ids = list(session.scalars(due.limit(limit).with_for_update(skip_locked=True)))
        taken = sa.update(Voicemail).where(Voicemail.id.in_(ids))
        session.execute(taken.values(next_try_at=now + LEASE, fetch_tries=Voicemail.fetch_tries + 1))
    return ids


def _fetch(db: Database, clock: Clock, recordings: Recordings, row_id: uuid.UUID) -> int:
    columns = (Voicemail.recording_sid, Voicemail.fetched_at.is_not(None), Voicemail.fetch_tries)
    with db.begin() as session:
        sid, fetched, tries = session.execute(sa.select(*columns).where(Voicemail.id == row_id)).one()
    try:
        sound = None if fetched else recordings.fetch(sid)
        if sound is not None:
            _keep(db, clock, row_id, sound)
        if sound is not None or fetched:
            recordings.remove(sid)
            _update(db, row_id, removed_at_carrier=clock.now(), next_try_at=None)
            return int(not fetched)
    except OSError as error:
        log.warning("voicemail.not_fetched", recording=str(row_id), error=type(error).__name__)
    again = clock.now() + min(FIRST_WAIT * 2 ** min(tries, 12), WAIT_LONGEST)
    if tries >= MOST_TRIES:
        log.error("voicemail.given_up", recording=str(row_id))
    _update(db, row_id, next_try_at=again if tries < MOST_TRIES else None)
    return 0


def _keep(db: Database, clock: Clock, row_id: uuid.UUID, sound: Sound) -> None:
    _update(db, row_id, audio=sound.audio, media_type=sound.media_type[:40], fetched_at=clock.now())


def _update(db: Database, row_id: uuid.UUID, **values: object) -> None:
    with db.begin() as session:
        session.execute(sa.update(Voicemail).where(Voicemail.id == row_id).values(**values))
