"""Tables of messaging: contacts, conversations, texts in and out, calls."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nurseline.db import Base, Encrypted, UtcDateTime
from nurseline.ids import new_id


class Contact(Base):
    """A phone number the line talks with. Says nothing about whether its owner is a patient."""

    __tablename__ = "contacts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    number: Mapped[str] = mapped_column(Encrypted)  # E.164
    language: Mapped[str] = mapped_column(sa.String(8), default="en")
    timezone: Mapped[str | None] = mapped_column(sa.String(64))  # IANA name that the patient gave
    name: Mapped[str | None] = mapped_column(Encrypted)
    # How automated messages reach this number: text | call (the patient's choice, or it cannot be texted).
    channel: Mapped[str] = mapped_column(sa.String(8), default="text", server_default="text")
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ContactNameKey(Base):
    """A keyed hash of a beginning of one word of a contact's name, by which staff find the contact."""

    __tablename__ = "contact_name_keys"

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contacts.id"), primary_key=True)

    __table_args__ = (sa.Index(None, "contact_id"),)


class Conversation(Base):
    """Where one contact's text conversation stands in the menu."""

    __tablename__ = "conversations"

    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contacts.id"), primary_key=True)
    state: Mapped[str] = mapped_column(
        Encrypted, default=""
    )  # the dialogue's own; may hold the patient's words
    last_inbound_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pending: Mapped[bool] = mapped_column(
        default=False
    )  # left in the middle of a request that must not get lost

    __table_args__ = (sa.Index(None, "last_inbound_at", postgresql_where=sa.text("pending")),)


class InboundMessage(Base):
    """A text that came in, stored once by its MessageSid."""

    __tablename__ = "inbound_messages"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    message_sid: Mapped[str] = mapped_column(sa.String(34), unique=True)
    contact_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("contacts.id"))
    sender: Mapped[str] = mapped_column(Encrypted)  # as the carrier gave it
    body: Mapped[str] = mapped_column(Encrypted)
    media: Mapped[int] = mapped_column(sa.SmallInteger, default=0)  # pictures that came along; never fetched
    opt_out_type: Mapped[str] = mapped_column(sa.String(8), default="")
    tier: Mapped[str] = mapped_column(sa.String(12), default="none")
    topic: Mapped[str] = mapped_column(sa.String(16), default="unknown")
    evidence: Mapped[str] = mapped_column(
        Encrypted, default=""
    )  # why it was understood so; holds the patient's words
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (sa.Index(None, "contact_id", "received_at"),)


