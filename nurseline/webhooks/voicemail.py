"""A caller speaks a message, after agreeing to be recorded. Off unless the clinic turns it on."""

from __future__ import annotations

import uuid
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks import service as callbacks
from nurseline.callbacks import voicemail
from nurseline.callbacks.promises import as_reason, promised_at
from nurseline.carrier import twiml
from nurseline.carrier.gateway import CALLBACK_OVERRIDES
from nurseline.dialogue import RequestCallback, State
from nurseline.language import understand
from nurseline.messaging.contacts import contact_of
from nurseline.messaging.models import Call
from nurseline.parts import Parts
from nurseline.webhooks.effects import Party, carry_out
from nurseline.webhooks.forms import RecordingForm, TranscriptForm

LONGEST_SECONDS = 120  # Twilio transcribes no more
SILENCE_SECONDS = 8  # of silence end the message; slow speakers pause


class TranscriptWithoutCallError(LookupError):
    """Neither the call nor the recording of a transcript is known (yet): the carrier should try again."""


def record_document(parts: Parts, prompts: list[twiml.Prompt], action: str) -> str:
    """Record what is said after ``prompts``; the call goes on at ``action``."""
    base = f"{parts.settings.public_base_url}/voice"
    return twiml.record(
        prompts,
        twiml.Record(
            action,
            f"{base}/recording{CALLBACK_OVERRIDES}",
            f"{base}/transcript" if parts.settings.voicemail_transcripts else None,
            LONGEST_SECONDS,
            SILENCE_SECONDS,
        ),
    )


def keep_recording(parts: Parts, session: Session, call: Call, form: RecordingForm) -> bool:
    """Keep a recording with the caller's item; False if nothing was said. A repeat changes nothing."""
    if not form.recording_sid or form.seconds == 0:
        return False
    _store(parts, session, call, form.recording_sid, form.seconds)
    return True


def receive_recording(parts: Parts, form: RecordingForm) -> None:
    """The carrier's own report of a recording: also of a caller who hung up after speaking."""
    with parts.db.begin() as session:
        # Locked first, as when the call goes on: the carrier tells of one recording twice, often at once.
        call = session.scalar(sa.select(Call).where(Call.call_sid == form.call_sid).with_for_update())
        if call is not None:
            keep_recording(parts, session, call, form)


def receive_transcript(parts: Parts, form: TranscriptForm) -> None:
    """Keep what the carrier understood, and look for an emergency in it first of all.

    It may come before the carrier tells of the recording: then it makes the recording known.
    """
    if not form.text:
        return
    with parts.db.begin() as session:
        call = _call_of(session, form)
        if call is None:
            raise TranscriptWithoutCallError
        known = voicemail.of_recording(session, form.recording_sid)
        if known is not None and known.transcript:
            return
        tier = understand(form.text, language=State.from_json(call.state).language).tier
        if tier in {"emergency", "urgent"}:
            party = _party(session, call, form.text)
            carry_out(parts, session, party, (RequestCallback(as_reason(tier)),))
        if known is None:
            _store(parts, session, call, form.recording_sid, None)
        voicemail.add_transcript(session, form.recording_sid, form.text)


def _call_of(session: Session, form: TranscriptForm) -> Call | None:
    """The call in which the recording was made, locked: its recording may be told of at this moment."""
    same = Call.call_sid == form.call_sid
    if not form.call_sid:
        row = voicemail.of_recording(session, form.recording_sid)
        if row is None:
            return None
        same = Call.id == row.call_id
    return session.scalar(sa.select(Call).where(same).with_for_update())


def _store(parts: Parts, session: Session, call: Call, sid: str, seconds: int | None) -> None:
    keep = timedelta(days=parts.settings.voicemail_days)
    spoken = voicemail.Spoken(sid, seconds, parts.clock.now(), keep)
    voicemail.store(session, spoken, call_id=call.id, item_id=callbacks_item(parts, session, call))


def callbacks_item(parts: Parts, session: Session, call: Call) -> uuid.UUID:
    """The open item a message belongs to: the first to be worked of this caller; else one for a nurse."""
    party, now = _party(session, call, ""), parts.clock.now()
    found = callbacks.first_open(session, party.key)
    if found is not None:
        return found
    promised = promised_at("nurse", now, parts.hours)
    wish = callbacks.Request("nurse", "call", "", promised, party.key, party.contact)
    return callbacks.request(session, wish, now=now).item_id


def _party(session: Session, call: Call, words: str) -> Party:
    contact = contact_of(session, call.contact_id)
    key = contact.number_hash if contact else f"call:{call.call_sid}"
    return Party(contact, key, "call", call.call_sid, words)
