"""Injections from the clinic's own system: what is enrolled, what is called off, and what is refused."""

from __future__ import annotations

import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.operationoutcome import OperationOutcome

from nurseline.aftercare.models import Injection
from nurseline.consent.models import ConsentState
from nurseline.messaging.models import Contact, OutboundMessage
from tests.intake.conftest import APPOINTMENT, PATIENT, PROCEDURE, System, bundle, changed

DOCS = (Path(__file__).parents[2] / "docs/intake.md").read_text(encoding="utf-8")
AGREED = "urn:nurseline:agreed-to-messages"
CONSENT: dict[str, Any] = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"text": "messages"},
    "category": [{"coding": [{"system": "urn:nurseline:consent", "code": "aftercare-messages"}]}],
    "patient": {"reference": "Patient/p1"},
    "provision": {"type": "permit"},
}


def stored(system: System, model: Any = Injection) -> list[Any]:
    with system.desk.parts.db.begin() as session:
        return list(session.scalars(sa.select(model)))


def test_a_completed_procedure_is_enrolled_with_its_three_messages(system: System) -> None:
    assert system.answers(PATIENT, PROCEDURE)[1] == ("201", "Enrolled.")
    (made,) = stored(system)
    assert made.performed_at == datetime(2026, 3, 3, 14, 30, tzinfo=UTC)
    assert (made.enrolled_by, made.outside_reference, made.timezone, made.language) == (
        "system:our EHR",
        "V-1",
        "America/New_York",
        "en",
    )
    (contact,) = stored(system, Contact)
    assert (contact.number, contact.name) == ("+12025550123", "Ann Bell")
    assert len(stored(system, OutboundMessage)) == 3
    assert [state.status for state in stored(system, ConsentState)] == ["opted_in"]


def test_the_example_of_the_documentation_does_what_it_says(system: System) -> None:
    request, expected = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL))
    response = system.send(request)
    answer = response.json
    answer["entry"][1]["response"]["location"] = "Injection/…"
    assert answer == expected
    (made,) = stored(system)
    assert made.timezone == "America/Chicago"
    again = system.send(request).json["entry"][1]["response"]
    assert again["status"] == "200 OK"
    assert "Enrolled already" in again["outcome"]["issue"][0]["diagnostics"]


def test_answers_are_fhir(system: System) -> None:
    response = system.send(bundle(PATIENT, PROCEDURE, {"resourceType": "Basic"}, {}))
    assert response.content_type == "application/fhir+json; charset=utf-8"
    assert len(Bundle.model_validate(response.json).entry) == 4
    OperationOutcome.model_validate(system.send(b"{").json)


def test_a_fulfilled_appointment_counts_at_its_end(system: System) -> None:
    assert system.answers(PATIENT, APPOINTMENT)[1][0] == "201"
    assert stored(system)[0].performed_at == datetime(2026, 3, 3, 14, 45, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["batch", "transaction", "collection"])
def test_a_procedure_and_its_appointment_are_one_visit(system: System, kind: str) -> None:
    statuses = [status for status, _ in system.answers(PATIENT, PROCEDURE, APPOINTMENT, kind=kind)]
    assert statuses == ["200", "201", "200"]
    assert len(stored(system)) == 1


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        (changed(PROCEDURE, status="in-progress"), "Nothing was performed yet"),
        (changed(APPOINTMENT, status="booked"), "Nothing was performed yet"),
        (changed(PROCEDURE, code={"text": "Flu shot"}), "not coded"),
        (changed(PROCEDURE, code=None), "not coded"),
        (changed(APPOINTMENT, serviceType=None), "not coded"),
        ({"resourceType": "Observation", "status": "final"}, "not read here"),
        (changed(PROCEDURE, status="entered-in-error"), "Nothing is known"),
        (changed(PROCEDURE, status="not-done", identifier=None), "Nothing is known"),
    ],
)
def test_what_is_no_injection_is_left_alone_and_said_so(
    system: System, resource: dict[str, Any], told: str
) -> None:
    status, words = system.answers(PATIENT, resource)[1]
    assert (status, told in words) == ("200", True)
    assert not stored(system)


