"""What follows from a turn of the dialogue: requests for a person, opt-outs, language."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks import service as callbacks
from nurseline.callbacks.promises import Reason, promised_at
from nurseline.consent import service as consent
from nurseline.dialogue import Effect as DialogueEffect
from nurseline.dialogue import FlagReview, OptIn, OptOut, RequestCallback, SetLanguage, WrongNumber
from nurseline.messaging import outbox
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact
from nurseline.parts import Parts


@dataclass(frozen=True)
class Party:
    """Who is on the other side. ``contact`` None: no number is known, ``key`` stands for the call or text."""

    contact: Contact | None
    key: str
    source: str  # text | call
    provider_sid: str
    words: str


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
                done.opt_out_known = not end_messages(parts, session, party, "text", carrier_blocked=False)
            case OptIn():
                begin_messages(parts, session, party, "text")
            case WrongNumber():
                end_messages(parts, session, party, "text", carrier_blocked=False)
                _request(parts, session, party, done, "admin", "")
            case SetLanguage():
                _set_language(parts, session, party, effect.code)
    return done


def end_messages(parts: Parts, session: Session, party: Party, method: str, *, carrier_blocked: bool) -> bool:
    """Write an opt-out into the ledger and cancel what is planned; True if it was news."""
    if party.contact is None:
        return False
    record = consent.Record(
        party.contact.number_hash, parts.clock.now(), method, party.words, provider_sid=party.provider_sid
    )
    return outbox.end_messages(session, record, carrier_blocked=carrier_blocked)


def begin_messages(parts: Parts, session: Session, party: Party, method: str) -> None:
    """Write an opt-in into the ledger. What was cancelled stays cancelled."""
    if party.contact is None:
        return
    record = consent.Record(
        party.contact.number_hash, parts.clock.now(), method, party.words, provider_sid=party.provider_sid
    )
    consent.opt_in(session, record)


def _request(
    parts: Parts, session: Session, party: Party, done: Done, reason: Reason, best_time: str
) -> None:
    now = parts.clock.now()
    wish = callbacks.Request(
        reason,
        party.source,
        party.words,
        promised_at(reason, now, parts.hours),
        party.key,
        party.contact,
        best_time,
    )
    raised = callbacks.request(session, wish, now=now)
    # A promise that has passed is not told again; the item keeps it, the patient hears what can be kept.
    done.promises[reason] = raised.promised_at if raised.promised_at > now else wish.promised_at
    if not raised.new:
        done.already.add(reason)
    elif reason == "emergency":
        _alert_staff(parts, session)


def _alert_staff(parts: Parts, session: Session) -> None:
    """Text everybody on the alert list, in the same transaction: an alarm is stored or it is not."""
    now = parts.clock.now()
    for number in filter(None, parts.settings.alert_numbers.split(",")):
        alert = outbox.Plan("alert", "alert.emergency", "en", now)
        outbox.plan(session, contact_for(session, parts.keyring, number, at=now), [alert], at=now)


def _set_language(parts: Parts, session: Session, party: Party, code: str) -> None:
    if party.contact is not None and code in parts.languages:
        session.execute(sa.update(Contact).where(Contact.id == party.contact.id).values(language=code))
        party.contact.language = code
