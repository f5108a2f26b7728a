"""What the tests of a nurse's morning share: people who sign in with a code, phones, and pictures."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from passlib.totp import TOTP
from playwright.sync_api import Browser, Page, expect

from nurseline.local.state import PROJECT
from nurseline.staff import passwords, second_step
from nurseline.staff.commands import insert_account
from nurseline.staff.models import StaffUser
from tests.e2e.conftest import Line

PASSWORD = "correct-horse-battery-9"
OWN_PHONE = "+12025550188"
PICTURES = PROJECT / "test-results" / "morning"
# Counts what can be heard; the pages try whether they may play without being heard.
COUNT_RINGS = """
window.rings = 0;
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  window.rings += this.volume > 0 ? 1 : 0;
  return play.call(this);
};
"""
WIDTH, HEIGHT = 1280, 800


@dataclass
class Morning:
    """The running line, and the browsers of those who work with it. ``complaints``: of those browsers."""

    line: Line
    browser: Browser
    complaints: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    def window(self, base: str, **context: Any) -> Page:
        """A page of a browser of its own; what is wrong there is kept."""
        shown = {"viewport": {"width": WIDTH, "height": HEIGHT}, **context}
        page = self.browser.new_context(base_url=base, **shown).new_page()
        page.add_init_script(COUNT_RINGS)
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def phone(self, number: str) -> Page:
        """The phone page of a number."""
        page = self.window(self.line.phone.url)
        page.goto("/")
        page.get_by_label("Your number").fill(number)
        page.get_by_label("Your number").press("Tab")
        expect(page.get_by_role("button", name="Call", exact=True)).to_be_enabled()
        return page

    def by_hand(self, *numbers: str) -> None:
        """Let no time pass at these phones but what the test lets pass."""
        for number in numbers:
            self.line.phone.ask("PUT", f"/handsets/{number}", pace="hand")

    def account(self, name: str, *roles: str) -> str:
        """A new account without a second step; its address."""
        email = f"{name.lower()}@example.org"
        parts = self.line.parts
        with parts.db.begin() as session:
            hashed = passwords.hashed(PASSWORD)
            insert_account(session, parts, email=email, name=name, role=roles, password_hash=hashed)
        return email

    def signed_in(self, name: str, *roles: str, **context: Any) -> Page:
        """The queue before somebody new, who has given the password and a code."""
        email, secret = self.account(name, *(roles or ("nurse",))), second_step.new_secret()
        with self.line.parts.db.begin() as session:
            second_step.turn_on(session.scalars(sa.select(StaffUser).filter_by(email=email)).one(), secret, 0)
        page = self.window(self.line.url, **context)
        give_password(page, email)
        expect(page.get_by_role("heading", name="Code", exact=True)).to_be_visible()
        give_code(page, secret)
        expect(page.get_by_role("heading", name="Queue", exact=True)).to_be_visible()
        return page


def give_password(page: Page, email: str) -> None:
    """Open the queue and give the password that is asked for."""
    page.goto("/staff")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def give_code(page: Page, secret: str, *, later: int = 0) -> None:
    """Type what the app shows now, or that many seconds later."""
    code = TOTP(key=secret).generate(int(time.time()) + later).token
    page.get_by_role("textbox", name="code").first.fill(code)
    page.get_by_role("button", name="Go on").click()


def secret_on(page: Page) -> str:
    """The secret that a page shows in letters."""
    return re.sub(r"\s", "", page.locator("code.secret").inner_text())


def text(phone: Page, words: str, answer: str) -> None:
    """Send a text from the phone page and wait for the answer there."""
    phone.get_by_label("Message", exact=True).fill(words)
    phone.get_by_role("button", name="Send").click()
    expect(phone.get_by_role("log", name="Conversation").get_by_role("listitem").last).to_contain_text(answer)


def rings(page: Page) -> int:
    """How often a page played something that can be heard."""
    count: int = page.evaluate("window.rings")
    return count


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def started(line: Line, browser: Browser) -> Morning:
    """The whole line at work."""
    line.start_worker()
    line.start_beat()
    return Morning(line, browser)


@pytest.fixture
def morning(line: Line, browser: Browser) -> Iterator[Morning]:
    """The line with worker and beat; in the end no browser and no carrier has complained."""
    made = started(line, browser)
    yield made
    assert made.complaints == []
    assert line.phone.errors() == []
