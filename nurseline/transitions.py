"""The one way to change a status: a conditional UPDATE whose WHERE names the legal predecessors.

A room declares its table of legal moves once and calls `Transitions.move`; what follows a change
happens only for the rows that `move` returns. No other code assigns a status column.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from nurseline.db import Base


class IllegalMoveError(ValueError):
    """The table of moves knows no way into the wanted status."""


@dataclass(frozen=True)
class Transitions:
    """Moves of one kind of row.

    ``model`` has columns ``id`` and ``status``; ``history`` has ``subject_id``, ``at``, ``status``,
    ``cause`` and ``actor``. ``legal`` maps each status to those it may be entered from.
    """

    model: type[Base]
    history: type[Base]
    legal: Mapping[str, frozenset[str]]

    def move(
        self,
        session: Session,
        ids: Collection[uuid.UUID],
        to: str,
        *,
        at: datetime,
        cause: str,
        actor: str = "line",
        only_if: Sequence[ColumnElement[bool]] = (),
        values: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> list[uuid.UUID]:
        """Move those of ``ids`` that may enter ``to`` and meet ``only_if``; give the ids that moved.

        ``cause``: why, in a few words for the history. ``actor``: who (``line`` or a staff id).
        ``values``: other columns to set in the same statement; ``extra``: other columns of the history
        row. Raises IllegalMoveError for an unknown ``to``.
        """
        if to not in self.legal:
            raise IllegalMoveError(f"{self.model.__tablename__}: nothing moves to {to!r}")
        if not ids:
            return []
        table = self.model.__table__
        statement = (
            sa.update(self.model)
            .where(table.c.id.in_(list(ids)), table.c.status.in_(sorted(self.legal[to])), *only_if)
            .values(status=to, **(values or {}))
            .returning(table.c.id)
            .execution_options(synchronize_session=False)
        )
        moved = list(session.scalars(statement))
        self.note(session, moved, to, at=at, cause=cause, actor=actor, extra=extra)
        return moved

    def note(
        self,
        session: Session,
        ids: Collection[uuid.UUID],
        status: str,
        *,
        at: datetime,
        cause: str,
        actor: str = "line",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Append to the history of ``ids``. Also used for the first status of a new row."""
        if ids:
            rows = [
                {"subject_id": i, "at": at, "status": status, "cause": cause, "actor": actor, **(extra or {})}
                for i in ids
            ]
            session.execute(sa.insert(self.history), rows)
