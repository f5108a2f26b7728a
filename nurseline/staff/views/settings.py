"""What administrators can set here, and what the environment sets."""

from __future__ import annotations

import sqlalchemy as sa
from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import Field, StringField, ValidationError

from nurseline.clinic import service
from nurseline.clinic.models import ClinicSetting
from nurseline.config import Settings
from nurseline.parts import current_parts
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, viewer
from nurseline.staff.queries.people import names_of
from nurseline.staff.rights import ADMIN

# Settings of the environment that are worth seeing and hold no secret.
SEEN = (
    "clinic_name",
    "clinic_phone",
    "clinic_address",
    "clinic_timezone",
    "message_hours",
    "state_hours",
    "voicemail",
    "voicemail_days",
    "voicemail_transcripts",
    "offer_unsigned_languages",
    "require_signed_content",
    "replies_per_ten_minutes",
    "segments_per_second",
    "staff_totp_required",
)


def _whole_number(_form: FlaskForm, field: Field) -> None:
    text = (field.data or "").strip()
    least, most = service.PROMISES[field.name]
    if not (text.isascii() and text.isdigit()) or len(text) > 6 or not least <= int(text) <= most:
        raise ValidationError(f"Write a whole number from {least} to {most}.")


def _number(label: str, description: str) -> StringField:
    return StringField(
        label,
        validators=[_whole_number],
        description=description,
        render_kw={"inputmode": "numeric", "autocomplete": "off", "maxlength": 6},
    )


class PromisesForm(FlaskForm):  # type: ignore[misc]
    """By when a call is promised."""

    emergency_minutes = _number("Emergency: minutes", "Day and night, whether the clinic is open or not.")
    urgent_minutes = _number("Urgent: minutes", "While the clinic is open.")
    clinical_minutes = _number("Questions for a nurse: minutes", "While the clinic is open; 240 are 4 hours.")
    office_days = _number("Visits and the rest: working days", "Until the end of that day.")


@blueprint.get("/settings")
@allow(*ADMIN)
def settings() -> ResponseReturnValue:
    """The promises as they are kept now, and the settings of the environment."""
    parts = current_parts()
    parts.clinic.forget()
    numbers = service.promise_numbers(parts.clinic.promises())
    return _page(PromisesForm(formdata=None, data={name: str(number) for name, number in numbers.items()}))


@blueprint.post("/settings")
@allow(*ADMIN)
def keep_settings() -> ResponseReturnValue:
    """Keep other promises; what is promised already stays as it is."""
    form, parts = PromisesForm(), current_parts()
    if not form.validate():
        return _page(form), 422
    now = parts.clock.now()
    numbers = {name: int(form[name].data.strip()) for name in service.PROMISES}
    with parts.db.begin() as rows:
        service.set_promises(rows, numbers, now=now, staff=viewer().id)
        audit.record(rows, viewer().id, "changed_settings", at=now)
    parts.clinic.forget()
    flash("Kept. They count for requests from now on.", "success")
    return redirect(url_for("staff.settings"))


def _page(form: PromisesForm) -> str:
    parts = current_parts()
    promises = ClinicSetting.name.startswith(service.PROMISE)
    with parts.db.begin() as rows:
        kept = {row.name: row for row in rows.scalars(sa.select(ClinicSetting).where(promises))}
        names = names_of(rows, [row.changed_by for row in kept.values()])
    changed = {name: _who(kept.get(f"{service.PROMISE}{name}"), names) for name in service.PROMISES}
    return render_template("staff/settings.html", form=form, changed=changed, seen=_seen(parts.settings))


def _who(row: ClinicSetting | None, names: dict[str, str]) -> tuple[str, ClinicSetting] | None:
    return (names[row.changed_by], row) if row else None


def _seen(kept: Settings) -> list[tuple[str, str, str]]:
    """Name of the variable, what it is, and its value in words."""
    lines = []
    for name in SEEN:
        value = kept.totp_required if name == "staff_totp_required" else getattr(kept, name)
        said = {True: "on", False: "off", "": "not set"}.get(value) if isinstance(value, bool | str) else None
        lines.append((name.upper(), type(kept).model_fields[name].description or "", said or str(value)))
    return lines
