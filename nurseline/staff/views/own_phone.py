"""The page on which somebody says which telephone is theirs."""

from __future__ import annotations

import uuid

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import Field, StringField, ValidationError

from nurseline.parts import current_parts
from nurseline.phone import national
from nurseline.staff import own_phone as phones
from nurseline.staff.access import allow, blueprint, viewer
from nurseline.staff.models import StaffUser


class OwnPhoneForm(FlaskForm):  # type: ignore[misc]
    """One number."""

    number = StringField(
        "Number of your phone",
        description="It rings when you call a patient back. Patients never see it.",
        render_kw={"type": "tel", "autocomplete": "tel", "maxlength": phones.TYPED_LONGEST},
    )
    e164: str

    def validate_number(self, field: Field) -> None:
        """A telephone that the line may call."""
        try:
            self.e164 = phones.read(field.data or "", current_parts().settings)
        except phones.OwnPhoneError as error:
            raise ValidationError(str(error)) from error


@blueprint.get("/my-phone")
@allow()
def own_phone() -> ResponseReturnValue:
    """The number as it is kept; only its owner comes to see it."""
    parts = current_parts()
    with parts.db.begin() as session:
        kept = phones.of(session, viewer().id)
    form = OwnPhoneForm(formdata=None, data={"number": national(kept) if kept else ""})
    return render_template("staff/own_phone.html", form=form, kept=bool(kept), item=_item())


@blueprint.post("/my-phone")
@allow()
def set_own_phone() -> ResponseReturnValue:
    """Keep a new number, or forget the old one."""
    parts, form, item = current_parts(), OwnPhoneForm(), _item()
    forget = request.form.get("forget") == "1"
    if not forget and not form.validate():
        return render_template("staff/own_phone.html", form=form, kept=False, item=item), 422
    with parts.db.begin() as session:
        user = session.get_one(StaffUser, uuid.UUID(viewer().id))
        phones.keep(session, user, None if forget else form.e164, parts.clock, actor=viewer().id)
    flash("Your number is no longer kept." if forget else "Your number is kept.", "success")
    back = url_for("staff.item", item_id=item) if item and not forget else url_for("staff.own_phone")
    return redirect(back)


def _item() -> uuid.UUID | None:
    """The item that the person came from, to go back to it."""
    try:
        return uuid.UUID(request.values.get("item", ""))
    except ValueError:
        return None
