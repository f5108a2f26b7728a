"""The clinic's hours, holidays and telephones, kept by supervisors and administrators."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from typing import cast

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from nurseline.clinic import service
from nurseline.clinic.models import StaffPhone
from nurseline.clinic.service import ClinicError, Phone
from nurseline.content import LONGEST, gsm7_length, hours_words
from nurseline.parts import Parts, current_parts
from nurseline.phone import parse
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, keeps_words, viewer
from nurseline.staff.clinic_forms import DayForm, HoursForm, PhoneForm
from nurseline.staff.page_rows import page_rows
from nurseline.staff.rights import KEEPERS


@blueprint.get("/clinic")
@allow(*KEEPERS)
def clinic() -> ResponseReturnValue:
    """Everything on one page."""
    return _show()


@blueprint.post("/clinic/hours")
@allow(*KEEPERS)
@keeps_words
def clinic_hours() -> ResponseReturnValue:
    """Keep new weekly hours."""
    form = HoursForm()

    def keep(parts: Parts, session: Session) -> None:
        zone = parts.settings.zone
        text = service.set_hours(
            session, form.hours.data or "", zone, now=parts.clock.now(), staff=viewer().id
        )
        longest = max(gsm7_length(hours_words(text, parts.content, code)) for code in parts.languages)
        if longest > LONGEST["hours"]:
            raise ClinicError("hours", f"in words this takes {longest} characters, {LONGEST['hours']} fit")

    return _kept(form, keep, "The hours are kept.") or (_show(hours=form), 422)


@blueprint.post("/clinic/days")
@allow(*KEEPERS)
@keeps_words
def clinic_day() -> ResponseReturnValue:
    """Keep the hours of one date."""
    form = DayForm()

    def keep(parts: Parts, session: Session) -> None:
        service.set_day(
            session,
            cast(date, form.day.data),  # the form has refused everything else
            form.intervals.data or "",
            form.label.data or "",
            today=_today(parts),
            now=parts.clock.now(),
            staff=viewer().id,
        )

    return _kept(form, keep, "The day is kept.") or (_show(day=form), 422)


@blueprint.post("/clinic/days/<string:day>/remove")
@allow(*KEEPERS)
def remove_clinic_day(day: str) -> ResponseReturnValue:
    """Let the hours of the weekday count again."""
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        abort(404)
    _change(lambda _parts, session: service.remove_day(session, wanted))
    flash("The day has its usual hours again.", "success")
    return redirect(url_for("staff.clinic"))


@blueprint.post("/clinic/phones")
@blueprint.post("/clinic/phones/<uuid:phone_id>")
@allow(*KEEPERS)
@keeps_words
def clinic_phone(phone_id: uuid.UUID | None = None) -> ResponseReturnValue:
    """Add a telephone, or change one."""
    form = PhoneForm()

    def keep(parts: Parts, session: Session) -> None:
        phone = Phone(
            form.name.data or "",
            parse(form.number.data or "").e164,
            form.shift.data or "",
            rings=form.rings.data,
            on_call=form.on_call.data,
        )
        now, zone = parts.clock.now(), parts.settings.zone
        service.keep_phone(session, phone, zone, now=now, staff=viewer().id, phone_id=phone_id)

    return _kept(form, keep, "The telephone is kept.") or (_show(phone=form, phone_id=phone_id), 422)


@blueprint.get("/clinic/phones/<uuid:phone_id>")
@allow(*KEEPERS)
def edit_clinic_phone(phone_id: uuid.UUID) -> ResponseReturnValue:
    """The form of one telephone."""
    with page_rows() as session:
        row = session.get(StaffPhone, phone_id)
    if row is None:
        abort(404)
    return _show(phone=PhoneForm(formdata=None, obj=row), phone_id=phone_id)


@blueprint.post("/clinic/phones/<uuid:phone_id>/<any(first, remove):what>")
@allow(*KEEPERS)
def arrange_clinic_phone(phone_id: uuid.UUID, what: str) -> ResponseReturnValue:
    """Let a telephone be tried first, or forget it."""
    arrange = service.put_first if what == "first" else service.remove_phone
    _change(lambda _parts, session: arrange(session, phone_id))
    flash("It is tried first now." if what == "first" else "The telephone is removed.", "success")
    return redirect(url_for("staff.clinic"))


def _kept(
    form: HoursForm | DayForm | PhoneForm, keep: Callable[[Parts, Session], None], done: str
) -> ResponseReturnValue | None:
    """Keep what was typed and go back to the page; None, with the reasons in the form, if it cannot be."""
    if not form.validate():
        return None
    try:
        _change(keep)
    except ClinicError as error:
        form.put(error)
        return None
    flash(done, "success")
    return redirect(url_for("staff.clinic"))


def _change(change: Callable[[Parts, Session], object]) -> None:
    parts = current_parts()
    with parts.db.begin() as session:
        change(parts, session)
        audit.record(session, viewer().id, "changed_clinic", at=parts.clock.now())
    parts.clinic.forget()


def _show(
    *,
    hours: HoursForm | None = None,
    day: DayForm | None = None,
    phone: PhoneForm | None = None,
    phone_id: uuid.UUID | None = None,
) -> str:
    parts = current_parts()
    parts.clinic.forget()
    now = parts.clock.now()
    with page_rows() as session:
        days = service.special_days(session, _today(parts))
        phones = service.phones(session)
        ringing = {one.id for one in service.ringing(session, parts.hours, now)}
    if hours is None:
        hours = HoursForm(formdata=None)
        hours.hours.data = parts.clinic.hours_text()
    return render_template(
        "staff/clinic.html",
        hours_form=hours,
        day_form=day or DayForm(formdata=None),
        phone_form=phone or PhoneForm(formdata=None),
        phone_id=phone_id,
        days=days,
        phones=phones,
        ringing=ringing,
        is_open=parts.hours.is_open(now),
        editing=request.endpoint == "staff.edit_clinic_phone" or phone_id is not None,
    )


def _today(parts: Parts) -> date:
    return parts.clock.now().astimezone(parts.settings.zone).date()
