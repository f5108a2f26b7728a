"""One contact: what was written and said, and where consent stands."""

from __future__ import annotations

import uuid

from flask import abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from nurseline.content import ContentError
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.parts import Parts, current_parts
from nurseline.phone import national
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, viewer
from nurseline.staff.queries.contacts import contact_page
from nurseline.staff.queries.items import holds_claim


@blueprint.get("/contacts/<uuid:contact_id>")
@allow()
def contact(contact_id: uuid.UUID) -> ResponseReturnValue:
    """Messages, calls, items and consent of one number."""
    parts, person = current_parts(), viewer()
    now = parts.clock.now()
    with parts.db.begin() as session:
        page = contact_page(session, contact_id)
        if page is None:
            abort(404)
        shown = holds_claim(session, contact_id, person.id, now=now) or audit.has_revealed(
            session, person.id, contact_id, now=now
        )
        audit.record(session, person.id, "saw_contact", at=now, contact_id=contact_id)
    number = national(page.contact.number) if shown else ""
    previews = {message.id: _words(parts, message) for message in page.planned}
    return render_template("staff/contact.html", page=page, number=number, previews=previews)


@blueprint.post("/contacts/<uuid:contact_id>/number")
@allow()
def reveal_contact_number(contact_id: uuid.UUID) -> ResponseReturnValue:
    """Show the number for a while, and write down who asked for it."""
    parts = current_parts()
    with parts.db.begin() as session:
        if session.get(Contact, contact_id) is None:
            abort(404)
        audit.record(session, viewer().id, "revealed_number", at=parts.clock.now(), contact_id=contact_id)
    return redirect(url_for("staff.contact", contact_id=contact_id))


def _words(parts: Parts, message: OutboundMessage) -> str:
    """What a planned message would say if it went now."""
    if message.body is not None:
        return message.body
    try:
        return parts.say(message.content_id, message.language).text
    except ContentError:
        return ""
