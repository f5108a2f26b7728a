"""The clinic's hours and phones, voicemail, and tries to call a patient back"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clinic_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("intervals", sa.String(length=100), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_clinic_days")),
    )
    op.create_table(
        "clinic_settings",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=400), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_clinic_settings")),
    )
    op.create_table(
        "staff_phones",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("number", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("shift", sa.String(length=200), nullable=False),
        sa.Column("rings", sa.Boolean(), nullable=False),
        sa.Column("on_call", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_phones")),
    )
    op.create_table(
        "callback_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.Column("staff_name", sa.String(length=80), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_call_sid", sa.String(length=34), nullable=True),
        sa.Column("patient_call_sid", sa.String(length=34), nullable=True),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seconds", sa.Integer(), nullable=True),
        sa.Column("result", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["callback_items.id"], name=op.f("fk_callback_attempts_item_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_attempts")),
        sa.UniqueConstraint("patient_call_sid", name=op.f("uq_callback_attempts_patient_call_sid")),
        sa.UniqueConstraint("staff_call_sid", name=op.f("uq_callback_attempts_staff_call_sid")),
    )
    op.create_index(op.f("ix_callback_attempts_item_id"), "callback_attempts", ["item_id"], unique=False)
    op.create_table(
        "voicemails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=True),
        sa.Column("recording_sid", sa.String(length=34), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=True),
        sa.Column("audio", sa.LargeBinary(), nullable=True),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("transcript", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fetch_tries", sa.SmallInteger(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at_carrier", sa.DateTime(timezone=True), nullable=True),
        sa.Column("keep_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_voicemails_call_id")),
        sa.ForeignKeyConstraint(["item_id"], ["callback_items.id"], name=op.f("fk_voicemails_item_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemails")),
        sa.UniqueConstraint("recording_sid", name=op.f("uq_voicemails_recording_sid")),
    )
    op.create_index(op.f("ix_voicemails_call_id"), "voicemails", ["call_id"], unique=False)
    op.create_index(op.f("ix_voicemails_item_id"), "voicemails", ["item_id"], unique=False)
    op.create_index(
        "ix_voicemails_keep",
        "voicemails",
        ["keep_until"],
        unique=False,
        postgresql_where=sa.text("audio IS NOT NULL"),
    )
    op.create_index(
        "ix_voicemails_next_try",
        "voicemails",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
    op.add_column("staff_users", sa.Column("phone", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("staff_users", "phone")
    op.drop_index(
        "ix_voicemails_next_try", table_name="voicemails", postgresql_where=sa.text("next_try_at IS NOT NULL")
    )
    op.drop_index(
        "ix_voicemails_keep", table_name="voicemails", postgresql_where=sa.text("audio IS NOT NULL")
    )
    op.drop_index(op.f("ix_voicemails_item_id"), table_name="voicemails")
    op.drop_index(op.f("ix_voicemails_call_id"), table_name="voicemails")
    op.drop_table("voicemails")
    op.drop_index(op.f("ix_callback_attempts_item_id"), table_name="callback_attempts")
    op.drop_table("callback_attempts")
    op.drop_table("staff_phones")
    op.drop_table("clinic_settings")
    op.drop_table("clinic_days")
