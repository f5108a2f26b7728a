"""Several people want the same item at the same moment, on a real PostgreSQL."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackEvent, CallbackItem
from tests.staff.conftest import Desk

PEOPLE = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn")


def test_of_many_who_claim_one_item_exactly_one_gets_it_and_the_others_are_told_who(desk: Desk) -> None:
    browsers = {name: desk.signed_in(name) for name in PEOPLE}
    items = [desk.item("nurse", number=f"+1202555{1000 + i}") for i in range(5)]
    for item in items:
        start = threading.Barrier(len(PEOPLE))

        def claim(name: str, item: object = item, start: threading.Barrier = start) -> tuple[str, str]:
            start.wait()
            return name, browsers[name].post(f"/staff/items/{item}/claim").location

        with ThreadPoolExecutor(len(PEOPLE)) as pool:
            landed = dict(pool.map(claim, PEOPLE))
        winners = [name for name, location in landed.items() if location == f"/staff/items/{item}"]
        assert len(winners) == 1
        with desk.parts.db.begin() as session:
            assert session.get_one(CallbackItem, item).claimed_name == winners[0]
            claims = session.scalars(
                sa.select(CallbackEvent).where(
                    CallbackEvent.subject_id == item, CallbackEvent.status == "claimed"
                )
            ).all()
            assert len(claims) == 1
        for name in set(PEOPLE) - set(winners):
            assert f"{winners[0]} has this item." in browsers[name].get("/staff/queue").text


def test_of_many_who_ask_for_the_next_item_at_once_each_gets_another_and_the_rest_are_told(
    desk: Desk,
) -> None:
    browsers = [desk.signed_in(name) for name in PEOPLE]
    items = {str(desk.item("nurse", number=f"+1202555{1000 + i}")) for i in range(4)}
    start = threading.Barrier(len(PEOPLE))

    def take(browser: object) -> str:
        start.wait()
        return browser.post("/staff/queue/next").location  # type: ignore[attr-defined,no-any-return]

    with ThreadPoolExecutor(len(PEOPLE)) as pool:
        landed = list(pool.map(take, browsers))
    taken = [place.rpartition("/")[2] for place in landed if place != "/staff/queue"]
    assert sorted(taken) == sorted(items)
    for browser, place in zip(browsers, landed, strict=True):
        told = browser.get(place).text
        wanted = "There is nothing to take now." if place == "/staff/queue" else "How did it end?"
        assert wanted in told


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [(("reached_resolved", "reached_declined"), "done"), (("no_answer", "left_voicemail"), "waiting_retry")],
)
def test_of_two_outcomes_recorded_at_once_one_is_kept_and_the_other_is_told(
    desk: Desk, outcomes: tuple[str, str], status: str
) -> None:
    item = desk.item()
    ada = desk.signed_in("Ada")
    ada.post(f"/staff/items/{item}/claim")
    page = ada.get(f"/staff/items/{item}").text
    assert "Record outcome" in page
    second_tab = desk.browser()
    second_tab.token = ada.token
    cookie = ada.client.get_cookie("nurseline")
    assert cookie is not None
    second_tab.client.set_cookie("nurseline", cookie.value)
    start = threading.Barrier(2)

    def record(browser: object, outcome: str) -> int:
        start.wait()
        form = {"outcome": outcome, "note": outcome, "identity": "two_identifiers"}
        return browser.post(f"/staff/items/{item}/outcome", form).status_code  # type: ignore[attr-defined]

    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(record, (ada, second_tab), outcomes))
    assert sorted(codes) == [302, 409]
    with desk.parts.db.begin() as session:
        done = session.scalars(
            sa.select(CallbackEvent).where(CallbackEvent.subject_id == item, CallbackEvent.status == status)
        ).all()
        assert [event.cause for event in done] == [session.get_one(CallbackItem, item).outcome]


def test_an_injection_enrolled_twice_at_once_is_stored_once(desk: Desk) -> None:
    form = {
        "number": "202-555-0188",
        "performed_on": "2026-03-02",
        "performed_at": "14:30",
        "timezone": "America/New_York",
        "language": "en",
        "agreed": "y",
    }
    browsers = [desk.signed_in(name) for name in PEOPLE[:2]]
    for browser in browsers:
        page = browser.get("/staff/injections/new").text
        form["wording_seen"] = page.split('name="wording_seen" value="')[1].split('"')[0]
    start = threading.Barrier(2)

    def enrol(browser: object) -> tuple[int, str]:
        start.wait()
        answer = browser.post("/staff/injections/new", dict(form))  # type: ignore[attr-defined]
        return answer.status_code, answer.text

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(enrol, browsers))
    assert [code for code, _ in answers] == [302, 422]
    assert "This injection is enrolled already." in answers[1][1]
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM outbound_messages")) == 3
