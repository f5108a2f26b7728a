"""Messages that a person should look at, and what people decide about them."""

from __future__ import annotations

import uuid
from typing import cast

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from nurseline.callbacks import service as callbacks
from nurseline.callbacks.promises import Reason, promised_at
from nurseline.messaging.decisions import CAUSES, DecidedError, Decision, NotPossibleError, decide
from nurseline.messaging.models import OutboundMessage
from nurseline.parts import current_parts
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, viewer
from nurseline.staff.message_words import caused
from nurseline.staff.page_rows import page_rows
from nurseline.staff.queries.messages import message_page, messages_to_check, why_not_again
from nurseline.staff.queries.people import names_of
from nurseline.staff.words import MESSAGE_STATUS, NOT_AGAIN, PURPOSES, STEPS, said

RECORDED: dict[Decision, str] = {
    "arrived": "Recorded: the message arrived.",
    "again": "Recorded. The message goes again as soon as the hours for messages allow it.",
    "call": "The call is in the queue.",
    "leave": "Recorded: nothing more is to be done about this message.",
}
OVERTAKEN = "{who} was faster, so nothing was changed. {what}"
# Of these somebody may have decided meanwhile, or a report have come: then that is told.
MAY_BE_OVERTAKEN = frozenset({"followed", "too_soon"})
NO_CALL = frozenset({"alert"})  # these go to staff


@blueprint.get("/messages")
@allow()
def messages() -> ResponseReturnValue:
    """Messages of unknown outcome, failed, or not delivered."""
    parts = current_parts()
    page = request.args.get("page", 1, type=int)
    with page_rows() as session:
        checks = messages_to_check(session, now=parts.clock.now(), page=page)
    return render_template("staff/messages.html", checks=checks)


@blueprint.get("/messages/<uuid:message_id>")
@allow()
def message(message_id: uuid.UUID) -> ResponseReturnValue:
    """What is known about one message, and what can be done."""
    parts = current_parts()
    now = parts.clock.now()
    with page_rows() as session:
        page = message_page(session, message_id, now=now)
        if page is None:
            abort(404)
        audit.record(session, viewer().id, "saw_contact", at=now, contact_id=page.message.contact_id)
    return render_template("staff/message.html", page=page, can_call=page.message.purpose not in NO_CALL)


@blueprint.post("/messages/<uuid:message_id>/decision")
@allow()
def decide_message(message_id: uuid.UUID) -> ResponseReturnValue:
    """Carry out what was decided. Who comes second is told what happened."""
    decision = cast(Decision, request.form.get("decision", ""))
    if decision not in CAUSES:
        abort(400)
    try:
        with page_rows() as session:
            item_id = _decide(session, message_id, decision)
    except DecidedError as error:
        flash(_overtaken(error), "warning")
        return redirect(url_for("staff.message", message_id=message_id))
    except NotPossibleError as error:
        flash(str(error) or NOT_AGAIN["replaced"], "warning")
        return redirect(url_for("staff.message", message_id=message_id))
    flash(RECORDED[decision], "success")
    return redirect(url_for("staff.item", item_id=item_id) if item_id else url_for("staff.messages"))


def _decide(session: Session, message_id: uuid.UUID, decision: Decision) -> uuid.UUID | None:
    """Do it all in one transaction; the item of the queue, if it is a call that was decided."""
    now = current_parts().clock.now()
    row = session.get(OutboundMessage, message_id)
    if row is None or (decision == "call" and row.purpose in NO_CALL):
        abort(404)
    why_not = why_not_again(session, row, now) if decision == "again" else ""
    if why_not and why_not not in MAY_BE_OVERTAKEN:
        raise NotPossibleError(NOT_AGAIN[why_not])
    try:
        decide(session, row, decision, actor=viewer().id, now=now)
    except NotPossibleError:
        raise NotPossibleError(NOT_AGAIN[why_not or "replaced"]) from None
    audit.record(session, viewer().id, "decided_message", at=now, contact_id=row.contact_id)
    return _raise_call(session, row) if decision == "call" else None


def _raise_call(session: Session, row: OutboundMessage) -> uuid.UUID:
    """Put a call to the patient into the queue, or add to the one that is there."""
    parts = current_parts()
    now = parts.clock.now()
    what = " ".join(filter(None, (said(PURPOSES, row.purpose), said(STEPS, row.step))))
    how = "may not have arrived" if row.status == "unknown" else "did not arrive"
    reason: Reason = "clinical" if row.purpose == "reminder" else "admin"
    wish = callbacks.Request(
        reason,
        "staff",
        f"{what} {how}: call instead.",
        promised_at(reason, now, parts.hours),
        row.number_hash,
        row.contact,
    )
    return callbacks.request(session, wish, now=now, wake=True).item_id


def _overtaken(error: DecidedError) -> str:
    with current_parts().db.begin() as session:
        who = names_of(session, [error.actor])[error.actor]
    what = caused(error.cause) or f"{said(MESSAGE_STATUS, error.stands)}."
    return OVERTAKEN.format(who=who, what=what)
