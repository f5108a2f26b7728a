"""Find the reminders of a number"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_outbound_reminders",
        "outbound_messages",
        ["contact_id"],
        unique=False,
        postgresql_where=sa.text("purpose = 'reminder'"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_outbound_reminders",
        table_name="outbound_messages",
        postgresql_where=sa.text("purpose = 'reminder'"),
    )
