"""Rows for pages: one that no key opens keeps nobody from seeing, or taking, the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from flask import request
from sqlalchemy.orm import Session

from nurseline.db import shown
from nurseline.parts import current_parts

log = structlog.get_logger(__name__)


@contextmanager
def page_rows() -> Iterator[Session]:
    """A transaction of a page, in which a text that no key opens is `nurseline.db.UNREADABLE`.

    For what shows rows, and for steps that need none of their texts, such as a claim. What sends, calls or
    copies words takes ``db.begin``, where such a text is an error.
    """
    with telling(), current_parts().db.begin() as session:
        yield session


@contextmanager
def telling() -> Iterator[None]:
    """The same around a transaction that begins in another way; the log tells how many there were."""
    unread: list[Exception] = []
    try:
        with shown(unread.append):
            yield
    finally:
        for error in unread[:1]:
            count = len(unread)
            log.error("staff.unreadable", endpoint=request.endpoint, count=count, error=type(error).__name__)
