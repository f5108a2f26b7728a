"""The forms of the patient page: a text, a note, what the contact wants, another time for a message."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import cache

from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, HiddenField, SelectField, StringField, TextAreaField, ValidationError

from nurseline.messaging.names import NAME_LONGEST
from nurseline.messaging.staff_texts import Seen
from nurseline.staff.forms import MessageWishes, Textual, WallDate, WallTime, one_line_ends, zone_choices
from nurseline.staff.texting import LONGEST, Ready
from nurseline.staff.words import CHANNELS

NOTE_LONGEST = 4000
OWN = "Your own words"


@cache
def _zones() -> dict[str, dict[str, str]]:
    return {"No zone": {"": "Not known"}, **zone_choices()}  # reading them all takes a while


class TextForm(FlaskForm):  # type: ignore[misc]
    """A text to the patient. ``key`` makes a second press send nothing; ``seen``: what the page showed."""

    ready = SelectField("Ready reply", validate_choice=False)
    words = TextAreaField(
        "Words",
        filters=[one_line_ends],
        validators=[Textual(LONGEST)],
        render_kw={"rows": 3, "maxlength": LONGEST, "dir": "auto"},
    )
    emergency = BooleanField("Add the 911 line")
    key = HiddenField()
    seen = HiddenField()

    def offer(self, replies: Mapping[str, tuple[Ready, ...]], label: str) -> TextForm:
        """Set the ready replies, and the words of the 911 line."""
        self._ready = {reply.id: reply for group in replies.values() for reply in group}
        self.ready.choices = {
            "": [("", OWN)],
            **{group: [(reply.id, reply.label) for reply in some] for group, some in replies.items()},
        }
        self.emergency.label.text = f"Add “{label}”"
        return self

    def validate_ready(self, field: Field) -> None:
        """One from the list, or none."""
        if field.data and field.data not in self._ready:
            raise ValidationError("Choose a reply from the list.")

    def validate_words(self, field: Field) -> None:
        """Words, where no ready reply stands for them."""
        if not (field.data or "").strip() and not self.ready.data:
            raise ValidationError("Write something, or choose a ready reply.")

    def validate_key(self, field: Field) -> None:
        """The key that the page gave."""
        try:
            uuid.UUID(field.data or "")
        except ValueError as error:
            field.data = str(uuid.uuid4())
            raise ValidationError("This page was not complete. Look it over and send it again.") from error

    def said(self) -> tuple[str, Ready | None]:
        """The words, and the ready reply if they are its words unchanged."""
        chosen = self._ready.get(self.ready.data or "")
        typed = (self.words.data or "").strip()
        if chosen is not None and typed in {"", chosen.text.strip()}:
            return chosen.text, chosen
        return typed, None

    def was_seen(self) -> Seen | None:
        """What the page showed; None if that cannot be read."""
        staff, _, patient = (self.seen.data or "").partition(".")
        ours = staff.isascii() and staff.isdigit() and patient.isascii() and patient.isdigit()
        return Seen(int(staff[:9]), int(patient[:9])) if ours else None


class NoteForm(FlaskForm):  # type: ignore[misc]
    """A note about the patient."""

    note = TextAreaField(
        "Note",
        filters=[one_line_ends],
        validators=[Textual(NOTE_LONGEST)],
        description="Only staff can read it. It cannot be changed later.",
        render_kw={"rows": 3, "maxlength": NOTE_LONGEST, "dir": "auto"},
    )

    def validate_note(self, field: Field) -> None:
        """Something to keep."""
        if not field.data:
            raise ValidationError("Write the note first.")


class AboutForm(MessageWishes):
    """What the contact is called, and how they want messages."""

    name = StringField("Name", render_kw={"autocomplete": "off", "maxlength": NAME_LONGEST, "dir": "auto"})
    timezone = SelectField("Time zone", validate_choice=False)
    language = SelectField("Language", validate_choice=False)
    channel = SelectField("Planned messages come", choices=CHANNELS, validate_choice=False)

    def offer(self, languages: dict[str, str]) -> AboutForm:
        """Set the languages that the clinic offers."""
        self.language.choices = languages
        self.timezone.choices = _zones()
        return self

    def validate_name(self, field: Field) -> None:
        """One line that fits."""
        text = " ".join((field.data or "").split())
        Textual(NAME_LONGEST)(self, field)
        if "\n" in (field.data or ""):
            raise ValidationError("Write the name in one line.")
        field.data = text


class MoveForm(FlaskForm):  # type: ignore[misc]
    """Another time for a planned message, on the clinic's clock."""

    day = WallDate("Date")
    at = WallTime("Time")
