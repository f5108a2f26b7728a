"""Calling a patient back: one ring, and reports in any order."""

import itertools
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa

from nurseline.callbacks import calling
from nurseline.callbacks.lost_calls import QUIET, look_after
from nurseline.callbacks.models import CallbackAttempt
from nurseline.callbacks.service import LEASE, QueueError
from nurseline.clock import SetClock
from nurseline.outcomes import Ambiguous, NotSent, Refused, SendOutcome
from nurseline.parts import Parts
from tests.callbacks.calls import OWN_PHONE, FakeTelephone, Talk, begin, call, claimed, ends
from tests.callbacks.queueing import ADA, BEA, ask, claim, finish, give_back, history, item_of
from tests.support.line import sid


@pytest.fixture
def telephone() -> FakeTelephone:
    return FakeTelephone()


# Beginning


def test_a_call_keeps_the_item_and_rings_the_own_phone_once(
    parts: Parts, clock: SetClock, telephone: FakeTelephone
) -> None:
    item = claimed(parts)
    clock.advance(timedelta(minutes=10))
    talk = call(parts, telephone, item)
    assert telephone.rung == [OWN_PHONE]
    assert talk.stage == "staff_rings"
    row = item_of(parts, item)
    assert (row.status, row.claimed_by, row.lease_until) == ("calling", ADA.id, clock.now() + LEASE)
    assert history(parts, item)[-1] == ("calling", "call begun", ADA.id)


def test_of_many_presses_at_once_one_begins_and_the_others_are_told(parts: Parts) -> None:
    item, gate = claimed(parts), Barrier(4)

    def press(_: int) -> str:
        gate.wait()
        try:
            begin(parts, item)
        except QueueError as error:
            return str(error)
        return "begun"

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(press, range(4)))
    assert said == [*["This call has begun already. Your phone rings only once."] * 3, "begun"]
    with parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(CallbackAttempt)) == 1


def test_only_who_has_the_item_may_call(parts: Parts) -> None:
    free = ask(parts).item_id
    with pytest.raises(QueueError, match="Claim it first"):
        begin(parts, free)
    claim(parts, free, BEA)
    with pytest.raises(QueueError, match="Nurse B has this item"):
        begin(parts, free)
    finish(parts, free, BEA)
    with pytest.raises(QueueError, match="closed by Nurse B already"):
        begin(parts, free, BEA)
    with pytest.raises(QueueError, match="no such item"):
        begin(parts, uuid.uuid4())


def test_a_colleague_cannot_claim_an_item_about_which_somebody_calls(
    parts: Parts, telephone: FakeTelephone
) -> None:
    talk = call(parts, telephone)
    with pytest.raises(QueueError, match="Nurse A has this item"):
        claim(parts, talk.item, BEA)
    claim(parts, talk.item, ADA)
    assert item_of(parts, talk.item).status == "calling"


@pytest.mark.parametrize("number", ["+18005550123", "+18765550123"])
def test_a_number_that_the_line_does_not_call_is_refused(parts: Parts, number: str) -> None:
    item = claimed(parts, number=number)
    with pytest.raises(QueueError, match="does not call this kind of number"):
        begin(parts, item)
    assert item_of(parts, item).status == "claimed"


def test_without_a_number_nobody_can_be_called(parts: Parts) -> None:
    item = claimed(parts, contact=None, number_key="call:CA1")
    with pytest.raises(QueueError, match="No number is known"):
        begin(parts, item)


# What the carrier says


@pytest.mark.parametrize("outcome", [Refused(21211, "recipient"), NotSent("no connection", 0.0)])
def test_a_call_that_surely_was_not_made_is_over_at_once_and_may_be_tried_again(
    parts: Parts, telephone: FakeTelephone, outcome: SendOutcome
) -> None:
    telephone.outcome = outcome
    talk = call(parts, telephone)
    assert talk.result == ("not_started", None)
    assert item_of(parts, talk.item).status == "claimed"
    telephone.outcome = None
    assert call(parts, telephone, talk.item).stage == "staff_rings"


def test_an_answer_that_never_came_is_shown_and_never_rings_a_second_time(
    parts: Parts, clock: SetClock, telephone: FakeTelephone
) -> None:
    telephone.outcome = Ambiguous("no answer")
    talk = call(parts, telephone)
    assert talk.stage == "asked"
    clock.advance(timedelta(seconds=20))
    assert talk.stage == "unsure"
    with pytest.raises(QueueError, match="begun already"):
        begin(parts, talk.item)
    clock.advance(QUIET)
    assert look_after(parts.db, clock, telephone) == 1
    assert talk.result == ("unknown", None)
    assert telephone.rung == [OWN_PHONE]
    assert item_of(parts, talk.item).status == "claimed"
    # It rings after all, when nobody waits for it any more.
    assert not talk.pick_up()
    assert not talk.press()


def test_a_phone_that_rings_although_nobody_knew_is_a_call_like_any_other(
    parts: Parts, clock: SetClock, telephone: FakeTelephone
) -> None:
    telephone.outcome = Ambiguous("connection lost")
    talk = call(parts, telephone)
    assert talk.pick_up()
    assert talk.row.staff_call_sid == talk.staff_sid
    assert talk.press()
    talk.patient("completed", 30)
    assert talk.result == ("connected", 30)


