"""One contact: the timeline of all that happened, and where consent stands."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from flask import abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from nurseline.callbacks.outcomes import IDENTITY
from nurseline.content import ContentError, segments
from nurseline.content.segments import ALPHABET, EXTENSION
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.staff_texts import LATELY
from nurseline.parts import Parts, current_parts
from nurseline.phone import national
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, passive, viewer
from nurseline.staff.contact_forms import AboutForm, MoveForm, NoteForm, TextForm
from nurseline.staff.page_rows import page_rows
from nurseline.staff.queries.contacts import ContactPage, contact_page
from nurseline.staff.queries.items import holds_claim
from nurseline.staff.queries.timeline import mark
from nurseline.staff.texting import (
    EMERGENCY,
    MOST_PARTS,
    OPENING,
    Draft,
    cost_of,
    language_of,
    ready_replies,
)
from nurseline.staff.words import REFUSED_TEXT


@dataclass(frozen=True, slots=True)
class Faster:
    """What somebody wrote while a text was written."""

    at: datetime
    words: str
    who: str


@dataclass
class Typed:
    """Forms that were sent and are shown again, with what stands beside them."""

    text: TextForm | None = None
    draft: Draft | None = None
    since: Sequence[Faster] = ()
    note: NoteForm | None = None
    about: AboutForm | None = None
    move: MoveForm | None = None
    moving: uuid.UUID | None = None


@blueprint.get("/contacts/<uuid:contact_id>")
@allow()
def contact(contact_id: uuid.UUID) -> ResponseReturnValue:
    """Messages, calls, items, notes and consent of one number."""
    return show(contact_id, Typed(), seen=True)


@blueprint.get("/contacts/<uuid:contact_id>/timeline")
@allow()
@passive
def contact_timeline(contact_id: uuid.UUID) -> ResponseReturnValue:
    """The newest of the timeline, for the page's own refresh; 304 while nothing has changed."""
    parts = current_parts()
    response = make_response()
    with page_rows() as session:
        number_hash = session.scalar(sa.select(Contact.number_hash).where(Contact.id == contact_id))
        if number_hash is None:
            abort(404)
        tag = _tag(parts, mark(session, contact_id, number_hash))
        response.set_etag(tag)
        if request.if_none_match.contains(tag):
            response.status_code = 304
            return response
        page = contact_page(session, contact_id, now=parts.clock.now())
    if page is not None:
        response.set_etag(_tag(parts, page.mark))
        response.set_data(render_template("staff/_contact_live.html", **_shared(parts, page, Typed())))
    return response


@blueprint.post("/contacts/<uuid:contact_id>/number")
@allow()
def reveal_contact_number(contact_id: uuid.UUID) -> ResponseReturnValue:
    """Show the number for a while, and write down who asked for it."""
    parts = current_parts()
    with page_rows() as session:
        if session.get(Contact, contact_id) is None:
            abort(404)
        audit.record(session, viewer().id, "revealed_number", at=parts.clock.now(), contact_id=contact_id)
    return redirect(url_for("staff.contact", contact_id=contact_id))


def show(contact_id: uuid.UUID, typed: Typed, *, seen: bool = False) -> str:
    """The page, with what was typed. ``seen``: it is written down that it was opened."""
    parts, person = current_parts(), viewer()
    now = parts.clock.now()
    wanted = request.args.get("page", 1, type=int)
    with page_rows() as session:
        page = contact_page(session, contact_id, now=now, page=wanted)
        if page is None:
            abort(404)
        shown = may_see_number(session, contact_id, person.id, now=now)
        if seen:
            audit.record(session, person.id, "saw_contact", at=now, contact_id=contact_id)
    language = language_of(parts, page.contact.language)
    return render_template(
        "staff/contact.html",
        **_shared(parts, page, typed),
        number=national(page.contact.number) if shown else "",
        text=typed.text or _text_form(parts, page, language),
        replies=ready_replies(parts, language),
        opening=parts.say(OPENING, language).text,
        ending=parts.say(EMERGENCY, language).text,
        counting={"alphabet": ALPHABET, "extension": EXTENSION, "most": MOST_PARTS},
        note=typed.note or NoteForm(formdata=None),
        about=typed.about or about_form(parts, page.contact),
        must_warn=must_warn(parts, page, now),
        price=parts.settings.text_price,
        one_part=cost_of(1, parts.settings.text_price),
        refused=REFUSED_TEXT.get(page.leave, "").format(days=LATELY.days),
    )


def may_see_number(session: Session, contact_id: uuid.UUID, staff_id: str, *, now: datetime) -> bool:
    """Whether this person has claimed an item of the contact, or has asked for the number."""
    return holds_claim(session, contact_id, staff_id, now=now) or audit.has_revealed(
        session, staff_id, contact_id, now=now
    )


def must_warn(parts: Parts, page: ContactPage, now: datetime) -> bool:
    """Whether a text must carry the 911 line: the clinic is closed, or grave words came in of late."""
    return bool(page.grave) or not parts.hours.is_open(now)


def about_form(parts: Parts, contact: Contact, *, sent: bool = False) -> AboutForm:
    """The form of name and wishes: as it was sent, or as it stands."""
    names = {code: parts.content.language(code).name for code in parts.languages}
    form = AboutForm() if sent else AboutForm(formdata=None)
    form.offer(names)
    if not sent:
        form.name.data, form.channel.data = contact.name or "", contact.channel
        form.timezone.data = contact.timezone or ""
        form.language.data = language_of(parts, contact.language)
    return form


def _text_form(parts: Parts, page: ContactPage, language: str) -> TextForm:
    form = TextForm(formdata=None)
    form.offer(ready_replies(parts, language), parts.say(EMERGENCY, language).text)
    form.key.data = str(uuid.uuid4())
    form.seen.data = f"{page.seen.staff}.{page.seen.patient}"
    form.emergency.data = True
    return form


def _shared(parts: Parts, page: ContactPage, typed: Typed) -> dict[str, object]:
    """What the timeline needs, on the page and by itself."""
    previews = {entry.row.id: _words(parts, entry.row) for entry in page.happened.entries if entry.planned}
    return {
        "page": page,
        "typed": typed,
        "previews": previews,
        "tag": _tag(parts, page.mark),
        "count_parts": segments,
        "identity_words": IDENTITY,
    }


def _tag(parts: Parts, stands: str) -> str:
    """The mark of the timeline with the hour: days are called by name, and grave words grow old."""
    local = parts.clock.now().astimezone(parts.settings.zone)
    return f"{stands}-{local:%Y%m%d%H}"


def _words(parts: Parts, message: OutboundMessage) -> str:
    """What a planned message would say if it went now."""
    if message.body is not None:
        return message.body
    try:
        return parts.say(message.content_id, message.language).text
    except ContentError:
        return ""
