"""What a newcomer does in the browser: text, call, staff desk, enrol, and the first message arrives."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from nurseline.local.state import PROJECT
from tests.e2e.conftest import Line
from tests.support.processes import basic_environment

PASSWORD = "correct-horse-battery-9"
PICTURES = PROJECT / "test-results" / "newcomer"
WITHIN_A_MINUTE = 60_000


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def text(phone: Page, words: str, answer: str) -> None:
    """Send a text and wait for the answer."""
    phone.get_by_label("Message", exact=True).fill(words)
    phone.get_by_role("button", name="Send").click()
    expect(phone.get_by_role("log", name="Conversation").get_by_role("listitem").last).to_contain_text(answer)


def press(phone: Page, key: str, heard: str) -> None:
    """Press a key of the phone and wait for the words."""
    phone.get_by_role("group", name="Keys").get_by_role("button", name=key, exact=True).click()
    expect(phone.get_by_role("log", name="Heard")).to_contain_text(heard)


def use_the_phone(phone: Page) -> None:
    text(phone, "hi", "Talk to a nurse")
    picture(phone, "1-menu-by-text")
    text(phone, "2", "bruise")
    text(phone, "schedule", "What time of day")
    text(phone, "morning", "We will call you")
    picture(phone, "2-scheduled-by-text")
    phone.get_by_role("button", name="Call", exact=True).click()
    expect(phone.get_by_role("log", name="Heard")).to_contain_text("hang up and call nine one one")
    press(phone, "2", "bruise")
    press(phone, "#", "To learn about the injections")
    press(phone, "0", "A nurse will call you")
    picture(phone, "3-call")
    phone.get_by_role("button", name="Hang up").click()
    phone.get_by_role("button", name="Back to texts").click()


def work_the_queue(desk: Page, url: str) -> None:
    desk.goto(f"{url}/staff")
    desk.get_by_label("Email").fill("nurse@example.org")
    desk.get_by_label("Password").fill(PASSWORD)
    desk.get_by_role("button", name="Sign in").click()
    expect(desk.get_by_role("heading", name="Queue")).to_be_visible()
    expect(desk.get_by_role("button", name="Claim")).to_have_count(2)
    picture(desk, "4-queue")
    desk.get_by_role("button", name="Claim").first.click()
    desk.get_by_role("combobox", name="Outcome").select_option("reached_resolved")
    desk.get_by_role("textbox", name="Note").fill("Told that soreness is common.")
    picture(desk, "5-item")
    desk.get_by_role("button", name="Record outcome").click()
    desk.goto(f"{url}/staff")
    expect(desk.get_by_role("button", name="Claim")).to_have_count(1)


def enrol(desk: Page, url: str, line: Line) -> None:
    zone = ZoneInfo("America/New_York")
    performed = (line.parts.clock.now() - timedelta(hours=24, minutes=2)).astimezone(zone)
    desk.goto(f"{url}/staff/injections/new")
    desk.get_by_label("Patient's phone number").fill("202-555-0123")
    desk.get_by_label("Date of the injection").fill(performed.strftime("%Y-%m-%d"))
    desk.get_by_label("Time of the injection").fill(performed.strftime("%H:%M"))
    desk.get_by_label("Time zone of the patient").select_option("America/New_York")
    desk.get_by_label("agrees to the messages").check()
    picture(desk, "6-enrol")
    desk.get_by_role("button", name="Enrol").click()
    expect(desk.get_by_text("24 hours").first).to_be_visible()
    picture(desk, "7-enrolled")


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_a_newcomer_texts_calls_works_the_queue_and_sees_the_day_one_message_arrive(
    line: Line, browser: Browser
) -> None:
    line.start_worker()
    line.start_beat()
    add_staff(line)
    phone = browser.new_page(viewport={"width": 1100, "height": 820})
    phone.goto(line.phone.url)
    use_the_phone(phone)
    desk = browser.new_page(viewport={"width": 1280, "height": 860})
    work_the_queue(desk, line.url)
    enrol(desk, line.url, line)
    arrived = phone.get_by_role("log", name="Conversation").get_by_text("How are you after your visit")
    expect(arrived).to_be_visible(timeout=WITHIN_A_MINUTE)
    picture(phone, "8-day-one-message")
    assert line.phone.errors() == []


def add_staff(line: Line) -> None:
    command = [sys.executable, "-m", "nurseline", "staff", "add", "--email", "nurse@example.org"]
    done = subprocess.run(
        [*command, "--role", "nurse", "--name", "A nurse", "--password-stdin"],
        input=PASSWORD,
        env={**basic_environment(), **line.env},
        cwd=Path(PROJECT),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
