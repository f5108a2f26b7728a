"""Texting a contact from their page: checked, sent once, and never past what a colleague has just said."""

from __future__ import annotations

import uuid

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from nurseline.messaging.models import Contact
from nurseline.messaging.staff_texts import (
    LATELY,
    OvertakenError,
    RefusedError,
    SentOtherwiseError,
    Words,
    seen_by_now,
    write,
)
from nurseline.parts import Parts, current_parts
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, keeps_words, viewer
from nurseline.staff.contact_forms import TextForm
from nurseline.staff.queries.contacts import asks, contact_page, open_items
from nurseline.staff.queries.people import names_of
from nurseline.staff.texting import EMERGENCY, MOST_PARTS, Draft, draft, language_of, ready_replies
from nurseline.staff.views.contacts import Faster, Typed, must_warn, show
from nurseline.staff.words import REFUSED_TEXT

TWICE = "This was sent already, so it was not sent again."
OTHER_WORDS = (
    "A text went from this form already, with other words. These did not go: press Send again to send them."
)
LONG = "This takes {parts} parts; {most} go in one text. Shorten it, or call."


@blueprint.post("/contacts/<uuid:contact_id>/texts")
@allow()
@keeps_words
def text_contact(contact_id: uuid.UUID) -> ResponseReturnValue:
    """Send what was written, once; or show it again with what is wrong, or with what it will look like."""
    parts = current_parts()
    form, language = _form(parts, contact_id)
    typed = Typed(text=form)
    if not form.validate():
        return show(contact_id, typed), 422
    typed.draft = _draft(parts, contact_id, form, language)
    if typed.draft.too_long:
        form.words.errors = [LONG.format(parts=typed.draft.parts, most=MOST_PARTS)]
        return show(contact_id, typed), 422
    if "look" in request.form:
        return show(contact_id, typed)
    return _send(parts, contact_id, form, typed, typed.draft)


def _form(parts: Parts, contact_id: uuid.UUID) -> tuple[TextForm, str]:
    with parts.db.begin() as session:
        contact = session.get(Contact, contact_id)
        if contact is None:
            abort(404)
        language = language_of(parts, contact.language)
    form = TextForm()
    return form.offer(ready_replies(parts, language), parts.say(EMERGENCY, language).text), language


def _draft(parts: Parts, contact_id: uuid.UUID, form: TextForm, language: str) -> Draft:
    now = parts.clock.now()
    with parts.db.begin() as session:
        page = contact_page(session, contact_id, now=now)
        warn = page is not None and must_warn(parts, page, now)
    words, ready = form.said()
    return draft(parts, language, words, ready, emergency=warn or bool(form.emergency.data))


def _send(
    parts: Parts, contact_id: uuid.UUID, form: TextForm, typed: Typed, what: Draft
) -> ResponseReturnValue:
    try:
        new = _write(parts, contact_id, form, what)
    except RefusedError as error:
        form.words.errors = [REFUSED_TEXT[error.why].format(days=LATELY.days)]
        return show(contact_id, typed), 422
    except SentOtherwiseError:
        form.key.data = str(uuid.uuid4())
        form.words.errors = [OTHER_WORDS]
        return show(contact_id, typed), 409
    except OvertakenError as error:
        typed.since = _named(parts, contact_id, form, error)
        return show(contact_id, typed), 409
    count = f"{what.parts} part{'s' if what.parts != 1 else ''}"
    flash(f"On its way: {count}, about {what.cost}." if new else TWICE, "success" if new else "info")
    return redirect(url_for("staff.contact", contact_id=contact_id))


def _write(parts: Parts, contact_id: uuid.UUID, form: TextForm, what: Draft) -> bool:
    now, person = parts.clock.now(), viewer()
    with parts.db.begin() as session:
        new = write(
            session,
            session.get_one(Contact, contact_id),
            Words(what.body, what.content, what.language),
            key=uuid.UUID(form.key.data),
            staff=person.id,
            seen=form.was_seen(),
            asks=asks(open_items(session, contact_id)),
            now=now,
        )
        if new:
            audit.record(session, person.id, "texted_patient", at=now, contact_id=contact_id)
    return new


def _named(parts: Parts, contact_id: uuid.UUID, form: TextForm, error: OvertakenError) -> list[Faster]:
    """What came meanwhile, with names; the form then counts as having seen it."""
    with parts.db.begin() as session:
        names = names_of(session, (one.staff for one in error.said if one.staff))
        there = seen_by_now(session, contact_id)
    form.seen.data = f"{there.staff}.{there.patient}"
    return [Faster(one.at, one.words, names.get(one.staff or "", "The patient")) for one in error.said]
