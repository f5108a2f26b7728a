"""Enrolling an injection: three messages are planned and sent, or nothing is stored."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from nurseline.aftercare.models import Injection
from nurseline.aftercare.service import EnrolError, Enrolled
from nurseline.clock import SetClock
from nurseline.consent.models import ConsentEvent
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.sending import Sender
from nurseline.parts import Parts
from tests.support.line import (
    STAFF,
    TUESDAY,
    FakeGateway,
    at_once,
    fetch,
    make_contact,
    make_injection,
    messages_of,
)


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts)


def stored(parts: Parts) -> tuple[int, int, int]:
    """How many injections, messages and ledger entries there are."""
    with parts.db.begin() as session:
        counts = [
            session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in (Injection, OutboundMessage, ConsentEvent)
        ]
    return counts[0], counts[1], counts[2]


def test_exactly_three_messages_are_planned_with_the_zone_and_language_of_the_patient(
    parts: Parts, contact: Contact
) -> None:
    enrolled = make_injection(parts, contact, timezone="America/Phoenix")
    rows = messages_of(parts, contact)
    assert [
        (m.step, m.content_id, m.purpose, m.status, m.send_after - TUESDAY, m.send_before) for m in rows
    ] == [
        (
            "day1",
            "reminder.day1",
            "reminder",
            "scheduled",
            timedelta(hours=24),
            TUESDAY + timedelta(hours=36),
        ),
        (
            "day3",
            "reminder.day3",
            "reminder",
            "scheduled",
            timedelta(hours=72),
            TUESDAY + timedelta(hours=90),
        ),
        ("week1", "reminder.week1", "reminder", "scheduled", timedelta(days=7), TUESDAY + timedelta(days=9)),
    ]
    assert {(m.timezone, m.language, m.injection_id) for m in rows} == {
        ("America/Phoenix", "en", enrolled.injection_id)
    }
    assert enrolled.left_out == ()
    with parts.db.begin() as session:
        assert session.get_one(Contact, contact.id).timezone == "America/Phoenix"


def test_the_ledger_keeps_what_the_patient_agreed_to(parts: Parts, contact: Contact) -> None:
    make_injection(parts, contact, wording="You may text me.", wording_version="7")
    with parts.db.begin() as session:
        (event,) = session.scalars(sa.select(ConsentEvent)).all()
    assert (event.kind, event.method, event.actor) == ("opt_in", "staff", STAFF)
    assert (event.words, event.wording_version) == ("You may text me.", "7")


def test_the_three_go_out_one_after_the_other(
    parts: Parts, contact: Contact, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    make_injection(parts, contact)
    went = {}
    while clock.now() < TUESDAY + timedelta(days=10):
        clock.advance(timedelta(hours=1))
        sender.send_due()
        went |= {s.reference: clock.now() - TUESDAY for s in gateway.sends if s.reference not in went}
    assert list(went.values()) == [timedelta(hours=24), timedelta(hours=72), timedelta(days=7)]
    assert len(gateway.sends) == 3
    said = [parts.say(f"reminder.{step}", "en").text for step in ("day1", "day3", "week1")]
    assert [s.body for s in gateway.sends] == said


@pytest.mark.parametrize(
    ("age", "planned", "left_out"),
    [
        (timedelta(hours=30), ["day1", "day3", "week1"], ()),
        (timedelta(hours=40), ["day3", "week1"], ("day1",)),
        (timedelta(days=5), ["week1"], ("day1", "day3")),
    ],
)
def test_a_late_enrolment_plans_only_what_is_still_useful(
    parts: Parts, contact: Contact, age: timedelta, planned: list[str], left_out: tuple[str, ...]
) -> None:
    enrolled = make_injection(parts, contact, performed_at=TUESDAY - age)
    assert [m.step for m in messages_of(parts, contact)] == planned
    assert [due.step.name for due in enrolled.planned] == planned
    assert enrolled.left_out == left_out


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"agreed": False}, "agreed", "agreement"),
        ({"timezone": "Mars/Olympus"}, "timezone", "time zone"),
        ({"timezone": ""}, "timezone", "time zone"),
        ({"timezone": "../../etc/passwd"}, "timezone", "time zone"),
        ({"timezone": "America/New_York\x00"}, "timezone", "time zone"),
        ({"performed_at": TUESDAY + timedelta(minutes=6)}, "performed_at", "future"),
        ({"performed_at": datetime(9999, 12, 31, 23, 59, tzinfo=UTC)}, "performed_at", "future"),
        ({"performed_at": TUESDAY - timedelta(days=9)}, "performed_at", "too long ago"),
        ({"performed_at": datetime(1, 1, 1, tzinfo=UTC)}, "performed_at", "too long ago"),
        ({"performed_at": datetime(2026, 3, 3, 15, 0)}, "performed_at", "time zone"),  # noqa: DTZ001
    ],
)
def test_what_cannot_be_enrolled_names_its_field_and_stores_nothing(
    parts: Parts, contact: Contact, changed: dict[str, object], field: str, words: str
) -> None:
    with pytest.raises(EnrolError, match=words) as refused:
        make_injection(parts, contact, **changed)
    assert refused.value.field == field
    assert stored(parts) == (0, 0, 0)


def test_clocks_may_differ_by_five_minutes(parts: Parts, contact: Contact) -> None:
    make_injection(parts, contact, performed_at=TUESDAY + timedelta(minutes=5))
    assert len(messages_of(parts, contact)) == 3


def test_the_same_injection_twice_is_refused_and_planned_once(parts: Parts, contact: Contact) -> None:
    make_injection(parts, contact)
    before = stored(parts)
    with pytest.raises(EnrolError, match="enrolled already"):
        make_injection(parts, contact)
    assert stored(parts) == before == (1, 3, 1)


def test_the_same_injection_many_times_at_once_is_planned_once(parts: Parts, contact: Contact) -> None:
    tried = at_once(*[lambda: make_injection(parts, contact)] * 6)
    assert [isinstance(one, Enrolled) for one in tried].count(True) == 1
    assert [isinstance(one, EnrolError) for one in tried].count(True) == 5
    assert stored(parts) == (1, 3, 1)


def test_two_injections_of_one_patient_have_a_plan_each(parts: Parts, contact: Contact) -> None:
    make_injection(parts, contact)
    make_injection(parts, contact, performed_at=TUESDAY - timedelta(days=1))
    assert len(messages_of(parts, contact)) == 6


@pytest.mark.parametrize(
    ("performed", "step", "due", "goes"),
    [
        # clocks go forward: 72 hours after half past seven it is half past eight in the evening, so it waits
        ("2026-03-08T00:30", 1, "2026-03-11T00:30", "2026-03-11T13:00"),
        # clocks go back: 24 hours after half past nine it is half past eight in the morning, so it waits
        ("2026-10-31T13:30", 0, "2026-11-01T13:30", "2026-11-01T14:00"),
        ("2026-10-31T14:30", 0, "2026-11-01T14:30", "2026-11-01T14:30"),
    ],
)
def test_over_a_change_of_clocks_hours_are_elapsed_and_allowed_hours_those_of_the_wall(
    parts: Parts,
    contact: Contact,
    sender: Sender,
    gateway: FakeGateway,
    clock: SetClock,
    performed: str,
    step: int,
    due: str,
    goes: str,
) -> None:
    clock.instant = utc(performed) + timedelta(hours=48 * step)
    make_injection(parts, contact, performed_at=utc(performed).astimezone(parts.settings.zone))
    message = next(m for m in messages_of(parts, contact) if m.step == ("day1", "day3")[step])
    assert message.send_after == utc(due)
    clock.instant = utc(due)
    sender.send_due()
    if due != goes:
        assert (gateway.sends, fetch(parts, message.id).send_after) == ([], utc(goes))
    clock.instant = utc(goes)
    sender.send_due()
    assert [sent.reference for sent in gateway.sends] == [message.id]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_database_refuses_a_second_plan_for_one_step(parts: Parts, contact: Contact) -> None:
    make_injection(parts, contact)
    first = messages_of(parts, contact)[0]
    columns = {c.name: getattr(first, c.name) for c in OutboundMessage.__table__.columns}
    twin = sa.insert(OutboundMessage).values(**{**columns, "id": uuid.uuid4()})
    with pytest.raises(sa.exc.IntegrityError), parts.db.begin() as session:
        session.execute(twin)
