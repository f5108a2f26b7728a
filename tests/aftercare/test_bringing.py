"""Injections that come from elsewhere: looked at first, brought all or none, and only once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.aftercare.bringing import (
    Asked,
    Brought,
    RefusedError,
    Standing,
    bring,
    counted,
    outside_key,
    standing,
    systems,
)
from nurseline.aftercare.models import Injection
from nurseline.clock import SetClock
from nurseline.messaging.models import Contact, ContactNameKey, OutboundMessage
from nurseline.messaging.names import search_keys, set_name
from nurseline.parts import Parts
from tests.support.line import (
    NUMBER,
    OTHER_NUMBER,
    ZONE,
    fetch,
    make_contact,
    make_injection,
    messages_of,
    say_stop,
)

WORDING = {"en": ("consent words", "3"), "es": ("palabras", "3")}


def ask(parts: Parts, line: int = 2, number: str = NUMBER, hours: int = 1, **more: object) -> Asked:
    performed = parts.clock.now() - timedelta(hours=hours)
    return replace(Asked(line, number, performed, ZONE, "en"), **more)


def look(parts: Parts, *asked: Asked, **more: timedelta) -> list[Standing]:
    with parts.db.begin() as session:
        return standing(
            session, parts.keyring, asked, wording=WORDING, now=parts.clock.now(), steps=parts.steps, **more
        )


def brought(parts: Parts, *asked: Asked, **more: timedelta) -> Brought:
    with parts.db.begin() as session:
        return bring(
            session,
            parts.keyring,
            asked,
            staff="staff-1",
            wording=WORDING,
            now=parts.clock.now(),
            steps=parts.steps,
            **more,
        )


def stored(parts: Parts) -> int:
    with parts.db.begin() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Injection)) or 0


def test_looking_stores_nothing_and_tells_what_would_be_done(parts: Parts) -> None:
    (one,) = look(parts, ask(parts))
    assert one.is_new
    assert [due.step.name for due in one.due] == ["day1", "day3", "week1"]
    assert stored(parts) == 0
    with parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Contact)) == 0


def test_bringing_does_what_looking_told(parts: Parts) -> None:
    asked = [
        ask(parts),
        ask(parts, 3, OTHER_NUMBER, hours=30),
        ask(parts, 4, hours=50),
        ask(parts, 5, "+12025550125", hours=100),
    ]
    sums = counted(look(parts, *asked))
    done = brought(parts, *asked)
    with parts.db.begin() as session:
        planned = session.scalar(
            sa.select(sa.func.count())
            .select_from(OutboundMessage)
            .where(OutboundMessage.status == "scheduled")
        )
    assert (sums["new"], sums["messages"], sums["overtaken"]) == (len(done.enrolled), planned, 1)


def test_the_same_again_is_known_and_changes_nothing(parts: Parts, clock: SetClock) -> None:
    asked = [ask(parts, reference="V-1", name="Ann Bell"), ask(parts, 3, OTHER_NUMBER)]
    first = brought(parts, *asked)
    clock.advance(timedelta(days=30))  # by then it would be too late for a new one
    again = [replace(one, line=one.line + 10) for one in asked]
    assert [one.known for one in look(parts, *again)] == list(first.enrolled.values())
    second = brought(parts, *again)
    assert (len(second.enrolled), list(second.already.values())) == (0, list(first.enrolled.values()))
    assert stored(parts) == 2


def test_a_reference_stands_for_one_injection_only(parts: Parts) -> None:
    brought(parts, ask(parts, reference="V-1"))
    with pytest.raises(RefusedError) as refused:
        brought(parts, ask(parts, 3, hours=5, reference=" v-1 "), ask(parts, 4, OTHER_NUMBER))
    assert [(line, column) for line, column, _ in refused.value.refused] == [(3, "reference")]
    assert stored(parts) == 1


def test_the_same_reference_of_another_system_is_another_reference(parts: Parts) -> None:
    brought(parts, ask(parts, reference="1", system="urn:a"))
    brought(parts, ask(parts, 3, OTHER_NUMBER, reference="1", system="urn:b"))
    with parts.db.begin() as session:
        assert sorted(systems(session)) == ["", "urn:a", "urn:b"]


def test_an_injection_entered_by_hand_takes_the_reference_that_comes_later(parts: Parts) -> None:
    contact = make_contact(parts)
    made = make_injection(parts, contact)
    with parts.db.begin() as session:
        performed = session.get_one(Injection, made.injection_id).performed_at
    done = brought(parts, replace(ask(parts, reference="V-9"), performed_at=performed))
    assert list(done.already.values()) == [made.injection_id]
    with parts.db.begin() as session:
        row = session.get_one(Injection, made.injection_id)
        assert (row.outside_reference, row.outside_key) == ("V-9", outside_key(parts.keyring, "V-9"))


def test_one_that_cannot_be_enrolled_keeps_all_others_out(parts: Parts) -> None:
    say_stop(parts, make_contact(parts, OTHER_NUMBER))
    asked = [ask(parts), ask(parts, 3, OTHER_NUMBER), ask(parts, 4, "+12025550125", hours=-1)]
    assert [bool(one.refused) for one in look(parts, *asked)] == [False, True, True]
    with pytest.raises(RefusedError) as refused:
        brought(parts, *asked)
    assert [(line, column) for line, column, _ in refused.value.refused] == [(3, "phone"), (4, "date")]
    assert stored(parts) == 0


def test_a_later_injection_replaces_what_is_planned_and_looking_says_how_much(parts: Parts) -> None:
    contact = make_contact(parts)
    make_injection(parts, contact, performed_at=parts.clock.now() - timedelta(hours=10))
    earlier = [row.id for row in messages_of(parts, contact)]
    (one,) = look(parts, ask(parts))
    done = brought(parts, ask(parts))
    assert one.replaces == done.replaced == len(earlier) == 3
    assert {fetch(parts, row).status for row in earlier} == {"cancelled"}


def test_one_near_in_time_is_the_same_where_that_is_asked_for(parts: Parts) -> None:
    first = brought(parts, ask(parts, hours=3))
    near = timedelta(hours=12)
    again = brought(parts, ask(parts, hours=1), same_within=near)
    assert list(again.already.values()) == list(first.enrolled.values())
    assert look(parts, ask(parts, hours=16), same_within=near)[0].is_new


def test_a_name_is_kept_once_and_found_by_it(parts: Parts) -> None:
    brought(parts, ask(parts, name="Ann Bell"), ask(parts, 3, OTHER_NUMBER, name="José Núñez"))
    with parts.db.begin() as session:
        keys = search_keys(parts.keyring, "nune")
        found = session.scalars(
            sa.select(ContactNameKey.contact_id).where(ContactNameKey.key.in_(keys))
        ).all()
        (contact,) = (session.get_one(Contact, one) for one in found)
        assert (contact.name, contact.number) == ("José Núñez", OTHER_NUMBER)


def test_another_name_for_a_known_number_is_told_and_changes_nothing(parts: Parts) -> None:
    contact = make_contact(parts)
    with parts.db.begin() as session:
        set_name(session, parts.keyring, contact, "Ann Bell")
    assert [one.other_name for one in look(parts, ask(parts, name="bell,  ANN"))] == [False]
    assert [one.other_name for one in look(parts, ask(parts, name="Cal Dorn"))] == [True]
    brought(parts, ask(parts, name="Cal Dorn"))
    with parts.db.begin() as session:
        assert session.get_one(Contact, contact.id).name == "Ann Bell"


def test_more_than_one_statement_holds(parts: Parts) -> None:
    asked = [
        ask(parts, line, f"+1202555{line:04d}", name=f"Ann Bell{line}", reference=f"V-{line}")
        for line in range(1_500)
    ]
    assert len(brought(parts, *asked).enrolled) == 1_500
    assert len(brought(parts, *asked).already) == 1_500
