"""Alembic environment: online only, one host at a time, with short lock waits."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext

from nurseline.db import Encrypted, EncryptedBytes, UtcDateTime
from nurseline.tables import Base

ONE_AT_A_TIME = 7_245_101  # any constant: the advisory lock that all hosts agree on


def plain_type(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write our own column types as what the database knows, so that old migrations need no code of ours."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Encrypted | EncryptedBytes):
        return "sa.LargeBinary()"
    return False


def run() -> None:
    engine = sa.create_engine(context.config.attributes["url"], poolclass=sa.NullPool, hide_parameters=True)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": ONE_AT_A_TIME})
        connection.execute(sa.text("SET lock_timeout = '4s'"))
        connection.commit()
        context.configure(
            connection=connection, target_metadata=Base.metadata, compare_type=True, render_item=plain_type
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
