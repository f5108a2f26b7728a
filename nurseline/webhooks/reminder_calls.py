"""A call of ours reads a reminder: what is said at each request, and what follows from what is heard.

The address carries the message's id, and Twilio asks for the first document only when it knows who answered.
A row of unknown outcome is settled by the first request, since the call evidently is made. The answer by key
or in words is noted for this very message, and leads to the same items as an answer by text.
"""

from __future__ import annotations

import uuid

import structlog
from flask import request
from sqlalchemy.orm import Session

from nurseline.carrier import twiml
from nurseline.dialogue import Message, State, Turn, abandoned, hints
from nurseline.dialogue.reminder_call import PLEASE_CALL, called, respond_called, silence_called
from nurseline.language import Meaning
from nurseline.messaging.answers import note_answer
from nurseline.messaging.call_reports import CallReport, apply_call_report, began, heard, message_of, read_at
from nurseline.messaging.models import Call, OutboundMessage
from nurseline.parts import Parts, current_parts
from nurseline.webhooks.call_steps import MOST_STEPS, Input, answered_before, keep, opened, understood
from nurseline.webhooks.calls import SILENCE_SECONDS, enough, note_end, with_words_kept, words_of
from nurseline.webhooks.effects import Party, answer_in, carry_out
from nurseline.webhooks.forms import CallEnd, ReminderCallForm, read_reference
from nurseline.webhooks.last_resort import call_document
from nurseline.webhooks.wording import worded

log = structlog.get_logger(__name__)


def answer_reminder_call(parts: Parts, form: ReminderCallForm, step: int) -> str:
    """The TwiML for one request of a call of ours. A repeat of a step gets the same document."""
    with parts.db.begin() as session:
        message = session.get(OutboundMessage, form.reference) if form.reference else None
        if message is None:
            log.warning("reminder_call.unmatched")
            return _please_call(parts, "en")
        now = parts.clock.now()
        call = opened(session, form.call_sid, at=now, contact_id=message.contact_id, message_id=message.id)
        before = answered_before(session, call, step)
        if before is not None:
            return before
        turn, meaning = _turn(parts, session, call, message, form, step)
        return _record(parts, session, call, message, form, step, turn, meaning)


def end_reminder_call(parts: Parts, form: CallEnd, reference: str) -> None:
    """A call of ours moved on or ended: the message follows."""
    now = parts.clock.now()
    report = CallReport(form.call_sid, form.status, now, read_reference(reference), form.seconds)
    with parts.db.begin() as session:
        note_end(parts, session, form)
        apply_call_report(session, report, parts.settings.zone)


def broken_document() -> str:
    """Words for who answered a call of ours that could not be handled.

    Before anybody is known to be a person, nothing but "please call".
    """
    parts = current_parts()
    person = request.form.get("Digits") or request.form.get("SpeechResult")
    return call_document() if person else _please_call(parts, "en")


def _turn(
    parts: Parts, session: Session, call: Call, message: OutboundMessage, form: ReminderCallForm, step: int
) -> tuple[Turn, Meaning | None]:
    if step == 0 or not call.state:
        reminder = message.content_id
        turn = called(form.answered_by, reminder, language=message.language, languages=parts.languages)
        return turn, None
    state = State.from_json(call.state)
    if step >= MOST_STEPS:
        return enough(state), None
    if not form.heard:
        return silence_called(state, languages=parts.languages), None
    given = Input(form.heard, form.by_key)
    words, meaning = understood(session, call, state, given, step)
    by_key = form.by_key
    turn = respond_called(state, meaning, by_key=by_key, words=words, languages=parts.languages)
    return turn, meaning


def _record(
    parts: Parts,
    session: Session,
    call: Call,
    message: OutboundMessage,
    form: ReminderCallForm,
    step: int,
    turn: Turn,
    meaning: Meaning | None,
) -> str:
    given, now = Input(form.heard, form.by_key), parts.clock.now()
    contact = message.contact
    before = State.from_json(call.state)
    source = "reminder" if call.state and before.place == "reminder" else "call"
    words = words_of(before, turn, given.words)
    party = Party(contact, contact.number_hash, source, form.call_sid, words, given.keys)
    done = carry_out(parts, session, party, turn.effects)
    turn, runs = worded(parts, turn, done, channel="voice")
    document = _document(parts, turn, runs, message.id, step)
    read_before = read_at(session, call, message)
    answer = answer_in(turn.effects) or ("words" if given.words and read_before else None)
    if answer is not None:
        note_answer(session, message.id, answer, at=now)
    keep(session, call, step, given, meaning, document, runs, at=now)
    call.state = with_words_kept(before, turn, given.words).to_json()
    call.pending = bool(abandoned(turn.state, channel="voice"))
    if message_of(session, form.call_sid, message.id) is None:
        log.error("reminder_call.second_call", message=str(message.id))
        return document
    began(session, message, form.call_sid, now, cause="call answered")
    _keep_words(message, runs)
    if read_before is not None:
        heard(session, message, form.call_sid, now)
    return document


def _keep_words(message: OutboundMessage, runs: tuple[Message, ...]) -> None:
    """Write the words of the reminder into its row, when they are said for the first time."""
    for run in runs:
        versions = dict(run.entries)
        if message.content_id in versions and message.body is None:
            message.body, message.content_version = run.text, str(versions[message.content_id])


def _document(parts: Parts, turn: Turn, runs: tuple[Message, ...], message_id: uuid.UUID, step: int) -> str:
    prompts = [twiml.Prompt(run.text, run.language, run.breath) for run in runs]
    if turn.ends:
        return twiml.farewell(prompts)
    action = f"{parts.settings.public_base_url}/voice/reminder/{step + 1}?ref={message_id}"
    speech = twiml.Speech(turn.state.language, hints(turn.state))  # also where keys choose, for alarms
    return twiml.ask(prompts, twiml.Listen(action, 1, SILENCE_SECONDS, speech))


def _please_call(parts: Parts, language: str) -> str:
    said = parts.say(PLEASE_CALL, language, channel="voice")
    return twiml.farewell([twiml.Prompt(said.text, language)])
