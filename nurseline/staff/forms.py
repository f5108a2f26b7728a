"""The forms of the staff pages: what is typed, and what is wrong with it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from zoneinfo import available_timezones

from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, SelectField, StringField, ValidationError
from wtforms.fields import DateField, TimeField

from nurseline.aftercare.service import EnrolError
from nurseline.phone import Kind, PhoneNumber, parse
from nurseline.staff.local_time import LocalInstant, LocalTimeError, local_instant, read_date, read_time
from nurseline.zones import US_ZONES, UnknownZoneError, zone

NUMBER_TYPED_LONGEST = 40
NOT_A_PATIENT: dict[Kind, str] = {
    "toll_free": "This is a toll-free or service number. A patient's own phone is needed.",
    "short_code": "This is too short for a phone number. Write all ten digits.",
    "foreign": "This number is from a country that the line does not text.",
    "anonymous": "Write the patient's phone number.",
    "invalid": "This is not a phone number that can be texted. Write all ten digits, like 202-555-0123.",
}
_ZONE_OTHER = ("Etc/", "posix/", "right/", "SystemV/", "US/", "Canada/", "Mexico/", "Brazil/", "Chile/")
US_NAMES = {
    "America/New_York": "Eastern (New York)",
    "America/Chicago": "Central (Chicago)",
    "America/Denver": "Mountain (Denver)",
    "America/Phoenix": "Arizona (Phoenix)",
    "America/Los_Angeles": "Pacific (Los Angeles)",
    "America/Anchorage": "Alaska (Anchorage)",
    "America/Adak": "Aleutian Islands (Adak)",
    "Pacific/Honolulu": "Hawaii (Honolulu)",
    "America/Puerto_Rico": "Puerto Rico",
    "Pacific/Guam": "Guam",
    "Pacific/Pago_Pago": "American Samoa (Pago Pago)",
}


CHANNELS = {"": "As before, or by text", "text": "By text", "call": "By call, a computer voice"}


class Textual:
    """Refuses characters that are not text, and text that is too long."""

    def __init__(self, longest: int) -> None:
        self.longest = longest

    def __call__(self, _form: FlaskForm, field: Field) -> None:
        text = field.data or ""
        if any(ord(c) < 32 and c not in "\n\t" for c in text) or "\x7f" in text:
            raise ValidationError("This holds a character that is not text. Type it again.")
        if len(text) > self.longest:
            raise ValidationError(f"This is too long: {len(text)} characters, {self.longest} fit.")


def one_line_ends(text: str | None) -> str:
    """Line ends as one character each: browsers send two, but count one."""
    return (text or "").replace("\r\n", "\n").replace("\r", "\n").strip()


class WallDate(DateField):  # type: ignore[misc]
    """A date that keeps what was typed when it cannot be read."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the date, if there is one."""
        self.data = None
        text = valuelist[0] if valuelist else ""
        if not text.strip():
            raise ValueError("Give the date.")
        self.data = read_date(text)


class WallTime(TimeField):  # type: ignore[misc]
    """A time of day that keeps what was typed when it cannot be read."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the time, if there is one."""
        self.data = None
        text = valuelist[0] if valuelist else ""
        if not text.strip():
            raise ValueError("Give the time of day.")
        self.data = read_time(text)


class MessageWishes(FlaskForm):  # type: ignore[misc]
    """How somebody wants messages: the choices, each checked against its list. Not a form by itself."""

    timezone: SelectField
    language: SelectField
    channel: SelectField

    def validate_timezone(self, field: Field) -> None:
        """One from the list, or the name of a zone that the list leaves out."""
        if field.data == "" and any("" in group for group in field.choices.values()):
            return
        try:
            zone(field.data or "")
        except UnknownZoneError as error:
            raise ValidationError("Choose a time zone from the list.") from error

    def validate_language(self, field: Field) -> None:
        """A language that the clinic offers."""
        if field.data not in field.choices:
            raise ValidationError("Choose a language from the list.")

    def validate_channel(self, field: Field) -> None:
        """One from the list."""
        if (field.data or "") not in field.choices:
            raise ValidationError("Choose from the list how the messages come.")


