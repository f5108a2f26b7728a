"""The forms of an item's page: its outcome, and what else can be done with it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    Field,
    HiddenField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields import DateField, DateTimeLocalField, TimeField
from wtforms.widgets import CheckboxInput, ListWidget

from nurseline.callbacks.outcomes import ADVICE_LONGEST, IDENTITY, OUTCOMES, PLACE_LONGEST, SPOKE, Recorded
from nurseline.callbacks.promises import REASONS
from nurseline.callbacks.service import NOTE_LONGEST
from nurseline.clinic.hours import Hours
from nurseline.staff import words
from nurseline.staff.forms import Textual, one_line_ends
from nurseline.staff.local_time import LocalTimeError, local_instant, read_date, read_time

WHY_LONGEST = 400  # characters
SCHEDULED = "reached_scheduled"
PUT_OFF = {
    "hour": "In one hour",
    "hours": "In two hours",
    "opening": "When the clinic next opens after today",
    "time": "At the date and time below",
}


class MaybeDate(DateField):  # type: ignore[misc]
    """A date that may be left empty, and keeps what was typed when it cannot be read."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the date, if there is one."""
        self.data = read_date(valuelist[0]) if valuelist and valuelist[0].strip() else None


class MaybeTime(TimeField):  # type: ignore[misc]
    """A time of day that may be left empty, and keeps what was typed when it cannot be read."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the time, if there is one."""
        self.data = read_time(valuelist[0]) if valuelist and valuelist[0].strip() else None


class MaybeMoment(DateTimeLocalField):  # type: ignore[misc]
    """A date and time of day in one field, which may be left empty, and keeps what cannot be read."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read ``2030-01-31T14:30``; with a space, too, as people type where there is no such field."""
        day, _, at = (valuelist[0] if valuelist else "").strip().replace("T", " ", 1).partition(" ")
        self.data = None
        if day and not at.strip():
            raise ValueError("Give the time of day, too.")
        if day:
            self.data = datetime.combine(read_date(day), read_time(at.strip()))


def short(label: str, help_text: str = "", *, longest: int = WHY_LONGEST) -> StringField:
    """One line of words for colleagues."""
    return StringField(
        label,
        filters=[one_line_ends],
        validators=[Textual(longest)],
        description=help_text,
        render_kw={"maxlength": longest, "dir": "auto", "autocomplete": "off"},
    )


def _count(text: object) -> int | None:
    """The tries a form showed; -1, which no item has, for what is no number."""
    if text is None or isinstance(text, int):
        return text
    return int(str(text)) if re.fullmatch("[0-9]{1,4}", str(text)) else -1


