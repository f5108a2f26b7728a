"""A call comes in: each request of it is stored once with the document it was answered with."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks import service as callbacks
from nurseline.callbacks.adopting import adopt
from nurseline.callbacks.promises import as_reason
from nurseline.carrier import twiml
from nurseline.clinic.models import StaffPhone
from nurseline.dialogue import (
    Can,
    FlagReview,
    OptIn,
    OptOut,
    RequestCallback,
    Say,
    State,
    Turn,
    WrongNumber,
    abandoned,
    begin,
    connected,
    hints,
    promises_needed,
    recorded,
    respond,
    silence,
    wants_a_person,
)
from nurseline.language import Meaning
from nurseline.messaging.contacts import contact_for, contact_of
from nurseline.messaging.models import Call, Contact
from nurseline.parts import Parts
from nurseline.phone import parse
from nurseline.webhooks.by_text import may_text
from nurseline.webhooks.call_steps import (
    MOST_STEPS,
    NOT_UNDERSTOOD,
    WORDS,
    Input,
    answered_before,
    keep,
    opened,
    understood,
)
from nurseline.webhooks.connecting import (
    alarm_if_nobody,
    done_trying,
    next_phone,
    not_rung,
    note_talk,
    ring_to,
    somebody_on_shift,
    trying,
)
from nurseline.webhooks.effects import Party, carry_out
from nurseline.webhooks.forms import CallEnd, CallForm
from nurseline.webhooks.voicemail import keep_recording, record_document
from nurseline.webhooks.wording import worded

FINAL = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
SILENCE_SECONDS = 10  # a relay operator types the prompt and the answer
NUMBER_SECONDS = 20
WORDS_KEPT = 1600  # characters
UNFINISHED = frozenset(
    {
        *("offer_person", "callback_number", "confirm_number", "connecting", "schedule_time"),
        *("confirm_stop", "confirm_wrong", "confirm_start"),
    }
)
STORES_WORDS = RequestCallback | FlagReview | OptIn | OptOut | WrongNumber  # effects that keep what was said
DIGITS = 10  # of a whole number
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
        return _first(parts, session, caller), None
    if step >= MOST_STEPS:
        return enough(caller.state), None
    if caller.state.place == "connecting":
        if form.dialled:
            return _after_ringing(parts, session, caller, form), None
        caller = replace(caller, state=not_rung(caller.state))  # the words before it were cut short
    if caller.state.place == "recording":
        kept = keep_recording(parts, session, caller.call, form.recording)
        can = _most(parts, caller)
        return recorded(caller.state, kept=kept, can=can, languages=parts.languages), None
    if not form.heard:
        quiet = partial(silence, caller.state, languages=parts.languages)
        return _able(parts, session, caller, lambda can: quiet(can=can)), None
    given = Input(form.heard, form.by_key)
    words, meaning = understood(session, caller.call, caller.state, given, step)
    if not _would_be_called(parts, caller.state, form):
        words, meaning = "", NOT_UNDERSTOOD
    told = partial(respond, caller.state, meaning, channel="voice", words=words, languages=parts.languages)
    return _able(parts, session, caller, lambda can: told(can=can)), meaning


def _would_be_called(parts: Parts, state: State, form: CallForm) -> bool:
    """False for a whole number keyed in that the line does not call: abroad, at a premium, our own."""
    digits = re.sub(r"\D", "", form.heard)
    if state.place not in {"callback_number", "confirm_number"} or not form.by_key or len(digits) < DIGITS:
        return True
    regions = parts.settings.regions
    number = parse(digits, regions=regions)
    ours = (parts.settings.twilio_from, parts.settings.clinic_phone, form.called)
    own = {parse(one, regions=regions).e164 for one in ours if one}
    return number.kind == "person" and number.e164 not in own


def _first(parts: Parts, session: Session, caller: _Caller) -> Turn:
    """The first words. Who has a request open hears by when it is answered."""
    open_item = None
    if caller.contact is not None:
        open_item = callbacks.promised(session, caller.contact.number_hash, now=parts.clock.now())
    return begin(
        channel="voice",
        language=caller.state.language,
        languages=parts.languages,
        open_reason=as_reason(open_item.reason) if open_item else None,
    )


def _most(parts: Parts, caller: _Caller) -> Can:
    """The most that the line may be able to do for this caller."""
    known = caller.contact is not None
    return Can(call_back=known, connect=True, record=parts.settings.voicemail, text=known)


def _able(parts: Parts, session: Session, caller: _Caller, take: Callable[[Can], Turn]) -> Turn:
    """The turn that the line can keep. Only what the turn would use is looked up in the database."""
    can = _most(parts, caller)
    turn = take(can)
    rings, texts = turn.then == "connect", turn.state.recall("text") is not None
    if rings and not somebody_on_shift(parts, session):
        can = replace(can, connect=False)
    if texts and not (caller.contact is not None and may_text(parts, session, caller.contact)):
        can = replace(can, text=False)
    return take(can) if rings or texts else turn


def _after_ringing(parts: Parts, session: Session, caller: _Caller, form: CallForm) -> Turn:
    """A telephone of the clinic has rung: somebody spoke with the caller, else the next one rings."""
    reached = form.dialled == "completed" and form.bridged
    if reached:
        note_talk(parts, session, caller.call, form.talked)
    elif next_phone(parts, session, caller.state):
        return Turn(caller.state, (Say("voice.still_connecting"),), then="connect")
    state = done_trying(caller.state)
    can = _most(parts, caller)
    return connected(state, reached=reached, can=can, languages=parts.languages)


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
    turn, phone = _with_phone(parts, session, caller, turn)
    given = Input(form.heard, form.by_key)
    words = words_of(caller.state, turn, given.words)
    party = _party(parts, session, caller, words, turn, keys=given.keys)
    if caller.contact is None and party.contact is not None and turn.state.recall("call_number"):
        adopt(session, f"call:{caller.call.call_sid}", party.contact, now=parts.clock.now())
    done = carry_out(parts, session, party, turn.effects)
    for reason in promises_needed(turn):
        standing = callbacks.standing(session, party.key, reason)
        if reason not in done.promises and standing is not None:
            done.promises[reason] = standing.promised_at
    turn, runs = worded(parts, turn, done, channel="voice")
    prompts = [twiml.Prompt(run.text, run.language, run.breath) for run in runs]
    action = f"{parts.settings.public_base_url}/voice/step/{step + 1}"
    if phone is not None:
        shown = parts.settings.twilio_from or form.called
        ring = ring_to(parts, caller.call, phone, shown=shown, action=action)
        document = twiml.ring(prompts, ring, _listen(turn, action))
    elif turn.then == "record":
        document = record_document(parts, prompts, action)
    else:
        document = _document(turn, prompts, action)
    keep(session, caller.call, step, given, meaning, document, runs, at=parts.clock.now())
    if turn.state.recall("call_number") and party.contact is not None:
        caller.call.contact_id = party.contact.id  # confirmed: from now on this is who the call is
    state = with_words_kept(caller.state, turn, given.words)
    caller.call.state = state.to_json()
    caller.call.pending = bool(abandoned(state, channel="voice"))
    if caller.call.ended_at is not None:  # the end was told of before this step
        save_left_behind(parts, session, caller.call)
    return document


def _with_words_before(state: State, words: str) -> str:
    """The words that led to a request, then those of this step."""
    return "\n".join(filter(None, (state.recall(WORDS), words)))


def words_of(before: State, turn: Turn, words: str) -> str:
    """The words that are stored with what a step does: those of the step, and those that led to it."""
    stored = any(isinstance(effect, STORES_WORDS) for effect in turn.effects)
    return _with_words_before(before, words) if stored else words


def with_words_kept(before: State, turn: Turn, words: str) -> State:
    """The state with the words that led to a request, until it is stored with them."""
    raised = any(isinstance(effect, RequestCallback) for effect in turn.effects)
    if raised or turn.state.place not in UNFINISHED:
        return turn.state.remember(**{WORDS: None})
    if turn.state.misses:  # not understood, so no part of the request
        return turn.state
    return turn.state.remember(**{WORDS: _with_words_before(before, words)[:WORDS_KEPT] or None})


def _party(
    parts: Parts, session: Session, caller: _Caller, words: str, turn: Turn, *, keys: str = ""
) -> Party:
    """Who the effects concern: the caller, or the number that a caller without caller ID keyed in."""
    contact, key = caller.contact, f"call:{caller.call.call_sid}"
    keyed_in = next((e.number for e in turn.effects if isinstance(e, RequestCallback) and e.number), None)
    if contact is None and keyed_in:
        number = parse(keyed_in, regions=parts.settings.regions)
        if number.e164:
            contact = contact_for(session, parts.keyring, number.e164, at=parts.clock.now())
    if contact is not None:
        key = contact.number_hash
    return Party(contact, key, "call", caller.call.call_sid, words, keys)


def _with_phone(
    parts: Parts, session: Session, caller: _Caller, turn: Turn
) -> tuple[Turn, StaffPhone | None]:
    """The telephone that rings, if the turn rings one. Nobody left by now: as if nobody had answered."""
    if turn.then != "connect":
        if wants_a_person(turn):
            alarm_if_nobody(parts, session)
        return turn, None
    phone = next_phone(parts, session, turn.state)
    if phone is not None:
        return replace(turn, state=trying(turn.state, phone)), phone
    can = Can(call_back=caller.contact is not None)
    missed = connected(turn.state, reached=False, can=can, languages=parts.languages)
    return replace(missed, effects=(*turn.effects, *missed.effects)), None


def _document(turn: Turn, prompts: list[twiml.Prompt], action: str) -> str:
    return twiml.farewell(prompts) if turn.ends else twiml.ask(prompts, _listen(turn, action))


def _listen(turn: Turn, action: str) -> twiml.Listen:
    speech = twiml.Speech(turn.state.language, hints(turn.state))  # also where keys choose, for alarms
    if turn.keys > 1:
        return twiml.Listen(action, None, NUMBER_SECONDS, speech)
    return twiml.Listen(action, 1, SILENCE_SECONDS, speech)


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
    contact = contact_of(session, call.contact_id)
    state = State.from_json(call.state)
    turn = Turn(state, (), abandoned(state, channel="voice"))
    party = _party(parts, session, _Caller(call, contact, state), _with_words_before(state, ""), turn)
    carry_out(parts, session, party, turn.effects)
    call.pending = False
