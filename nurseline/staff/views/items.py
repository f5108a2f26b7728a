"""One item: claiming it, giving it back, closing it with an outcome, and seeing its number."""

from __future__ import annotations

import uuid
from datetime import datetime

from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from nurseline.callbacks import outcomes, service
from nurseline.callbacks.models import CallbackItem
from nurseline.callbacks.service import QueueError
from nurseline.parts import current_parts
from nurseline.phone import national
from nurseline.staff import audit
from nurseline.staff.access import Viewer, allow, blueprint, keeps_words, viewer
from nurseline.staff.forms import OutcomeForm
from nurseline.staff.queries.calling import call_panel
from nurseline.staff.queries.items import ItemPage, item_page
from nurseline.staff.views.voicemail import LISTENERS


@blueprint.get("/items/<uuid:item_id>")
@allow()
def item(item_id: uuid.UUID) -> ResponseReturnValue:
    """Everything about one item."""
    return _show(item_id, OutcomeForm(formdata=None), seen=True)


@blueprint.post("/items/<uuid:item_id>/claim")
@allow()
def claim(item_id: uuid.UUID) -> ResponseReturnValue:
    """Take the item; who comes second is told who has it."""
    parts = current_parts()
    try:
        with parts.db.begin() as session:
            service.claim(session, item_id, viewer().staff, now=parts.clock.now())
    except QueueError as error:
        flash(str(error), "warning")
        return redirect(url_for("staff.queue"))
    return redirect(url_for("staff.item", item_id=item_id))


@blueprint.post("/items/<uuid:item_id>/release")
@allow()
def release(item_id: uuid.UUID) -> ResponseReturnValue:
    """Give the item back; it keeps its promise."""
    parts = current_parts()
    try:
        with parts.db.begin() as session:
            service.release(session, item_id, viewer().staff, now=parts.clock.now())
    except QueueError as error:
        flash(str(error), "warning")
    else:
        flash("The item is back in the queue, with its promise as it was.", "success")
    return redirect(url_for("staff.queue"))


@blueprint.post("/items/<uuid:item_id>/outcome")
@allow()
@keeps_words
def outcome(item_id: uuid.UUID) -> ResponseReturnValue:
    """Close the item with an outcome and a note.

    A claim that ran out during a long call is taken again, unless somebody else has the item now.
    """
    parts, form = current_parts(), OutcomeForm()
    if not form.validate():
        return _show(item_id, form), 422
    try:
        with parts.db.begin() as session:
            service.claim(session, item_id, viewer().staff, now=parts.clock.now(), resting=False)
            identity = "not_verified" if form.outcome.data in outcomes.REACHED else ""
            recorded = outcomes.Recorded(form.outcome.data, form.note.data or "", identity)
            closed = outcomes.finish(
                session, item_id, viewer().staff, recorded, now=parts.clock.now(), hours=parts.hours
            ).closed
    except QueueError as error:
        flash(str(error), "warning")
        return _show(item_id, form), 409
    stays = "" if closed else " The item stays in the queue for another attempt."
    flash(f"Recorded: {outcomes.OUTCOMES[form.outcome.data]}.{stays}", "success")
    return redirect(url_for("staff.queue"))


@blueprint.post("/items/<uuid:item_id>/number")
@allow()
def reveal_item_number(item_id: uuid.UUID) -> ResponseReturnValue:
    """Show the number for a while, and write down who asked for it."""
    parts = current_parts()
    with parts.db.begin() as session:
        found = session.get(CallbackItem, item_id)
        if found is None or found.contact_id is None:
            abort(404)
        audit.record(
            session,
            viewer().id,
            "revealed_number",
            at=parts.clock.now(),
            item_id=item_id,
            contact_id=found.contact_id,
        )
    return redirect(url_for("staff.item", item_id=item_id))


def _show(item_id: uuid.UUID, form: OutcomeForm, *, seen: bool = False) -> str:
    parts, person = current_parts(), viewer()
    now = parts.clock.now()
    with parts.db.begin() as session:
        page = item_page(session, item_id, person.id, now=now)
        if page is None:
            abort(404)
        contact_id = page.item.contact_id
        number = _number(session, page, person, now)
        call = call_panel(session, page.item, person.id, settings=parts.settings, now=now)
        if seen:
            audit.record(session, person.id, "saw_item", at=now, item_id=item_id, contact_id=contact_id)
    if seen and call.suggested:
        form.outcome.data = call.suggested
    may_listen = bool(person.roles & LISTENERS)
    return render_template(
        "staff/item.html", page=page, form=form, number=number, call=call, may_listen=may_listen
    )


def _number(session: Session, page: ItemPage, person: Viewer, now: datetime) -> str:
    """The number, for who has claimed the item or has asked to see it; else empty."""
    contact = page.item.contact
    if contact is None:
        return ""
    shown = page.mine or audit.has_revealed(session, person.id, contact.id, now=now)
    return national(contact.number) if shown else ""
