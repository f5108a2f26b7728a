"""The migrations make the tables that the code has."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from nurseline.db import psycopg_url
from nurseline.tables import Base


def test_the_migrations_lead_to_what_the_models_say(database_url: str) -> None:
    engine = sa.create_engine(psycopg_url(database_url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
