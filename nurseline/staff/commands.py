"""``python -m nurseline staff``: accounts of the people who work the queue."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from nurseline.parts import Parts
from nurseline.staff import audit, own_phone, passwords
from nurseline.staff.access import ROLES
from nurseline.staff.models import StaffUser
from nurseline.staff.people import PeopleError, end_sessions, new_uniquifier, reset_second_step, roles_named
from nurseline.staff.people import disable as close

Build = Callable[[], Parts]
NAME_LONGEST = 80
ACTOR = "command"

as_json = click.option("--json", "json_", is_flag=True, help="Answer as JSON.")
from_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)


@click.group()
def staff() -> None:
    """Accounts of nurses and schedulers."""


@staff.command("add")
@click.option("--email", required=True, help="Address to sign in with.")
@click.option("--name", help="Name that colleagues see; else what stands before the @.")
@click.option(
    "--role",
    "roles",
    type=click.Choice(ROLES),
    multiple=True,
    default=["nurse"],
    show_default=True,
    help="May be given several times.",
)
@click.option("--phone", "number", help="Number that rings when this person calls a patient back.")
@from_stdin
@click.option("--if-missing", is_flag=True, help="Do nothing, successfully, if the account exists.")
@as_json
@click.pass_obj
def add(
    build: Build,
    email: str,
    name: str | None,
    roles: tuple[str, ...],
    number: str | None,
    password_stdin: bool,
    if_missing: bool,
    json_: bool,
) -> None:
    """Add an account. Without a terminal or --password-stdin, a password is made and printed once."""
    email = _email(email)
    name = _name(name if name is not None else email.partition("@")[0])
    parts = build()
    phone = _read_phone(number, parts)
    with _database(parts) as session:
        if _find(session, email) is not None:
            return _already(email, if_missing=if_missing, json_=json_)
    password, made = _password(email, from_stdin=password_stdin)
    password_hash = passwords.hashed(password)
    try:
        with _database(parts) as session:
            user = insert_account(
                session, parts, email=email, name=name, role=roles, password_hash=password_hash
            )
            if phone:
                own_phone.keep(session, user, phone, parts.clock, actor=ACTOR)
    except IntegrityError:  # somebody else added it at the same moment
        return _already(email, if_missing=if_missing, json_=json_)
    said = ", ".join(dict.fromkeys(roles))
    answer = {"id": str(user.id), "email": email, "name": name, "role": said, "added": True}
    lines = [f"added {email} ({said})"]
    if made:
        answer["password"] = password
        lines.append(f"password: {password}")
    return _answer(answer, lines, json_=json_)


@staff.command("list")
@as_json
@click.pass_obj
def list_(build: Build, json_: bool) -> None:
    """Show all accounts."""
    with _database(build()) as session:
        users = session.scalars(sa.select(StaffUser).order_by(StaffUser.email)).all()
        rows = [
            {
                "id": str(user.id),
                "email": user.email,
                "name": user.name,
                "active": user.active,
                "roles": ", ".join(sorted(role.name for role in user.roles)),
            }
            for user in users
        ]
    if json_:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        state = "" if row["active"] else "  (disabled)"
        click.echo(f"{row['email']}  {row['roles']}  {row['name']}{state}")
    if not rows:
        click.echo("no accounts")


@staff.command("disable")
@click.argument("email")
@as_json
@click.pass_obj
def disable(build: Build, email: str, json_: bool) -> None:
    """Close an account and end its sessions at once."""
    parts = build()
    try:
        with _database(parts) as session:
            user = _existing(session, email)
            close(session, user, now=parts.clock.now(), actor=ACTOR)
    except PeopleError as error:
        raise click.ClickException(str(error)) from error
    _answer(
        {"email": user.email, "active": False},
        [f"disabled {user.email}; its sessions are ended"],
        json_=json_,
    )


@staff.command("password")
@click.argument("email")
@from_stdin
@as_json
@click.pass_obj
def password_(build: Build, email: str, password_stdin: bool, json_: bool) -> None:
    """Set a new password, end the account's sessions, and open it again if it was disabled."""
    parts = build()
    with _database(parts) as session:
        address = _existing(session, email).email
    password, made = _password(address, from_stdin=password_stdin)
    password_hash = passwords.hashed(password)
    with _database(parts) as session:
        user = _existing(session, email)
        user.password, user.active = password_hash, True
        now = parts.clock.now()
        end_sessions(session, user, now=now)
        audit.record(session, ACTOR, "password_set", at=now, account_id=user.id)
    answer: dict[str, Any] = {"email": address, "active": True}
    lines = [f"new password for {address}"]
    if made:
        answer["password"] = password
        lines.append(f"password: {password}")
    _answer(answer, lines, json_=json_)