@pytest.mark.parametrize(
    "code",
    [
        {
            "coding": [
                {"system": "http://snomed.info/sct", "display": "Injection of  Trigger Point (procedure)"}
            ]
        },
        {"text": "Dry needling and trigger point injection"},
        {"coding": [{"code": "x"}, {"system": "http://www.ama-assn.org/go/cpt", "code": "20561"}]},
    ],
)
def test_codes_and_words_of_the_list_count(system: System, code: dict[str, Any]) -> None:
    assert system.answers(PATIENT, changed(PROCEDURE, code=code))[1][0] == "201"


def test_without_stated_agreement_nothing_is_enrolled(system: System) -> None:
    status, words = system.answers(PATIENT, changed(PROCEDURE, extension=None))[1]
    assert (status, "agreement" in words) == ("422", True)
    assert not stored(system, Contact)


@pytest.mark.parametrize(
    ("consent", "extension", "status"),
    [
        (CONSENT, None, "201"),
        (changed(CONSENT, provision=None), None, "201"),
        (changed(CONSENT, status="inactive"), None, "422"),
        (changed(CONSENT, provision={"type": "deny"}), None, "422"),
        (changed(CONSENT, provision={"type": "permit", "period": {"end": "2026-01-01"}}), None, "422"),
        (changed(CONSENT, patient={"reference": "Patient/other"}), None, "422"),
        (changed(CONSENT, category=[{"text": "research"}]), None, "422"),
        (changed(CONSENT, provision={"type": "deny"}), True, "422"),
        (CONSENT, False, "422"),
    ],
)
def test_a_consent_resource_states_agreement_and_a_refusal_outweighs_all(
    system: System, consent: dict[str, Any], extension: bool | None, status: str
) -> None:
    said = None if extension is None else [{"url": AGREED, "valueBoolean": extension}]
    procedure = changed(PROCEDURE, extension=said)
    assert system.answers(PATIENT, consent, procedure)[2][0] == status


@pytest.mark.parametrize(
    ("patient", "told"),
    [
        (changed(PATIENT, telecom=None), "No mobile phone"),
        (changed(PATIENT, telecom=[{"system": "phone", "use": "home", "value": "2025550123"}]), "No mobile"),
        (changed(PATIENT, telecom=[{"system": "phone", "use": "mobile", "value": "8005550123"}]), "texted"),
        (changed(PATIENT, telecom=[{"system": "phone", "use": "mobile", "value": "\u202eabc😀"}]), "texted"),
        (changed(PATIENT, communication=[{"language": {"coding": [{"code": "fr"}]}}]), "language"),
        (
            changed(
                PATIENT,
                extension=[
                    {"url": "http://hl7.org/fhir/StructureDefinition/tz-code", "valueCode": "Mars/Base"}
                ],
            ),
            "time zone",
        ),
        (changed(PATIENT, id="other"), "must hold the one Patient"),
    ],
)
def test_a_patient_who_cannot_be_texted_is_refused_in_words(
    system: System, patient: dict[str, Any], told: str
) -> None:
    status, words = system.answers(patient, PROCEDURE)[1]
    assert (status, told in words) == ("422", True)
    assert not stored(system)


def test_the_lowest_rank_of_the_mobiles_in_use_is_taken(system: System) -> None:
    telecom = [
        {"system": "phone", "use": "old", "value": "2025550101"},
        {"system": "phone", "use": "mobile", "value": "2025550102", "rank": 2},
        {"system": "sms", "value": "2025550103", "rank": 1},
        {
            "system": "phone",
            "use": "mobile",
            "value": "2025550104",
            "rank": 1,
            "period": {"end": "2020-01-01"},
        },
    ]
    system.answers(changed(PATIENT, telecom=telecom), PROCEDURE)
    assert [one.number for one in stored(system, Contact)] == ["+12025550103"]