def test_another_call_with_the_same_reference_is_not_taken_for_this_one(
    parts: Parts, telephone: FakeTelephone
) -> None:
    talk = call(parts, telephone)
    stranger = Talk(parts, talk.item, talk.id, sid("CA"))
    assert not stranger.pick_up()
    assert not stranger.press()
    stranger.staff("completed")
    assert talk.stage == "staff_rings"
    talk.press()
    talk.patient("in-progress")
    stranger.patient("busy")
    assert talk.stage == "talking"


# How it ends


def test_a_conversation_is_kept_with_its_length_and_the_item_waits_for_the_outcome(
    parts: Parts, clock: SetClock, telephone: FakeTelephone
) -> None:
    talk = call(parts, telephone)
    assert talk.pick_up()
    assert talk.press()
    assert talk.stage == "patient_rings"
    talk.patient("in-progress")
    assert talk.stage == "talking"
    clock.advance(timedelta(minutes=16))
    assert give_back(parts) == 0
    talk.patient("completed", 960)
    assert talk.result == ("connected", 960)
    row = item_of(parts, talk.item)
    assert (row.status, row.claimed_by, row.lease_until) == ("claimed", ADA.id, clock.now() + LEASE)
    assert history(parts, talk.item)[-1] == ("claimed", "call ended: connected", "line")
    with parts.db.begin() as session:
        waiting = calling.unrecorded(session, talk.item, ADA.id)
        assert waiting is not None
        assert calling.suggested(waiting) == ""
        assert calling.unrecorded(session, talk.item, BEA.id) is None


@pytest.mark.parametrize(
    ("status", "result", "suggested"),
    [
        ("no-answer", "no_answer", "no_answer"),
        ("busy", "busy", "busy_or_failed"),
        ("failed", "failed", "busy_or_failed"),
        ("canceled", "caller_gone", ""),
    ],
)
def test_a_patient_who_was_not_reached_suggests_the_outcome_that_leads_to_another_attempt(
    parts: Parts, clock: SetClock, telephone: FakeTelephone, status: str, result: str, suggested: str
) -> None:
    talk = call(parts, telephone)
    clock.advance(timedelta(seconds=30))
    talk.press()
    talk.patient(status, 0)
    assert talk.result == (result, None)
    assert calling.suggested(talk.row) == suggested
    if suggested:
        finish(parts, talk.item, ADA, outcome=suggested)
        row = item_of(parts, talk.item)
        assert (row.status, row.attempts) == ("waiting_retry", 1)
        with parts.db.begin() as session:
            assert calling.unrecorded(session, talk.item, ADA.id) is None


@pytest.mark.parametrize(
    ("report", "result"),
    [
        (lambda talk: talk.no_key(), "staff_no_answer"),
        (lambda talk: talk.no_key(keys=True), "staff_declined"),
        (lambda talk: talk.staff("completed"), "staff_declined"),
        (lambda talk: talk.staff("busy"), "staff_declined"),
        (lambda talk: talk.staff("no-answer"), "staff_no_answer"),
        (lambda talk: talk.staff("failed"), "staff_failed"),
    ],
)
def test_without_a_1_on_the_own_phone_the_patient_is_not_called(
    parts: Parts, telephone: FakeTelephone, report: Callable[[Talk], None], result: str
) -> None:
    talk = call(parts, telephone)
    report(talk)
    assert talk.result == (result, None)
    assert not talk.press()
    assert item_of(parts, talk.item).status == "claimed"
    assert calling.suggested(talk.row) == ""


REPORTS: dict[str, Callable[[Talk], None]] = {
    "rings": lambda talk: talk.patient("initiated"),
    "answered": lambda talk: talk.patient("in-progress"),
    "patient over": lambda talk: talk.patient("completed", 42),
    "staff over": lambda talk: talk.staff("completed"),
    "machine": lambda talk: talk.machine(),
}


@pytest.mark.parametrize("machine", [False, True])
def test_reports_in_any_order_and_repeated_lead_to_the_same_end(
    parts: Parts, telephone: FakeTelephone, machine: bool
) -> None:
    names = [name for name in REPORTS if machine or name != "machine"]
    for order in itertools.permutations(names):
        talk = call(parts, telephone, claimed(parts))
        talk.press()
        for name in order:
            REPORTS[name](talk)
            REPORTS[name](talk)
        assert talk.result == ("machine" if machine else "connected", 42), order
        assert item_of(parts, talk.item).status == "claimed", order
        assert len(ends(parts, talk.item)) == 1, order
        finish(parts, talk.item, ADA)


@pytest.mark.parametrize("status", ["no-answer", "busy", "failed"])
def test_the_patients_own_end_corrects_what_the_staff_members_end_let_assume(
    parts: Parts, telephone: FakeTelephone, status: str
) -> None:
    talk = call(parts, telephone)
    talk.press()
    talk.staff("completed")
    assert talk.result == ("caller_gone", None)
    talk.patient(status, 0)
    assert talk.result[0] == status.replace("-", "_")
    talk.patient("completed", 5)
    assert talk.result[0] == status.replace("-", "_")
    assert len(ends(parts, talk.item)) == 1


def test_when_the_patients_end_is_lost_the_staff_members_end_counts(
    parts: Parts, clock: SetClock, telephone: FakeTelephone
) -> None:
    talk = call(parts, telephone)
    talk.press()
    talk.patient("in-progress")
    clock.advance(timedelta(seconds=90))
    talk.staff("completed")
    assert talk.result == ("connected", 90)
