"""Texts that answer a reminder: which reminder they answer, and what follows."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackItem, CallbackWords
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact, OutboundEvent, OutboundMessage
from nurseline.messaging.outbox import Plan, plan
from tests.webhooks.support import PATIENT, Carrier

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def contact(carrier: Carrier) -> Contact:
    with carrier.parts.db.begin() as session:
        return contact_for(session, carrier.parts.keyring, PATIENT, at=carrier.clock.now())


def reminder(carrier: Carrier, status: str = "delivered", step: str = "day1", **more: object) -> uuid.UUID:
    """A reminder that went out just now."""
    now, to = carrier.clock.now(), contact(carrier)
    words = carrier.parts.say(f"reminder.{step}", "en").text
    with carrier.parts.db.begin() as session:
        (made,) = plan(session, to, [Plan("reminder", f"reminder.{step}", "en", now, body=words)], at=now)
        session.execute(
            sa.update(OutboundMessage)
            .where(OutboundMessage.id == made)
            .values(**{"status": status, "sending_at": now, "step": step, **more})
        )
    carrier.clock.advance(timedelta(seconds=5))
    return made


def answer_to(carrier: Carrier, message: uuid.UUID) -> str | None:
    with carrier.parts.db.begin() as session:
        return session.get_one(OutboundMessage, message).answer


def items(carrier: Carrier) -> list[tuple[str, str, list[str]]]:
    """Reason, source and words of every item."""
    with carrier.parts.db.begin() as session:
        found = session.scalars(sa.select(CallbackItem).order_by(CallbackItem.created_at)).all()
        words = sa.select(CallbackWords.words).order_by(CallbackWords.id)
        return [
            (
                item.reason,
                item.source,
                list(session.scalars(words.where(CallbackWords.item_id == item.id))),
            )
            for item in found
        ]


@pytest.mark.parametrize(
    ("text", "answer", "item"),
    [
        ("1", "well", None),
        ("2", "question", ("nurse", "reminder", ["2"])),
        ("3", "worse", ("clinical", "reminder", ["3"])),
        ("not great", "worse", ("clinical", "reminder", ["not great"])),
    ],
)
def test_a_number_or_its_words_answer_and_two_and_three_become_items(
    carrier: Carrier, text: str, answer: str, item: tuple[str, str, list[str]] | None
) -> None:
    asked = reminder(carrier)
    carrier.text(text)
    assert answer_to(carrier, asked) == answer
    assert items(carrier) == ([item] if item else [])
    with carrier.parts.db.begin() as session:
        last = session.scalars(
            sa.select(OutboundEvent)
            .where(OutboundEvent.subject_id == asked)
            .order_by(OutboundEvent.id.desc())
            .limit(1)
        ).one()
    assert (last.status, last.cause, last.actor) == ("delivered", f"answered: {answer}", "patient")


def test_of_two_injections_the_reminder_that_came_last_is_answered(carrier: Carrier) -> None:
    older = reminder(carrier, step="day3")
    carrier.clock.advance(26 * HOUR)
    newer = reminder(carrier, step="day1")
    carrier.text("3")
    assert (answer_to(carrier, older), answer_to(carrier, newer)) == (None, "worse")


@pytest.mark.parametrize("status", ["failed", "undelivered", "skipped", "cancelled", "scheduled"])
def test_a_reminder_that_did_not_arrive_is_not_answered(carrier: Carrier, status: str) -> None:
    arrived = reminder(carrier)
    carrier.clock.advance(26 * HOUR)
    lost = reminder(carrier, status)
    carrier.text("1")
    assert (answer_to(carrier, arrived), answer_to(carrier, lost)) == ("well", None)


def test_a_call_is_answered_in_the_call_not_by_text(carrier: Carrier) -> None:
    called = reminder(carrier, channel="call")
    carrier.text("1")
    assert answer_to(carrier, called) is None


def test_somebody_who_answers_every_reminder_is_understood_each_time(carrier: Carrier) -> None:
    for step, until_next in (("day1", 2 * DAY), ("day3", 4 * DAY), ("week1", DAY)):
        asked = reminder(carrier, step=step)
        carrier.clock.advance(HOUR)
        (reply,) = carrier.text("1")[-1:]
        assert answer_to(carrier, asked) == "well", step
        assert reply == carrier.parts.say("reminder.well", "en").text
        carrier.clock.advance(until_next)


def test_somebody_who_last_wrote_a_month_ago_is_understood(carrier: Carrier) -> None:
    carrier.text("menu")
    carrier.clock.advance(30 * DAY)
    asked = reminder(carrier)
    assert carrier.text("1") == [carrier.parts.say("reminder.well", "en").text]
    assert answer_to(carrier, asked) == "well"


@pytest.mark.parametrize(("days", "answer"), [(3, "worse"), (6, "worse"), (8, None)])
def test_an_answer_counts_for_a_week(carrier: Carrier, days: int, answer: str | None) -> None:
    asked = reminder(carrier, step="week1")
    carrier.clock.advance(days * DAY)
    carrier.text("3")
    assert answer_to(carrier, asked) == answer


def test_a_late_answer_takes_the_place_of_silence(carrier: Carrier) -> None:
    asked = reminder(carrier, answer="silence")
    carrier.clock.advance(3 * DAY)
    carrier.text("2")
    assert answer_to(carrier, asked) == "question"


@pytest.mark.parametrize(
    ("status", "answer"), [("delivered", "well"), ("sent", "well"), ("unknown", None), ("sending", None)]
)
def test_a_number_in_the_middle_of_a_menu_answers_only_a_reminder_that_arrived(
    carrier: Carrier, status: str, answer: str | None
) -> None:
    carrier.text("menu")
    carrier.clock.advance(timedelta(minutes=2))
    asked = reminder(carrier, status)
    replies = carrier.text("1")
    assert answer_to(carrier, asked) == answer
    shown = carrier.parts.say("menu.aftercare", "en").text
    assert (shown in replies) == (answer is None)


def now_known(carrier: Carrier, message: uuid.UUID, status: str) -> None:
    """The carrier has reported what became of a reminder."""
    with carrier.parts.db.begin() as session:
        session.execute(sa.update(OutboundMessage).where(OutboundMessage.id == message).values(status=status))


@pytest.mark.parametrize(
    ("text", "answer", "reasons"),
    [("1", "well", []), ("2", "question", ["nurse"]), ("3", "worse", ["clinical"])],
)
@pytest.mark.parametrize("later", [timedelta(seconds=30), 5 * HOUR, 2 * DAY])
@pytest.mark.parametrize("status", ["unknown", "sending"])
def test_a_text_meant_for_the_menu_leaves_a_reminder_on_its_way_open(
    carrier: Carrier, status: str, later: timedelta, text: str, answer: str, reasons: list[str]
) -> None:
    carrier.text("menu")
    carrier.clock.advance(timedelta(minutes=2))
    asked = reminder(carrier, status)
    carrier.text("1")
    assert answer_to(carrier, asked) is None
    now_known(carrier, asked, "delivered")
    carrier.clock.advance(later)
    carrier.text(text)
    assert answer_to(carrier, asked) == answer
    assert [item[:2] for item in items(carrier)] == [(reason, "reminder") for reason in reasons]


def test_a_reminder_of_which_nothing_more_was_heard_is_answered_once_the_menu_is_left(
    carrier: Carrier,
) -> None:
    carrier.text("menu")
    asked = reminder(carrier, "unknown")
    carrier.text("1")
    carrier.clock.advance(HOUR)
    carrier.text("3")
    assert answer_to(carrier, asked) == "worse"


def test_an_older_reminder_is_not_asked_again_when_the_answered_one_is_reported_as_lost(
    carrier: Carrier,
) -> None:
    older = reminder(carrier, step="day1")
    carrier.clock.advance(2 * DAY)
    newer = reminder(carrier, "sent", step="day3")
    carrier.text("2")
    now_known(carrier, newer, "undelivered")
    carrier.text("menu")
    carrier.text("1")
    assert (answer_to(carrier, older), answer_to(carrier, newer)) == (None, "question")


@pytest.mark.parametrize(
    ("first", "then", "answer", "reasons"),
    [
        ("1", "3", "worse", ["clinical"]),
        ("1", "2", "question", ["nurse"]),
        ("2", "3", "worse", ["clinical", "nurse"]),
    ],
)
@pytest.mark.parametrize("later", [timedelta(minutes=1), 5 * HOUR, 2 * DAY])
def test_a_worse_number_corrects_the_answer_and_raises_its_item(
    carrier: Carrier, later: timedelta, first: str, then: str, answer: str, reasons: list[str]
) -> None:
    asked = reminder(carrier)
    carrier.text(first)
    carrier.clock.advance(later)
    replies = carrier.text(then)
    assert answer_to(carrier, asked) == answer
    assert sorted(item[0] for item in items(carrier)) == reasons
    assert {item[1] for item in items(carrier)} == {"reminder"}
    assert not any(carrier.parts.say("menu.about", "en").text in reply for reply in replies)


def test_a_key_for_the_menu_that_was_taken_as_well_does_not_swallow_the_answer_worse(
    carrier: Carrier,
) -> None:
    carrier.text("menu")
    carrier.clock.advance(timedelta(seconds=20))
    asked = reminder(carrier, "sent")
    carrier.text("1")
    carrier.clock.advance(5 * HOUR)
    carrier.text("3")
    assert answer_to(carrier, asked) == "worse"
    assert items(carrier) == [("clinical", "reminder", ["3"])]


def test_a_milder_number_after_worse_takes_nothing_away(carrier: Carrier) -> None:
    asked = reminder(carrier)
    carrier.text("3")
    for milder in ("1", "2"):
        carrier.text(milder)
    assert answer_to(carrier, asked) == "worse"
    assert [item[:2] for item in items(carrier)] == [("clinical", "reminder")]


@pytest.mark.parametrize(("between", "shown"), [("menu", "menu.about"), ("1", "answer.duration")])
def test_after_a_list_that_was_shown_since_the_answer_its_numbers_count(
    carrier: Carrier, between: str, shown: str
) -> None:
    asked = reminder(carrier)
    carrier.text("1")
    carrier.text(between)
    replies = carrier.text("3")
    assert any(carrier.parts.say(shown, "en").text in reply for reply in replies)
    assert (answer_to(carrier, asked), items(carrier)) == ("well", [])


def test_a_later_reminder_is_answered_and_not_the_one_before_corrected(carrier: Carrier) -> None:
    before = reminder(carrier, step="day1")
    carrier.text("1")
    carrier.clock.advance(DAY)
    asked = reminder(carrier, step="day3")
    carrier.text("3")
    assert (answer_to(carrier, before), answer_to(carrier, asked)) == ("well", "worse")


@pytest.mark.parametrize("status", ["unknown", "sending"])
def test_a_reminder_that_may_have_arrived_is_answered_when_nothing_else_is_going_on(
    carrier: Carrier, status: str
) -> None:
    asked = reminder(carrier, status)
    carrier.text("1")
    assert answer_to(carrier, asked) == "well"


def test_after_another_word_the_numbers_belong_to_the_menu_again(carrier: Carrier) -> None:
    asked = reminder(carrier)
    carrier.text("menu")
    assert answer_to(carrier, asked) == "words"
    replies = carrier.text("1")
    assert carrier.parts.say("menu.aftercare", "en").text in replies
    assert answer_to(carrier, asked) == "words"


def test_a_number_after_an_unclear_answer_still_answers_that_reminder(carrier: Carrier) -> None:
    asked = reminder(carrier)
    replies = carrier.text("7")
    assert carrier.parts.say("reminder.unclear", "en").text in replies
    assert answer_to(carrier, asked) == "words"
    carrier.clock.advance(DAY)
    carrier.text("3")
    assert answer_to(carrier, asked) == "worse"
    assert [item[:2] for item in items(carrier)] == [("clinical", "reminder")]


def test_a_question_in_own_words_is_answered_like_any_other_and_is_no_silence(carrier: Carrier) -> None:
    asked = reminder(carrier)
    replies = carrier.text("how long does it take to recover")
    assert any(carrier.parts.say("answer.recovery", "en").text in reply for reply in replies)
    assert answer_to(carrier, asked) == "words"
    assert items(carrier) == []


def test_an_emergency_in_an_answer_comes_first_and_counts_as_worse(carrier: Carrier) -> None:
    asked = reminder(carrier)
    replies = carrier.text("I have chest pain and cannot breathe")
    assert any("911" in reply for reply in replies)
    ((reason, source, _),) = items(carrier)
    assert (reason, source) == ("emergency", "reminder")
    assert answer_to(carrier, asked) == "worse"


def test_a_stop_is_an_answer_too(carrier: Carrier) -> None:
    asked = reminder(carrier)
    assert carrier.text("STOP") == []
    assert answer_to(carrier, asked) == "words"


def test_a_request_that_a_reminder_interrupted_is_not_lost(carrier: Carrier) -> None:
    carrier.text("4")  # asks for the best time of day
    carrier.clock.advance(timedelta(minutes=5))
    asked = reminder(carrier)
    carrier.text("1")
    assert answer_to(carrier, asked) == "well"
    assert [item[:2] for item in items(carrier)] == [("schedule", "text")]


def test_the_same_webhook_twice_answers_once(carrier: Carrier) -> None:
    asked = reminder(carrier)
    sid = "SM" + "e" * 32
    assert carrier.text("3", sid=sid) == carrier.text("3", sid=sid)
    with carrier.parts.db.begin() as session:
        noted = sa.select(sa.func.count()).where(
            OutboundEvent.subject_id == asked, OutboundEvent.actor == "patient"
        )
        assert session.scalar(noted) == 1
