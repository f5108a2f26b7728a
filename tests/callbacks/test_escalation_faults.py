"""Escalating goes on whatever one row holds: an emergency that nobody took is told of. On a real database."""

import pytest
import sqlalchemy as sa
from structlog.testing import CapturedCall, CapturingLogger

from nurseline.callbacks import escalation
from nurseline.callbacks.escalation import DUE, Escalation, Raised
from nurseline.callbacks.models import CallbackItem
from nurseline.clinic import service as clinic
from nurseline.clinic.service import Phone
from nurseline.clock import SetClock
from nurseline.messaging.models import OutboundMessage
from nurseline.parts import Parts
from tests.callbacks.queueing import ADA, ask, claim, item_of
from tests.support.line import NUMBER, OTHER_NUMBER, STAFF, minutes

DESK, NURSE = "+12025550191", "+12025550192"


@pytest.fixture(autouse=True)
def on_call(parts: Parts) -> None:
    """Two phones that are always on duty."""
    with parts.db.begin() as session:
        for name, number in (("Desk", DESK), ("Nurse", NURSE)):
            phone = Phone(name, number, on_call=True)
            clinic.keep_phone(session, phone, parts.settings.zone, now=parts.clock.now(), staff=STAFF)


def damage(parts: Parts, what: str) -> None:
    with parts.db.begin() as session:
        session.execute(sa.text(f"UPDATE {what}"))


def run(parts: Parts) -> Raised:
    needed = Escalation(parts.keyring, (), parts.hours, parts.settings.regions)
    return escalation.run(parts.db, needed, now=parts.clock.now())


def told(parts: Parts, content_id: str) -> list[str]:
    """The hashes of the numbers to which a text was planned."""
    query = sa.select(OutboundMessage.number_hash).where(OutboundMessage.content_id == content_id)
    with parts.db.begin() as session:
        return sorted(session.scalars(query))


def hashes(parts: Parts, *numbers: str) -> list[str]:
    return sorted(parts.keyring.number_hash(number) for number in numbers)


@pytest.mark.parametrize(
    ("field", "reached"), [("shift = 'whenever'", (DESK, NURSE)), ("number = 'x'", (NURSE,))]
)
def test_one_phone_that_cannot_be_read_keeps_nobody_else_from_being_told(
    parts: Parts, clock: SetClock, field: str, reached: tuple[str, ...]
) -> None:
    damage(parts, f"staff_phones SET {field} WHERE name = 'Desk'")
    ask(parts, "emergency")
    clock.advance(minutes(5))
    assert run(parts).due == 1
    assert told(parts, DUE) == hashes(parts, *reached)


def test_a_patient_whose_number_no_key_opens_keeps_no_other_from_being_told(
    parts: Parts, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(escalation, "log", logs := CapturingLogger())
    unread, read = ask(parts).item_id, ask(parts, number=OTHER_NUMBER).item_id
    damage(parts, f"contacts SET number = 'x' WHERE number_hash = '{hashes(parts, NUMBER)[0]}'")
    damage(parts, "callback_items SET best_time = 'x'")
    with parts.db.begin() as session:
        clock.instant = session.scalars(sa.select(sa.func.max(CallbackItem.promised_at))).one()
    assert run(parts).told == 1
    assert told(parts, "promise_late") == hashes(parts, OTHER_NUMBER)
    assert logs.calls == [
        CapturedCall("error", ("escalation.late_not_told",), {"error": "UndecryptableError"})
    ]
    with parts.db.begin() as session:
        at = sa.select(CallbackItem.told_late_at)
        assert session.scalars(at.where(CallbackItem.id == unread)).one() is None
        assert session.scalars(at.where(CallbackItem.id == read)).one() == clock.now()


@pytest.mark.parametrize("step", ["give_back_expired", "escalate", "tell_late"])
def test_a_step_that_fails_keeps_none_of_the_others_from_its_turn(
    parts: Parts, clock: SetClock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError

    held = ask(parts, "urgent", OTHER_NUMBER).item_id
    claim(parts, held, ADA)
    item = ask(parts).item_id
    clock.instant = item_of(parts, item).promised_at
    monkeypatch.setattr(escalation, step, fail)
    done = run(parts)
    assert (item_of(parts, held).status == "new") == (step != "give_back_expired")
    assert bool(done.due) == (step != "escalate")
    assert bool(done.told) == (step != "tell_late")
