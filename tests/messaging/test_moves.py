"""Every move between two statuses: the legal ones happen once, the others never."""

import itertools

import pytest

from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import MOVES
from nurseline.parts import Parts
from nurseline.transitions import IllegalMoveError
from tests.messaging.support import STATUSES, force
from tests.support.line import at_once, fetch, history, make_contact, plan_one

LEGAL = {
    ("scheduled", "claimed"),
    ("scheduled", "skipped"),
    ("scheduled", "cancelled"),
    ("claimed", "scheduled"),
    ("claimed", "sending"),
    ("claimed", "skipped"),
    ("claimed", "cancelled"),
    ("claimed", "failed"),  # it was tried before, and now it is too late
    ("sending", "scheduled"),  # only when the request surely never arrived
    ("sending", "sent"),
    ("sending", "delivered"),
    ("sending", "undelivered"),
    ("sending", "failed"),
    ("sending", "unknown"),
    ("unknown", "sent"),
    ("unknown", "delivered"),
    ("unknown", "undelivered"),
    ("unknown", "failed"),
    ("sent", "delivered"),
    ("sent", "undelivered"),
    ("sent", "failed"),
}


def test_each_pair_of_statuses_moves_if_and_only_if_it_is_legal(parts: Parts) -> None:
    contact = make_contact(parts)
    for before, after in itertools.product(STATUSES, STATUSES):
        message = plan_one(parts, contact)
        force(parts, message, status=before)
        with parts.db.begin() as session:
            moved = MOVES.move(session, [message], after, at=parts.clock.now(), cause="test")
        legal = (before, after) in LEGAL
        assert moved == ([message] if legal else []), f"{before} -> {after}"
        assert fetch(parts, message).status == (after if legal else before), f"{before} -> {after}"
        assert history(parts, message) == (["scheduled", after] if legal else ["scheduled"])


def test_nothing_that_may_have_gone_returns_to_the_plan() -> None:
    ended = {"sent", "delivered", "undelivered", "failed", "unknown", "skipped", "cancelled"}
    for status in ("scheduled", "claimed", "sending"):
        assert not MOVES.legal[status] & ended, status


def test_an_unknown_status_is_an_error_of_ours(parts: Parts) -> None:
    message = plan_one(parts, make_contact(parts))
    with pytest.raises(IllegalMoveError), parts.db.begin() as session:
        MOVES.move(session, [message], "posted", at=parts.clock.now(), cause="test")


def test_of_two_moves_at_once_one_changes_the_row_and_its_history(parts: Parts) -> None:
    message = plan_one(parts, make_contact(parts))

    def cancel() -> int:
        with parts.db.begin() as session:
            return len(MOVES.move(session, [message], "cancelled", at=parts.clock.now(), cause="test"))

    def claim() -> int:
        with parts.db.begin() as session:
            return len(MOVES.move(session, [message], "skipped", at=parts.clock.now(), cause="test"))

    assert sorted(at_once(cancel, claim, cancel, claim)) == [0, 0, 0, 1]
    assert len(history(parts, message)) == 2


def test_a_condition_that_does_not_hold_keeps_the_row_as_it_is(parts: Parts) -> None:
    message = plan_one(parts, make_contact(parts))
    with parts.db.begin() as session:
        moved = MOVES.move(
            session,
            [message],
            "claimed",
            at=parts.clock.now(),
            cause="test",
            only_if=[OutboundMessage.attempts == 5],
            values={"attempts": 9},
        )
    assert moved == []
    assert fetch(parts, message).attempts == 0
    assert history(parts, message) == ["scheduled"]
