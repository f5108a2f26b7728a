"""Finding a contact, an item or an injection, without a number or name in any address or log."""

from __future__ import annotations

import re
import uuid
from urllib.parse import unquote

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from nurseline.aftercare.bringing import Asked, bring
from nurseline.callbacks.models import CallbackItem
from nurseline.messaging.names import set_name
from nurseline.staff.models import StaffAudit
from tests.staff.conftest import PATIENT, Browser, Desk

WHOLE = re.compile(r"202.?555.?0123")


def find(browser: Browser, typed: str) -> TestResponse:
    """Type into the box of the top bar."""
    return browser.post("/staff/search", {"typed": typed}, follow_redirects=True)


def named(desk: Desk, name: str, number: str = PATIENT) -> uuid.UUID:
    contact = desk.contact(number)
    with desk.parts.db.begin() as session:
        set_name(session, desk.parts.keyring, contact, name)
    return contact.id


def searches(desk: Desk) -> list[uuid.UUID | None]:
    with desk.parts.db.begin() as session:
        return list(session.scalars(sa.select(StaffAudit.contact_id).where(StaffAudit.what == "searched")))


@pytest.mark.parametrize(
    "typed",
    ["+12025550123", "202-555-0123", "(202) 555 0123", "1 202.555.0123", "2025550123", " +1 202 555-0123 "],
)
def test_a_number_is_found_however_it_is_written(desk: Desk, typed: str) -> None:
    contact = named(desk, "Ann Bell")
    page = find(desk.signed_in(), typed)
    assert f"/staff/contacts/{contact}" in page.text
    assert "(•••) •••-0123" in page.text


def test_a_part_of_a_number_is_not_enough_and_the_page_says_so(desk: Desk) -> None:
    named(desk, "Ann Bell")
    page = find(desk.signed_in(), "0123")
    assert "Nothing found" in page.text
    assert "all of its ten digits" in page.text


@pytest.mark.parametrize("typed", ["ann", "Bell", "BELL Ann", "an be", "  bell  "])
def test_a_name_is_found_by_how_its_words_begin(desk: Desk, typed: str) -> None:
    contact = named(desk, "Ann Bell")
    named(desk, "Cal Dorn", "+12025550124")
    page = find(desk.signed_in(), typed)
    assert f"/staff/contacts/{contact}" in page.text
    assert "Cal Dorn" not in page.text


@pytest.mark.parametrize("typed", ["nn", "Ann Dorn", "Ann Bell Cal", "😀", "—", "%", "' OR 1=1 --", "שלום"])
def test_what_fits_nobody_finds_nobody(desk: Desk, typed: str) -> None:
    named(desk, "Ann Bell")
    page = find(desk.signed_in(), typed)
    assert page.status_code == 200
    assert "Nothing found" in page.text


def test_one_letter_is_too_little_for_a_name(desk: Desk) -> None:
    named(desk, "Ann Bell")
    assert "at least two letters" in find(desk.signed_in(), "a").text


def test_an_item_is_found_by_its_number(desk: Desk) -> None:
    item = desk.item()
    with desk.parts.db.begin() as session:
        reference = session.get_one(CallbackItem, item).reference
    for typed in (str(reference), f"#{reference}", f"item {reference}"):
        assert f"/staff/items/{item}" in find(desk.signed_in(), typed).text


@pytest.mark.parametrize("system", ["", "urn:oid:2.999.1"])
def test_an_injection_is_found_by_the_clinics_own_reference(desk: Desk, system: str) -> None:
    now = desk.clock.now()
    asked = Asked(1, PATIENT, now, "America/New_York", "en", reference="Visit 77/A", system=system)
    with desk.parts.db.begin() as session:
        done = bring(
            session,
            desk.parts.keyring,
            [asked],
            staff="staff-1",
            wording={"en": ("words", "1")},
            now=now,
            steps=desk.parts.steps,
        )
    page = find(desk.signed_in(), "visit 77/a")
    assert f"/staff/injections/{done.enrolled[1]}" in page.text
    assert "Visit 77/A" in page.text


def test_neither_address_nor_page_of_results_holds_the_number(desk: Desk) -> None:
    named(desk, "Ann Bell")
    browser = desk.signed_in()
    answer = browser.post("/staff/search", {"typed": "2025550123"})
    assert answer.status_code == 303
    address = unquote(answer.location)
    assert not WHOLE.search(address)
    assert "Referrer-Policy" in answer.headers
    named_address = browser.post("/staff/search", {"typed": "Bell"}).location
    assert "bell" not in unquote(named_address).casefold()


def test_results_are_for_the_sign_in_that_searched(desk: Desk) -> None:
    contact = named(desk, "Ann Bell")
    ada, ben = desk.signed_in("Ada"), desk.signed_in("Ben")
    address = ada.post("/staff/search", {"typed": "bell"}).location
    assert str(contact) in ada.get(address).text
    page = ben.get(address, follow_redirects=True)
    assert page.status_code == 200
    assert str(contact) not in page.text
    assert ada.get("/staff/search/nonsense", follow_redirects=True).status_code == 200
    assert ada.get("/staff/search/%00%ff", follow_redirects=True).status_code == 200


def test_every_search_is_recorded_with_whom_it_showed(desk: Desk) -> None:
    first, second = named(desk, "Ann Bell"), named(desk, "Ann Bellamy", "+12025550124")
    browser = desk.signed_in()
    find(browser, "nobody")
    find(browser, "bell")
    assert set(searches(desk)) == {None, first, second}


@pytest.mark.parametrize("typed", ["", "   ", "x" * 81, "a\0b", "a\x1bb"])
def test_what_cannot_be_searched_for_is_told_at_the_field(desk: Desk, typed: str) -> None:
    page = find(desk.signed_in(), typed)
    assert page.status_code == 422
    assert 'id="typed-errors"' in page.text
    assert not searches(desk)


def test_more_than_one_page_of_people_asks_for_more_letters(desk: Desk) -> None:
    for place in range(51):
        named(desk, f"Ann Bell{place}", f"+1202555{1000 + place}")
    page = find(desk.signed_in(), "ann")
    assert page.text.count("/staff/contacts/") == 50
    assert "Type more of the name" in page.text


def test_a_search_needs_the_token_of_the_page(desk: Desk) -> None:
    browser = desk.signed_in()
    assert browser.post("/staff/search", {"typed": "ann", "csrf_token": ""}).status_code == 400


def test_the_box_stands_on_every_page(desk: Desk) -> None:
    browser = desk.signed_in("Sue", "supervisor")
    for path in ("/staff/queue", "/staff/injections", "/staff/messages", "/staff/imports", "/staff/exports"):
        assert 'id="find"' in browser.get(path).text
