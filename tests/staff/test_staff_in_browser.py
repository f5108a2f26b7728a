"""The pages in Chromium: the list that refreshes itself, widths, dark mode, keys, and the content policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal
from zoneinfo import available_timezones

import pytest
from playwright.sync_api import Browser as ChromiumBrowser
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.staff.conftest import PASSWORD, Desk, telephone
from tests.staff.test_staff_contacts import text_out
from tests.staff.test_staff_enrolment import enrol
from tests.staff.test_staff_security import address
from tests.support.chromium import close_windows
from tests.support.serving import served

pytestmark = pytest.mark.browser


@dataclass
class Staffroom:
    """A served app, and pages that open it. ``complaints``: what the browser had to say."""

    desk: Desk
    base: str
    new_context: Callable[..., BrowserContext]
    complaints: list[str] = field(default_factory=list)

    def page(self, **context: object) -> Page:
        """A page of a new browser window; complaints of the browser are kept."""
        page = self.new_context(base_url=self.base, **context).new_page()
        page.clock.install()  # so that nobody waits for the next refresh
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def signed_in(self, name: str = "Ada", **context: object) -> Page:
        """A page on which somebody has signed in by typing."""
        page = self.page(**context)
        self.sign_in(page, name)
        return page

    def sign_in(self, page: Page, name: str, role: str = "nurse") -> None:
        """Let somebody new sign in by typing."""
        user = self.desk.account(name, role)
        page.goto("/staff")
        page.get_by_label("Email").fill(user.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Queue")).to_be_visible()


def refresh(page: Page, wanted: Locator, *, visible: bool = True) -> None:
    """Let the seconds pass after which the list asks for news, until ``wanted`` is there, or is gone."""
    for _ in range(100):
        if wanted.is_visible() == visible:
            return
        page.clock.run_for(5_000)
        page.wait_for_timeout(50)
    pytest.fail(f"{wanted} did not {'appear' if visible else 'go'}")


@pytest.fixture
def staffroom(desk: Desk, browser: ChromiumBrowser) -> Iterator[Staffroom]:
    with served(desk.app) as base:
        room = Staffroom(desk, base, browser.new_context)
        yield room
        close_windows(browser)
    assert not [text for text in room.complaints if "Content Security Policy" in text or "Error:" in text]


def every_page(desk: Desk, **ids: object) -> list[str]:
    """The address of each page that can be opened, found in the app itself, and one that there is not."""
    # Files, and parts of a page.
    views = desk.app.view_functions
    apart = {"staff.static", "staff.voicemail_sound"}
    apart |= {endpoint for endpoint, view in views.items() if getattr(view, "is_passive", False)}
    rules = [
        rule
        for rule in desk.app.url_map.iter_rules()
        if rule.rule.startswith("/staff") and "GET" in (rule.methods or ()) and rule.endpoint not in apart
    ]
    paths = {address(desk.app, rule, **ids) for rule in rules if not rule.rule.endswith(".csv")}
    return [*sorted(paths), "/staff/nothing"]


def enrolments(desk: Desk, name: str) -> list[str]:
    """Enrol injections whose pages say all that such a page can say; their addresses."""
    browser = desk.signed_in(name)
    longest = max(available_timezones(), key=len)
    return [
        enrol(browser, performed_on=day, performed_at=time, timezone=zone)[1]
        for day, time, zone in (
            ("2026-03-02", "22:15", "America/New_York"),
            ("2026-02-27", "10:00", "America/North_Dakota/New_Salem"),
            ("2026-03-02", "09:00", longest),
        )
    ]


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1600, "dark")])
def test_every_page_fits_narrow_and_wide_screens_in_light_and_dark(
    staffroom: Staffroom, width: int, scheme: Literal["light", "dark"]
) -> None:
    desk, name = staffroom.desk, "Maximiliana-Featherstonehaugh-Wolfeschlegelstein"
    item = desk.item("clinical", "x" * 1600 + " \u202eمرحبا " + "😀" * 60, best_time="y" * 200)
    injections = enrolments(desk, name)
    injection_id = injections[0].rsplit("/", 1)[1]
    ids = {"item_id": item, "contact_id": desk.contact().id, "injection_id": injection_id}
    ids |= {"phone_id": telephone(desk), "user_id": desk.account(name).id}
    pages = every_page(desk, **ids, message_id=text_out(desk, "x" * 1600 + " مرحبا", "unknown"))
    page = staffroom.page(viewport={"width": width, "height": 740}, color_scheme=scheme)

    def fits(path: str) -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(int(part) for part in colour[4:-1].split(",")) < 200) == (scheme == "dark"), path

    page.goto("/staff/sign-in")
    fits("signing in")
    staffroom.sign_in(page, name, "admin")
    for path in {*pages, *injections}:
        page.goto(path)
        fits(path)
    page.goto("/staff/injections/new")
    page.get_by_role("button", name="Enrol").click()
    expect(page.get_by_text("Messages need the patient's agreement.")).to_be_visible()
    fits("enrolling with errors")
    page.goto(f"/staff/items/{item}")
    page.get_by_role("button", name="Claim").click()
    expect(page.get_by_label("Outcome", exact=True)).to_be_visible()
    fits("a claimed item")


def test_the_address_with_a_slash_leads_to_the_same_page(shared_desk: Desk) -> None:
    ada = shared_desk.signed_in()
    assert ada.get("/staff/").location == ada.get("/staff").location == "/staff/queue"
    stranger = shared_desk.browser().get("/staff/", follow_redirects=True)
    assert (stranger.status_code, stranger.request.path) == (200, "/staff/sign-in")


def test_the_first_tab_stop_leads_past_the_menu(staffroom: Staffroom) -> None:
    page = staffroom.signed_in()
    page.goto("/staff/messages")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_an_injection_is_enrolled_by_typing(staffroom: Staffroom) -> None:
    page = staffroom.signed_in()
    page.get_by_role("link", name="Enrol").click()
    page.get_by_label("Patient's phone number").fill("202-555-0123")
    page.get_by_label("Date of the injection").fill("2026-03-02")
    page.get_by_label("Time of the injection").fill("14:30")
    page.get_by_label("Time zone of the patient").select_option("Central (Chicago)")
    page.get_by_role("button", name="Enrol").click()
    expect(page.get_by_text("Messages need the patient's agreement.")).to_be_visible()
    expect(page.get_by_label("Patient's phone number")).to_have_value("202-555-0123")
    page.get_by_label("The patient heard this and agrees to the messages").check()
    page.get_by_role("button", name="Enrol").click()
    expect(page.get_by_role("heading", name="Injection of Mon, Mar 2, 2:30 PM CST")).to_be_visible()
    expect(page.get_by_text("Planned", exact=True)).to_have_count(3)


def test_the_first_view_is_light(staffroom: Staffroom) -> None:
    sizes: list[int] = []
    page = staffroom.page()
    page.on("response", lambda response: sizes.append(len(response.body())))
    page.goto("/staff/sign-in")
    page.wait_for_load_state("networkidle")
    assert 0 < sum(sizes) < 200_000
