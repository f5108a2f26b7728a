"""Enrolled injections with what became of each of their messages."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from nurseline.aftercare.models import Injection
from nurseline.aftercare.plan import Step
from nurseline.consent.allowed import AllowedHours
from nurseline.consent.hours import next_opening
from nurseline.messaging.models import OutboundMessage
from nurseline.staff.queries.numbers import masked
from nurseline.staff.queries.people import names_of
from nurseline.zones import zone

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Reminder:
    """One step of an injection. ``message`` None: left out when it was enrolled, since it was too late.

    ``expected_at``: when a planned one will go, by the allowed hours where the patient is; None if it
    has gone, or will not go because those hours come too late.
    """

    step: str
    message: OutboundMessage | None
    due_at: datetime
    useful_until: datetime
    expected_at: datetime | None

    @property
    def status(self) -> str:
        """The message's status; ``skipped`` where none was planned."""
        return self.message.status if self.message else "skipped"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An injection with its three steps. ``number`` is masked."""

    injection: Injection
    number: str
    zone: ZoneInfo
    reminders: Sequence[Reminder]
    enrolled_by: str


def injection_page(
    session: Session, injection_id: uuid.UUID, hours: AllowedHours, steps: Sequence[Step]
) -> Enrolled | None:
    """One injection; None if there is none with this id. ``hours``: when messages may go."""
    injection = session.get(Injection, injection_id)
    return _enrolled(session, [injection], hours, steps)[0] if injection else None


def recent_injections(
    session: Session, hours: AllowedHours, steps: Sequence[Step], *, limit: int = SHOWN
) -> list[Enrolled]:
    """The injections enrolled last, newest first."""
    rows = session.scalars(
        sa.select(Injection)
        .order_by(Injection.enrolled_at.desc(), Injection.id)
        .options(selectinload(Injection.contact))
        .limit(limit)
    ).all()
    return _enrolled(session, rows, hours, steps)


def _enrolled(
    session: Session, injections: Sequence[Injection], hours: AllowedHours, steps: Sequence[Step]
) -> list[Enrolled]:
    by_injection: dict[uuid.UUID, dict[str, OutboundMessage]] = defaultdict(dict)
    if injections:
        ids = [injection.id for injection in injections]
        for message in session.scalars(
            sa.select(OutboundMessage)
            .where(OutboundMessage.injection_id.in_(ids))
            .order_by(OutboundMessage.turn)  # the last turn of a step tells how it stands
        ):
            if message.injection_id and message.step:
                by_injection[message.injection_id][message.step] = message
    names = names_of(session, (injection.enrolled_by for injection in injections))
    return [
        Enrolled(
            injection,
            masked(injection.contact.number),
            zone(injection.timezone),
            _reminders(injection, by_injection[injection.id], hours, steps),
            names[injection.enrolled_by],
        )
        for injection in injections
    ]


def _reminders(
    injection: Injection, messages: dict[str, OutboundMessage], hours: AllowedHours, steps: Sequence[Step]
) -> list[Reminder]:
    reminders = []
    for step in steps:
        due = injection.performed_at + step.after
        message = messages.get(step.name)
        until = (message and message.send_before) or injection.performed_at + step.until
        expected = None
        if message and message.status in {"scheduled", "claimed"}:
            there = message.timezone or injection.contact.timezone  # it follows the patient
            where = hours.where(injection.contact.number, there)
            opening = next_opening(message.send_after, where.zones, where.week)
            expected = opening if opening and opening < until else None
        reminders.append(Reminder(step.name, message, due, until, expected))
    return reminders
