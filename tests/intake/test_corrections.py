"""Records that the clinic's system corrects: a second identifier, one taken back, one sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from nurseline.aftercare.models import Injection
from nurseline.messaging.models import OutboundMessage
from tests.intake.conftest import APPOINTMENT, PATIENT, PROCEDURE, System, changed
from tests.staff.test_staff_enrolment import enrol

ENROLLED = ("201", "Enrolled.")
ALREADY = ("200", "Enrolled already; nothing was changed.")
STANDS = "Taken back. Another identifier of this visit stands, so its messages stay planned."
OFF = "Called off: 3 planned messages were cancelled."
FIRST = PROCEDURE
SECOND = changed(
    PROCEDURE,
    identifier=[{"system": "urn:oid:2.999.1", "value": "B-2"}],
    performedDateTime="2026-03-03T09:50:00-05:00",
)


def wrong(resource: dict[str, Any]) -> dict[str, Any]:
    """The same, entered in error."""
    return changed(resource, status="entered-in-error")


def sent(system: System, resource: dict[str, Any], patient: dict[str, Any] = PATIENT) -> tuple[str, str]:
    """What is answered to one resource of a patient."""
    return system.answers(patient, resource)[1]


def planned(system: System) -> list[str]:
    """The steps that are planned, in order."""
    scheduled = sa.select(OutboundMessage).where(OutboundMessage.status == "scheduled")
    with system.desk.parts.db.begin() as session:
        rows = session.scalars(scheduled.order_by(OutboundMessage.send_after)).all()
        return [row.step or "" for row in rows]


ALL = ["day1", "day3", "week1"]


@pytest.mark.parametrize("second", [SECOND, APPOINTMENT], ids=["procedure", "appointment"])
def test_one_of_two_identifiers_taken_back_leaves_the_visit(system: System, second: dict[str, Any]) -> None:
    for back, stays in ((FIRST, second), (second, FIRST)):
        sent(system, FIRST)
        assert sent(system, second) == ALREADY
        assert sent(system, wrong(back)) == ("200", STANDS)
        assert sent(system, wrong(back)) == ("200", STANDS)
        assert planned(system) == ALL
        assert sent(system, stays) == ALREADY
        assert sent(system, back) == ALREADY  # it stands again


def test_the_last_identifier_taken_back_calls_the_visit_off(system: System) -> None:
    sent(system, FIRST)
    sent(system, SECOND)
    assert sent(system, wrong(SECOND)) == ("200", STANDS)
    assert sent(system, wrong(FIRST)) == ("200", OFF)
    assert planned(system) == []


def test_an_identifier_that_came_back_keeps_the_visit_again(system: System) -> None:
    sent(system, FIRST)
    sent(system, SECOND)
    sent(system, wrong(FIRST))
    sent(system, FIRST)
    assert sent(system, wrong(SECOND)) == ("200", STANDS)
    assert sent(system, wrong(FIRST)) == ("200", OFF)


@pytest.mark.parametrize("again", [FIRST, SECOND, APPOINTMENT], ids=["first", "second", "another"])
def test_a_visit_called_off_is_enrolled_again_with_its_messages(
    system: System, again: dict[str, Any]
) -> None:
    sent(system, FIRST)
    sent(system, SECOND)
    sent(system, wrong(FIRST))
    sent(system, wrong(SECOND))
    assert sent(system, again) == ENROLLED
    assert planned(system) == ALL
    assert sent(system, again) == ALREADY
    assert sent(system, wrong(again)) == ("200", OFF)
    assert planned(system) == []


def test_the_number_of_a_visit_is_mended_by_taking_it_back_and_sending_it_again(system: System) -> None:
    other = changed(PATIENT, telecom=[{"system": "sms", "value": "2025550199"}])
    sent(system, FIRST)
    assert sent(system, FIRST, other)[0] == "409"
    sent(system, wrong(FIRST))
    assert sent(system, FIRST, other) == ENROLLED
    assert planned(system) == ALL
    assert sent(system, wrong(FIRST)) == ("200", OFF)


def test_only_what_is_still_of_use_is_planned_again(system: System) -> None:
    sent(system, FIRST)
    sent(system, wrong(FIRST))
    system.desk.clock.advance(timedelta(days=3))
    assert sent(system, FIRST) == ENROLLED
    assert planned(system) == ["day3", "week1"]
    assert sent(system, FIRST) == ALREADY
    system.desk.clock.advance(timedelta(days=40))
    with system.desk.parts.db.begin() as session:
        session.execute(sa.text("UPDATE outbound_messages SET status = 'sent' WHERE status = 'scheduled'"))
    assert sent(system, FIRST) == ALREADY  # not called off, though nothing is planned any more


def test_death_calls_off_whatever_other_identifiers_stand(system: System) -> None:
    sent(system, FIRST)
    sent(system, SECOND)
    assert sent(system, FIRST, changed(PATIENT, deceasedBoolean=True)) == ("200", OFF)


def test_what_an_injection_sent_in_error_had_replaced_is_given_back_but_not_to_the_dead(
    system: System,
) -> None:
    later = changed(
        PROCEDURE,
        identifier=[{"system": "urn:oid:2.999.1", "value": "C-3"}],
        performedDateTime="2026-03-04T10:00:00-05:00",
    )
    dead = changed(PATIENT, deceasedBoolean=True)
    sent(system, FIRST)
    system.desk.clock.advance(timedelta(hours=25))
    for patient, left in ((PATIENT, ALL), (dead, [])):
        assert sent(system, later) == ENROLLED
        assert planned(system) == ALL
        assert sent(system, wrong(later), patient) == ("200", OFF)
        assert planned(system) == left
    sent(system, wrong(later))
    assert planned(system) == []


def test_staff_enrol_by_hand_what_was_called_off(system: System) -> None:
    sent(system, FIRST)
    browser = system.desk.signed_in()
    at = {"performed_on": "2026-03-03", "performed_at": "09:30"}
    assert enrol(browser, **at)[0] == 422
    sent(system, wrong(FIRST))
    assert enrol(browser, **at)[0] == 302
    assert planned(system) == ALL
    with system.desk.parts.db.begin() as session:
        (row,) = session.scalars(sa.select(Injection)).all()
        assert not row.enrolled_by.startswith("system:")
    assert sent(system, FIRST) == ALREADY
