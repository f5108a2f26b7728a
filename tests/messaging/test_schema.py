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


def test_what_keeps_claims_fast_in_a_large_outbox_is_set(database_url: str) -> None:
    options = sa.text("SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL")
    reminders_out = sa.text("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_outbound_contact'")
    engine = sa.create_engine(psycopg_url(database_url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        found = {row.relname: set(row.reloptions) for row in connection.execute(options)}
        assert "(injection_id IS NULL)" in connection.scalar(reminders_out)
    assert found["pk_outbound_messages"] == {"fillfactor=50"}
    assert found["uq_outbound_messages_injection_id_step_turn"] == {"fillfactor=50"}
    assert found["outbound_messages"] == {
        "autovacuum_vacuum_scale_factor=0.005",
        "autovacuum_vacuum_threshold=2000",
        "vacuum_index_cleanup=on",
    }
