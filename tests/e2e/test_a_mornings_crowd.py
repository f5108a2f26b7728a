"""On the whole line: two browsers want one item, and the main pages on a phone's screen and in the dark."""

from __future__ import annotations

import re
from typing import Literal

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from nurseline.callbacks.models import CallbackItem
from nurseline.messaging.contacts import contact_for
from tests.e2e.morning import HEIGHT, WIDTH, Morning, morning, picture

__all__ = ["morning"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
PATIENT, OTHER = "+12025550123", "+12025550124"
PAGES = {
    "queue": "/staff/queue",
    "enrol": "/staff/injections/new",
    "injections": "/staff/injections",
    "import": "/staff/imports",
    "messages": "/staff/messages",
    "search": "/staff/search",
    "account": "/staff/account",
    "clinic": "/staff/clinic",
    "answers": "/staff/content",
    "record": "/staff/record",
    "reports": "/staff/reports",
    "people": "/staff/people",
    "settings": "/staff/settings",
}
DARK = 200  # red, green and blue of the page's ground together stay below


def the_item(morning: Morning) -> CallbackItem:
    with morning.line.parts.db.begin() as session:
        return session.scalars(sa.select(CallbackItem)).one()


def test_of_two_browsers_that_claim_at_once_one_gets_the_item_and_the_other_reads_who(
    morning: Morning,
) -> None:
    morning.line.phone.text(PATIENT, "I want to talk to a nurse")
    item = the_item(morning).id
    pages = {name: morning.signed_in(name) for name in ("Ada", "Bea")}
    for page in pages.values():
        expect(page.locator(f"#claim-{item}")).to_be_visible()
    for page in pages.values():
        page.evaluate(f"document.getElementById('claim-{item}').click()")  # does not wait for the answer
    told = re.compile("has this item|How did it end")
    for page in pages.values():
        expect(page.get_by_text(told).first).to_be_visible()
    winner = the_item(morning).claimed_name
    assert winner in pages
    loser = "Bea" if winner == "Ada" else "Ada"
    expect(pages[winner].get_by_role("heading", name="How did it end?")).to_be_visible()
    expect(pages[loser].get_by_text(f"{winner} has this item.")).to_be_visible()
    expect(pages[loser].get_by_role("heading", name="How did it end?")).to_have_count(0)
    picture(pages[loser], "21-told-who-has-it")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (WIDTH, "dark"), (360, "dark")])
def test_the_main_pages_fit_a_phones_screen_and_are_dark_where_that_is_wished(
    morning: Morning, width: int, scheme: Literal["light", "dark"]
) -> None:
    morning.line.phone.text(PATIENT, "I can't breathe")
    morning.line.phone.text(OTHER, "I want to talk to a nurse")
    parts = morning.line.parts
    with parts.db.begin() as session:
        contact = contact_for(session, parts.keyring, PATIENT, at=parts.clock.now()).id
        item = session.scalars(sa.select(CallbackItem.id).where(CallbackItem.reason == "emergency")).one()
    shown = {"viewport": {"width": width, "height": HEIGHT}, "color_scheme": scheme}
    page = morning.signed_in("Ada", "nurse", "admin", **shown)
    more = {"item": f"/staff/items/{item}", "patient": f"/staff/contacts/{contact}"}
    for name, path in {**PAGES, **more}.items():
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < DARK) == (scheme == "dark"), name
        picture(page, f"{name}-{width}-{scheme}")
    page.goto(more["item"])
    page.get_by_role("button", name="Claim").click()
    expect(page.get_by_role("heading", name="How did it end?")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture(page, f"outcome-{width}-{scheme}")
