"""Enrolling an injection, and the injections that were enrolled."""

from __future__ import annotations

import uuid

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from nurseline.aftercare import service as aftercare
from nurseline.aftercare.service import EnrolError, Enrolled, Enrolment
from nurseline.content import Rendered
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact
from nurseline.parts import Parts, current_parts
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, keeps_words, viewer
from nurseline.staff.forms import EnrolForm, seen
from nurseline.staff.page_rows import page_rows
from nurseline.staff.queries.injections import injection_page, recent_injections
from nurseline.staff.queries.numbers import masked
from nurseline.staff.texting import language_of

CONSENT = "consent.wording"
ONE = "Only the messages of the latest injection are sent."


@blueprint.get("/injections")
@allow()
def injections() -> ResponseReturnValue:
    """The injections enrolled last."""
    parts = current_parts()
    with page_rows() as session:
        rows = recent_injections(session, parts.sender.hours, parts.steps)
    return render_template("staff/injections.html", rows=rows)


@blueprint.get("/injections/new")
@allow()
def new_injection() -> ResponseReturnValue:
    """The empty form."""
    parts = current_parts()
    form, contact = _form(parts, empty=True), _known()
    form.timezone.data = parts.settings.clinic_timezone
    form.language.data = parts.languages[0]
    if contact is not None:
        form.timezone.data = contact.timezone or form.timezone.data
        form.language.data = language_of(parts, contact.language)
        form.channel.data = contact.channel
    return _show(parts, form, contact)


@blueprint.post("/injections/new")
@allow()
@keeps_words
def enrol() -> ResponseReturnValue:
    """Store the injection and plan its messages, or show the form again with what is wrong."""
    parts = current_parts()
    form, contact = _form(parts), _known()
    if contact is not None:  # from the contact's page: the number is not shown, and cannot be mistyped
        form.number.data = contact.number
    if not form.validate():
        return _show(parts, form, contact), 422
    try:
        made = _enrol(parts, form)
    except EnrolError as error:
        form.put(error)
        return _show(parts, form, contact), 422
    flash("Enrolled. This is what was planned.", "success")
    if made.replaced:
        flash(
            f"Earlier injections of this number: {made.replaced} planned messages were cancelled. {ONE}",
            "info",
        )
    if made.replaced_by_later:
        flash(
            f"A later injection of this number is enrolled, so its messages go and not these. {ONE}", "info"
        )
    if form.performed.happened_twice:
        flash("Clocks showed that time twice that night. The first one was taken.", "info")
    return redirect(url_for("staff.injection", injection_id=made.injection_id))


@blueprint.get("/injections/<uuid:injection_id>")
@allow()
def injection(injection_id: uuid.UUID) -> ResponseReturnValue:
    """What was planned for one injection, what was left out, and why."""
    parts = current_parts()
    with page_rows() as session:
        page = injection_page(session, injection_id, parts.sender.hours, parts.steps)
        if page is None:
            abort(404)
    return render_template("staff/injection.html", page=page)


def _enrol(parts: Parts, form: EnrolForm) -> Enrolled:
    now, person = parts.clock.now(), viewer()
    wording = parts.say(CONSENT, form.language.data)
    entry = Enrolment(
        performed_at=form.performed.instant,
        timezone=form.timezone.data,
        language=form.language.data,
        agreed=True,
        wording=wording.text,
        wording_version=str(wording.version),
        staff=person.id,
        channel=form.channel.data or None,
    )
    with parts.db.begin() as session:
        contact = contact_for(session, parts.keyring, form.parsed.e164, at=now)
        made = aftercare.enrol(session, contact, entry, now=now, steps=parts.steps)
        audit.record(
            session,
            person.id,
            "enrolled_injection",
            at=now,
            contact_id=contact.id,
            injection_id=made.injection_id,
        )
    return made


def _form(parts: Parts, *, empty: bool = False) -> EnrolForm:
    form = EnrolForm(formdata=None) if empty else EnrolForm()
    names = {code: parts.content.language(code).name for code in parts.languages}
    versions = {code: wording.version for code, wording in _wordings(parts).items()}
    return form.offer(names, parts.settings.regions, versions)


def _wordings(parts: Parts) -> dict[str, Rendered]:
    return {code: parts.say(CONSENT, code) for code in parts.languages}


def _known() -> Contact | None:
    """The contact from whose page the form was opened, if it was."""
    wanted = request.values.get("contact", "")
    if not wanted:
        return None
    try:
        contact_id = uuid.UUID(wanted)
    except ValueError:
        abort(404)
    with page_rows() as session:
        contact = session.get(Contact, contact_id)
    return contact or abort(404)


def _show(parts: Parts, form: EnrolForm, contact: Contact | None = None) -> str:
    wordings = _wordings(parts)
    today = parts.clock.now().astimezone(parts.settings.zone).date()
    return render_template(
        "staff/enrol.html",
        form=form,
        contact=contact,
        masked=masked(contact.number) if contact else "",
        wordings=wordings,
        today=today.isoformat(),
        shown=seen({code: wording.version for code, wording in wordings.items()}),
        language_names={code: parts.content.language(code).name for code in parts.languages},
    )
