"""Forms for the clinic's hours, holidays and telephones."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, StringField, ValidationError

from nurseline.clinic.service import LABEL_LONGEST, NAME_LONGEST, SHIFT_LONGEST, ClinicError
from nurseline.parts import current_parts
from nurseline.phone import parse
from nurseline.staff.forms import NOT_A_PATIENT, NUMBER_TYPED_LONGEST, Textual, WallDate

HOURS_TYPED_LONGEST = 300
LIKE = "Like Mon-Thu 08:00-12:00,13:00-17:00; Fri 08:00-12:00."


class _ClinicForm(FlaskForm):  # type: ignore[misc]
    """Shows what the clinic's room refuses beside the field it concerns."""

    def put(self, error: ClinicError) -> None:
        """Show a refusal at its field."""
        field = self._fields.get(error.field) or next(iter(self))
        field.errors = [*field.errors, f"{str(error)[:1].upper()}{str(error)[1:]}."]


class HoursForm(_ClinicForm):
    """The weekly opening hours."""

    hours = StringField(
        "Weekly hours",
        validators=[Textual(HOURS_TYPED_LONGEST)],
        description=f"{LIKE} Days that are not named are closed. Round the clock: Mon-Sun 00:00-24:00.",
    )


class DayForm(_ClinicForm):
    """A date whose hours differ from those of its weekday."""

    day = WallDate("Date")
    intervals = StringField(
        "Open",
        validators=[Textual(100)],
        description="Like 08:00-12:00. Leave it empty for a day on which the clinic is closed.",
    )
    label = StringField("Why", validators=[Textual(LABEL_LONGEST)], description="Like Thanksgiving.")


class PhoneForm(_ClinicForm):
    """A telephone at which somebody of the clinic answers."""

    name = StringField("Name", validators=[Textual(NAME_LONGEST)], description="Like Front desk.")
    number = StringField("Number", validators=[Textual(NUMBER_TYPED_LONGEST)], render_kw={"type": "tel"})
    shift = StringField(
        "Only in these hours",
        validators=[Textual(SHIFT_LONGEST)],
        description=f"{LIKE} Empty: for callers while the clinic is open, for alarms always.",
    )
    rings = BooleanField("Rings for callers who want a person", default=True)
    on_call = BooleanField("Gets alarms as a text")

    def validate_number(self, field: Field) -> None:
        """A number that can be dialled, and not the line's own: an alarm to itself reaches nobody."""
        number = parse(field.data or "")
        if number.e164 and number.e164 == parse(current_parts().settings.twilio_from).e164:
            raise ValidationError("This is the line's own number. A telephone of the clinic is needed.")
        if not number.e164 or number.kind not in {"person", "toll_free"}:
            raise ValidationError(NOT_A_PATIENT.get(number.kind, NOT_A_PATIENT["invalid"]))