@pytest.mark.parametrize(
    ("performed", "told"),
    [
        ("2026-03-03", "time of day"),
        ("2026-03", "time of day"),
        ("2026-03-03T09:30:00", "no Procedure of FHIR R4"),
        ("2026-03-04T09:30:00-05:00", "future"),
        ("2025-03-03T09:30:00-05:00", "too long ago"),
        ("0001-01-01T00:00:00+14:00", ""),
        ("yesterday", "no Procedure of FHIR R4"),
    ],
)
def test_a_time_that_cannot_be_planned_from_is_refused(system: System, performed: str, told: str) -> None:
    status, words = system.answers(PATIENT, changed(PROCEDURE, performedDateTime=performed))[1]
    assert (status, told in words) == ("422", True)
    assert not stored(system)


def test_a_period_counts_at_its_end(system: System) -> None:
    period = {"start": "2026-03-03T08:00:00-05:00", "end": "2026-03-03T08:40:00-05:00"}
    system.answers(PATIENT, changed(PROCEDURE, performedDateTime=None, performedPeriod=period))
    assert stored(system)[0].performed_at == datetime(2026, 3, 3, 13, 40, tzinfo=UTC)


def test_a_contained_patient_is_found(system: System) -> None:
    procedure = changed(
        PROCEDURE, contained=[changed(PATIENT, id="inside")], subject={"reference": "#inside"}
    )
    assert system.answers(procedure)[0][0] == "201"


def test_sent_again_it_is_told_and_changes_nothing(system: System) -> None:
    system.answers(PATIENT, PROCEDURE)
    system.desk.clock.advance(timedelta(days=40))
    assert system.answers(PATIENT, PROCEDURE)[1] == ("200", "Enrolled already; nothing was changed.")
    assert len(stored(system, OutboundMessage)) == 3


def test_sent_several_times_at_once_it_is_enrolled_once(system: System) -> None:
    start = Barrier(4)

    def send(resource: dict[str, Any]) -> str:
        start.wait()
        return system.answers(PATIENT, resource)[1][0]

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(send, [PROCEDURE, APPOINTMENT, PROCEDURE, APPOINTMENT]))
    assert sorted(statuses) == ["200", "200", "200", "201"]
    assert len(stored(system)) == 1
    assert len(stored(system, OutboundMessage)) == 3


def test_an_identifier_with_another_number_or_time_is_a_conflict(system: System) -> None:
    system.answers(PATIENT, PROCEDURE)
    other = changed(PATIENT, telecom=[{"system": "sms", "value": "2025550199"}])
    assert system.answers(other, PROCEDURE)[1][0] == "409"
    assert len(stored(system)) == 1


@pytest.mark.parametrize("status", ["entered-in-error", "not-done"])
def test_a_procedure_taken_back_cancels_what_is_planned(system: System, status: str) -> None:
    system.answers(PATIENT, PROCEDURE)
    taken_back = changed(PROCEDURE, status=status, performedDateTime=None, code=None, extension=None)
    assert system.answers(taken_back)[0] == ("200", "Called off: 3 planned messages were cancelled.")
    assert {one.status for one in stored(system, OutboundMessage)} == {"cancelled"}
    assert system.answers(taken_back)[0] == ("200", "Called off: 0 planned messages were cancelled.")
    assert system.answers(PATIENT, PROCEDURE)[1] == ("201", "Enrolled.")
    assert [one.status for one in stored(system, OutboundMessage)] == ["scheduled"] * 3
    assert system.answers(PATIENT, PROCEDURE)[1] == ("200", "Enrolled already; nothing was changed.")


def test_the_death_of_a_patient_cancels_what_is_planned(system: System) -> None:
    system.answers(PATIENT, PROCEDURE)
    dead = changed(PATIENT, deceasedBoolean=True)
    assert "3 planned messages" in system.answers(dead, PROCEDURE)[1][1]
    fresh = changed(PROCEDURE, identifier=[{"value": "V-2"}])
    assert system.answers(dead, fresh)[1] == ("200", "Nothing is known under it.")


