"""Messages of unknown outcome are looked up at the carrier, and settled without being sent again."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import CapturedCall, CapturingLogger

from nurseline.clock import SetClock
from nurseline.messaging import checking
from nurseline.messaging.checks import UNKNOWN_CHECKS
from nurseline.messaging.decisions import CAUSES, Decision, decide
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.outbox import SENDING_LEASE, take_back_stale
from nurseline.messaging.reconcile import MISSED, NOT_READ, NOT_THERE, look_up_unknown, pair
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Accepted, Ambiguous, Standing
from nurseline.parts import Parts
from tests.messaging.support import causes, checked_next, damage, force, report
from tests.support.line import (
    OTHER_NUMBER,
    TUESDAY,
    FakeGateway,
    at_once,
    fetch,
    history,
    make_contact,
    minutes,
    plan_one,
    sid,
)

SECOND = timedelta(seconds=1)


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts, agreed=True)


def unknown_one(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, body: str = "Words."
) -> uuid.UUID:
    message = plan_one(parts, contact, "staff", body=body)
    gateway.script = [Ambiguous("no answer")]
    sender.send_due()
    assert fetch(parts, message).status == "unknown"
    return message


def test_a_message_that_the_carrier_has_is_found_again(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown_one(parts, sender, gateway, contact)
    asked, there = clock.now(), sid()
    gateway.held["Words."] = [there]
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 1
    row = fetch(parts, message)
    assert (row.status, row.provider_sid, row.reason) == ("sent", there, "")
    assert gateway.looked_up == [(contact.number, "Words.", asked)]
    assert look_up_unknown(sender) == 0
    assert len(gateway.sends) == 1
    assert report(parts, there, "delivered", reference=message)


@pytest.mark.parametrize(
    ("stands", "status", "reason"),
    [
        (Standing("SM1", "queued", TUESDAY), "sent", ""),
        (Standing("SM1", "delivered", TUESDAY), "delivered", ""),
        (Standing("SM1", "undelivered", TUESDAY, 30005, "recipient"), "undelivered", "carrier error 30005"),
        (Standing("SM1", "failed", TUESDAY, 30007, "content"), "failed", "carrier error 30007"),
    ],
    ids=lambda value: value.status if isinstance(value, Standing) else "",
)
def test_a_found_message_goes_on_from_where_the_carrier_has_it(
    parts: Parts,
    sender: Sender,
    gateway: FakeGateway,
    clock: SetClock,
    contact: Contact,
    stands: Standing,
    status: str,
    reason: str,
) -> None:
    message = unknown_one(parts, sender, gateway, contact)
    gateway.held["Words."] = [stands]
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 1
    row = fetch(parts, message)
    assert (row.status, row.reason, row.provider_sid) == (status, reason, "SM1")
    assert (row.check_after is None) == (status != "sent")


def test_one_that_the_carrier_does_not_have_stays_unknown_and_is_marked_for_staff(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown_one(parts, sender, gateway, contact)
    seen = []
    for check in UNKNOWN_CHECKS:
        clock.instant = TUESDAY + check + SECOND
        assert look_up_unknown(sender) == 0
        seen.append(fetch(parts, message).reason)
    # Twice, and five minutes after the request, before anybody says that it is not there.
    assert seen == ["no answer"] * 2 + [NOT_THERE] * (len(UNKNOWN_CHECKS) - 2)
    row = fetch(parts, message)
    assert (row.status, row.check_after) == ("unknown", None)
    assert causes(parts, message)[3:] == ["no answer"] + [MISSED] * len(UNKNOWN_CHECKS)
    assert len(gateway.sends) == 1
    clock.advance(timedelta(days=3))
    look_up_unknown(sender)
    assert len(gateway.looked_up) == len(UNKNOWN_CHECKS)


@pytest.mark.parametrize("decision", ["leave", "call"])
def test_what_staff_decided_about_it_is_not_forgotten_when_it_is_missed_again(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact, decision: Decision
) -> None:
    message = unknown_one(parts, sender, gateway, contact)
    with parts.db.begin() as session:
        row = session.get_one(OutboundMessage, message)
        decide(session, row, decision, actor="staff-1", now=clock.now())
    for check in UNKNOWN_CHECKS:
        clock.instant = TUESDAY + check + SECOND
        look_up_unknown(sender)
    assert causes(parts, message).count(MISSED) == len(UNKNOWN_CHECKS)
    row = fetch(parts, message)
    assert (row.status, row.reason) == ("unknown", CAUSES[decision])


def test_a_list_that_is_not_complete_proves_nothing(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown_one(parts, sender, gateway, contact)
    gateway.complete = False
    for check in UNKNOWN_CHECKS:
        clock.instant = TUESDAY + check + SECOND
        look_up_unknown(sender)
    row = fetch(parts, message)
    assert (row.status, row.reason) == ("unknown", "no answer")
    assert NOT_READ in causes(parts, message)
    assert MISSED not in causes(parts, message)


def test_one_that_was_marked_as_not_found_is_still_settled_by_a_late_report(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown_one(parts, sender, gateway, contact)
    for check in UNKNOWN_CHECKS:
        clock.instant = TUESDAY + check + SECOND
        look_up_unknown(sender)
    assert report(parts, sid(), "delivered", reference=message)
    row = fetch(parts, message)
    assert (row.status, row.reason) == ("delivered", "")


def test_the_carrier_is_asked_neither_too_soon_nor_by_two_at_once(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    unknown_one(parts, sender, gateway, contact)
    clock.advance(UNKNOWN_CHECKS[0] - SECOND)  # the list lags behind
    look_up_unknown(sender)
    assert gateway.looked_up == []
    clock.advance(2 * SECOND)
    at_once(*[lambda: look_up_unknown(sender)] * 4)
    assert len(gateway.looked_up) == 1


def test_a_send_that_a_dead_worker_left_is_looked_up_at_once_when_its_lease_is_over(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message, there = plan_one(parts, contact, "staff", body="Words."), sid()
    force(
        parts,
        message,
        status="sending",
        sending_at=clock.now(),
        lease_until=clock.now() + SENDING_LEASE,
        attempts=1,
    )
    gateway.held["Words."] = [there]
    clock.advance(SENDING_LEASE + SECOND)
    with parts.db.begin() as session:
        take_back_stale(session, now=clock.now())
    assert look_up_unknown(sender) == 1
    assert fetch(parts, message).provider_sid == there


def test_the_same_words_twice_each_find_their_own(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    messages = [unknown_one(parts, sender, gateway, contact) for _ in range(3)]
    there = [sid(), sid()]
    gateway.held["Words."] = list(there)
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 2
    rows = [fetch(parts, m) for m in messages]
    assert sorted(row.provider_sid for row in rows if row.provider_sid) == sorted(there)
    assert sorted(row.status for row in rows) == ["sent", "sent", "unknown"]


def test_of_two_with_the_same_words_the_one_that_was_asked_for_then_gets_the_sid(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    first = unknown_one(parts, sender, gateway, contact)
    clock.advance(timedelta(seconds=50))
    second = unknown_one(parts, sender, gateway, contact)
    gateway.held["Words."] = [Standing("SM2", "sent", clock.now() + SECOND)]
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 1
    assert fetch(parts, first).status == "unknown"
    assert fetch(parts, second).provider_sid == "SM2"


def test_one_still_under_way_does_not_lose_its_sid_to_another_with_the_same_words(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    lost = unknown_one(parts, sender, gateway, contact)
    clock.advance(timedelta(seconds=70))
    going = plan_one(parts, contact, "staff", body="Words.")
    force(parts, going, status="sending", sending_at=clock.now(), attempts=1)
    gateway.held["Words."] = [Standing("SM3", "queued", clock.now())]
    assert look_up_unknown(sender) == 0
    assert fetch(parts, lost).status == "unknown"


def test_one_that_staff_sent_again_does_not_lose_its_sid_to_what_went_instead(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    first = unknown_one(parts, sender, gateway, contact)
    with parts.db.begin() as session:
        instead = decide(
            session, session.get_one(OutboundMessage, first), "again", actor="staff-1", now=clock.now()
        )
    assert instead is not None
    gateway.held["Words."] = [Standing("SM5", "sent", clock.now() + SECOND)]
    clock.advance(minutes(4))
    gateway.script = [Ambiguous("no answer")]
    sender.send_due()
    assert fetch(parts, instead).status == "unknown"
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 0
    assert fetch(parts, instead).provider_sid is None


def test_a_report_with_our_reference_says_whose_sid_it_is(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    first = unknown_one(parts, sender, gateway, contact)
    second = unknown_one(parts, sender, gateway, contact)
    report(parts, "SM4", "pondering", reference=second)  # kept, though nothing follows from it
    gateway.held["Words."] = [Standing("SM4", "sent", clock.now())]
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 1
    assert fetch(parts, first).status == "unknown"
    assert fetch(parts, second).provider_sid == "SM4"


def test_two_processes_that_settle_twins_at_once_give_each_sid_once(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    for one in range(6):
        body = f"Words {one}."
        twins = [unknown_one(parts, sender, gateway, contact, body=body) for _ in range(2)]
        gateway.held[body] = [sid(), sid()]
        clock.advance(minutes(2))
        at_once(*[lambda: look_up_unknown(sender, limit=1)] * 2)
        clock.advance(minutes(10))
        look_up_unknown(sender)
        sids = {fetch(parts, twin).provider_sid for twin in twins}
        assert len(sids) == 2
        assert None not in sids


def test_a_sid_of_another_message_is_not_taken(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    lost = unknown_one(parts, sender, gateway, contact)
    other, there = plan_one(parts, contact, "staff", body="Words."), sid()
    gateway.script = [Accepted(there)]
    sender.send_due()
    gateway.held["Words."] = [there]
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 0
    assert fetch(parts, lost).status == "unknown"
    assert fetch(parts, other).provider_sid == there


def test_a_carrier_that_cannot_be_asked_changes_nothing_and_is_asked_again(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown_one(parts, sender, gateway, contact)
    gateway.down = True
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 0
    assert fetch(parts, message).status == "unknown"
    assert causes(parts, message)[-1] == "no answer"
    gateway.down = False
    gateway.held["Words."] = [sid()]
    clock.advance(minutes(6))
    assert look_up_unknown(sender) == 1


def test_those_that_nobody_finds_do_not_stand_before_the_others(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    for number in range(4):
        unknown_one(parts, sender, gateway, contact, body=f"Lost {number}")
    there = unknown_one(parts, sender, gateway, contact, body="Found")
    gateway.held["Found"] = [sid()]
    clock.advance(minutes(2))
    for _ in range(3):
        look_up_unknown(sender, limit=2)
    assert fetch(parts, there).status == "sent"


def test_a_report_that_came_while_the_list_was_read_stands(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown_one(parts, sender, gateway, contact)

    class Slow(FakeGateway):
        def find(self, *, to: str, body: str, since: object) -> object:
            report(parts, "SM5", "delivered", reference=message)
            return super().find(to=to, body=body, since=since)  # type: ignore[arg-type]

    clock.advance(minutes(2))
    slow = Slow(held={"Words.": ["SM5"]})
    assert look_up_unknown(replace(sender, gateway=slow)) == 0
    assert history(parts, message)[-2:] == ["unknown", "delivered"]


SECONDS = st.integers(0, 600).map(lambda after: TUESDAY + timedelta(seconds=after))


@given(st.lists(SECONDS, max_size=9), st.lists(SECONDS, max_size=9))
def test_pairs_are_as_many_as_can_be_and_keep_the_order_of_time(
    asked: list[object], made: list[object]
) -> None:
    ours = [(uuid.uuid4(), at) for at in sorted(asked)]  # type: ignore[type-var]
    theirs = [Standing(f"SM{n}", "sent", at) for n, at in enumerate(sorted(made))]  # type: ignore[arg-type, type-var]
    paired = pair(ours, theirs)  # type: ignore[arg-type]
    assert len(paired) == min(len(ours), len(theirs))
    sids = [paired[message].sid for message, _ in ours if message in paired]
    assert len(set(sids)) == len(sids)
    assert sids == sorted(sids)


@given(st.lists(SECONDS, min_size=1, max_size=5, unique=True), st.data())
def test_who_was_asked_for_at_the_very_moment_gets_the_sid(asked: list[object], data: st.DataObject) -> None:
    ours = [(uuid.uuid4(), at) for at in sorted(asked)]  # type: ignore[type-var]
    chosen = data.draw(st.sets(st.sampled_from(range(len(ours)))))
    theirs = [Standing(f"SM{n}", "sent", ours[n][1]) for n in sorted(chosen)]  # type: ignore[arg-type]
    paired = pair(ours, theirs)  # type: ignore[arg-type]
    assert {message: one.sid for message, one in paired.items()} == {ours[n][0]: f"SM{n}" for n in chosen}


@pytest.mark.parametrize("field", ["words", "number"])
def test_a_message_that_no_key_opens_keeps_no_other_from_being_looked_up(
    parts: Parts,
    sender: Sender,
    gateway: FakeGateway,
    clock: SetClock,
    contact: Contact,
    monkeypatch: pytest.MonkeyPatch,
    field: str,
) -> None:
    damaged = unknown_one(parts, sender, gateway, contact)
    other = unknown_one(parts, sender, gateway, make_contact(parts, OTHER_NUMBER, agreed=True), "Others.")
    damage(parts, damaged, number=field == "number")
    gateway.held["Others."] = [there := sid()]
    clock.advance(minutes(1) + SECOND)
    monkeypatch.setattr(checking, "log", logs := CapturingLogger())
    assert look_up_unknown(sender, limit=1) == 1
    assert look_up_unknown(sender) == 0
    assert fetch(parts, other).provider_sid == there
    told = {"message": str(damaged), "error": "UndecryptableError"}
    assert logs.calls == [CapturedCall("error", ("message.not_checked",), told)]
    assert checked_next(parts, damaged) == TUESDAY + UNKNOWN_CHECKS[1]


def test_a_message_that_can_be_read_again_is_looked_up_again(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown_one(parts, sender, gateway, contact)
    damage(parts, message)
    clock.advance(minutes(1) + SECOND)
    look_up_unknown(sender)
    force(parts, message, body="Words.")
    gateway.held["Words."] = [sid()]
    clock.advance(minutes(1))
    assert look_up_unknown(sender) == 1
