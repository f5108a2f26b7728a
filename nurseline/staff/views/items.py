"""One item: its page, claiming it, keeping it while somebody works, giving it back, and seeing its number."""

from __future__ import annotations

import uuid
from datetime import datetime

from flask import abort, flash, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from nurseline.callbacks import rights, service, work
from nurseline.callbacks.models import CallbackItem
from nurseline.callbacks.outcomes import IDENTITY
from nurseline.callbacks.service import QueueError
from nurseline.parts import Parts, current_parts
from nurseline.phone import national
from nurseline.staff import audit
from nurseline.staff.access import Viewer, allow, blueprint, viewer
from nurseline.staff.item_forms import ItemForms, empty_forms
from nurseline.staff.page_rows import page_rows
from nurseline.staff.pages import clock_time, when
from nurseline.staff.queries.calling import call_panel
from nurseline.staff.queries.items import ItemPage, item_page, last_place
from nurseline.staff.queries.people import colleagues
from nurseline.staff.views.voicemail import LISTENERS
from nurseline.staff.words import REASONS, said


@blueprint.get("/items/<uuid:item_id>")
@allow()
def item(item_id: uuid.UUID) -> ResponseReturnValue:
    """Everything about one item."""
    return show_item(item_id, empty_forms(), seen=True)


@blueprint.post("/items/<uuid:item_id>/claim")
@allow()
def claim(item_id: uuid.UUID) -> ResponseReturnValue:
    """Take the item; who comes second is told who has it."""
    parts = current_parts()
    try:
        with page_rows() as session:
            service.claim(session, item_id, viewer().staff, now=parts.clock.now())
    except QueueError as error:
        flash(str(error), "warning")
        return redirect(url_for("staff.queue"))
    return redirect(url_for("staff.item", item_id=item_id))


@blueprint.post("/items/<uuid:item_id>/extend")
@allow()
def extend(item_id: uuid.UUID) -> ResponseReturnValue:
    """Keep the claim of who is typing on the item's page: the page asks for it now and then."""
    parts = current_parts()
    try:
        with page_rows() as session:
            until = work.extend(session, item_id, viewer().staff, now=parts.clock.now())
    except QueueError as error:
        return jsonify(problem=str(error)), 409
    return jsonify(until=clock_time(until))


@blueprint.post("/items/<uuid:item_id>/release")
@allow()
def release(item_id: uuid.UUID) -> ResponseReturnValue:
    """Give the item back; it keeps its promise."""
    parts = current_parts()
    try:
        with page_rows() as session:
            service.release(session, item_id, viewer().staff, now=parts.clock.now())
    except QueueError as error:
        flash(str(error), "warning")
    else:
        flash("The item is back in the queue, with its promise as it was.", "success")
    return redirect(url_for("staff.queue"))


@blueprint.post("/items/<uuid:item_id>/number")
@allow()
def reveal_item_number(item_id: uuid.UUID) -> ResponseReturnValue:
    """Show the number for a while, and write down who asked for it."""
    parts = current_parts()
    with page_rows() as session:
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


def show_item(item_id: uuid.UUID, forms: ItemForms, *, seen: bool = False) -> str:
    """The page of an item with these forms. ``seen``: it was opened, and that is written down."""
    parts, person = current_parts(), viewer()
    now, place = parts.clock.now(), ""
    with page_rows() as session:
        page = item_page(session, item_id, person.id, now=now)
        if page is None:
            abort(404)
        contact_id = page.item.contact_id
        number = _number(session, page, person, now)
        call = call_panel(session, page.item, person.id, settings=parts.settings, now=now)
        if page.mine:
            place = parts.settings.facts["address"] or last_place(session)
            people = colleagues(session, person.id, now=now)
            forms.hand_over.to.choices = {"": "Choose…", **{key: str(one) for key, one in people.items()}}
        if seen:
            audit.record(session, person.id, "saw_item", at=now, item_id=item_id, contact_id=contact_id)
    reason = page.item.reason
    choices = rights.outcomes_for(person.roles, reason)
    forms.outcome.outcome.choices = {"": "Choose…", **choices}
    suggested = call.suggested if seen and call.suggested in choices else ""
    _fill(forms, page, parts, suggested=suggested, place=place)
    return render_template(
        "staff/item.html",
        page=page,
        forms=forms,
        form=forms.outcome,
        number=number,
        call=call,
        identity_words=IDENTITY,
        advice_words={key.partition(":")[0]: label for key, label in advice_choices(parts).items()},
        may_listen=bool(person.roles & LISTENERS),
        refusal=rights.may_decide(person.roles, reason),
        may_advise=rights.assesses(person.roles),
    )


def advice_choices(parts: Parts) -> dict[str, str]:
    """The clinic's answers: content id with version → label."""
    entries = parts.content.language("en").entries.values()
    return {f"{entry.id}:{entry.version}": entry.label for entry in entries if entry.id.startswith("answer.")}


def merge_choices(page: ItemPage) -> dict[str, str]:
    """The other open items of the number, in words."""
    return {
        str(one.id): f"No. {one.reference}: {said(REASONS, one.reason)}, promised {when(one.promised_at)}"
        for one in page.others
    }


def _fill(forms: ItemForms, page: ItemPage, parts: Parts, *, suggested: str, place: str) -> None:
    """Lists to choose from, and what is entered already."""
    outcome = forms.outcome.offer(advice_choices(parts), parts.settings.zone)
    if suggested:
        outcome.outcome.data = suggested
    if not outcome.is_submitted() or outcome.appointment_place.data is None:
        outcome.appointment_place.data = outcome.appointment_place.data or place
    outcome.tries.data = page.item.attempts
    forms.merge.into.choices = merge_choices(page)
    if not forms.reason.errors:
        forms.reason.reason.data = page.item.reason


def _number(session: Session, page: ItemPage, person: Viewer, now: datetime) -> str:
    """The number, for who has claimed the item or has asked to see it; else empty."""
    contact = page.item.contact
    if contact is None:
        return ""
    shown = page.mine or audit.has_revealed(session, person.id, contact.id, now=now)
    return national(contact.number) if shown else ""
