"""What the tests of calling back do: a telephone that answers as told, and the reports about one call."""

import uuid
from dataclasses import dataclass, field

from nurseline.callbacks import calling
from nurseline.callbacks.calling import LegReport
from nurseline.callbacks.models import CallbackAttempt
from nurseline.callbacks.service import Staff
from nurseline.outcomes import Accepted, SendOutcome, Standing
from nurseline.parts import Parts
from tests.callbacks.queueing import ADA, ask, claim, history
from tests.support.line import sid

OWN_PHONE = "+12025550199"
US = frozenset({"US"})


@dataclass
class FakeTelephone:
    """Answers as it is told, and remembers what it was asked."""

    outcome: SendOutcome | None = None
    rung: list[str] = field(default_factory=list)
    stands: dict[str, Standing] = field(default_factory=dict)
    down: bool = False

    def ring_staff(self, *, to: str, reference: uuid.UUID) -> SendOutcome:
        assert reference
        self.rung.append(to)
        return self.outcome or Accepted(sid("CA"))

    def look_at_call(self, sid: str) -> Standing | None:
        if self.down:
            raise OSError
        return self.stands.get(sid)


@dataclass
class Talk:
    """One call, and the reports about it that a test makes up."""

    parts: Parts
    item: uuid.UUID
    id: uuid.UUID
    staff_sid: str
    patient_sid: str = field(default_factory=lambda: sid("CA"))

    def press(self) -> bool:
        with self.parts.db.begin() as session:
            now = self.parts.clock.now()
            return calling.pressed(session, self.id, self.staff_sid, now=now) is not None

    def pick_up(self) -> bool:
        with self.parts.db.begin() as session:
            return calling.picked_up(session, self.id, self.staff_sid) is not None

    def no_key(self, *, keys: bool = False) -> None:
        with self.parts.db.begin() as session:
            calling.not_pressed(session, self.id, self.staff_sid, keys=keys, now=self.parts.clock.now())

    def staff(self, status: str) -> None:
        with self.parts.db.begin() as session:
            calling.staff_moved(
                session, self.id, LegReport(self.staff_sid, status, self.parts.clock.now(), 60)
            )

    def patient(self, status: str, seconds: int | None = None) -> None:
        with self.parts.db.begin() as session:
            report = LegReport(self.patient_sid, status, self.parts.clock.now(), seconds)
            calling.patient_moved(session, self.id, report)

    def machine(self) -> None:
        with self.parts.db.begin() as session:
            calling.machine_answered(session, self.id, self.patient_sid, at=self.parts.clock.now())

    @property
    def row(self) -> CallbackAttempt:
        with self.parts.db.begin() as session:
            return session.get_one(CallbackAttempt, self.id)

    @property
    def stage(self) -> str:
        return calling.stage(self.row, self.parts.clock.now())

    @property
    def result(self) -> tuple[str, int | None]:
        row = self.row
        assert row.ended_at is not None, "the call is not over"
        return row.result, row.seconds


def claimed(parts: Parts, staff: Staff = ADA, **changed: object) -> uuid.UUID:
    item = ask(parts, **changed).item_id
    claim(parts, item, staff)
    return item


def begin(parts: Parts, item: uuid.UUID, staff: Staff = ADA) -> uuid.UUID:
    with parts.db.begin() as session:
        return calling.start(session, item, staff, regions=US, now=parts.clock.now()).id


def call(parts: Parts, telephone: FakeTelephone, item: uuid.UUID | None = None) -> Talk:
    """Ada presses Call, and the carrier says what it is told to."""
    item = item or claimed(parts)
    attempt = begin(parts, item)
    outcome = calling.ring(parts.db, parts.clock, telephone, attempt, OWN_PHONE)
    return Talk(parts, item, attempt, outcome.sid if isinstance(outcome, Accepted) else sid("CA"))


def ends(parts: Parts, item: uuid.UUID) -> list[str]:
    """How the calls about an item ended, by its history."""
    return [cause for _, cause, _ in history(parts, item) if cause.startswith("call ended")]
