"""Tables of the callback queue."""

from __future__ import annotations

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nurseline.db import Base, Encrypted, EncryptedBytes, UtcDateTime
from nurseline.messaging.models import Contact

OPEN = ("new", "claimed", "calling", "waiting_retry", "snoozed")


class CallbackItem(Base):
    """Something a person must do for somebody who wrote or called.

    ``priority`` orders the queue (0 emergency, 1 urgent, 2 clinical, 3 scheduling and the rest);
    ``promised_at`` is what the patient was told and stays the item's due time wherever it goes.
    """

    __tablename__ = "callback_items"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    reference: Mapped[int] = mapped_column(
        sa.BigInteger, sa.Identity(start=1001), unique=True
    )  # what colleagues call it
    reason: Mapped[str] = mapped_column(sa.String(12))
    priority: Mapped[int] = mapped_column(sa.SmallInteger)
    contact_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("contacts.id")
    )  # none: no number is known
    number_key: Mapped[str] = mapped_column(
        sa.String(80)
    )  # number hash, or the call's sid where there is none
    best_time: Mapped[str] = mapped_column(Encrypted, default="")  # in the patient's words
    source: Mapped[str] = mapped_column(sa.String(8))  # text | call
    status: Mapped[str] = mapped_column(sa.String(16))
    promised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed_by: Mapped[str | None] = mapped_column(sa.String(64))  # staff id
    claimed_name: Mapped[str | None] = mapped_column(sa.String(80))  # as shown to colleagues
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_again_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # of waiting_retry and snoozed
    escalation: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    escalated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when it reached this level
    told_late_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # the patient was told that the promise breaks
    attempts: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    texted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the one text after the last attempt
    outcome: Mapped[str | None] = mapped_column(sa.String(32))
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    merged_into: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("callback_items.id"))
    # What the reports measure; each is set once, by the first of its kind.
    first_claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_contact_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a person spoke with the patient

    contact: Mapped[Contact | None] = relationship()

    __table_args__ = (
        sa.Index(
            "uq_callback_items_open",
            "number_key",
            "reason",
            unique=True,
            postgresql_where=sa.text("status NOT IN ('done', 'cancelled')"),
        ),
        sa.Index(
            "ix_callback_items_queue",
            "priority",
            "promised_at",
            postgresql_where=sa.text("status NOT IN ('done', 'cancelled')"),
        ),
        sa.Index(
            "ix_callback_items_lease", "lease_until", postgresql_where=sa.text("lease_until IS NOT NULL")
        ),
        sa.Index(None, "contact_id", "created_at"),
        sa.Index(None, "created_at"),
        sa.Index("ix_callback_items_closed", "closed_at", postgresql_where=sa.text("closed_at IS NOT NULL")),
    )


class CallbackWords(Base):
    """What the patient said that led, or added, to an item."""

    __tablename__ = "callback_words"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    item_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("callback_items.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    words: Mapped[str] = mapped_column(Encrypted)
    source: Mapped[str] = mapped_column(sa.String(8))


class CallbackEvent(Base):
    """Each status an item had, with time, cause and who did it. Notes of staff stand here too."""

    __tablename__ = "callback_events"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    subject_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("callback_items.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(sa.String(16))
    cause: Mapped[str] = mapped_column(sa.String(80))
    actor: Mapped[str] = mapped_column(sa.String(64))
    note: Mapped[str | None] = mapped_column(Encrypted)


class CallbackOutcome(Base):
    """What a person recorded about an item: how a try ended, and what was said and agreed. Appended to."""

    __tablename__ = "callback_outcomes"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    item_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("callback_items.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    staff_id: Mapped[str] = mapped_column(sa.String(64))
    outcome: Mapped[str] = mapped_column(sa.String(32))
    note: Mapped[str] = mapped_column(Encrypted, default="")
    identity: Mapped[str] = mapped_column(sa.String(24), default="")  # how the patient was identified
    advice: Mapped[str] = mapped_column(sa.String(400), default="")  # content ids with versions
    told_when_worse: Mapped[bool] = mapped_column(default=False)  # "call again if it gets worse" was said
    follow_up_on: Mapped[date | None]
    appointment_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    appointment_place: Mapped[str] = mapped_column(Encrypted, default="")

    __table_args__ = (sa.Index(None, "at"),)


class CallbackAttempt(Base):
    """One try of the clinic to reach a patient by telephone: first the staff member's phone, then theirs.

    ``result``: while it lasts, how far it is: empty (the staff member's phone rings), dialled, connected or
    machine. Once ``ended_at`` is set: connected | no_answer | busy | failed | machine | staff_no_answer |
    staff_declined | staff_failed | caller_gone | not_started | unknown.
    """

    __tablename__ = "callback_attempts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    item_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("callback_items.id"), index=True)
    staff_id: Mapped[str] = mapped_column(sa.String(64))
    staff_name: Mapped[str] = mapped_column(sa.String(80))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    staff_call_sid: Mapped[str | None] = mapped_column(sa.String(34), unique=True)
    patient_call_sid: Mapped[str | None] = mapped_column(sa.String(34), unique=True)
    connected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seconds: Mapped[int | None]  # of the connected conversation
    result: Mapped[str] = mapped_column(sa.String(20), default="")


class Voicemail(Base):
    """A message that a caller spoke after agreeing to be recorded."""

    __tablename__ = "voicemails"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    call_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("calls.id"), index=True)
    item_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("callback_items.id"), index=True)
    recording_sid: Mapped[str] = mapped_column(sa.String(34), unique=True)
    seconds: Mapped[int | None]
    audio: Mapped[bytes | None] = mapped_column(EncryptedBytes)  # none: not fetched yet, or retention is over
    media_type: Mapped[str] = mapped_column(sa.String(40), default="")
    transcript: Mapped[str] = mapped_column(Encrypted, default="")
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    fetch_tries: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # none: nothing left to do at the carrier
    removed_at_carrier: Mapped[datetime | None] = mapped_column(UtcDateTime)
    keep_until: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        sa.Index(
            "ix_voicemails_next_try", "next_try_at", postgresql_where=sa.text("next_try_at IS NOT NULL")
        ),
        sa.Index("ix_voicemails_keep", "keep_until", postgresql_where=sa.text("audio IS NOT NULL")),
    )
