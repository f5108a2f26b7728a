"""The one way to change a status: a conditional UPDATE whose WHERE names the legal predecessors.

A room declares its table of legal moves once and calls `Transitions.move`; what follows a change
happens only for the rows that `move` returns. No other code assigns a status column.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from nurseline.db import Base


class IllegalMoveError(ValueError):
    """The table of moves knows no way into the wanted status."""


@dataclass(frozen=True, slots=True)
class Each:
    """One row of `Transitions.move_each`.

    ``cause``: why, in a few words for the history. ``values``: columns to set, and ``match``: columns that
    must hold just this; the same columns in every row of one call.
    """

    id: uuid.UUID
    cause: str
    values: Mapping[str, Any] = field(default_factory=dict)
    match: Mapping[str, Any] = field(default_factory=dict)


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
        if not self._known(to) or not ids:
            return []
        table = self.model.__table__
        moved = (
            sa.update(self.model)
            # An array is one parameter, so the statement is the same however many rows it moves.
            .where(table.c.id == sa.any_(_array(table.c.id, list(ids))), self._allowed(to), *only_if)
            .values(status=to, **(values or {}))
            .returning(table.c.id)
            .cte("moved")
        )
        line = {"cause": cause, "at": at, "status": to, "actor": actor, **(extra or {})}
        return [row.id for row in self._carry_out(session, moved, line)]

    def take(
        self,
        session: Session,
        chosen: sa.Select[Any],
        to: str,
        *,
        at: datetime,
        cause: str,
        actor: str = "line",
        only_if: Sequence[ColumnElement[bool]] = (),
        values: Mapping[str, Any] | None = None,
        giving: Sequence[ColumnElement[Any]] = (),
    ) -> list[Any]:
        """Like `move` for the rows whose ids the query ``chosen`` picks and locks, in the same statement.

        Gives a row of ``giving`` for each that moved, in no order. ``only_if`` may join other tables.
        """
        if not self._known(to):
            return []
        table = self.model.__table__
        picked = chosen.cte("picked").prefix_with("MATERIALIZED")
        moved = (
            sa.update(self.model)
            .where(table.c.id == picked.c.id, self._allowed(to), *only_if)
            .values(status=to, **(values or {}))
            .returning(table.c.id, *giving)
            .cte("moved")
        )
        return self._carry_out(session, moved, {"cause": cause, "at": at, "status": to, "actor": actor})

    def move_each(
        self,
        session: Session,
        rows: Sequence[Each],
        to: str,
        *,
        at: datetime,
        actor: str = "line",
        only_if: Sequence[ColumnElement[bool]] = (),
        values: Mapping[str, Any] | None = None,
    ) -> list[uuid.UUID]:
        """Like `move` in one statement for many rows, each with a cause and values of its own.

        ``values`` are those that all rows share. Raises IllegalMoveError for an unknown ``to``.
        """
        if not self._known(to) or not rows:
            return []
        table = self.model.__table__
        own, match = list(rows[0].values), list(rows[0].match)
        given = self._given(rows, own, match)
        moved = (
            sa.update(self.model)
            .where(table.c.id == given.c.id, self._allowed(to), *only_if)
            .where(*(table.c[name] == given.c[f"is_{name}"] for name in match))
            .values(status=to, **(values or {}), **{name: given.c[f"to_{name}"] for name in own})
            .returning(table.c.id, given.c.cause)
            .cte("moved")
        )
        line = {"cause": moved.c.cause, "at": at, "status": to, "actor": actor}
        return [row.id for row in self._carry_out(session, moved, line)]

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
            same = {"at": at, "status": status, "cause": cause, "actor": actor, **(extra or {})}
            subjects = sa.func.unnest(_array(self.history.__table__.c.subject_id, list(ids)))
            session.execute(self._lines(subjects, same))

    def _known(self, to: str) -> bool:
        if to not in self.legal:
            raise IllegalMoveError(f"{self.model.__tablename__}: nothing moves to {to!r}")
        return True

    def _allowed(self, to: str) -> ColumnElement[bool]:
        """Condition: the row has a status from which ``to`` may be entered."""
        # As an expression, so that the planner cannot take it for the predicate of a partial index: counted
        # when nothing was scheduled, that index looks empty, and one move would read a million due rows.
        status = self.model.__table__.c.status.concat("")
        return status == sa.any_(_array(sa.column("status", sa.Text()), sorted(self.legal[to])))

    def _given(self, rows: Sequence[Each], own: Sequence[str], match: Sequence[str]) -> sa.TableValuedAlias:
        """The rows as a table: ``id``, ``cause``, ``to_…`` for each value, ``is_…`` for each to match."""
        columns, cause = self.model.__table__.c, self.history.__table__.c.cause
        given: list[tuple[str, ColumnElement[Any], list[Any]]] = [
            ("id", columns.id, [row.id for row in rows]),
            ("cause", cause, [row.cause for row in rows]),
            *((f"to_{name}", columns[name], [row.values[name] for row in rows]) for name in own),
            *((f"is_{name}", columns[name], [row.match[name] for row in rows]) for name in match),
        ]
        arrays = [_array(like, listed) for _, like, listed in given]
        names = [sa.column(name, like.type) for name, like, _ in given]
        return sa.func.unnest(*arrays).table_valued(*names, name="given").render_derived(name="given")

    def _carry_out(self, session: Session, moved: sa.CTE, line: Mapping[str, Any]) -> list[Any]:
        """Move and write the history in one statement; a row for each that moved."""
        noted = self._lines(moved.c.id, line).cte("noted")
        session.flush()  # what the caller has only prepared may be what moves
        return list(session.execute(sa.select(*moved.c).add_cte(noted)))

    def _lines(self, subject: ColumnElement[Any], same: Mapping[str, Any]) -> sa.Insert:
        columns = self.history.__table__.c
        values = [
            value if isinstance(value, ColumnElement) else sa.literal(value, columns[name].type)
            for name, value in same.items()
        ]
        chosen = sa.select(subject.label("subject_id"), *values)
        return sa.insert(self.history).from_select(["subject_id", *same], chosen)


def _array(like: ColumnElement[Any], values: list[Any]) -> ColumnElement[Any]:
    """``values`` as one parameter, an array of the type of a column."""
    return sa.literal(values, ARRAY(like.type))
