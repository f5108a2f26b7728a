"""A text comes in: stored once, read, answered. One transaction; a repeat gets the first answer again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.consent import service as consent
from nurseline.dialogue import (
    Effect,
    Message,
    RequestCallback,
    Say,
    State,
    Turn,
    abandoned,
    reminded,
    respond,
)
from nurseline.ids import new_id
from nurseline.language import Meaning, understand
from nurseline.messaging import answers
from nurseline.messaging.contacts import contact_for, locked_conversation
from nurseline.messaging.models import Contact, Conversation, InboundMessage, OutboundMessage
from nurseline.messaging.outbox import MOVES, PRIORITY
from nurseline.messaging.staff_texts import wrote_lately
from nurseline.parts import Parts
from nurseline.phone import PhoneNumber, parse
from nurseline.webhooks.effects import (
    Done,
    Party,
    answer_in,
    begin_messages,
    carry_out,
    end_messages,
)
from nurseline.webhooks.forms import TextForm
from nurseline.webhooks.wording import worded

# Whole messages that the carrier acts on and answers itself. Twilio, "Advanced Opt-Out", default words.
CARRIER_STOP = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
CARRIER_START = frozenset({"start", "yes", "unstop"})
CARRIER_HELP = frozenset({"help", "info"})

ALARMS = frozenset({"emergency", "urgent"})
WHOLE_REPLIES = frozenset({"menu", "thanks", "help", "stop", "start", "language", "wrong_number"})
SPLIT = timedelta(minutes=2)  # two texts so near to each other are read together for alarms
REPORT_WITHIN = timedelta(minutes=10)  # a reply without any status report by then is of unknown outcome


@dataclass(frozen=True, slots=True)
class Reply:
    """One text to answer with. ``id`` is the outbound message that its status reports refer to."""

    id: uuid.UUID
    body: str


@dataclass(frozen=True)
class _Reading:
    """A text with all that is known about it."""

    form: TextForm
    number: PhoneNumber
    contact: Contact
    conversation: Conversation
    state: State
    meaning: Meaning
    keyword: str  # stop | start | help, where the carrier has answered already; else empty
    words: str  # what staff should read: this text, after the one before where both together are an alarm
    new: bool  # the first text of this number
    idle: float | None  # seconds since the patient wrote, or since the reminder that this answers
    answers_reminder: bool  # the first text that is read as a reminder's answer
    left: tuple[Effect, ...]  # a request that the patient was in the middle of when the reminder came


def receive_text(parts: Parts, form: TextForm) -> list[Reply]:
    """Store and answer one text."""
    with parts.db.begin() as session:
        number = parse(form.sender, regions=parts.settings.regions)
        now = parts.clock.now()
        contact = contact_for(session, parts.keyring, number.e164, at=now) if number.e164 else None
        inbound_id = _store(session, form, contact, now)
        if inbound_id is None:
            return _answered_before(session, form.message_sid)
        if contact is None:
            _alarm_without_number(parts, session, form, inbound_id)
            return []
        reading = _read(session, form, number, contact, now)
        _note_meaning(session, inbound_id, reading.meaning)
        return _answer(parts, session, reading, inbound_id)


def _store(session: Session, form: TextForm, contact: Contact | None, now: datetime) -> uuid.UUID | None:
    new = insert(InboundMessage).values(
        id=new_id(),
        message_sid=form.message_sid,
        contact_id=contact.id if contact else None,
        sender=form.sender,
        body=form.body,
        media=form.media,
        opt_out_type=form.opt_out_type,
        received_at=now,
        tier="none",
        topic="unknown",
        evidence="",
    )
    return session.scalar(
        new.on_conflict_do_nothing(index_elements=["message_sid"]).returning(InboundMessage.id)
    )


def _answered_before(session: Session, message_sid: str) -> list[Reply]:
    rows = session.scalars(
        sa.select(OutboundMessage)
        .join(InboundMessage, InboundMessage.id == OutboundMessage.in_reply_to)
        .where(InboundMessage.message_sid == message_sid, OutboundMessage.status != "skipped")
        .order_by(OutboundMessage.position)
    ).all()
    return [Reply(row.id, row.body or "") for row in rows]


def _alarm_without_number(parts: Parts, session: Session, form: TextForm, inbound_id: uuid.UUID) -> None:
    """A sender that cannot be answered (short code, name): nothing to reply to, but an alarm is an alarm."""
    meaning = understand(form.body)
    _note_meaning(session, inbound_id, meaning)
    if meaning.tier in ALARMS:
        turn = respond(State(), meaning, channel="text", words=form.body, languages=parts.languages)
        party = Party(
            None, f"sms:{form.message_sid}", "text", form.message_sid, f"{form.sender}: {form.body}"
        )
        carry_out(parts, session, party, turn.effects)


def _read(session: Session, form: TextForm, number: PhoneNumber, contact: Contact, now: datetime) -> _Reading:
    conversation = locked_conversation(session, contact)
    last = conversation.last_inbound_at
    state = State.from_json(conversation.state) if conversation.state else State(language=contact.language)
    left: tuple[Effect, ...] = ()
    reminder = answers.in_view(session, contact, last_text=last, now=now)
    if reminder is not None:
        left = abandoned(state, channel="text")
        state = reminded(state).remember(reminder=str(reminder.id))
    meaning, words = _understood(session, form, contact, state, now)
    if _for_staff(session, contact, state, meaning, now):
        meaning = replace(meaning, topic="nurse")
    spoken_last = reminder.sending_at if reminder else last
    idle = (now - spoken_last).total_seconds() if spoken_last else None
    conversation.last_inbound_at = now
    ledger = consent.state_of(session, contact.number_hash)
    blocked = ledger is not None and ledger.carrier_blocked
    keyword = _carrier_keyword(form, blocked=blocked)
    return _Reading(
        form,
        number,
        contact,
        conversation,
        state,
        meaning,
        keyword,
        words,
        new=last is None,
        idle=idle,
        answers_reminder=reminder is not None,
        left=left,
    )


def _carrier_keyword(form: TextForm, *, blocked: bool) -> str:
    """The keyword that the carrier acted on. START and YES are one only for a number that it blocks."""
    if form.opt_out_type in {"STOP", "START", "HELP"}:
        return form.opt_out_type.lower()
    bare = form.body.strip().lower()
    if bare in CARRIER_STOP:
        return "stop"
    if bare in CARRIER_HELP:
        return "help"
    return "start" if blocked and bare in CARRIER_START else ""


def _understood(
    session: Session, form: TextForm, contact: Contact, state: State, now: datetime
) -> tuple[Meaning, str]:
    """What the text means, read alone; together with the one before only if that makes it an alarm."""
    alone = understand(form.body, language=contact.language, place=state.place)
    before = _text_before(session, contact, form.message_sid, now)
    if before is None or alone.tier in ALARMS or _complete(alone):
        return alone, form.body
    joined = understand(form.body, language=contact.language, place=state.place, previous=before)
    return (joined, f"{before}\n{form.body}") if joined.tier in ALARMS else (alone, form.body)


def _for_staff(session: Session, contact: Contact, state: State, meaning: Meaning, now: datetime) -> bool:
    """Whether a text that the line does not understand answers what staff wrote: then a person reads it."""
    puzzling = meaning.topic == "unknown" and meaning.choice is None and meaning.command is None
    asked = state.place in {"schedule_time", "reminder"}  # the line itself waits for words
    return puzzling and not asked and wrote_lately(session, contact.id, now=now)


def _complete(meaning: Meaning) -> bool:
    """Whether a text is a whole reply by itself, so that it is nobody's second half."""
    return meaning.choice is not None or meaning.command is not None or meaning.topic in WHOLE_REPLIES


