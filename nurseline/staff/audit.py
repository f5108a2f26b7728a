"""The record of who saw or did what: append-only, ids only."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.staff.models import StaffAudit

What = Literal[
    "signed_in",
    "signed_out",
    "sign_in_failed",
    "saw_contact",
    "saw_item",
    "revealed_number",
    "printed_number",
    "heard_voicemail",
    "changed_clinic",
    "called_patient",
    "decided_message",
    "texted_patient",
    "changed_contact",
    "wrote_note",
    "moved_message",
    "stopped_messages",
    "ended_messages",
    "enrolled_injection",
    "account_added",
    "account_disabled",
    "password_set",
    "phone_set",
    "searched",
    "handed_in_file",
    "imported_injections",
    "exported",
    "exported_numbers",
    "second_step_set",
    "second_step_failed",
    "second_step_reset",
    "recovery_code_used",
    "recovery_codes_renewed",
    "session_unlocked",
    "unlock_failed",
    "session_ended",
    "sessions_ended",
    "account_invited",
    "invitation_taken",
    "invitation_cancelled",
    "account_enabled",
    "roles_changed",
    "changed_settings",
    "signed_content",
]
REVEALED_FOR = timedelta(minutes=15)  # as long as a claim


def record(
    session: Session,
    staff_id: str,
    what: What,
    *,
    at: datetime,
    item_id: uuid.UUID | None = None,
    contact_id: uuid.UUID | None = None,
    injection_id: uuid.UUID | None = None,
    account_id: uuid.UUID | None = None,
) -> None:
    """Append one line. ``staff_id``: an account's id, or ``command``."""
    session.add(
        StaffAudit(
            at=at,
            staff_id=staff_id,
            what=what,
            item_id=item_id,
            contact_id=contact_id,
            injection_id=injection_id,
            account_id=account_id,
        )
    )


def has_revealed(session: Session, staff_id: str, contact_id: uuid.UUID, *, now: datetime) -> bool:
    """Whether this person asked for the number of this contact within the last `REVEALED_FOR`."""
    query = sa.select(StaffAudit.id).where(
        StaffAudit.staff_id == staff_id,
        StaffAudit.what == "revealed_number",
        StaffAudit.contact_id == contact_id,
        StaffAudit.at > now - REVEALED_FOR,
    )
    return session.scalar(query.limit(1)) is not None
