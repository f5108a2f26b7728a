"""Alembic environment: online only, one host at a time, with short lock waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from nurseline.tables import Base

ONE_AT_A_TIME = 7_245_101  # any constant: the advisory lock that all hosts agree on


def run() -> None:
    engine = sa.create_engine(context.config.attributes["url"], poolclass=sa.NullPool, hide_parameters=True)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": ONE_AT_A_TIME})
        connection.execute(sa.text("SET lock_timeout = '4s'"))
        connection.commit()
        context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