def _text_before(session: Session, contact: Contact, message_sid: str, now: datetime) -> str | None:
    """The text that this one may be the second half of. An emergency was answered by itself already."""
    before = session.scalar(
        sa.select(InboundMessage)
        .where(
            InboundMessage.contact_id == contact.id,
            InboundMessage.received_at > now - SPLIT,
            InboundMessage.message_sid != message_sid,
        )
        .order_by(InboundMessage.received_at.desc())
        .limit(1)
    )
    if before is None or before.tier == "emergency" or before.topic in WHOLE_REPLIES:
        return None
    return before.body


def _note_meaning(session: Session, inbound_id: uuid.UUID, meaning: Meaning) -> None:
    why = json.dumps([[e.rule, e.words] for e in meaning.evidence], ensure_ascii=False)
    session.execute(
        sa.update(InboundMessage)
        .where(InboundMessage.id == inbound_id)
        .values(tier=meaning.tier, topic=meaning.topic, evidence=why)
    )


def _answer(parts: Parts, session: Session, reading: _Reading, inbound_id: uuid.UUID) -> list[Reply]:
    source = "reminder" if reading.answers_reminder or reading.state.place == "reminder" else "text"
    sid = reading.form.message_sid
    party = Party(reading.contact, reading.contact.number_hash, source, sid, reading.words)
    alarm = reading.meaning.tier in ALARMS
    if reading.keyword:
        _follow_keyword(parts, session, party, reading.keyword)
        if not alarm:
            _note_reminder_answer(parts, session, reading, None)
            return []  # the carrier has answered; one answer is enough
    turn = _turn(parts, reading)
    if reading.number.kind == "foreign" and not turn.effects:
        # Not answered, since auto-replies abroad are what toll fraud lives on; but a person may look.
        turn = replace(turn, effects=(RequestCallback("admin"),))
    carry_out(parts, session, replace(party, source="text", words=""), reading.left)
    answer = answer_in(turn.effects)
    if answer is not None:
        party = replace(party, source="reminder")  # also one that corrects the answer before
    done = carry_out(parts, session, party, turn.effects)
    _note_reminder_answer(parts, session, reading, answer)
    turn, messages = worded(parts, turn, done, channel="text")
    reading.conversation.state = turn.state.to_json()
    reading.conversation.pending = bool(abandoned(turn.state, channel="text"))
    quiet = _why_quiet(parts, session, reading, done, alarm=alarm)
    return _write_replies(parts, session, reading.contact, inbound_id, messages, quiet)


