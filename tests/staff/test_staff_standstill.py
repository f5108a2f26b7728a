"""Staff learn that texts have stopped going out, wherever they are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nurseline.wakeups import QUEUES
from nurseline.watch import service as watch
from tests.staff.conftest import Desk
from tests.support.line import plan_one

STOPPED = "Texts are going out late or not at all"
A_MINUTE = watch.LIMIT + timedelta(seconds=1)


def beat(desk: Desk, *queues: str) -> None:
    with desk.parts.db.begin() as session:
        for queue in queues:
            watch.beat(session, queue, at=desk.clock.now())


def stop_reminders(desk: Desk) -> None:
    """Reminders are not worked any more, and one is due."""
    beat(desk, *QUEUES)
    plan_one(desk.parts, desk.contact())
    desk.clock.advance(A_MINUTE)
    beat(desk, "urgent", "housekeeping")


@pytest.mark.parametrize(
    "page", ["/staff/queue", "/staff/queue/rows", "/staff/messages", "/staff/injections"]
)
def test_every_page_says_once_that_texts_have_stopped_and_since_when(desk: Desk, page: str) -> None:
    browser = desk.signed_in()
    stop_reminders(desk)
    shown = browser.get(page).text
    assert shown.count(STOPPED) == 1
    assert "since Today, 10:00 AM" in shown


def test_nothing_is_said_while_every_queue_is_worked(desk: Desk) -> None:
    browser = desk.signed_in()
    stop_reminders(desk)
    beat(desk, "reminders")
    assert STOPPED not in browser.get("/staff/queue").text
    assert STOPPED not in browser.get("/staff/messages").text


def test_nothing_is_said_to_who_is_not_signed_in(desk: Desk) -> None:
    stop_reminders(desk)
    assert STOPPED not in desk.browser().get("/staff/sign-in").text


def test_an_open_queue_page_learns_of_it_and_of_its_end(desk: Desk) -> None:
    browser = desk.signed_in()
    beat(desk, *QUEUES)
    etag = browser.get("/staff/queue/rows").headers["ETag"]
    assert browser.get("/staff/queue/rows", headers={"If-None-Match": etag}).status_code == 304
    stop_reminders(desk)
    news = browser.get("/staff/queue/rows", headers={"If-None-Match": etag})
    assert STOPPED in news.text
    beat(desk, "reminders")
    etag = news.headers["ETag"]
    assert STOPPED not in browser.get("/staff/queue/rows", headers={"If-None-Match": etag}).text


def test_a_supervisor_learns_of_a_silent_queue(desk: Desk) -> None:
    browser = desk.browser()
    beat(desk, *QUEUES)
    desk.clock.advance(timedelta(seconds=30))
    answer = browser.get("/healthz/queues")
    assert (answer.status_code, answer.json["status"]) == (200, "ok")
    assert answer.json["seconds"] == {"urgent": 30.0, "reminders": 30.0, "housekeeping": 30.0}
    desk.clock.advance(A_MINUTE)
    beat(desk, "urgent", "housekeeping")
    answer = browser.get("/healthz/queues")
    assert (answer.status_code, answer.json["status"]) == (503, "silent")
    assert answer.json["seconds"]["reminders"] > 60
    assert browser.get("/healthz").status_code == 200, "the web process itself is well"


def test_a_queue_that_was_never_worked_is_silent(desk: Desk) -> None:
    answer = desk.browser().get("/healthz/queues")
    assert answer.status_code == 503
    assert answer.json["seconds"] == {"urgent": None, "reminders": None, "housekeeping": None}
