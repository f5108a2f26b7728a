"""What is about care is decided by nurses and supervisors: what others see, and what is refused them."""

from __future__ import annotations

import re
import uuid

import pytest

from nurseline.callbacks.outcomes import OUTCOMES, UNREACHED
from nurseline.callbacks.promises import REASONS, Reason
from tests.staff.conftest import Browser, Desk
from tests.staff.test_queue_items import SPOKEN, outcome_of, stored

SENTENCE = "A nurse finishes this one. Hand it over."
CARE: tuple[Reason, ...] = ("emergency", "urgent", "clinical", "nurse")
WORDS = "a test of the line"
AT = {"appointment_at": "2026-03-06 09:30", "appointment_place": "Room 2"}
ROLES = ("scheduler", "nurse", "supervisor", "admin")


def claimed(desk: Desk, item: uuid.UUID, role: str) -> Browser:
    """The browser of somebody in this role who has claimed the item and sees it."""
    browser = desk.signed_in("Sue", role)
    assert browser.post(f"/staff/items/{item}/claim").location == f"/staff/items/{item}"
    browser.get(f"/staff/items/{item}")
    return browser


def offered(page: str) -> set[str]:
    """The outcomes that a page offers."""
    found = re.search(r'<select[^>]*name="outcome".*?</select>', page, re.DOTALL)
    assert found is not None
    return set(re.findall(r'value="([^"]+)"', found[0]))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("reason", REASONS)
def test_a_page_offers_what_its_reader_may_do(desk: Desk, role: str, reason: Reason) -> None:
    item = desk.item(reason)
    page = claimed(desk, item, role).get(f"/staff/items/{item}").text
    decides = role in {"nurse", "supervisor"} or reason not in CARE
    assert offered(page) == set(OUTCOMES if decides else UNREACHED)
    for form in ("cancel", "reason"):
        assert (f'action="/staff/items/{item}/{form}"' in page) == decides, form
    assert (f'action="/staff/items/{item}/put-off"' in page) == (decides and reason != "emergency")
    assert (f'action="/staff/items/{item}/hand-over"' in page) is True
    assert ('name="advice"' in page) == (role in {"nurse", "supervisor"})
    assert (SENTENCE in page) != decides


@pytest.mark.parametrize("reason", CARE)
@pytest.mark.parametrize("role", ["scheduler", "admin"])
def test_who_does_not_assess_changes_nothing_about_care(desk: Desk, reason: Reason, role: str) -> None:
    item, other = desk.item(reason), desk.item("schedule")
    sue = claimed(desk, item, role)
    sent = {
        "cancel": {"cancel_why": WORDS},
        "reason": {"reason": "admin"},
        "merge": {"into": str(other)},
        "put-off": {"until": "hour"},
    }
    for path, form in sent.items():
        answer = sue.post(f"/staff/items/{item}/{path}", form)
        assert (answer.status_code, SENTENCE in answer.text) == (409, True), path
    for outcome in set(OUTCOMES) - set(UNREACHED):
        answer = sue.post(f"/staff/items/{item}/outcome", {**SPOKEN, "outcome": outcome, "note": WORDS, **AT})
        assert (answer.status_code, SENTENCE in answer.text) == (422, True), outcome
    row = stored(desk, item)
    assert (row.status, row.reason, row.claimed_name, row.attempts) == ("claimed", reason, "Sue", 0)


def test_a_scheduler_who_took_an_emergency_hands_it_over_or_says_that_nobody_was_reached(desk: Desk) -> None:
    item, ben = desk.item("emergency", "chest pain"), desk.account("Ben")
    sue = claimed(desk, item, "scheduler")
    assert sue.post(f"/staff/items/{item}/outcome", {"outcome": "no_answer"}).status_code == 302
    assert (outcome_of(desk, item).outcome, stored(desk, item).attempts) == ("no_answer", 1)
    other = desk.item("urgent", "fever")
    sue = claimed(desk, other, "scheduler")
    assert sue.post(f"/staff/items/{other}/hand-over", {"to": str(ben.id)}).status_code == 302
    assert stored(desk, other).claimed_name == "Ben"