def _follow_keyword(parts: Parts, session: Session, party: Party, keyword: str) -> None:
    if keyword == "stop":
        end_messages(parts, session, party, "carrier", carrier_blocked=True)
    elif keyword == "start":
        begin_messages(parts, session, party, "carrier")


def _turn(parts: Parts, reading: _Reading) -> Turn:
    new = reading.new
    if reading.form.media and not reading.form.body.strip():
        state = replace(reading.state, last=())
        return Turn(state, (Say("welcome"), Say("no_pictures")) if new else (Say("no_pictures"),))
    turn = respond(
        reading.state,
        reading.meaning,
        channel="text",
        new=new,
        idle_seconds=reading.idle,
        words=reading.form.body,
        languages=parts.languages,
    )
    return replace(turn, say=(*turn.say, Say("no_pictures"))) if reading.form.media else turn


def _note_reminder_answer(
    parts: Parts, session: Session, reading: _Reading, answer: answers.Answer | None
) -> None:
    """Write down what was answered to the reminder that the patient has before them, if any."""
    known = reading.state.recall("reminder")
    if answer is None and reading.answers_reminder:
        answer = "worse" if reading.meaning.tier in ALARMS else "words"
    if known and answer:
        answers.note_answer(session, uuid.UUID(known), answer, at=parts.clock.now())


def _why_quiet(parts: Parts, session: Session, reading: _Reading, done: Done, *, alarm: bool) -> str:
    """Why a reply is not sent although it is recorded; empty if it is sent. An alarm is always answered."""
    if alarm:
        return ""
    if not reading.number.can_reply:
        return f"{reading.number.kind} number"
    ledger = consent.state_of(session, reading.contact.number_hash)
    if ledger is not None and ledger.status == "opted_out" and ledger.carrier_blocked:
        return "the carrier blocks this number"
    if done.opt_out_known:
        return "opt-out was confirmed before"
    since = parts.clock.now() - timedelta(minutes=10)
    lately = session.scalar(
        sa.select(sa.func.count()).where(
            InboundMessage.contact_id == reading.contact.id, InboundMessage.received_at > since
        )
    )
    return "too many texts in ten minutes" if (lately or 0) > parts.settings.replies_per_ten_minutes else ""


def _write_replies(
    parts: Parts,
    session: Session,
    contact: Contact,
    inbound_id: uuid.UUID,
    texts: Sequence[Message],
    quiet: str,
) -> list[Reply]:
    now = parts.clock.now()
    status = "skipped" if quiet else "sending"
    rows = [
        {
            "id": new_id(),
            "contact_id": contact.id,
            "number_hash": contact.number_hash,
            "purpose": "reply",
            "priority": PRIORITY["reply"],
            "content_id": text.versions,
            "content_version": "",
            "language": text.language,
            "body": text.text,
            "send_after": now,
            "status": status,
            "reason": quiet,
            "in_reply_to": inbound_id,
            "position": position,
            "created_at": now,
            "sending_at": None if quiet else now,
            "lease_until": None if quiet else now + REPORT_WITHIN,
            "attempts": 0 if quiet else 1,
        }
        for position, text in enumerate(texts)
    ]
    if not rows:
        return []
    session.execute(sa.insert(OutboundMessage), rows)
    ids = [uuid.UUID(str(row["id"])) for row in rows]
    MOVES.note(session, ids, status, at=now, cause=quiet or "answered in the webhook")
    return [] if quiet else [Reply(i, text.text) for i, text in zip(ids, texts, strict=True)]