def test_whoever_ended_messages_is_not_enrolled(system: System) -> None:
    parts = system.desk.parts
    with parts.db.begin() as session:
        hashed = parts.keyring.number_hash("+12025550123")
        now = parts.clock.now()
        session.add(ConsentState(number_hash=hashed, status="opted_out", carrier_blocked=False, since=now))
    status, words = system.answers(PATIENT, PROCEDURE)[1]
    assert (status, "START" in words) == ("422", True)
    assert not stored(system, Contact)


def test_in_a_batch_a_bad_one_keeps_no_other_out(system: System) -> None:
    bad = changed(PROCEDURE, subject=None, identifier=[{"value": "V-2"}])
    assert [status for status, _ in system.answers(bad, PATIENT, PROCEDURE)] == ["422", "200", "201"]
    assert len(stored(system)) == 1


def test_a_transaction_is_carried_out_whole_or_not_at_all(system: System) -> None:
    bad = changed(PROCEDURE, performedDateTime="2026-03-03", identifier=[{"value": "V-2"}])
    late = changed(PROCEDURE, performedDateTime="2025-03-03T09:30:00-05:00", identifier=[{"value": "V-3"}])
    for wrong in (bad, late):
        response = system.send(bundle(PATIENT, PROCEDURE, wrong, kind="transaction"))
        assert response.status_code == 422
        issue = OperationOutcome.model_validate(response.json).issue[0]
        assert (issue.severity, issue.expression[0][:15]) == ("error", "Bundle.entry[2]")
        assert not stored(system)
        assert not stored(system, Contact)
    assert system.answers(PATIENT, PROCEDURE, kind="transaction")[1][0] == "201"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"resourceType": "Patient"}',
        b'{"resourceType": "Bundle"}',
        b'{"resourceType": "Bundle", "type": "history"}',
        b'{"resourceType": "Bundle", "type": ["batch"]}',
        b'{"resourceType": "Bundle", "type": "batch", "entry": {}}',
        b'{"resourceType": "Bundle", "type": "batch", "entry": [NaN]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        json.dumps({"resourceType": "Bundle", "type": "batch", "entry": [{}] * 501}).encode(),
    ],
)
def test_what_is_no_bundle_is_refused(system: System, body: bytes) -> None:
    response = system.send(body)
    assert response.status_code == 400
    OperationOutcome.model_validate(response.json)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        1,
        {},
        {"resource": None},
        {"resource": {"resourceType": 5}},
        {"resource": {"resourceType": "Procedure"}},
        {"resource": {**PROCEDURE, "nonsense": 1}},
        {"resource": {**PROCEDURE, "identifier": [{"value": "x" * 121}]}},
        {"resource": {**PROCEDURE, "status": ["completed"]}},
        {"resource": PROCEDURE, "request": {"method": "DELETE", "url": "Procedure/1"}},
    ],
)
def test_a_bad_entry_is_refused_by_itself(system: System, entry: Any) -> None:
    whole = bundle(PATIENT)
    whole["entry"].append(entry)
    response = system.send(whole)
    assert response.status_code == 200
    assert response.json["entry"][1]["response"]["status"] == "422 Unprocessable Entity"
    assert not stored(system)


def test_neither_answers_nor_logs_hold_what_was_sent(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bad = changed(PATIENT, telecom=[{"system": "phone", "use": "mobile", "value": "8005559876"}])
    wrong = changed(PROCEDURE, status="V-Bell", extra="Ann Bell 2025550123")
    told = system.send(bundle(bad, PROCEDURE, wrong)).text + system.send(bundle(PATIENT, PROCEDURE)).text
    for text in (told, caplog.text):
        assert not re.search(r"555.?0123|5559876|Bell|Ann", text)
