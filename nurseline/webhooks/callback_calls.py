"""A staff member calls a patient back: what both telephones hear, and what the carrier reports about them.

The staff member's telephone rings first. Until 1 is pressed it hears neither a name nor a reason: its own
mailbox may have picked up. Then it hears whom it is connected with and why, and the patient's telephone
rings, which shows the clinic's number. The patient's number is in the document for the carrier alone.
"""

from __future__ import annotations

import uuid

from nurseline.callbacks import calling
from nurseline.callbacks.calling import LONGEST_TALK, LegReport
from nurseline.callbacks.models import CallbackItem
from nurseline.carrier import twiml
from nurseline.carrier.gateway import CALLBACK_OVERRIDES, RING_SECONDS
from nurseline.messaging.models import Contact
from nurseline.parts import Parts, current_parts
from nurseline.webhooks.forms import CallEnd, CallForm, DialEnd

WAIT_SECONDS = 10  # for a key, after the words were said twice
MOST_KEYS = 3  # wrong ones
NAME_LONGEST = 60
ENDED = {
    "busy": "busy",
    "no-answer": "no_answer",
    "failed": "failed",
}  # words for the staff member, else `ended`


def staff_answered(parts: Parts, form: CallForm, reference: uuid.UUID) -> str:
    """The staff member's telephone was picked up, by whomever: ask for a key."""
    with parts.db.begin() as session:
        attempt = calling.picked_up(session, reference, form.call_sid)
    return _over(parts) if attempt is None else _ask(parts, reference, 1)


def staff_pressed(parts: Parts, form: CallForm, reference: uuid.UUID, times: int) -> str:
    """A key came, or none: 1 rings the patient. ``times``: which key it is, from 1."""
    now = parts.clock.now()
    with parts.db.begin() as session:
        if form.heard != "1":
            if form.heard and times < MOST_KEYS:
                return _ask(parts, reference, times + 1)
            calling.not_pressed(session, reference, form.call_sid, keys=bool(form.heard), now=now)
            return twiml.hang_up()
        item = calling.pressed(session, reference, form.call_sid, now=now)
        if item is None or item.contact is None:
            return _over(parts)
        return _connect(parts, item, item.contact, reference, form.caller)


def staff_returned(parts: Parts, form: DialEnd, reference: uuid.UUID) -> str:
    """The patient's call is over, and the staff member is still there."""
    report = LegReport(form.leg_sid, form.status, parts.clock.now(), form.seconds)
    with parts.db.begin() as session:
        calling.patient_moved(session, reference, report)
    return _told(parts, f"voice.callback.{ENDED.get(form.status, 'ended')}")


def staff_status(parts: Parts, form: CallEnd, reference: uuid.UUID) -> None:
    """The call to the staff member moved on or ended."""
    with parts.db.begin() as session:
        calling.staff_moved(session, reference, _report(parts, form))


def patient_status(parts: Parts, form: CallEnd, reference: uuid.UUID) -> None:
    """The call to the patient moved on or ended."""
    with parts.db.begin() as session:
        calling.patient_moved(session, reference, _report(parts, form))


def patient_heard(parts: Parts, call_sid: str, answered_by: str, reference: uuid.UUID) -> None:
    """Who answered the patient's telephone. Twilio, "AnsweredBy" of answering machine detection."""
    if answered_by.startswith("machine") or answered_by == "fax":
        with parts.db.begin() as session:
            calling.machine_answered(session, reference, call_sid, at=parts.clock.now())


def broken_callback() -> str:
    """Words for a staff member whose call could not be handled. The patient is not called."""
    return _told(current_parts(), "voice.callback.failed")


def _ask(parts: Parts, reference: uuid.UUID, times: int) -> str:
    said = parts.say("voice.callback.ready", "en", channel="voice")
    prompt = twiml.Prompt(said.text, "en")
    action = _address(parts, f"key/{times}", reference)
    return twiml.ask(
        [prompt, prompt], twiml.Listen(action, 1, WAIT_SECONDS)
    )  # twice: phones are slow to the ear


def _connect(parts: Parts, item: CallbackItem, contact: Contact, reference: uuid.UUID, shown: str) -> str:
    """Say who is called and why, then ring them. The same document for a repeat.

    ``shown``: the number from which the staff member is called, the clinic's; the patient sees the same.
    """
    reason = parts.say(f"voice.callback.{item.reason}", "en", channel="voice").text
    said = parts.say("voice.callback.calling", "en", channel="voice", who=_who(parts, contact), reason=reason)
    to = twiml.Bridge(
        contact.number,
        parts.settings.twilio_from or shown,
        _address(parts, "after", reference),
        _address(parts, "patient/status", reference) + CALLBACK_OVERRIDES,
        _address(parts, "patient/heard", reference) + CALLBACK_OVERRIDES,
        RING_SECONDS,
        int(LONGEST_TALK.total_seconds()),
    )
    return twiml.bridge([twiml.Prompt(said.text, "en")], to)


def _who(parts: Parts, contact: Contact) -> str:
    """The patient's name, where it is known and can be said; else how the number ends."""
    name = "".join(c for c in contact.name or "" if c.isprintable() and c not in "{}").strip()
    if any(c.isalpha() for c in name):
        return name[:NAME_LONGEST]
    ending = " ".join(contact.number[-4:])
    return parts.say("voice.callback.number", "en", channel="voice", last_digits=ending).text


def _over(parts: Parts) -> str:
    return _told(parts, "voice.callback.over")


def _told(parts: Parts, content_id: str) -> str:
    said = parts.say(content_id, "en", channel="voice")
    return twiml.farewell([twiml.Prompt(said.text, "en")])


def _report(parts: Parts, form: CallEnd) -> LegReport:
    return LegReport(form.call_sid, form.status, parts.clock.now(), form.seconds)


def _address(parts: Parts, what: str, reference: uuid.UUID) -> str:
    return f"{parts.settings.public_base_url}/voice/callback/{what}?ref={reference}"
