"""Forms about people: codes, passwords, accounts."""

from __future__ import annotations

from typing import Any

from email_validator import EmailNotValidError, validate_email
from flask_wtf import FlaskForm
from wtforms import EmailField, Field, PasswordField, SelectMultipleField, StringField, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from nurseline.staff import passwords
from nurseline.staff.rights import ROLE_WORDS
from nurseline.staff.second_step import TYPED_LONGEST

NAME_LONGEST, EMAIL_LONGEST = 80, 255
NOT_A_NAME = "Write a name that can be shown, on one line."


def read_name(text: str) -> str:
    """A person's name as colleagues see it. Raises ValueError with what is wrong."""
    name = text.strip()
    if not name or not name.isprintable():
        raise ValueError(NOT_A_NAME)
    if len(name) > NAME_LONGEST:
        raise ValueError(f"This is too long: {len(name)} characters, {NAME_LONGEST} fit.")
    return name


def read_email(text: str) -> str:
    """An address to sign in with, in the form in which it is kept. Raises ValueError with what is wrong."""
    if len(text) > EMAIL_LONGEST:
        raise ValueError(f"This is too long: {len(text)} characters, {EMAIL_LONGEST} fit.")
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise ValueError("This is not an email address. Write it like name@example.org.") from error


class CodeForm(FlaskForm):  # type: ignore[misc]
    """A code of the app, or a recovery code."""

    code = StringField(
        "Code from your app",
        description="Six digits that change every 30 seconds.",
        render_kw={
            "inputmode": "numeric",
            "autocomplete": "one-time-code",
            "maxlength": TYPED_LONGEST,
        },
    )


class RecoveryForm(FlaskForm):  # type: ignore[misc]
    """A recovery code."""

    recovery = StringField(
        "Recovery code",
        description="One of the ten that you were given once. It works a single time.",
        render_kw={"autocomplete": "off", "maxlength": TYPED_LONGEST, "spellcheck": "false"},
    )


class OwnPasswordForm(FlaskForm):  # type: ignore[misc]
    """The password that somebody has now, before something that matters."""

    password = PasswordField(
        "Your password",
        render_kw={"autocomplete": "current-password", "maxlength": passwords.LONGEST},
    )


class ReplaceStepForm(OwnPasswordForm):
    """A new app for somebody who is signed in."""

    code = StringField(
        "Code from your app",
        description="Six digits that the app shows after you added this account.",
        render_kw={"inputmode": "numeric", "autocomplete": "one-time-code", "maxlength": TYPED_LONGEST},
    )


class NewPasswordForm(FlaskForm):  # type: ignore[misc]
    """A password, twice."""

    new = PasswordField(
        "New password",
        description=f"At least {passwords.SHORTEST} characters; several words are easiest to keep in mind.",
        render_kw={"autocomplete": "new-password", "maxlength": passwords.LONGEST},
    )
    again = PasswordField(
        "The same again", render_kw={"autocomplete": "new-password", "maxlength": passwords.LONGEST}
    )
    email = ""  # of the account; a password may not hold it

    def validate_new(self, field: Field) -> None:
        """What the rules for passwords accept."""
        try:
            passwords.check(field.data or "", email=self.email)
        except passwords.WeakPasswordError as error:
            raise ValidationError(str(error)) from error

    def validate_again(self, field: Field) -> None:
        """The same as the first."""
        if (field.data or "") != (self.new.data or ""):
            raise ValidationError("This is not the same as above.")


class ChangePasswordForm(NewPasswordForm):
    """A new password instead of the one that somebody has."""

    password = PasswordField(
        "Your password now",
        render_kw={"autocomplete": "current-password", "maxlength": passwords.LONGEST},
    )


class _Roles(SelectMultipleField):  # type: ignore[misc]
    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class RolesForm(FlaskForm):  # type: ignore[misc]
    """What somebody may do."""

    roles = _Roles("Roles", choices=ROLE_WORDS, validate_choice=False)

    def validate_roles(self, field: Field) -> None:
        """At least one, and none that does not exist."""
        if not field.data or not set(field.data) <= set(ROLE_WORDS):
            raise ValidationError("Choose at least one role from the list.")


class InviteForm(RolesForm):
    """Somebody new."""

    email = EmailField("Email", render_kw={"autocomplete": "off", "maxlength": EMAIL_LONGEST})
    name = StringField(
        "Name",
        description="As colleagues see it.",
        render_kw={"autocomplete": "off", "maxlength": NAME_LONGEST, "dir": "auto"},
    )

    def validate_email(self, field: Field) -> None:
        """An address, kept in lower case."""
        field.data = _read(read_email, field.data)

    def validate_name(self, field: Field) -> None:
        """Words that can be shown."""
        field.data = _read(read_name, field.data)


def _read(read: Any, text: str | None) -> str:
    try:
        return str(read(text or ""))
    except ValueError as error:
        raise ValidationError(str(error)) from error