def test_an_emergency_that_nobody_has_is_not_cancelled_or_closed_by_a_scheduler(desk: Desk) -> None:
    item = desk.item("emergency", "chest pain")
    sue = desk.signed_in("Sue", "scheduler")
    assert f'action="/staff/items/{item}/cancel"' not in sue.get(f"/staff/items/{item}").text
    assert sue.post(f"/staff/items/{item}/cancel", {"cancel_why": WORDS}).status_code == 409
    sue.post(f"/staff/items/{item}/outcome", {"outcome": "spam_or_test", "note": WORDS})
    row = stored(desk, item)
    assert (row.status, row.claimed_by) == ("new", None)


def test_a_closed_emergency_is_opened_again_by_a_nurse_only(desk: Desk) -> None:
    item = desk.item("emergency", "chest pain")
    ada = claimed(desk, item, "nurse")
    assert ada.post(f"/staff/items/{item}/cancel", {"cancel_why": WORDS}).status_code == 302
    sue = desk.signed_in("Sue", "scheduler")
    assert "Open it again" not in sue.get(f"/staff/items/{item}").text
    assert sue.post(f"/staff/items/{item}/reopen", {"reopen_why": WORDS}).status_code == 409
    assert stored(desk, item).status == "cancelled"
    assert ada.post(f"/staff/items/{item}/reopen", {"reopen_why": WORDS}).status_code == 302


@pytest.mark.parametrize("reason", ["emergency", "urgent"])
def test_a_nurse_says_in_a_few_words_why_what_is_grave_is_closed_unreached(
    desk: Desk, reason: Reason
) -> None:
    item = desk.item(reason)
    ada = claimed(desk, item, "nurse")
    assert "Say in a few words why" in ada.post(f"/staff/items/{item}/cancel", {"cancel_why": "."}).text
    for outcome in ("spam_or_test", "duplicate"):
        answer = ada.post(f"/staff/items/{item}/outcome", {"outcome": outcome, "note": "."})
        assert (answer.status_code, "Say in a few words why" in answer.text) == (422, True)
    assert stored(desk, item).status == "claimed"
    ada.post(f"/staff/items/{item}/outcome", {"outcome": "spam_or_test", "note": WORDS})
    assert stored(desk, item).status == "done"


def test_nobody_closes_an_emergency_as_not_reached_before_three_tries(desk: Desk) -> None:
    item = desk.item("emergency", "chest pain")
    ada = claimed(desk, item, "supervisor")
    answer = ada.post(f"/staff/items/{item}/outcome", {"outcome": "unreached_closed", "note": WORDS})
    assert (answer.status_code, "only after three tries" in answer.text) == (422, True)
    assert stored(desk, item).status == "claimed"


def test_a_scheduler_records_no_advice(desk: Desk) -> None:
    item, office = desk.item("schedule"), desk.item("admin")
    page = claimed(desk, office, "nurse").get(f"/staff/items/{office}").text
    advice = re.findall(r'name="advice"[^>]*value="([^"]+)"', page)
    assert advice
    sue = claimed(desk, item, "scheduler")
    answer = sue.post(f"/staff/items/{item}/outcome", {**SPOKEN, "advice": advice[:1]})
    assert (answer.status_code, "A nurse gives advice." in answer.text) == (422, True)
    assert sue.post(f"/staff/items/{item}/outcome", SPOKEN).status_code == 302


def test_next_gives_an_administrator_nothing_to_assess(desk: Desk) -> None:
    desk.item("emergency", "chest pain")
    adm = desk.signed_in("Adm", "admin")
    assert "nothing about scheduling" in adm.post("/staff/queue/next", follow_redirects=True).text
