"""Reminders leave the index of contacts.

Contacts are in no order of time: with millions of planned reminders nearly every claimed row took a page of
that index into the database's log. The reminders of a contact are found through its injections.
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


def downgrade() -> None:
    op.drop_index(INDEX, table_name="outbound_messages")
    op.create_index(INDEX, "outbound_messages", ["contact_id", "created_at"])