class OutboundMessage(Base):
    """A message of ours, from plan to delivery: the outbox.

    Its id goes into the status-callback address, so that every report finds it.
    """

    __tablename__ = "outbound_messages"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contacts.id"))
    number_hash: Mapped[str] = mapped_column(sa.String(64))
    purpose: Mapped[str] = mapped_column(
        sa.String(16)
    )  # reply | confirmation | alert | staff | notice | reminder
    priority: Mapped[int] = mapped_column(sa.SmallInteger)  # 0 first
    content_id: Mapped[str] = mapped_column(
        sa.String(200)
    )  # several, space-separated, where texts were joined
    language: Mapped[str] = mapped_column(sa.String(8))
    content_version: Mapped[str] = mapped_column(sa.String(40), default="")  # filled with the body
    body: Mapped[str | None] = mapped_column(
        Encrypted
    )  # the exact words; a reminder gets them when it is sent
    send_after: Mapped[datetime] = mapped_column(UtcDateTime)
    send_before: Mapped[datetime | None] = mapped_column(UtcDateTime)  # after this it is of no use
    timezone: Mapped[str | None] = mapped_column(sa.String(64))  # IANA; where the patient is, if known
    status: Mapped[str] = mapped_column(sa.String(12))
    reason: Mapped[str] = mapped_column(
        sa.String(40), default=""
    )  # why skipped, cancelled, failed or unknown
    attempts: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    claim_token: Mapped[uuid.UUID | None]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sending_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # committed before the request starts
    provider_sid: Mapped[str | None] = mapped_column(sa.String(34))
    error_code: Mapped[int | None]
    injection_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("injections.id"))
    step: Mapped[str | None] = mapped_column(sa.String(8))  # day1 | day3 | week1
    # The same step sent again after it surely failed is a row of its own: 0 first, then 1, 2.
    turn: Mapped[int] = mapped_column(sa.SmallInteger, default=0, server_default="0")
    channel: Mapped[str] = mapped_column(sa.String(8), default="text", server_default="text")  # text | call
    # When the carrier is asked about it, if no report came by then; none once the status is final.
    check_after: Mapped[datetime | None] = mapped_column(UtcDateTime)
    in_reply_to: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("inbound_messages.id"))
    position: Mapped[int] = mapped_column(sa.SmallInteger, default=0)  # order among the replies to one text
    answer: Mapped[str | None] = mapped_column(
        sa.String(12)
    )  # of a reminder: well | question | worse | words (anything else) | silence
    answer_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # no answer by then is silence
    written_by: Mapped[str | None] = mapped_column(sa.String(64))  # staff id, where a person wrote it
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    contact: Mapped[Contact] = relationship()

    __table_args__ = (
        sa.UniqueConstraint("injection_id", "step", "turn"),
        # A claim writes the row anew into every index that covers it: few, and none of what is empty.
        sa.Index(
            "uq_outbound_messages_in_reply_to_position",
            "in_reply_to",
            "position",
            unique=True,
            postgresql_where=sa.text("in_reply_to IS NOT NULL"),
        ),
        sa.Index(
            "ix_outbound_due",
            "priority",
            "send_after",
            "id",
            postgresql_where=sa.text("status = 'scheduled'"),
        ),
        # Not on the status: a predicate that updates also name would lure the planner off the primary key.
        sa.Index("ix_outbound_lease", "lease_until", postgresql_where=sa.text("lease_until IS NOT NULL")),
        sa.Index("ix_outbound_check", "check_after", postgresql_where=sa.text("check_after IS NOT NULL")),
        sa.Index("ix_outbound_answer", "answer_until", postgresql_where=sa.text("answer_until IS NOT NULL")),
        # What belongs to an injection is found through that: see to_contact.py.
        sa.Index(
            "ix_outbound_contact",
            "contact_id",
            "created_at",
            postgresql_where=sa.text("injection_id IS NULL"),
        ),
        sa.Index(
            "ix_outbound_to_check",
            "created_at",
            postgresql_where=sa.text("status IN ('unknown', 'failed', 'undelivered')"),
        ),
        sa.Index(
            "ix_outbound_provider_sid",
            "provider_sid",
            unique=True,
            postgresql_where=sa.text("provider_sid IS NOT NULL"),
        ),
    )


class OutboundEvent(Base):
    """Each status an outbound message had, with time and cause."""

    __tablename__ = "outbound_events"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    subject_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("outbound_messages.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(sa.String(12))
    cause: Mapped[str] = mapped_column(sa.String(80))
    actor: Mapped[str] = mapped_column(sa.String(64))


class DeliveryReport(Base):
    """A status callback as it came, once per (sid, status)."""

    __tablename__ = "delivery_reports"

    provider_sid: Mapped[str] = mapped_column(sa.String(34), primary_key=True)
    status: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    message_id: Mapped[uuid.UUID | None]
    error_code: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Call(Base):
    """A telephone call, stored once by its CallSid."""

    __tablename__ = "calls"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    call_sid: Mapped[str] = mapped_column(sa.String(34), unique=True)
    contact_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("contacts.id"))  # none: no caller ID
    message_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("outbound_messages.id")
    )  # a call of ours that reads a reminder
    state: Mapped[str] = mapped_column(Encrypted, default="")  # the dialogue's own
    carrier_status: Mapped[str] = mapped_column(
        sa.String(16), default="in-progress"
    )  # as the carrier reports it
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pending: Mapped[bool] = mapped_column(default=False)  # hanging up now would leave a request behind
    seconds: Mapped[int | None]

    __table_args__ = (sa.Index(None, "contact_id", "started_at"), sa.Index(None, "started_at"))


class CallStep(Base):
    """One request of a call and the document it was answered with. A repeat gets the same document."""

    __tablename__ = "call_steps"

    call_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("calls.id"), primary_key=True)
    step: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    heard: Mapped[str] = mapped_column(Encrypted)  # keys or speech; empty for silence
    tier: Mapped[str] = mapped_column(sa.String(12), default="none")
    topic: Mapped[str] = mapped_column(sa.String(16), default="unknown")
    document: Mapped[str] = mapped_column(Encrypted)  # TwiML
    said: Mapped[str] = mapped_column(Encrypted, default="")  # the words, with their content versions
    at: Mapped[datetime] = mapped_column(UtcDateTime)
