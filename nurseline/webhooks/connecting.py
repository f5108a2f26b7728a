"""A caller wants a person: the clinic's telephones ring one after another, until somebody takes the call.

Whoever picks up hears first that it is a call of the nurse line, and presses 1: a mailbox never takes a
patient. The request was stored before the first ring, so that hanging up while it rings loses nothing.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from nurseline.callbacks import service as callbacks
from nurseline.callbacks.promises import as_reason
from nurseline.carrier import twiml
from nurseline.clinic import service as clinic
from nurseline.clinic.models import StaffPhone
from nurseline.dialogue import RequestCallback, State
from nurseline.messaging.contacts import contact_of
from nurseline.messaging.models import Call, OutboundMessage
from nurseline.parts import Parts
from nurseline.webhooks.alerts import alert_staff
from nurseline.webhooks.call_steps import WORDS
from nurseline.webhooks.effects import Party, carry_out

log = structlog.get_logger(__name__)

MOST_PHONES = 5  # so that nobody hears it ring for longer than two minutes
RING_SECONDS = 20  # below what most mailboxes wait
ALARM_AGAIN = timedelta(hours=1)
_TRIED = "tried"


def somebody_on_shift(parts: Parts, session: Session) -> bool:
    """Whether a telephone would ring for a caller now."""
    return bool(_ringing(parts, session))


def next_phone(parts: Parts, session: Session, state: State) -> StaffPhone | None:
    """The telephone that rings next in this call; None when all were tried."""
    tried = _tried(state)
    if len(tried) >= MOST_PHONES:
        return None
    return next((phone for phone in _ringing(parts, session) if str(phone.id) not in tried), None)


def trying(state: State, phone: StaffPhone) -> State:
    """The state of the call while ``phone`` rings."""
    return state.remember(**{_TRIED: ",".join((*_tried(state), str(phone.id)))})


def done_trying(state: State) -> State:
    """The state once no telephone rings any more: the next request starts with the first again."""
    return state.remember(**{_TRIED: None})


def not_rung(state: State) -> State:
    """The state if the telephone that was to ring did not: it is still the next one."""
    return state.remember(**{_TRIED: ",".join(_tried(state)[:-1]) or None})


def ring_to(parts: Parts, call: Call, phone: StaffPhone, *, shown: str, action: str) -> twiml.Ring:
    """How ``phone`` rings. ``shown``: the number it shows, the clinic's own; never the patient's."""
    whisper = f"{parts.settings.public_base_url}/voice/whisper/{call.id}/{phone.id}"
    return twiml.Ring(phone.number, shown, whisper, action, RING_SECONDS)


def whisper_document(parts: Parts, call_id: uuid.UUID, phone_id: uuid.UUID) -> str:
    """What whoever picks up hears; nothing when the caller has gone."""
    with parts.db.begin() as session:
        call = session.get(Call, call_id)
        if call is None or call.ended_at is not None:
            return twiml.hang_up()
    said = parts.say("voice.whisper", "en", channel="voice")
    action = f"{parts.settings.public_base_url}/voice/whisper/{call_id}/{phone_id}/key"
    return twiml.whisper(twiml.Prompt(said.text, "en"), action)


def taken_document(parts: Parts, call_id: uuid.UUID, phone_id: uuid.UUID, key: str) -> str:
    """Connect whoever pressed 1 with the caller, and write down who took the call."""
    if key != "1":
        return twiml.hang_up()
    with parts.db.begin() as session:
        call, phone = session.get(Call, call_id), session.get(StaffPhone, phone_id)
        if call is None or call.ended_at is not None:
            return twiml.hang_up()
        _leave_item(parts, session, call)
        _note(parts, session, call, f"taken by {phone.name if phone else 'a telephone'}")
    return twiml.connect()


def _leave_item(parts: Parts, session: Session, call: Call) -> None:
    """A caller who hides the number is taken: leave an item of the call, which wants an outcome."""
    state = State.from_json(call.state)
    if call.contact_id is not None or not state.recall("pending"):
        return
    party = Party(None, f"call:{call.call_sid}", "call", call.call_sid, state.recall(WORDS) or "")
    reason = as_reason(state.recall("reason") or "nurse")
    if callbacks.standing(session, party.key, reason) is None:
        carry_out(parts, session, party, (RequestCallback(reason),))
    call.pending = False


def note_talk(parts: Parts, session: Session, call: Call, seconds: int | None) -> None:
    """Write down that the caller has spoken with somebody; what came of it is for staff to record."""
    length = f" for {seconds // 60} min {seconds % 60} s" if seconds is not None else ""
    _note(parts, session, call, f"{callbacks.PUT_THROUGH}{length}", spoke=True)


def alarm_if_nobody(parts: Parts, session: Session) -> None:
    """Tell staff that a caller wants a person in opening hours, and no telephone is on shift.

    At most once an hour. A clinic that has entered no telephones takes call backs only: no alarm.
    """
    now = parts.clock.now()
    if not parts.hours.is_open(now):
        return
    every = clinic.phones(session)
    if not any(phone.rings for phone in every) or clinic.ringing_of(every, parts.hours, now):
        return
    _alarm_once(parts, session, "alert.nobody")


def _ringing(parts: Parts, session: Session) -> list[StaffPhone]:
    every = clinic.phones(session)
    if any(phone.rings and clinic.unreadable(phone, parts.settings.zone) for phone in every):
        log.error("connecting.shift_unreadable")
        _alarm_once(parts, session, "alert.shift")
    return clinic.ringing_of(every, parts.hours, parts.clock.now())


def _alarm_once(parts: Parts, session: Session, content_id: str) -> None:
    """Tell staff, at most once an hour."""
    told = sa.select(OutboundMessage.id).where(
        OutboundMessage.content_id == content_id,
        OutboundMessage.created_at > parts.clock.now() - ALARM_AGAIN,
    )
    if session.scalar(told.limit(1)) is None:
        alert_staff(parts, session, content_id)


def _tried(state: State) -> tuple[str, ...]:
    return tuple(filter(None, (state.recall(_TRIED) or "").split(",")))


def _note(parts: Parts, session: Session, call: Call, cause: str, *, spoke: bool = False) -> None:
    """A line in the history of what this caller asked for."""
    contact = contact_of(session, call.contact_id)
    key = contact.number_hash if contact else f"call:{call.call_sid}"
    reason = State.from_json(call.state).recall("reason") or "nurse"
    callbacks.note(session, key, reason, cause=cause, at=parts.clock.now(), spoke=spoke)
