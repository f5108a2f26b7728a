"""Joining an emergency to another item never hides it, and opening again counts anew. On a real database."""

from datetime import timedelta

import pytest

from nurseline.callbacks import escalation, work
from nurseline.callbacks import service as callbacks
from nurseline.callbacks.escalation import Escalation
from nurseline.callbacks.models import CallbackItem
from nurseline.callbacks.service import QueueError, Request, request
from nurseline.clock import SetClock
from nurseline.parts import Parts
from tests.callbacks.calls import FakeTelephone, call
from tests.callbacks.queueing import (
    ADA,
    BEA,
    ask,
    claim,
    come_back,
    do,
    finish,
    give_back,
    item_of,
    mine,
    release,
    snooze,
)
from tests.support.line import make_contact


@pytest.mark.parametrize("rests", ["put off", "waits for another try"])
def test_an_emergency_joined_to_what_rests_is_at_work_at_once(
    parts: Parts, clock: SetClock, rests: str
) -> None:
    into = mine(parts, "schedule")
    if rests == "put off":
        snooze(parts, into, clock.now() + timedelta(days=50))
    else:
        finish(parts, into, ADA, "no_answer")
    emergency = mine(parts, "emergency")
    do(parts, work.merge, emergency, into, ADA)
    stands = item_of(parts, into)
    assert (stands.reason, stands.status, stands.claimed_by) == ("emergency", "claimed", ADA.id)
    assert (stands.due_again_at, stands.escalation, stands.escalated_at) == (None, 0, None)
    assert stands.promised_at == item_of(parts, emergency).promised_at
    clock.advance(timedelta(minutes=16))
    assert give_back(parts) == 1
    assert item_of(parts, into).status == "new"


def test_nothing_is_joined_into_what_a_colleague_has(parts: Parts, clock: SetClock) -> None:
    into = ask(parts, "schedule").item_id
    claim(parts, into, BEA)
    clock.advance(timedelta(minutes=10))
    emergency = mine(parts, "emergency")
    with pytest.raises(QueueError, match=r"Nurse B has item .*, so it was not joined"):
        do(parts, work.merge, emergency, into, ADA)
    assert (item_of(parts, emergency).status, item_of(parts, into).reason) == ("claimed", "schedule")
    clock.advance(timedelta(minutes=6))  # the colleague's claim has run out, and is theirs no more
    do(parts, work.merge, emergency, into, ADA)
    assert (item_of(parts, into).claimed_by, item_of(parts, into).reason) == (ADA.id, "emergency")


def test_a_promise_counted_anew_is_told_anew_when_it_breaks(parts: Parts, clock: SetClock) -> None:
    item = mine(parts)
    finish(parts, item, ADA, "no_answer")
    with parts.db.begin() as session:
        session.get_one(CallbackItem, item).told_late_at = clock.now()
    do(parts, work.cancel, item, why="asked twice")
    do(parts, work.reopen, item, BEA, why="she called", hours=parts.hours)
    assert item_of(parts, item).told_late_at is not None  # the promise stands as it was
    do(parts, work.cancel, item, why="asked twice")
    clock.advance(timedelta(days=4))
    do(parts, work.reopen, item, BEA, why="she called", hours=parts.hours)
    stands = item_of(parts, item)
    assert (stands.told_late_at, stands.escalation) == (None, 0)
    assert stands.first_attempt_at is not None, "the reports of the day it was tried do not change"


@pytest.mark.parametrize("since", ["nothing", "tried", "called", "put through"])
def test_of_what_was_opened_again_only_what_was_tried_since_counts_as_tried(
    parts: Parts, clock: SetClock, since: str
) -> None:
    item = mine(parts, "nurse")
    finish(parts, item, ADA)
    clock.advance(timedelta(days=4))
    do(parts, work.reopen, item, ADA, why="she called", hours=parts.hours)
    clock.advance(timedelta(minutes=1))
    if since == "tried":
        claim(parts, item, ADA)
        finish(parts, item, ADA, "no_answer")
        clock.instant = item_of(parts, item).due_again_at or clock.instant
        come_back(parts)
    elif since == "called":
        talk = call(parts, FakeTelephone(), claim(parts, item, ADA).id)
        talk.press()
        talk.patient("no-answer")
        release(parts, item, ADA)
    elif since == "put through":
        key, cause = item_of(parts, item).number_key, f"{callbacks.PUT_THROUGH} for 1 min 2 s"
        with parts.db.begin() as session:
            callbacks.note(session, key, "nurse", cause=cause, at=clock.now(), spoke=True)
    clock.instant = max(clock.now(), item_of(parts, item).promised_at)
    with_ = Escalation(parts.keyring, (), parts.hours, parts.settings.regions)
    with parts.db.begin() as session:
        assert escalation.tell_late(session, with_, now=clock.now()) == (since == "nothing")


@pytest.mark.parametrize("who", ["patient", "staff"])
def test_a_new_wish_wakes_a_far_follow_up_and_brings_its_promise_forward(
    parts: Parts, clock: SetClock, who: str
) -> None:
    day = (clock.now() + timedelta(days=50)).date()
    finish(parts, mine(parts, "urgent"), ADA, follow_up_on=day)
    far = ask(parts, "clinical", source="staff")
    assert item_of(parts, far.item_id).status == "snoozed"
    contact = make_contact(parts)
    due = clock.now() + timedelta(hours=4)
    source = "text" if who == "patient" else "staff"
    wish = Request("clinical", source, "call instead", due, contact.number_hash, contact)
    with parts.db.begin() as session:
        raised = request(session, wish, now=clock.now(), wake=who == "staff")
    stands = item_of(parts, far.item_id)
    assert (stands.status, stands.promised_at) == ("new", due)
    assert (raised.item_id, raised.promised_at) == (far.item_id, due)
