"""What follows from a turn of the dialogue: requests for a person, opt-outs, language."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks import service as callbacks
from nurseline.callbacks.promises import Reason, promised_at
from nurseline.consent import service as consent
from nurseline.dialogue import (
    AnswerReminder,
    FlagReview,
    OptIn,
    OptOut,
    RequestCallback,
    SendText,
    SetLanguage,
    WrongNumber,
)
from nurseline.dialogue import Effect as DialogueEffect
from nurseline.messaging import outbox
from nurseline.messaging.answers import Answer
from nurseline.messaging.models import Contact
from nurseline.parts import Parts
from nurseline.webhooks.alerts import alert_staff
from nurseline.webhooks.by_text import may_text, send_by_text


@dataclass(frozen=True)
class Party:
    """Who is on the other side. ``contact`` None: no number is known, ``key`` stands for the call or text.

    ``words``: what they said, for staff; ``keys``: what they pressed.
    """

    contact: Contact | None
    key: str
    source: str  # text | call | reminder: a reply to one
    provider_sid: str
    words: str
    keys: str = ""


@dataclass
class Done:
    """What came of the effects: the promise to tell, and whether an opt-out was news."""

    promises: dict[Reason, datetime] = field(default_factory=dict)
    already: set[Reason] = field(default_factory=set)
    opt_out_known: bool = False


def carry_out(parts: Parts, session: Session, party: Party, effects: tuple[DialogueEffect, ...]) -> Done:
    """Carry out the effects of one turn, within the caller's transaction."""
    done = Done()
    for effect in effects:
        match effect:
            case RequestCallback():
                _request(parts, session, party, done, effect.reason, effect.best_time or "")
            case FlagReview():
                _request(parts, session, party, done, "clinical", "")
            case OptOut():
                method = _method(party)
                done.opt_out_known = not end_messages(parts, session, party, method, carrier_blocked=False)
            case OptIn():
                begin_messages(parts, session, party, _method(party))
            case WrongNumber():
                end_messages(parts, session, party, _method(party), carrier_blocked=False)
                _request(parts, session, party, done, "admin", "")
            case SendText(ids):
                _send_text(parts, session, party, ids)
            case SetLanguage():
                _set_language(parts, session, party, effect.code)
    return done


def _method(party: Party) -> str:
    """How somebody ended messages, or began them again, for the ledger."""
    if not party.provider_sid.startswith("CA"):
        return "text"
    return "key" if party.keys else "speech"


def _said(party: Party) -> str:
    """What was said, then the key that confirmed it."""
    return "\n".join(filter(None, (party.words, party.keys)))


def end_messages(parts: Parts, session: Session, party: Party, method: str, *, carrier_blocked: bool) -> bool:
    """Write an opt-out into the ledger and cancel what is planned; True if it was news."""
    if party.contact is None:
        return False
    record = consent.Record(
        party.contact.number_hash, parts.clock.now(), method, _said(party), provider_sid=party.provider_sid
    )
    return outbox.end_messages(session, record, carrier_blocked=carrier_blocked)


def begin_messages(parts: Parts, session: Session, party: Party, method: str) -> None:
    """Write an opt-in into the ledger. What was cancelled stays cancelled."""
    if party.contact is None:
        return
    record = consent.Record(
        party.contact.number_hash, parts.clock.now(), method, _said(party), provider_sid=party.provider_sid
    )
    consent.opt_in(session, record)


def answer_in(effects: tuple[DialogueEffect, ...]) -> Answer | None:
    """The answer to a reminder that a turn took: well, question or worse."""
    return next((effect.answer for effect in effects if isinstance(effect, AnswerReminder)), None)


def _request(
    parts: Parts, session: Session, party: Party, done: Done, reason: Reason, best_time: str
) -> None:
    now = parts.clock.now()
    wish = wish_of(parts, party, reason, best_time)
    raised = callbacks.request(session, wish, now=now)
    # A promise that has passed is not told again; the item keeps it, the patient hears what can be kept.
    done.promises[reason] = raised.promised_at if raised.promised_at > now else wish.promised_at
    if not raised.new:
        done.already.add(reason)
    elif reason == "emergency":
        alert_staff(parts, session, "alert.emergency")


def wish_of(parts: Parts, party: Party, reason: Reason, best_time: str = "") -> callbacks.Request:
    """What somebody asks for at this moment, with the promise that it then has."""
    promised = promised_at(reason, parts.clock.now(), parts.hours)
    return callbacks.Request(reason, party.source, party.words, promised, party.key, party.contact, best_time)


def _send_text(parts: Parts, session: Session, party: Party, ids: tuple[str, ...]) -> None:
    contact = party.contact
    if contact is not None and may_text(parts, session, contact):
        language = contact.language if contact.language in parts.languages else "en"
        send_by_text(parts, session, contact, ids, language)


def _set_language(parts: Parts, session: Session, party: Party, code: str) -> None:
    if party.contact is not None and code in parts.languages:
        session.execute(sa.update(Contact).where(Contact.id == party.contact.id).values(language=code))
        party.contact.language = code
