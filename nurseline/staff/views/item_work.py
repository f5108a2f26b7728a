"""What is done with an item: its outcome, handing it over, putting it off, merging, cancelling, reopening."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from markupsafe import Markup
from sqlalchemy.orm import Session

from nurseline.callbacks import outcomes, service, work
from nurseline.callbacks.follow_ups import FollowUp
from nurseline.callbacks.models import CallbackItem
from nurseline.callbacks.outcomes import OUTCOMES, Closing, RecordedError
from nurseline.callbacks.promises import as_reason
from nurseline.callbacks.service import QueueError, Staff
from nurseline.parts import current_parts
from nurseline.staff.access import allow, blueprint, keeps_words, viewer
from nurseline.staff.item_forms import (
    CancelForm,
    HandOverForm,
    ItemForms,
    MergeForm,
    OutcomeForm,
    PutOffForm,
    ReasonForm,
    ReopenForm,
    empty_forms,
)
from nurseline.staff.item_rights import hold_cancelling, hold_decision, hold_outcome
from nurseline.staff.page_rows import telling
from nurseline.staff.pages import when
from nurseline.staff.queries.items import item_page
from nurseline.staff.queries.people import colleagues
from nurseline.staff.views.items import advice_choices, merge_choices, show_item
from nurseline.staff.views.queue import open_next
from nurseline.staff.words import REASONS, said


@blueprint.post("/items/<uuid:item_id>/outcome")
@allow()
@keeps_words
def outcome(item_id: uuid.UUID) -> ResponseReturnValue:
    """Record how a try ended, and lead to the queue, or to the next item.

    A claim that ran out during a long call is taken again, unless somebody else has the item now.
    """
    parts, forms = current_parts(), empty_forms()
    forms.outcome = form = OutcomeForm().offer(advice_choices(parts), parts.settings.zone)
    if not form.validate():
        return show_item(item_id, forms), 422
    now = parts.clock.now()
    try:
        with service.changing(parts.db) as session:
            hold_outcome(session, item_id, viewer(), form.recorded)
            claimed = service.claim(session, item_id, viewer().staff, now=now, resting=False)
            outcomes.seen(claimed, form.tries.data)
        # By itself, since an outcome may end messages: everybody locks the ledger before items.
        with service.changing(parts.db) as session:
            closing = outcomes.finish(
                session,
                item_id,
                viewer().staff,
                form.recorded,
                now=now,
                hours=parts.hours,
                regions=parts.settings.regions,
                tries=form.tries.data,
            )
    except RecordedError as error:
        form.put(error.field, str(error))
        return show_item(item_id, forms), 422
    except QueueError as error:
        flash(str(error), "warning")
        return show_item(item_id, forms), 409
    flash(f"Recorded: {OUTCOMES[form.outcome.data]}.{_then(closing)}", "success")
    if closing.others:
        flash(_still_open(closing.others), "warning")
    return open_next() if request.form.get("then") == "next" else redirect(url_for("staff.queue"))


def _then(closing: Closing) -> str:
    """What came of an outcome, for who recorded it."""
    said = ""
    if closing.what == "unreached":
        said = " That was the last try: the item is closed."
    elif closing.what == "decide":
        said = " Nobody was reached: a supervisor or provider decides now."
    elif closing.again_at is not None:
        said = f" The item comes back for another try: {when(closing.again_at)}."
    if closing.text:
        said += " The patient gets a text."
    if closing.follow_up is not None:
        said += _followed_up(closing.follow_up)
    return said


def _still_open(others: Sequence[CallbackItem]) -> Markup:
    """What else of the number waits to be called, as links."""
    link = Markup('<a href="{}">No. {}: {}</a>')
    links = (
        link.format(url_for("staff.item", item_id=one.id), one.reference, said(REASONS, one.reason))
        for one in others
    )
    return Markup("Still open for this number: {}. Look whether anybody is to be called.").format(
        Markup(", ").join(links)
    )


def _followed_up(follow_up: FollowUp) -> str:
    which = f"Item {follow_up.reference} of this number"
    if follow_up.how == "kept":
        return f" {which} is open for that already: once it closes, the follow-up gets an item of its own."
    if follow_up.how == "rests":
        return f" {which} waits for that already: it comes back {when(follow_up.at)}."
    return f" The follow-up is in the queue for its day: {when(follow_up.at)}."


@blueprint.post("/items/<uuid:item_id>/hand-over")
@allow()
@keeps_words
def hand_over(item_id: uuid.UUID) -> ResponseReturnValue:
    """Give the item to a colleague."""
    parts, forms = current_parts(), empty_forms()
    forms.hand_over = form = HandOverForm()
    with parts.db.begin() as session:
        people = colleagues(session, viewer().id, now=parts.clock.now())
    form.to.choices = {"": "Choose…", **{key: str(one) for key, one in people.items()}}

    def give(session: Session, staff: Staff, now: datetime) -> str:
        to = Staff(form.to.data, people[form.to.data].name)
        work.hand_over(session, item_id, staff, to, now=now, note=form.handover_note.data or "")
        return f"{to.name} has the item now."

    return _do(item_id, forms, form, give, decides=False)


@blueprint.post("/items/<uuid:item_id>/put-off")
@allow()
@keeps_words
def put_off(item_id: uuid.UUID) -> ResponseReturnValue:
    """Put the item off; it comes back at that time, with its promise as it was."""
    parts, forms = current_parts(), empty_forms()
    forms.put_off = form = PutOffForm()
    if not form.read(parts.hours, parts.clock.now()):
        return show_item(item_id, forms), 422

    def snooze(session: Session, staff: Staff, now: datetime) -> str:
        until, note = form.instant, form.put_off_note.data or ""
        work.snooze(session, item_id, staff, until=until, now=now, note=note)
        return f"Put off: {when(until)}. The promise stays as it was."

    return _do(item_id, forms, form, snooze, read=True)


@blueprint.post("/items/<uuid:item_id>/merge")
@allow()
@keeps_words
def merge(item_id: uuid.UUID) -> ResponseReturnValue:
    """Make one item of this and another of the same number."""
    parts, forms = current_parts(), empty_forms()
    forms.merge = form = MergeForm()
    with parts.db.begin() as session:
        page = item_page(session, item_id, viewer().id, now=parts.clock.now())
        if page is None:
            abort(404)
        form.into.choices = merge_choices(page)

    def join(session: Session, staff: Staff, now: datetime) -> str:
        work.merge(session, item_id, form.item_id, staff, now=now)
        return "The two items are one now. The patient's words stand together here."

    return _do(item_id, forms, form, join, to=lambda: url_for("staff.item", item_id=form.item_id))


@blueprint.post("/items/<uuid:item_id>/reason")
@allow()
@keeps_words
def change_reason(item_id: uuid.UUID) -> ResponseReturnValue:
    """Say better what the item is about."""
    parts, forms = current_parts(), empty_forms()
    forms.reason = form = ReasonForm()

    def change(session: Session, staff: Staff, now: datetime) -> str:
        work.change_reason(session, item_id, staff, as_reason(form.reason.data), hours=parts.hours, now=now)
        return "The reason is changed."

    return _do(item_id, forms, form, change, to=lambda: url_for("staff.item", item_id=item_id))


@blueprint.post("/items/<uuid:item_id>/cancel")
@allow()
@keeps_words
def cancel(item_id: uuid.UUID) -> ResponseReturnValue:
    """Take the item out of the queue unworked, with a reason."""
    forms = empty_forms()
    forms.cancel = form = CancelForm()

    def take_out(session: Session, staff: Staff, now: datetime) -> str:
        hold_cancelling(session, item_id, form.cancel_why.data)
        work.cancel(session, item_id, staff, why=form.cancel_why.data, now=now)
        return "The item is cancelled."

    return _do(item_id, forms, form, take_out)


@blueprint.post("/items/<uuid:item_id>/reopen")
@allow()
@keeps_words
def reopen(item_id: uuid.UUID) -> ResponseReturnValue:
    """Put a closed item back into the queue."""
    parts, forms = current_parts(), empty_forms()
    forms.reopen = form = ReopenForm()

    def open_again(session: Session, staff: Staff, now: datetime) -> str:
        work.reopen(session, item_id, staff, why=form.reopen_why.data, now=now, hours=parts.hours)
        return "The item is in the queue again."

    return _do(item_id, forms, form, open_again, to=lambda: url_for("staff.item", item_id=item_id))


def _do(
    item_id: uuid.UUID,
    forms: ItemForms,
    form: FlaskForm,
    act: Callable[[Session, Staff, datetime], str],
    *,
    read: bool = False,
    decides: bool = True,
    to: Callable[[], str] = lambda: url_for("staff.queue"),
) -> ResponseReturnValue:
    """Do with the item what a form says; a wrong entry or a refusal shows the page with what was typed.

    ``decides``: it changes what becomes of the item, so only who may decide about it does it.
    """
    if not read and not form.validate():
        return show_item(item_id, forms), 422
    parts = current_parts()
    try:
        with telling(), service.changing(parts.db) as session:
            if decides:
                hold_decision(session, item_id, viewer())
            done = act(session, viewer().staff, parts.clock.now())
    except QueueError as error:
        flash(str(error), "warning")
        return show_item(item_id, forms), 409
    flash(done, "success")
    return redirect(to())
