"""A call comes in: each request of it is stored once with the document it was answered with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.carrier import twiml
from nurseline.dialogue import (
    Can,
    Message,
    RequestCallback,
    Say,
    State,
    Turn,
    abandoned,
    begin,
    respond,
    silence,
)
from nurseline.language import Meaning
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Call, Contact
from nurseline.parts import Parts
from nurseline.phone import parse
from nurseline.webhooks.call_steps import MOST_STEPS, Input, answered_before, keep, meaning_of, opened
from nurseline.webhooks.effects import Party, carry_out
from nurseline.webhooks.forms import CallEnd, CallForm
from nurseline.webhooks.wording import worded

FINAL = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
SILENCE_SECONDS = 10  # a relay operator types the prompt and the answer
NUMBER_SECONDS = 20
FORGOTTEN = timedelta(hours=4)  # the carrier's longest call; its end was never reported


@dataclass(frozen=True)
class _Caller:
    """A call, who is on it, and where the conversation stood."""

    call: Call
    contact: Contact | None
    state: State


def answer_call(parts: Parts, form: CallForm, step: int) -> str:
    """The TwiML for one request of a call. ``step`` counts from 0; a repeat gets the same document."""
    with parts.db.begin() as session:
        caller = _caller(parts, session, form)
        before = answered_before(session, caller.call, step)
        if before is not None:
            return before
        turn, meaning = _turn(parts, session, caller, form, step)
        return _record(parts, session, caller, form, step, turn, meaning)


def _caller(parts: Parts, session: Session, form: CallForm) -> _Caller:
    number = parse(form.caller, regions=parts.settings.regions)
    now = parts.clock.now()
    contact = contact_for(session, parts.keyring, number.e164, at=now) if number.e164 else None
    call = opened(session, form.call_sid, at=now, contact_id=contact.id if contact else None)
    language = contact.language if contact and contact.language in parts.languages else "en"
    return _Caller(call, contact, State.from_json(call.state) if call.state else State(language=language))


def _turn(
    parts: Parts, session: Session, caller: _Caller, form: CallForm, step: int
) -> tuple[Turn, Meaning | None]:
    if step == 0:
        return begin(
            channel="voice", language=caller.state.language, new=False, languages=parts.languages
        ), None
    if step >= MOST_STEPS:
        return enough(caller.state), None
    can = Can(call_back=caller.contact is not None)
    if not form.heard:
        return silence(caller.state, can=can, languages=parts.languages), None
    meaning = meaning_of(session, caller.call, caller.state, Input(form.heard, form.by_key), step)
    turn = respond(
        caller.state,
        meaning,
        channel="voice",
        words=form.heard,
        can=can,
        languages=parts.languages,
    )
    return turn, meaning


def enough(state: State) -> Turn:
    """The end of a call that goes round and round: a nurse calls back."""
    recorded = Say("voice.callback_recorded", promise_for="nurse", already="voice.callback_recorded")
    return Turn(state, (recorded, Say("voice.goodbye")), (RequestCallback("nurse"),), ends=True)


def _record(
    parts: Parts,
    session: Session,
    caller: _Caller,
    form: CallForm,
    step: int,
    turn: Turn,
    meaning: Meaning | None,
) -> str:
    given = Input(form.heard, form.by_key)
    party = _party(parts, session, caller, given.words, turn)
    done = carry_out(parts, session, party, turn.effects)
    turn, runs = worded(parts, turn, done, channel="voice")
    document = _document(parts, turn, runs, step)
    keep(session, caller.call, step, given, meaning, document, runs, at=parts.clock.now())
    caller.call.state = turn.state.to_json()
    caller.call.pending = bool(abandoned(turn.state, channel="voice"))
    return document


def _party(parts: Parts, session: Session, caller: _Caller, words: str, turn: Turn) -> Party:
    """Who the effects concern: the caller, or the number that a caller without caller ID keyed in."""
    contact, key = caller.contact, f"call:{caller.call.call_sid}"
    keyed_in = next((e.number for e in turn.effects if isinstance(e, RequestCallback) and e.number), None)
    if contact is None and keyed_in:
        number = parse(keyed_in, regions=parts.settings.regions)
        if number.e164:
            contact = contact_for(session, parts.keyring, number.e164, at=parts.clock.now())
    if contact is not None:
        key = contact.number_hash
    return Party(contact, key, "call", caller.call.call_sid, words)


def _document(parts: Parts, turn: Turn, runs: tuple[Message, ...], step: int) -> str:
    prompts = [twiml.Prompt(run.text, run.language) for run in runs]
    if turn.ends:
        return twiml.farewell(prompts)
    action = f"{parts.settings.public_base_url}/voice/step/{step + 1}"
    if turn.keys > 1:
        return twiml.ask(prompts, twiml.Listen(action, None, NUMBER_SECONDS))
    return twiml.ask(prompts, twiml.Listen(action, 1, SILENCE_SECONDS))


def end_call(parts: Parts, form: CallEnd) -> None:
    """Note the end of a call. A caller who hung up in the middle of a request still gets the call back."""
    with parts.db.begin() as session:
        note_end(parts, session, form)


def note_end(parts: Parts, session: Session, form: CallEnd) -> None:
    """Note the end of a call within the caller's transaction; a repeat changes nothing."""
    query = sa.select(Call).where(Call.call_sid == form.call_sid).with_for_update()
    call = session.scalar(query)
    if call is None or call.ended_at is not None or form.status not in FINAL:
        return
    set_end = sa.update(Call).where(Call.id == call.id, Call.ended_at.is_(None))
    values = {"carrier_status": form.status, "ended_at": parts.clock.now(), "seconds": form.seconds}
    session.execute(set_end.values(**values))
    save_left_behind(parts, session, call)


def save_left_behind(parts: Parts, session: Session, call: Call) -> None:
    """Raise the request that a caller left in the middle of, if any."""
    if not call.pending:
        return
    contact = session.get(Contact, call.contact_id) if call.contact_id else None
    state = State.from_json(call.state)
    turn = Turn(state, (), abandoned(state, channel="voice"))
    party = _party(parts, session, _Caller(call, contact, state), "", turn)
    carry_out(parts, session, party, turn.effects)
    call.pending = False
