"""Silence after a reminder is on record, an answer takes its place, and what did not arrive has neither."""

from datetime import timedelta

import pytest

from nurseline.clock import SetClock
from nurseline.messaging.answers import ANSWER_WITHIN, note_answer, record_silence
from nurseline.messaging.models import Contact
from nurseline.messaging.sending import Sender
from nurseline.parts import Parts
from tests.messaging.support import STATUSES, causes, force
from tests.support.line import at_once, fetch, make_contact, make_injection, messages_of, plan_one

SECOND = timedelta(seconds=1)


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts, agreed=True)


def sweep(parts: Parts, **more: int) -> int:
    with parts.db.begin() as session:
        return record_silence(session, now=parts.clock.now(), **more)


def test_two_days_after_a_reminder_its_silence_is_on_record(
    parts: Parts, sender: Sender, clock: SetClock, contact: Contact
) -> None:
    make_injection(parts, contact)
    clock.advance(timedelta(hours=24))
    sender.send_due()
    asked = messages_of(parts, contact)[0]
    assert asked.answer_until == clock.now() + ANSWER_WITHIN
    clock.advance(ANSWER_WITHIN - SECOND)
    assert sweep(parts) == 0
    clock.advance(SECOND)
    assert sweep(parts) == 1
    row = fetch(parts, asked.id)
    assert (row.answer, row.answer_until) == ("silence", None)
    assert [m.answer for m in messages_of(parts, contact)[1:]] == [None, None]


def test_only_reminders_wait_for_an_answer(parts: Parts, sender: Sender, contact: Contact) -> None:
    message = plan_one(parts, contact, "staff")
    sender.send_due()
    assert fetch(parts, message).answer_until is None


@pytest.mark.parametrize("status", STATUSES)
def test_silence_is_only_what_follows_a_message_that_arrived_as_far_as_anybody_knows(
    parts: Parts, contact: Contact, status: str
) -> None:
    message = plan_one(parts, contact)
    force(parts, message, status=status, answer_until=parts.clock.now())
    assert sweep(parts) == 1
    row = fetch(parts, message)
    assert row.answer == ("silence" if status in {"sent", "delivered", "unknown"} else None)
    assert row.answer_until is None


@pytest.mark.parametrize(
    ("before", "answer", "after"),
    [
        (None, "well", "well"),
        (None, "words", "words"),
        ("silence", "worse", "worse"),
        ("silence", "words", "words"),
        ("words", "worse", "worse"),
        ("well", "words", "well"),
        ("well", "question", "question"),
        ("well", "worse", "worse"),
        ("question", "worse", "worse"),
        ("question", "well", "question"),
        ("worse", "question", "worse"),
        ("worse", "well", "worse"),
        ("worse", "worse", "worse"),
    ],
)
def test_an_answer_takes_the_place_of_silence_a_choice_that_of_words_and_the_worse_choice_stands(
    parts: Parts, contact: Contact, before: str | None, answer: str, after: str
) -> None:
    message = plan_one(parts, contact)
    force(parts, message, status="delivered", answer=before, answer_until=parts.clock.now())
    with parts.db.begin() as session:
        news = note_answer(session, message, answer, at=parts.clock.now())  # type: ignore[arg-type]
    assert fetch(parts, message).answer == after
    assert news == (before != after)
    assert (causes(parts, message)[-1] == f"answered: {answer}") == news
    if news:
        assert fetch(parts, message).answer_until is None
        assert sweep(parts) == 0


def test_nothing_but_a_reminder_is_answered(parts: Parts, contact: Contact) -> None:
    message = plan_one(parts, contact, "staff")
    with parts.db.begin() as session:
        assert not note_answer(session, message, "well", at=parts.clock.now())
    assert fetch(parts, message).answer is None


def test_several_sweeps_at_once_share_the_work(parts: Parts, contact: Contact) -> None:
    messages = [plan_one(parts, contact) for _ in range(20)]
    for message in messages:
        force(parts, message, status="delivered", answer_until=parts.clock.now())
    counts = at_once(*[lambda: sweep(parts, limit=5)] * 6)
    done = sum(count for count in counts if isinstance(count, int))
    assert done == sum(fetch(parts, message).answer == "silence" for message in messages)
    while sweep(parts, limit=5):
        pass
    assert {fetch(parts, message).answer for message in messages} == {"silence"}
