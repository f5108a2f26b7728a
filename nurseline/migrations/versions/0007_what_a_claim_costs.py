"""What a claim costs in a large outbox: a smaller index, room in the others, and a vacuum in time.

Contacts are in no order of time: with millions of planned reminders nearly every claimed row took a page of
their index into the database's log. The reminders of a contact are found through its injections.

Every claim leaves dead entries at the front of the index of due rows. The usual vacuum after a fifth of the
table would let two million of them stand there, of ten million rows; for ten thousand rows nothing changes.
An early vacuum would leave the indexes alone, for the dead rows lie on few pages: it is told to clean them.

Each change of a status puts a new version of the row beside the old one into the two indexes of all rows.
Their pages are packed to nine tenths as rows are added, so that the first change of nearly every row had to
search its page for dead versions or split it, a third of what a claim cost. Half full, they have room. Pages
that are packed already stay so until a REINDEX.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEX = "ix_outbound_contact"
OF_ALL_ROWS = ("pk_outbound_messages", "uq_outbound_messages_injection_id_step_turn")


def upgrade() -> None:
    op.drop_index(INDEX, table_name="outbound_messages")
    op.create_index(
        INDEX,
        "outbound_messages",
        ["contact_id", "created_at"],
        postgresql_where=sa.text("injection_id IS NULL"),
    )
    for index in OF_ALL_ROWS:
        op.execute(f"ALTER INDEX {index} SET (fillfactor = 50)")
    op.execute(
        "ALTER TABLE outbound_messages SET"
        " (autovacuum_vacuum_scale_factor = 0.005, autovacuum_vacuum_threshold = 2000,"
        " vacuum_index_cleanup = on)"
    )


def downgrade() -> None:
    op.execute(
        "ALTER TABLE outbound_messages RESET"
        " (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, vacuum_index_cleanup)"
    )
    for index in OF_ALL_ROWS:
        op.execute(f"ALTER INDEX {index} RESET (fillfactor)")
    op.drop_index(INDEX, table_name="outbound_messages")
    op.create_index(INDEX, "outbound_messages", ["contact_id", "created_at"])
