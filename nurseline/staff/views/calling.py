"""Calling a patient back from an item: the staff member's own telephone rings first."""

from __future__ import annotations

import uuid

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from nurseline.callbacks import calling
from nurseline.callbacks.models import CallbackItem
from nurseline.callbacks.service import QueueError
from nurseline.outcomes import Accepted, Ambiguous, NotSent, SendOutcome
from nurseline.parts import current_parts
from nurseline.staff import audit, own_phone
from nurseline.staff.access import allow, blueprint, passive, viewer
from nurseline.staff.page_rows import page_rows
from nurseline.staff.queries.calling import call_panel

REFUSED = "The carrier did not make this call, so nobody was rung. "
WHY_REFUSED = {
    "recipient": "It cannot call the number of your phone: check it.",
    "configuration": "The clinic's account is not set up for calls. Tell who looks after it.",
}


@blueprint.post("/items/<uuid:item_id>/call")
@allow()
def call_back(item_id: uuid.UUID) -> ResponseReturnValue:
    """Ring the viewer's own telephone; pressed twice, or by two people, it rings once."""
    parts, person = current_parts(), viewer()
    now = parts.clock.now()
    try:
        with parts.db.begin() as session:
            phone = own_phone.of(session, person.id)
            if not phone:
                flash("Say first which phone is yours. Then call.", "warning")
                return redirect(url_for("staff.own_phone", item=item_id))
            attempt = calling.start(session, item_id, person.staff, regions=parts.settings.regions, now=now)
            item = session.get_one(CallbackItem, item_id)
            audit.record(
                session, person.id, "called_patient", at=now, item_id=item_id, contact_id=item.contact_id
            )
            attempt_id = attempt.id
    except QueueError as error:
        flash(str(error), "warning")
        return redirect(url_for("staff.item", item_id=item_id))
    _tell(calling.ring(parts.db, parts.clock, parts.telephone, attempt_id, phone))
    return redirect(url_for("staff.item", item_id=item_id))


@blueprint.get("/items/<uuid:item_id>/call")
@allow()
@passive
def call_state(item_id: uuid.UUID) -> ResponseReturnValue:
    """How the call stands, for the page's own refresh; 304 while nothing has changed."""
    parts = current_parts()
    now = parts.clock.now()
    with page_rows() as session:
        item = session.get(CallbackItem, item_id)
        if item is None:
            abort(404)
        panel = call_panel(session, item, viewer().id, settings=parts.settings, now=now)
        response = make_response()
        response.set_etag(panel.fingerprint)
        if request.if_none_match.contains(panel.fingerprint):
            response.status_code = 304
        else:
            response.set_data(render_template("staff/_call.html", call=panel))
        return response


def _tell(outcome: SendOutcome) -> None:
    """Say what the carrier said, where the panel does not show it."""
    if isinstance(outcome, Accepted | Ambiguous):
        return
    if isinstance(outcome, NotSent):
        flash(f"{REFUSED}It could not be reached, or has too much to do. Try again.", "warning")
        return
    why = WHY_REFUSED.get(outcome.meaning, "Try again, or use your phone yourself.")
    flash(f"{REFUSED}{why}", "warning")
