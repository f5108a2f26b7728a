"""The page "My phone", and the command that sets a phone."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from nurseline.staff.models import StaffAudit, StaffUser
from tests.staff.conftest import Desk
from tests.staff.test_staff_commands import answer, run

OWN_PHONE = "+12025550199"


@pytest.mark.parametrize("typed", ["(202) 555-0199", "2025550199", "+1 202 555 0199", " 202.555.0199 "])
def test_the_own_phone_is_kept_however_it_is_written(desk: Desk, typed: str) -> None:
    browser = desk.signed_in()
    browser.get("/staff/my-phone")
    assert browser.post("/staff/my-phone", {"number": typed}).location == "/staff/my-phone"
    assert 'value="202-555-0199"' in browser.get("/staff/my-phone").text
    with desk.parts.db.begin() as session:
        user = session.scalars(sa.select(StaffUser)).one()
        assert user.phone == OWN_PHONE
        line = session.scalars(sa.select(StaffAudit).where(StaffAudit.what == "phone_set")).one()
        assert (line.staff_id, line.account_id) == (str(user.id), user.id)
        row = session.scalar(sa.text("SELECT staff_users::text FROM staff_users"))
        assert "5550199" not in row


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Write the number of your phone."),
        ("555-0199", "This is not a phone number."),
        ("911", "This is too short for a phone number."),
        ("1-800-555-0199", "This is a toll-free or service number."),
        ("+1 876 555 0199", "from a country that the line does not call"),
        ("+1 500 555 0006", "This is the line's own number."),
        ("2" * 41, "This is too long for a phone number."),
        ("<b>\x07", "This is not a phone number."),
    ],
)
def test_what_is_no_phone_of_a_person_is_refused_and_stays_in_the_field(
    desk: Desk, typed: str, words: str
) -> None:
    browser = desk.signed_in()
    browser.get("/staff/my-phone")
    answered = browser.post("/staff/my-phone", {"number": typed})
    assert answered.status_code == 422
    assert words in answered.text.replace("&#39;", "'")
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.select(StaffUser.phone)) is None


def test_the_own_phone_can_be_forgotten_and_nobody_sees_anothers(desk: Desk) -> None:
    browser, colleague = desk.signed_in(), desk.signed_in("Ben")
    browser.get("/staff/my-phone")
    browser.post("/staff/my-phone", {"number": OWN_PHONE})
    assert "0199" in browser.get("/staff/my-phone").text
    assert "0199" not in colleague.get("/staff/my-phone").text
    browser.get("/staff/my-phone")
    browser.post("/staff/my-phone", {"number": "", "forget": "1"})
    assert "0199" not in browser.get("/staff/my-phone").text
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).where(StaffUser.phone.is_not(None))) == 0


def test_the_command_sets_and_removes_a_phone(desk: Desk) -> None:
    user = desk.account("Ada", email="ada@example.org")
    kept = answer(run(desk, "phone", "Ada@example.org", "202-555-0199", "--json"))
    assert kept == {"email": "ada@example.org", "phone": True}
    with desk.parts.db.begin() as session:
        assert session.get_one(StaffUser, user.id).phone == OWN_PHONE
        line = session.scalars(sa.select(StaffAudit).where(StaffAudit.what == "phone_set")).one()
        assert (line.staff_id, line.account_id) == ("command", user.id)
    assert run(desk, "phone", "ada@example.org", "--remove").output == (
        "no phone of ada@example.org is kept any more\n"
    )
    with desk.parts.db.begin() as session:
        assert session.get_one(StaffUser, user.id).phone is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ada@example.org",), "give either a number or --remove"),
        (("ada@example.org", "2025550199", "--remove"), "give either a number or --remove"),
        (("ada@example.org", "911"), "This is too short for a phone number. Write all ten digits."),
        (("nobody@example.org", "2025550199"), "there is no account nobody@example.org"),
    ],
)
def test_a_phone_that_cannot_be_kept_is_one_line(desk: Desk, words: tuple[str, ...], message: str) -> None:
    desk.account("Ada", email="ada@example.org")
    result = run(desk, "phone", *words)
    assert (result.exit_code, result.output) == (1, f"Error: {message}\n")
