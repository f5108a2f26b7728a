"""The one way to change a status: a conditional UPDATE whose WHERE names the legal predecessors.

A room declares its table of legal moves once and calls `Transitions.move`; what follows a change
happens only for the rows that `move` returns. No other code assigns a status column.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
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


@dataclass(frozen=True, eq=False)
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
        moved = (
            sa.update(self.model)
            # An array is one parameter, so the statement is the same however many rows it moves.
            .where(table.c.id == sa.any_(_array(table.c.id, list(ids))), allowed, *only_if)
            .values(status=to, **(values or {}))
            .returning(table.c.id)
            .cte("moved")
        )
        line = {"cause": cause, "at": at, "status": to, "actor": actor, **(extra or {})}
        noted = self._lines(moved.c.id, line).cte("noted")
        session.flush()
        return list(session.scalars(sa.select(moved.c.id).add_cte(noted)))

    def take(
        self,
        session: Session,
        chosen: sa.Select[Any],
        to: str,
        *,
        given: Mapping[str, Any],
        at: datetime,
        cause: str,
        actor: str = "line",
        only_if: tuple[ColumnElement[bool], ...] = (),
        values: Mapping[str, Any],
        giving: tuple[ColumnElement[Any], ...] = (),
    ) -> Sequence[Any]:
        """Like `move` for the rows whose ids the query ``chosen`` picks and locks, in the same statement.

        ``given``: the parameters of ``chosen``. ``only_if`` may join other tables. Gives a row of ``giving``
        for each that moved, in no order. The statement is built once for the same ``chosen``, ``only_if`` and
        ``giving``: they must be constants.
        """
        statement = _take(self, chosen, to, only_if, tuple(values), giving)
        shared = {f"set_{name}": value for name, value in values.items()}
        session.flush()  # what the caller has only prepared may be what moves
        line = {"at": at, "cause": cause, "actor": actor}
        return session.execute(statement, {**given, **shared, **line}).all()

    def move_each(
        self,
        session: Session,
        rows: Sequence[Each],
        to: str,
        *,
        at: datetime,
        actor: str = "line",
        only_if: tuple[ColumnElement[bool], ...] = (),
        values: Mapping[str, Any] | None = None,
    ) -> list[uuid.UUID]:
        """Like `move` in one statement for many rows, each with a cause and values of its own.

        ``values`` are those that all rows share. ``only_if`` must be constants: the statement is built once.
        Raises IllegalMoveError for an unknown ``to``.
        """
        shared = values or {}
        own, match = (tuple(rows[0].values), tuple(rows[0].match)) if rows else ((), ())
        statement = _move_each(self, to, own, match, tuple(shared), only_if)
        if not rows:
            return []
        session.flush()
        moved = session.scalars(
            statement,
            {
                "each_id": [row.id for row in rows],
                "each_cause": [row.cause for row in rows],
                **{f"to_{name}": [row.values[name] for row in rows] for name in own},
                **{f"is_{name}": [row.match[name] for row in rows] for name in match},
                **{f"set_{name}": value for name, value in shared.items()},
                "at": at,
                "actor": actor,
            },
        )
        return list(moved)

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

    def _allowed(self, to: str) -> ColumnElement[bool]:
        """Condition: the row has a status from which ``to`` may be entered."""
        if to not in self.legal:
            raise IllegalMoveError(f"{self.model.__tablename__}: nothing moves to {to!r}")
        # As an expression, so that the planner cannot take it for the predicate of a partial index: counted
        # when nothing was scheduled, that index looks empty, and one move would read a million due rows.
        status = self.model.__table__.c.status.concat("")
        return status == sa.any_(_array(sa.column("status", sa.Text()), sorted(self.legal[to])))

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


def _bound(prefix: str, like: ColumnElement[Any], *, many: bool = False) -> sa.BindParameter[Any]:
    """A parameter of the type of a column, or an array of it."""
    return sa.bindparam(f"{prefix}{like.key}", type_=ARRAY(like.type) if many else like.type)


# Statements that workers run over and over are built once: building one takes longer than the database does.


@lru_cache(maxsize=200)
def _move_each(
    moves: Transitions,
    to: str,
    own: tuple[str, ...],
    match: tuple[str, ...],
    shared: tuple[str, ...],
    only_if: tuple[ColumnElement[bool], ...],
) -> sa.Select[Any]:
    table, history = moves.model.__table__.c, moves.history.__table__.c
    like = {
        "id": ("each_", table.id),
        "cause": ("each_", history.cause),
        **{f"to_{name}": ("to_", table[name]) for name in own},
        **{f"is_{name}": ("is_", table[name]) for name in match},
    }
    arrays = [_bound(prefix, column, many=True) for prefix, column in like.values()]
    columns = [sa.column(name, column.type) for name, (_, column) in like.items()]
    given = sa.func.unnest(*arrays).table_valued(*columns, name="given").render_derived(name="given")
    moved = (
        sa.update(moves.model)
        .where(table.id == given.c.id, moves._allowed(to), *only_if)
        .where(*(table[name] == given.c[f"is_{name}"] for name in match))
        .values(
            status=to,
            **{name: _bound("set_", table[name]) for name in shared},
            **{name: given.c[f"to_{name}"] for name in own},
        )
        .returning(table.id, given.c.cause)
        .cte("moved")
    )
    line = {
        "cause": moved.c.cause,
        "at": _bound("", history.at),
        "status": to,
        "actor": _bound("", history.actor),
    }
    return sa.select(moved.c.id).add_cte(moves._lines(moved.c.id, line).cte("noted"))


@lru_cache(maxsize=50)
def _take(
    moves: Transitions,
    chosen: sa.Select[Any],
    to: str,
    only_if: tuple[ColumnElement[bool], ...],
    shared: tuple[str, ...],
    giving: tuple[ColumnElement[Any], ...],
) -> sa.Select[Any]:
    table, history = moves.model.__table__.c, moves.history.__table__.c
    picked = chosen.cte("picked").prefix_with("MATERIALIZED")
    moved = (
        sa.update(moves.model)
        .where(table.id == picked.c.id, moves._allowed(to), *only_if)
        .values(status=to, **{name: _bound("set_", table[name]) for name in shared})
        .returning(table.id, *giving)
        .cte("moved")
    )
    line = {name: _bound("", history[name]) for name in ("cause", "at", "actor")}
    noted = moves._lines(moved.c.id, {"status": to, **line})
    return sa.select(*moved.c).add_cte(noted.cte("noted"))
