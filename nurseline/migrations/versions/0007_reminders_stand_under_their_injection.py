"""What a claim costs in a large outbox: a smaller index, and a vacuum that comes before its traces add up.

Contacts are in no order of time: with millions of planned reminders nearly every claimed row took a page of
their index into the database's log. The reminders of a contact are found through its injections.

Every claim leaves dead entries at the front of the index of due rows. The usual vacuum after a fifth of the
table would let two million of them stand there, of ten million rows; for ten thousand rows nothing changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEX = "ix_outbound_contact"


def upgrade() -> None:
    op.drop_index(INDEX, table_name="outbound_messages")
    op.create_index(
        INDEX,
        "outbound_messages",
        ["contact_id", "created_at"],
        postgresql_where=sa.text("injection_id IS NULL"),
    )
    op.execute(
        "ALTER TABLE outbound_messages SET"
        " (autovacuum_vacuum_scale_factor = 0.005, autovacuum_vacuum_threshold = 2000)"
    )


def downgrade() -> None:
    op.execute(
        "ALTER TABLE outbound_messages RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)"
    )
    op.drop_index(INDEX, table_name="outbound_messages")
    op.create_index(INDEX, "outbound_messages", ["contact_id", "created_at"])
