"""Every page is checked by axe-core (WCAG 2.2 A and AA), and is light enough for a slow line."""

from __future__ import annotations

from functools import cache
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from nurseline.messaging.names import set_name
from tests.staff.conftest import Desk, telephone
from tests.staff.test_staff_contacts import text_out
from tests.staff.test_staff_in_browser import Staffroom, enrolments, every_page, staffroom

__all__ = ["staffroom"]
pytestmark = pytest.mark.browser

STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]  # all that differs between light and dark
BEFORE_SIGN_IN = ("/staff/sign-in",)
MOST_BYTES = 200_000  # of the first view, with everything it loads


def filled(desk: Desk) -> list[str]:
    """A desk on which every page has something to show; the addresses of all pages."""
    item = desk.item("emergency", "I can't breathe", best_time="in the morning")
    desk.item("clinical", "can I take a bath?", number="+12025550124")
    desk.item("schedule", "any time", number="+12025550125", source="call")
    desk.item("nurse", "", number=None, source="call")
    injections = enrolments(desk, "Ada")
    with desk.parts.db.begin() as session:
        set_name(session, desk.parts.keyring, desk.contact(), "Ann Bell")
    return every_page(
        desk,
        item_id=item,
        contact_id=desk.contact().id,
        injection_id=injections[0].rsplit("/", 1)[1],
        phone_id=telephone(desk),
        user_id=desk.account("Bea").id,
        message_id=text_out(desk, "How are you?", "unknown"),
    )


def complaints(page: Page, rules: list[str]) -> list[str]:
    """What axe-core finds wrong with a page, a line each."""
    result = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]})
    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '').splitlines()[-1:]}"
        for one in result.response["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("width", "scheme", "rules"),
    [(1280, "light", STANDARD), (360, "light", STANDARD), (1280, "dark", COLOURS)],
)
def test_axe_has_nothing_to_say_about_any_page(
    staffroom: Staffroom, width: int, scheme: Literal["light", "dark"], rules: list[str]
) -> None:
    paths = filled(staffroom.desk)
    page = staffroom.page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    found: dict[str, list[str]] = {}
    for path in BEFORE_SIGN_IN:
        page.goto(path)
        found[path] = complaints(page, rules)
    staffroom.sign_in(page, "Cleo", "admin")
    for path in paths:
        page.goto(path)
        found[path] = complaints(page, rules)
    assert {path: said for path, said in found.items() if said} == {}
    assert len(found) > 20


def test_a_first_view_is_small_and_comes_from_the_line_alone(staffroom: Staffroom) -> None:
    paths = filled(staffroom.desk)
    page = staffroom.signed_in("Dan")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))

    @cache
    def size(url: str) -> int:
        """Bytes of what is asked for, whether or not this browser still had it."""
        return len(page.request.get(url).body())

    for path in paths:
        asked.clear()
        page.goto(path)
        loaded = [url for url in asked if not url.startswith("data:")]
        assert all(url.startswith(staffroom.base) for url in loaded), path
        assert 1 < len(loaded) < 20, path
        assert sum(size(url) for url in loaded) < MOST_BYTES, path
