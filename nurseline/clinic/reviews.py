"""Signatures under the clinic's answers, as staff recorded them: who read which version, and until when.

A signature counts for one version of one answer in one language; other words need another one. The newest
signature under a version is the one that is shown. One whose next review is due still counts, and is listed:
a line that fell silent overnight would serve nobody.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from nurseline.clinic.models import ContentReview
from nurseline.clinic.service import ClinicError
from nurseline.db import CONNECT_SECONDS, psycopg_url

log = structlog.get_logger(__name__)

REVIEWER_LONGEST = 80
REVIEW_EVERY = timedelta(days=365)
LONGEST_WAIT = timedelta(days=3 * 366)
OLDEST = timedelta(days=366)
Version = tuple[str, str, int]  # answer, language, version


def signed(session: Session) -> frozenset[Version]:
    """Every version that somebody has signed."""
    query = sa.select(ContentReview.content_id, ContentReview.language, ContentReview.version).distinct()
    return frozenset((row.content_id, row.language, int(row.version)) for row in session.execute(query))


def latest(session: Session, language: str) -> dict[tuple[str, int], ContentReview]:
    """The newest signature under each version of each answer in ``language``."""
    query = sa.select(ContentReview).where(ContentReview.language == language).order_by(ContentReview.id)
    return {(row.content_id, int(row.version)): row for row in session.scalars(query)}


def history(session: Session, content_id: str, language: str) -> list[ContentReview]:
    """Every signature under any version of an answer, newest first."""
    query = sa.select(ContentReview).where(
        ContentReview.content_id == content_id, ContentReview.language == language
    )
    return list(session.scalars(query.order_by(ContentReview.id.desc())))


def sign(
    session: Session,
    version: Version,
    *,
    reviewer: str,
    reviewed_on: date,
    next_review_on: date,
    today: date,
    now: datetime,
    staff: str,
) -> None:
    """Record that ``reviewer`` has read this version. Raises ClinicError naming the field at fault."""
    name = reviewer.strip()
    if not name or not name.isprintable() or len(name) > REVIEWER_LONGEST:
        raise ClinicError("reviewer", f"give the reviewer's name in 1 to {REVIEWER_LONGEST} characters")
    if not today - OLDEST <= reviewed_on <= today:
        raise ClinicError("reviewed_on", "give the day of the review: not ahead, and within the last year")
    if not today < next_review_on <= reviewed_on + LONGEST_WAIT:
        raise ClinicError("next_review_on", "choose a day ahead, at most three years after the review")
    content_id, language, number = version
    session.add(
        ContentReview(
            content_id=content_id,
            language=language,
            version=str(number),
            reviewer=name,
            reviewed_on=reviewed_on,
            next_review_on=next_review_on,
            at=now,
            staff_id=staff,
        )
    )


def stored(database_url: str) -> frozenset[Version] | None:
    """What `signed` says, over a connection of its own that no other process inherits; None: not readable."""
    engine = sa.create_engine(
        psycopg_url(database_url),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )
    try:
        with Session(engine) as session:
            return signed(session)
    except SQLAlchemyError as error:
        log.warning("reviews.not_read", error=type(error).__name__)
        return None
    finally:
        engine.dispose()
