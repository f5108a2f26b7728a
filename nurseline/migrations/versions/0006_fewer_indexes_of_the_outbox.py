"""Two indexes of the outbox that every claim wrote into for nothing.

A claim makes a new version of the row, and that goes anew into each index that covers it. One index on a
contact's messages is enough, and the order of replies concerns replies alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

REPLIES = "uq_outbound_messages_in_reply_to_position"


def upgrade() -> None:
    op.drop_index("ix_outbound_reminders", table_name="outbound_messages")
    op.drop_constraint(REPLIES, "outbound_messages", type_="unique")
    op.create_index(
        REPLIES,
        "outbound_messages",
        ["in_reply_to", "position"],
        unique=True,
        postgresql_where=sa.text("in_reply_to IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(REPLIES, table_name="outbound_messages")
    op.create_unique_constraint(REPLIES, "outbound_messages", ["in_reply_to", "position"])
    op.create_index(
        "ix_outbound_reminders",
        "outbound_messages",
        ["contact_id"],
        postgresql_where=sa.text("purpose = 'reminder'"),
    )
