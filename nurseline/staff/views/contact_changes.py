"""What staff change of a contact: name and wishes, notes, planned messages, the end of messages."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import abort, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from nurseline.aftercare import changes
from nurseline.aftercare.changes import Choices, MoveError
from nurseline.consent import service as consent
from nurseline.db import UNREADABLE
from nurseline.dialogue import State
from nurseline.messaging.contacts import locked_conversation
from nurseline.messaging.models import Contact
from nurseline.messaging.names import set_name
from nurseline.messaging.outbox import end_messages
from nurseline.parts import Parts, current_parts
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, keeps_words, viewer
from nurseline.staff.audit import What
from nurseline.staff.contact_forms import MoveForm, NoteForm
from nurseline.staff.local_time import LocalTimeError, local_instant
from nurseline.staff.models import ContactNote
from nurseline.staff.page_rows import page_rows
from nurseline.staff.pages import when
from nurseline.staff.views.contacts import Typed, about_form, show
from nurseline.zones import zone

SAME_NOTE = timedelta(minutes=1)  # a second press within it writes nothing
SAID = "Told staff that they want no more messages."
MOVE_ERRORS = {
    "gone": "It is going out or has gone, or was stopped, so it cannot be moved.",
    "past": "That time has passed. Choose a later one.",
    "early": "It is of use from {limit} on. Choose that or a later time.",
    "late": "It is of use until {limit}. Choose an earlier time.",
    "hours": "Messages may not go at that hour where the patient is. The next time they may: {limit}.",
    "cap": "That is too soon after another message to this number. It may go from {limit} on.",
    "order": "An earlier message of the same injection is planned and goes first.",
}
NO_HOUR = "From that time on there is no allowed hour while the message is of use. Choose an earlier time."


@blueprint.post("/contacts/<uuid:contact_id>/about")
@allow()
@keeps_words
def change_contact(contact_id: uuid.UUID) -> ResponseReturnValue:
    """Keep the name and how the contact wants messages; what is planned follows."""
    parts = current_parts()
    with parts.db.begin() as session:
        form = about_form(parts, _contact(session, contact_id), sent=True)
    if not form.validate():
        return show(contact_id, Typed(about=form)), 422
    now, person = parts.clock.now(), viewer()
    choices = Choices(form.timezone.data or None, form.language.data, form.channel.data)
    with parts.db.begin() as session:
        contact = _contact(session, contact_id)
        if choices.language != contact.language:
            _speak(session, contact, choices.language)
        moved = changes.follow(session, contact, choices, staff=person.id, now=now)
        # A name that could not be read as the page was shown stays as it is stored.
        if form.name.data not in {contact.name or "", UNREADABLE}:
            set_name(session, parts.keyring, contact, form.name.data)
        audit.record(session, person.id, "changed_contact", at=now, contact_id=contact_id)
    many = f" {moved} planned message{'s' if moved != 1 else ''} will follow." if moved else ""
    flash(f"Kept.{many}", "success")
    return _back(contact_id)


@blueprint.post("/contacts/<uuid:contact_id>/notes")
@allow()
@keeps_words
def write_note(contact_id: uuid.UUID) -> ResponseReturnValue:
    """Append a note; a second press writes it once."""
    parts = current_parts()
    form = NoteForm()
    if not form.validate():
        return show(contact_id, Typed(note=form)), 422
    now, person = parts.clock.now(), viewer()
    with page_rows() as session:
        contact = _contact(session, contact_id)
        session.execute(sa.select(Contact.id).where(Contact.id == contact.id).with_for_update(key_share=True))
        newest = sa.select(ContactNote).where(
            ContactNote.contact_id == contact_id,
            ContactNote.staff_id == person.id,
            ContactNote.at > now - SAME_NOTE,
        )
        if form.note.data not in {one.note for one in session.scalars(newest)}:
            session.add(ContactNote(contact_id=contact_id, at=now, staff_id=person.id, note=form.note.data))
            audit.record(session, person.id, "wrote_note", at=now, contact_id=contact_id)
    flash("Noted.", "success")
    return _back(contact_id)


@blueprint.post("/contacts/<uuid:contact_id>/planned/<uuid:message_id>/stop")
@allow()
def stop_message(contact_id: uuid.UUID, message_id: uuid.UUID) -> ResponseReturnValue:
    """Stop one planned message."""
    parts, person = current_parts(), viewer()
    now = parts.clock.now()
    with page_rows() as session:
        contact = _contact(session, contact_id)
        stopped = changes.stop(session, contact, message_id, staff=person.id, now=now)
        _record(session, "stopped_messages", contact_id, now, done=stopped)
    if stopped:
        flash("Stopped: this message does not go.", "success")
    else:
        flash("It has gone already, or was stopped before. Nothing was changed.", "warning")
    return _back(contact_id)


@blueprint.post("/contacts/<uuid:contact_id>/planned/stop")
@allow()
def stop_messages(contact_id: uuid.UUID) -> ResponseReturnValue:
    """Stop every planned message; what the patient agreed to stays as it is."""
    parts, person = current_parts(), viewer()
    now = parts.clock.now()
    with page_rows() as session:
        stopped = changes.stop_all(session, _contact(session, contact_id), staff=person.id, now=now)
        _record(session, "stopped_messages", contact_id, now, done=stopped > 0)
    if stopped:
        flash(f"Stopped: {stopped} planned message{'s' if stopped != 1 else ''}.", "success")
    else:
        flash("Nothing was planned any more, so nothing was changed.", "warning")
    return _back(contact_id)


@blueprint.post("/contacts/<uuid:contact_id>/planned/<uuid:message_id>/move")
@allow()
@keeps_words
def move_message(contact_id: uuid.UUID, message_id: uuid.UUID) -> ResponseReturnValue:
    """Have one planned message go at another time, on the clinic's clock."""
    parts, person = current_parts(), viewer()
    form = MoveForm()
    typed = Typed(move=form, moving=message_id)
    if not form.validate() or form.day.data is None or form.at.data is None:
        return show(contact_id, typed), 422
    now = parts.clock.now()
    try:
        at = local_instant(form.day.data, form.at.data, parts.settings.zone).instant
        with parts.db.begin() as session:
            contact = _contact(session, contact_id)
            hours = parts.sender.hours
            changes.move(session, contact, message_id, at, hours=hours, staff=person.id, now=now)
            _record(session, "moved_message", contact_id, now)
    except LocalTimeError as error:
        (form.day if error.field == "date" else form.at).errors = [str(error)]
        return show(contact_id, typed), 422
    except MoveError as error:
        if error.why == "gone":
            flash(MOVE_ERRORS["gone"], "warning")
            return _back(contact_id)
        form.at.errors = [_sentence(parts, contact_id, error)]
        return show(contact_id, typed), 422
    flash(f"Moved: it goes {when(at)}, if nothing holds it back then.", "success")
    return _back(contact_id)


