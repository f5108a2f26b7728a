"""What the staff desk keeps: outcomes, notes, names to search, files, reviews, keys, second factor."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_table(
        "content_reviews",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("content_id", sa.String(length=80), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("reviewer", sa.String(length=80), nullable=False),
        sa.Column("reviewed_on", sa.Date(), nullable=False),
        sa.Column("next_review_on", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_reviews")),
    )
    op.create_index(
        op.f("ix_content_reviews_content_id_language"),
        "content_reviews",
        ["content_id", "language"],
        unique=False,
    )
    op.create_table(
        "injection_files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("enrolled", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_injection_files")),
    )
    op.create_table(
        "contact_name_keys",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_contact_name_keys_contact_id")
        ),
        sa.PrimaryKeyConstraint("key", "contact_id", name=op.f("pk_contact_name_keys")),
    )
    op.create_index(
        op.f("ix_contact_name_keys_contact_id"), "contact_name_keys", ["contact_id"], unique=False
    )
    op.create_table(
        "contact_notes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_contact_notes_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_notes")),
    )
    op.create_index(
        op.f("ix_contact_notes_contact_id_at"), "contact_notes", ["contact_id", "at"], unique=False
    )
    op.create_table(
        "callback_outcomes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("identity", sa.String(length=24), nullable=False),
        sa.Column("advice", sa.String(length=400), nullable=False),
        sa.Column("told_when_worse", sa.Boolean(), nullable=False),
        sa.Column("follow_up_on", sa.Date(), nullable=True),
        sa.Column("appointment_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("appointment_place", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["callback_items.id"], name=op.f("fk_callback_outcomes_item_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_outcomes")),
    )
    op.create_index(op.f("ix_callback_outcomes_at"), "callback_outcomes", ["at"], unique=False)
    op.create_index(op.f("ix_callback_outcomes_item_id"), "callback_outcomes", ["item_id"], unique=False)
    op.add_column(
        "callback_items",
        sa.Column("reference", sa.BigInteger(), sa.Identity(always=False, start=1001), nullable=False),
    )
    op.add_column("callback_items", sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("callback_items", sa.Column("told_late_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("callback_items", sa.Column("texted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("callback_items", sa.Column("merged_into", sa.Uuid(), nullable=True))
    op.add_column("callback_items", sa.Column("first_claimed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("callback_items", sa.Column("first_attempt_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("callback_items", sa.Column("first_contact_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_callback_items_closed",
        "callback_items",
        ["closed_at"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_callback_items_created_at"), "callback_items", ["created_at"], unique=False)
    op.create_unique_constraint(op.f("uq_callback_items_reference"), "callback_items", ["reference"])
    op.create_foreign_key(
        op.f("fk_callback_items_merged_into"), "callback_items", "callback_items", ["merged_into"], ["id"]
    )
    op.create_index(op.f("ix_calls_started_at"), "calls", ["started_at"], unique=False)
    op.add_column("injections", sa.Column("outside_reference", sa.LargeBinary(), nullable=True))
    op.add_column("injections", sa.Column("outside_key", sa.String(length=64), nullable=True))
    op.create_unique_constraint(op.f("uq_injections_outside_key"), "injections", ["outside_key"])
    op.add_column("outbound_messages", sa.Column("written_by", sa.String(length=64), nullable=True))
    op.add_column("staff_users", sa.Column("tf_primary_method", sa.String(length=64), nullable=True))
    op.add_column("staff_users", sa.Column("tf_totp_secret", sa.LargeBinary(), nullable=True))
    op.add_column("staff_users", sa.Column("mf_recovery_codes", sa.JSON(), nullable=True))
    op.add_column("staff_users", sa.Column("totp_counter", sa.BigInteger(), nullable=True))
    op.add_column("staff_users", sa.Column("invite_hash", sa.String(length=64), nullable=True))
    op.add_column("staff_users", sa.Column("invite_until", sa.DateTime(timezone=True), nullable=True))
    op.create_unique_constraint(op.f("uq_staff_users_invite_hash"), "staff_users", ["invite_hash"])


def downgrade() -> None:
    op.drop_constraint(op.f("uq_staff_users_invite_hash"), "staff_users", type_="unique")
    op.drop_column("staff_users", "invite_until")
    op.drop_column("staff_users", "invite_hash")
    op.drop_column("staff_users", "totp_counter")
    op.drop_column("staff_users", "mf_recovery_codes")
    op.drop_column("staff_users", "tf_totp_secret")
    op.drop_column("staff_users", "tf_primary_method")
    op.drop_column("outbound_messages", "written_by")
    op.drop_constraint(op.f("uq_injections_outside_key"), "injections", type_="unique")
    op.drop_column("injections", "outside_key")
    op.drop_index(op.f("ix_calls_started_at"), table_name="calls")
    op.drop_column("injections", "outside_reference")
    op.drop_constraint(op.f("fk_callback_items_merged_into"), "callback_items", type_="foreignkey")
    op.drop_constraint(op.f("uq_callback_items_reference"), "callback_items", type_="unique")
    op.drop_index(op.f("ix_callback_items_created_at"), table_name="callback_items")
    op.drop_index(
        "ix_callback_items_closed",
        table_name="callback_items",
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.drop_column("callback_items", "first_contact_at")
    op.drop_column("callback_items", "first_attempt_at")
    op.drop_column("callback_items", "first_claimed_at")
    op.drop_column("callback_items", "merged_into")
    op.drop_column("callback_items", "texted_at")
    op.drop_column("callback_items", "told_late_at")
    op.drop_column("callback_items", "escalated_at")
    op.drop_column("callback_items", "reference")
    op.drop_index(op.f("ix_callback_outcomes_item_id"), table_name="callback_outcomes")
    op.drop_index(op.f("ix_callback_outcomes_at"), table_name="callback_outcomes")
    op.drop_table("callback_outcomes")
    op.drop_index(op.f("ix_contact_notes_contact_id_at"), table_name="contact_notes")
    op.drop_table("contact_notes")
    op.drop_index(op.f("ix_contact_name_keys_contact_id"), table_name="contact_name_keys")
    op.drop_table("contact_name_keys")
    op.drop_table("injection_files")
    op.drop_index(op.f("ix_content_reviews_content_id_language"), table_name="content_reviews")
    op.drop_table("content_reviews")
    op.drop_table("api_keys")
