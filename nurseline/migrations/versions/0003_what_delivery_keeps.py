"""What delivery keeps: further turns of a step, its channel, when to ask and to stop waiting; heartbeats"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "heartbeats",
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("alarmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_heartbeats")),
    )
    op.add_column("calls", sa.Column("message_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_calls_message_id"), "calls", "outbound_messages", ["message_id"], ["id"])
    op.add_column(
        "contacts", sa.Column("channel", sa.String(length=8), server_default="text", nullable=False)
    )
    op.add_column(
        "outbound_messages", sa.Column("turn", sa.SmallInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "outbound_messages", sa.Column("channel", sa.String(length=8), server_default="text", nullable=False)
    )
    op.add_column("outbound_messages", sa.Column("check_after", sa.DateTime(timezone=True), nullable=True))
    op.add_column("outbound_messages", sa.Column("answer_until", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("uq_outbound_messages_injection_id_step"), "outbound_messages", type_="unique")
    op.create_index(
        "ix_outbound_answer",
        "outbound_messages",
        ["answer_until"],
        unique=False,
        postgresql_where=sa.text("answer_until IS NOT NULL"),
    )
    op.create_index(
        "ix_outbound_check",
        "outbound_messages",
        ["check_after"],
        unique=False,
        postgresql_where=sa.text("check_after IS NOT NULL"),
    )
    op.create_unique_constraint(
        op.f("uq_outbound_messages_injection_id_step_turn"),
        "outbound_messages",
        ["injection_id", "step", "turn"],
    )


def downgrade() -> None:
    op.drop_constraint(
        op.f("uq_outbound_messages_injection_id_step_turn"), "outbound_messages", type_="unique"
    )
    op.drop_index(
        "ix_outbound_check",
        table_name="outbound_messages",
        postgresql_where=sa.text("check_after IS NOT NULL"),
    )
    op.drop_index(
        "ix_outbound_answer",
        table_name="outbound_messages",
        postgresql_where=sa.text("answer_until IS NOT NULL"),
    )
    op.create_unique_constraint(
        op.f("uq_outbound_messages_injection_id_step"),
        "outbound_messages",
        ["injection_id", "step"],
        postgresql_nulls_not_distinct=False,
    )
    op.drop_column("outbound_messages", "answer_until")
    op.drop_column("outbound_messages", "check_after")
    op.drop_column("outbound_messages", "channel")
    op.drop_column("outbound_messages", "turn")
    op.drop_column("contacts", "channel")
    op.drop_constraint(op.f("fk_calls_message_id"), "calls", type_="foreignkey")
    op.drop_column("calls", "message_id")
    op.drop_table("heartbeats")
