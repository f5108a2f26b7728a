"""When a webhook breaks: try to put the request into the queue by itself, and say what is then true."""

from __future__ import annotations

import re

import structlog
from flask import request
from sqlalchemy.orm import Session

from nurseline.callbacks import service as callbacks
from nurseline.callbacks.promises import Reason
from nurseline.carrier import twiml
from nurseline.language import understand
from nurseline.messaging.contacts import contact_for
from nurseline.parts import Parts, current_parts
from nurseline.phone import parse
from nurseline.webhooks.alerts import alert_staff
from nurseline.webhooks.call_steps import MOST_STEPS
from nurseline.webhooks.effects import Party, wish_of

log = structlog.get_logger(__name__)
WORDS_LONGEST = 2000  # characters
WAIT_SECONDS = 10
_STEP = re.compile(r"(/voice/(?:step|reminder)/)(\d{1,4})")


def text_document() -> str | None:
    """Words for a patient whose text could not be handled; None where the carrier should try again.

    A wish to end messages is never answered with another message, and must not get lost.
    """
    words = request.form.get("Body", "").replace("\x00", "")
    if _ends_messages(words):
        return None
    content_id = _saved_as(words, "text")
    return twiml.messages([twiml.Reply(current_parts().say(content_id, "en").text)])


def call_document() -> str:
    """Words for a caller whose call could not be handled, in every language: nobody knows which is theirs.

    The line still listens, for what broke may work again at the next step.
    """
    words = request.form.get("SpeechResult", "").replace("\x00", "").strip()[:WORDS_LONGEST]
    prompts = _in_every_language(_saved_as(words, "call"))
    if (action := _next_step()) is None:
        return twiml.farewell(prompts)
    return twiml.last_words(prompts, twiml.Listen(action, 1, WAIT_SECONDS, twiml.Speech("en")))


def unreachable_document() -> str:
    """Words for a caller whose request cannot even be read: too long, or of no address of ours."""
    return twiml.farewell(_in_every_language("failure.unstored"))


def _in_every_language(content_id: str) -> list[twiml.Prompt]:
    parts = current_parts()
    said = [(parts.say(content_id, code, channel="voice").text, code) for code in parts.languages]
    return [twiml.Prompt(text, code, breath) for breath, (text, code) in enumerate(said)]


def _next_step() -> str | None:
    """The address at which the call can go on; None where there is none."""
    path = request.path
    if path == "/voice":
        path = "/voice/step/0"
    match = _STEP.fullmatch(path)
    if match is None or int(match[2]) >= MOST_STEPS:
        return None
    query = f"?ref={request.args['ref']}" if "ref" in request.args else ""
    return f"{current_parts().settings.public_base_url}{match[1]}{int(match[2]) + 1}{query}"


def _ends_messages(words: str) -> bool:
    try:
        return request.form.get("OptOutType") == "STOP" or understand(words).topic == "stop"
    except Exception as error:
        log.error("last_resort.unread", error=type(error).__name__)
        return False


def _saved_as(words: str, source: str) -> str:
    """The content id of what can honestly be said, after the attempt to save the request."""
    reason = _reason(words)
    saved = _save(words, source, reason)
    if reason == "emergency":
        return "emergency"
    return "failure.stored" if saved else "failure.unstored"


def _reason(words: str) -> Reason:
    try:
        tier = understand(words).tier
    except Exception as error:  # reading may be what broke
        log.error("last_resort.unread", error=type(error).__name__)
        return "urgent"
    return "emergency" if tier == "emergency" else "urgent" if tier == "urgent" else "nurse"


def _save(words: str, source: str, reason: Reason) -> bool:
    """Whether somebody will see it: stored, with a number to call."""
    parts = current_parts()
    # Of a call that the line makes the other side is the one called.
    theirs = "To" if request.form.get("Direction", "").startswith("outbound") else "From"
    number = parse(request.form.get(theirs, ""), regions=parts.settings.regions)
    now = parts.clock.now()
    sid = request.form.get("MessageSid") or request.form.get("CallSid", "")
    try:
        with parts.db.begin() as session:
            contact = contact_for(session, parts.keyring, number.e164, at=now) if number.e164 else None
            key = contact.number_hash if contact else f"{source}:{sid}"[:80]
            wish = wish_of(parts, Party(contact, key, source, sid, words), reason)
            if callbacks.request(session, wish, now=now).new and reason == "emergency":
                _alert(parts, session)
    except Exception as error:  # nothing may keep the patient from an answer
        log.error("last_resort.not_saved", error=type(error).__name__)
        return False
    return bool(number.e164)


def _alert(parts: Parts, session: Session) -> None:
    """Together with the item, but telling people may be what broke: then the item is stored without it."""
    try:
        with session.begin_nested():
            alert_staff(parts, session, "alert.emergency")
    except Exception as error:
        log.error("last_resort.not_alerted", error=type(error).__name__)
