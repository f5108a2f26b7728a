"""``python -m nurseline staff``: accounts from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from nurseline.app import build
from nurseline.staff import passwords, second_step
from nurseline.staff.commands import staff
from nurseline.staff.models import StaffUser
from tests.staff.conftest import PASSWORD, Desk, staff_settings
from tests.support.processes import basic_environment
from tests.support.settings import settings_for_tests

EMAIL = "ada@example.org"


def run(desk: Desk, *words: str, stdin: str | None = None) -> Result:
    """Run a command as the command line does."""
    return CliRunner().invoke(staff, list(words), input=stdin, obj=lambda: desk.parts)


def answer(result: Result) -> Any:
    """The JSON that was printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_an_account_with_a_password_from_stdin_opens_the_pages(desk: Desk) -> None:
    result = run(
        desk, "add", "--email", " Ada@Example.org", "--name", "Ada", "--password-stdin", stdin=f"{PASSWORD}\n"
    )
    assert result.exit_code == 0
    assert result.output == "added ada@example.org (nurse)\n"
    assert desk.browser().sign_in(EMAIL).status_code == 302


def test_without_a_password_one_is_made_and_printed_once(desk: Desk) -> None:
    made = answer(run(desk, "add", "--email", EMAIL, "--role", "scheduler", "--json"))
    assert made["role"] == "scheduler"
    assert len(made["password"]) >= 20
    assert desk.browser().sign_in(EMAIL, made["password"]).status_code == 302
    assert "password" not in run(desk, "list", "--json").output


def test_if_missing_leaves_an_account_as_it_is(desk: Desk) -> None:
    run(desk, "add", "--email", EMAIL, "--password-stdin", stdin=PASSWORD)
    again = answer(run(desk, "add", "--email", EMAIL, "--if-missing", "--json"))
    assert again == {"email": EMAIL, "added": False}
    assert desk.browser().sign_in(EMAIL).status_code == 302
    refused = run(desk, "add", "--email", EMAIL.upper())
    assert refused.exit_code == 1
    assert refused.output == f"Error: there is an account {EMAIL} already\n"


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (("--email", "nobody"), None, "--email: "),
        (("--email", ""), None, "--email: "),
        (("--email", "a\u202eb@example.org"), None, "--email: "),
        (("--email", f"{'x' * 1600}@example.org"), None, "--email: "),
        (("--email", EMAIL, "--name", ""), None, "--name: "),
        (("--email", EMAIL, "--name", "a\nb"), None, "--name: "),
        (("--email", EMAIL, "--name", "x" * 81), None, "--name: is too long: 81 characters, 80 fit"),
        (("--email", EMAIL, "--role", "boss"), None, "boss"),
        ((), None, "--email"),
        (("--email", EMAIL, "--password-stdin"), "short", "too short: 5 characters, it needs 12"),
        (("--email", EMAIL, "--password-stdin"), "", "too short: 0 characters"),
        (("--email", EMAIL, "--password-stdin"), "password1234", "on the list of those tried first"),
        (("--email", EMAIL, "--password-stdin"), "x" * 300, "too long: 300 characters"),
    ],
)
def test_what_cannot_be_an_account_is_refused_in_one_line(
    desk: Desk, words: tuple[str, ...], stdin: str | None, message: str
) -> None:
    result = run(desk, "add", *words, stdin=stdin)
    assert result.exit_code != 0
    last = result.output.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last
    assert json.loads(run(desk, "list", "--json").output) == []


def test_the_list_shows_who_may_do_what(desk: Desk) -> None:
    assert run(desk, "list").output == "no accounts\n"
    desk.account("Ada", "admin", EMAIL)
    assert run(desk, "list").output == "ada@example.org  admin  Ada\n"


def test_a_disabled_account_is_out_at_once_and_a_new_password_opens_it_again(desk: Desk) -> None:
    desk.account("Ada", email=EMAIL)
    browser = desk.browser()
    browser.sign_in(EMAIL)
    assert browser.get("/staff/queue").status_code == 200
    assert answer(run(desk, "disable", EMAIL, "--json")) == {"email": EMAIL, "active": False}
    assert browser.get("/staff/queue").status_code == 302
    assert desk.browser().sign_in(EMAIL).status_code == 200
    assert "(disabled)" in run(desk, "list").output
    made = answer(run(desk, "password", EMAIL, "--json"))
    assert desk.browser().sign_in(EMAIL, made["password"]).status_code == 302


def test_a_new_password_ends_the_sessions_of_the_old_one(desk: Desk) -> None:
    desk.account("Ada", email=EMAIL)
    browser = desk.browser()
    browser.sign_in(EMAIL)
    assert run(desk, "password", EMAIL, "--password-stdin", stdin="another violet harbor").exit_code == 0
    assert browser.get("/staff/queue").status_code == 302
    assert desk.browser().sign_in(EMAIL).status_code == 200
    assert desk.browser().sign_in(EMAIL, "another violet harbor").status_code == 302


