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
        allowed = self._allowed(to)
        if not ids:
            return []
        table = self.model.__table__
        statement = (
            sa.update(self.model)
            # An array is one parameter, so the statement is the same however many rows it moves.
            .where(table.c.id == sa.any_(_array(table.c.id, list(ids))), allowed, *only_if)
            .values(status=to, **(values or {}))
            .returning(table.c.id)
            .execution_options(synchronize_session=False)
        )
        moved = list(session.scalars(statement))
        self.note(session, moved, to, at=at, cause=cause, actor=actor, extra=extra)
        return moved

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
        allowed = self._allowed(to)
        if not rows:
            return []
        table = self.model.__table__
        own, match = list(rows[0].values), list(rows[0].match)
        given = self._given(rows, own, match)
        statement = (
            sa.update(self.model)
            .where(table.c.id == given.c.id, allowed, *only_if)
            .where(*(table.c[name] == given.c[f"is_{name}"] for name in match))
            .values(status=to, **(values or {}), **{name: given.c[f"to_{name}"] for name in own})
            .returning(table.c.id)
            .execution_options(synchronize_session=False)
        )
        moved = set(session.scalars(statement))
        done = [row for row in rows if row.id in moved]
        self._append(session, [row.id for row in done], to, [row.cause for row in done], at, actor)
        return [row.id for row in done]

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
        self._append(session, list(ids), status, [cause] * len(ids), at, actor, extra or {})

    def _allowed(self, to: str) -> ColumnElement[bool]:
        """Condition: the row has a status from which ``to`` may be entered."""
        if to not in self.legal:
            raise IllegalMoveError(f"{self.model.__tablename__}: nothing moves to {to!r}")
        # As an expression, so that the planner cannot take it for the predicate of a partial index: counted
        # when nothing was scheduled, that index looks empty, and one move would read a million due rows.
        status = self.model.__table__.c.status.concat("")
        return status == sa.any_(_array(sa.column("status", sa.Text()), sorted(self.legal[to])))

    def _given(self, rows: Sequence[Each], own: Sequence[str], match: Sequence[str]) -> sa.TableValuedAlias:
        """The rows as a table: ``id``, ``to_…`` for each value, ``is_…`` for each column to match."""
        columns = self.model.__table__.c
        arrays: list[ColumnElement[Any]] = [_array(columns.id, [row.id for row in rows])]
        names = [sa.column("id", columns.id.type)]
        for prefix, kept in (("to_", own), ("is_", match)):
            for name in kept:
                listed = [(row.values if prefix == "to_" else row.match)[name] for row in rows]
                arrays.append(_array(columns[name], listed))
                names.append(sa.column(f"{prefix}{name}", columns[name].type))
        return sa.func.unnest(*arrays).table_valued(*names, name="given").render_derived(name="given")

    def _append(
        self,
        session: Session,
        ids: Sequence[uuid.UUID],
        status: str,
        causes: Sequence[str],
        at: datetime,
        actor: str,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if not ids:
            return
        columns = self.history.__table__.c
        each = (
            sa.func.unnest(_array(columns.subject_id, list(ids)), _array(columns.cause, list(causes)))
            .table_valued(
                sa.column("id", columns.subject_id.type), sa.column("why", columns.cause.type), name="each"
            )
            .render_derived(name="each")
        )
        same = {"at": at, "status": status, "actor": actor, **(extra or {})}
        values = [sa.literal(value, columns[name].type) for name, value in same.items()]
        chosen = sa.select(each.c.id, each.c.why, *values)
        session.execute(sa.insert(self.history).from_select(["subject_id", "cause", *same], chosen))


def _array(like: ColumnElement[Any], values: list[Any]) -> ColumnElement[Any]:
    """``values`` as one parameter, an array of the type of a column."""
    return sa.literal(values, ARRAY(like.type))
