"""What was answered to reminders, where staff see it, and causes in plain words."""

from __future__ import annotations

import pytest

from nurseline.staff.message_words import caused
from tests.staff.conftest import Desk
from tests.staff.test_staff_contacts import text_in
from tests.staff.test_staff_messages import HOUR, happen, reminder


def test_a_contacts_page_shows_answers_and_leads_to_what_is_known(desk: Desk) -> None:
    for answer in ("well", "question", "worse", "words", "silence"):
        reminder(desk, "delivered", answer=answer)
    lost = reminder(desk, "unknown")
    page = desk.signed_in().get(f"/staff/contacts/{desk.contact().id}").text
    for words in ("doing well", "has a question", "feels worse", "answered in own words", "no answer"):
        assert words in page
    assert f'href="/staff/messages/{lost}"' in page


def test_an_item_shows_the_reminder_that_its_words_answer(desk: Desk) -> None:
    reminder(desk, "delivered", body="An older message?")
    message = reminder(desk, "delivered")
    desk.clock.advance(HOUR)
    happen(desk, message, "delivered", "answered: worse", actor="patient")
    text_in(desk, "3")
    item = desk.item("clinical", "3", source="reminder")
    desk.clock.advance(HOUR)
    desk.item("clinical", "and it is red")
    page = desk.signed_in().get(f"/staff/items/{item}").text
    assert "In reply to the message after 72 hours" in page
    assert page.index("How are you?") < page.index('dir="auto">3</p>') < page.index("and it is red")
    assert page.count("In reply to") == 1
    assert "An older message?" not in page
    assert "Asked for in a reply to a message" in page


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("callback delivered", "The carrier reported: it arrived."),
        ("callback delivered, kept", "The carrier reported: it arrived."),
        ("asked: undelivered", "When asked, the carrier said: it did not arrive."),
        ("too late: the carrier reports delivered", "Too late, the carrier reported: it arrived."),
        (
            "the carrier reports another one of it: sent",
            "The carrier reports a second message like it: the network has it.",
        ),
        ("error 30003", "The phone or its network could not take the message at that time. (Error 30003.)"),
        ("carrier answered 503", "The carrier answered with an error of its own (503)."),
        ("answered: worse", "The patient answered: feels worse."),
        ("quiet hours", "Quiet hours."),
        ("", ""),
    ],
)
def test_causes_are_told_in_plain_words(cause: str, words: str) -> None:
    assert caused(cause) == words