class EnrolForm(MessageWishes):
    """An injection that was performed, and the patient's agreement to messages."""

    number = StringField(
        "Patient's phone number",
        render_kw={"inputmode": "tel", "autocomplete": "off", "maxlength": NUMBER_TYPED_LONGEST},
    )
    performed_on = WallDate("Date of the injection")
    performed_at = WallTime("Time of the injection")
    timezone = SelectField(
        "Time zone of the patient",
        validate_choice=False,
        description="The date and time above are read in this zone, and messages go at its hours.",
    )
    language = SelectField("Language of the messages", validate_choice=False)
    channel = SelectField(
        "How the messages come",
        choices=CHANNELS,
        validate_choice=False,
        description="A number that cannot get texts is called in any case.",
    )
    agreed = BooleanField("The patient heard this and agrees to the messages")
    wording_seen = StringField()  # hidden: language and version of the consent words on the page

    parsed: PhoneNumber
    performed: LocalInstant

    def offer(self, languages: dict[str, str], regions: frozenset[str], wording: dict[str, int]) -> EnrolForm:
        """Set what the clinic offers: languages, regions of numbers, and the consent words in force."""
        self.timezone.choices = zone_choices()
        self.language.choices = languages
        self._regions, self._wording = regions, wording
        return self

    def validate_number(self, field: Field) -> None:
        """A number of a person's own phone, in a region that the line texts."""
        text = field.data or ""
        if len(text) > NUMBER_TYPED_LONGEST:
            raise ValidationError("This is too long for a phone number.")
        if any(ord(c) < 32 or c == "\x7f" for c in text):
            raise ValidationError("This holds a character that is not text. Type it again.")
        self.parsed = parse(text, regions=self._regions)
        if self.parsed.kind != "person":
            raise ValidationError(NOT_A_PATIENT[self.parsed.kind])

    def validate_agreed(self, field: Field) -> None:
        """Agreement to the words that are in force, not to older ones."""
        if not field.data:
            raise ValidationError("Messages need the patient's agreement.")
        if self.wording_seen.data != seen(self._wording):
            field.data = False
            raise ValidationError(
                "These words have changed since the page was opened. Read out the new ones."
            )

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether everything can be read; ``parsed`` and ``performed`` then hold the result."""
        readable = bool(super().validate(extra_validators))
        return self._read_instant() and readable

    def _read_instant(self) -> bool:
        day, at = self.performed_on.data, self.performed_at.data
        if day is None or at is None or self.timezone.errors:
            return False
        try:
            self.performed = local_instant(day, at, zone(self.timezone.data))
        except LocalTimeError as error:
            target = self.performed_on if error.field == "date" else self.performed_at
            _add_error(target, str(error))
            return False
        return True

    def put(self, error: EnrolError) -> None:
        """Show an error of the service next to the field that it concerns."""
        target = {"performed_at": self.performed_on, "number": self.number, "timezone": self.timezone}.get(
            error.field
        )
        _add_error(self.agreed if target is None else target, _sentence(error))


def seen(wording: dict[str, int]) -> str:
    """Which versions of the consent words a page showed."""
    return ",".join(f"{code}:{version}" for code, version in sorted(wording.items()))


def zone_choices() -> dict[str, dict[str, str]]:
    """Zones in groups, those of the United States first."""
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    groups["United States"] = {name: US_NAMES.get(name, _spelled(name)) for name in US_ZONES}
    for name in sorted(available_timezones()):
        if "/" in name and name not in US_ZONES and not name.startswith(_ZONE_OTHER):
            groups[name.partition("/")[0]][name] = _spelled(name)
    return dict(groups)


def _spelled(name: str) -> str:
    return name.partition("/")[2].replace("_", " ")


def _sentence(error: EnrolError) -> str:
    text = str(error)
    if text.startswith("is "):
        text = f"This {text}"
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _add_error(field: Field, message: str) -> None:
    field.errors = [*field.errors, message]
