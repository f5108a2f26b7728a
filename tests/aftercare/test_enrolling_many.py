"""Enrolling many injections at once comes to the same as one by one."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurseline.aftercare.many import Entry, enrol_many
from nurseline.aftercare.models import Injection
from nurseline.aftercare.plan import STEPS
from nurseline.aftercare.service import EnrolError, Enrolled, enrol
from nurseline.clock import SetClock
from nurseline.consent.models import ConsentEvent, ConsentState
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact, OutboundEvent, OutboundMessage
from nurseline.parts import Parts
from nurseline.tables import Base
from tests.support.line import (
    NUMBER,
    OTHER_NUMBER,
    enrolment,
    fetch,
    make_contact,
    make_injection,
    messages_of,
    say_stop,
)

NUMBERS = [f"+120255501{n:02d}" for n in range(12)]


def many(parts: Parts, *entries: Entry) -> list[Enrolled | EnrolError]:
    with parts.db.begin() as session:
        return enrol_many(session, parts.keyring, entries, now=parts.clock.now())


def one_by_one(parts: Parts, *entries: Entry) -> list[Enrolled | EnrolError]:
    """What a person does who types them in."""
    made: list[Enrolled | EnrolError] = []
    for entry in entries:
        try:
            with parts.db.begin() as session:
                contact = contact_for(session, parts.keyring, entry.number, at=parts.clock.now())
                made.append(enrol(session, contact, entry.enrolment, now=parts.clock.now()))
        except EnrolError as error:
            made.append(error)
    return made


def stored(parts: Parts) -> dict[str, list[tuple[object, ...]]]:
    """Everything that enrolling writes, without ids and in an order of its own."""
    told: dict[str, tuple[type[Base], tuple[str, ...]]] = {
        "contacts": (Contact, ("number", "language", "timezone", "channel", "first_seen_at")),
        "states": (ConsentState, ("number_hash", "status", "carrier_blocked", "since")),
        "ledger": (
            ConsentEvent,
            ("number_hash", "at", "kind", "method", "words", "wording_version", "actor"),
        ),
        "injections": (Injection, ("performed_at", "timezone", "language", "enrolled_at", "enrolled_by")),
        "messages": (
            OutboundMessage,
            (
                *("number_hash", "purpose", "priority", "content_id", "language", "body", "send_after"),
                *("send_before", "timezone", "status", "reason", "step", "turn", "channel", "created_at"),
            ),
        ),
        "history": (OutboundEvent, ("at", "status", "cause", "actor")),
    }
    with parts.db.begin() as session:
        return {
            name: sorted(
                (tuple(getattr(row, key) for key in keys) for row in session.scalars(sa.select(table))),
                key=repr,
            )
            for name, (table, keys) in told.items()
        }


def outcomes(results: list[Enrolled | EnrolError]) -> list[object]:
    """What came of each, without ids."""
    return [
        (one.field, str(one)) if isinstance(one, EnrolError) else (one.planned, one.left_out, one.replaced)
        for one in results
    ]


def empty(parts: Parts) -> None:
    tables = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    with parts.db.begin() as session:
        session.execute(sa.text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))


def test_new_numbers_get_their_consent_injection_and_plan(parts: Parts) -> None:
    results = many(parts, *(Entry(number, enrolment(parts)) for number in NUMBERS))
    assert all(isinstance(one, Enrolled) and len(one.planned) == len(STEPS) for one in results)
    for number in NUMBERS:
        contact = make_contact(parts, number)
        assert [row.step for row in messages_of(parts, contact)] == ["day1", "day3", "week1"]
        assert {row.status for row in messages_of(parts, contact)} == {"scheduled"}


ages = st.integers(-1, 10 * 24).map(lambda hours: timedelta(hours=hours))
some_entries = st.lists(
    st.tuples(st.sampled_from(NUMBERS[:5]), ages, st.booleans(), st.sampled_from([None, "text", "call"])),
    max_size=8,
)


@given(before=some_entries, entries=some_entries, stopped=st.sampled_from([None, *NUMBERS[:5]]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_comes_to_the_same_as_one_by_one(
    parts: Parts,
    before: list[tuple[str, timedelta, bool, str | None]],
    entries: list[tuple[str, timedelta, bool, str | None]],
    stopped: str | None,
) -> None:
    def made(rows: list[tuple[str, timedelta, bool, str | None]]) -> list[Entry]:
        now = parts.clock.now()
        return [
            Entry(number, enrolment(parts, performed_at=now - age, agreed=agreed, channel=channel))
            for number, age, agreed, channel in rows
        ]

    # Of several for one number the order decides what is told, not what is stored; so each comes once.
    once = list({entry.number: entry for entry in made(entries)}.values())
    ends = []
    for way in (one_by_one, many):
        empty(parts)
        one_by_one(parts, *made(before))
        if stopped is not None:
            say_stop(parts, make_contact(parts, stopped))
        ends.append((outcomes(way(parts, *once)), stored(parts)))
    assert ends[0] == ends[1]


def test_a_number_that_comes_twice_keeps_the_plan_of_its_latest_injection(parts: Parts) -> None:
    now = parts.clock.now()
    earlier, later = (enrolment(parts, performed_at=now - timedelta(hours=hours)) for hours in (20, 2))
    results = many(parts, Entry(NUMBER, later), Entry(OTHER_NUMBER, later), Entry(NUMBER, earlier))
    assert all(isinstance(one, Enrolled) for one in results)
    planned = [row for row in messages_of(parts, make_contact(parts)) if row.status == "scheduled"]
    assert {row.send_after - step.after for row, step in zip(planned, STEPS, strict=True)} == {
        later.performed_at
    }


def test_a_bad_entry_leaves_the_others_alone_and_stores_nothing(parts: Parts) -> None:
    bad = enrolment(parts, agreed=False)
    results = many(parts, Entry(NUMBER, bad), Entry(OTHER_NUMBER, enrolment(parts)))
    assert [type(one) for one in results] == [EnrolError, Enrolled]
    with parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Contact)) == 1


def test_a_number_that_ended_messages_is_refused(parts: Parts) -> None:
    contact = make_contact(parts, agreed=True)
    say_stop(parts, contact)
    (result,) = many(parts, Entry(NUMBER, enrolment(parts)))
    assert isinstance(result, EnrolError)
    assert result.field == "number"
    assert messages_of(parts, contact) == []


def test_a_number_whose_ledger_says_stop_before_it_ever_was_a_contact_is_refused(parts: Parts) -> None:
    contact = make_contact(parts, agreed=True)
    say_stop(parts, contact)
    with parts.db.begin() as session:
        session.execute(sa.delete(Contact))
    (result,) = many(parts, Entry(NUMBER, enrolment(parts)))
    assert isinstance(result, EnrolError)
    with parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(OutboundMessage)) == 0


def test_the_same_file_twice_changes_nothing(parts: Parts) -> None:
    entries = [Entry(number, enrolment(parts)) for number in NUMBERS]
    many(parts, *entries)
    before = stored(parts)
    results = many(parts, *entries)
    assert all(isinstance(one, EnrolError) and "already" in str(one) for one in results)
    assert stored(parts) == before


def test_a_later_injection_replaces_what_was_planned_before(parts: Parts, clock: SetClock) -> None:
    contact = make_contact(parts)
    make_injection(parts, contact)
    earlier = [row.id for row in messages_of(parts, contact)]
    clock.advance(timedelta(hours=5))
    (result,) = many(parts, Entry(NUMBER, enrolment(parts)))
    assert isinstance(result, Enrolled)
    assert result.replaced == 3
    assert {fetch(parts, row).status for row in earlier} == {"cancelled"}


def test_known_numbers_cost_no_statement_each(parts: Parts, clock: SetClock) -> None:
    def statements(numbers: list[str]) -> int:
        clock.advance(timedelta(hours=1))
        asked: list[str] = []

        def listen(*given: object) -> None:
            asked.append(str(given[2]))

        sa.event.listen(parts.db.engine, "before_cursor_execute", listen)
        results = many(parts, *(Entry(number, enrolment(parts)) for number in numbers))
        sa.event.remove(parts.db.engine, "before_cursor_execute", listen)
        assert [one.replaced for one in results if isinstance(one, Enrolled)] == [3] * len(numbers)
        return len(asked)

    many(parts, *(Entry(number, enrolment(parts)) for number in NUMBERS))
    assert statements(NUMBERS) == statements(NUMBERS[:2])


def test_none_is_stored_when_the_transaction_fails(parts: Parts) -> None:
    class BrokenError(Exception):
        pass

    def enrolled_and_failed() -> None:
        with parts.db.begin() as session:
            enrol_many(session, parts.keyring, [Entry(NUMBER, enrolment(parts))], now=parts.clock.now())
            raise BrokenError

    with pytest.raises(BrokenError):
        enrolled_and_failed()
    assert all(not rows for rows in stored(parts).values())


def test_nothing_to_enrol_is_nothing(parts: Parts) -> None:
    assert many(parts) == []