class OutcomeForm(FlaskForm):  # type: ignore[misc]
    """How a try ended, and what was said and agreed. ``tries``: how many were recorded when it was shown."""

    tries = HiddenField(filters=[_count])
    outcome = SelectField(
        "Outcome",
        choices={"": "Choose…", **OUTCOMES},
        validate_choice=False,
        render_kw={"data-key": "o"},
    )
    identity = SelectField(
        "How the patient was identified", choices={"": "Choose…", **IDENTITY}, validate_choice=False
    )
    note = TextAreaField(
        "Note",
        filters=[one_line_ends],
        validators=[Textual(NOTE_LONGEST)],
        description="What was said and done. Only staff can read it.",
        render_kw={"rows": 4, "maxlength": NOTE_LONGEST, "dir": "auto"},
    )
    advice = SelectMultipleField(
        "Advice given, in the clinic's words",
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    told_when_worse = BooleanField("“Call again if it gets worse” was said")
    follow_up_on = MaybeDate(
        "Follow up on", description="An item comes up on that day. Empty: nothing is left to do."
    )
    appointment_at = MaybeMoment("Appointment (clinic's time)")
    appointment_place = short("Place", longest=PLACE_LONGEST)

    _appointment: datetime | None = None  # the instant

    def offer(self, advice: Mapping[str, str], zone: ZoneInfo) -> OutcomeForm:
        """Set what the clinic has: its answers (content id with version → label), and its zone."""
        self.advice.choices = dict(advice)
        self._zone = zone
        return self

    def validate_outcome(self, field: Field) -> None:
        """One from the list."""
        if field.data not in OUTCOMES:
            raise ValidationError("Choose an outcome from the list.")

    def validate_identity(self, field: Field) -> None:
        """Needed once somebody spoke with the patient (clinic rules 2.4)."""
        field.data = field.data or ""
        if field.data and field.data not in IDENTITY:
            raise ValidationError("Choose from the list how the patient was identified.")
        if not field.data and self.outcome.data in SPOKE:
            raise ValidationError("Choose how the patient was identified.")

    def validate_advice(self, field: Field) -> None:
        """Only answers that the clinic has."""
        field.data = list(dict.fromkeys(field.data or []))
        if set(field.data) - set(field.choices):
            raise ValidationError("An answer was changed meanwhile. Choose again from the list.")
        if len(" ".join(field.data)) > ADVICE_LONGEST:
            raise ValidationError("These are too many answers. Choose those that mattered.")

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether everything can be read; `recorded` then holds it."""
        readable = bool(super().validate(extra_validators))
        return self._read_appointment() and readable

    def _read_appointment(self) -> bool:
        field = self.appointment_at
        if self.outcome.data != SCHEDULED or field.errors:
            return not field.errors
        if field.data is None:
            field.errors = ["Give the date and the time of day."]
            return False
        self._appointment = _instant(field.data.date(), field.data.time(), self._zone, field)
        return self._appointment is not None

    @property
    def recorded(self) -> Recorded:
        """What was entered. What does not belong to the outcome is left out."""
        scheduled = self.outcome.data == SCHEDULED
        return Recorded(
            outcome=self.outcome.data,
            note=self.note.data or "",
            identity=self.identity.data or "",
            advice=tuple(self.advice.data or ()),
            told_when_worse=bool(self.told_when_worse.data),
            follow_up_on=self.follow_up_on.data,
            appointment_at=self._appointment if scheduled else None,
            appointment_place=(self.appointment_place.data or "") if scheduled else "",
        )

    def put(self, name: str, message: str) -> None:
        """Show an error next to the field that holds this part of what was recorded."""
        field = getattr(self, name, self.outcome)
        field.errors = [*field.errors, message]


class HandOverForm(FlaskForm):  # type: ignore[misc]
    """Giving an item to a colleague."""

    to = SelectField("Colleague", validate_choice=False)
    handover_note = short("What they should know")

    def validate_to(self, field: Field) -> None:
        """Somebody from the list."""
        if not field.data or field.data not in self.to.choices:
            raise ValidationError("Choose a colleague from the list.")


class PutOffForm(FlaskForm):  # type: ignore[misc]
    """Putting an item off until later."""

    until = SelectField("Until", choices=PUT_OFF, validate_choice=False)
    until_on = MaybeDate("Date")
    until_time = MaybeTime("Clinic's time")
    put_off_note = short("Why")

    instant: datetime

    def read(self, hours: Hours, now: datetime) -> bool:
        """Whether the form can be read; ``instant`` then says until when."""
        if not self.validate():
            return False
        wanted = self.until.data
        if wanted == "time":
            return self._read_time(hours.zone)
        if wanted == "opening":
            self.instant = opening_after_today(hours, now)
        elif wanted in PUT_OFF:
            self.instant = now + timedelta(hours=1 if wanted == "hour" else 2)
        else:
            self.until.errors = ["Choose from the list until when."]
            return False
        return True

    def _read_time(self, zone: ZoneInfo) -> bool:
        day, at = self.until_on, self.until_time
        if day.data is None or at.data is None:
            wrong, missing = (day, "Give the date.") if day.data is None else (at, "Give the time of day.")
            wrong.errors = [*wrong.errors, missing]
            return False
        found = _instant(day.data, at.data, zone, at)
        if found is not None:
            self.instant = found
        return found is not None


class MergeForm(FlaskForm):  # type: ignore[misc]
    """Making one item of two of the same number."""

    into = SelectField("Goes into", validate_choice=False)

    def validate_into(self, field: Field) -> None:
        """Another open item of the same number."""
        if field.data not in self.into.choices:
            raise ValidationError("Choose an item from the list. It may have been closed meanwhile.")

    @property
    def item_id(self) -> uuid.UUID:
        """The item that stays."""
        return uuid.UUID(self.into.data)


class ReasonForm(FlaskForm):  # type: ignore[misc]
    """Saying better what an item is about."""

    reason = SelectField("Reason", choices=words.REASONS, validate_choice=False)

    def validate_reason(self, field: Field) -> None:
        """One from the list."""
        if field.data not in REASONS:
            raise ValidationError("Choose a reason from the list.")


class CancelForm(FlaskForm):  # type: ignore[misc]
    """Taking an item out of the queue unworked."""

    cancel_why = short("Why nothing is to be done")

    def validate_cancel_why(self, field: Field) -> None:
        """Always needed."""
        if not field.data:
            raise ValidationError("Write why the item is cancelled.")


class ReopenForm(FlaskForm):  # type: ignore[misc]
    """Putting a closed item back into the queue."""

    reopen_why = short("Why it is opened again")

    def validate_reopen_why(self, field: Field) -> None:
        """Always needed."""
        if not field.data:
            raise ValidationError("Write why the item is opened again.")


@dataclass(slots=True)
class ItemForms:
    """All forms of an item's page; that which was sent holds what was typed."""

    outcome: OutcomeForm
    hand_over: HandOverForm
    put_off: PutOffForm
    merge: MergeForm
    reason: ReasonForm
    cancel: CancelForm
    reopen: ReopenForm


def empty_forms() -> ItemForms:
    """The forms as a page first shows them."""
    return ItemForms(
        OutcomeForm(formdata=None),
        HandOverForm(formdata=None),
        PutOffForm(formdata=None),
        MergeForm(formdata=None),
        ReasonForm(formdata=None),
        CancelForm(formdata=None),
        ReopenForm(formdata=None),
    )


def opening_after_today(hours: Hours, now: datetime) -> datetime:
    """When the clinic opens on the first working day after today."""
    today = now.astimezone(hours.zone).date()
    for opens, _ in hours.intervals(now):
        if opens.astimezone(hours.zone).date() > today:
            return opens
    return now + timedelta(days=1)  # closed for as long as anybody looks ahead


def _instant(day: date, at: time, zone: ZoneInfo, field: Field) -> datetime | None:
    """The instant of a day and time; None if clocks never showed it, which ``field`` then says."""
    try:
        return local_instant(day, at, zone).instant
    except LocalTimeError as error:
        field.errors = [*field.errors, str(error)]
        return None