@pytest.mark.parametrize("command", ["disable", "password"])
def test_an_account_that_does_not_exist_is_named(desk: Desk, command: str) -> None:
    result = run(desk, command, "nobody@example.org")
    assert (result.exit_code, result.output) == (1, "Error: there is no account nobody@example.org\n")


def test_a_database_without_tables_or_out_of_reach_is_one_line(empty_database_url: str, desk: Desk) -> None:
    empty = build(staff_settings(empty_database_url))
    result = CliRunner().invoke(staff, ["list"], obj=lambda: empty)
    assert (result.exit_code, result.output.startswith("Error: the database has no tables yet")) == (1, True)
    empty.db.engine.dispose()
    away = build(staff_settings("postgresql://nobody@127.0.0.1:1/none"))
    result = CliRunner().invoke(staff, ["list"], obj=lambda: away)
    assert result.output == "Error: the database cannot be reached (DATABASE_URL)\n"
    assert desk.parts.db is not away.db


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "PassWord1234!",
        "nurseline1234",
        "qwertyuiop12",
        "123456789012",
        "abcdefghijklm",
        "aaaaaaaaaaaa",
        "abababababab",
        "ada@example.org",
        "adaada123456",
        "Ｐａｓｓｗｏｒｄ１２３４",
    ],
)
def test_passwords_that_everybody_tries_first_are_refused(password: str) -> None:
    with pytest.raises(passwords.WeakPasswordError):
        passwords.check(password, email=EMAIL)


@pytest.mark.parametrize(
    "password",
    [
        "violet harbor seventeen",
        "Ünïcode pässwörter",
        "x9!kQ2#mZ7@p",
        "مرحبا بكم في العيادة",
        "long " * 50 + "end",
    ],
)
def test_long_passwords_of_any_writing_are_taken(password: str) -> None:
    passwords.check(password, email=EMAIL)
    assert passwords.hashed(password).startswith("$argon2id$")


def test_made_passwords_are_accepted_and_never_the_same() -> None:
    made = {passwords.fresh() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        passwords.check(password, email=EMAIL)


@pytest.mark.parametrize(("password", "code"), [(f"{PASSWORD}\n", 0), ("short\n", 1)])
def test_the_command_line_as_it_is_typed(
    own_database_url: str, tmp_path: Path, password: str, code: int
) -> None:
    settings = settings_for_tests(
        database_url=own_database_url, redis_url="redis://127.0.0.1:1/0", port=1, phone_port=2, state=tmp_path
    )
    done = subprocess.run(
        [sys.executable, "-m", "nurseline", "staff", "add", "--email", EMAIL, "--password-stdin", "--json"],
        env={**basic_environment(), **settings},
        input=password,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    if code == 0:
        assert json.loads(done.stdout)["email"] == EMAIL
    else:
        assert done.stdout == ""
        assert done.stderr == "Error: The password is too short: 5 characters, it needs 12.\n"


def test_an_account_can_have_several_roles_and_a_phone_from_the_start(desk: Desk) -> None:
    words = ("--role", "nurse", "--role", "admin", "--phone", "202-555-0188", "--json")
    assert answer(run(desk, "add", "--email", EMAIL, *words))["role"] == "nurse, admin"
    assert answer(run(desk, "list", "--json"))[0]["roles"] == "admin, nurse"
    with desk.parts.db.begin() as session:
        assert session.scalars(sa.select(StaffUser)).one().phone == "+12025550188"
    refused = run(desk, "add", "--email", "b@example.org", "--phone", "123")
    assert refused.exit_code == 1
    assert "too short for a phone number" in refused.output


def test_the_second_step_of_somebody_who_lost_the_phone_is_reset(desk: Desk) -> None:
    user = desk.account(email=EMAIL)
    with desk.parts.db.begin() as session:
        second_step.turn_on(session.get_one(StaffUser, user.id), second_step.new_secret(), 0)
    assert desk.browser().get("/staff/sign-in").status_code == 200
    done = run(desk, "reset-second-step", EMAIL)
    assert done.output == f"{EMAIL} has no second step any more; the account's sessions are ended\n"
    browser = desk.browser()
    browser.sign_in(EMAIL)
    assert browser.get("/staff/queue").status_code == 200
    assert run(desk, "reset-second-step", "nobody@example.org").exit_code == 1


def test_the_last_administrator_is_not_disabled(desk: Desk) -> None:
    desk.account(role="admin", email=EMAIL)
    refused = run(desk, "disable", EMAIL)
    assert refused.exit_code == 1
    assert "This is the last administrator." in refused.output