@staff.command("reset-second-step")
@click.argument("email")
@as_json
@click.pass_obj
def reset_second_step_(build: Build, email: str, json_: bool) -> None:
    """Forget the app and recovery codes of somebody who has lost them, and end the account's sessions."""
    parts = build()
    with _database(parts) as session:
        user = _existing(session, email)
        reset_second_step(session, user, now=parts.clock.now(), actor=ACTOR)
    lines = [f"{user.email} has no second step any more; the account's sessions are ended"]
    _answer({"email": user.email, "second_step": False}, lines, json_=json_)


@staff.command("phone")
@click.argument("email")
@click.argument("number", required=False)
@click.option("--remove", is_flag=True, help="Forget the number that is kept.")
@as_json
@click.pass_obj
def phone_(build: Build, email: str, number: str | None, remove: bool, json_: bool) -> None:
    """Set the NUMBER of the phone that rings when this person calls a patient back."""
    if remove == (number is not None):
        raise click.ClickException("give either a number or --remove")
    parts = build()
    kept = _read_phone(number, parts)
    with _database(parts) as session:
        user = _existing(session, email)
        own_phone.keep(session, user, kept, parts.clock, actor=ACTOR)
    done = f"phone of {user.email} is kept" if kept else f"no phone of {user.email} is kept any more"
    _answer({"email": user.email, "phone": kept is not None}, [done], json_=json_)


def insert_account(
    session: Session, parts: Parts, *, email: str, name: str, role: str | Sequence[str], password_hash: str
) -> StaffUser:
    """Add an account. ``role``: one or several; ``password_hash``: of a checked one (`passwords.hashed`)."""
    now = parts.clock.now()
    user = StaffUser(
        id=uuid.uuid4(),
        email=email,
        name=name,
        password=password_hash,
        active=True,
        fs_uniquifier=new_uniquifier(),
        created_at=now,
    )
    user.roles = roles_named(session, [role] if isinstance(role, str) else role)
    session.add(user)
    session.flush()
    audit.record(session, ACTOR, "account_added", at=now, account_id=user.id)
    return user


def _read_phone(number: str | None, parts: Parts) -> str | None:
    try:
        return own_phone.read(number, parts.settings) if number is not None else None
    except own_phone.OwnPhoneError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _database(parts: Parts) -> Iterator[Session]:
    try:
        with parts.db.begin() as session:
            yield session
    except OperationalError as error:
        raise click.ClickException("the database cannot be reached (DATABASE_URL)") from error
    except ProgrammingError as error:
        raise click.ClickException(
            "the database has no tables yet: run `python -m nurseline db upgrade`"
        ) from error


def _find(session: Session, email: str) -> StaffUser | None:
    return session.scalar(sa.select(StaffUser).where(StaffUser.email == email))


def _existing(session: Session, email: str) -> StaffUser:
    user = _find(session, _email(email))
    if user is None:
        raise click.ClickException(f"there is no account {_email(email)}")
    return user


def _email(text: str) -> str:
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise click.ClickException(f"--email: {' '.join(str(error).split())}") from error


def _name(text: str) -> str:
    name = text.strip()
    if not name or not name.isprintable():
        raise click.ClickException("--name: must be words that can be shown")
    if len(name) > NAME_LONGEST:
        raise click.ClickException(f"--name: is too long: {len(name)} characters, {NAME_LONGEST} fit")
    return name


def _password(email: str, *, from_stdin: bool) -> tuple[str, bool]:
    """The password, and whether it was made here."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt="The same again")
    else:
        return passwords.fresh(), True
    try:
        passwords.check(password, email=email)
    except passwords.WeakPasswordError as error:
        raise click.ClickException(str(error)) from error
    return password, False


def _already(email: str, *, if_missing: bool, json_: bool) -> None:
    if not if_missing:
        raise click.ClickException(f"there is an account {email} already")
    _answer({"email": email, "added": False}, [f"there is an account {email} already"], json_=json_)


def _answer(data: dict[str, Any], lines: list[str], *, json_: bool) -> None:
    click.echo(json.dumps(data) if json_ else "\n".join(lines))