@blueprint.post("/contacts/<uuid:contact_id>/end")
@allow()
def end_contact_messages(contact_id: uuid.UUID) -> ResponseReturnValue:
    """Write down that the patient told staff to end messages (47 CFR 64.1200(a)(10): in any words)."""
    parts, person = current_parts(), viewer()
    now = parts.clock.now()
    with page_rows() as session:
        contact = _contact(session, contact_id)
        record = consent.Record(contact.number_hash, now, "staff", SAID, actor=person.id)
        end_messages(session, record, carrier_blocked=False)
        _record(session, "ended_messages", contact_id, now)
    flash("Written down: this number gets no more messages. What was planned is cancelled.", "success")
    return _back(contact_id)


def _contact(session: Session, contact_id: uuid.UUID) -> Contact:
    found = session.get(Contact, contact_id)
    if found is None:
        abort(404)
    return found


def _record(session: Session, what: What, contact_id: uuid.UUID, now: datetime, *, done: bool = True) -> None:
    if done:
        audit.record(session, viewer().id, what, at=now, contact_id=contact_id)


def _back(contact_id: uuid.UUID) -> ResponseReturnValue:
    return redirect(url_for("staff.contact", contact_id=contact_id))


def _speak(session: Session, contact: Contact, language: str) -> None:
    """Let the line answer this contact's texts in ``language`` from now on.

    The conversation first: whoever answers a text locks it before the ledger.
    """
    conversation = locked_conversation(session, contact)
    if conversation.state:
        state = replace(State.from_json(conversation.state), language=language)
        conversation.state = state.to_json()


def _sentence(parts: Parts, contact_id: uuid.UUID, error: MoveError) -> str:
    """What is wrong with the wanted time; on the patient's clock, too, where it is another one."""
    if error.limit is None:
        return NO_HOUR if error.why == "hours" else MOVE_ERRORS[error.why].format(limit="later")
    with parts.db.begin() as session:
        there = _contact(session, contact_id).timezone
    limit = when(error.limit)
    if there and there != parts.settings.clinic_timezone:
        limit = f"{limit} ({when(error.limit, zone(there))} where the patient is)"
    return MOVE_ERRORS[error.why].format(limit=limit)
